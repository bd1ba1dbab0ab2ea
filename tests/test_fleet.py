"""All instances: what is told of them, and how they are stopped and restarted by hand."""

import time

import pytest

from support.mortal import CI, DEV, house, mortal
from support.web import until
from tidegate.breaker import Pauses
from tidegate.pool import Pace
from tidegate.upstream import Unavailable


async def test_what_runs_is_listed_with_whose_it_is() -> None:
    async with house() as it:
        talk = await it.begun(CI)
        await it.begun(DEV)
        knew = await talk.recall()
        one, two = it.sessions.fleet.listed()
        assert (one.server, one.principal, one.state, one.restarts, one.container) == (
            "server",
            "ci",
            "serving",
            0,
            None,
        )
        assert (one.pid, one.calls) == (knew["pid"], 3)
        assert abs(time.time() - one.since) < 60
        assert two.principal == "dev"
        assert one.identity != two.identity
        await talk.call("die")
        await talk.recall()
        assert [listed.restarts for listed in it.sessions.fleet.listed()] == [0, 1]


async def test_a_restarted_server_has_other_instances_and_its_sessions_go_on() -> None:
    async with house() as it:
        talk, other = await it.begun(), await it.begun(DEV)
        before = it.pids
        assert await it.sessions.fleet.restart("server") == 2
        assert not it.pids
        after = {(await each.recall())["pid"] for each in (talk, other)}
        assert len(after) == 2
        assert not after & before
        assert [method for method, _ in (await talk.recall())["told"]] == ["initialize", "notifications/initialized"]


async def test_a_stopped_server_stays_so_until_it_is_restarted() -> None:
    async with house(server=mortal(warm=1)) as it:
        fleet = it.sessions.fleet
        fleet.fill()
        talk = await it.begun()
        await until(lambda: it.states().count("ready") == 1)
        assert await fleet.stop("server") == 2
        for each in (talk, it.session()):
            assert "was stopped, until somebody restarts it" in (await each.call())["error"]["message"]
        assert not it.pids
        assert await fleet.restart("server") == 0
        await until(lambda: it.states() == ["ready"])
        assert (await talk.recall())["calls"] == 1


async def test_a_restart_by_hand_forgets_what_failed_before() -> None:
    slow = Pace(early=60.0, pauses=Pauses(first=30.0, opens=1, longest=60.0))
    async with house(pace=slow) as it:
        talk = await it.begun()
        await talk.call("die")
        assert "tried again in" in (await talk.call())["error"]["message"]
        await it.sessions.fleet.restart("server")
        assert (await talk.recall())["calls"] == 1


async def test_there_is_nothing_to_restart_of_a_server_that_isnt_there() -> None:
    async with house() as it:
        for work in (it.sessions.fleet.restart, it.sessions.fleet.stop):
            with pytest.raises(Unavailable, match="There is no server 'other' any more"):
                await work("other")


async def test_a_remote_server_has_no_instances() -> None:
    async with house(server={"url": "http://127.0.0.1:9/mcp"}) as it:
        it.sessions.new("server", CI)
        assert it.sessions.fleet.listed() == []
        assert await it.sessions.fleet.restart("server") == 0


async def test_without_servers_kept_ready_nothing_is_started_ahead() -> None:
    async with house() as it:
        it.sessions.fleet.fill()
        assert it.sessions.fleet.listed() == []
