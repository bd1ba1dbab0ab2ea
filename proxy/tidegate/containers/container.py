"""One container: from its creation to its certain removal.

It is removed when it ends, when it is stopped, by the keeper when this process is gone, and at the next start of a
launcher should all that have failed.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tidegate.containers import egress, mounts, spec
from tidegate.containers.attach import Removal, attach
from tidegate.containers.boxes import container_name, how_ended
from tidegate.containers.direct import Direct, NotDirect
from tidegate.containers.engine import Refused
from tidegate.containers.secret_delivery import Delivery, deliver
from tidegate.containers.trust import Trust, missing
from tidegate.containers.trusted import TrustError
from tidegate.ends.launcher import keeper
from tidegate.ends.pipe import PipeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from docker import APIClient

    from tidegate.containers.engine import Engine
    from tidegate.containers.inward import Inward
    from tidegate.secret_stores.base import Secret
    from tidegate.settings import ServerSettings, Settings

    Secrets = Callable[[], Awaitable[Mapping[str, Secret]]]

log = logging.getLogger("tidegate.containers")

CONFIRMED = 15.0
"""Seconds for a removal to be confirmed."""

GRACE = 2.0
"""Seconds that a server with a port has to end after SIGTERM."""

TRIES = 3
"""How often a removal is tried in a row."""

_HEARD = 5.0  # seconds until it is heard how a container ended that the engine says doesn't run
_SOON = 0.5  # and one that it says does
_LATER = 5.0  # seconds between the tries after these: the engine is away


@dataclass(frozen=True, slots=True)
class Order:
    """A container that is wanted.

    Attributes:
        name: its server's name in the settings.
        instance: the instance's digits, see :class:`tidegate.containers.boxes.Boxes`.
        settings: the settings in force.
        secrets: returns its server's secrets, by the names of variables.
        way_out: its network and its sidecar; None where it has neither.
        way_in: the sidecar that carries connections to its port; None where it has none.
        direct: whether its standard input and output are to be pipes of Tidegate's own.
    """

    name: str
    instance: str
    settings: Settings
    secrets: Secrets
    way_out: egress.Egress | None = None
    way_in: Inward | None = None
    direct: bool = False

    @property
    def server(self) -> ServerSettings:
        """Its server's settings."""
        return self.settings.servers[self.name]


class Container:
    """One container.

    Args:
        engine: where it is to run.
        order: what is wanted.
        trust: looks at its image.

    Attributes:
        container: what it is called.
        way_out: its network and its sidecar; None where it has neither.
        port: the streams of the sidecar that carries connections to its port, once it has started; the caller's to
            close.
        direct: the descriptors of its standard input and output, where those are pipes of Tidegate's own, once it has
            started; the caller's to close.
        ended: its exit code once it has ended and is removed; None where the engine didn't say.
    """

    def __init__(self, engine: Engine, order: Order, trust: Trust) -> None:
        self.container = container_name(order.name, order.instance)
        self.way_out = order.way_out
        self.ended: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._engine = engine
        self.port: socket.socket | None = None
        self.direct: tuple[int, int] | None = None
        self._pipes = Direct() if order.direct else None
        self._telling: asyncio.Future[None] | None = None
        self._ended_alone = False
        self._name = order.name
        self._order = order
        self._trust = trust
        self._delivery = Delivery()
        self._joined = egress.joined(order.server)
        if self.way_out is not None:
            self.way_out.died = self._stranded
        self._making: asyncio.Future[None] | None = None
        self._attaching: asyncio.Future[socket.socket] | None = None
        self._streams: socket.socket | None = None  # the same connection that was given away
        self._removal: Removal | None = None
        self._removing: asyncio.Task[None] | None = None

    async def start(self) -> socket.socket:
        """Create, attach and start it; return its streams, which are the caller's to close.

        Raises:
            NotDirect: where it can't be started with pipes of Tidegate's own.
            PipeError: where it can't be started. Then, and when cancelled, :meth:`remove` must be called.
        """
        try:
            async with self._engine.turns:
                streams = await self._started()
            if self._pipes is not None:
                await self._told()  # it is at work now, as others may be
            self._check_wanted()
            if self._pipes is not None:
                self.direct = self._pipes.take()
        except TrustError as error:
            raise PipeError(f"{self._name} can't be started: its image isn't trusted: {error}.") from None
        except Refused as refusal:
            if refusal.status == 404 and self._attaching is None and "image" in refusal.told.lower():
                raise PipeError(f"{self._name} can't be started: {missing(self._order.server)}.") from None
            if self._pipes is not None and self._making is not None:  # what is refused may be the mount
                raise NotDirect(f"the engine says: {refusal.told}") from None
            raise PipeError(f"{self._name} can't be started: {refusal.told}.") from None
        finally:
            await self._stop_telling()
        if self._order.way_in is not None:
            self.port = self._order.way_in.streams()
        return streams.dup()

    async def _started(self) -> socket.socket:
        secrets = await self._order.secrets()
        await self._engine.reap_once()
        image = await self._trust.admit(self._order.server, self._order.settings)
        self._check_wanted()
        await self._find_way_out()
        keeper.note_container(self._engine.reached, self.container)
        self._check_wanted()
        self._making = asyncio.ensure_future(self._engine.starting(partial(self._create, image, secrets)))
        await asyncio.shield(self._making)
        self._check_wanted()
        # Both before it starts, so that nothing is missed.
        error_only = self._pipes is not None
        self._attaching = asyncio.ensure_future(attach(self._engine, self.container, error_only=error_only))
        streams = await asyncio.shield(self._attaching)
        self._check_wanted()
        self._streams = streams
        await self._watch()
        await self._begin(self._streams)
        await self._find_way_in()
        return streams

    def _check_wanted(self) -> None:
        """See that it hasn't ended meanwhile, and its removal hasn't begun.

        Raises:
            PipeError: where it has.
        """
        if self._ended_alone and self._removal is not None:
            port = self._order.server.port
            before = "while it started" if port is None else f"before it listened on port {port}"
            raise PipeError(f"{self._name} {how_ended(self._removal.status.result())} {before}.")
        if self._removing is not None:
            raise PipeError(f"{self._name} was stopped while it started.")

    async def _find_way_out(self) -> None:
        if self.way_out is not None:
            try:
                self._joined = await self.way_out.start()
            except Refused:
                raise
            except PipeError as error:
                raise PipeError(f"{self._name} can't be started: {str(error).rstrip('.')}.") from None

    async def _find_way_in(self) -> None:
        if self._order.way_in is not None:
            self._check_wanted()
            try:
                await self._order.way_in.start()
            except PipeError as error:
                await self._check_runs()  # the network of one that has ended can't be joined
                raise PipeError(f"{self._name} can't be started: {str(error).rstrip('.')}.") from None

    async def _check_runs(self) -> None:
        """See that it runs, as far as the engine knows: it may just have ended.

        Raises:
            PipeError: where it has ended, or is to end.
        """
        patience = _HEARD
        with suppress(PipeError):
            found = await self._engine.starting(lambda client: client.inspect_container(self.container))
            patience = _SOON if found["State"]["Running"] else _HEARD
        if self._removal is not None:
            await asyncio.wait([self._removal.status], timeout=patience)
        self._check_wanted()

    def _stranded(self) -> None:
        """Its sidecar has ended: nothing gets out any more, and what it still has open can't be told."""
        if self._removing is None:
            log.warning("The egress sidecar of %s ended, so that is ended too.", self.container)
            self.remove()

    def _create(self, image: str, secrets: Mapping[str, Secret], client: APIClient) -> None:
        order = self._order
        server = order.server.model_copy(update={"image": image})  # by its id: what was looked at, and nothing else
        mounts.check(order.name, server, order.settings)

        def delivery(user: str) -> Delivery:
            self._delivery = deliver(client, self.container, server, secrets, user)
            if self._pipes is not None:
                self._delivery = self._pipes.prepare(client, server, self._delivery)
            return self._delivery

        parts = spec.Parts(delivery, self._joined, attached=self._pipes is None)
        spec.create(client, self.container, order.name, server, order.settings, parts)
        if self._pipes is not None:
            self._pipes.check(client, self.container)

    async def _begin(self, streams: socket.socket) -> None:
        """Start it, and begin to say to it what comes before all else, which it takes when it runs."""
        self._check_wanted()
        self._telling = asyncio.ensure_future(self._tell(streams))
        await self._engine.starting(lambda client: client.start(self.container))
        if self._pipes is None:
            await self._told()

    async def _told(self) -> None:
        """Wait until it has opened its pipes, if it has any, and took what comes before all else."""
        assert self._removal is not None
        assert self._telling is not None
        if self._pipes is not None:
            await self._pipes.opened(self._removal.status)
        try:
            await self._telling
        except OSError:
            raise PipeError(f"{self._name} ended before it took its secrets.") from None

    async def _stop_telling(self) -> None:
        """Let go of what only its start needed, if that has begun."""
        if self._telling is None:
            return
        self._telling.cancel()
        await asyncio.wait([self._telling])
        if not self._telling.cancelled():
            self._telling.exception()  # seen
        self._tidy()
        if self._pipes is not None:
            self._pipes.close()

    async def _tell(self, streams: socket.socket) -> None:
        if self._pipes is not None:
            await self._pipes.tell(self._delivery.preface)
            return
        with streams.dup() as own:  # the other may be closed meanwhile
            own.settimeout(0)
            await asyncio.get_running_loop().sock_sendall(own, self._delivery.preface)

    def _tidy(self) -> None:
        """Remove what only its start needed."""
        if self._delivery.files is not None:
            self._delivery.files.remove()

    async def _watch(self) -> None:
        removal = self._removal = Removal(self.container)
        await self._engine.connect(lambda: removal)
        await removal.head
        removal.status.add_done_callback(self._gone)

    def _gone(self, status: asyncio.Future[int | None]) -> None:
        if status.result() is not None:
            keeper.forget_container(self.container)
            self._ended_alone = self._removing is None
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
                self._tidy()
                if self._pipes is not None and self._telling is None:  # else its start lets go of them
                    self._pipes.close()
                await self._attached_late()
                await self._asked_to_end()
                await self._until_gone()
            if self._order.way_in is not None:
                await self._order.way_in.remove()
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

    async def _asked_to_end(self) -> None:
        """Let a server that listens on a port end by itself: the end of its input means nothing to it."""
        if self._order.way_in is None or self._removal is None or self._is_gone:
            return
        with suppress(PipeError):  # it has ended, or doesn't run yet
            await self._engine.removing(lambda client: client.kill(self.container, signal="SIGTERM"))
            await asyncio.wait([self._removal.status], timeout=GRACE)

    async def _until_gone(self) -> None:
        tries = 0
        while True:
            if self._is_gone:
                return
            tries += 1
            try:
                await self._engine.remove(self.container)
            except PipeError as error:
                if tries >= TRIES:
                    if tries == TRIES:
                        log.warning("The container %s can't be removed yet: %s", self.container, error)
                    await asyncio.sleep(_LATER)
                continue
            if self._removal is not None:
                await asyncio.wait([self._removal.status], timeout=CONFIRMED)
            return
