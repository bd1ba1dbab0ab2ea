"""A server as a container over stdio: its streams. Whoever holds the engine's socket starts and removes it.

Containers are started by :class:`tidegate.containers.boxes.Boxes`, hardened and watched.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from typing import TYPE_CHECKING, Any

from tidegate.containers.boxes import container_name, how_ended
from tidegate.ends.attach import Attached
from tidegate.ends.buffers import MAX_BYTES, QUEUED, Ending, Inbox, Lines, Outbox, Tail
from tidegate.ends.pipe import PipeError
from tidegate.ends.standard import reading, writing

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.containers.boxes import Box, Boxes

_REMOVED = 45.0  # seconds for the removal to be confirmed

_removals: set[asyncio.Task[None]] = set()  # a task that nobody keeps may be lost


class ContainerPipe:
    """A container as a pipe.

    Args:
        name: the server's name in the settings.
        boxes: who starts and stops containers.
        max_bytes: how long one JSON text may be.
        grace: seconds the container has to end after its standard input has ended.
        digest: that of its secrets, see :meth:`tidegate.containers.boxes.Boxes.start`.

    Attributes:
        instance: the instance's digits.
        container: the container's name.
        streams: how its standard input and output come here, ``direct`` or ``engine``; "" before that is known.
    """

    def __init__(
        self, name: str, boxes: Boxes, *, max_bytes: int = MAX_BYTES, grace: float = 2.0, digest: str | None = None
    ) -> None:
        self.instance = secrets.token_hex(6)
        self.container = container_name(name, self.instance)
        self._name = name
        self._boxes = boxes
        self._digest = digest
        self._grace = grace
        self._lines = Lines(max_bytes)
        self._inbox = Inbox()
        self._outbox = Outbox()
        self._tail = Tail()
        self._ending = Ending(name, self._inbox, self._outbox)
        self.streams = ""
        self._attached: Attached | None = None
        self._stdin: asyncio.WriteTransport | None = None  # where it is a pipe, as is the next
        self._stdout: asyncio.ReadTransport | None = None
        self._ended: asyncio.Future[int | None] | None = None
        self._closed = False
        self._unwanted = 0  # bytes that came after the pipe was closed
        self._flooding = asyncio.Event()
        self._closing = asyncio.Lock()
        self._removing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Have the container started, and take its streams; see :meth:`tidegate.ends.pipe.Pipe.start`."""
        try:
            box = await self._boxes.start(self._name, self.instance, self._digest)
            await self._take_streams(box)
        except BaseException:
            self._remove()
            raise

    async def _take_streams(self, box: Box) -> None:
        direct, box.direct = box.direct, None
        self.streams = "engine" if direct is None else "direct"
        try:
            await self._attach(box.streams, self._output_ended if direct is None else lambda: None)
        except BaseException:
            for descriptor in direct or ():
                os.close(descriptor)
            raise
        assert self._attached is not None
        assert self._attached.transport is not None
        if direct is None:
            self._inbox.source = self._attached.transport
            self._outbox.open(self._attached.transport)
        else:
            await self._take_pipes(*direct)
        self._ended = box.ended
        box.ended.add_done_callback(self._exited)

    async def _attach(self, streams: socket.socket, lost: Callable[[], None]) -> None:
        attached = self._attached = Attached(self._take, self._tail.feed, lost, self._outbox)
        loop = asyncio.get_running_loop()
        connect: Any = loop.create_unix_connection if streams.family == socket.AF_UNIX else loop.create_connection
        try:
            streams.settimeout(0)
            await connect(lambda: attached, sock=streams)
        except OSError as error:
            streams.close()
            raise PipeError(f"{self._name} can't be started: {error.strerror}.") from None
        except BaseException:
            streams.close()
            raise

    async def _take_pipes(self, to_input: int, from_output: int) -> None:
        try:
            self._stdin = await writing(to_input, self._outbox, self._input_lost)
        except BaseException:
            os.close(from_output)
            raise
        self._outbox.open(self._stdin)
        self._stdout = self._inbox.source = await reading(from_output, self._take, self._output_ended)

    async def send(self, data: bytes) -> None:
        """Send one JSON text; see :meth:`tidegate.ends.pipe.Pipe.send`."""
        await self._outbox.put(data)

    async def receive(self) -> bytes:
        """Return the next JSON text; see :meth:`tidegate.ends.pipe.Pipe.receive`."""
        return await self._inbox.get()

    async def close(self) -> None:
        """End the container: end of input, and if that isn't enough, by force; at once if it floods us."""
        async with self._closing:
            if not self._closed:
                self._closed = True
                flooding = self._inbox.paused
                reason = f"{self._name} was closed."
                self._outbox.end(reason)
                self._inbox.close(reason)
                try:
                    if not flooding:
                        await self._end_politely()
                finally:
                    self._remove()
            if self._removing is not None:
                await asyncio.wait([self._removing], timeout=_REMOVED)

    async def _end_politely(self) -> None:
        transport = self._attached.transport if self._attached is not None else None
        if self._removing is not None or self._ended is None or transport is None:
            return
        if self._stdout is not None:
            if self._stdin is not None:
                self._stdin.close()
        elif transport.is_closing():
            return
        else:
            transport.write_eof()
        flooding = asyncio.create_task(self._flooding.wait())
        waited: set[asyncio.Future[Any]] = {self._ended, flooding}
        try:
            await asyncio.wait(waited, timeout=self._grace, return_when=asyncio.FIRST_COMPLETED)
        finally:
            flooding.cancel()

    @property
    def pid(self) -> int | None:
        """None: processes in a container are the engine's."""
        return None

    def stderr_tail(self) -> str:
        """Return the last lines of the container's standard error."""
        return self._tail.text()

    def _take(self, data: bytes) -> None:
        if self._closed:
            self._unwanted += len(data)
            if self._unwanted > QUEUED:
                self._flooding.set()
        else:
            self._inbox.put(self._lines.feed(data))

    def _output_ended(self) -> None:
        self._inbox.put(self._lines.finish())
        self._ending.output_ended()

    def _input_lost(self) -> None:
        self._stdin = None
        if not self._closed:
            self._ending.input_ended()

    def _exited(self, status: asyncio.Future[int | None]) -> None:
        self._ending.exited(how_ended(status.result()))

    def _remove(self) -> None:
        """Have the container removed, in the background; whoever wants to can wait for it."""
        self._ending.cancel()
        self._outbox.end(f"{self._name} was closed.")
        self._inbox.close(f"{self._name} was closed.")
        # First of all this connection: the engine can't kill a container whose output nobody takes from it.
        if self._attached is not None and self._attached.transport is not None:
            self._attached.transport.abort()
        if self._stdin is not None:
            self._stdin.abort()
        if self._stdout is not None:
            self._stdout.close()
        if self._removing is None:
            self._removing = asyncio.create_task(self._boxes.stop(self.instance), name="container removal")
            _removals.add(self._removing)
            self._removing.add_done_callback(_seen)


def _seen(removal: asyncio.Task[None]) -> None:
    _removals.discard(removal)
    if not removal.cancelled():
        removal.exception()  # a PipeError: then nobody is there to ask, and the keeper or the next start sees to it
