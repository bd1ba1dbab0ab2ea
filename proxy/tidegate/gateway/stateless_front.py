"""A principal's messages of 2026-07-28 at the gateway: clients without sessions, each request by itself."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import structlog

from tidegate import methods, values
from tidegate.gateway import capabilities, eras
from tidegate.gateway.front import Front
from tidegate.gateway.legacy_peer import LegacyPeer, way
from tidegate.gateway.listing import LISTS, missing
from tidegate.gateway.own_requests import Refused
from tidegate.gateway.replies import Denied
from tidegate.gateway.stateless_peer import StatelessPeer
from tidegate.gateway.subscribing import Subscription
from tidegate.streams import Reply
from tidegate.upstream import Unavailable
from tidegate.verdict import Deny, error_bytes, rpc_error
from tidegate.version import __version__
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tidegate.flow import Principal
    from tidegate.gateway.peers import Peer
    from tidegate.gateway.shared import Era, Shared
    from tidegate.message import Id, Message
    from tidegate.upstream import Context

log = structlog.get_logger("tidegate.gateway")

_PROBE = 10.0  # seconds that a server may take to answer the first server/discover, or it counts as one of sessions
_MOST_KINDS = 8  # ways to one server with sessions: one for each client that says something else of itself
_UNSUPPORTED = -32022


class StatelessFront(Front):
    """All of a principal's clients without sessions.

    Args:
        shared: what all fronts share.
        profile: the profile whose servers these are; ``""`` for all servers.
        principal: who the clients are.
    """

    modern = True

    def __init__(self, shared: Shared, profile: str, principal: Principal) -> None:
        super().__init__(shared, profile, principal, stateless=True)
        self._kinds: OrderedDict[tuple[str, bytes], LegacyPeer] = OrderedDict()
        self._eras: dict[str, Era] = {}  # of servers that were reached
        self.subscriptions: set[Subscription] = set()

    @property
    def version(self) -> str:
        """The protocol version that the clients speak."""
        return methods.MODERN

    # -- servers ----------------------------------------------------------------------------------------

    def _era(self, name: str) -> Era | None:
        """Return how a server is spoken to: as it was found to answer to these clients, or else to anybody."""
        return self._eras.get(name) or self.shared.eras.get(name)

    def key(self, name: str, meta: Mapping[str, Any]) -> Any:
        """Return what tells one way to a server from another: for one with sessions, what the client declares."""
        return (name, way(meta)) if self._era(name) == "legacy" else name

    def found(self, name: str, meta: Mapping[str, Any]) -> Peer | None:
        """Return a server that was reached already, and can go on."""
        if self._era(name) == "legacy":
            key = name, way(meta)
            found = self._kinds.get(key)
            if found is None or self.ended(found.relay):
                return None
            self._kinds.move_to_end(key)
            return found
        return super().found(name, meta)

    async def connect(self, name: str, meta: Mapping[str, Any]) -> Peer:
        """Reach a server: without a session, if it is of 2026-07-28.

        Raises:
            Unavailable: where it can't be reached, or speaks no version that Tidegate knows.
        """
        refused = False
        if self._era(name) != "legacy":
            peer = StatelessPeer(self, name, self.reaching.relay(name, stateless=True))
            try:
                async with asyncio.timeout(_PROBE):
                    peer.discovered(await peer.ask("server/discover", meta=meta))
            except (Refused, Unavailable, TimeoutError) as failure:
                await peer.close()
                if self._era(name) == "modern":
                    raise Unavailable(str(failure) or "The server doesn't answer.") from None
                refused = isinstance(failure, Refused)
            except BaseException:
                await peer.close()
                raise
            else:
                self._eras[name] = "modern"
                self.peers[name] = peer
                return peer
        found = await self._with_session(name, meta)
        if refused:  # the server's own word; what was denied or came too late says nothing of it to others
            self.shared.eras[name] = "legacy"
        return found

    async def _with_session(self, name: str, meta: Mapping[str, Any]) -> LegacyPeer:
        relay = self.reaching.relay(name, stateless=False)
        peer = LegacyPeer(self, name, relay, meta, self.shared.held, self.composed)
        try:
            await peer.begin()
        except Refused:
            await peer.close()
            raise Unavailable("The server speaks no version of the protocol that Tidegate knows.") from None
        except BaseException:
            await peer.close()
            raise
        if self._era(name) != "legacy":
            log.info("a server of an older era is bridged", server=name, version=peer.server_version)
        self._eras[name] = "legacy"
        self.shared.watch(peer)
        before = self._kinds.pop((name, peer.way), None)
        if before is not None:
            await self._let_go(before)
            peer.differs(before.capabilities)
        self._kinds[name, peer.way] = peer
        self.peers[name] = peer
        others = [key for key, other in self._kinds.items() if key[0] == name and other is not peer]
        if len(others) >= _MOST_KINDS:
            idle = (key for key in others if not self._kinds[key].busy)
            await self._let_go(self._kinds.pop(next(idle, others[0])))
        return peer

    async def _let_go(self, peer: LegacyPeer) -> None:
        self.shared.keepers.discard(peer)
        await peer.close()

    async def let_go(self, names: Collection[str]) -> None:
        """Let go of servers that are changed, or not served here any more."""
        gone = [self._kinds.pop(key) for key in list(self._kinds) if key[0] in names]
        self._eras = {name: era for name, era in self._eras.items() if name not in names}
        for peer in gone:
            self.peers.pop(peer.name, None)
            await self._let_go(peer)
        await super().let_go(names)

    async def reloaded(self, changed: set[str]) -> bool:
        """Take over changed settings."""
        concerned = await super().reloaded(changed)
        if concerned:
            await self.notify([])
        return concerned

    def tell(self, kinds: list[str]) -> None:
        """Tell all who listen, without waiting for them, that lists have changed."""
        for subscription in list(self.subscriptions):
            subscription.changed(kinds)

    async def notify(self, kinds: list[str]) -> None:  # noqa: ARG002 - each tells of those that it was asked for
        """Tell all who listen that lists have changed."""
        for subscription in list(self.subscriptions):
            subscription.reloaded()

    # -- requests ---------------------------------------------------------------------------------------

    def check(self, message: Message, context: Context) -> None:  # noqa: ARG002 - headers were held to the body
        """See that a request is one of 2026-07-28.

        Raises:
            Rejected: where it isn't.
        """
        if methods.version_in(message) != methods.MODERN:
            raise Rejected("version", "The request's protocol version is none that is spoken here.", id=message.id)
        if not isinstance(message.meta.get(eras.CAPABILITIES_KEY), dict):
            reason = "The request's _meta must name the protocol version and the client's capabilities."
            raise Rejected("meta", reason, id=message.id)
        if not methods.may_send("client", message.method or "", methods.MODERN):
            raise Rejected("method", "This version of the protocol has no such method.", id=message.id)

    async def refused(self, message: Message, deny: Deny) -> Reply:
        """Record that a request is not answered, and say why; which versions are spoken, too (versioning)."""
        if deny.code != "version":
            return await super().refused(message, deny)
        decision = await self.core.now.pipeline.note("rejected", self.flows.of(message), deny)
        tree = rpc_error(decision, message.id)
        asked = methods.version_in(message) or ""
        tree["error"]["data"] |= {"supported": [methods.MODERN], "requested": asked}
        return Reply(self.status(_UNSUPPORTED), body=values.encode(tree))

    async def answer(self, message: Message, context: Context) -> Reply:
        """Answer a request that is for no single server.

        Raises:
            Denied: where an interceptor stops it.
            Rejected: where it can't be answered.
            Unavailable: where the server that it is for can't be reached.
        """
        method = message.method or ""
        if self.offers.mine(message):
            return await self.offers.take(message, context)
        if method in LISTS:
            return await self.list(message)
        if method == "server/discover":
            return await self._discover(message)
        if method == "subscriptions/listen":
            message, flow = await self.judged(message)
            return await Subscription(self, message, flow).reply()
        if len(self.prefixes) == 1:
            peer = await self.peer(next(iter(self.prefixes)), message.meta)
            return await peer.take(message, context)
        raise Rejected("method", "No single server is meant by this method.", id=message.id)

    async def _discover(self, message: Message) -> Reply:
        message, flow = await self.judged(message)
        lacking: dict[str, str] = {}
        patience = self.core.now.settings.gateway.patience

        async def reach(name: str) -> Peer | None:
            try:
                async with asyncio.timeout(patience):
                    known = self.found(name, message.meta)
                    if isinstance(known, StatelessPeer):  # it may be another one by now
                        known.discovered(await known.ask("server/discover", meta=message.meta))
                    return known or await self.peer(name, message.meta)
            except (Unavailable, Refused) as failure:
                lacking[name] = self.lacking(name, str(failure))
            except TimeoutError:
                lacking[name] = self.lacking(name, f"The server didn't answer within {patience:g} seconds.")
            return None

        found = await asyncio.gather(*(reach(name) for name in self.prefixes))
        peers = [peer for peer in found if peer is not None]
        able = [peer.capabilities for peer in peers]
        able += [self.shared.known.get((self.principal.name, name), {"tools": {}}) for name in lacking]
        able += self.offers.capabilities
        result: dict[str, Any] = {
            "supportedVersions": [methods.MODERN],
            "capabilities": capabilities.merged(able),
            "_meta": {eras.SERVER_KEY: {"name": "tidegate", "version": __version__}},
        }
        said = [(peer.name, peer.instructions) for peer in peers] + [(name, "") for name in lacking]
        text = capabilities.merged_instructions([*said, *self.offers.instructions])
        if text is not None:
            result["instructions"] = text
        if lacking:
            result["_meta"] |= missing({name: lacking[name] for name in self.prefixes if name in lacking})
        return await self.result(message, flow, self.dressed(result))

    def dressed(self, result: dict[str, Any]) -> dict[str, Any]:
        """Return a result with what 2026-07-28 wants in it: nobody may keep it, because servers come and go."""
        return {**result, "resultType": "complete", "ttlMs": 0, "cacheScope": "private"}

    async def one_way(self, message: Message, context: Context) -> Reply:  # noqa: ARG002 - nothing but the message counts
        """Take a notification: none of 2026-07-28's clients has a meaning over HTTP."""
        if message.is_reply:
            return await self.refuse(Rejected("unsolicited", "The reply answers no open request."))
        try:
            await self.judged(message)
        except Denied as denied:
            return denied.reply
        return Reply(202)

    # -- what a session has -----------------------------------------------------------------------------

    async def listen(self, last_event_id: str | None, context: Context) -> Reply:  # noqa: ARG002 - as the base has it
        """There is no stream without a session."""
        return Reply(405, {"allow": "POST"})

    def open(self, identity: Id) -> bool:  # noqa: ARG002 - as the base has it
        """No request outlives its stream."""
        return False

    @property
    def waiting(self) -> bool:
        """No request outlives its stream."""
        return False

    @property
    def keeping(self) -> bool:
        """Whether a server waits for answers of a client's, or anybody listens."""
        return bool(self.subscriptions) or any(peer.busy for peer in self._kinds.values())

    async def unanswered(self, identity: Id) -> bytes:
        """Say so of a request that nobody asks about: none outlives its stream."""
        return error_bytes("unavailable", "The request is over.", identity)

    async def close(self) -> None:
        """Let go of all servers. Idempotent."""
        if self.over.is_set():
            return
        for subscription in list(self.subscriptions):
            await subscription.close()
        kinds = list(self._kinds.values())
        self._kinds.clear()
        self.peers = {name: peer for name, peer in self.peers.items() if peer not in kinds}
        for peer in kinds:
            await self._let_go(peer)
        await super().close()
