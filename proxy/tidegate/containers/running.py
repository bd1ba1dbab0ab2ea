"""The containers of the configured servers, from their creation to their certain removal.

A container is removed when it ends, when it is stopped, by the keeper when this process is gone, and at the next start
of a launcher should all that have failed.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog

from tidegate.containers import egress, spec
from tidegate.containers.attach import Removal, attach
from tidegate.containers.boxes import Box, container_name
from tidegate.containers.engine import Refused
from tidegate.ends.launcher import keeper
from tidegate.ends.pipe import PipeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from docker import APIClient

    from tidegate.containers.engine import Engine
    from tidegate.settings import ServerSettings, Settings

log = structlog.get_logger("tidegate.containers")

_CONFIRMED = 15.0  # seconds for a removal to be confirmed
_TRIES = 3
_LATER = 5.0  # seconds between the tries after these: the engine is away


class Container:
    """One container.

    Args:
        engine: where it is to run.
        name: its server's name in the settings.
        instance: the instance's digits, see :class:`tidegate.containers.boxes.Boxes`.
        server: its server's settings.
        folder: where the relative paths of mounts start from.
        way_out: its network and its sidecar; None where it has neither.

    Attributes:
        ended: its exit code once it has ended and is removed; None where the engine didn't say.
    """

    def __init__(
        self,
        engine: Engine,
        name: str,
        instance: str,
        server: ServerSettings,
        folder: Path,
        way_out: egress.Egress | None = None,
    ) -> None:
        self.container = container_name(name, instance)
        self.ended: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._engine = engine
        self._name = name
        self._server = server
        self._folder = folder
        self.way_out = way_out
        self._joined = egress.joined(server)
        if way_out is not None:
            way_out.died = self._stranded
        self._making: asyncio.Future[None] | None = None
        self._attaching: asyncio.Future[socket.socket] | None = None
        self._streams: socket.socket | None = None  # the same connection that was given away
        self._removal: Removal | None = None
        self._removing: asyncio.Task[None] | None = None

    async def start(self) -> socket.socket:
        """Create, attach and start it; return its streams, which are the caller's to close.

        Raises:
            PipeError: where that isn't possible. Then, and when cancelled, :meth:`remove` must be called.
        """
        try:
            await self._engine.reap_once()
            await self._find_way_out()
            keeper.note_container(self._engine.reached, self.container)
            self._making = asyncio.ensure_future(self._engine.starting(self._create))
            await asyncio.shield(self._making)
            # Both before it starts, so that nothing is missed.
            self._attaching = asyncio.ensure_future(attach(self._engine, self.container))
            self._streams = await asyncio.shield(self._attaching)
            await self._watch()
            await self._engine.starting(lambda client: client.start(self.container))
        except Refused as refusal:
            if refusal.status == 404 and self._attaching is None and "image" in refusal.told.lower():
                image = self._server.image
                raise PipeError(f"{self._name} can't be started: get its image with docker pull {image}.") from None
            raise PipeError(f"{self._name} can't be started: {refusal.told}.") from None
        return self._streams.dup()

    async def _find_way_out(self) -> None:
        if self.way_out is not None:
            try:
                self._joined = await self.way_out.start()
            except Refused:
                raise
            except PipeError as error:
                raise PipeError(f"{self._name} can't be started: {str(error).rstrip('.')}.") from None

    def _stranded(self) -> None:
        """Its sidecar has ended: nothing gets out any more, and what it still has open can't be told."""
        if self._removing is None:
            log.warning("the egress sidecar of a container ended, so the container is ended too", name=self.container)
            self.remove()

    def _create(self, client: APIClient) -> None:
        spec.create(client, self.container, self._name, self._server, self._folder, self._joined)

    async def _watch(self) -> None:
        removal = self._removal = Removal(self.container)
        await self._engine.connect(lambda: removal)
        await removal.head
        removal.status.add_done_callback(self._gone)

    def _gone(self, status: asyncio.Future[int | None]) -> None:
        if status.result() is not None:
            keeper.forget_container(self.container)
        if not self.ended.done():
            self.ended.set_result(status.result())

    def remove(self) -> asyncio.Task[None]:
        """Remove it for certain; return a task that ends when that is done. Idempotent."""
        if self._removing is None:
            self._cut()
            self._removing = asyncio.create_task(self._removed(), name="container removal")
        return self._removing

    @property
    def _is_gone(self) -> bool:
        """Whether the engine has said that it ended, and how."""
        status = self._removal.status if self._removal is not None else None
        return status is not None and status.done() and status.result() is not None

    def _cut(self) -> None:
        """End its streams first of all: the engine can't kill a container whose output nobody takes from it."""
        if self._streams is not None:
            if not self._is_gone:  # else the rest of what it said may still be on its way
                with suppress(OSError):
                    self._streams.shutdown(socket.SHUT_RDWR)
            self._streams.close()

    async def _removed(self) -> None:
        try:
            if self._making is not None:
                await asyncio.wait([self._making])  # a creation that was given up may still happen
                if not self._making.cancelled():
                    self._making.exception()  # seen
                await self._attached_late()
                await self._until_gone()
            keeper.forget_container(self.container)
            if self.way_out is not None:
                await self.way_out.remove()
        finally:
            if self._removal is not None and self._removal.transport is not None:
                self._removal.transport.abort()
            if not self.ended.done():
                self.ended.set_result(None)

    async def _attached_late(self) -> None:
        """Close the streams of a start that was given up in between."""
        if self._attaching is not None and self._streams is None:
            await asyncio.wait([self._attaching])
            if not self._attaching.cancelled() and self._attaching.exception() is None:
                self._attaching.result().close()

    async def _until_gone(self) -> None:
        tries = 0
        while True:
            if self._is_gone:
                return
            tries += 1
            try:
                await self._engine.remove(self.container)
            except PipeError as error:
                if tries >= _TRIES:
                    if tries == _TRIES:
                        log.warning("a container can't be removed yet", container=self.container, reason=str(error))
                    await asyncio.sleep(_LATER)
                continue
            if self._removal is not None:
                await asyncio.wait([self._removal.status], timeout=_CONFIRMED)
            return


class Containers:
    """The containers of one owner, as :class:`tidegate.containers.boxes.Boxes`.

    Args:
        engine: where they run.
        settings: the settings in force; containers of their servers can be started, and no others.
        tell: takes what sidecars tell, with ``instance`` and ``server``; :meth:`answer` answers. Without it, no
            connection is ever allowed.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Callable[[], Settings],
        tell: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> None:
        self._engine = engine
        self._tell = tell
        self._settings = settings
        self._running: dict[str, Container] = {}
        self._leaving: dict[str, asyncio.Task[None]] = {}  # ended, and not all of theirs is removed yet

    def __len__(self) -> int:
        return len(self._running)

    def names(self) -> list[tuple[str, str]]:
        """Return the instances there are, and what their containers are called."""
        return [(instance, container.container) for instance, container in self._running.items()]

    async def start(self, server: str, instance: str) -> Box:
        """Start a container; see :meth:`tidegate.containers.boxes.Boxes.start`."""
        settings = self._settings()
        found = settings.servers.get(server)
        if found is None or found.image is None:
            raise PipeError(f"There is no server {server!r} in a container.")
        if instance in self._running:
            raise PipeError(f"There is an instance {instance} already.")
        way_out = self._way_out(settings, server, instance)
        container = Container(self._engine, server, instance, found, settings.folder, way_out)
        self._running[instance] = container
        container.ended.add_done_callback(lambda _: self._forget(instance))
        try:
            return Box(await container.start(), container.ended)
        except BaseException:
            container.remove()
            raise

    def _way_out(self, settings: Settings, server: str, instance: str) -> egress.Egress | None:
        found = settings.servers[server]
        if not found.egress or found.egress == egress.UNRESTRICTED:
            return None
        container = container_name(server, instance)
        labels = {spec.INSTANCE: container, spec.SERVER: server}
        about = {"event": "egress", "server": server, "instance": instance}
        return egress.Egress(
            self._engine, container, found, settings.proxy, lambda told: self._tell(told | about), labels
        )

    def answer(self, instance: str, number: int, *, ok: bool) -> None:
        """Say whether something that an instance's sidecar told is recorded."""
        container = self._running.get(instance)
        if container is not None and container.way_out is not None:
            container.way_out.answer(number, ok=ok)

    async def stop(self, instance: str) -> None:
        """Kill and remove a container; see :meth:`tidegate.containers.boxes.Boxes.stop`."""
        container = self._running.get(instance)
        removing = container.remove() if container is not None else self._leaving.get(instance)
        if removing is not None:
            await asyncio.wait([removing], timeout=_TRIES * _CONFIRMED)

    async def close(self) -> None:
        """Stop all."""
        await asyncio.gather(*(self.stop(instance) for instance in [*self._running, *self._leaving]))

    def _forget(self, instance: str) -> None:
        container = self._running.pop(instance, None)
        if container is not None:
            # Where the engine only lost sight of it; its streams are closed in any case.
            removing = self._leaving[instance] = container.remove()
            removing.add_done_callback(lambda _: self._leaving.pop(instance, None))
