"""``subscriptions/listen`` at the gateway (2026-07-28): one stream of what many servers tell of changes."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import structlog

from tidegate import methods, wire
from tidegate.gateway import eras
from tidegate.gateway.legacy_peer import LegacyPeer
from tidegate.gateway.own_requests import Refused
from tidegate.gateway.peers import PLAIN, Peer
from tidegate.streams import Out, Outs, Reply
from tidegate.upstream import Unavailable, primed
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidegate.flow import Flow
    from tidegate.gateway.stateless_front import StatelessFront
    from tidegate.message import Message

log = structlog.get_logger("tidegate.gateway")

_ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
_KINDS = {"toolsListChanged": "tools", "promptsListChanged": "prompts", "resourcesListChanged": "resources"}
_MOST = 1024  # notices that its reader has yet to take; the oldest of those that say the same are dropped
_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)  # seconds until a server that has gone is listened to again
_MOST_URIS = 1024
_NEVER = frozenset((-32601, -32602))  # codes of errors that another time brings again


class Subscription:
    """One stream of changes.

    Args:
        front: whose clients' it is.
        request: the client's request, judged.
        flow: its flow.
    """

    def __init__(self, front: StatelessFront, request: Message, flow: Flow) -> None:
        self._front = front
        self._request = request
        self._flow = flow
        params = request.tree.get("params")
        said = params.get("notifications") if isinstance(params, dict) else None
        said = said if isinstance(said, dict) else {}
        self._kinds = {kind for key, kind in _KINDS.items() if said.get(key) is True}
        self._uris = _strings(said.get("resourceSubscriptions"))
        self._about = _strings(said.get("taskIds"))  # of the extension of 2026-07-28
        if len(self._uris) > _MOST_URIS or len(self._about) > _MOST_URIS:
            what = "resources" if len(self._uris) > _MOST_URIS else "tasks"
            raise Rejected("limit", f"More than {_MOST_URIS} {what} can't be listened to at once.", id=request.id)
        self._queue: asyncio.Queue[Out | None] = asyncio.Queue(_MOST)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def reply(self) -> Reply:
        """Return the stream: first what is listened to, then what servers tell.

        Raises:
            Rejected: where a resource is nobody's.
            AmbiguousError: where one is several servers'.
        """
        owners: dict[str, list[str]] = {}
        for uri in self._uris:
            owners.setdefault(await self._front.aim.owner(uri, self._request), []).append(uri)
        able = await self._able()
        agreed: dict[str, Any] = {key: True for key, kind in _KINDS.items() if kind in self._kinds and kind in able}
        if self._uris:
            agreed["resourceSubscriptions"] = self._uris
        known = [identity for identity in self._about if self._front.tasks.whose(identity)]
        if known:
            agreed["taskIds"] = known
        self._front.subscriptions.add(self)
        self._owners = owners
        for name in self._front.prefixes:
            self._follow(name)
        return Reply(events=await primed(self._events(agreed)))

    async def _able(self) -> set[str]:
        """Return of which kinds any server has something; one that is missing counts as having what it had."""

        async def of(name: str) -> set[str]:
            try:
                async with asyncio.timeout(self._front.core.now.settings.gateway.patience):
                    peer = await self._front.peer(name, self._request.meta)
            except (Unavailable, TimeoutError):
                return set(_KINDS.values())
            return {kind for kind in _KINDS.values() if peer.can(kind)}

        found = await asyncio.gather(*(of(name) for name in self._front.prefixes))
        return {kind for own in self._front.offers.capabilities for kind in own}.union(*found)

    def _follow(self, name: str) -> None:
        if name not in self._tasks or self._tasks[name].done():
            self._tasks[name] = asyncio.create_task(self._listen(name), name="gateway listen")

    def reloaded(self) -> None:
        """Take over which servers there are now; their lists have changed."""
        for name in [name for name in self._tasks if name not in self._front.prefixes]:
            self._tasks.pop(name).cancel()
        for name in self._front.prefixes:
            self._follow(name)
        self.changed(self._kinds)

    def changed(self, kinds: Iterable[str]) -> None:
        """Tell of lists that have changed, where that was asked for."""
        before, wanted = self._tasks.get("\0"), sorted(self._kinds.intersection(kinds))

        async def tell() -> None:
            if before is not None:
                await asyncio.wait((before,))
            await self._back(wanted)

        self._tasks["\0"] = asyncio.create_task(tell(), name="gateway notice")

    async def _events(self, agreed: dict[str, Any]) -> Outs:
        try:
            yield Out(None)  # for primed()
            yield await self._composed(_ACKNOWLEDGED, {"notifications": agreed})
            while (out := await self._queue.get()) is not None:
                yield out
            tree = {
                "jsonrpc": "2.0",
                "id": self._request.id,
                "result": {"resultType": "complete", "_meta": self._tag()},
            }
            yield await self._front.composed(wire.classify(tree, "server").answering(self._request.method), self._flow)
        finally:
            await self._stop()

    def _tag(self) -> dict[str, Any]:
        return {methods.SUBSCRIPTION_KEY: self._request.id}

    async def _composed(self, method: str, params: dict[str, Any]) -> Out:
        tree = {"jsonrpc": "2.0", "method": method, "params": {**params, "_meta": self._tag()}}
        return await self._front.composed(wire.classify(tree, "server"), self._flow)

    async def close(self) -> None:
        """End the stream, in the way that says it is over."""
        self._put(None)
        await self._stop()

    async def _stop(self) -> None:
        self._front.subscriptions.discard(self)
        tasks = [task for task in self._tasks.values() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _put(self, out: Out | None) -> None:
        if self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait(out)

    # -- one server -------------------------------------------------------------------------------------

    async def _listen(self, name: str) -> None:
        """Pass on what one server tells, again and again where it breaks off; the client hears when it is back."""
        tries, refusals, lost = 0, 0, False
        while True:
            try:
                peer = await self._front.peer(name, self._request.meta)
                if lost:
                    await peer.alive()
                    await self._back([kind for kind in sorted(self._kinds) if peer.can(kind)])
                tries, lost = 0, False
                await (self._with_session(peer) if isinstance(peer, LegacyPeer) else self._without(peer, name))
            except Refused as refusal:
                log.debug("a server tells of no changes", server=name, reason=str(refusal))
                if refusal.code in _NEVER:
                    return
                await asyncio.sleep(_PAUSES[min(refusals, len(_PAUSES) - 1)])
                refusals += 1
                continue
            except Unavailable as failure:
                log.debug("a server tells of no changes", server=name, reason=str(failure))
            lost = True
            await asyncio.sleep(_PAUSES[min(tries, len(_PAUSES) - 1)])
            tries += 1

    async def _back(self, kinds: list[str]) -> None:
        for kind in kinds:
            self._front.lists.fresh.discard(kind)
            self._put(await self._composed(f"notifications/{kind}/list_changed", {}))

    async def _without(self, peer: Peer, name: str) -> None:
        """Listen to a server of 2026-07-28, under the client's own id, so that what it says goes on as it is."""
        wanted: dict[str, Any] = {key: True for key, kind in _KINDS.items() if kind in self._kinds and peer.can(kind)}
        if self._owners.get(name):
            wanted["resourceSubscriptions"] = self._owners[name]
        own = [identity for identity in self._about if self._front.tasks.whose(identity) == name]
        if own:
            wanted["taskIds"] = own
        if not wanted:
            await asyncio.Event().wait()  # there is nothing to hear from it, but it may be taken away
        tree = self._request.tree
        sent = wire.classify({**tree, "params": {**tree["params"], "notifications": wanted}}, "client")
        reply = await peer.relay.take(sent, PLAIN)
        if reply.events is None:
            code = (
                reply.message.tree["error"]["code"]
                if reply.message is not None and reply.message.kind == "error"
                else 0
            )
            raise Refused("subscriptions/listen", code)
        async with contextlib.aclosing(reply.events) as events:
            async for out in events:
                said = out.message
                if said is None or said.is_reply or said.method == _ACKNOWLEDGED:
                    continue  # this stream has its own first and last message
                if said.method is not None and said.method.endswith("/list_changed"):
                    self._front.lists.fresh.discard(said.method.split("/")[1])
                self._put(Out(out.data, message=said))

    async def _with_session(self, peer: LegacyPeer) -> None:
        """Listen to a server with sessions, which has one stream for all who share it.

        Raises:
            Unavailable: when that session is over; there may be another.
        """
        uris = self._owners.get(peer.name, [])
        heard: asyncio.Queue[Message | None] = asyncio.Queue(_MOST)

        def told(message: Message | None) -> None:
            if heard.full():  # it floods: what it said first goes
                heard.get_nowait()
            heard.put_nowait(message)

        subscribed: list[str] = []
        peer.listen_to(told)
        try:
            for uri in uris:
                with contextlib.suppress(Refused):  # it tells nothing of this one, but of all else
                    await peer.subscribe(uri)
                    subscribed.append(uri)
            while (said := await heard.get()) is not None:
                await self._tell(said, uris)
            raise Unavailable("The session with the server is over.")
        finally:
            peer.leave(told)
            for uri in subscribed:
                with contextlib.suppress(Unavailable, Refused):
                    await peer.unsubscribe(uri)

    async def _tell(self, said: Message, uris: list[str]) -> None:
        """Pass on a notice of a server with sessions, if it is one that was asked for."""
        kind = (said.method or "").split("/")[1] if said.method and said.method.endswith("/list_changed") else ""
        params = said.tree.get("params")
        uri = params.get("uri") if isinstance(params, dict) else None
        if kind:
            self._front.lists.fresh.discard(kind)
        if kind in self._kinds or (said.method == "notifications/resources/updated" and uri in uris):
            shown = eras.modern_notification(said, self._request.id)
            if shown is not None:
                self._put(await self._front.composed(shown, self._flow))


def _strings(said: Any) -> list[str]:
    return [each for each in said if isinstance(each, str)] if isinstance(said, list) else []
