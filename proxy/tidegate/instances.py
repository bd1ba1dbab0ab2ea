"""Servers that speak through one pipe: processes, containers, HTTP+SSE. Here their messages find their way back.

A pipe carries everything at once, so an :class:`Instance` tells by id, progress token or subscription id which
answer a message belongs to; what belongs to none goes to the server's own stream. An instance may be one
client's alone, or be shared by many, whose ids are then mapped (``correlate.Remap``). What uses it is ``piped.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import TYPE_CHECKING

import structlog

from tidegate import correlate, methods, values, wire
from tidegate.correlate import Remap, key_of
from tidegate.ends.pipe import Overlong, PipeError
from tidegate.mailbox import Mailbox
from tidegate.upstream import Unavailable
from tidegate.verdict import error_bytes
from tidegate.waiting import Awaited, Waiting, closes
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tidegate.correlate import Key
    from tidegate.ends.pipe import Pipe
    from tidegate.message import Message

log = structlog.get_logger("tidegate.instances")

MAX_ASKED = 1024  # requests of a shared server's whose addressee is remembered
_REFUSAL = 5.0  # seconds a server may take to read that its own request is refused
_ALIVE = {methods.VERSION_KEY: methods.MODERN, "io.modelcontextprotocol/clientCapabilities": {}}


class Instance:
    """One running server behind a pipe, and who waits for what from it.

    Args:
        pipe: the connection.
        limits: the limits in force.
        remap: how ids are mapped, where many clients share it.
        version: the protocol version in force, as far as it is known.
        refused: records bytes of the server's that are no message and no answer to anybody.

    Attributes:
        own: what the server says by itself, as long as nobody has joined.
        ended: how it ended, once it has.
        stopped: whether it ended because it was told to.
        gone: set when it has ended.
        calls: how many messages were sent to it.
        answered: whether it has ever answered anything.
        farewell: a sentence for those whose requests fail because it ended by itself.
        awaited: the requests that wait for it.
        modern: whether it speaks 2026-07-28, and so has no ping.
        inward: maps what came from the server, where ids are mapped at all.
        on_answer: called when it answers for the first time.
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
        self.own = Mailbox(kept=0 if remap else 256)
        self.ended: Unavailable | None = None
        self.stopped = False
        self.gone = asyncio.Event()
        self.calls = 0
        self.answered = False
        self.farewell = ""
        self.modern = False
        self.on_answer: Callable[[], None] | None = None
        self._limits = limits
        self.awaited = Awaited()
        self._seats: list[Mailbox] = []
        self._asked: dict[Key, Mailbox] = {}  # of a shared server's own requests, who got them
        self._alive: dict[object, asyncio.Future[None]] = {}
        self._reader: asyncio.Task[None] | None = None
        self.given(remap, version)

    @property
    def idle(self) -> bool:
        """Whether nobody waits for anything."""
        return not self.awaited

    # -- whose it is ------------------------------------------------------------------------------------

    def given(
        self,
        remap: Remap | None,
        version: Callable[[], str],
        refused: Callable[[Rejected], Awaitable[object]] | None = None,
    ) -> None:
        """Note whose it is; one that was kept ready learns it late."""
        self.remap = remap
        self.inward: Callable[[Message], Message] | None = remap.inward if remap is not None else None
        self._version = version
        self._refused = refused or self._refused

    def join(self, own: Mailbox) -> None:
        """Have what the server says by itself put here too. What it said while nobody was here comes first."""
        if own not in self._seats:
            if not self._seats:
                for event in self.own.drained():
                    own.put_latest(event)
            self._seats.append(own)

    def leave(self, own: Mailbox) -> None:
        """Undo :meth:`join`."""
        if own in self._seats:
            self._seats.remove(own)

    # -- its life ---------------------------------------------------------------------------------------

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
        self.stop("The server was stopped.")
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait((self._reader,))
            self._reader = None  # its traceback holds this, and the last messages
        await self.pipe.close()

    def stop(self, reason: str) -> None:
        """Say that it is to end; everyone's waiting ends at once, and :meth:`close` ends the server."""
        if self.ended is None:
            self.stopped = True
            self._end(Unavailable(reason))

    def fail(self, reason: str) -> None:
        """Say that it is of no use any more, as where it hangs; :meth:`close` ends the server."""
        self._end(Unavailable(reason))

    def _end(self, failure: Unavailable) -> Unavailable:
        """Note that the server is of no use any more, and tell everyone who waits; return what they are told."""
        self.ended = self.ended or failure
        told = self.ended
        if self.farewell and not self.stopped:
            told = Unavailable(f"{told} {self.farewell}", told.code)
        self.awaited.end(told)
        self.own.end(told)
        self.gone.set()
        return told

    async def alive(self, within: float) -> bool:
        """Ask the server whether it lives; any reply says so. Neither question nor reply is ever a client's.

        Source: 2025-11-25, ping; 2026-07-28 has none, but every server must answer ``server/discover``.
        """
        identity = f"tidegate-{secrets.token_hex(16)}"  # nobody can guess it, so nobody's message is taken for it
        heard = self._alive[identity] = asyncio.get_running_loop().create_future()
        tree: dict[str, object] = {"jsonrpc": "2.0", "id": identity, "method": "ping"}
        if self.modern:
            tree.update(method="server/discover", params={"_meta": _ALIVE})
        try:
            async with asyncio.timeout(within):
                await self.pipe.send(values.encode(tree))
                await heard
        except (TimeoutError, PipeError):
            return False
        return True

    # -- to the server ----------------------------------------------------------------------------------

    async def send(self, message: Message, timeout: float, own: Mailbox | None = None) -> Waiting | None:  # noqa: ASYNC109 - it ends the server too
        """Send a judged message; for a request, return where its answer will come.

        Args:
            message: the message.
            timeout: seconds after which a server that takes nothing any more counts as ended.
            own: where its sender reads what the server says by itself.

        Raises:
            Unavailable: where the server has ended.
        """
        if self.ended is not None:
            raise self.ended
        self.calls += 1
        waiting = None
        if message.kind == "request" and message.id is not None:
            waiting = self.awaited.add(message, own or self.own)
        elif message.method == "notifications/cancelled":
            self.awaited.cancelled(message)
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
        self.awaited.forget(request)
        if self.remap is not None:
            self.remap.forget(request)

    # -- from the server --------------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            try:
                data = await self.pipe.receive()
                batch = self._version() == methods.BATCHING
                found = wire.parse_many(data, "server", self._limits(), batch=batch)
                for one in found if isinstance(found, list) else (found,):
                    if isinstance(one, Rejected):  # without an id it may be anyone's, or nobody's
                        await self._reject(one, claimed=one.id is not None)
                    else:
                        await self._take(one)
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

    async def _take(self, message: Message) -> None:
        """Give a message to whom it is for."""
        waiting = self._route(message)
        if isinstance(waiting, Rejected):
            await self._nobodys(message, waiting)
        elif waiting is not None and self.remap is None and waiting.mailbox.full:
            await waiting.mailbox.room()  # its own client's pace is the server's

    async def _reject(self, refused: Rejected, *, claimed: bool) -> None:
        """Tell who waits that its answer is refused; where nobody does, have it recorded."""
        if self._alive and claimed and self._heard(refused):
            return
        waiting = self.awaited.about(refused) if claimed else None
        if waiting is not None and not waiting.silent:
            self._route(refused)
            return
        if waiting is not None:
            self._close(waiting)
        await self._refused(refused)

    async def _nobodys(self, item: Message, refused: Rejected) -> None:
        """Have recorded what can't be given to one of many; a server that asked is told."""
        await self._refused(refused)
        if item.kind == "request":
            with contextlib.suppress(PipeError, TimeoutError):
                async with asyncio.timeout(_REFUSAL):
                    await self.pipe.send(error_bytes(refused.code, refused.reason, item.id))

    def _heard(self, item: Message | Rejected) -> bool:
        """Whether it answers a question of Tidegate's own; then whoever asked goes on."""
        identity = item.id
        if identity is None and not self.awaited and not getattr(item, "call", False):
            identity = next(iter(self._alive))  # type: ignore[assignment]  # an error that can't say what it answers
        heard = self._alive.pop(identity, None)
        if heard is None:
            return False
        if not heard.done():
            heard.set_result(None)
        self._has_answered()
        return True

    def _has_answered(self) -> None:
        self.answered = True
        if self.on_answer is not None:
            self.on_answer()
            self.on_answer = None

    def _route(self, item: Message | Rejected) -> Waiting | Rejected | None:
        """Put what came from the server where it belongs; return who waited for it, or why it is nobody's."""
        if self._alive and (isinstance(item, Rejected) or item.is_reply) and self._heard(item):
            return None
        waiting = self.awaited.about(item)
        if self.inward is not None and not isinstance(item, Rejected):
            item = self.inward(item)
        if waiting is None or waiting.silent:
            assert not isinstance(item, Rejected), "refused bytes without a reader don't come this way"
            if waiting is None:
                return self._unclaimed(item)
            if closes(item):
                self._close(waiting)
            self._put_own(waiting.own, item)
        else:
            if closes(item):  # at once, or what comes next would be taken to belong to it
                self.forget(waiting.request)
                if not self.answered:
                    self._has_answered()
            elif self._seats and not isinstance(item, Rejected) and item.kind == "request":
                self._asks(item, waiting.own)
            if not waiting.mailbox.put(item):
                waiting.mailbox.end(Unavailable("The client reads too slowly, so the rest of its answer was dropped."))
        return waiting

    def _close(self, waiting: Waiting) -> None:
        """A request has its reply, which nobody waits for any more."""
        self.forget(waiting.request)
        if waiting.released is not None:
            waiting.released()

    def _asks(self, request: Message, own: Mailbox) -> None:
        """Remember whom a request of a shared server's went to."""
        if self.remap is not None and request.id is not None:
            while len(self._asked) >= MAX_ASKED:
                del self._asked[next(iter(self._asked))]
            self._asked[key_of(request.id)] = own

    def _unclaimed(self, item: Message) -> Rejected | None:
        """Put what belongs to no request on the server's own stream; return why not, where it could be another's."""
        if self.remap is None or not self._seats:
            self._put_own(self._seats[0] if self._seats else self.own, item)
            return None
        if item.is_reply or correlate.token_of(item) is not None or correlate.subscription_id(item) is not None:
            return Rejected("unsolicited", "The message answers no open request.")
        if item.method == "notifications/cancelled":
            asked = correlate.cancelled_id(item)
            own = self._asked.pop(key_of(asked), None) if asked is not None else None
            if own is None:
                return Rejected("unsolicited", "The notification is about no open request.")
            self._put_own(own, item)
        elif item.kind == "request":
            if len(self._seats) > 1:
                return Rejected(
                    "unsolicited", "Several clients share this server, so it must ask while it works for one."
                )
            self._asks(item, self._seats[0])
            self._put_own(self._seats[0], item)
        else:
            for own in self._seats:
                self._put_own(own, item)
        return None

    @staticmethod
    def _put_own(own: Mailbox, item: Message) -> None:
        before = own.dropped
        own.put_latest(item)
        if before == 0 and own.dropped:
            log.warning("nobody reads the server's own stream, so its oldest messages are dropped")
