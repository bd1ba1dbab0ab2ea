"""A server without sessions (2026-07-28), for a client with one (2024-11-05 to 2025-11-25).

What the server needs to know first, it says as the result of a request; the client is then asked with requests of the
kinds it knows, and the server the same again with the answers.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import structlog

from tidegate import correlate, methods, values, wire
from tidegate.correlate import key_of
from tidegate.gateway import asking, capabilities, eras
from tidegate.gateway.older import older_reply, older_request
from tidegate.gateway.own_requests import OWN, Refused, is_own, request
from tidegate.gateway.peers import PLAIN, WHOLE, Peer
from tidegate.gateway.replies import cancelled, condensed
from tidegate.gateway.shared import HOLD
from tidegate.streams import Out, Outs, Reply
from tidegate.upstream import Unavailable, primed
from tidegate.verdict import Deny, rpc_error
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from tidegate.correlate import Key, Open
    from tidegate.gateway.host import Host
    from tidegate.message import Id, Message
    from tidegate.relay import Relay
    from tidegate.upstream import Context

log = structlog.get_logger("tidegate.gateway")

_AHEAD = 64  # messages of one answer that its reader has yet to take
_PATIENCE = 10.0  # seconds that the server may take to say that it will tell of changes
_PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)  # seconds until a stream of changes that has ended is asked for again
_LISTS = ("tools", "prompts", "resources")


class ModernPeer(Peer):
    """A server of 2026-07-28, for one client's session.

    Args:
        host: the front that it belongs to.
        name: the server's name.
        relay: the relay in front of it.
        initialize: the client's ``params`` of ``initialize``, as they were judged.
        compose: has a message recorded that the gateway puts together, and returns its bytes and itself.
    """

    def __init__(
        self,
        host: Host,
        name: str,
        relay: Relay,
        initialize: Mapping[str, Any],
        compose: Callable[[Message], Awaitable[Out]],
    ) -> None:
        super().__init__(host, name, relay)
        said = initialize.get("capabilities")
        self._declared: dict[str, Any] = said if isinstance(said, dict) else {}
        self._told = capabilities.told(self._declared, client=host.version, server=methods.MODERN)
        self._client: dict[str, Any] = initialize.get("clientInfo") or {"name": "unknown", "version": "unknown"}
        self._compose = compose
        self._calls: dict[Key, asyncio.Task[None]] = {}
        self._ids: dict[Key, Id] = {}  # of requests asked again: the client's own
        self._answers: dict[Key, asyncio.Future[Message]] = {}
        self._number = 0
        self._uris: set[str] = set()
        self._over = False
        self._listening: asyncio.Task[object] | None = None
        self._turn = asyncio.Lock()
        self.level: str | None = None

    def discovered(self, result: Mapping[str, Any]) -> None:
        """Note what the server says of itself."""
        said = result.get("capabilities")
        self.capabilities = capabilities.legacy_capabilities(said) if isinstance(said, dict) else {}
        text = result.get("instructions")
        self.instructions = text if isinstance(text, str) else ""
        self.server_version = methods.MODERN

    async def begin(self) -> None:
        """Ask the server what it is.

        Raises:
            Unavailable: where the server can't be reached.
            Refused: where it doesn't speak 2026-07-28.
        """
        self.discovered(await self.ask("server/discover"))

    def own_request(self, method: str, params: Mapping[str, Any] | None, meta: Any) -> Message:  # noqa: ARG002 - the client's own is of another era
        """Return a request in the client's name; see :meth:`Peer.ask`."""
        return self._dressed(request(method, params))

    async def alive(self) -> None:
        """Ask whether the server answers.

        Raises:
            Unavailable: where it doesn't.
        """
        with contextlib.suppress(Refused):
            await self.ask("server/discover")

    def _dressed(self, message: Message) -> Message:
        return eras.modern_request(message, client=self._client, capabilities=self._told, level=self.level)

    # -- requests ---------------------------------------------------------------------------------------

    async def take(self, message: Message, context: Context) -> Reply:
        """Send a request of the client's; what the server asks first is asked of the client meanwhile."""
        assert message.id is not None
        if message.method in ("resources/subscribe", "resources/unsubscribe"):
            return await self._subscribed(message)
        queue: asyncio.Queue[Out | None] = asyncio.Queue(_AHEAD)
        key = key_of(message.id)
        if key in self._calls:
            return await self.relay.refuse(Rejected("unsolicited", "A request with this id is already open."))
        task = asyncio.create_task(self._worked(message, queue, context), name="gateway call")
        self._calls[key] = task
        task.add_done_callback(lambda _: self._calls.pop(key, None))
        return await condensed(await primed(self._read(queue, task)), context)

    async def _read(self, queue: asyncio.Queue[Out | None], task: asyncio.Task[None]) -> Outs:
        try:
            yield Out(None)  # for primed()
            while (out := await queue.get()) is not None:
                yield out
        except GeneratorExit:  # the server works on for a client of an older version, but nobody reads it
            self.later(_emptied(queue))
            raise
        if not task.cancelled():
            task.result()

    async def _worked(self, message: Message, queue: asyncio.Queue[Out | None], context: Context) -> None:
        """Have a request answered, in as many rounds as it takes; put what the client gets into a queue."""
        answered = False
        try:
            asked, rounds = self._dressed(message), 0
            while True:
                last = await self._asked_once(asked, queue, context)
                if last.message is None or not asking.is_asking(last.message):
                    await queue.put(last)
                    answered = True
                    break
                rounds += 1
                try:
                    asked = await self._again(message, asked, last.message, rounds, queue)
                except Rejected as refused:
                    deny = Deny(refused.reason, code=refused.code, rule="gateway")
                    await queue.put(await self._refused(message, deny))
                    answered = True
                    break
            await queue.put(None)
        except BaseException:
            last_words: list[Out | None] = [None]
            if self._over and not answered:  # it isn't the client that gave it up
                deny = Deny("The session is over.", code="unavailable", rule="gateway")
                last_words = [await self._refused(message, deny), None]
            for out in last_words:
                if queue.full():
                    queue.get_nowait()  # its reader is to hear that it is over
                queue.put_nowait(out)
            raise
        finally:
            self._ids = {key: own for key, own in self._ids.items() if key_of(own) != key_of(message.id or "")}

    async def _asked_once(self, asked: Message, queue: asyncio.Queue[Out | None], context: Context) -> Out:
        """Send a request; return the server's reply, and put all before it into the queue."""
        reply = await self.relay.take(asked, WHOLE if context.http else PLAIN)
        if reply.events is None:
            return Out(reply.body, message=reply.message)
        async with contextlib.aclosing(reply.events) as events:
            async for out in events:
                if out.data is None:
                    continue
                if out.message is None or out.message.is_reply:
                    return Out(out.data, message=out.message)
                await queue.put(Out(out.data, message=out.message))
        own = asked.rewired(id=self.identity(asked.id or ""))
        return await self._refused(
            own, Deny("The server ended the answer without a reply.", code="unavailable", rule="server")
        )

    async def _refused(self, message: Message, deny: Deny) -> Out:
        """Record that a request of the client's gets no answer, and say why."""
        decision = await self.relay.core.now.pipeline.note("rejected", self.relay.flows.of(message), deny)
        return Out(values.encode(rpc_error(decision, message.id)))

    async def _again(
        self, message: Message, asked: Message, reply: Message, rounds: int, queue: asyncio.Queue[Out | None]
    ) -> Message:
        """Ask the client what the server needs to know; return the request with the answers.

        Raises:
            Rejected: where the client can't be asked, or doesn't answer.
        """
        version = self.host.version
        questions = asking.questions(reply, self._mint, capabilities=self._declared, version=version, rounds=rounds)
        waiting: dict[str, asyncio.Future[Message]] = {}
        for key, question in questions.items():
            assert question.id is not None
            future = self._answers[key_of(question.id)] = asyncio.get_running_loop().create_future()
            waiting[key] = future
            shown = older_request(question, version=version)
            out = await self._compose(self.host.asked.mint(self, shown))
            if out.message is None:
                raise Rejected("unrecorded", "What the server asks could not be recorded, so it is not asked.")
            await queue.put(out)
        try:
            async with asyncio.timeout(HOLD):
                for future in waiting.values():
                    await future
        except TimeoutError:
            await self._take_back(questions, queue)
            raise Rejected("overdue", "The client did not answer what the server asked.", id=message.id) from None
        except asyncio.CancelledError:
            await self._take_back(questions, queue)
            raise
        finally:
            for question in questions.values():
                self._answers.pop(key_of(question.id or ""), None)
        identity = self._mint()
        assert message.id is not None
        self._ids[key_of(identity)] = message.id
        return asking.retried(asked, reply, {key: future.result() for key, future in waiting.items()}, identity)

    async def _take_back(self, questions: Mapping[str, Message], queue: asyncio.Queue[Out | None]) -> None:
        """Tell the client that nobody waits for its answers any more."""
        for question in questions.values():
            params = {"requestId": question.id, "reason": "The request that this was asked for is over."}
            tree = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
            told = self.host.asked.cancelled(self, wire.classify(tree, "server"))
            if told is not None:
                out = await self._compose(told)
                with contextlib.suppress(asyncio.QueueFull):
                    queue.put_nowait(out)

    def _mint(self) -> Id:
        self._number += 1
        return f"{OWN}q{self._number}"  # a client doesn't see it

    async def answer(self, reply: Message) -> None:
        """Take the client's answer to a question, which is judged in the request that carries it."""
        future = self._answers.get(key_of(reply.id)) if reply.id is not None else None
        if future is not None and not future.done():
            future.set_result(reply)

    def has_open(self, identity: Id) -> bool:
        """Whether a request of the client's waits for this server's reply."""
        return key_of(identity) in self._calls

    @property
    def busy(self) -> bool:
        """Whether any request waits for this server's reply."""
        return bool(self._calls)

    async def cancel(self, message: Message) -> None:
        """Give up the request that a ``notifications/cancelled`` is about; the server is told in its own way."""
        wanted = correlate.cancelled_id(message)
        task = self._calls.get(key_of(wanted)) if wanted is not None else None
        if task is not None:
            task.cancel()

    # -- changes ----------------------------------------------------------------------------------------

    async def _subscribed(self, message: Message) -> Reply:
        """Have the server tell of a resource's changes, or not any more.

        Raises:
            Unavailable: where the server can't be reached, or doesn't want to.
        """
        params = message.tree.get("params") or {}
        uri = params.get("uri")
        async with self._turn:
            before = set(self._uris)
            if isinstance(uri, str):
                (self._uris.add if message.method == "resources/subscribe" else self._uris.discard)(uri)
            try:
                await self._listen_anew()
            except BaseException:
                self._uris = before
                raise
        tree: dict[str, Any] = {"jsonrpc": "2.0", "id": message.id, "result": {}}
        out = await self._compose(wire.classify(tree, "server").answering(message.method))
        return Reply(body=out.data, message=out.message)

    async def pump(self) -> None:
        """Take what the server says by itself: it says it to who listens."""
        with contextlib.suppress(Unavailable):
            async with self._turn:
                await self._listen_anew()

    async def _listen_anew(self) -> None:
        """Listen to what is of interest now; returns when the server has said that it will tell.

        Raises:
            Unavailable: where it doesn't; the listener that there was goes on.
        """
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        listening = self.later(self._listen(begun))
        over = Unavailable("The session is over.")
        listening.add_done_callback(lambda _: None if begun.done() else begun.set_exception(over))
        try:
            async with asyncio.timeout(_PATIENCE):
                await begun
        except BaseException as failure:
            listening.cancel()
            if isinstance(failure, TimeoutError):
                raise Unavailable("The server doesn't say that it will tell of changes.", "overdue") from None
            raise
        if self._listening is not None:
            self._listening.cancel()
        self._listening = listening

    async def _listen(self, begun: asyncio.Future[None]) -> None:
        tries = 0
        while True:
            try:
                await self._listen_once(begun)
                tries = 0
            except Unavailable as failure:
                if not begun.done():
                    begun.set_exception(failure)
                    return
                log.debug("the server doesn't tell of changes", server=self.name, reason=str(failure))
            await asyncio.sleep(_PAUSES[min(tries, len(_PAUSES) - 1)])
            tries += 1

    async def _listen_once(self, begun: asyncio.Future[None]) -> None:
        wanted: dict[str, Any] = {f"{kind}ListChanged": True for kind in _LISTS if self.can(kind)}
        if self._uris:
            wanted["resourceSubscriptions"] = sorted(self._uris)
        reply = await self.relay.take(self._dressed(request("subscriptions/listen", {"notifications": wanted})), PLAIN)
        if reply.events is None:
            raise Unavailable("The server doesn't tell of changes.")
        async with contextlib.aclosing(reply.events) as events:
            async for out in events:
                if out.data is None:
                    continue
                if not begun.done():
                    begun.set_result(None)  # whatever it says, it has begun
                if out.message is None or out.message.is_reply:
                    if out.message is None or out.message.kind == "error":
                        raise Unavailable("The server doesn't tell of changes.")
                    return
                if out.message.method != _ACKNOWLEDGED:
                    await self.aside(out.message)

    async def close(self) -> None:
        """Give up everything."""
        self._over = True
        await cancelled(self._calls.values())
        await super().close()

    # -- its face ---------------------------------------------------------------------------------------

    def identity(self, asked: Id) -> Id:
        """Return the client's own id of a request that was asked again."""
        return self._ids.get(key_of(asked), asked)

    def reply(self, message: Message, entry: Open | None) -> Message:
        """Return a reply as a client with a session is to see it; what asks stays, because it isn't sent."""
        if entry is None:
            return message
        if is_own(entry.request.id) and key_of(entry.request.id or "") not in self._ids:
            listed = (entry.request.method or "").endswith("/list")
            return eras.legacy_reply(message, method=entry.request.method or "", version="") if listed else message
        own = self.identity(entry.request.id or "")
        if asking.is_asking(message):
            return message
        self.host.heard(self, message)
        method, version = entry.request.method or "", self.host.version
        shown = older_reply(eras.legacy_reply(message, method=method, version=version), method=method, version=version)
        return shown if message.id is None or key_of(own) == key_of(message.id) else shown.rewired(id=own)

    def spoken(self, message: Message, about: Open | None) -> Message | None:
        """Return a notification as a client with a session is to see it; see :meth:`Peer.spoken`."""
        message = self.unasking(message)
        super().spoken(message, about)
        if message.method == _ACKNOWLEDGED:
            return message  # it goes no further than to this peer
        if message.method is not None and message.method.endswith("/list_changed"):
            self.host.changed(self, message.method)
        return eras.legacy_notification(message, self.host.version)


async def _emptied(queue: asyncio.Queue[Out | None]) -> None:
    """Take what nobody reads any more."""
    while await queue.get() is not None:
        pass


_ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
