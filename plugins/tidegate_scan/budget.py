"""How much work one text may cause."""

from __future__ import annotations

import time
from typing import NamedTuple


class OverBudget(Exception):  # noqa: N818 - it is no error of the program; the caller denies
    """A text would take more to undo than its budget. Says which limit, and nothing of the text."""


class Budget(NamedTuple):
    """The limits for one text."""

    bytes: int = 16 * 1024 * 1024
    """Characters of all derived views together, and bytes inflated."""
    views: int = 64
    depth: int = 4
    """How many encodings may lie inside each other; passes over characters' disguises count apart, to it too."""
    seconds: float = 2.0


DEFAULT = Budget()


class Gauge:
    """What one text has used of its budget."""

    __slots__ = ("_bytes", "_depth", "_until", "_views")

    def __init__(self, budget: Budget) -> None:
        self._bytes = budget.bytes
        self._views = budget.views
        self._depth = budget.depth
        self._until = time.monotonic() + budget.seconds

    @property
    def left(self) -> int:
        """Bytes that may still be made."""
        return self._bytes

    def nested(self, depth: int) -> None:
        """Refuse a depth beyond the budget's.

        Raises:
            OverBudget: where it is.
        """
        if depth > self._depth:
            raise OverBudget("a text is encoded in too many layers")

    def took(self, size: int) -> None:
        """Count what was made.

        Args:
            size: characters, or bytes.

        Raises:
            OverBudget: where the bytes or the time are used up.
        """
        self._bytes -= size
        if self._bytes < 0:
            raise OverBudget("a text decodes to too much")
        if time.monotonic() > self._until:
            raise OverBudget("a text takes too long to decode")

    def view(self, size: int) -> None:
        """Count a view.

        Args:
            size: its characters.

        Raises:
            OverBudget: where the views, the bytes or the time are used up.
        """
        self._views -= 1
        if self._views < 0:
            raise OverBudget("a text has too many views")
        self.took(size)
