"""The running instances of one server: they are started, kept ready ahead of need, looked after and ended here."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import structlog

from tidegate.breaker import Breaker, Open, Pauses
from tidegate.flow import Principal
from tidegate.upstream import Unavailable

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tidegate.correlate import Remap
    from tidegate.fleet import Fleet
    from tidegate.instances import Instance
    from tidegate.servers import Starter
    from tidegate.settings import ServerSettings

T = TypeVar("T")

log = structlog.get_logger("tidegate.pool")

AHEAD = 2  # instances that are made ready at the same time, so that most of the machine is left to those that work
_NOBODY = Principal("tidegate")  # whose an instance is that is kept ready


@dataclass(frozen=True, slots=True)
class Pace:
    """How instances are looked after; times in seconds.

    Attributes:
        ping_every: how long an instance may be idle until it is asked whether it lives.
        ping_within: how long it may take to answer that; then it hangs.
        ready_within: how long one that is kept ready is waited for; many answer nothing before ``initialize``.
        early: one that ends by itself sooner than this has failed as one that didn't start.
        pauses: how long to wait before the next start after failures.
    """

    ping_every: float = 30.0
    ping_within: float = 10.0
    ready_within: float = 5.0
    early: float = 5.0
    pauses: Pauses = field(default_factory=Pauses)


State = Literal["starting", "ready", "serving"]


class User(Protocol):
    """Who has an instance for longer than a call."""

    @property
    def resident(self) -> bool:
        """Whether the instance is of use even if nobody asks it anything."""
        ...


@dataclass(slots=True, eq=False)
class Running:
    """One instance that runs, and what is told of it.

    Attributes:
        instance: the instance.
        starter: whose it is, and who records its end.
        user: who has it for longer than a call.
        state: ``starting`` and ``ready`` for one that is kept ready, else ``serving``.
        restarts: how many instances before it ended by themselves under the same user.
        begun: when it was started, by the loop's clock.
        since: the same, in seconds since 1970.
        lived: how long it lived, once it has ended.
        identity: what it is called.
        done: set once it has ended, and that is recorded.
    """

    instance: Instance
    starter: Starter
    begun: float
    user: User | None = None
    state: State = "serving"
    restarts: int = 0
    since: float = field(default_factory=time.time)
    lived: float = 0.0
    identity: str = field(default_factory=lambda: secrets.token_hex(4))
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Pool:
    """The instances of one server, under one set of its settings.

    Args:
        fleet: all servers' instances.
        name: the server's name.
        server: its settings.

    Attributes:
        running: its instances, until their end is recorded.
        remaps: how ids are mapped, for each group of clients that share instances.
        restarts: how often all instances were ended by hand.
    """

    def __init__(self, fleet: Fleet, name: str, server: ServerSettings) -> None:
        self.fleet = fleet
        self.name = name
        self.server = server
        self.running: set[Running] = set()
        self.remaps: dict[str | None, Remap] = {}
        self.restarts = 0
        self._breaker = Breaker(fleet.pace.pauses)
        self._why = ""  # the last start failed
        self._ready: dict[bool, deque[Running]] = {False: deque(), True: deque()}
        self._eras = {False}  # a server that was asked one way may not answer the other, so each has its own
        self._wake = asyncio.Event()
        self._filling: asyncio.Task[None] | None = None
        self._tending: set[asyncio.Task[Any]] = set()
        self._suspects: set[Instance] = set()
        self._retired = False

    def check(self) -> None:
        """See that the server may run.

        Raises:
            Unavailable: where it may not.
        """
        if self.name in self.fleet.stopped:
            raise Unavailable(f"The server {self.name!r} was stopped, until somebody restarts it.")
        if self.name not in self.fleet.core.now.settings.servers:
            raise Unavailable(f"There is no server {self.name!r} any more.")
        if self._retired:
            raise Unavailable("The settings of the server were changed; begin again.")

    # -- starting ---------------------------------------------------------------------------------------

    async def take(self, starter: Starter, *, modern: bool) -> Running:
        """Return a running instance for one user: one that was kept ready, or else a new one.

        Args:
            starter: whose it will be.
            modern: whether its clients speak 2026-07-28.

        Raises:
            Unavailable: where there is none.
        """
        self.check()
        if modern not in self._eras:
            self._eras.add(modern)
            self.fill()
        ready = self._ready[modern]
        while ready:
            running = ready.popleft()
            self.fill()
            if running.instance.ended is None:
                return await self._handed(running, starter)
        return await self._start(starter)

    async def _handed(self, running: Running, starter: Starter) -> Running:
        running.starter, running.state = starter, "serving"
        running.instance.given(None, str, starter.refused)
        try:
            await starter.must_note("taken from those kept ready")
        except BaseException:
            running.instance.stop("nobody wanted it any more")
            raise
        return running

    async def _start(self, starter: Starter) -> Running:
        now = asyncio.get_running_loop().time
        try:
            pause = self._breaker.admit(now())
        except Open as refused:
            raise Unavailable(f"{self._why} {refused}") from None
        return await self._kept(self._begun(starter, pause), "instance start")

    async def _begun(self, starter: Starter, pause: float) -> Running:
        now = asyncio.get_running_loop().time
        admitted = now()
        try:
            await asyncio.sleep(pause)
            async with self.fleet.starts:
                self.check()
                instance = await starter.start(None, str)
        except Unavailable as failure:
            self._failed(str(failure), admitted)
            raise
        except BaseException:
            self._breaker.withdrawn()
            raise
        instance.on_answer = self._breaker.succeeded
        running = Running(instance, starter, now())
        self.running.add(running)
        self._kept(self._tend(running), "instance tender")
        try:
            self.check()
        except Unavailable:  # it was stopped meanwhile
            instance.stop("stopped")
            raise
        return running

    def _failed(self, why: str, admitted: float | None = None) -> None:
        self._why = why
        self._breaker.failed(asyncio.get_running_loop().time(), admitted)

    def _kept(self, work: Coroutine[None, None, T], name: str) -> asyncio.Task[T]:
        """Do something that this waits for at its end; it is cancelled with whoever awaits it."""
        task = asyncio.create_task(work, name=name)
        self._tending.add(task)
        task.add_done_callback(self._tending.discard)
        return task

    # -- kept ready -------------------------------------------------------------------------------------

    def fill(self) -> None:
        """See that as many are ready as the settings want; returns at once."""
        if self.server.warm and not self._retired:
            self._wake.set()
            if self._filling is None:
                self._filling = asyncio.create_task(self._fill(), name=f"instances of {self.name} kept ready")

    async def _fill(self) -> None:
        while True:
            self._wake.clear()
            missing = [era for era in self._eras for _ in range(self.server.warm - len(self._ready[era]))]
            if not missing or self.name in self.fleet.stopped:
                await self._wake.wait()
            elif not all(await asyncio.gather(*(self._try(modern=era) for era in missing[:AHEAD]))):
                await asyncio.sleep(self._breaker.pause(asyncio.get_running_loop().time()))

    async def _try(self, *, modern: bool) -> bool:
        made = await self._make_ready(modern=modern)
        self.fleet.tried(self.name)
        return made

    async def _make_ready(self, *, modern: bool) -> bool:
        """Start one that nobody has asked for yet; return whether it is ready.

        It is when it answered anything. The question is Tidegate's own, so nothing of a client has touched it.
        """
        async with self.fleet.ahead:
            try:
                running = await self._start(self.fleet.starter(self.name, _NOBODY))
            except Unavailable as failure:
                log.warning("no instance can be kept ready", server=self.name, reason=str(failure))
                return False
            running.state, running.instance.modern = "starting", modern
            try:
                await running.instance.alive(self.fleet.pace.ready_within)
            except BaseException:
                running.instance.stop("stopped")
                raise
        if running.instance.ended is not None:
            await running.done.wait()
            return False
        running.state = "ready"
        self._ready[modern].append(running)
        return True

    # -- looking after them -----------------------------------------------------------------------------

    async def _tend(self, running: Running) -> None:
        """Stay with an instance until its end is recorded."""
        instance = running.instance
        now = asyncio.get_running_loop().time
        try:
            await self._until_gone(running)
            running.lived = now() - running.begun
            for ready in self._ready.values():
                if running in ready:
                    ready.remove(running)
            if not instance.stopped and not instance.answered:
                self._failed(str(instance.ended), running.begun)
        finally:
            try:
                await running.starter.stop(instance)
            finally:
                self.running.discard(running)
                running.done.set()
        self.fill()

    async def _until_gone(self, running: Running) -> None:
        instance, pace, quiet, calls = running.instance, self.fleet.pace, 0.0, -1
        asked = 0.0
        while instance.ended is None:
            idle = self.fleet.core.now.settings.idle_timeout(self.name)
            step = min(pace.ping_every, idle / 4)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(step):
                    await instance.gone.wait()
                return
            if instance.calls != calls or not instance.idle:
                calls, quiet, asked = instance.calls, 0.0, 0.0
                continue
            quiet += step
            if running.user is not None and quiet >= idle and not running.user.resident:
                instance.stop("stopped, because nobody used it")
            elif quiet - asked >= pace.ping_every:
                asked = quiet
                await self._ask(instance)

    async def _ask(self, instance: Instance) -> None:
        """Ask an instance whether it lives; one that doesn't say so is ended."""
        if not await instance.alive(self.fleet.pace.ping_within) and instance.ended is None:
            instance.fail("The server hangs: it doesn't answer whether it lives.")

    async def suspect(self, instance: Instance) -> None:
        """See whether an instance lives that let a request pass its time."""
        if instance in self._suspects or instance.ended is not None:
            return
        self._suspects.add(instance)
        try:
            await self._ask(instance)
        finally:
            self._suspects.discard(instance)

    # -- ending -----------------------------------------------------------------------------------------

    async def end(self, reason: str) -> int:
        """End all instances; return how many there were. New ones may be started meanwhile."""
        found = list(self.running)
        for running in found:
            running.instance.stop(reason)
        await asyncio.gather(*(running.done.wait() for running in found))
        self._breaker.succeeded()
        self.restarts += 1
        return len(found)

    async def retire(self, reason: str) -> None:
        """End all instances; no more are started."""
        self._retired = True
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.wait((self._filling,))
        await self.end(reason)
        while self._tending:  # what was being started when this began
            await asyncio.wait(self._tending)
