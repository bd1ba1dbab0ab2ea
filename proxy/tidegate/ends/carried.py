"""Connections to a server's port inside its container, over the streams of the sidecar beside it.

The frames are those of ``egress/frames.py``. Each connection looks like any transport of asyncio's.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, TypeVar

from tidegate.egress.frames import (
    CLOSE,
    CREDIT,
    DATA,
    END,
    MOST,
    OPEN,
    OPENED,
    WINDOW,
    Frame,
    Frames,
    Malformed,
    cut,
    encode,
)
from tidegate.ends.attach import Attached
from tidegate.ends.buffers import Outbox, Tail

if TYPE_CHECKING:
    from collections.abc import Callable

P = TypeVar("P", bound=asyncio.Protocol)


class Carrier:
    """All connections to one port.

    Args:
        lost: told once, when no connection can be made any more, not when this side closes.
    """

    def __init__(self, lost: Callable[[], object]) -> None:
        self._lost = lost
        self._frames = Frames()
        self._tail = Tail()
        self._open: dict[int, Carried] = {}
        self._next = 0
        self._room = asyncio.Semaphore(MOST)
        self._attached = Attached(self._take, self._tail.feed, self._gone, Outbox())
        self._ended = False

    async def start(self, streams: socket.socket) -> None:
        """Take the sidecar's streams, which are closed where that fails.

        Raises:
            OSError: where they have ended already.
        """
        loop = asyncio.get_running_loop()
        connect: Any = loop.create_unix_connection if streams.family == socket.AF_UNIX else loop.create_connection
        try:
            streams.settimeout(0)
            await connect(lambda: self._attached, sock=streams)
        except BaseException:
            streams.close()
            raise

    async def connect(self, protocol: Callable[[], P]) -> P:
        """Make a connection, and return its protocol; as ``create_connection`` of an event loop.

        Raises:
            OSError: where it can't be made.
        """
        await self._room.acquire()
        if self._ended:
            self._room.release()
            raise ConnectionAbortedError(0, "the way into its container is closed")
        number, self._next = self._next, self._next + 1
        made = protocol()
        carried = self._open[number] = Carried(number, self, made)
        self.send(encode(Frame(OPEN, number)))
        try:
            await carried.opened
        except asyncio.CancelledError:
            carried.abort()
            raise
        return made

    def close(self) -> None:
        """End all connections."""
        self._ended = True
        if self._attached.transport is not None:
            self._attached.transport.abort()
        for carried in list(self._open.values()):
            carried.lost(ConnectionAbortedError(0, "the way into its container was closed"))

    def send(self, data: bytes) -> None:
        """Send frames. What waits to be sent is bounded by the windows of the connections."""
        transport = self._attached.transport
        if transport is not None and not transport.is_closing():
            transport.write(data)

    def forget(self, number: int) -> bool:
        """Whether a connection was still known, which it isn't any more."""
        if self._open.pop(number, None) is None:
            return False
        self._room.release()
        return True

    def _take(self, data: bytes) -> None:
        try:
            for frame in self._frames.feed(data):
                if frame.number >= self._next or frame.kind == OPEN:
                    raise Malformed  # noqa: TRY301 - as what isn't a frame at all
                carried = self._open.get(frame.number)
                if carried is not None:
                    carried.take(frame)
        except Malformed:
            if self._attached.transport is not None:
                self._attached.transport.abort()

    def _gone(self) -> None:
        if not self._ended:
            self.close()
            self._lost()


class Carried(asyncio.Transport):
    """One connection.

    Args:
        number: its number.
        carrier: what carries it.
        protocol: who uses it.

    Attributes:
        opened: done when it is made; an OSError where it can't be.
    """

    def __init__(self, number: int, carrier: Carrier, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._number = number
        self._carrier = carrier
        self._protocol = protocol
        self._made = False
        self._closing = False
        self._allowed = WINDOW
        self._out = bytearray()
        self._untold = 0  # bytes that came and aren't credited yet
        self._paused = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send, or keep until it may be sent."""
        if not self._closing:
            self._out += data
            self._flush()

    def is_closing(self) -> bool:
        """Whether it has ended."""
        return self._closing

    def pause_reading(self) -> None:
        """Credit nothing more."""
        self._paused = True

    def resume_reading(self) -> None:
        """Credit what came."""
        self._paused = False
        self._credit()

    def close(self) -> None:
        """End it; what wasn't sent isn't."""
        self.abort()

    def abort(self) -> None:
        """End it."""
        if not self._closing:
            self._carrier.send(encode(Frame(CLOSE, self._number)))
            self.lost(None)

    def lost(self, error: OSError | None) -> None:
        """Note that it is over."""
        self._closing = True
        self._carrier.forget(self._number)
        self._out.clear()
        if not self.opened.done():
            self.opened.set_exception(error or ConnectionRefusedError(0, "it doesn't listen on its port"))
            self.opened.exception()  # seen: who waited for it may have gone
        if self._made:
            self._made = False
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, error)

    def take(self, frame: Frame) -> None:
        """Take what came from the server.

        Raises:
            Malformed: where it can't have.
        """
        if frame.kind == OPENED and not self.opened.done():
            self._made = True
            self._protocol.connection_made(self)
            self.opened.set_result(None)
        elif frame.kind == CLOSE:
            self.lost(ConnectionResetError(0, "it was reset") if self._made else None)
        elif not self._made or frame.kind == OPENED:
            raise Malformed
        elif frame.kind == CREDIT:
            self._allowed += frame.credit
            if self._allowed > WINDOW:
                raise Malformed
            self._flush()
        elif frame.kind == END:
            self.abort()
        elif frame.kind == DATA:
            self._untold += len(frame.data)
            if self._untold > WINDOW:
                raise Malformed
            self._protocol.data_received(frame.data)
            self._credit()

    def _credit(self) -> None:
        if self._untold and not self._paused and not self._closing:
            untold, self._untold = self._untold, 0
            self._carrier.send(encode(Frame(CREDIT, self._number, credit=untold)))

    def _flush(self) -> None:
        part = bytes(self._out[: self._allowed])
        if part:
            del self._out[: len(part)]
            self._allowed -= len(part)
            self._carrier.send(cut(self._number, part))
