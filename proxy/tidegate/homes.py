"""Where a session's instance lives: it is started when it is needed, and again when it has ended.

A :class:`Home` has one instance at a time and remembers what that was told, for the next one. A :class:`Seat` is one
session's place at a home, which it has for itself or shares with others.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tidegate.breaker import Breaker, Open
from tidegate.correlate import Remap
from tidegate.mailbox import Mailbox
from tidegate.message import Message
from tidegate.percall import Asks
from tidegate.replay import Changed, Memory
from tidegate.sharing import alike
from tidegate.upstream import Answer, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.flow import Principal
    from tidegate.instances import Instance
    from tidegate.pool import Pool, Running
    from tidegate.upstream import Arrived


FAREWELL = "What it remembered of the session is gone; the next call goes to a new one."


class Home:
    """One instance for one session, or for several that opened alike.

    Args:
        pool: the server's instances.
        principal: whose it is; the first one's, where principals share it.
        remap: how ids are mapped, where it is shared.
        stateless: whether its clients have no sessions, so that there is nothing to remember.

    Attributes:
        memory: what its instance was told.
        version: the protocol version agreed on.
        over: why it can't go on, once it can't.
        restarts: how many of its instances ended by themselves.
    """

    def __init__(self, pool: Pool, principal: Principal, remap: Remap | None, *, stateless: bool) -> None:
        self.pool = pool
        self.remap = remap
        self.memory = Memory()
        self.version = ""
        self.over: Changed | None = None
        self.restarts = 0
        self._starter = pool.fleet.starter(pool.name, principal)
        self._stateless = stateless
        self._running: Running | None = None
        self._lock = asyncio.Lock()  # held while an instance starts
        self._beginning = asyncio.Lock()
        self._strain = Breaker(pool.fleet.pace.pauses)  # of this one's instances, which others needn't suffer for
        self._round = pool.restarts
        self._why = ""  # the last one ended
        self._seats: list[Seat] = []
        self._released = False

    @property
    def current(self) -> Instance | None:
        """The instance, if one runs."""
        running = self._running
        return running.instance if running is not None and running.instance.ended is None else None

    @property
    def resident(self) -> bool:
        """Whether the instance is of use even if nobody asks it anything."""
        return self.memory.resident

    # -- who is here ------------------------------------------------------------------------------------

    def enter(self, seat: Seat) -> None:
        """Take in a session."""
        self._seats.append(seat)
        if self.current is not None and not self._stateless:
            self.current.join(seat.own)

    async def leave(self, seat: Seat) -> None:
        """Let a session go; the instance ends with the last one."""
        if seat not in self._seats:
            return
        self._seats.remove(seat)
        if self.current is not None:
            self.current.leave(seat.own)
        if self._seats:
            return
        self._released = True
        homes = self.pool.fleet.homes
        for key in [key for key, home in homes.items() if home is self]:
            del homes[key]
        async with self._lock:
            running = self._running
        if running is not None:
            running.instance.stop("stopped")
            await running.done.wait()
            self._running = None  # each holds the other

    # -- the instance -----------------------------------------------------------------------------------

    async def acquire(self) -> Instance:
        """Return the running instance; where there is none, start one and tell it what the last one knew.

        Raises:
            Unavailable: where there can be none.
        """
        running = self._running
        if running is not None and running.instance.ended is None:
            return running.instance
        async with self._lock:
            return self.current or await self._renewed()

    async def _renewed(self) -> Instance:
        old = self._running
        if old is not None:
            await old.done.wait()
            self._running = None
            self._learn(old)
        if self._released or self.over is not None:
            raise self.over or Unavailable("The session is over.")
        now = asyncio.get_running_loop().time
        if self._round != self.pool.restarts:  # by hand: what went wrong before counts no more
            self._round = self.pool.restarts
            self._strain.succeeded()
        try:
            pause = self._strain.admit(now())
        except Open as refused:
            raise Unavailable(f"{self._why} {refused}") from None
        try:
            await asyncio.sleep(pause)
            before = self.memory.result
            running = await self._prepared(self._seats)
        except Changed as changed:
            self.over = changed
            raise
        except BaseException:
            self._strain.withdrawn()
            raise
        self._introduced(before)
        return self._moved_in(running)

    def _introduced(self, before: Message | None) -> None:
        """Have the sessions know where a new instance says something else of itself than the old one did."""
        initialize, result = self.memory.initialize, self.memory.result
        if before is None or initialize is None or result is None or result.tree["result"] == before.tree["result"]:
            return
        for seat in self._seats:
            seat.begun_again(initialize, result)

    def _moved_in(self, running: Running) -> Instance:
        running.user, running.restarts = self, self.restarts
        self._running = running
        if self._released:  # meanwhile, by whoever didn't wait for this
            running.instance.stop("stopped")
        return running.instance

    def _learn(self, old: Running) -> None:
        """Draw the conclusions of an instance's end."""
        for seat in self._seats:
            seat.renewed()
        if not old.instance.stopped:
            self.restarts += 1
            self._why = str(old.instance.ended)
        if old.lived >= self.pool.fleet.pace.early:
            self._strain.succeeded()
        elif not old.instance.stopped:
            self._strain.failed(asyncio.get_running_loop().time())

    async def fresh(self, seat: Seat) -> Running:
        """Return an instance for one call, which knows what the session's own one was told.

        Raises:
            Unavailable: where there can be none.
        """
        if self._released or self.over is not None:
            raise self.over or Unavailable("The session is over.")
        return await self._prepared([seat], briefly=True)

    async def _prepared(self, seats: list[Seat], *, briefly: bool = False) -> Running:
        """Start an instance for this home, and tell it what the last one knew."""
        running = await self.pool.take(self._starter, modern=self._stateless)
        instance = running.instance
        try:
            instance.given(self.remap, lambda: self.version)
            instance.modern = self._stateless
            if seats and seats[0].asks is not None:
                instance.inward = seats[0].asks.over(instance)
            if not self._stateless:
                instance.farewell = FAREWELL
                for seat in seats:
                    instance.join(seat.own)
            timeout = self.pool.fleet.core.now.settings.start_timeout(self.pool.name)
            own = seats[0].own if seats else instance.own
            told = await self.memory.replay(instance, own, timeout, briefly=briefly)
            if told:
                await self._starter.must_note(f"told again what the session had told it, in {told} messages")
        except Unavailable as failure:
            instance.fail(str(failure))
            self._why = str(failure)
            self._strain.failed(asyncio.get_running_loop().time())
            raise
        except BaseException:
            instance.stop("nobody wanted it any more")
            raise
        return running

    # -- sharing ----------------------------------------------------------------------------------------

    async def begin(self, seat: Seat, message: Message, timeout: float) -> Arrived:  # noqa: ASYNC109 - of silence
        """Take a judged ``initialize`` of one of several sessions; return the reply, with that session's own id.

        The first one reaches the server; the others are told what that was told, which is judged anew for each.

        Raises:
            Unavailable: where the server can't be had, or doesn't answer.
        """
        async with self._beginning:
            if self.memory.result is not None:
                assert message.id is not None
                assert self.remap is not None
                reply = self.remap.inward(self.memory.result.rewired(id=message.id))
                self.remap.forget(message)
                return reply
            instance = await self.acquire()
            try:
                waiting = await instance.send(message, timeout, seat.own)
                assert waiting is not None
                found = await waiting.reply(timeout)
            except BaseException:
                instance.stop("its first client left while it began")
                raise
            if isinstance(found, Message) and found.kind == "result":
                self.memory.begun(message, found)
            else:
                instance.stop("it refused to begin a session")
            return found


class Seat:
    """One session's place at a home; or that of all of a principal's clients without sessions.

    Args:
        pool: the server's instances.
        principal: whose it is.
        stateless: whether it is for clients without sessions.

    Attributes:
        own: where the server's own messages for this session are put.
        asks: how what servers ask is told apart, where there is an instance for every call.
        renewed: called when the instance has been replaced: what the old one had asked is nobody's any more.
        begun_again: called when a new instance answers ``initialize`` otherwise than the old one did, with what it was
            told and with what it said, which isn't judged.
    """

    def __init__(self, pool: Pool, principal: Principal, *, stateless: bool) -> None:
        self.pool = pool
        self.principal = principal
        self.stateless = stateless
        self.own = Mailbox(kept=256)
        self.mailbox = None if stateless else self.own  # nobody reads it for clients without sessions
        self.renewed: Callable[[], None] = lambda: None
        self.begun_again: Callable[[Message, Message], None] = lambda _initialize, _result: None
        self.asks = Asks() if pool.server.share == "call" else None
        self._released = False
        share = pool.server.share
        self._scope = None if share == "all" else principal.name
        self._shares = share in ("principal", "all") and not stateless
        remap = pool.remaps.setdefault(self._scope, Remap()) if self._shares or stateless else None
        self.remap: Remap | None = remap
        self._home: Home | None = None
        if stateless:
            self._move(self._shared(""))
        elif not self._shares:
            self._move(Home(pool, principal, None, stateless=False))

    @property
    def version(self) -> str:
        """The protocol version agreed on."""
        return self._home.version if self._home is not None else ""

    @version.setter
    def version(self, version: str) -> None:
        if self._home is not None and not self.stateless:
            self._home.version = version

    @property
    def current(self) -> Instance | None:
        """The instance, if one runs."""
        return self._home.current if self._home is not None else None

    @property
    def ended(self) -> bool:
        """Whether the session can't go on."""
        return self._home is not None and self._home.over is not None

    def _shared(self, opened: str) -> Home:
        """Return the home of all who may share one and opened alike."""
        homes = self.pool.fleet.homes
        key = (self.pool, self._scope, opened)
        if key not in homes:
            homes[key] = Home(self.pool, self.principal, self.remap, stateless=self.stateless)
        return homes[key]

    def _move(self, home: Home) -> Home | None:
        """Take a place at a home; return the one before, which is to be left."""
        before, self._home = self._home, home
        if before is home:
            return None
        home.enter(self)
        return before

    @property
    def home(self) -> Home:
        """The home.

        Raises:
            Unavailable: where the session hasn't begun, and so has none.
        """
        if self._home is None:
            raise Unavailable("The session has not begun: send initialize first.")
        return self._home

    async def fresh(self) -> Running:
        """Return an instance for one call.

        Raises:
            Unavailable: where there can be none.
        """
        return await self.home.fresh(self)

    async def acquire(self) -> Instance:
        """Return a running instance.

        Raises:
            Unavailable: where there can be none.
        """
        return await self.home.acquire()

    async def begin(self, message: Message, timeout: float) -> Answer | None:  # noqa: ASYNC109 - the protocol's
        """Take a judged ``initialize``; where the instance is shared, return its answer.

        Raises:
            Unavailable: where the server can't be had.
        """
        if not self._shares:
            if self.current is None and self._home is not None:
                self._home.memory = Memory()
            return None
        if self._released:
            raise Unavailable("The session is over.")
        home = self._shared(alike(message))
        before = self._move(home)
        if before is not None:
            await before.leave(self)
        return Answer(body=await home.begin(self, message, timeout))

    def note(self, message: Message) -> bool:
        """Note what the server will remember of a judged message; return whether to send it."""
        memory = self.home.memory
        if self._shares and message.method == "notifications/initialized" and memory.initialized is not None:
            return False  # it was told by the first one
        memory.note(message)
        return True

    def answered(self, request: Message, reply: Message) -> None:
        """Note what the server answered to a request that it remembers something of."""
        memory = self.home.memory
        if reply.kind == "error":
            memory.refused(request)
        elif request.method == "initialize" and not self.stateless:
            memory.begun(request, reply)

    def suspect(self, instance: Instance) -> None:
        """Have an instance asked whether it lives, because it let a request pass its time."""
        self.pool.fleet.spawn(self.pool.suspect(instance))

    async def release(self) -> None:
        """Give up the place."""
        self._released = True
        self.own.end(Unavailable("The session is over."))
        if self._home is not None:
            await self._home.leave(self)
