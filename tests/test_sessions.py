"""Which relay a client's message belongs to, and what becomes of sessions that nobody uses."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from support.played_servers import BRIDGE, ProcessServer
from support.rig import Entry, Witness, entry, running_core
from support.web import Exchange, ScriptedServer, until
from tidegate.ends.http1 import HttpClient
from tidegate.flow import Principal
from tidegate.relay import Relay
from tidegate.servers import OwnSource, Starter
from tidegate.sessions import Sessions
from tidegate.upstream import Context, Unavailable

CI, DEV = Principal("ci", "token"), Principal("dev", "token")
REMOTE = {"server": {"url": "http://127.0.0.1:9/mcp"}, "other": {"url": "http://127.0.0.1:9/mcp"}}


@asynccontextmanager
async def sessions_of(*entries: Entry, **tree: Any) -> AsyncIterator[Sessions]:
    async with running_core(*entries, **{"servers": REMOTE, **tree}) as core:
        client = HttpClient()
        sessions = Sessions(core, client)
        try:
            yield sessions
        finally:
            await sessions.close()
            await client.close()


async def test_a_session_is_found_by_its_server_its_id_and_its_principal_only() -> None:
    async with sessions_of() as sessions:
        made = sessions.new("server", CI)
        identity = sessions.register("server", made)
        assert sessions.find("server", identity, CI) is made
        assert sessions.find("other", identity, CI) is None
        assert sessions.find("server", identity + "x", CI) is None
        assert sessions.find("server", identity, DEV) is None


async def test_ids_of_sessions_cant_be_guessed() -> None:
    async with sessions_of() as sessions:
        ids = {sessions.register("server", sessions.new("server", CI)) for _ in range(100)}
        assert len(ids) == 100
        assert all(len(identity) >= 32 for identity in ids)


async def test_a_principal_without_a_session_has_one_relay_per_server() -> None:
    async with sessions_of() as sessions:
        one = sessions.stateless("server", CI)
        assert sessions.stateless("server", CI) is one
        assert sessions.stateless("server", DEV) is not one
        assert sessions.stateless("other", CI) is not one


async def test_there_may_be_as_many_sessions_as_the_settings_say() -> None:
    async with sessions_of(proxy={"max_sessions": 2}) as sessions:
        for _ in range(2):
            sessions.register("server", sessions.new("server", CI))
        with pytest.raises(Unavailable, match="More than 2 sessions"):
            sessions.new("server", CI)


async def test_sessions_that_are_being_begun_count_until_they_are_given_up() -> None:
    async with sessions_of(proxy={"max_sessions": 2}) as sessions:
        first, second = sessions.new("server", CI), sessions.new("server", CI)
        with pytest.raises(Unavailable, match="More than 2 sessions"):
            sessions.new("server", CI)
        await sessions.give_up(first)
        assert first.relay.over.is_set()
        sessions.register("server", second)
        sessions.new("server", CI)
        with pytest.raises(Unavailable, match="More than 2 sessions"):
            sessions.new("server", CI)


async def test_sessions_that_nobody_uses_are_closed_and_busy_ones_are_not() -> None:
    async with sessions_of(proxy={"idle_timeout": 0.05}) as sessions:
        idle, busy = sessions.new("server", CI), sessions.new("server", CI)
        for made in (busy, idle):
            sessions.register("server", made)
        unused = sessions.stateless("server", CI)
        with busy:
            await until(lambda: idle.relay.over.is_set() and unused.relay.over.is_set())
            assert not busy.relay.over.is_set()
            assert len(sessions) == 1
        await until(lambda: len(sessions) == 0)


class _Slow:
    """An upstream that takes its time to close, so that others can act meanwhile."""

    def __init__(self) -> None:
        self.closing, self.go_on = asyncio.Event(), asyncio.Event()

    async def close(self) -> None:
        self.closing.set()
        await self.go_on.wait()


async def test_the_sweeper_survives_sessions_that_go_while_it_sweeps() -> None:
    async with sessions_of(proxy={"idle_timeout": 0.05}) as sessions:
        slow = _Slow()
        first, second = sessions.new("server", CI), sessions.new("server", CI)
        assert isinstance(first.relay, Relay)
        first.relay.upstream = slow  # type: ignore[assignment]  # all that is used of it here is close()
        sessions.register("server", first)
        gone = sessions.register("server", second)
        await slow.closing.wait()
        await sessions.drop("server", gone)
        slow.go_on.set()
        third = sessions.new("server", CI)
        sessions.register("server", third)
        await until(third.relay.over.is_set)


async def test_servers_that_a_reload_took_away_lose_their_sessions_even_while_clients_leave() -> None:
    async with sessions_of() as sessions:
        slow = _Slow()
        first, second, other = (sessions.new(name, CI) for name in ("server", "server", "other"))
        assert isinstance(first.relay, Relay)
        first.relay.upstream = slow  # type: ignore[assignment]  # all that is used of it here is close()
        sessions.register("server", first)
        gone = sessions.register("server", second)
        kept = sessions.register("other", other)
        retiring = asyncio.create_task(sessions.retire({"server"}))
        await slow.closing.wait()
        await sessions.drop("server", gone)
        slow.go_on.set()
        await retiring
        assert sessions.find("other", kept, CI) is other
        assert len(sessions) == 1


async def test_a_session_outlives_its_server() -> None:
    dying = {"command": [sys.executable, "-c", "input()"]}
    async with sessions_of(servers={"server": dying}) as sessions:
        made = sessions.new("server", CI)
        identity = sessions.register("server", made)
        await made.relay.accept(b'{"jsonrpc":"2.0","method":"notifications/x"}', Context())
        await until(lambda: not sessions.fleet.listed())
        assert sessions.find("server", identity, CI) is made


# -- where instances come from ------------------------------------------------------------------------------------


async def test_the_one_client_of_wrap_has_an_instance_of_its_own_that_is_started_once_and_not_again() -> None:
    witness = Witness()
    async with ProcessServer() as server, running_core(witness.entry(), servers={"server": server.settings}) as core:
        client = HttpClient()
        source = OwnSource(Starter(core, "server", CI, client))
        first, again = await asyncio.gather(source.acquire(), source.acquire())
        assert first is again
        await first.close()
        assert (await source.acquire()) is first, "what a session knew has gone with its server"
        assert source.ended
        await source.release()
        with pytest.raises(Unavailable, match="session is over"):
            await source.acquire()
        await client.close()
    said = [record.note for record in witness.recorded if record.event == "instance"]
    assert [note.split(" in ")[0] for note in said] == ["started", "The server was stopped."]


async def test_clients_without_sessions_share_an_instance_that_is_replaced_when_it_has_ended() -> None:
    witness = Witness()
    async with ProcessServer() as server:
        async with sessions_of(witness.entry(), servers={"server": server.settings}) as sessions:
            source = sessions.stateless("server", CI).source
            assert source is not None
            first, again = await asyncio.gather(source.acquire(), source.acquire())
            assert first is again
            await until(lambda: server._writers)
            server._writers[0].transport.abort()
            await until(lambda: first.ended)
            second = await source.acquire()
            assert second is not first
        assert second.gone.is_set()
    assert len([record for record in witness.recorded if record.event == "instance"]) == 4


@pytest.mark.requirement("no-audit-no-traffic")
async def test_a_server_whose_start_cant_be_recorded_does_not_run() -> None:
    def observe(*_: Any) -> None:
        raise OSError("disk full")

    async with (
        ProcessServer() as server,
        running_core(entry({"required": True}, observe=observe), servers={"server": server.settings}) as core,
    ):
        client = HttpClient()
        source = OwnSource(Starter(core, "server", CI, client))
        with pytest.raises(Unavailable, match="could not be recorded"):
            await source.acquire()
        await client.close()


async def test_a_server_that_does_not_start_in_time_is_unavailable() -> None:
    """HTTP+SSE servers have to say where to post; this one never does."""

    async def silent(exchange: Exchange) -> None:
        await exchange.stream()
        await exchange.gone.wait()

    async with ScriptedServer(silent) as server:
        servers = {"server": {"url": server.url, "transport": "sse"}}
        async with running_core(servers=servers, proxy={"start_timeout": 0.1}) as core:
            client = HttpClient()
            source = OwnSource(Starter(core, "server", CI, client))
            with pytest.raises(Unavailable, match="didn't start in time"):
                await source.acquire()
            await client.close()


def test_the_bridge_of_these_tests_is_a_program() -> None:
    compile(BRIDGE, "bridge", "exec")
