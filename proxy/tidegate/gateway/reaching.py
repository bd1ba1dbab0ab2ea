"""How the servers of one front are reached, each of them once, however many want it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tidegate.gateway.peers import Peer
from tidegate.gateway.replies import cancelled
from tidegate.relay import Relay
from tidegate.upstream import Unavailable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tidegate.gateway.front import Front
    from tidegate.message import Message


class Reaching:
    """How the servers of one front are reached.

    Args:
        front: the front.
    """

    def __init__(self, front: Front) -> None:
        self._front = front
        self._connecting: dict[Any, asyncio.Task[Peer]] = {}
        self._wanted: dict[asyncio.Task[Peer], str] = {}

    def relay(self, name: str, *, stateless: bool) -> Relay:
        """Return a new relay in front of a server, for the front's client.

        Raises:
            Unavailable: where there is no such server any more, or Tidegate is stopping.
        """
        front = self._front
        upstream, seat = front.shared.fleet.upstream(name, front.principal, stateless=stateless)
        server = front.core.now.settings.server(name)
        relay = Relay(front.core, server, upstream, front.principal, stateless=stateless)
        relay.flows.profile = front.profile
        relay.flows.session_id = front.flows.session_id
        if seat is not None:

            def renewed() -> None:
                relay.asked.clear()
                if isinstance(relay.face, Peer):
                    relay.face.back()

            def begun(initialize: Message, result: Message) -> None:
                if isinstance(relay.face, Peer):
                    relay.face.later(relay.face.begun_again(initialize, result))

            seat.renewed, seat.begun_again = renewed, begun
        return relay

    async def peer(self, name: str, meta: Mapping[str, Any]) -> Peer:
        """Return a server that is to be reached; those who want it at the same time wait for the same.

        Raises:
            Unavailable: where it can't be reached.
        """
        front = self._front
        if front.over.is_set():
            raise Unavailable("The session is over.")
        if name not in front.prefixes and name not in front.offers.on_demand.catalog():  # since a reload
            raise Unavailable("The server isn't served here any more.")
        key = front.key(name, meta)
        task = self._connecting.get(key)
        if task is None:
            task = self._connecting[key] = asyncio.create_task(front.connect(name, meta), name="gateway connect")
            task.add_done_callback(lambda done: self._connected(key, done))
            self._wanted[task] = name
        try:
            peer = await asyncio.shield(task)
            if front.key(name, meta) == key:
                return peer
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if not task.cancelled() or (current is not None and current.cancelling()):
                raise
        return await front.peer(name, meta)  # changed by a reload, or found out to be another's way only

    def _connected(self, key: Any, task: asyncio.Task[Peer]) -> None:
        if self._connecting.get(key) is task:
            del self._connecting[key]
        self._wanted.pop(task, None)
        if not task.cancelled() and task.exception() is None:
            peer = task.result()
            peer.relay.flows.session_id = self._front.flows.session_id  # which may have come meanwhile
            self._front.introduced(peer)

    async def abandon(self, names: Collection[str]) -> None:
        """Reach servers no further that are changed, or not served any more."""
        await cancelled([task for task, name in self._wanted.items() if name in names])

    async def close(self) -> None:
        """Reach nothing any more."""
        await cancelled(list(self._connecting.values()))
