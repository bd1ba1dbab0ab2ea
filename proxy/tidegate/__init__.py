"""Tidegate: a fail-closed security proxy for the Model Context Protocol.

What stands here is the public interface for interceptors; everything else may change. Each name is imported when it
is first used, so that a command that needs none of them starts at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidegate.flow import Client, Flow, Principal, Server
    from tidegate.hookspecs import hook
    from tidegate.message import Edit, Message
    from tidegate.methods import Target, listing, targets, unreadable
    from tidegate.plugins import Proxy
    from tidegate.session import Call, Session
    from tidegate.values import Leaf, PointerError
    from tidegate.verdict import CODES, Decision, Deny, Effect, Finding, Hold, Note, Redact, Step
    from tidegate.version import __version__
    from tidegate.workers import OffloadError, offload

_WHERE = {
    "flow": ("Client", "Flow", "Principal", "Server"),
    "hookspecs": ("hook",),
    "message": ("Edit", "Message"),
    "methods": ("Target", "listing", "targets", "unreadable"),
    "plugins": ("Proxy",),
    "session": ("Call", "Session"),
    "values": ("Leaf", "PointerError"),
    "verdict": ("CODES", "Decision", "Deny", "Effect", "Finding", "Hold", "Note", "Redact", "Step"),
    "version": ("__version__",),
    "workers": ("OffloadError", "offload"),
}
_HOME = {name: module for module, names in _WHERE.items() for name in names}

__all__ = [
    "CODES",
    "Call",
    "Client",
    "Decision",
    "Deny",
    "Edit",
    "Effect",
    "Finding",
    "Flow",
    "Hold",
    "Leaf",
    "Message",
    "Note",
    "OffloadError",
    "PointerError",
    "Principal",
    "Proxy",
    "Redact",
    "Server",
    "Session",
    "Step",
    "Target",
    "__version__",
    "hook",
    "listing",
    "offload",
    "targets",
    "unreadable",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module."""
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted({*globals(), *__all__})
