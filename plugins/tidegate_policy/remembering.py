"""Remembers decisions: a policy that reads nothing that changes by itself decides the same about the same.

What a unit reads is known from its text (:mod:`tidegate_policy.reads`), and the embedded engine has no builtin that
gives another result another time, so which units these are needs no declaration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from tidegate_policy import reads
from tidegate_policy.syntax import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tidegate_policy.sources import Sources, Unit

MOST = 2048
"""Decisions remembered of one unit."""

LONGEST = 4096
"""Bytes of what was read, up to which a decision is remembered."""

_CHANGING = {"message", "session", "time"}


class Remembered:
    """The decisions of a policy's units, where they are of use.

    Args:
        sources: the policy.
        units: what is asked of it.
    """

    def __init__(self, sources: Sources, units: Sequence[Unit]) -> None:
        self._members: dict[str, tuple[str, ...]] = {}
        self._kept: dict[str, dict[bytes, Any]] = {}
        program = parse(sources.modules)
        for unit in units:
            paths = reads.reads(program, tuple(unit.query.split(".")))
            members = {path[0] for path in paths if path}
            if paths != reads.ALL and not members & _CHANGING:
                self._members[unit.query] = tuple(sorted(members))
                self._kept[unit.query] = {}

    def key(self, query: str, given: dict[str, Any]) -> bytes | None:
        """Return what a unit reads of an input; ``None`` where its decision isn't remembered."""
        members = self._members.get(query)
        if members is None:
            return None
        key = orjson.dumps({member: given[member] for member in members if member in given})
        return key if len(key) <= LONGEST else None

    def get(self, query: str, key: bytes | None) -> Any:
        """Return the answer that a unit gave to the same; ``None`` where it isn't known."""
        return None if key is None else self._kept[query].get(key)

    def keep(self, query: str, key: bytes | None, answer: Any) -> None:
        """Remember an answer."""
        if key is None:
            return
        kept = self._kept[query]
        if len(kept) >= MOST:
            kept.clear()
        kept[key] = answer
