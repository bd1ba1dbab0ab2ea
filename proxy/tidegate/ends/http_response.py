"""An HTTP/1.1 answer whose head is in: its body, read once, whole or in parts, no faster than its reader."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class Source(Protocol):
    """The connection a body comes over."""

    def flow(self, size: int) -> None:
        """Pause or resume reading, where so many bytes wait to be read."""
        ...

    def fail(self, error: HttpError) -> None:
        """Close the connection."""
        ...


class HttpError(Exception):
    """A request failed; the text is one safe sentence.

    Attributes:
        late: whether the server was silent for too long.
        stale: whether a kept connection turned out to be closed before a byte of the answer came.
        refused: whether nobody listens there, so that nothing was sent.
    """

    def __init__(self, text: str, *, late: bool = False, stale: bool = False, refused: bool = False) -> None:
        super().__init__(text)
        self.late = late
        self.stale = stale
        self.refused = refused


class TooLong(Exception):  # noqa: N818 - it says what the body is
    """A body is longer than the reader takes."""


class Response:
    """An answer whose head is in; its body is read once, whole or in parts.

    Attributes:
        status: the HTTP status.
        headers: by lower-case name; of a header that stands twice, the values are joined by a comma.
    """

    __slots__ = ("_connection", "_done", "_error", "_parts", "_size", "_waiter", "head", "headers", "status")

    def __init__(self, connection: Source, head: asyncio.Future[None]) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.head = head
        self._connection: Source | None = connection
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._done = False
        self._error: HttpError | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def read(self, most: int) -> bytes:
        """Return the whole body.

        Raises:
            TooLong: where it is longer than ``most`` bytes.
            HttpError: where it is cut short, or doesn't come.
        """
        while not self._done and self._size <= most:
            if self._connection is not None:
                self._connection.flow(0)  # all that is asked for may be held
            await self._more()
        if self._error is not None:
            raise self._error
        if self._size > most:
            self.close()
            raise TooLong
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    async def parts(self) -> AsyncGenerator[bytes, None]:
        """Yield the body in parts, as they come.

        Raises:
            HttpError: where it is cut short, or doesn't come.
        """
        while True:
            while self._parts:
                part = self._parts.popleft()
                self._size -= len(part)
                if self._connection is not None:
                    self._connection.flow(self._size)
                yield part
            if self._error is not None:
                raise self._error
            if self._done:
                return
            await self._more()

    def close(self) -> None:
        """Give up the rest, and the connection with it. Harmless when the body has ended."""
        if self._connection is not None:
            self._connection.fail(HttpError("The answer was given up."))

    async def _more(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def put(self, part: bytes) -> int:
        """Take a part of the body; return how many bytes wait to be read."""
        self._parts.append(part)
        self._size += len(part)
        self._wake()
        return self._size

    def end(self, error: HttpError | None) -> None:
        """Take the end of the body, or what went wrong."""
        self._done, self._error, self._connection = True, error, None
        if not self.head.done():
            self.head.set_exception(error or HttpError("The answer ended before it began."))
        self._wake()
