"""The program beside a server that listens inside its container: connections to its port, carried over the streams.

It shares the container's network, listens on nothing, and connects to one port of 127.0.0.1. What it is asked for
comes on its standard input, and what it answers goes to its standard output, as frames (see ``frames.py``).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, cast

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

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK = 64 * 1024


class Inward:
    """Carries connections.

    Args:
        port: the port that is connected to.
        write: takes the frames' bytes.
        host: where the port is.
    """

    def __init__(self, port: int, write: Callable[[bytes], None], host: str = "127.0.0.1") -> None:
        self._place = (host, port)
        self._write = write
        self._frames = Frames()
        self._next = 0
        self._open: dict[int, _Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, data: bytes) -> None:
        """Take the next bytes of what is asked for.

        Raises:
            Malformed: where they aren't what they should be.
        """
        for frame in self._frames.feed(data):
            found = self._open.get(frame.number)
            if frame.kind == OPEN:
                self._begin(frame.number)
            elif frame.number >= self._next or frame.kind == OPENED:
                raise Malformed
            elif found is None:
                continue  # it has ended here already, which the other side is about to hear
            elif frame.kind == CLOSE:
                found.close()
            else:
                found.take(frame)

    def send(self, data: bytes) -> None:
        """Write frames."""
        self._write(data)

    def forget(self, number: int) -> bool:
        """Whether a connection was still known, which it isn't any more."""
        return self._open.pop(number, None) is not None

    def _begin(self, number: int) -> None:
        if number != self._next or len(self._open) >= MOST:
            raise Malformed
        self._next += 1
        made = self._open[number] = _Connection(number, self)
        task = asyncio.create_task(self._connect(made), name="connection to the server")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        made.task = task

    async def _connect(self, connection: _Connection) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: connection, *self._place)
        except OSError:
            connection.connection_lost(None)


class _Connection(asyncio.Protocol):
    """One connection to the server."""

    def __init__(self, number: int, inward: Inward) -> None:
        self.task: asyncio.Task[None] | None = None
        self._number = number
        self._inward = inward
        self._transport: asyncio.Transport | None = None
        self._allowed = WINDOW  # bytes that may be sent on
        self._held = b""  # that came and may not
        self._ended = False  # nothing more comes from the server
        self._untold = 0  # bytes that came from the other side and aren't credited yet
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)
        self._say(OPENED)

    def data_received(self, data: bytes) -> None:
        self._held += data
        self._flush()

    def eof_received(self) -> bool:
        self._ended = True
        self._flush()
        return True  # the other side says when it is over

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if self._inward.forget(self._number):
            self._say(CLOSE)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._credit()

    def take(self, frame: Frame) -> None:
        """Take what the other side sent."""
        if self._transport is None:
            raise Malformed  # it isn't made yet, as it would have been told
        if frame.kind == CREDIT:
            self._allowed += frame.credit
            if self._allowed > WINDOW:
                raise Malformed
            self._flush()
            return
        if frame.kind == DATA:
            self._untold += len(frame.data)
            if self._untold > WINDOW:
                raise Malformed
            self._transport.write(frame.data)
            self._credit()
        elif self._transport.can_write_eof():
            self._transport.write_eof()

    def close(self) -> None:
        """End it: the other side has done so."""
        self._inward.forget(self._number)
        if self._transport is not None:
            self._transport.abort()
        elif self.task is not None:
            self.task.cancel()

    def _credit(self) -> None:
        if self._untold and not self._paused:
            untold, self._untold = self._untold, 0
            self._inward.send(encode(Frame(CREDIT, self._number, credit=untold)))

    def _flush(self) -> None:
        assert self._transport is not None
        part, self._held = self._held[: self._allowed], self._held[self._allowed :]
        self._allowed -= len(part)
        if part:
            self._inward.send(cut(self._number, part))
        if self._held:
            self._transport.pause_reading()
        elif self._ended:
            self._say(END)
            self._ended = False
        else:
            self._transport.resume_reading()

    def _say(self, kind: int) -> None:
        self._inward.send(encode(Frame(kind, self._number)))


async def serve(port: int) -> None:
    """Serve until standard input has ended."""
    loop = asyncio.get_running_loop()
    stdin = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    inward = Inward(port, _write_all)
    while data := await stdin.read(_CHUNK):
        inward.take(data)


def _write_all(data: bytes) -> None:
    """Write to standard output; whoever reads it always does."""
    while data:
        data = data[os.write(1, data) :]


def main(config: str) -> None:
    """Run as a program.

    Args:
        config: JSON: ``{"port"}``.
    """
    asyncio.run(serve(json.loads(config)["port"]))
