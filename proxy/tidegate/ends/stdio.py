"""This process' own standard input and output as a pipe, for clients that start Tidegate as their server.

Source: the stdio transport of the Model Context Protocol.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from tidegate.ends.buffers import MAX_BYTES, Inbox, Lines, Outbox
from tidegate.ends.pipe import PipeError

if TYPE_CHECKING:
    from collections.abc import Callable

_FLUSH = 5.0  # seconds a client has to read what was sent before the end
_CHUNK = 65536


class StdioEnd:
    """The client that started this process, as a pipe.

    While it is open, what else prints to standard output goes to standard error, and what else reads standard input
    reads nothing, so that a stray ``print`` can't get between two messages.

    Args:
        max_bytes: how long one JSON text may be.
        stdin: the descriptor of standard input.
        stdout: the descriptor of standard output.
        stderr: the descriptor of standard error.
    """

    def __init__(self, max_bytes: int = MAX_BYTES, *, stdin: int = 0, stdout: int = 1, stderr: int = 2) -> None:
        self._stdin, self._stdout, self._stderr = stdin, stdout, stderr
        self._lines = Lines(max_bytes)
        self._inbox = Inbox()
        self._outbox = Outbox()
        self._sides: list[_Side] = []
        self._pumps: list[threading.Thread] = []
        self._kept: dict[int, tuple[int, bool]] = {}  # descriptor: its copy, and whether it was blocking
        self._closing = asyncio.Lock()

    async def start(self) -> None:
        """Take over standard input and output.

        Raises:
            PipeError: where they can't be used.
        """
        try:
            one = _same_socket(self._stdin, self._stdout)
            source, sink = self._take(self._stdin, os.O_RDONLY), self._take(self._stdout, os.O_WRONLY)
            if one:
                os.close(sink)
                await self._open(source, reading=True, writing=True)
                return
            await self._open(self._readable(source), reading=True, writing=False)
            await self._open(self._writable(sink), reading=False, writing=True)
        except (OSError, ValueError) as error:
            self._restore()
            raise PipeError(f"Standard input and output can't be used: {error}.") from None
        except BaseException:
            self._restore()
            raise

    async def send(self, data: bytes) -> None:
        """Send one JSON text to the client; see :meth:`tidegate.ends.pipe.Pipe.send`."""
        await self._outbox.put(data)

    async def receive(self) -> bytes:
        """Return the client's next JSON text; see :meth:`tidegate.ends.pipe.Pipe.receive`."""
        return await self._inbox.get()

    async def close(self) -> None:
        """Send what is queued, and give standard input and output back."""
        async with self._closing:
            self._inbox.close("Standard input was closed.")
            self._outbox.end("Standard output was closed.")
            try:
                for side in self._sides:
                    side.close()
                lost = [side.lost for side in self._sides]
                if lost:
                    await asyncio.wait(lost, timeout=_FLUSH)
                for pump in self._pumps:
                    await asyncio.to_thread(pump.join, _FLUSH)
            finally:
                for side in self._sides:
                    side.abort()
                self._restore()

    @property
    def pid(self) -> int | None:
        """None: the client is not a process of ours."""
        return None

    def stderr_tail(self) -> str:
        """Return nothing: the client's standard error is not ours to see."""
        return ""

    def _take(self, descriptor: int, mode: int) -> int:
        """Return two copies' worth of a descriptor: one kept to give back, one to use; and put a harmless one there."""
        self._kept[descriptor] = (os.dup(descriptor), os.get_blocking(descriptor))
        used = os.dup(descriptor)
        if mode == os.O_WRONLY and not os.path.sameopenfile(descriptor, self._stderr):
            os.dup2(self._stderr, descriptor)
        else:
            null = os.open(os.devnull, mode)
            os.dup2(null, descriptor)
            os.close(null)
        return used

    def _restore(self) -> None:
        if self._stdout in self._kept and self._stdout == 1:
            with suppress(OSError, ValueError):
                sys.stdout.flush()  # what was printed meanwhile belongs to standard error
        for descriptor, (copy, blocking) in self._kept.items():
            os.set_blocking(copy, blocking)
            os.dup2(copy, descriptor)
            os.close(copy)
        self._kept.clear()

    def _readable(self, descriptor: int) -> int:
        """Return what the event loop can read a descriptor's bytes from: it can't wait for files and terminals."""
        if _can_wait(descriptor):
            return descriptor
        out, into = os.pipe()
        self._pump(descriptor, into, wait=False)
        return out

    def _writable(self, descriptor: int) -> int:
        """Return what the event loop can write a descriptor's bytes to."""
        if _can_wait(descriptor):
            return descriptor
        out, into = os.pipe()
        self._pump(out, descriptor, wait=True)
        return into

    def _pump(self, source: int, sink: int, *, wait: bool) -> None:
        thread = threading.Thread(target=_pump, args=(source, sink), daemon=True)
        thread.start()
        if wait:
            self._pumps.append(thread)

    async def _open(self, descriptor: int, *, reading: bool, writing: bool) -> None:
        loop = asyncio.get_running_loop()
        side = _Side(self._received if reading else None, self._finished, self._outbox if writing else None)
        self._sides.append(side)
        if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            sock = socket.socket(fileno=descriptor)
            if sock.family == socket.AF_UNIX:
                await loop.create_unix_connection(lambda: side, sock=sock)
            else:
                await loop.create_connection(lambda: side, sock=sock)
        elif reading:
            await loop.connect_read_pipe(lambda: side, os.fdopen(descriptor, "rb", 0))
        else:
            await loop.connect_write_pipe(lambda: side, os.fdopen(descriptor, "wb", 0))
        if reading:
            self._inbox.source = cast("asyncio.ReadTransport", side.transport)
        if writing:
            self._outbox.open(cast("asyncio.WriteTransport", side.transport))

    def _received(self, data: bytes) -> None:
        self._inbox.put(self._lines.feed(data))

    def _finished(self) -> None:
        self._inbox.put(self._lines.finish())
        self._inbox.end("Standard input has ended.")


class _Side(asyncio.Protocol):
    """One of the two directions, or both over one socket."""

    def __init__(
        self, take: Callable[[bytes], None] | None, finished: Callable[[], None], outbox: Outbox | None
    ) -> None:
        self._take = take
        self._finished = finished
        self._outbox = outbox
        self.transport: asyncio.BaseTransport | None = None
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self._take is not None:
            self._take(data)

    def eof_received(self) -> bool:
        if self._take is not None:
            self._finished()
        return True  # what is still to be sent can be: the client ended its own direction alone

    def pause_writing(self) -> None:
        if self._outbox is not None:
            self._outbox.pause()

    def resume_writing(self) -> None:
        if self._outbox is not None:
            self._outbox.resume()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.transport = None
        if self._take is not None:
            self._finished()
        if self._outbox is not None:
            self._outbox.end("The client closed standard output.")
        if not self.lost.done():
            self.lost.set_result(None)

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        if self.transport is not None and self._outbox is not None:
            cast("asyncio.WriteTransport", self.transport).abort()


def _same_socket(one: int, other: int) -> bool:
    first, second = os.fstat(one), os.fstat(other)
    return stat.S_ISSOCK(first.st_mode) and (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def _can_wait(descriptor: int) -> bool:
    """Whether an event loop can wait for a descriptor, and may make it non-blocking: it's a pipe's or socket's.

    A terminal is shared with the shell, and a file is always ready.
    """
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _pump(source: int, sink: int) -> None:
    """Copy bytes, blocking, until either end is over; then close both."""
    try:
        while data := os.read(source, _CHUNK):
            view = memoryview(data)
            while view:
                view = view[os.write(sink, view) :]
    except OSError:
        pass  # the other end is gone: nobody to copy for
    finally:
        os.close(sink)
        os.close(source)
