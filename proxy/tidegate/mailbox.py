"""Events that wait to be read: in order, bounded, and for a resumable stream with ids."""

from __future__ import annotations

import asyncio
from collections import deque

from tidegate.message import Message
from tidegate.upstream import Arrived, Event, Unavailable
from tidegate.wire import Rejected

MAX_EVENTS = 1024
MAX_BYTES = 8 * 1024 * 1024  # encoded, the last event not counted; in memory a message takes a few times that


class Mailbox:
    """Events on their way from one server to one reader.

    Args:
        kept: how many events that were read are remembered for a reader that resumes; with any, events get
            ids (2025-11-25, streamable HTTP, resumability).

    Attributes:
        dropped: how many events were lost because nobody read them.
    """

    def __init__(self, kept: int = 0) -> None:
        self._events: deque[Event] = deque()
        self._kept: deque[Event] = deque()
        self._most = kept
        self._bytes = self._kept_bytes = 0
        self._last = 0
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._left = False
        self._ended: Unavailable | None = None
        self.dropped = 0

    @property
    def full(self) -> bool:
        """Whether there is no room for another event."""
        return len(self._events) >= MAX_EVENTS or self._bytes >= MAX_BYTES

    async def room(self) -> None:
        """Wait until there is room, or nobody reads any more."""
        while self.full and not self._left:
            self._writer = asyncio.get_running_loop().create_future()
            await self._writer

    def leave(self) -> None:
        """Say that nobody reads any more."""
        self._left = True
        self._make_room()

    def _make_room(self) -> None:
        if self._writer is not None and not self._writer.done():
            self._writer.set_result(None)

    def put(self, item: Arrived) -> bool:
        """Add an event; return whether there was room for it."""
        size = size_of(item)
        if self.full:
            self.dropped += 1
            return False
        self._bytes += size
        self._last += 1
        self._events.append(Event(item, str(self._last) if self._most else None))
        self._wake()
        return True

    def put_latest(self, item: Arrived) -> None:
        """Add an event; where there is no room, the oldest ones make some."""
        while not self.put(item) and self._events:
            self._pop()

    def drained(self) -> list[Arrived]:
        """Take out and return all that nobody has read yet."""
        found = []
        while self._events:
            data = self._pop().data
            if data is not None:
                found.append(data)
        return found

    def end(self, failure: Unavailable) -> None:
        """Say that nothing will come any more; what has come can still be read."""
        self._ended = self._ended or failure
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _pop(self) -> Event:
        event = self._events.popleft()
        self._bytes -= size_of(event.data)
        self._make_room()
        return event

    def resume(self, last_id: str) -> None:
        """Put back what came after the event that a reader saw last; an id never given means nothing."""
        if not last_id.isascii() or not last_id.isdigit() or len(last_id) > 18:
            return
        while self._kept and int(self._kept[-1].id or 0) > int(last_id):
            event = self._kept.pop()
            self._kept_bytes -= size_of(event.data)
            self._events.appendleft(event)
            self._bytes += size_of(event.data)
        self._wake()

    async def get(self, timeout: float | None = None) -> Event:  # noqa: ASYNC109 - one timer, only where it must wait
        """Return the next event. A second reader takes the place of the first, which is ended.

        Args:
            timeout: how long to wait, in seconds; ``None`` for as long as it takes.

        Raises:
            TimeoutError: where none came in time.
            Unavailable: where none will come.
        """
        while not self._events:
            if self._ended is not None:
                raise self._ended
            if self._reader is not None and not self._reader.done():
                self._reader.set_exception(Unavailable("Another stream has taken this one's place."))
            reader = self._reader = asyncio.get_running_loop().create_future()
            if timeout is None:
                await reader
            else:
                async with asyncio.timeout(timeout):
                    await reader
        event = self._pop()
        if self._most:
            self._keep(event)
        return event

    def _keep(self, event: Event) -> None:
        """Remember an event that was read, and forget those before it that have no room beside it."""
        self._kept.append(event)
        self._kept_bytes += size_of(event.data)
        while len(self._kept) > self._most or (self._kept_bytes > MAX_BYTES and len(self._kept) > 1):
            self._kept_bytes -= size_of(self._kept.popleft().data)


def size_of(item: Arrived | None) -> int:
    """Return how many bytes an event takes; rejected ones are gone already."""
    if isinstance(item, Message):
        return len(item.encoded)
    return len(item) if isinstance(item, bytes) else 0


__all__ = ["Mailbox", "Rejected", "size_of"]
