"""The way to a server that listens inside its container: a sidecar in the container's network, and its streams."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tidegate.containers import sidecars
from tidegate.containers.attach import attach
from tidegate.containers.engine import Refused
from tidegate.ends.launcher import keeper
from tidegate.ends.pipe import PipeError

if TYPE_CHECKING:
    import socket

    from docker import APIClient

    from tidegate.containers.engine import Engine

_MODULES = ("tidegate.egress.frames", "tidegate.egress.inward")
_MEMORY = "128m"


class Inward:
    """The sidecar of one container.

    Args:
        engine: where.
        container: the container's name.
        port: the port that its server listens on.
        image: what the sidecar runs in.
        labels: the container's labels, beside its owner's.
    """

    def __init__(self, engine: Engine, container: str, port: int, image: str, labels: dict[str, str]) -> None:
        self._engine = engine
        self._container = container
        self._port = port
        self._image = image
        self._labels = labels
        self._program = sidecars.Program(engine, f"{container}-port", lambda _: None, lambda: None)
        self._starting: asyncio.Task[None] | None = None
        self._streams: socket.socket | None = None
        self._unwanted = False

    async def start(self) -> None:
        """Start the sidecar, whose container must run.

        Raises:
            PipeError: where that isn't possible. Then, and when cancelled, :meth:`remove` must be called.
        """
        self._starting = asyncio.create_task(self._start(), name="sidecar start")
        try:
            await asyncio.shield(self._starting)
        except Refused as refusal:
            raise PipeError(sidecars.missing(refusal, self._image, "port")) from None

    async def _start(self) -> None:
        name = self._program.container
        keeper.note_container(self._engine.reached, name)
        await self._engine.starting(self._create)
        self._check()
        self._streams = await attach(self._engine, name)
        self._check()
        await self._engine.starting(lambda client: client.start(name))
        self._check()

    def streams(self) -> socket.socket:
        """Return its streams, once it has started; the caller's to close."""
        assert self._streams is not None
        return self._streams.dup()

    def _check(self) -> None:
        if self._unwanted:
            raise PipeError("it was given up")

    def _create(self, client: APIClient) -> None:
        self._program.create(
            client,
            self._image,
            (_MODULES, {"port": self._port}),
            labels=self._labels,
            network_mode=f"container:{self._container}",
            dns=None,
            mem_limit=_MEMORY,
            memswap_limit=_MEMORY,
        )

    async def remove(self) -> None:
        """Remove the sidecar, for certain."""
        self._unwanted = True
        if self._starting is None:
            return
        await asyncio.wait([self._starting])
        if not self._starting.cancelled():
            self._starting.exception()  # seen
        if self._streams is not None:
            self._streams.close()
        await sidecars.remove(self._engine, self._program.container, "")
