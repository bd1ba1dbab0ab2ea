"""A server that speaks HTTP inside its container: a pipe over the connections that its sidecar carries."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tidegate.containers.boxes import how_ended
from tidegate.ends.carried import Carrier
from tidegate.ends.docker import ContainerPipe
from tidegate.ends.http1 import HttpClient
from tidegate.ends.pipe import PipeError
from tidegate.ends.sse_client import SsePipe
from tidegate.ends.streamable import StreamablePipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate import wire
    from tidegate.containers.boxes import Box, Boxes
    from tidegate.server_settings import ServerSettings

_SOONEST, _LATEST = 0.02, 0.5  # seconds between two looks whether it listens
_SETTLE = 0.5  # seconds between the end of a container's streams and the news how it ended


class HttpContainerPipe(ContainerPipe):
    """A container as a pipe, whose server listens on a port. What it writes to its standard output is mere log.

    Args:
        name: the server's name in the settings.
        boxes: who starts and stops containers.
        server: its settings.
        limits: the limits in force.
        digest: that of its secrets, see :meth:`tidegate.containers.boxes.Boxes.start`.
    """

    def __init__(
        self,
        name: str,
        boxes: Boxes,
        server: ServerSettings,
        limits: Callable[[], wire.Limits],
        *,
        digest: str | None = None,
    ) -> None:
        super().__init__(name, boxes, digest=digest)
        assert server.port is not None
        self._port = server.port
        self._carrier = Carrier(self._cut_off)
        self._client = HttpClient(self._carrier.connect)
        url = f"http://127.0.0.1:{server.port}{server.path}"
        self._inner: StreamablePipe | SsePipe
        if server.transport == "sse":
            self._inner = SsePipe(url, {}, self._client, limits().max_bytes)
        else:
            self._inner = StreamablePipe(url, self._client, limits)

    async def _take_streams(self, box: Box) -> None:
        port, box.port = box.port, None
        if port is None:
            box.streams.close()
            raise PipeError(f"{self._name} can't be started: the launcher is of another version.")
        try:
            await super()._take_streams(box)
        except BaseException:
            port.close()
            raise
        try:
            await self._carrier.start(port)
        except OSError as error:
            raise PipeError(f"{self._name} can't be started: {error.strerror}.") from None
        await self._listening()
        await self._inner.start()

    async def _listening(self) -> None:
        """Wait until the server listens; for how long is the caller's to say."""
        pause = _SOONEST
        while True:
            try:
                (await self._carrier.connect(_Trial)).end()
            except ConnectionRefusedError:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LATEST)
            except OSError:
                words = await self._words()
                raise PipeError(f"{self._name} {words} before it listened on port {self._port}.") from None
            else:
                return
            if self._ended is not None and self._ended.done():
                words = how_ended(self._ended.result())
                raise PipeError(f"{self._name} {words} before it listened on port {self._port}.")

    async def _words(self) -> str:
        """Return how it ended, where that is heard soon."""
        if self._ended is not None:
            await asyncio.wait([self._ended], timeout=_SETTLE)
            if self._ended.done():
                return how_ended(self._ended.result())
        return "lost the sidecar of its port"

    async def send(self, data: bytes) -> None:
        """Send one JSON text; see :meth:`tidegate.ends.pipe.Pipe.send`."""
        await self._inner.send(data)

    async def receive(self) -> bytes:
        """Return the next JSON text; see :meth:`tidegate.ends.pipe.Pipe.receive`."""
        return await self._inner.receive()

    async def _end_politely(self) -> None:
        """End the session; the launcher then asks the container to end."""
        await self._inner.close()
        await self._client.close()
        self._carrier.close()

    def _remove(self) -> None:
        self._inner.fail(f"{self._name} was closed.")
        self._client.stop()
        self._carrier.close()
        super()._remove()

    def _take(self, data: bytes) -> None:
        self._tail.feed(data)

    def _output_ended(self) -> None:
        self._cut_off()

    def _exited(self, status: asyncio.Future[int | None]) -> None:
        self._inner.fail(f"{self._name} {how_ended(status.result())}.")

    def _cut_off(self) -> None:
        """The container's streams or its sidecar's have ended; why is known in a moment, as a rule."""
        reason = f"{self._name} lost the sidecar of its port."
        asyncio.get_running_loop().call_later(_SETTLE, self._inner.fail, reason)


class _Trial(asyncio.Protocol):
    """A connection that only shows that somebody listens."""

    def __init__(self) -> None:
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def end(self) -> None:
        if self._transport is not None:
            self._transport.close()
