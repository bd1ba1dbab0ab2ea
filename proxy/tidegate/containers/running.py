"""The containers of the configured servers, from their creation to their certain removal.

A container is removed when it ends, when it is stopped, by the keeper when this process is gone, and at the next start
of a launcher should all that have failed.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tidegate.containers import hardening, mounts, spec
from tidegate.containers.attach import Removal, attach
from tidegate.containers.boxes import Box, container_name
from tidegate.containers.engine import Refused
from tidegate.containers.trust import Trust, missing
from tidegate.containers.trusted import TrustError
from tidegate.ends.launcher import keeper
from tidegate.ends.pipe import PipeError
from tidegate.image_settings import loosened

if TYPE_CHECKING:
    from collections.abc import Callable

    from docker import APIClient

    from tidegate.containers.engine import Engine
    from tidegate.settings import Settings

log = logging.getLogger("tidegate.containers")

_CONFIRMED = 15.0  # seconds for a removal to be confirmed
_TRIES = 3
_LATER = 5.0  # seconds between the tries after these: the engine is away


class Container:
    """One container.

    Args:
        engine: where it is to run.
        name: its server's name in the settings.
        instance: the instance's digits, see :class:`tidegate.containers.boxes.Boxes`.
        settings: the settings, its server's among them.
        trust: looks at its image.

    Attributes:
        ended: its exit code once it has ended and is removed; None where the engine didn't say.
    """

    def __init__(self, engine: Engine, name: str, instance: str, settings: Settings, trust: Trust) -> None:
        self.container = container_name(name, instance)
        self.ended: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._engine = engine
        self._name = name
        self._settings = settings
        self._server = settings.servers[name]
        self._trust = trust
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
            image = await self._trust.admit(self._server, self._settings)
            self._check_wanted()
            keeper.note_container(self._engine.reached, self.container)
            self._check_wanted()
            self._making = asyncio.ensure_future(self._engine.starting(lambda client: self._create(client, image)))
            await asyncio.shield(self._making)
            self._check_wanted()
            # Both before it starts, so that nothing is missed.
            self._attaching = asyncio.ensure_future(attach(self._engine, self.container))
            streams = await asyncio.shield(self._attaching)
            self._check_wanted()
            self._streams = streams
            await self._watch()
            await self._engine.starting(lambda client: client.start(self.container))
        except TrustError as error:
            raise PipeError(f"{self._name} can't be started: its image isn't trusted: {error}.") from None
        except Refused as refusal:
            if refusal.status == 404 and self._attaching is None:
                raise PipeError(f"{self._name} can't be started: {missing(self._server)}.") from None
            raise PipeError(f"{self._name} can't be started: {refusal.told}.") from None
        self._check_wanted()
        return self._streams.dup()

    def _check_wanted(self) -> None:
        """See that its removal hasn't begun meanwhile."""
        if self._removing is not None:
            raise PipeError(f"{self._name} was stopped while it started.")

    def _create(self, client: APIClient, image: str) -> None:
        mounts.check(self._name, self._server, self._settings)
        server = self._server.model_copy(update={"image": image})  # by its id: what was looked at, and nothing else
        spec.create(client, self.container, self._name, server, self._settings.folder)

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
                        log.warning("The container %s can't be removed yet: %s", self.container, error)
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
    """

    def __init__(self, engine: Engine, settings: Callable[[], Settings]) -> None:
        self._engine = engine
        self._settings = settings
        self._trust = Trust(engine)
        self._running: dict[str, Container] = {}

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
        container = self._running[instance] = Container(self._engine, server, instance, settings, self._trust)
        container.ended.add_done_callback(lambda _: self._forget(instance))
        try:
            told = (*loosened(found), *hardening.loosened(found))
            return Box(await container.start(), container.ended, told)
        except BaseException:
            container.remove()
            raise

    async def look(self, server: str) -> dict[str, Any]:
        """Return what there is to say about a server's image; see :meth:`tidegate.containers.trust.Trust.look`."""
        settings = self._settings()
        found = settings.servers.get(server)
        if found is None or found.image is None:
            raise PipeError(f"There is no server {server!r} in a container.")
        return await self._trust.look(found, settings)

    async def stop(self, instance: str) -> None:
        """Kill and remove a container; see :meth:`tidegate.containers.boxes.Boxes.stop`."""
        container = self._running.get(instance)
        if container is not None:
            await asyncio.wait([container.remove()], timeout=_TRIES * _CONFIRMED)

    async def close(self) -> None:
        """Stop all."""
        await asyncio.gather(*(self.stop(instance) for instance in list(self._running)))

    def _forget(self, instance: str) -> None:
        container = self._running.pop(instance, None)
        if container is not None:
            container.remove()  # where the engine only lost sight of it; its streams are closed in any case
