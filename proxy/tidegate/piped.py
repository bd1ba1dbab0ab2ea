"""Instances as upstreams of relays: where a client's messages go, and how the answers come back."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Protocol

from tidegate import correlate, methods
from tidegate.message import Message
from tidegate.replay import NOTED
from tidegate.upstream import Answer, Arrived, Context, Event, Events, Unavailable, primed
from tidegate.waiting import LISTEN, closes
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.correlate import Open, Remap
    from tidegate.instances import Instance
    from tidegate.mailbox import Mailbox
    from tidegate.waiting import Waiting

SETTLE = 10.0  # seconds a client that speaks HTTP waits for one body, until it gets a stream that can be kept alive
STATUS = {-32601: 404, -32602: 400, -32020: 400, -32021: 400, -32022: 400}
"""The HTTP status of a JSON-RPC error in 2026-07-28 (streamable HTTP, responses)."""
_ABOUT_REQUESTS = ("notifications/cancelled", "notifications/progress")


class Source(Protocol):
    """Where an upstream gets its instance from: one of its own, or a shared one.

    Attributes:
        remap: how ids are mapped, where several clients share the instance.
        version: the protocol version that ``initialize`` agreed on.
        stateless: whether its user is all of a principal's clients without sessions, not one session.
        mailbox: where the server's own messages for this user are put; ``None`` for the instance's own.
    """

    remap: Remap | None
    version: str
    stateless: bool
    mailbox: Mailbox | None

    @property
    def current(self) -> Instance | None:
        """The instance, where one was acquired."""
        ...

    @property
    def ended(self) -> bool:
        """Whether the session can't go on."""
        ...

    async def acquire(self) -> Instance:
        """Return a running instance.

        Raises:
            Unavailable: where none can be had.
        """
        ...

    async def begin(self, message: Message, timeout: float) -> Answer | None:  # noqa: ASYNC109 - the server's silence
        """Take a judged ``initialize``; return its answer where this isn't simply sent to the instance.

        Raises:
            Unavailable: where no server can be had.
        """
        ...

    def note(self, message: Message) -> bool:
        """Note what the server will remember of a judged message; return whether to send it."""
        ...

    def answered(self, request: Message, reply: Message) -> None:
        """Note what the server answered to a request that it remembers something of."""
        ...

    def suspect(self, instance: Instance) -> None:
        """Note that an instance let a request pass its time."""
        ...

    async def release(self) -> None:
        """Put away what is this user's own."""
        ...


class PlainSource:
    """What of a :class:`Source` one needs not know that has a single instance, which isn't replaced."""

    remap: Remap | None = None
    stateless = False
    mailbox: Mailbox | None = None

    async def begin(self, message: Message, timeout: float) -> Answer | None:  # noqa: ARG002, ASYNC109 - the protocol's
        """Have it sent."""
        return None

    def note(self, message: Message) -> bool:  # noqa: ARG002 - the protocol's
        """Have it sent."""
        return True

    def answered(self, request: Message, reply: Message) -> None:
        """Remember nothing."""

    def suspect(self, instance: Instance) -> None:
        """Leave it as it is."""


class PipeUpstream:
    """An instance, as a relay's upstream."""

    ordered = True
    apart = False
    cancels = True
    late = True

    def __init__(self, source: Source, call_timeout: Callable[[], float]) -> None:
        self._source = source
        self._call_timeout = call_timeout

    @property
    def ended(self) -> bool:
        """Whether the session can't go on."""
        return self._source.ended

    # -- ids --------------------------------------------------------------------------------------------

    def outward(self, message: Message) -> Message:
        """Map id and token of a request, where the instance is shared."""
        remap = self._source.remap
        return message if remap is None else remap.outward(message)

    def aimed(self, message: Message, about: Open | None) -> tuple[Message, object]:
        """Map a notification or reply; return it, and which instance it is for: what asked, where it is a reply.

        Raises:
            Rejected: for a notification about a request, where many clients may have one of that id.
        """
        if message.is_reply:
            return message, self._source.current
        remap = self._source.remap
        if remap is None or message.method not in _ABOUT_REQUESTS:
            return message, None
        if self._source.stateless or (about is None and message.method == "notifications/progress"):
            raise Rejected("unsolicited", "The notification doesn't say whose request it is about.")
        if message.method == "notifications/cancelled":
            wanted = correlate.cancelled_id(message)
            if about is not None and about.sent is not None:
                return message.rewired(at={"/params/requestId": about.sent}), None
            if wanted is not None:  # it is closed already; under that id another may have an open one
                return message.rewired(at={"/params/requestId": remap.mint(wanted)}), None
        return message, None

    def forget(self, message: Message) -> None:
        """Undo :meth:`outward` for a request that isn't sent."""
        if self._source.remap is not None:
            self._source.remap.forget(message)

    def negotiated(self, version: str) -> None:
        """Note the version that ``initialize`` has agreed on; only one of them has batches."""
        self._source.version = version

    # -- to the server ----------------------------------------------------------------------------------

    async def send(self, message: Message, context: Context) -> Answer:
        """Send a message. A client that speaks HTTP gets a plain body for a plain answer, and else a stream.

        Raises:
            Unavailable: where the server can't be reached, or didn't answer in time.
        """
        timeout = self._call_timeout()
        source = self._source
        try:
            if message.method in NOTED and not message.is_reply:
                answer = await self._noted(message, timeout)
                if answer is not None:
                    return answer
            instance = await self._chosen(message, context)
            waiting = await instance.send(message, timeout, source.mailbox)
        except Unavailable:
            self.forget(message)
            raise
        if waiting is None:
            return Answer(202)
        if not (context.http or context.whole):
            return Answer(events=await primed(self._events(instance, waiting)))
        try:
            first = await waiting.mailbox.get(min(SETTLE, timeout))
        except TimeoutError:
            return Answer(events=await primed(self._events(instance, waiting, waited=SETTLE)))
        except Unavailable:
            self.forget(message)
            self._over(instance, waiting, closed=True)
            raise
        except asyncio.CancelledError:
            self._over(instance, waiting, closed=False)
            raise
        if not closes(first.data):
            return Answer(events=await primed(self._events(instance, waiting, first)))
        self._closing(waiting, first.data)
        self._over(instance, waiting, closed=True)
        return Answer(_status(first.data, message), body=first.data)

    async def _noted(self, message: Message, timeout: float) -> Answer | None:  # noqa: ASYNC109 - the server's silence
        """Take what the server will remember; return its answer where it isn't sent.

        Raises:
            Unavailable: where no server can be had.
        """
        if message.method == "initialize":
            return await self._source.begin(message, timeout) if message.kind == "request" else None
        await self._source.acquire()  # a new instance is told what came before, and then this
        return None if self._source.note(message) else Answer(202)

    async def _chosen(self, message: Message, context: Context) -> Instance:
        """Return the instance that a message goes to.

        Raises:
            Unavailable: where none can be had, or the one that asked has ended.
        """
        chosen: Instance | None = context.to
        if chosen is not None:
            return chosen
        if message.is_reply:
            raise Unavailable("The server that asked has ended.")
        return await self._source.acquire()

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
                closed = closes(event.data)
                if closed:
                    self._closing(waiting, event.data)
                yield event
        except TimeoutError:
            self._source.suspect(instance)
            raise Unavailable("The server didn't answer in time.", "overdue") from None
        except Unavailable:
            closed = True
            instance.forget(waiting.request)
            raise
        finally:
            self._over(instance, waiting, closed=closed)

    def _closing(self, waiting: Waiting, data: Arrived | None) -> None:
        """A request has its answer."""
        if waiting.request.method in NOTED and isinstance(data, Message):
            self._source.answered(waiting.request, data)

    def _over(self, instance: Instance, waiting: Waiting, *, closed: bool) -> None:
        """A request has its answer, or its reader has gone before: then a session may still ask for it."""
        if closed:
            return
        if self._source.stateless:
            instance.forget(waiting.request)
        else:
            waiting.silent = True
            waiting.mailbox.leave()

    # -- the server's own stream ------------------------------------------------------------------------

    async def listen(self, last_event_id: str | None, context: Context) -> Answer:  # noqa: ARG002 - for HTTP only
        """Open the server's own stream.

        Raises:
            Unavailable: where the server can't be reached.
        """
        own = self._source.mailbox or (await self._source.acquire()).own
        if last_event_id is not None:
            own.resume(last_event_id)
        return Answer(events=self._own(own))

    @staticmethod
    async def _own(own: Mailbox) -> Events:
        with contextlib.suppress(Unavailable):
            while True:
                yield await own.get()

    async def end(self, context: Context) -> Answer:  # noqa: ARG002 - for HTTP only
        """End the session; :meth:`close` puts the instance away."""
        return Answer(200)

    async def close(self) -> None:
        """Put the instance away, if it is this relay's own."""
        await self._source.release()


def _status(data: Arrived | None, request: Message) -> int:
    if isinstance(data, Message) and data.kind == "error" and methods.is_modern(methods.version_in(request)):
        return STATUS.get(data.tree["error"]["code"], 200)
    return 200
