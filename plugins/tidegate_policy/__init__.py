"""``policy``: Rego that sees every message, and says what becomes of it.

What stands here is imported when it is first used: a worker process needs none of it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidegate_policy.config import CarriedConfig, OpaConfig, PolicyConfig, ViewConfig
    from tidegate_policy.interceptor import Policy

__all__ = ["CarriedConfig", "OpaConfig", "Policy", "PolicyConfig", "ViewConfig"]


def __getattr__(name: str) -> Any:
    """Import a public name from its module."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "interceptor" if name == "Policy" else "config"
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)
