"""Instances of one server: kept ready ahead of need, looked after, and not started again and again in vain."""

import asyncio
import sys
import time
from typing import Any

import pytest

from support.mortal import CI, QUICK, House, house, modern, mortal
from support.rig import Witness, entry
from support.web import PATIENCE, until
from tidegate import Decision
from tidegate.breaker import Pauses
from tidegate.pool import Pace
from tidegate.upstream import Unavailable

BROKEN = {"command": [sys.executable, "-I", "-S", "-c", "import sys; sys.exit(7)"]}


async def ready(it: House, count: int) -> None:
    """Wait until so many instances are kept ready."""
    it.sessions.fleet.fill()
    await until(lambda: it.states().count("ready") == count)


@pytest.mark.requirement("instances-apart")
async def test_as_many_instances_are_ready_as_the_settings_want_and_no_client_has_touched_them() -> None:
    async with house(server=mortal(warm=3)) as it:
        await ready(it, 3)
        assert {listed.principal for listed in it.sessions.fleet.listed()} == {"tidegate"}
        talk = await it.begun()
        knew = await talk.recall()
        assert [method for method, _ in knew["told"]] == ["initialize", "notifications/initialized"]
        await until(lambda: it.states().count("ready") == 3 and it.states().count("serving") == 1)


async def test_what_was_ready_is_given_to_one_only_and_recorded_as_its_own() -> None:
    witness = Witness()
    async with house(witness.entry(), server=mortal(warm=2)) as it:
        await ready(it, 2)
        before = it.pids
        talks = await asyncio.gather(*(it.begun() for _ in range(4)))
        pids = [(await talk.recall())["pid"] for talk in talks]
        assert len(set(pids)) == 4
        assert before <= {*pids, *it.pids}
        assert len(before & set(pids)) == 2
    notes = [record.note for record in witness.recorded if record.event == "instance"]
    assert notes.count("taken from those kept ready") >= 2
    assert len([note for note in notes if note.startswith("started in")]) == len(
        [note for note in notes if note.startswith("stopped")]
    )


async def test_a_server_that_answers_nothing_before_initialize_is_taken_to_be_ready_in_the_end() -> None:
    silent = [sys.executable, "-I", "-S", "-c", "import sys\nfor line in sys.stdin: pass"]
    async with house(server={"command": silent, "warm": 1}, pace=Pace(ready_within=0.05)) as it:
        await ready(it, 1)


async def test_one_that_is_kept_ready_is_asked_in_the_way_of_those_it_is_for() -> None:
    """A server of both eras takes the first question's era, and refuses the other from then on."""
    async with house(server=mortal(warm=1)) as it:
        await ready(it, 1)
        [said] = await it.stateless().say(modern())
        assert said["result"]["told"] == []
        await ready(it, 2)
        talk = await it.begun()
        assert (await talk.recall())["told"][0][0] == "initialize"
        [said] = await it.stateless(CI).say(modern())
        [other] = [running for running in it.sessions.fleet.pool("server").running if running.instance.modern][:1]
        assert other.instance.answered


async def test_one_that_dies_while_it_is_ready_is_replaced() -> None:
    async with house(server=mortal(warm=2)) as it:
        await ready(it, 2)
        before = it.pids
        next(iter(it.sessions.fleet.pool("server").running)).instance.fail("It was ended.")
        await until(lambda: it.states().count("ready") == 2 and it.pids != before)


async def test_what_is_ready_survives_idling_and_is_asked_whether_it_lives() -> None:
    pace = Pace(ping_every=0.02, ping_within=1.0)
    async with house(server=mortal(warm=1, idle_timeout=0.05), pace=pace) as it:
        await ready(it, 1)
        [running] = it.sessions.fleet.pool("server").running
        asked: list[None] = []
        running.instance.on_answer = lambda: asked.append(None)
        await until(lambda: asked)
        assert running.instance.ended is None


async def test_servers_that_never_start_are_not_started_again_and_again_for_nobody() -> None:
    witness = Witness()
    slow = Pace(pauses=Pauses(first=20.0, opens=1, longest=60.0))
    async with house(witness.entry(), server={**BROKEN, "warm": 3}, pace=slow) as it:
        it.sessions.fleet.fill()
        pool = it.sessions.fleet.pool("server")
        await until(lambda: pool._breaker.is_open)
        with pytest.raises(Unavailable, match=r"exit code 7\. It fails again and again, and is"):
            await pool.take(it.sessions.fleet.starter("server", CI), modern=False)
    started = [record for record in witness.recorded if record.note.startswith("started")]
    assert len(started) <= 6


async def test_an_open_breaker_fails_calls_at_once_and_says_when_it_is_tried_again() -> None:
    slow = Pace(pauses=Pauses(first=0.001, opens=3, longest=60.0))
    async with house(server=BROKEN, pace=slow) as it:
        talk = it.session()
        for _ in range(3):
            await talk.begin()
        await until(lambda: not it.pids)
        begun = time.monotonic()
        said = (await talk.begin())["error"]["message"]
        assert said.endswith("exit code 7. It fails again and again, and is tried again in 1 second.")
        assert time.monotonic() - begun < 1


async def test_a_server_that_is_well_again_is_used_again() -> None:
    quick = Pace(early=0.0, pauses=Pauses(first=0.001, longest=0.01, opens=2))
    async with house(pace=quick) as it:
        pool = it.sessions.fleet.pool("server")
        for _ in range(3):
            pool._failed("It failed.")
        talk = it.session()
        async with asyncio.timeout(PATIENCE):
            while "result" not in await talk.begin():
                pass
        assert not pool._breaker.is_open


@pytest.mark.requirement("no-audit-no-traffic")
async def test_one_that_was_ready_is_not_used_where_that_cant_be_recorded() -> None:
    full: list[None] = []

    def observe(decision: Decision, _flow: Any) -> None:
        if full and decision.event == "instance":
            raise OSError("disk full")

    async with house(entry({"required": True}, observe=observe), server=mortal(warm=1)) as it:
        await ready(it, 1)
        full.append(None)
        [said] = await it.session().say({"id": 1, "method": "tools/list"})
        assert "could not be recorded" in said["error"]["message"]
        full.clear()


# -- leaving nothing behind ---------------------------------------------------------------------------------------


@pytest.mark.requirement("no-orphans")
@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 13, 21, 50])
async def test_a_start_that_is_cancelled_at_any_point_leaves_nothing(turns: int) -> None:
    async with house() as it:
        talk = it.session()
        beginning = asyncio.create_task(talk.begin())
        for _ in range(turns):
            await asyncio.sleep(0)
        beginning.cancel()
        await asyncio.wait((beginning,))
        await talk.leave()
        await until(lambda: not it.pids)


@pytest.mark.requirement("no-orphans")
@pytest.mark.parametrize("how", ["stop", "retire", "close"])
async def test_what_is_being_started_ends_with_its_server(how: str) -> None:
    async with house(server=mortal(warm=4)) as it:
        fleet = it.sessions.fleet
        fleet.fill()
        pool = fleet.pool("server")
        beginning = asyncio.create_task(it.session().begin())
        ends: dict[str, Any] = {
            "stop": lambda: fleet.stop("server"),
            "retire": lambda: pool.retire("The settings of the server were changed."),
            "close": fleet.close,
        }
        await asyncio.sleep(0)
        await ends[how]()
        assert "error" in await beginning
        await until(lambda: not pool.running)


async def test_hanging_questions_do_not_keep_it_from_ending() -> None:
    async with house(server=mortal(warm=1), pace=QUICK) as it:
        it.sessions.fleet.fill()
        await until(lambda: it.states() == ["starting"])
