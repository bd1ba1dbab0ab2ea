"""Descriptions of servers that aren't a client's: Docker's catalog, and the official registry's ``server.json``.

Both become the members of a ``[servers.NAME]`` table and notes; ``importer`` does with them what it does with clients'.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

MOST_CHARACTERS = 1000
"""Of a server's description in the settings."""

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


class Described(NamedTuple):
    """One server.

    Attributes:
        name: what its description calls it.
        members: of its table in the settings; ``None`` where it can't be used here.
        notes: what has no counterpart or wants a look, a sentence each, without values.
    """

    name: str
    members: dict[str, Any] | None
    notes: list[str]


def secret_name(name: str) -> str:
    """Return a name that a secret can have, as like the given one as can be."""
    return _NOT_IN_NAMES.sub("-", name).strip("._-")[:128].rstrip("._-") or "secret"


def description(text: Any) -> str:
    """Return what a description says of a server, as the settings may have it: one line of characters that show."""
    if not isinstance(text, str):
        return ""
    return "".join(char for char in " ".join(text.split()) if char.isprintable())[:MOST_CHARACTERS].rstrip()


def listed(names: list[str]) -> str:
    """Return names for a sentence."""
    return ", ".join(repr(name) for name in names)
