"""The input's members, version 1: what a policy may name, and what may be there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tidegate_policy.syntax import Path

NUMBER, TEXT, TRUTH, ANY = "number", "text", "truth", "any"

PHASES = ("request", "reply", "notification", "list")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_COUNTS = {"*": NUMBER}

INPUT: dict[str, Any] = {
    "v": NUMBER,
    "phase": PHASES,
    "direction": ("client_to_server", "server_to_client"),
    "method": TEXT,
    "message": {"size": NUMBER, "digest": TEXT},
    "principal": {"name": TEXT, "roles": [TEXT], "claims": ANY, "auth": ("none", "token", "jwt")},
    "profile": TEXT,
    "client": {"name": TEXT, "version": TEXT},
    "server": {
        "name": TEXT,
        "kind": ("process", "container", "remote"),
        "trust": ("low", "high"),
        "labels": [TEXT],
    },
    "target": {"kind": ("tool", "prompt", "resource", "task", ""), "name": TEXT},
    "tool": {"name": TEXT, "annotations": ANY, "description_sha256": TEXT, "pinned": TRUTH},
    "arguments": ANY,
    "params": {"strings": [{"pointer": TEXT, "key": TEXT, "value": TEXT, "decoded": [TEXT], "is_key": TRUTH}]},
    "result": {"is_error": TRUTH, "size": NUMBER, "strings": [{"pointer": TEXT, "value": TEXT}]},
    "findings": [{"kind": TEXT, "rule": TEXT, "pointer": TEXT, "confidence": NUMBER}],
    "session": {
        "id": TEXT,
        "age_s": NUMBER,
        "labels": [TEXT],
        "calls": [{"server": TEXT, "tool": TEXT, "seconds_ago": NUMBER, "labels": [TEXT]}],
        "counts": _COUNTS,
        "recent": {"minute": _COUNTS, "hour": _COUNTS, "day": _COUNTS},
    },
    "cut": [TEXT],
    "time": {"unix_ns": NUMBER, "weekday": _DAYS, "hour": NUMBER, "minute": NUMBER},
}
"""A tree: objects by member (``*``: any name), lists by element, tuples of the texts there may be, names of types."""


class Unknown(NamedTuple):
    """A member that the input doesn't have.

    Attributes:
        path: as far as it is known.
        name: the member that isn't there.
    """

    path: Path
    name: str


def below(kind: Any, name: str | None) -> Any:
    """Return what a member of something is; any member where the name isn't known.

    Raises:
        KeyError: where there is no such member.
    """
    if kind == ANY:
        return ANY
    if isinstance(kind, dict):
        if name is None:
            return next(iter(kind.values())) if "*" in kind else ANY
        return kind["*"] if "*" in kind else kind[name]
    if isinstance(kind, list):
        if name is not None:
            raise KeyError(name)
        return kind[0]
    raise KeyError(name)


def at(path: Path) -> Any:
    """Return what is at a path below ``input``; ``any`` where nothing is known of it."""
    kind: Any = INPUT
    for name in path:
        try:
            kind = below(kind, name)
        except KeyError:
            return ANY
    return kind
