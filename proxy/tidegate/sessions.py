"""Which conversation a client's message belongs to: one per MCP session, and one per principal for those without.

Endpoints are told apart by a server's name, or, for the gateway, by :func:`tidegate.endpoints.gateway` of a profile.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from tidegate import endpoints
from tidegate.fleet import Fleet
from tidegate.gateway_settings import same
from tidegate.relay import Relay
from tidegate.upstream import Unavailable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tidegate.conversation import Conversation
    from tidegate.ends.http1 import HttpClient
    from tidegate.flow import Principal
    from tidegate.flows import Core
    from tidegate.gateway.front import Front
    from tidegate.gateway.shared import Shared
    from tidegate.homes import Seat
    from tidegate.pool import Pace
    from tidegate.settings import ServerSettings

log = structlog.get_logger("tidegate.sessions")

SWEEP = 15.0  # seconds between two looks for idle sessions, at most


class Entry:
    """One session: who answers it, who uses it, and since when nobody does."""

    __slots__ = ("busy", "relay", "server", "source", "used")

    def __init__(self, relay: Conversation, source: Seat | None, server: ServerSettings | None) -> None:
        self.relay = relay
        self.server = server  # as it was when this began; None at the gateway
        self.source = source
        self.busy = 0
        self.used = time.monotonic()

    def __enter__(self) -> Conversation:
        self.busy += 1
        return self.relay

    def __exit__(self, *_exc: object) -> None:
        self.busy -= 1
        self.used = time.monotonic()

    @property
    def ended(self) -> bool:
        """Whether its server can't go on with it."""
        return self.source is not None and self.source.ended

    @property
    def idle(self) -> bool:
        """Whether nobody uses it, and nothing in it waits for anybody."""
        return not self.busy and not self.relay.keeping


class Joined(Protocol):
    """A conversation at the gateway that is found by no id, because there is only one."""

    async def reloaded(self, changed: set[str]) -> bool:
        """Take over changed settings; see :meth:`tidegate.gateway.front.Front.reloaded`."""
        ...

    def lists_changed(self, server: str, kinds: Iterable[str]) -> None:
        """Tell the client; see :meth:`tidegate.conversation.Conversation.lists_changed`."""
        ...


class Sessions:
    """All open sessions of one Tidegate.

    Args:
        core: what all relays share.
        client: the connections to remote servers.
        pace: how instances are looked after.

    Attributes:
        fleet: the instances that they use.
    """

    def __init__(self, core: Core, client: HttpClient, pace: Pace | None = None) -> None:
        self.core = core
        self.client = client
        self.fleet = Fleet(core, client, pace)
        self._open: dict[tuple[str, str], Entry] = {}
        self._begun: set[Entry] = set()  # not registered yet, but there
        self._stateless: dict[tuple[str, str], Entry] = {}
        self._sweeper: asyncio.Task[None] | None = None
        self._closed = False
        self._shared: Shared | None = None
        self._joined: list[Joined] = []
        core.changes.hear(self.lists_changed)

    @property
    def shared(self) -> Shared:
        """What the fronts of the gateway share."""
        if self._shared is None:
            from tidegate.gateway.shared import Shared  # noqa: PLC0415 - who doesn't use the gateway doesn't load it

            self._shared = Shared(self.core, self.fleet)
        return self._shared

    def join(self, joined: Joined) -> None:
        """Have a conversation that is no entry here take part in what happens to all."""
        self._joined.append(joined)

    def _front(self, endpoint: str, principal: Principal, *, stateless: bool) -> Front:
        from tidegate.gateway.session_front import SessionFront  # noqa: PLC0415 - as above
        from tidegate.gateway.stateless_front import StatelessFront  # noqa: PLC0415 - as above

        kind = StatelessFront if stateless else SessionFront
        return kind(self.shared, endpoints.profile(endpoint), principal)

    def __len__(self) -> int:
        return len(self._open)

    def new(self, server: str, principal: Principal) -> Entry:
        """Make a session, not yet registered, for a client that begins one.

        Raises:
            Unavailable: where there are too many, a reload took the server away, or Tidegate is stopping.
        """
        self._check_open(server)
        settings = self.core.now.settings
        if len(self._open) + len(self._begun) >= settings.proxy.max_sessions:
            raise Unavailable(f"More than {settings.proxy.max_sessions} sessions are open.")
        if endpoints.is_gateway(server):
            entry = Entry(self._front(server, principal, stateless=False), None, None)
        else:
            upstream, source = self.fleet.upstream(server, principal, stateless=False)
            relay = Relay(self.core, settings.server(server), upstream, principal)
            if source is not None:
                source.renewed = relay.asked.clear
            entry = Entry(relay, source, settings.servers[server])
        self._begun.add(entry)
        return entry

    async def give_up(self, entry: Entry) -> None:
        """Close a session that was not registered."""
        self._begun.discard(entry)
        await entry.relay.close()

    def register(self, server: str, entry: Entry, session_id: str | None = None) -> str:
        """Register a session under the server's own id, or a new one; return it.

        Raises:
            Unavailable: where Tidegate is stopping, or a reload has changed the server since the session began.
        """
        self._check_open(server)
        if entry.server is not None and not same(self.core.now.settings.servers.get(server), entry.server):
            raise Unavailable("The settings of the server were changed; begin again.")
        session_id = session_id or secrets.token_urlsafe(24)
        entry.relay.registered(session_id)
        self._begun.discard(entry)
        self._open[server, session_id] = entry
        if self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep(), name="session sweeper")
        return session_id

    def find(self, server: str, session_id: str, principal: Principal) -> Entry | None:
        """Return the open session of an id, if it is this principal's; somebody else's is as good as none."""
        entry = self._open.get((server, session_id))
        if entry is None or entry.relay.principal.name != principal.name or entry.ended:
            return None
        return entry

    def stateless(self, server: str, principal: Principal) -> Entry:
        """Return the relay for a principal's messages that belong to no session.

        Raises:
            Unavailable: where there is none yet, and a reload took the server away, or Tidegate is stopping.
        """
        key = (server, principal.name)
        entry = self._stateless.get(key)
        if entry is None:
            self._check_open(server)
            if endpoints.is_gateway(server):
                entry = Entry(self._front(server, principal, stateless=True), None, None)
            else:
                upstream, source = self.fleet.upstream(server, principal, stateless=True)
                settings = self.core.now.settings
                relay = Relay(self.core, settings.server(server), upstream, principal, stateless=True)
                entry = Entry(relay, source, settings.servers[server])
            self._stateless[key] = entry
            if self._sweeper is None:
                self._sweeper = asyncio.create_task(self._sweep(), name="session sweeper")
        return entry

    def _check_open(self, server: str) -> None:
        if self._closed:
            raise Unavailable("Tidegate is stopping.")
        if not endpoints.exists(server, self.core.now.settings):  # since the request came
            raise Unavailable(f"There is no {endpoints.named(server)} any more.")

    async def drop(self, server: str, session_id: str) -> None:
        """Close a session."""
        entry = self._open.pop((server, session_id), None)
        if entry is not None:
            await entry.relay.close()

    async def retire(self, servers: set[str], principals: Collection[str] = ()) -> None:
        """Close all sessions of servers that a reload took away or changed, and of principals who lost a token."""
        tables = (self._open, self._stateless)  # all at once: what begins while one is closed is of the new settings
        gone = [
            table.pop(key)
            for table in tables
            for key, entry in list(table.items())
            if key[0] in servers
            or entry.relay.principal.name in principals
            or not endpoints.exists(key[0], self.core.now.settings)
        ]
        await asyncio.gather(*(entry.relay.close() for entry in gone))
        if self._shared is not None:
            self._shared.forget(servers)
        await asyncio.gather(*(front.reloaded(servers) for front in [*self._fronts(), *self._joined]))
        await self.fleet.retire(servers)

    def lists_changed(self, server: str, kinds: Iterable[str]) -> None:
        """Tell all clients that an interceptor makes something else of a server's lists now."""
        for entry in [*self._open.values(), *self._stateless.values(), *self._begun]:
            entry.relay.lists_changed(server, kinds)
        for joined in self._joined:
            joined.lists_changed(server, kinds)

    def _fronts(self) -> list[Front]:
        entries = [*self._open.items(), *self._stateless.items()]
        fronts: list[Any] = [entry.relay for key, entry in entries if endpoints.is_gateway(key[0])]
        begun: list[Any] = [entry.relay for entry in self._begun if entry.server is None]
        profiles = self.core.now.settings.profiles
        return [*fronts, *(front for front in begun if not front.profile or front.profile in profiles)]

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(SWEEP, self.core.now.settings.proxy.idle_timeout / 2))
            limit = self.core.now.settings.proxy.idle_timeout
            oldest = time.monotonic() - limit
            for table in (self._open, self._stateless):
                for key, entry in list(table.items()):
                    gone = table.get(key) is not entry  # while another was closed
                    if not gone and (entry.ended or (entry.used < oldest and entry.idle)):
                        del table[key]
                        log.info("session closed", server=key[0], reason="server ended" if entry.ended else "idle")
                        await entry.relay.close()

    async def close(self) -> None:
        """Close everything; nothing new can be begun from then on."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
        entries = [*self._open.values(), *self._stateless.values(), *self._begun]
        self._open.clear()
        self._begun.clear()
        self._stateless.clear()
        await asyncio.gather(*(entry.relay.close() for entry in entries))
        if self._shared is not None:
            await self._shared.close()
        await self.fleet.close()
