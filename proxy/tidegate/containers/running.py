"""The containers of the configured servers that one peer of a launcher has."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from tidegate.containers import egress, inward, spec
from tidegate.containers.boxes import Box, container_name
from tidegate.containers.container import CONFIRMED, TRIES, Container, Order
from tidegate.containers.direct import NotDirect, Ways
from tidegate.containers.own_secrets import OwnSecrets
from tidegate.containers.trust import Trust
from tidegate.ends.pipe import PipeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.containers.engine import Engine
    from tidegate.settings import Settings

log = logging.getLogger("tidegate.containers")


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
        self._trust = Trust(engine)
        self._ways = Ways(engine)
        self._secrets = OwnSecrets(settings)
        self._starting: set[str] = set()
        self._running: dict[str, Container] = {}
        self._leaving: dict[str, asyncio.Task[None]] = {}  # ended, and not all of theirs is removed yet

    def __len__(self) -> int:
        return len(self._running)

    def names(self) -> list[tuple[str, str]]:
        """Return the instances there are, and what their containers are called."""
        return [(instance, container.container) for instance, container in self._running.items()]

    async def start(self, server: str, instance: str, secrets: str | None = None) -> Box:
        """Start a container; see :meth:`tidegate.containers.boxes.Boxes.start`."""
        settings = self._settings()
        found = settings.servers.get(server)
        if found is None or found.image is None:
            raise PipeError(f"There is no server {server!r} in a container.")
        if instance in self._running or instance in self._starting:
            raise PipeError(f"There is an instance {instance} already.")
        self._starting.add(instance)
        try:
            for direct in (ways := self._ways.of(found)):
                self._check_wanted(instance, server)
                try:
                    box = await self._started(settings, server, instance, secrets, direct=direct)
                except NotDirect as error:
                    if len(ways) == 1:
                        raise PipeError(f"{server} can't be started with direct streams: {error.why}.") from None
                    failure = error
                else:
                    if len(ways) > 1 and not direct and self._ways.failed(found, failure):
                        log.info("the engine carries the streams of %s: %s", server, failure.why)
                    return box
            raise AssertionError("no way is left")
        finally:
            self._starting.discard(instance)

    async def _started(
        self, settings: Settings, server: str, instance: str, secrets: str | None, *, direct: bool
    ) -> Box:
        order = Order(
            server,
            instance,
            settings,
            lambda: self._secrets.given(server, secrets),
            self._way_out(settings, server, instance),
            self._way_in(settings, server, instance),
            direct,
        )
        container = self._running[instance] = Container(self._engine, order, self._trust)
        container.ended.add_done_callback(lambda _: self._forget(instance, container))
        try:
            streams = await container.start()
            return Box(streams, container.ended, container.port, container.direct)
        except NotDirect:
            await asyncio.wait([container.remove()])  # its name is wanted again
            raise
        except BaseException:
            container.remove()
            raise

    def _check_wanted(self, instance: str, server: str) -> None:
        """See that an instance wasn't stopped between two ways of starting it."""
        if instance not in self._starting:
            raise PipeError(f"{server} was stopped while it started.")

    async def look(self, server: str) -> dict[str, Any]:
        """Return what there is to say about a server's image; see :meth:`tidegate.containers.trust.Trust.look`."""
        settings = self._settings()
        found = settings.servers.get(server)
        if found is None or found.image is None:
            raise PipeError(f"There is no server {server!r} in a container.")
        return await self._trust.look(found, settings)

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

    def _way_in(self, settings: Settings, server: str, instance: str) -> inward.Inward | None:
        port, container = settings.servers[server].port, container_name(server, instance)
        if port is None:
            return None
        labels = {spec.INSTANCE: container, spec.SERVER: server}
        return inward.Inward(self._engine, container, port, settings.proxy.egress_image, labels)

    def answer(self, instance: str, number: int, *, ok: bool) -> None:
        """Say whether something that an instance's sidecar told is recorded."""
        container = self._running.get(instance)
        if container is not None and container.way_out is not None:
            container.way_out.answer(number, ok=ok)

    async def stop(self, instance: str) -> None:
        """Kill and remove a container; see :meth:`tidegate.containers.boxes.Boxes.stop`."""
        self._starting.discard(instance)
        container = self._running.get(instance)
        removing = container.remove() if container is not None else self._leaving.get(instance)
        if removing is not None:
            await asyncio.wait([removing], timeout=TRIES * CONFIRMED)

    async def close(self) -> None:
        """Stop all."""
        self._starting.clear()
        await asyncio.gather(*(self.stop(instance) for instance in [*self._running, *self._leaving]))

    def _forget(self, instance: str, container: Container) -> None:
        if self._running.get(instance) is container:
            del self._running[instance]
            # Where the engine only lost sight of it; its streams are closed in any case.
            removing = self._leaving[instance] = container.remove()
            removing.add_done_callback(lambda _: self._leaving.pop(instance, None))
