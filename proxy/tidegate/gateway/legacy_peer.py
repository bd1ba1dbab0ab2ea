"""A server with sessions, for clients without: those of one principal that say the same of themselves share one.

What the server asks in the middle of a request can't be put to such a client. So the request is *held*: the client gets
a result that asks (2026-07-28, multi round-trip requests), and a handle with which it comes back with the answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import TYPE_CHECKING, Any

import structlog

from tidegate import correlate, methods, values, wire
from tidegate.correlate import Remap, key_of
from tidegate.gateway import asking, capabilities, eras, handles
from tidegate.gateway.calls import Call, Calls, wants
from tidegate.gateway.listeners import Listeners
from tidegate.gateway.own_requests import OWN_META, Refused, is_own, notification
from tidegate.gateway.peers import PLAIN, WHOLE, Peer
from tidegate.gateway.replies import condensed
from tidegate.gateway.session_peer import answer_for
from tidegate.message import Message
from tidegate.streams import Out, Outs, Reply
from tidegate.upstream import Context, Unavailable, primed
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from tidegate.correlate import Open
    from tidegate.gateway.handles import Held
    from tidegate.gateway.host import Host
    from tidegate.message import Id
    from tidegate.relay import Relay
    from tidegate.upstream import Arrived

log = structlog.get_logger("tidegate.gateway")

_LEVELS = eras.LEVELS


def way(meta: Mapping[str, Any]) -> bytes:
    """Return what clients that share a session have in common: what they declare, and who they say that they are."""
    return values.encode([meta.get(eras.CAPABILITIES_KEY) or {}, meta.get(methods.CLIENT_KEY)])


class LegacyPeer(Peer):
    """A server with sessions (2024-11-05 to 2025-11-25), for clients of 2026-07-28.

    Args:
        host: the front that it belongs to.
        name: the server's name.
        relay: the relay in front of it.
        meta: the ``_meta`` of the first client's request, which says who it is and what it can.
        held: where requests are held.
        compose: has a message recorded that the gateway puts together, and returns its bytes and itself.
    """

    modern = True

    def __init__(
        self,
        host: Host,
        name: str,
        relay: Relay,
        meta: Mapping[str, Any],
        held: Held[Call],
        compose: Callable[[Message], Awaitable[Out]],
    ) -> None:
        super().__init__(host, name, relay)
        self.way = way(meta)
        self.declared = meta.get(eras.CAPABILITIES_KEY) or {}
        self._client = meta.get(methods.CLIENT_KEY) or OWN_META[methods.CLIENT_KEY]
        self._held = held
        self._compose = compose
        self._remap = Remap()
        self._calls = Calls()
        self._level: str | None = None
        self._subscribed: dict[str, int] = {}
        self._listeners = Listeners()
        self._pump: asyncio.Task[None] | None = None
        self._mark = secrets.token_bytes(16)  # what is held here is no other server's, nor another session's
        self.info: dict[str, Any] = {}

    async def begin(self) -> None:
        """Begin a session for all who say the same of themselves.

        Raises:
            Unavailable: where the server can't be reached.
            Refused: where it has no ``initialize``.
        """
        told = capabilities.told(self.declared, client=methods.MODERN, server=methods.V2025_11)
        params = {"protocolVersion": methods.V2025_11, "capabilities": told, "clientInfo": self._client}
        result = await self.ask("initialize", params)
        self.introduced(result)
        self.server_version = self.relay.version
        await self.relay.take(notification("notifications/initialized"), PLAIN)

    def introduced(self, result: Mapping[str, Any]) -> None:
        """Take over what the server says of itself, in its result of ``initialize``."""
        discovered = capabilities.discovered(dict(result))
        self.capabilities = discovered["capabilities"]
        self.instructions = discovered.get("instructions", "")
        self.info = result.get("serverInfo") or {}

    # -- requests ---------------------------------------------------------------------------------------

    async def take(self, message: Message, context: Context) -> Reply:
        """Send a request of a client's, or go on with one that was held for its answers.

        Raises:
            Rejected: where the handle is worth nothing, or the answers are none.
        """
        params = message.tree.get("params") or {}
        if handles.is_own(params.get("requestState")):
            return await self._resumed(message, params["requestState"], context)
        sent = self._remap.outward(eras.legacy_request(message))
        assert sent.id is not None
        call = self._calls[key_of(sent.id)] = Call(message, sent.id)
        try:
            await self._set_level(call.level)
            reply = await self.sent(sent, WHOLE if context.http else PLAIN)
        except asyncio.CancelledError:
            await asyncio.shield(self._give_up(call))
            raise
        except BaseException:
            self._done(call)
            raise
        if reply.events is None:
            self._done(call)
            return Reply(200 if reply.body is not None else reply.status, {}, reply.body, None, reply.message)
        return await condensed(await primed(self._passed(call, self.gone_on(sent, reply.events))), context)

    async def renew(self) -> bool:
        """Begin another session, and tell the server again what it was to remember.

        Raises:
            Unavailable: where the server can't be reached.
            Refused: where it has no sessions any more.
        """
        await self.begin()
        if self._level is not None:
            await self.remind("logging/setLevel", {"level": self._level})
        for uri in list(self._subscribed):
            await self.remind("resources/subscribe", {"uri": uri})
        if self._pump is not None:  # the old session's stream may still be open, but nothing comes of it
            self._pump.cancel()
            self._pump = asyncio.create_task(self.pump(), name="gateway pump")
        return True

    async def _set_level(self, level: Any) -> None:
        """Have the server log no less than any open request wants to hear of."""
        if level not in _LEVELS or not self.can("logging"):
            return
        lowest = self._calls.level
        if self._level is None or _LEVELS.index(lowest) < _LEVELS.index(self._level):
            try:
                await self.ask("logging/setLevel", {"level": lowest})
            except Refused:
                return  # it logs as it likes; the request is well all the same, and the next one asks again
            self._level = lowest

    async def _passed(self, call: Call, events: Outs) -> Outs:
        """Yield what the server says to a request; where it asks, say so and hold the rest."""
        held = ended = False
        try:
            yield Out(None)  # for primed()
            async for out in events:
                said = out.message
                if said is not None and said.kind == "request":
                    question = await self._question(call, said, events)
                    if question is not None:
                        held = True
                        yield question
                        return
                elif out.data is not None:
                    ended = said is None or said.is_reply
                    yield Out(out.data, None, None, said)
            ended = True
        finally:
            if not held:
                if not ended:
                    await self._cancelled(call)
                await events.aclose()
                self._done(call)

    def _done(self, call: Call) -> None:
        self._calls.pop(key_of(call.sent), None)
        self._remap.forget(wire.classify({"jsonrpc": "2.0", "id": call.sent, "method": "ping"}, "client"))

    async def _give_up(self, call: Call) -> None:
        await self._cancelled(call)
        self._done(call)

    async def _cancelled(self, call: Call) -> None:
        """Tell the server that nobody waits for a request any more."""
        params = {"requestId": call.sent, "reason": "The client closed the stream."}
        with contextlib.suppress(Unavailable):
            await self.relay.take(notification("notifications/cancelled", params), PLAIN)

    # -- questions --------------------------------------------------------------------------------------

    async def _question(self, call: Call, asked: Message, events: Outs) -> Out | None:
        """Hold a request and return the result that asks; or answer at once what the client can't be asked."""
        answer = self._own_answer(asked, call)
        if answer is not None:
            await self.relay.take(answer, PLAIN)
            return None
        call.rounds += 1
        questions = asking.keyed([asked])
        try:
            state = self._hold(call)
            result = asking.input_required(questions, state, rounds=call.rounds)
        except Rejected:
            await self.relay.take(asking.refusal(asked, {}), PLAIN)
            return None
        call.events, call.questions = events, questions
        return await self._asking(call, result)

    async def _asking(self, call: Call, result: dict[str, Any]) -> Out:
        tree = {"jsonrpc": "2.0", "id": call.asked.id, "result": result}
        return await self._compose(wire.classify(tree, "server").answering(call.asked.method))

    def _own_answer(self, asked: Message, call: Call | None = None) -> Message | None:
        """Return the answer to what a client of 2026-07-28 isn't asked; ``None`` where it is."""
        if asked.method == "ping":
            return wire.classify({"jsonrpc": "2.0", "id": asked.id, "result": {}}, "client")
        lacking = asking.undeclared(asked, self.declared, methods.MODERN)
        if lacking is not None:
            return asking.refusal(asked, lacking)
        upstream = self.relay.upstream
        if not upstream.ordered or not self._calls.unsure(call, apart=upstream.apart):
            return None
        log.warning("a question is refused, as several requests are open that it may be about", server=self.name)
        return asking.unsure(asked)

    async def _resumed(self, message: Message, state: Any, context: Context) -> Reply:
        """Go on with a held request.

        Raises:
            Rejected: where the handle is worth nothing, or the answers are none.
        """
        principal, profile = self.relay.principal.name, self.relay.flows.profile
        call = self._held.take(state, principal, profile, self._digest(message))
        if isinstance(call, handles.Refusal):
            raise Rejected("state", call.value, id=message.id)
        call.asked = message
        try:
            answers = asking.answered(message, call.questions)
            for reply in answers.replies:
                await self.relay.take(answer_for(self.relay, reply), PLAIN)
            if answers.missing:
                call.questions = answers.missing
                result = asking.input_required(answers.missing, self._hold(call), rounds=call.rounds)
                out = await self._asking(call, result)
                return Reply(body=out.data, message=out.message)
            events, call.events = call.events, None
            assert events is not None
            passed = await primed(self._passed(call, events))
        except BaseException:  # nothing would end it any more
            await asyncio.shield(self.expire(call))
            raise
        return await condensed(passed, context)

    def _hold(self, call: Call) -> str:
        """Hold a request; return its handle.

        Raises:
            Rejected: where too much is held for the principal.
        """
        principal, profile = self.relay.principal.name, self.relay.flows.profile
        return self._held.put(call, principal, profile, self._digest(call.asked))

    def _digest(self, request: Message) -> bytes:
        """Return what a request and its retries have in common, here and nowhere else."""
        return self._mark + handles.digest_of(request)

    async def expire(self, call: Call) -> None:
        """Give up a held request that nobody came back for."""
        events, call.events = call.events, None
        self._held.drop(call)
        await self._cancelled(call)
        if events is not None:
            await events.aclose()
        self._done(call)

    def has(self, call: Call) -> bool:
        """Whether a held request is this server's."""
        return self._calls.get(key_of(call.sent)) is call

    # -- what the server says by itself -----------------------------------------------------------------

    def listen_to(self, told: Callable[[Message | None], None]) -> None:
        """Have it told what the server says by itself, from now on; ``None`` when this session is over."""
        self._listeners.add(told)
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self.pump(), name="gateway pump")

    def leave(self, told: Callable[[Message | None], None]) -> None:
        """Undo :meth:`listen_to`."""
        self._listeners.remove(told)

    async def subscribe(self, uri: str) -> None:
        """Have the server say when a resource changes; counts how many want to know.

        Raises:
            Unavailable: where the server can't be reached.
            Refused: where it doesn't do that.
        """
        if uri not in self._subscribed:
            await self.ask("resources/subscribe", {"uri": uri})
        self._subscribed[uri] = self._subscribed.get(uri, 0) + 1

    async def unsubscribe(self, uri: str) -> None:
        """Undo :meth:`subscribe`.

        Raises:
            Unavailable: where the server can't be reached.
            Refused: where it doesn't do that.
        """
        self._subscribed[uri] = self._subscribed.get(uri, 1) - 1
        if self._subscribed[uri] <= 0:
            del self._subscribed[uri]
            await self.ask("resources/unsubscribe", {"uri": uri})

    def back(self) -> None:
        """Note that the server was away; who listens is told that its lists may have changed."""
        super().back()
        self._listeners.announce([kind for kind in methods.NOTICED if self.can(kind)])

    def differs(self, before: Mapping[str, Any]) -> list[str]:
        """Note what the server could do before it began anew; who listens is told which lists have changed by that."""
        kinds = super().differs(before)
        self._listeners.announce(kinds)
        return kinds

    async def aside(self, message: Arrived) -> None:
        """Take what belongs to no request of a client's: notices go to who listens, and nobody can be asked."""
        if not isinstance(message, Message):
            return
        if message.kind == "request":
            answer = self._own_answer(message) or asking.refusal(message, {})
            await self.relay.take(answer, PLAIN)
        elif message.kind == "notification":
            self._listeners.tell(message)

    async def close(self) -> None:
        """End the session."""
        self._listeners.end()
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.wait((self._pump,))
        for call in list(self._calls.values()):
            self._held.drop(call)
            if call.events is not None:
                await call.events.aclose()
        await super().close()

    # -- its face ---------------------------------------------------------------------------------------

    def identity(self, asked: Id) -> Id:
        """Return the client's own id."""
        call = self._calls.get(key_of(asked))
        return asked if call is None or call.asked.id is None else call.asked.id

    def reply(self, message: Message, entry: Open | None) -> Message:
        """Return a reply as a client of 2026-07-28 is to see it, under its own id."""
        if entry is None or is_own(entry.request.id) or message.id is None:
            return message
        call = self._calls.get(key_of(message.id))
        if call is None:
            return message
        self.host.heard(self, message)
        shown = eras.modern_reply(
            message, method=entry.request.method or "", capabilities=self.declared, server=self.info or None
        )
        return shown.rewired(id=call.asked.id)

    def spoken(self, message: Message, about: Open | None) -> Message | None:
        """Return a notification as a client of 2026-07-28 is to see it; requests stay, because they are held."""
        super().spoken(message, about)
        if message.kind == "request" or about is None:
            return message
        if message.method is not None and message.method.endswith("/list_changed"):
            self.host.changed(self, message.method)
        call = self._calls.get(key_of(about.request.id)) if about.request.id is not None else None
        if call is None:
            return message
        if message.method == "notifications/message" and not wants(call.level, message):
            return None  # a client of 2026-07-28 hears only what its request asked for (logging)
        shown = eras.modern_notification(message, None)
        token = correlate.progress_token(call.asked)
        if shown is not None and correlate.token_of(message) is not None and token is not None:
            shown = shown.rewired(at={"/params/progressToken": token})
        return shown
