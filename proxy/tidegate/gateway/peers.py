"""One server, as one client of the gateway reaches it; here those that speak the client's own protocol era.

A peer is the client of an ordinary relay, which judges. It is the relay's *face* too: what it changes of a server's
messages is changed before they are judged, so that what is judged is what the client is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import structlog

from tidegate import methods
from tidegate.correlate import Open
from tidegate.gateway.own_requests import Refused, request
from tidegate.gateway.replies import bare
from tidegate.message import Message
from tidegate.resuming import whole
from tidegate.upstream import Context, Unavailable
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from tidegate.gateway.host import Host
    from tidegate.message import Id
    from tidegate.relay import Relay
    from tidegate.streams import Outs, Reply
    from tidegate.upstream import Arrived

log = structlog.get_logger("tidegate.gateway")

WHOLE, PLAIN = Context(whole=True), Context()
_LOST = 404  # a session that an HTTP server doesn't know any more (2025-11-25, session management)
_NO_SESSION = -32000  # with status 400: what servers say that were written after the TypeScript SDK's examples
_LATER = frozenset((_LOST, 400, 500, 502, 503, 504))  # answers to one who listens that another time may get another
_PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)  # seconds until a server's own stream that has ended is opened again


class Peer(ABC):
    """One server.

    Args:
        host: the front that it belongs to.
        name: the server's name.
        relay: the relay in front of it, this peer's alone.

    Attributes:
        modern: whether the client speaks 2026-07-28.
        capabilities: what the server says it can, in its own era's words.
        instructions: what it says to models; ``""`` for nothing.
        server_version: the protocol version that it speaks.
    """

    modern = False

    def __init__(self, host: Host, name: str, relay: Relay) -> None:
        self.host = host
        self.name = name
        self.relay = relay
        self.capabilities: dict[str, Any] = {}
        self.instructions = ""
        self.server_version = ""
        self._had: set[str] = set()  # capabilities, before it began anew
        self._sessions = 0  # that were lost
        self._renewing = asyncio.Lock()
        relay.face = self
        self._later: set[asyncio.Task[object]] = set()

    def later(self, work: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
        """Do something that nobody waits for, until this is closed at the latest."""
        task = asyncio.create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)
        return task

    def can(self, capability: str) -> bool:
        """Whether the server says that it has a capability."""
        return isinstance(self.capabilities.get(capability), dict)

    def check(self, request: Message) -> None:
        """See that the server still can what a request of the client's is about.

        Raises:
            Rejected: where it could before it began anew.
        """
        kind = (request.method or "").partition("/")[0]
        kind = {"completion": "completions"}.get(kind, kind)
        if kind in self._had and not self.can(kind):
            raise Rejected("unknown", f"The server {self.name} began anew, and has no {kind} any more.", id=request.id)

    # -- one that begins anew ---------------------------------------------------------------------------

    def introduced(self, result: Mapping[str, Any]) -> None:
        """Take over what the server says of itself, in its result of ``initialize``."""
        said, text = result.get("capabilities"), result.get("instructions")
        self.capabilities = said if isinstance(said, dict) else {}
        self.instructions = text if isinstance(text, str) else ""

    async def begun_again(self, initialize: Message, result: Message) -> None:
        """Take over what a server that was started again says of itself, unless an interceptor denies it.

        Args:
            initialize: what it was told again.
            result: what it said, not judged yet.
        """
        async with self._renewing:  # what it said last counts, even if it was started twice
            pipeline = self.relay.core.now.pipeline
            flow = self.relay.flows.answering(Open(initialize, pipeline.new_id()))
            decision = await pipeline.judge(result.answering("initialize"), flow)
            if decision.allowed and decision.message is not None:
                before = self.capabilities
                self.introduced(_result(decision.message))
                self.differs(before)

    def differs(self, before: Mapping[str, Any]) -> list[str]:
        """Note what the server could do before it began anew; return of which lists that makes a difference."""
        self._had.update(key for key, value in before.items() if isinstance(value, dict))
        kinds = [kind for kind in methods.NOTICED if self.can(kind) != isinstance(before.get(kind), dict)]
        self.host.anew(self, kinds)
        return kinds

    # -- the gateway's own requests ---------------------------------------------------------------------

    def own_request(self, method: str, params: Mapping[str, Any] | None, meta: Any) -> Message:  # noqa: ARG002 - for those that need it
        """Return a request of the gateway's own in the server's words; see :meth:`ask`."""
        return request(method, params)

    async def ask(self, method: str, params: Mapping[str, Any] | None = None, *, meta: Any = None) -> dict[str, Any]:
        """Ask the server something in the client's name; return the result as it was judged.

        Args:
            method: what.
            params: the request's.
            meta: the ``_meta`` of the client's request that it is asked for, if there is one.

        Raises:
            Unavailable: where no answer comes, or an interceptor denies question or answer.
            Refused: where the server answers with an error.
        """
        return _result(await self.asked(self.own_request(method, params, meta)))

    async def page(self, method: str, cursor: str | None, meta: Any) -> tuple[dict[str, Any], int]:
        """Return a page of a list, and the bytes of the reply with it; see :meth:`ask`.

        Raises:
            Unavailable: where no answer comes, or an interceptor denies question or answer.
            Refused: where the server answers with an error.
        """
        params = None if cursor is None else {"cursor": cursor}
        reply = await self.asked(self.own_request(method, params, meta))
        return _result(reply), len(reply.encoded)

    async def asked(self, message: Message) -> Message:
        """Send a request of the gateway's own; return the reply with the result, as it was judged.

        Raises:
            Unavailable: where no answer comes, or an interceptor denies question or answer.
            Refused: where the server answers with an error.
        """
        return await self._heard(message, await self.sent(message, WHOLE))

    async def sent(self, message: Message, context: Context) -> Reply:
        """Send a request; where the server has lost the session, begin another and send it again.

        Raises:
            Unavailable: where no session can be begun.
        """
        sessions = self._sessions
        reply = await self.relay.take(message, context)
        if not self.forgotten(message, reply):
            return reply
        async with self._renewing:
            if self._sessions == sessions:  # or else another request has found it out before
                before = self.capabilities
                try:
                    if not await self.renew():
                        return reply
                except Refused as refusal:
                    raise Unavailable(str(refusal)) from None
                self._sessions += 1
                self.differs(before)
        return await self.relay.take(message, context)

    def forgotten(self, message: Message, reply: Reply) -> bool:
        """Whether a server with sessions says that it knows this one no more: by a 404, or, as many do, by a 400."""
        if self.relay.upstream.ordered or message.method == "initialize" or reply.status not in (_LOST, 400):
            return False
        error = reply.message.tree.get("error") if reply.message is not None else None
        return reply.status == _LOST or (isinstance(error, dict) and error.get("code") == _NO_SESSION)

    async def renew(self) -> bool:
        """Begin another session, and tell the server again what it was to remember; return whether there are any."""
        return False

    async def remind(self, method: str, params: Mapping[str, Any] | None) -> None:
        """Tell the server of a session begun anew what it was to remember; it may have changed its mind.

        Raises:
            Unavailable: where it can't be reached.
        """
        message = request(method, params)
        with contextlib.suppress(Refused):
            await self._heard(message, await self.relay.take(message, WHOLE))

    async def _heard(self, message: Message, reply: Reply) -> Message:
        heard = await self._last(message, reply)
        if isinstance(heard, Message) and heard.kind == "result":
            return heard
        if isinstance(heard, Message):
            raise Refused(message.method or "", heard.tree["error"]["code"])
        raise Unavailable(_reason(heard))

    async def _last(self, asked: Message, reply: Reply) -> Message | bytes | None:
        """Return the reply of an answer; what the server says before it goes the way of what belongs to no request."""
        if reply.events is None:
            return reply.message or reply.body
        async with contextlib.aclosing(self.gone_on(asked, reply.events)) as events:
            async for out in events:
                if out.message is not None and not out.message.is_reply:
                    await self.aside(out.message)
                elif out.data is not None:
                    return out.message or out.data
        return None

    def gone_on(self, asked: Message, events: Outs) -> Outs:
        """Return what the server says to a request, from one stream after another; see :func:`whole`."""
        assert asked.id is not None
        return whole(events, self.relay, asked.id, PLAIN)

    async def aside(self, message: Arrived) -> None:
        """Take what the server says that belongs to no request of the client's."""
        if self.host.own is not None:
            self.host.own.put_latest(message)

    # -- the client's -----------------------------------------------------------------------------------

    @abstractmethod
    async def begin(self) -> None:
        """Introduce the client to the server.

        Raises:
            Unavailable: where the server can't be reached.
            Refused: where it doesn't speak this era.
        """

    async def take(self, message: Message, context: Context) -> Reply:
        """Send a request of the client's that is for this server; its names are the server's own already."""
        return await bare(await self.relay.take(message, WHOLE if context.http else PLAIN))

    async def alive(self) -> None:
        """Ask whether the server answers.

        Raises:
            Unavailable: where it doesn't.
        """
        with contextlib.suppress(Refused):
            await self.ask("ping")

    async def answer(self, reply: Message) -> None:
        """Pass on the client's answer to a question of this server's."""
        await self.relay.take(reply, PLAIN)

    def has_open(self, identity: Id) -> bool:
        """Whether a request of the client's waits for this server's reply."""
        return self.relay.requests.find(identity) is not None

    @property
    def busy(self) -> bool:
        """Whether any request waits for this server's reply."""
        return self.relay.waiting

    async def cancel(self, message: Message) -> None:
        """Pass on the client's ``notifications/cancelled`` about an open request."""
        await self.relay.take(message, PLAIN)

    async def pump(self) -> None:
        """Take what the server says by itself, as long as it has a stream for that; one that ends is opened again."""
        last: str | None = None
        tries, lost = 0, False
        while True:
            try:
                reply = await self.relay.listen(last, PLAIN)
                if reply.events is None and reply.status not in _LATER:
                    return
                if reply.events is not None:
                    if lost:
                        self.back()
                    lost = False
                    async with contextlib.aclosing(reply.events) as events:
                        async for out in events:
                            tries, last = 0, out.id or last
                            said = out.message or out.data
                            if said is not None:
                                await self.aside(said)
            except Unavailable as failure:
                lost = True
                log.debug("the server has no stream of its own", server=self.name, reason=str(failure))
            if self.relay.upstream.ordered:
                return
            await asyncio.sleep(_PAUSES[min(tries, len(_PAUSES) - 1)])
            tries += 1

    def back(self) -> None:
        """Note that the server was away, and may have other lists now."""
        self.host.back(self.name)

    async def close(self) -> None:
        """Put away what is this client's own."""
        self.host.asked.forget(self)
        for task in self._later:
            task.cancel()
        if self._later:
            await asyncio.wait(self._later)
        await self.relay.close()

    # -- its face ---------------------------------------------------------------------------------------

    def identity(self, asked: Id) -> Id:
        """The client's ids stay as they are."""
        return asked

    @abstractmethod
    def reply(self, message: Message, entry: Open | None) -> Message:
        """Return a reply as the client is to see it."""

    def unasking(self, message: Message) -> Message:
        """Return what a server of 2026-07-28 says, which asks by results only: its requests would have ids of its own.

        Raises:
            Rejected: for a request.
        """
        if message.kind == "request":
            self.relay.asked.drop(message.id)
            raise Rejected("method", "A server of this version of the protocol sends no requests.")
        return message

    def spoken(self, message: Message, about: Open | None) -> Message | None:
        """Return a request or notification as the client is to see it.

        Raises:
            Rejected: for progress of what this server doesn't work on: another one's request may have that token.
        """
        if about is None and message.method == "notifications/progress" and not self.host.has_tasks(self):
            raise Rejected("unsolicited", "The progress is about no open request.")
        return message


def _result(reply: Message) -> dict[str, Any]:
    result = reply.tree["result"]
    return result if isinstance(result, dict) else {}


def _reason(heard: bytes | None) -> str:
    """Return why a request has no result: what Tidegate's own error says."""
    if heard is None:
        return "The server ended the answer without a reply."
    error = json.loads(heard).get("error")
    return str(error["message"]) if isinstance(error, dict) else "The request was denied."
