"""The async driver: what arrives from two ends goes through correlation and the pipeline, and on.

A :class:`Relay` stands between one client's session and one server; for a client without sessions, between
one principal and one server. Client ends call :meth:`Relay.accept` with bytes and get a :class:`Reply` with
bytes; there is no other way from one side to the other.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from tidegate import methods, values
from tidegate.correlate import Exchange, Open, Table
from tidegate.receiving import Receiving
from tidegate.streams import Reply, replied
from tidegate.upstream import Answer, Context, Unavailable, primed
from tidegate.verdict import Decision, denial
from tidegate.waiting import LISTEN
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tidegate.flows import Definitions
    from tidegate.message import Id, Message

log = structlog.get_logger("tidegate.relay")

_VERSION_HEADER = "mcp-protocol-version"


class Relay(Receiving):
    """Between one client's session, or one principal without sessions, and one server."""

    @property
    def ordered(self) -> bool:
        """Whether :meth:`take` returns as soon as a message is on its way."""
        return self.upstream.ordered

    @property
    def hosted(self) -> bool:
        """Whether the server behind speaks no HTTP, so that Tidegate is the HTTP server."""
        return self.upstream.ordered

    @property
    def tools(self) -> Definitions:
        """The definitions of the server's tools as last listed."""
        return self.flows.tools

    def take(self, message: Message, context: Context) -> Coroutine[Any, Any, Reply]:
        """As :meth:`accept`, for a message that is parsed already; still unjudged."""
        return self._request(message, context) if message.kind == "request" else self._one_way(message, context)

    async def _request(self, message: Message, context: Context) -> Reply:
        asked = message.id
        assert asked is not None
        table = Table() if self.stateless else self.requests
        pipeline = self.core.now.pipeline
        try:
            sent = self.upstream.outward(message)
            flow = self.flows.of(sent, pipeline.new_id(), context.headers.get(_VERSION_HEADER, ""))
            entry = table.open(message, flow.id, flow)
        except Rejected as refused:
            return await self.refuse(refused)
        assert sent.id is not None
        entry.sent = sent.id
        exchange = Exchange(entry, table, asked, sent.id)
        try:
            decision = await pipeline.judge(sent, flow)
            if not decision.allowed or decision.message is None:
                table.drop(asked)
                self.upstream.forget(sent)
                return self._denied(decision, message)
            if message.method == "initialize" and not self.stateless:
                self.flows.client = flow.client
            if flow.tool is not None and not context.http:
                context = Context(tool=flow.tool, whole=context.whole)
            answer = await self.upstream.send(decision.message, context)
            if answer.events is not None:
                events = await primed(self._events(answer, exchange))
                if message.method == LISTEN and self.face is None:
                    events = await primed(self.notices.among(events, message))
                return Reply(answer.status, answer.headers, events=events)
            return await self._single(answer, exchange)
        except Unavailable as failure:
            return Reply(body=await self._failed(failure, exchange))
        except Rejected as refused:
            table.drop(asked)
            return await self.refuse(refused)
        except asyncio.CancelledError:
            self.upstream.forget(sent)
            await self._abandoned(exchange)
            raise

    async def _one_way(self, message: Message, context: Context) -> Reply:
        """A notification, or the client's reply to a request of the server's."""
        try:
            version = context.headers.get(_VERSION_HEADER, "")
            if message.is_reply:
                message, entry = self.asked.answer(message)
                sent, to = self.upstream.aimed(message, None)
                flow = self.flows.answering(entry, version)
            else:
                about = self._about(message)
                sent, to = self.upstream.aimed(message, about)
                flow = self.flows.of(sent, about.flow_id if about is not None else None, version)
            decision = await self.core.now.pipeline.judge(sent, flow)
            if decision.allowed and decision.message is not None:
                answer = await self.upstream.send(decision.message, context.towards(to))
                return await self._receipt(answer)
            if message.is_reply:
                await self._answer_server(decision, sent.id, context.towards(to))
        except Rejected as refused:
            return await self.refuse(refused)
        except Unavailable as failure:
            log.info("not delivered", server=self.server.name, kind=message.kind, reason=str(failure))
        return Reply(202)

    def _about(self, notification: Message) -> Open | None:
        """Return the request that a notification of the client's is about."""
        if notification.method == "notifications/cancelled":
            return self.requests.cancel(notification)
        if notification.method == "notifications/progress":
            return self.asked.progress(notification)
        return None

    async def _receipt(self, answer: Answer) -> Reply:
        """What the server's HTTP end says to a message that has no reply: a status, or an error, judged too."""
        if answer.events is not None:
            await answer.events.aclose()
        said = [] if answer.body is None or answer.status < 400 else await self._incoming(answer.body, None)
        return await replied(answer.status, answer.headers, said)

    def _denied(self, decision: Decision, request: Message) -> Reply:
        """Answer a denied request: with an error, or a tool result that a model can read."""
        as_result = self.core.now.settings.proxy.deny_as == "tool_result"
        modern = methods.is_modern(self.flows.version_of(request))
        if self.face is not None:
            request = request.rewired(id=self.shown(request.id))
            modern = self.face.modern
        return Reply(body=values.encode(denial(decision, request, as_result=as_result, modern=modern)))

    # -- the end ----------------------------------------------------------------------------------------

    def open(self, identity: Id) -> bool:
        """Whether a request of the client's still waits for its reply."""
        return self.requests.find(identity) is not None

    @property
    def waiting(self) -> bool:
        """Whether any request of the client's still waits for its reply."""
        return self.requests.waiting

    async def end(self, context: Context) -> Answer:
        """Tell the server that the session is over.

        Raises:
            Unavailable: where the server can't be reached.
        """
        return await self.upstream.end(context)

    async def unanswered(self, identity: Id) -> bytes:
        """Give up an open request of the session's whose answer can't come any more; return what its sender gets."""
        entry = self.requests.find(identity)
        assert entry is not None
        why = Unavailable("The server's answer broke off and could not be resumed.")
        return await self._failed(why, Exchange(entry, self.requests, identity, identity))

    async def close(self) -> None:
        """End the session on this side: what the upstream holds is put away. Idempotent."""
        if not self.over.is_set():
            self.over.set()
            await self.upstream.close()
