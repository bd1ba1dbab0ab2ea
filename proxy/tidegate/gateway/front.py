"""What clients of the gateway talk to: one conversation in front of many servers.

A request that is for one server goes to that server's relay, under the server's own name for what it is about; the
relay judges it and the reply. What the gateway answers itself is put together of what relays have judged, and recorded.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import structlog

from tidegate import gateway_settings, values, wire
from tidegate.conversation import Conversation
from tidegate.flow import Flow, Server
from tidegate.flows import Flows
from tidegate.gateway.aiming import Aim
from tidegate.gateway.asked import Asked
from tidegate.gateway.listing import Lists, Tools
from tidegate.gateway.names import Names
from tidegate.gateway.offers import Offers
from tidegate.gateway.own_requests import Refused
from tidegate.gateway.reaching import Reaching
from tidegate.gateway.replies import Denied
from tidegate.gateway.resources import AmbiguousError, Owners, uris_in
from tidegate.gateway.tasks import Tasks
from tidegate.piped import STATUS
from tidegate.streams import Out, Reply
from tidegate.upstream import Answer, Context, Unavailable
from tidegate.verdict import Deny, denial, rpc_error
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Collection, Coroutine, Iterable, Mapping

    from tidegate.flow import Principal
    from tidegate.gateway.peers import Peer
    from tidegate.gateway.shared import Shared
    from tidegate.mailbox import Mailbox
    from tidegate.message import Message
    from tidegate.relay import Relay

log = structlog.get_logger("tidegate.gateway")

GATEWAY = Server(gateway_settings.SERVER, "remote", "low", ())
_LINKING = frozenset(("tools/call", "prompts/get"))


class Front(Conversation):
    """One client's session at the gateway, or one principal's messages that belong to none.

    Args:
        shared: what all fronts share.
        profile: the profile whose servers these are; ``""`` for all servers.
        principal: who the client is.
        stateless: whether it is for clients without sessions.

    Attributes:
        names: the names of tools and prompts.
        owners: whose resources are whose.
        peers: the servers that were reached, by name.
        reaching: how others are reached.
        asked: what servers ask the client.
        offers: the gateway's own tools.
    """

    ordered = False
    hosted = True

    def __init__(self, shared: Shared, profile: str, principal: Principal, *, stateless: bool) -> None:
        self.shared = shared
        self.core = shared.core
        self.profile = profile
        self.principal = principal
        self.flows = Flows(shared.core, GATEWAY, principal, stateless=stateless, profile=profile)
        self.over = asyncio.Event()
        self.asked: Asked[Peer] = Asked()
        self.peers: dict[str, Peer] = {}
        self._tools = Tools(self)
        self.reaching = Reaching(self)
        self.lists = Lists(self)
        self.aim = Aim(self)
        self.offers = Offers(self)
        self.tasks = Tasks()
        self.settle()

    @property
    def own(self) -> Mailbox | None:
        """The stream on which the client is told what belongs to no request; ``None`` where it has none."""
        return None

    @property
    def tools(self) -> Tools:
        """The definitions of tools as last listed, by the names that the client knows."""
        return self._tools

    def settle(self) -> None:
        """Take over which servers there are, and what their names look like."""
        settings = self.core.now.settings
        self.prefixes = self.served()
        self.names = {
            "tools": Names("tool", self.prefixes, settings.gateway.clash, self.offers.names),
            "prompts": Names("prompt", self.prefixes, settings.gateway.clash),
        }
        self.owners = Owners()
        for name, peer in self.peers.items():
            if peer.can("resources") and name in self.prefixes:
                self.owners.update(name)
        self._rules = self._rules_now()
        self.lists.fresh.clear()

    def served(self) -> dict[str, str]:
        """Return the prefixes of the servers that are served now: those of the settings, and those that were added."""
        self.offers.settle()
        return gateway_settings.prefixes(self.core.now.settings, self.profile, self.offers.on_demand.added)

    def serves(self, server: str, tool: str) -> bool:
        """Whether a tool is one of the profile's, by its server's own name for it."""
        profile = self.core.now.settings.profiles.get(self.profile) if self.profile else None
        return profile is None or profile.serves(server, tool)

    # -- servers ----------------------------------------------------------------------------------------

    def ended(self, relay: Relay) -> bool:
        """Whether a relay's server can't go on with what it began: started again, it agreed on another version."""
        return relay.upstream.ended

    def back(self, name: str) -> None:  # noqa: ARG002 - for those who can tell their client
        """Note that a server was away, and may have other lists now."""
        self.lists.fresh.clear()

    def registered(self, session_id: str) -> None:
        """Note the id of the session."""
        super().registered(session_id)
        for peer in self.peers.values():
            peer.relay.flows.session_id = session_id

    @abstractmethod
    async def connect(self, name: str, meta: Mapping[str, Any]) -> Peer:
        """Reach a server, in the era that it speaks.

        Raises:
            Unavailable: where it can't be reached, or speaks neither.
        """

    def found(self, name: str, meta: Mapping[str, Any]) -> Peer | None:  # noqa: ARG002 - for those that need it
        """Return a server that was reached already, and can go on."""
        found = self.peers.get(name)
        return None if found is not None and self.ended(found.relay) else found

    def key(self, name: str, meta: Mapping[str, Any]) -> Any:  # noqa: ARG002 - for those that need it
        """Return what tells one way to a server from another."""
        return name

    async def peer(self, name: str, meta: Mapping[str, Any]) -> Peer:
        """Return a server, reached at the latest now.

        Raises:
            Unavailable: where it can't be reached.
        """
        return self.found(name, meta) or await self.reaching.peer(name, meta)

    def introduced(self, peer: Peer) -> None:
        """Take over what a server says that it can."""
        if peer.name in self.prefixes:
            if peer.can("resources"):
                self.owners.update(peer.name)
            else:
                self.owners.remove(peer.name)
        self.shared.known[self.principal.name, peer.name] = peer.capabilities

    def anew(self, peer: Peer, kinds: list[str]) -> None:
        """Take over what a server can that began anew with the client, and which lists it has won or lost by that."""
        self.introduced(peer)
        self.lists.fresh.difference_update(kinds)

    def heard(self, peer: Peer, reply: Message) -> None:
        """Note what a reply says of resources and tasks, so that later requests about them find their server."""
        result = reply.tree.get("result")
        if type(result) is not dict:
            return
        if reply.method in _LINKING and len(self.prefixes) > 1 and (uris := uris_in(result)):
            self.owners.saw(peer.name, uris)
        self.tasks.saw(peer.name, result)

    def changed(self, peer: Peer, method: str) -> None:  # noqa: ARG002 - a host's
        """Note that lists of names or URIs are to be learnt anew before they are used."""
        self.lists.fresh.discard(method.split("/")[1])

    def has_tasks(self, peer: Peer) -> bool:
        """Whether a server has begun tasks for the client, of which it may tell when their requests are answered."""
        return self.tasks.any_of(peer.name)

    async def reloaded(self, changed: set[str]) -> bool:
        """Take over changed settings: servers that were changed or taken away are let go of.

        Returns:
            Whether anything of it concerns this front's clients.
        """
        before, rules = self.prefixes, self._rules
        now = self.served()
        gone = (changed & before.keys()) | (before.keys() - now.keys())
        concerned = bool(gone) or self._rules_now() != rules
        if concerned:
            self.settle()
        await self.reaching.abandon(gone)
        await self.let_go(gone)
        return concerned

    async def let_go(self, names: Collection[str]) -> None:
        """Let go of servers that are changed, or not served here any more."""
        gone = [self.peers.pop(name) for name in names if name in self.peers]
        await asyncio.gather(*(peer.close() for peer in gone))

    def _rules_now(self) -> tuple[Any, ...]:
        settings = self.core.now.settings
        prefixes = list(gateway_settings.prefixes(settings, self.profile).items())
        return prefixes, settings.gateway, settings.profiles.get(self.profile)

    def lists_changed(self, server: str, kinds: Iterable[str]) -> None:
        """Tell clients that an interceptor makes something else of a server's lists now."""
        if server in self.prefixes:
            self.lists.fresh.difference_update(kinds)
            self.tell(list(kinds))

    @abstractmethod
    def tell(self, kinds: list[str]) -> None:
        """Tell clients, without waiting for them, that lists have changed; see :meth:`notify`."""

    @abstractmethod
    async def notify(self, kinds: list[str]) -> None:
        """Tell the client that lists have changed: of ``tools``, ``prompts`` or ``resources``."""

    # -- from the client --------------------------------------------------------------------------------

    def take(self, message: Message, context: Context) -> Coroutine[Any, Any, Reply]:
        """Take one message of the client's, parsed and not yet judged."""
        return self._request(message, context) if message.kind == "request" else self.one_way(message, context)

    @abstractmethod
    async def one_way(self, message: Message, context: Context) -> Reply:
        """Take a notification, or a reply to a request of a server's."""

    @abstractmethod
    async def answer(self, message: Message, context: Context) -> Reply:
        """Answer a request that is for no single server.

        Raises:
            Denied: where an interceptor stops it.
            Rejected: where it can't be answered.
            Unavailable: where servers that it needs can't be reached.
        """

    @abstractmethod
    def check(self, message: Message, context: Context) -> None:
        """See that a request is one of the client's protocol version.

        Raises:
            Rejected: where it isn't.
        """

    async def _request(self, message: Message, context: Context) -> Reply:
        try:
            self.check(message, context)
            target = None if self.offers.mine(message) else await self.aim.whose(message)
            if target is None:
                return self.stated(await self.answer(message, context))
            peer, sent = target
            peer.check(message)
            return self.stated(await peer.take(sent, context))
        except Denied as denied:
            return denied.reply
        except Rejected as refused:
            return await self.refused(message, Deny(refused.reason, code=refused.code, rule="gateway"))
        except AmbiguousError as ambiguous:
            return await self.refused(message, Deny(str(ambiguous), code="unknown", rule="gateway"))
        except Refused as refusal:
            return await self.refused(message, Deny(str(refusal), code="unavailable", rule="gateway"))
        except Unavailable as failure:
            return await self.refused(message, Deny(str(failure), code=failure.code, rule="server"))

    async def refused(self, message: Message, deny: Deny) -> Reply:
        """Record that a request is not answered as it wants to be, and say why."""
        decision = await self.core.now.pipeline.note("rejected", self.flows.of(message), deny)
        tree = rpc_error(decision, message.id)
        return Reply(self.status(tree["error"]["code"]), body=values.encode(tree))

    def stated(self, reply: Reply) -> Reply:
        """Return a server's reply with the HTTP status that its error has in the client's version."""
        if reply.message is not None and reply.message.kind == "error":
            reply.status = self.status(reply.message.tree["error"]["code"])
        return reply

    def status(self, code: int) -> int:
        """Return the HTTP status of an error in the client's version."""
        return STATUS.get(code, 200) if self.modern else 200

    modern = False

    # -- what the gateway answers itself ----------------------------------------------------------------

    async def judged(self, message: Message) -> tuple[Message, Flow]:
        """Have a message of the client's judged that is for the gateway itself.

        Raises:
            Denied: where it may not be.
        """
        flow = self.flows.of(message)
        decision = await self.core.now.pipeline.judge(message, flow)
        if decision.allowed and decision.message is not None:
            return decision.message, flow
        if message.kind != "request":
            raise Denied(Reply(202))
        as_result = self.core.now.settings.proxy.deny_as == "tool_result"
        tree = denial(decision, message, as_result=as_result, modern=self.modern)
        raise Denied(Reply(body=values.encode(tree)))

    async def result(self, request: Message, flow: Flow, result: dict[str, Any]) -> Reply:
        """Return the reply to a request that the gateway answers itself."""
        tree = {"jsonrpc": "2.0", "id": request.id, "result": result}
        out = await self.composed(wire.classify(tree, "server").answering(request.method), flow)
        return Reply(body=out.data, message=out.message)

    async def composed(self, message: Message, flow: Flow | None = None) -> Out:
        """Have a message recorded that the gateway puts together; return it; else an error, or nothing for a notice."""
        decision = await self.core.now.pipeline.composed(message, flow or self.flows.of(message))
        if decision.allowed:
            return Out(message.encoded, message=message)
        return Out(None if message.id is None else values.encode(rpc_error(decision, message.id)))

    async def list(self, message: Message) -> Reply:
        """Answer a request for a list.

        Raises:
            Denied: where an interceptor stops it.
            Rejected: for a cursor that was none of the gateway's.
        """
        message, flow = await self.judged(message)
        return await self.result(message, flow, self.dressed(await self.lists.page(message, flow)))

    def dressed(self, result: dict[str, Any]) -> dict[str, Any]:
        """Return a result as the client's version has it."""
        return result

    def lacking(self, server: str, reason: str) -> str:
        """Note that a server is missing from what the client is told; return why."""
        log.warning("a server is missing", server=server, reason=reason)
        return reason

    # -- the end ----------------------------------------------------------------------------------------

    async def end(self, context: Context) -> Answer:  # noqa: ARG002 - the servers' connections are its own
        """End the session; :meth:`close` puts the servers' ends away."""
        return Answer(200)

    async def close(self) -> None:
        """End the session on this side. Idempotent."""
        if self.over.is_set():
            return
        self.over.set()
        self.lists.close()
        await self.reaching.close()
        peers, self.peers = list(self.peers.values()), {}
        await asyncio.gather(*(peer.close() for peer in peers))
