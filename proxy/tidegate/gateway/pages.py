"""Pages of lists that the gateway puts together, and the cursors that lead from one to the next.

A list is kept as it was when its first page was asked for, so that what changes meanwhile is neither left out nor
given twice. A cursor says nothing and can't be guessed, and is good for the one it was given to.
"""

from __future__ import annotations

import re
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidegate import values
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    Page = tuple[list[dict[str, Any]], str | None]

MOST_OF_ONE = 16
"""Lists that are kept for one owner at most; the one that wasn't used for longest goes."""

MOST_BYTES = 256 * 1024 * 1024
"""Bytes of lists, as JSON, that are kept for all owners together; the one that wasn't used for longest goes."""

MOST_BYTES_OF_ONE = 32 * 1024 * 1024
"""Bytes of lists that are kept for one owner, or else the last one."""

_CURSOR = re.compile(r"([A-Za-z0-9_-]{24})\.([1-9][0-9]{0,8})")


@dataclass(slots=True)
class _Snapshot:
    items: Sequence[dict[str, Any]]
    size: int
    until: float = 0.0


class Pages:
    """The lists that clients are paging through.

    Args:
        page_size: items of a page.
        ttl: seconds for which a cursor is good after it was given or used last.
        clock: tells the time in seconds.
        max_snapshots: lists that are kept at most, for all owners together.
        max_bytes: bytes that these may have, of one owner and of all together.
    """

    def __init__(
        self,
        page_size: int,
        ttl: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
        max_snapshots: int = 10_000,
        max_bytes: tuple[int, int] = (MOST_BYTES_OF_ONE, MOST_BYTES),
    ) -> None:
        self._size = page_size
        self._ttl = ttl
        self._clock = clock
        self._most = max_snapshots
        self._most_bytes_of_one, self._most_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[tuple[Hashable, str], _Snapshot] = OrderedDict()  # the one used last at the end
        self._of: dict[Hashable, OrderedDict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def first(self, owner: Hashable, items: Sequence[dict[str, Any]]) -> Page:
        """Return the first page of a list, and the cursor of the next one; ``None`` where there is none.

        Args:
            owner: whose cursors these are, and of which list: principal, profile, session and method together.
            items: the list, which isn't changed any more.
        """
        self._expire()
        if len(items) <= self._size:
            return list(items), None
        token = self._again(owner, items)
        if token is None:
            token, kept = secrets.token_urlsafe(18), _Snapshot(items, len(values.encode(items)))
            own = self._of.setdefault(owner, OrderedDict())
            self._kept[owner, token] = kept
            own[token] = None
            self._bytes += kept.size
            self._make_room(owner, own)
        return self._page(owner, token, 0)

    def _make_room(self, owner: Hashable, own: OrderedDict[str, None]) -> None:
        """Let go of what is too much, but of the last list."""
        size = sum(self._kept[owner, token].size for token in own)
        while len(own) > MOST_OF_ONE or (size > self._most_bytes_of_one and len(own) > 1):
            size -= self._drop(owner, next(iter(own)))
        while len(self._kept) > self._most or (self._bytes > self._most_bytes and len(self._kept) > 1):
            self._drop(*next(iter(self._kept)))

    def next(self, owner: Hashable, cursor: str) -> Page:
        """Return the page at a cursor, and the cursor of the one after it. The same cursor gives the same page.

        Raises:
            Rejected: for a cursor that isn't this owner's, or isn't any more.
        """
        self._expire()
        found = _CURSOR.fullmatch(cursor)
        kept = self._kept.get((owner, found[1])) if found else None
        start = int(found[2]) if found else 0
        if found is None or kept is None or start >= len(kept.items) or start % self._size:
            raise Rejected("cursor", "The cursor is none of this list's, or has expired; list it from its beginning.")
        return self._page(owner, found[1], start)

    def forget(self, owner: Hashable) -> None:
        """Let go of what is kept for an owner: its session has ended."""
        for token in list(self._of.get(owner, ())):
            self._drop(owner, token)

    def _page(self, owner: Hashable, token: str, start: int) -> Page:
        kept = self._kept[owner, token]
        kept.until = self._clock() + self._ttl
        self._kept.move_to_end((owner, token))
        self._of[owner].move_to_end(token)
        end = start + self._size
        return list(kept.items[start:end]), f"{token}.{end}" if end < len(kept.items) else None

    def _again(self, owner: Hashable, items: Sequence[dict[str, Any]]) -> str | None:
        """Return the token of this very list, where the owner has one."""
        return next((token for token in self._of.get(owner, ()) if self._kept[owner, token].items is items), None)

    def _expire(self) -> None:
        now = self._clock()
        while self._kept:
            (owner, token), kept = next(iter(self._kept.items()))
            if kept.until > now:
                break
            self._drop(owner, token)

    def _drop(self, owner: Hashable, token: str) -> int:
        """Let go of a list; return its size."""
        size = self._kept.pop((owner, token)).size
        self._bytes -= size
        own = self._of[owner]
        del own[token]
        if not own:
            del self._of[owner]
        return size
