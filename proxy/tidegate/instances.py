"""Servers that speak through one pipe: processes, containers, HTTP+SSE. Here their messages find their way back.

A pipe carries everything at once, so an :class:`Instance` tells by id, progress token or subscription id which
answer a message belongs to; what belongs to none goes to the server's own stream. An instance may be one
client's alone, or be shared by many, whose ids are then mapped (``correlate.Remap``).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Protocol

import structlog

from tidegate import correlate, methods, wire
from tidegate.correlate import Remap, key_of
from tidegate.ends.pipe import Overlong, PipeError
from tidegate.mailbox import Mailbox
from tidegate.message import Message
from tidegate.upstream import Answer, Arrived, Context, Event, Events, Unavailable, primed
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tidegate.correlate import Key
    from tidegate.ends.pipe import Pipe
    from tidegate.message import Id

log = structlog.get_logger("tidegate.instances")

SETTLE = 10.0  # seconds a client that speaks HTTP waits for one body, until it gets a stream that can be kept alive
LISTEN = "subscriptions/listen"
STATUS = {-32601: 404, -32602: 400, -32020: 400, -32021: 400, -32022: 400}
"""The HTTP status of a JSON-RPC error in 2026-07-28 (streamable HTTP, responses)."""


class Waiting:
    """One request that waits on an instance for its reply."""

    __slots__ = ("mailbox", "request", "silent")

    def __init__(self, request: Message) -> None:
        self.request = request
        self.mailbox = Mailbox()
        self.silent = False  # its reader has gone; what still comes goes to the server's own stream


class Instance:
    """One running server behind a pipe, and who waits for what from it.

    Args:
        pipe: the connection.
        limits: the limits in force.
        remap: how ids are mapped, where many clients share it.
        version: the protocol version in force, as far as it is known.
        refused: records bytes of the server's that are no message and no answer to anybody.
    """

    def __init__(
        self,
        pipe: Pipe,
        limits: Callable[[], wire.Limits],
        remap: Remap | None,
        version: Callable[[], str],
        refused: Callable[[Rejected], Awaitable[object]],
    ) -> None:
        self._refused = refused
        self.pipe = pipe
        self.remap = remap
        self.own = Mailbox(kept=0 if remap else 256)
        self.ended: Unavailable | None = None
        self.gone = asyncio.Event()
        self._limits = limits
        self._version = version
        self._waiting: dict[Key, Waiting] = {}
        self._tokens: dict[Key, Waiting] = {}
        self._reader: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """Whether nobody waits for anything."""
        return not self._waiting

    async def start(self) -> None:
        """Start the pipe and its reader.

        Raises:
            Unavailable: where it can't start.
        """
        try:
            await self.pipe.start()
        except PipeError as error:
            raise Unavailable(str(error)) from None
        self._reader = asyncio.create_task(self._read(), name="instance reader")

    async def close(self) -> None:
        """End the server, and everyone's waiting."""
        self._end(Unavailable("The server was stopped."))
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait((self._reader,))
        await self.pipe.close()

    def _end(self, failure: Unavailable) -> Unavailable:
        """Note that the server is of no use any more, and tell everyone who waits; return what they are told."""
        self.ended = self.ended or failure
        for waiting in self._waiting.values():
            waiting.mailbox.end(failure)
        self._waiting.clear()
        self._tokens.clear()
        self.own.end(failure)
        self.gone.set()
        return self.ended

    async def send(self, message: Message, timeout: float) -> Waiting | None:  # noqa: ASYNC109 - it ends the server too
        """Send a judged message; for a request, return where its answer will come.

        Args:
            message: the message.
            timeout: seconds after which a server that takes nothing any more counts as ended.

        Raises:
            Unavailable: where the server has ended.
        """
        if self.ended is not None:
            raise self.ended
        waiting = None
        if message.kind == "request" and message.id is not None:
            waiting = self._waiting[key_of(message.id)] = Waiting(message)
            token = correlate.progress_token(message)
            if token is not None:
                self._tokens[key_of(token)] = waiting
        try:
            async with asyncio.timeout(timeout):
                await self.pipe.send(message.encoded)
        except PipeError as error:
            raise self._end(Unavailable(str(error))) from None
        except TimeoutError:
            raise self._end(Unavailable("The server takes no messages any more.", "overdue")) from None
        except asyncio.CancelledError:  # then nothing was sent
            self.forget(message)
            raise
        return waiting

    def forget(self, request: Message) -> None:
        """Stop waiting for a reply: it has come, is overdue, or nobody wants it any more."""
        _drop(self._waiting, request.id, request)
        _drop(self._tokens, correlate.progress_token(request), request)
        if self.remap is not None:
            self.remap.forget(request)

    async def _read(self) -> None:
        while True:
            try:
                data = await self.pipe.receive()
                batch = self._version() == methods.BATCHING
                for message in wire.parse_many(data, "server", self._limits(), batch=batch):
                    waiting = self._route(message)
                    if waiting is not None and self.remap is None and waiting.mailbox.full:
                        await waiting.mailbox.room()  # its own client's pace is the server's
            except Rejected as refused:
                # What is no JSON, such as a banner, was never meant to be anyone's answer.
                await self._reject(refused, claimed=data.lstrip()[:1] in (b"{", b"["))
            except Overlong as overlong:
                reason = f"The message is longer than {self._limits().max_bytes} bytes."
                await self._reject(Rejected("limit", reason, size=overlong.size), claimed=True)
            except PipeError as error:
                self._end(Unavailable(str(error)))
                await self.pipe.close()  # whatever it leaves behind
                return

    async def _reject(self, refused: Rejected, *, claimed: bool) -> None:
        """Tell who waits that its answer is refused; where nobody does, have it recorded."""
        waiting = self._whose(refused) if claimed else None
        if waiting is not None and not waiting.silent:
            self._route(refused)
            return
        if waiting is not None:
            self.forget(waiting.request)
        await self._refused(refused)

    def _route(self, item: Message | Rejected) -> Waiting | None:
        """Put what came from the server where it belongs; return who waited for it."""
        waiting = self._whose(item)
        if self.remap is not None and isinstance(item, Message):
            item = self.remap.inward(item)
        if waiting is None or waiting.silent:
            if waiting is not None and _closes(item):
                self.forget(waiting.request)
            assert isinstance(item, Message), "refused bytes without a reader don't come this way"
            self._unclaimed(item)
        else:
            if _closes(item):  # at once, or what comes next would be taken to belong to it
                self.forget(waiting.request)
            if not waiting.mailbox.put(item):
                waiting.mailbox.end(Unavailable("The client reads too slowly, so the rest of its answer was dropped."))
        return waiting

    def _unclaimed(self, item: Message) -> None:
        """Put what belongs to no request on the server's own stream."""
        before = self.own.dropped
        self.own.put_latest(item)
        if before == 0 and self.own.dropped:
            log.warning("nobody reads the server's own stream, so its oldest messages are dropped")

    def _whose(self, item: Message | Rejected) -> Waiting | None:
        if isinstance(item, Rejected) and item.call:
            return None
        if isinstance(item, Rejected) or item.is_reply:
            if item.id is not None:
                return self._waiting.get(key_of(item.id))
            return next(iter(self._waiting.values())) if len(self._waiting) == 1 else None
        token = correlate.token_of(item)
        if token is not None:
            return self._tokens.get(key_of(token))
        tag = correlate.subscription_id(item)
        if tag is not None:
            return self._waiting.get(key_of(tag))
        return self._latest() if item.kind == "request" or item.method == "notifications/message" else None

    def _latest(self) -> Waiting | None:
        """A request or log message of the server's is taken to belong to the request it got last."""
        for waiting in reversed(self._waiting.values()):
            if waiting.request.method != LISTEN and not waiting.silent:
                return waiting
        return None


def _drop(table: dict[Key, Waiting], identity: Id | None, request: Message) -> None:
    """Take a request out of a table, unless another has its id or token by now."""
    if identity is not None and key_of(identity) in table and table[key_of(identity)].request is request:
        del table[key_of(identity)]


def _closes(item: Arrived | None) -> bool:
    return isinstance(item, Rejected) or (isinstance(item, Message) and item.is_reply)


class Source(Protocol):
    """Where an upstream gets its instance from: one of its own, or a shared one."""

    remap: Remap | None
    version: str

    async def acquire(self) -> Instance:
        """Return a running instance.

        Raises:
            Unavailable: where none can be had.
        """
        ...

    async def release(self) -> None:
        """Put away what is this user's own."""
        ...


class PipeUpstream:
    """An instance, as a relay's upstream."""

    ordered = True
    cancels = True
    late = True

    def __init__(self, source: Source, call_timeout: Callable[[], float]) -> None:
        self._source = source
        self._call_timeout = call_timeout

    def outward(self, message: Message) -> Message:
        """Map ids and tokens, where the instance is shared.

        Raises:
            Rejected: for a notification about a request, because many clients may have one of that id.
        """
        remap = self._source.remap
        if remap is None or message.is_reply:
            return message
        if message.kind == "request":
            return remap.outward(message)
        if message.method in ("notifications/cancelled", "notifications/progress"):
            raise Rejected("unsolicited", "The notification doesn't say whose request it is about.")
        return message

    def forget(self, message: Message) -> None:
        """Undo :meth:`outward` for a request that isn't sent."""
        if self._source.remap is not None:
            self._source.remap.forget(message)

    def negotiated(self, version: str) -> None:
        """Note the version that ``initialize`` has agreed on; only one of them has batches."""
        self._source.version = version

    async def send(self, message: Message, context: Context) -> Answer:
        """Send a message. A client that speaks HTTP gets a plain body for a plain answer, and else a stream.

        Raises:
            Unavailable: where the server can't be reached, or didn't answer in time.
        """
        timeout = self._call_timeout()
        try:
            instance = await self._source.acquire()
            waiting = await instance.send(message, timeout)
        except Unavailable:
            self.forget(message)
            raise
        if waiting is None:
            return Answer(202)
        if not context.http:
            return Answer(events=await primed(self._events(instance, waiting)))
        try:
            first = await waiting.mailbox.get(min(SETTLE, timeout))
        except TimeoutError:
            return Answer(events=await primed(self._events(instance, waiting, waited=SETTLE)))
        except Unavailable:
            self.forget(message)
            raise
        except asyncio.CancelledError:
            _give_up(instance, waiting)
            raise
        if not _closes(first.data):
            return Answer(events=await primed(self._events(instance, waiting, first)))
        return Answer(_status(first.data, message), body=first.data)

    async def _events(
        self, instance: Instance, waiting: Waiting, first: Event | None = None, *, waited: float = 0.0
    ) -> Events:
        endless = waiting.request.method == LISTEN
        silence = None if endless else self._call_timeout()
        timeout = None if silence is None else max(silence - waited, 0.0)
        closed = False
        try:
            yield Event(None)  # for primed()
            if first is not None:
                yield first
            while not closed:
                event = await waiting.mailbox.get(timeout)
                timeout = silence
                closed = _closes(event.data)
                yield event
        except TimeoutError:
            raise Unavailable("The server didn't answer in time.", "overdue") from None
        finally:
            if not closed:
                _give_up(instance, waiting)

    async def listen(self, last_event_id: str | None, context: Context) -> Answer:  # noqa: ARG002 - for HTTP only
        """Open the server's own stream.

        Raises:
            Unavailable: where the server can't be reached.
        """
        instance = await self._source.acquire()
        if last_event_id is not None:
            instance.own.resume(last_event_id)
        return Answer(events=self._own(instance))

    @staticmethod
    async def _own(instance: Instance) -> Events:
        with contextlib.suppress(Unavailable):
            while True:
                yield await instance.own.get()

    async def end(self, context: Context) -> Answer:  # noqa: ARG002 - for HTTP only
        """End the session; :meth:`close` puts the instance away."""
        return Answer(200)

    async def close(self) -> None:
        """Put the instance away, if it is this relay's own."""
        await self._source.release()


def _give_up(instance: Instance, waiting: Waiting) -> None:
    """The reader has gone before the reply. A shared instance forgets it; a session may still ask for it."""
    if instance.remap is not None:
        instance.forget(waiting.request)
    else:
        waiting.silent = True
        waiting.mailbox.leave()


def _status(data: Arrived | None, request: Message) -> int:
    if isinstance(data, Message) and data.kind == "error" and methods.is_modern(methods.version_in(request)):
        return STATUS.get(data.tree["error"]["code"], 200)
    return 200
