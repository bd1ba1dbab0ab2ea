"""An instance for every call: what a call leaves behind goes with it, and no call meets another's."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from tidegate import correlate
from tidegate.correlate import key_of
from tidegate.piped import PipeUpstream
from tidegate.upstream import Answer, Context, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.correlate import Key, Open
    from tidegate.homes import Seat
    from tidegate.instances import Instance
    from tidegate.message import Id, Message
    from tidegate.pool import Running
    from tidegate.waiting import Waiting

MAX_ASKED = 1024  # requests of the servers of one session that are open
CALL = "tools/call"
_CANCELLED = "notifications/cancelled"


class Asks:
    """Tells apart what the instances of one session ask its client: each counts its requests by itself.

    Ids and progress tokens are mapped before a message is judged, in both directions; a minted one has the type of the
    server's own.
    """

    def __init__(self) -> None:
        self._last = 0
        self._open: dict[Key, tuple[Instance, Id, Key | None]] = {}
        self._tokens: dict[Key, tuple[Instance, Id]] = {}

    def over(self, instance: Instance) -> Callable[[Message], Message]:
        """Return what maps the messages of one instance, after what maps them otherwise."""
        remap = instance.remap
        if remap is None:
            return partial(self._inward, instance)
        return lambda message: self._inward(instance, remap.inward(message))

    def _mint(self, like: Id) -> Id:
        self._last += 1
        return self._last if isinstance(like, int) else f"s{self._last}"

    def _inward(self, instance: Instance, message: Message) -> Message:
        if message.kind == "request" and message.id is not None:
            return self._asked(instance, message, message.id)
        if message.method == _CANCELLED:
            wanted = correlate.cancelled_id(message)
            for key, (asking, own, _) in self._open.items():
                if asking is instance and wanted is not None and key_of(own) == key_of(wanted):
                    return message.rewired(at={"/params/requestId": key[1]})
        return message

    def _asked(self, instance: Instance, request: Message, identity: Id) -> Message:
        while len(self._open) >= MAX_ASKED:
            self._close(next(iter(self._open)))
        minted, token, at = self._mint(identity), correlate.progress_token(request), dict[str, Any]()
        token_key = None
        if token is not None:
            at["/params/_meta/progressToken"] = new = self._mint(token)
            token_key = key_of(new)
            self._tokens[token_key] = (instance, token)
        self._open[key_of(minted)] = (instance, identity, token_key)
        return request.rewired(id=minted, at=at)

    def _close(self, key: Key) -> tuple[Instance, Id] | None:
        instance, identity, token = self._open.pop(key, (None, "", None))
        if token is not None:
            self._tokens.pop(token, None)
        return None if instance is None else (instance, identity)

    def outward(self, message: Message) -> tuple[Message, Instance | None]:
        """Return a client's reply or progress as the server that asked knows it, and that server."""
        if message.is_reply:
            found = self._close(key_of(message.id)) if message.id is not None else None
            return (message, None) if found is None else (message.rewired(id=found[1]), found[0])
        token = correlate.token_of(message)
        asking = self._tokens.get(key_of(token)) if token is not None else None
        if asking is None:
            return message, None
        return message.rewired(at={"/params/progressToken": asking[1]}), asking[0]

    def forget(self, instance: Instance) -> None:
        """Forget what an instance asked that has ended."""
        for key in [key for key, (asking, _, _) in self._open.items() if asking is instance]:
            self._close(key)


class CallUpstream(PipeUpstream):
    """As a relay's upstream, a home for the session and a fresh instance for each of its calls.

    Args:
        seat: the session's place.
        call_timeout: the silence allowed, in seconds.
    """

    apart = True

    def __init__(self, seat: Seat, call_timeout: Callable[[], float]) -> None:
        super().__init__(seat, call_timeout)
        assert seat.asks is not None
        self._seat = seat
        self._asks = seat.asks
        self._calls: dict[Key, Running] = {}  # by the id that the server knows the call by
        self._closed = False
        self._left: dict[Key, tuple[Running, asyncio.TimerHandle]] = {}  # whose client went before the answer

    def aimed(self, message: Message, about: Open | None) -> tuple[Message, object]:
        """Map a notification or reply, and say which instance it is for.

        Raises:
            Rejected: for a notification about a request, where many clients may have one of that id.
        """
        mapped, asking = self._asks.outward(message)
        if message.is_reply or asking is not None:
            return mapped, asking
        return super().aimed(message, about)

    async def send(self, message: Message, context: Context) -> Answer:
        """Send a message; a call goes to an instance of its own.

        Raises:
            Unavailable: where the server can't be reached, or didn't answer in time.
        """
        try:
            return await super().send(message, context)
        except BaseException:
            if message.method == CALL and message.id is not None:
                running = self._calls.pop(key_of(message.id), None)
                if running is not None:
                    self._end(running)
            raise

    async def _chosen(self, message: Message, context: Context) -> Instance:
        if message.kind == "request" and message.method == CALL and message.id is not None:
            running = await self._seat.fresh()
            if self._closed:
                self._end(running)
                raise Unavailable("The session is over.")
            self._calls[key_of(message.id)] = running
            return running.instance
        if message.method == _CANCELLED and context.to is None:
            wanted = correlate.cancelled_id(message)
            key = key_of(wanted) if wanted is not None else None
            if key in self._calls:
                return self._calls[key].instance
            if key in self._left:
                return self._left[key][0].instance
            if self._seat.current is None:
                raise Unavailable("The call has ended.")
        return await super()._chosen(message, context)

    def _over(self, instance: Instance, waiting: Waiting, *, closed: bool) -> None:
        key = key_of(waiting.request.id) if waiting.request.id is not None else None
        running = self._calls.pop(key, None) if key is not None and waiting.request.method == CALL else None
        if not closed:
            super()._over(instance, waiting, closed=False)
        if running is None or key is None:
            return
        if closed or self._seat.stateless or running.instance.ended is not None:
            self._end(running)
            return
        # Its client may still ask for the answer: leaving is no cancelling before 2026-07-28.
        patience = asyncio.get_running_loop().call_later(self._call_timeout(), self._forsake, key)
        self._left[key] = (running, patience)
        waiting.released = partial(self._forsake, key)

    def _forsake(self, key: Key) -> None:
        running, patience = self._left.pop(key, (None, None))
        if running is not None and patience is not None:
            patience.cancel()
            self._end(running)

    def _end(self, running: Running) -> None:
        self._asks.forget(running.instance)
        running.instance.stop("its call is over")

    async def close(self) -> None:
        """Put all of the session's instances away."""
        self._closed = True
        calls = [*self._calls.values(), *(running for running, _ in self._left.values())]
        self._calls.clear()
        for key in list(self._left):
            self._forsake(key)
        for running in calls:
            self._end(running)
        await asyncio.gather(*(running.done.wait() for running in calls))
        await super().close()
