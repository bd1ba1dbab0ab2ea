"""All instances of all servers: where to get one, what runs, and how to end or restart a server's.

``Sessions.fleet`` is the one object for commands and pages about instances: :meth:`Fleet.listed`,
:meth:`Fleet.restart` and :meth:`Fleet.stop`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from tidegate import gateway_settings
from tidegate.homes import Home, Seat
from tidegate.percall import CallUpstream
from tidegate.piped import PipeUpstream
from tidegate.pool import AHEAD, Pace, Pool
from tidegate.servers import Starter, remote_upstream
from tidegate.upstream import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from tidegate.ends.http1 import HttpClient
    from tidegate.flow import Principal
    from tidegate.flows import Core
    from tidegate.pool import State
    from tidegate.upstream import Upstream

STARTS = 8  # instances that start at the same time


class Listed(NamedTuple):
    """One running instance, as it is told to people.

    Attributes:
        server: the server's name.
        identity: what the instance is called.
        principal: whose it is; ``tidegate`` for one that is kept ready.
        since: when it was started, in seconds since 1970.
        calls: how many messages it got.
        restarts: how many instances before it ended by themselves under the same user.
        state: ``starting`` and ``ready`` for one that is kept ready, else ``serving``.
        pid: its process, where it is one on this machine.
        container: its container's name, where it is one.
        streams: how a container's standard input and output come here, ``direct`` or ``engine``.
    """

    server: str
    identity: str
    principal: str
    since: float
    calls: int
    restarts: int
    state: State
    pid: int | None
    container: str | None
    streams: str | None


class Fleet:
    """All instances of one Tidegate.

    Args:
        core: what all relays share.
        client: the connections to remote servers.
        pace: how instances are looked after.

    Attributes:
        stopped: the names of servers that were stopped, and not restarted yet.
        starts: bounds how many instances start at the same time.
        ahead: bounds how many of these are such that nobody waits for.
        homes: the instances that several clients may share, by server and who they are.
        tried: told a server's name when one that is to be kept ready is, or couldn't be started.
        closed: whether Tidegate is stopping, so that nothing is started any more.
    """

    def __init__(self, core: Core, client: HttpClient, pace: Pace | None = None) -> None:
        self.core = core
        self.pace = pace or Pace()
        self.stopped: set[str] = set()
        self.starts = asyncio.Semaphore(STARTS)
        self.ahead = asyncio.Semaphore(AHEAD)
        self.tried: Callable[[str], None] = lambda _: None
        self.homes: dict[tuple[Pool, str | None, str], Home] = {}
        self._client = client
        self._pools: dict[str, Pool] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.closed = False

    # -- for sessions -----------------------------------------------------------------------------------

    def pool(self, name: str) -> Pool:
        """Return a server's instances, as its settings in force are.

        Raises:
            Unavailable: where there is no such server, or Tidegate is stopping.
        """
        if self.closed:
            raise Unavailable("Tidegate is stopping.")
        server = self.core.now.settings.servers.get(name)
        if server is None:
            raise Unavailable(f"There is no server {name!r} any more.")
        found = self._pools.get(name)
        if found is None or not gateway_settings.same(found.server, server):
            if found is not None:
                self.spawn(found.retire("The settings of the server were changed."))
            found = self._pools[name] = Pool(self, name, server)
        return found

    def upstream(self, name: str, principal: Principal, *, stateless: bool) -> tuple[Upstream, Seat | None]:
        """Return a server's end for the relay of a session; and its place at an instance, where there are any.

        Args:
            name: the server's name.
            principal: whose it is.
            stateless: whether it is for all of the principal's clients without sessions.

        Raises:
            Unavailable: where there is no such server, or Tidegate is stopping.
        """
        pool = self.pool(name)
        if pool.server.remote:
            return remote_upstream(self.core, name, pool.server, self._client), None
        seat = Seat(pool, principal, stateless=stateless)
        kind = CallUpstream if pool.server.share == "call" else PipeUpstream
        return kind(seat, lambda: self.core.now.settings.call_timeout(name)), seat

    def starter(self, name: str, principal: Principal) -> Starter:
        """Return what starts instances of a server for a principal."""
        return Starter(self.core, name, principal, self._client)

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Do something that nobody waits for; it is done at the latest when this is closed."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- for people -------------------------------------------------------------------------------------

    def listed(self) -> list[Listed]:
        """Return what runs, oldest first."""
        found = []
        for name, pool in self._pools.items():
            for running in pool.running:
                pipe = running.instance.pipe
                listed = Listed(
                    name,
                    running.identity,
                    running.starter.principal.name,
                    running.since,
                    running.instance.calls,
                    running.restarts,
                    running.state,
                    pipe.pid,
                    getattr(pipe, "container", None),
                    getattr(pipe, "streams", None) or None,
                )
                found.append(listed)
        return sorted(found, key=lambda listed: listed.since)

    def logs(self, name: str) -> dict[str, str]:
        """Return the last lines that a server's instances wrote to their standard error, by instance.

        They are the server's own text, unjudged: whoever asks may see what clients sent.

        Raises:
            Unavailable: where there is no such server.
        """
        return {running.identity: running.instance.pipe.stderr_tail() for running in self.pool(name).running}

    async def restart(self, name: str) -> int:
        """End a server's instances, and let it run again if it was stopped; return how many ended.

        Sessions go on: with their next call they get a new instance, which is told what the old one was.

        Raises:
            Unavailable: where there is no such server.
        """
        pool = self.pool(name)
        self.stopped.discard(name)
        ended = await pool.end("restarted")
        pool.fill()
        return ended

    async def stop(self, name: str) -> int:
        """End a server's instances, and start none until it is restarted; return how many ended.

        Raises:
            Unavailable: where there is no such server.
        """
        pool = self.pool(name)
        self.stopped.add(name)
        return await pool.end("stopped")

    # -- the whole --------------------------------------------------------------------------------------

    def fill(self) -> None:
        """See that as many instances are ready as the settings want; returns at once."""
        for name, server in self.core.now.settings.servers.items():
            if server.warm:
                self.pool(name).fill()

    async def retire(self, names: Iterable[str]) -> None:
        """End the instances of servers that a reload took away or changed, and begin those it wants ready."""
        gone = [self._pools.pop(name) for name in names if name in self._pools]
        await asyncio.gather(*(pool.retire("The settings of the server were changed.") for pool in gone))
        self.fill()

    async def close(self) -> None:
        """End everything."""
        self.closed = True
        await asyncio.gather(*(pool.retire("stopped") for pool in self._pools.values()))
        while self._tasks:
            await asyncio.wait(self._tasks)
