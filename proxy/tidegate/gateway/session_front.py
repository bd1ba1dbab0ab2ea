"""A client's session at the gateway: 2024-11-05 to 2025-11-25, over streamable HTTP, HTTP+SSE or stdio."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import structlog

from tidegate import methods, values, wire
from tidegate.correlate import cancelled_id
from tidegate.flow import Client
from tidegate.gateway import capabilities, eras
from tidegate.gateway.front import Front
from tidegate.gateway.listing import LISTS, missing
from tidegate.gateway.modern_peer import ModernPeer
from tidegate.gateway.own_requests import Refused
from tidegate.gateway.peers import PLAIN, Peer
from tidegate.gateway.recovery import Recovery
from tidegate.gateway.replies import Denied, bare, cancelled, streamed
from tidegate.gateway.session_peer import SessionPeer, begun
from tidegate.mailbox import Mailbox
from tidegate.streams import Out, Outs, Reply
from tidegate.upstream import Context, Unavailable, primed
from tidegate.verdict import Deny, rpc_error
from tidegate.version import __version__
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tidegate.flow import Principal
    from tidegate.gateway.shared import Shared
    from tidegate.message import Id, Message

log = structlog.get_logger("tidegate.gateway")


class SessionFront(Front):
    """One client's session.

    Args:
        shared: what all fronts share.
        profile: the profile whose servers these are; ``""`` for all servers.
        principal: who the client is.
    """

    def __init__(self, shared: Shared, profile: str, principal: Principal) -> None:
        super().__init__(shared, profile, principal, stateless=False)
        self._own = Mailbox(256)  # messages that the client may ask for again
        self._initialize: Mapping[str, Any] = {}
        self._level: str | None = None
        self._pumps: dict[str, asyncio.Task[None]] = {}
        self._recovery = Recovery(self)
        self._told: dict[str, Any] = {}  # what the client was told can be done here
        self._listening = False
        self._answering = 0
        self._turn = asyncio.Lock()  # to begin: only one may

    @property
    def own(self) -> Mailbox:
        """The stream on which the client is told what belongs to no request."""
        return self._own

    # -- servers ----------------------------------------------------------------------------------------

    async def connect(self, name: str, meta: Mapping[str, Any]) -> Peer:  # noqa: ARG002 - of the other era
        """Reach a server: with a session, where it has them.

        Raises:
            Unavailable: where it can't be reached, or speaks no version that Tidegate knows.
        """
        peer: Peer | None = None
        if self.shared.eras.get(name) != "modern":
            peer = await begun(SessionPeer(self, name, self.reaching.relay(name, stateless=False), self._initialize))
        if peer is None:
            relay = self.reaching.relay(name, stateless=True)
            modern = ModernPeer(self, name, relay, self._initialize, self.composed)
            modern.level = self._level
            peer = await begun(modern)
            if peer is None:
                self.shared.eras.pop(name, None)
                raise Unavailable("The server speaks no version of the protocol that Tidegate knows.")
            self.shared.eras[name] = "modern"
        before = self.peers.get(name)
        self.peers[name] = peer
        if before is not None:
            await self.let_go_of(before)
            peer.differs(before.capabilities)
        if isinstance(peer, SessionPeer) and self._level is not None and peer.can("logging"):
            with contextlib.suppress(Refused, Unavailable):
                await peer.ask("logging/setLevel", {"level": self._level})
        if self._listening:
            self._pump(peer)
        return peer

    def lacking(self, server: str, reason: str) -> str:
        """Note that a server is missing, and try it again until it is back; then the client is told."""
        self._recovery.want(server)
        return super().lacking(server, reason)

    def back(self, name: str) -> None:
        """Note that a server was away, and tell the client that its lists may have changed."""
        super().back(name)
        peer = self.peers.get(name)
        if peer is not None:
            self._recovery.tell([kind for kind in methods.NOTICED if peer.can(kind)])

    def anew(self, peer: Peer, kinds: list[str]) -> None:
        """Take over what a server can that began anew, and tell the client of lists that it has won or lost."""
        super().anew(peer, kinds)
        self._recovery.tell(kinds)

    def tell(self, kinds: list[str]) -> None:
        """Tell the client, without waiting for it, that lists have changed."""
        self._recovery.tell(kinds)

    async def announce(self, kinds: list[str]) -> None:
        """Tell the client that lists have changed, and have them learnt anew."""
        self.lists.fresh.difference_update(kinds)
        await self.notify(kinds)

    async def notify(self, kinds: list[str]) -> None:
        """Tell the client that lists have changed, whose names are known already; of what it was told there is."""
        for kind in kinds:
            if not isinstance(self._told.get(kind), dict):
                continue
            tree = {"jsonrpc": "2.0", "method": f"notifications/{kind}/list_changed"}
            out = await self.composed(wire.classify(tree, "server"))
            if out.message is not None:
                self._own.put_latest(out.message)

    async def let_go_of(self, peer: Peer) -> None:
        """Let go of a server that another takes the place of."""
        await cancelled([pump] if (pump := self._pumps.pop(peer.name, None)) is not None else [])
        await peer.close()

    async def let_go(self, names: Collection[str]) -> None:
        """Let go of servers that are changed, or not served here any more."""
        pumps = [self._pumps.pop(name) for name in names if name in self._pumps]
        await cancelled(pumps)
        await super().let_go(names)

    async def reloaded(self, changed: set[str]) -> bool:
        """Take over changed settings, and tell the client that its lists may have changed."""
        concerned = await super().reloaded(changed)
        if concerned and self.version:
            await self.announce(list(methods.NOTICED))
        return concerned

    # -- requests ---------------------------------------------------------------------------------------

    def check(self, message: Message, context: Context) -> None:
        """See that a request is one of a client with a session.

        Raises:
            Rejected: where it isn't.
        """
        method = message.method or ""
        if context.headers.get("mcp-protocol-version", methods.V2024) not in methods.VERSIONS:
            raise Rejected("invalid", "The header MCP-Protocol-Version names no known version.", id=message.id)
        if method not in ("initialize", "ping") and not self.version:
            raise Rejected("invalid", "The session has not begun: send initialize first.", id=message.id)
        if not methods.may_send("client", method, self.version or methods.V2025_11):
            raise Rejected("method", "This version of the protocol has no such method.", id=message.id)

    async def answer(self, message: Message, context: Context) -> Reply:
        """Answer a request that is for no single server.

        Raises:
            Denied: where an interceptor stops it.
            Rejected: where it can't be answered.
            Unavailable: where the server that it is for can't be reached.
        """
        self._answering += 1
        try:
            method = message.method or ""
            if self.offers.mine(message):
                return await streamed(await self.offers.take(message, context), context)
            if method in LISTS:
                return await streamed(await self.list(message), context)
            if method == "initialize":
                async with self._turn:
                    return await self._begin(message)
            if method == "logging/setLevel":
                return await self._set_level(message)
            if method == "ping":
                message, flow = await self.judged(message)
                return await self.result(message, flow, {})
            if len(self.prefixes) == 1:
                peer = await self.peer(next(iter(self.prefixes)), {})
                return await peer.take(message, context)
            raise Rejected("method", "No single server is meant by this method.", id=message.id)
        finally:
            self._answering -= 1

    async def _begin(self, message: Message) -> Reply:
        """Begin the session: reach all servers, and say what they can do together."""
        if self.version:
            raise Rejected("invalid", "The session has begun already.", id=message.id)
        message, flow = await self.judged(message)
        params = message.tree.get("params")
        self._initialize = params if isinstance(params, dict) else {}
        client = methods.client_in(message)
        self.flows.client = Client(*client) if client else Client()
        self.flows.version = capabilities.agreed(methods.version_in(message))
        lacking = await self._reach_all()
        reached = [self.peers[name] for name in self.prefixes if name in self.peers]
        able = [peer.capabilities for peer in reached]
        able += [self.shared.known.get((self.principal.name, name), {"tools": {}}) for name in lacking]
        able += self.offers.capabilities
        result: dict[str, Any] = {
            "protocolVersion": self.version,
            "capabilities": capabilities.noticed(capabilities.merged(able), several=len(self.prefixes) > 1),
            "serverInfo": {"name": "tidegate", "version": __version__},
        }
        said = [(name, self.peers[name].instructions if name in self.peers else "") for name in self.prefixes]
        text = capabilities.merged_instructions([*said, *self.offers.instructions])
        if text is not None:
            result["instructions"] = text
        if lacking:
            result["_meta"] = missing(lacking)
        reply = await self.result(message, flow, result)
        if reply.message is None:
            self.flows.version = ""
        else:
            self._told = result["capabilities"]
        return reply

    async def _reach_all(self) -> dict[str, str]:
        """Reach all servers, as far as that can be done in time; return which are missing, and why."""
        patience = self.core.now.settings.gateway.patience

        async def reach(name: str) -> str:
            try:
                async with asyncio.timeout(patience):
                    await self.peer(name, {})
            except Unavailable as failure:
                return self.lacking(name, str(failure))
            except TimeoutError:
                return self.lacking(name, f"The server didn't answer within {patience:g} seconds.")
            return ""

        names = tuple(self.prefixes)
        said = await asyncio.gather(*(reach(name) for name in names))
        return {name: why for name, why in zip(names, said, strict=True) if why and name in self.prefixes}

    async def _set_level(self, message: Message) -> Reply:
        message, flow = await self.judged(message)
        params = message.tree.get("params")
        level = params.get("level") if isinstance(params, dict) else None
        if level not in eras.LEVELS:
            raise Rejected("meta", "logging/setLevel names no level.", id=message.id)
        self._level = level

        async def tell(peer: Peer) -> None:
            if isinstance(peer, ModernPeer):
                peer.level = level
            elif peer.can("logging"):
                await peer.ask("logging/setLevel", {"level": level})

        told = await asyncio.gather(*(tell(peer) for peer in self.peers.values()), return_exceptions=True)
        wrong = [each for each in told if isinstance(each, BaseException)]
        for each in wrong:
            if not isinstance(each, Refused | Unavailable):
                raise each
        if wrong and len(wrong) == len(told):
            raise Rejected("meta", "No server takes this level.", id=message.id)
        return await self.result(message, flow, {})

    # -- notifications, and answers to what servers ask -------------------------------------------------

    async def one_way(self, message: Message, context: Context) -> Reply:  # noqa: ARG002 - all of it is in the message
        """Take a notification, or a reply to a request of a server's."""
        try:
            if message.is_reply:
                peer, reply = self.asked.answered(message)
                await peer.answer(reply)
            elif message.method == "notifications/cancelled":
                await self._cancelled(message)
            elif message.method == "notifications/progress":
                peer, progress = self.asked.progress(message)
                await peer.relay.take(progress, PLAIN)
            elif message.method == "notifications/initialized":
                await self.judged(message)
            else:
                await self._broadcast(message)
        except Denied as denied:
            return denied.reply
        except Rejected as refused:
            return await self.refuse(refused)
        except Unavailable as failure:
            log.info("not delivered", kind=message.kind, reason=str(failure))
        return Reply(202)

    async def _cancelled(self, message: Message) -> None:
        wanted = cancelled_id(message)
        for peer in self.peers.values():
            if wanted is not None and peer.has_open(wanted):
                if isinstance(peer, ModernPeer):  # to which it doesn't go on as it is
                    message, _ = await self.judged(message)
                await peer.cancel(message)
                return
        await self.judged(message)  # it came too late, or is about what the gateway answers itself

    async def _broadcast(self, message: Message) -> None:
        """Tell all servers of the client's era what is for all of them."""
        peers = [peer for peer in self.peers.values() if isinstance(peer, SessionPeer)]
        if not peers:
            await self.judged(message)
        await asyncio.gather(*(peer.relay.take(message, PLAIN) for peer in peers))

    # -- what is told by itself -------------------------------------------------------------------------

    def _pump(self, peer: Peer) -> None:
        running = self._pumps.get(peer.name)
        if running is None or running.done():
            self._pumps[peer.name] = asyncio.create_task(peer.pump(), name="gateway pump")

    async def listen(self, last_event_id: str | None, context: Context) -> Reply:  # noqa: ARG002 - as the base has it
        """Open the client's own stream, or go on with one of a server's that broke off.

        Raises:
            Unavailable: where that server can't be reached.
        """
        name, slash, theirs = (last_event_id or "").partition("/")
        peer = self.peers.get(name) if slash else None
        if isinstance(peer, SessionPeer) and not peer.relay.upstream.ordered:  # no others give ids to events
            return await bare(await peer.relay.listen(theirs, PLAIN), name)
        if last_event_id is not None:
            self._own.resume(last_event_id)
        self._listening = True
        for peer in list(self.peers.values()):
            self._pump(peer)
        return Reply(events=await primed(self._events()))

    async def _events(self) -> Outs:
        yield Out(None)  # for primed()
        with contextlib.suppress(Unavailable):
            while True:
                event = await self._own.get()
                data = event.data
                if isinstance(data, bytes):
                    yield Out(data, event.id)
                elif data is not None and not isinstance(data, Rejected):
                    yield Out(data.encoded, event.id, None, data)

    # -- its requests -----------------------------------------------------------------------------------

    def open(self, identity: Id) -> bool:
        """Whether a request of the client's still waits for its reply."""
        return any(peer.has_open(identity) for peer in self.peers.values())

    @property
    def waiting(self) -> bool:
        """Whether any request of the client's still waits for its reply."""
        return self._answering > 0 or any(peer.busy for peer in self.peers.values())

    async def unanswered(self, identity: Id) -> bytes:
        """Give up an open request whose answer can't come any more; return what its sender gets."""
        for peer in self.peers.values():
            if peer.has_open(identity):
                return await peer.relay.unanswered(identity)
        deny = Deny("The server's answer broke off and could not be resumed.", code="unavailable", rule="server")
        decision = await self.core.now.pipeline.note("rejected", self.flows.of(), deny)
        return values.encode(rpc_error(decision, identity))

    async def close(self) -> None:
        """End the session on this side. Idempotent."""
        await self._recovery.close()
        await cancelled(self._pumps.values())
        self._own.end(Unavailable("The session is over."))
        await super().close()
