"""What arrives from a relay's server: it is matched to its request, judged, and made into what the client hears."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import structlog

from tidegate import methods, values, wire
from tidegate.conversation import Conversation
from tidegate.correlate import Exchange, Open, Table, key_of
from tidegate.flows import Flows
from tidegate.message import Message
from tidegate.notices import Notices
from tidegate.streams import Out, Outs, Reply, Said, joined, outgoing, replied
from tidegate.upstream import Answer, Arrived, Context, Event, Unavailable, Upstream, primed
from tidegate.verdict import Decision, Deny, rpc_error
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidegate.face import Face
    from tidegate.flow import Flow, Principal, Server
    from tidegate.flows import Core
    from tidegate.message import Id

log = structlog.get_logger("tidegate.relay")

_LEARNT = frozenset(("initialize", "tools/list"))


class Receiving(Conversation):
    """The half of a relay that hears its server; see :class:`tidegate.relay.Relay`.

    Attributes:
        face: how the server's messages look to a client that isn't to see them as they came; ``None`` for a client
            that is.
        requests: the client's open requests.
        asked: the server's.
        notices: what the client is told of lists that changed here.
    """

    def __init__(
        self,
        core: Core,
        server: Server,
        upstream: Upstream,
        principal: Principal,
        *,
        stateless: bool = False,
        session_id: str = "",
    ) -> None:
        self.core = core
        self.server = server
        self.upstream = upstream
        self.principal = principal
        self.stateless = stateless
        self.flows = Flows(core, server, principal, stateless=stateless)
        self.flows.session_id = session_id
        self.face: Face | None = None
        self.requests = Table()  # the client's
        self.asked = Table()  # the server's
        self.over = asyncio.Event()
        self.notices = Notices(core, self.flows)

    def shown(self, identity: Id | None) -> Id | None:
        """Return the id by which the client knows a request."""
        return identity if self.face is None or identity is None else self.face.identity(identity)

    def lists_changed(self, server: str, kinds: Iterable[str]) -> None:
        """Tell the client that the server's lists are others now, where it listens."""
        if server == self.server.name:
            self.notices.tell(kinds)

    # -- from the server --------------------------------------------------------------------------------

    async def listen(self, last_event_id: str | None, context: Context) -> Reply:
        """Open the stream on which the server speaks by itself (2025-11-25, streamable HTTP, GET).

        Raises:
            Unavailable: where the server can't be reached.
        """
        answer = await self.upstream.listen(last_event_id, context)
        if answer.events is None:
            return Reply(answer.status, answer.headers)
        events = self._own_events(answer)
        if self.face is None:
            events = await primed(self.notices.among(events))
        return Reply(answer.status, answer.headers, events=events)

    async def _single(self, answer: Answer, exchange: Exchange) -> Reply:
        if answer.body is None:
            text = f"The server answered with HTTP status {answer.status} and no message."
            body = await self._failed(Unavailable(text), exchange, quiet=answer.status >= 400)
            return Reply(answer.status if answer.status >= 400 else 200, answer.headers, body=body)
        said = await self._incoming(answer.body, exchange)
        if exchange.open or not said:
            said = [await self._failed(Unavailable("The server's answer was no reply to the request."), exchange)]
        return await replied(answer.status, answer.headers, said)

    async def _events(self, answer: Answer, exchange: Exchange) -> Outs:
        """Judge the events of a request's stream one by one; end with its reply, or say that none came."""
        assert answer.events is not None
        entry = exchange.entry
        try:
            async with contextlib.aclosing(answer.events) as events:
                yield Out(None)  # for primed()
                async for event in events:
                    entry.replayable = entry.replayable or event.id is not None
                    for out in outgoing(await self._heard(event, exchange), event):
                        yield out
            if entry.cancelled and exchange.open:
                exchange.drop()  # nobody waits for it
            elif exchange.open and not entry.replayable:
                yield Out(await self._failed(Unavailable("The server ended the answer without a reply."), exchange))
        except Unavailable as failure:
            if entry.cancelled:
                exchange.drop()  # nobody waits for it
            elif exchange.open:
                yield Out(await self._failed(failure, exchange))
        finally:
            if exchange.open and not entry.replayable:
                await self._abandoned(exchange)

    async def _abandoned(self, exchange: Exchange) -> None:
        """The client closed the stream: in 2026-07-28 that cancels, before it means nothing."""
        modern = methods.is_modern(self.flows.version_of(exchange.entry.request))
        if modern or not self.upstream.late:
            exchange.drop()
        if not modern or not self.upstream.cancels:
            return
        params = {"requestId": exchange.sent, "reason": "The client closed the stream."}
        message = wire.classify({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}, "client")
        decision = await self.core.now.pipeline.judge(message, self.flows.of(message, exchange.entry.flow_id))
        if decision.allowed and decision.message is not None:
            with contextlib.suppress(Unavailable):
                await self.upstream.send(decision.message, Context())

    async def _own_events(self, answer: Answer) -> Outs:
        assert answer.events is not None
        async with contextlib.aclosing(answer.events) as events:
            async for event in events:
                for out in outgoing(await self._heard(event, None), event):
                    yield out

    async def _heard(self, event: Event, exchange: Exchange | None) -> list[Said]:
        return [] if event.data is None else await self._incoming(event.data, exchange)

    async def _incoming(self, arrived: Arrived, exchange: Exchange | None) -> list[Said]:
        """Judge what arrived from the server; return what the client gets of it, one by one.

        A batch goes on as one to a client that may be sent any. For one with a face, whose version may have none, its
        members go on by themselves, and replies after all else, because nobody reads on after one.
        """
        try:
            found = self._arrived(arrived)
        except Rejected as refused:  # what is no reply doesn't end the wait for one
            told = await self._refuse_server(refused, None if refused.call else exchange)
            return [] if told is None else [told]
        if self.face is not None:
            found.sort(key=lambda one: isinstance(one, Message) and one.is_reply)
        heard = [said for one in found if (said := await self._judge_incoming(one, exchange)) is not None]
        return heard if self.face is not None else joined(heard)

    def _arrived(self, arrived: Arrived) -> list[Message | Rejected]:
        if isinstance(arrived, Rejected):
            raise arrived
        if isinstance(arrived, Message):
            return [arrived]
        found = wire.parse_many(arrived, "server", self.limits, batch=self.version == methods.BATCHING)
        return found if isinstance(found, list) else [found]

    async def _judge_incoming(self, message: Message | Rejected, exchange: Exchange | None) -> Said | None:
        if isinstance(message, Rejected):  # of a batch, in which it answers no request but the one that it names
            named = message.id is not None and exchange is not None and key_of(message.id) == key_of(exchange.asked)
            return await self._refuse_server(message, exchange if named else None)
        try:
            return await (self._reply if message.is_reply else self._spoken)(message, exchange)
        except Rejected as refused:
            return await self._refuse_server(refused, exchange if message.is_reply else None)

    async def _spoken(self, message: Message, exchange: Exchange | None) -> Said | None:
        flow, about = self._server_side(message, exchange)
        seen = message if self.face is None else self.face.spoken(message, about)
        if seen is None:
            return None
        decision = await self.core.now.pipeline.judge(seen, flow)
        if decision.allowed and decision.message is not None:
            if message.method == "notifications/tools/list_changed":
                self.flows.tools.clear()
            return decision.message
        if message.kind == "request" and message.id is not None:
            self.asked.drop(message.id)
            await self._answer_server(decision, message.id, None)
        return None

    def _server_side(self, message: Message, exchange: Exchange | None) -> tuple[Flow, Open | None]:
        """Return the flow of a request or notification of the server's, and what it is about; a request is noted."""
        about: Open | None = exchange.entry if exchange is not None else None
        if message.kind == "request":
            flow = self.flows.of(message)
            self.asked.open(message, flow.id, flow)
            return flow, about
        if message.method == "notifications/cancelled":
            about = self.asked.cancel(message)
        elif message.method == "notifications/progress":
            about = (exchange.table if exchange is not None else self.requests).progress(
                message, again=exchange is None
            )
        return self.flows.of(message, about.flow_id if about is not None else None), about

    async def _reply(self, message: Message, exchange: Exchange | None) -> Said | None:
        if message.id is None and exchange is not None:  # an error that can't say which request it answers
            message = message if self.face is None else message.rewired(id=exchange.asked)  # one stream may have many
            message = message.answering(exchange.entry.request.method)
            entry: Open | None = exchange.entry
            exchange.drop()
        elif exchange is not None:
            if not exchange.open or message.id != exchange.asked:
                raise Rejected("unsolicited", "The reply answers another request than the one it was sent for.")
            message, entry = exchange.table.answer(message)
        elif message.id is None:
            entry = None
        else:
            message, entry = self.requests.answer(message, again=True)
        asked = exchange.asked if exchange else message.id
        if self.face is not None:
            message = self.face.reply(message, entry)
        decision = await self.core.now.pipeline.judge(message, self.flows.answering(entry))
        if not decision.allowed or decision.message is None:
            return values.encode(rpc_error(decision, self.shown(asked)))
        if decision.message.kind == "result" and decision.message.method in _LEARNT:
            self.flows.learn(decision.message)
            if decision.message.method == "initialize":
                self.upstream.negotiated(self.flows.version)
        return decision.message

    async def _refuse_server(self, refused: Rejected, exchange: Exchange | None) -> bytes | None:
        """Record refused bytes of the server's; its request's sender is told, everybody else goes on."""
        flow = self.flows.answering(exchange.entry if exchange is not None else None)
        deny = Deny(refused.reason, code=refused.code, rule="wire")
        decision = await self.core.now.pipeline.note("rejected", flow, deny, size=refused.size)
        if exchange is None or refused.code == "unsolicited":
            return None
        if not exchange.open:
            return None
        exchange.drop()
        return values.encode(rpc_error(decision, self.shown(exchange.asked)))

    async def _answer_server(self, decision: Decision, identity: Id | None, context: Context | None) -> None:
        """Give the server an error instead of what was denied: the client's reply, or, without context, its request."""
        if identity is None:
            return
        message = Message("error", "client", identity, None, rpc_error(decision, identity))
        if context is None:
            message, to = self.upstream.aimed(message, None)
            context = Context().towards(to)
        with contextlib.suppress(Unavailable):
            answer = await self.upstream.send(message, context)
            if answer.events is not None:
                await answer.events.aclose()

    async def _failed(self, failure: Unavailable, exchange: Exchange, *, quiet: bool = False) -> bytes:
        """Record that a request gets no reply from the server; return the error that its sender gets."""
        exchange.drop()
        if not quiet:
            log.warning("server failed", server=self.server.name, reason=str(failure))
        deny = Deny(str(failure), code=failure.code, rule="server")
        decision = await self.core.now.pipeline.note("rejected", self.flows.answering(exchange.entry), deny)
        return values.encode(rpc_error(decision, self.shown(exchange.asked)))
