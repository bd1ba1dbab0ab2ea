"""Settings that change while clients talk to the gateway: servers come and go, and names and profiles change."""

import asyncio
from typing import Any

import pytest

from support.gateways import CI, Gateway, gateway, said
from support.mortal import mortal
from support.pipes import is_denied
from support.rig import loaded
from support.toys import LEGACY, Toy, text
from support.web import Exchange, until, within
from tidegate import methods
from tidegate.flows import Runtime

both = pytest.mark.parametrize("version", [LEGACY, methods.MODERN])

WORK = {"work": {"servers": ["files", "time"], "tools": ["files/read_*", "time/now"]}}


def office() -> list[Toy]:
    files = Toy("files", "read_all", "read_one", "delete_all", settings={"prefix": "f_"})
    return [files, Toy("time", "now", "set", settings={"prefix": ""}), Toy("bank", "pay", prompts=[{"name": "beg"}])]


async def reload(made: Gateway, *, changed: set[str] | None = None, **tree: Any) -> None:
    """Take over other settings, as a reload does."""
    built, pipeline = loaded((), tree)
    await pipeline.start(built)
    made.core.now = Runtime(built, pipeline)
    await made.sessions.retire(changed or set())


def settings_of(*toys: Toy, **more: Any) -> dict[str, Any]:
    return {"servers": {toy.name: toy.settings for toy in toys}, **more}


@both
async def test_a_server_that_a_reload_adds_is_served_and_one_that_it_takes_away_is_not(version: str) -> None:
    one, two = Toy("one", "add"), Toy("two", "sub")
    async with two, gateway(toys=[one]) as made:
        talk = await made.client(version)
        assert await talk.listed() == ["one__add"]
        await reload(made, **settings_of(one, two))
        assert await talk.listed() == ["one__add", "two__sub"]
        assert said(await talk.call("two__sub")) == "two: sub {}"
        await reload(made, changed={"one"}, **settings_of(two))
        assert await talk.listed() == ["two__sub"]
        assert is_denied(await talk.call("one__add"), "unknown")
        assert len(one.asked("tools/call")) == 0


async def test_a_client_with_a_session_is_told_when_a_reload_changes_what_it_is_served() -> None:
    one, two = Toy("one", "add"), Toy("two", "sub")
    async with two, gateway(toys=[one]) as made:
        talk = await made.session()
        listening = asyncio.create_task(talk.told("notifications/tools/list_changed"))
        await until(lambda: one.streams)
        await reload(made, **settings_of(one, two))
        await within(listening)


@both
async def test_a_prefix_that_a_reload_changes_is_the_new_one_at_once(version: str) -> None:
    one = Toy("one", "add")
    async with gateway(toys=[one]) as made:
        talk = await made.client(version)
        assert await talk.listed() == ["one__add"]
        one.more = {"prefix": "o_"}
        await reload(made, **settings_of(one))
        assert said(await talk.call("o_add")) == "one: add {}"
        assert is_denied(await talk.call("one__add"), "unknown") or "error" in await talk.call("one__add")
        assert await talk.listed() == ["o_add"]
        assert len(one.asked("initialize")) == 1, "no server ends because of it"


@both
async def test_a_profile_that_a_reload_takes_away_ends_its_sessions(version: str) -> None:
    toys = office()
    async with gateway(toys=toys, profiles=WORK) as made:
        talk = await made.client(version, profile="work")
        await talk.call("now")
        await reload(made, **settings_of(*toys))
        assert talk.front.over.is_set()
        assert made.sessions.find("/work", talk.identity, CI) is None


@both
@pytest.mark.requirement("names-lead-back")
async def test_a_server_that_a_reload_takes_out_of_a_profile_hears_and_tells_its_clients_nothing(version: str) -> None:
    files, _, _ = toys = office()
    async with gateway(toys=toys, profiles=WORK) as made:
        talk = await made.client(version, profile="work")
        assert said(await talk.call("f_read_all")) == "files: read_all {}"
        less = {"work": {"servers": ["time"]}}
        await reload(made, **settings_of(*toys, profiles=less))
        assert await talk.listed() == ["now", "set"]
        heard = len(files.got)
        await talk.tell("notifications/roots/list_changed")
        assert "error" in await talk.call("f_read_all")
        assert len(files.got) == heard
        assert list(talk.front.peers) == ["time"]


async def test_a_session_that_begins_while_a_reload_takes_a_server_away_is_not_served_it() -> None:
    waiting, going = asyncio.Event(), asyncio.Event()

    async def slow(exchange: Exchange) -> None:
        waiting.set()
        await going.wait()
        await exchange.result({"protocolVersion": LEGACY, "capabilities": {"tools": {}}, "serverInfo": {}})

    one, two = Toy("one", "add"), Toy("two", "sub", answers={"initialize": slow})
    async with gateway(toys=[one, two]) as made:
        opening = asyncio.create_task(made.open())
        await within(waiting.wait())
        await reload(made, changed={"two"}, **settings_of(one))
        going.set()
        talk, _ = await within(opening)
        assert await talk.listed() == ["one__add"]
        assert is_denied(await talk.call("two__sub"), "unknown")


async def never(exchange: Exchange) -> None:
    await exchange.gone.wait()


@both
async def test_a_request_that_waits_for_a_server_to_be_reached_has_an_error_when_its_session_ends(version: str) -> None:
    begin = "initialize" if version == LEGACY else "server/discover"
    slow = Toy("slow", "add", version=version, answers={begin: never})
    async with gateway(toys=[slow, Toy("well", "sub")], gateway={"patience": 0.1}) as made:
        talk = await made.client(version)
        calling = asyncio.create_task(talk.call("slow__add"))
        await until(lambda: slow.asked(begin))
        await talk.front.close()
        assert "error" in await within(calling)


@both
async def test_a_call_that_a_remote_server_works_on_when_a_reload_changes_it_has_an_error_and_the_next_one_works(
    version: str,
) -> None:
    going = asyncio.Event()

    async def slow(exchange: Exchange) -> None:
        await going.wait()
        await one.result(exchange, text("late"))

    one = Toy("one", "add", version=version, answers={"tools/call": slow})
    async with gateway(toys=[one]) as made:
        talk = await made.client(version)
        calling = asyncio.create_task(talk.call("one__add"))
        await until(lambda: one.asked("tools/call"))
        await reload(made, changed={"one"}, **settings_of(one))
        one.answers.clear()
        assert is_denied(await within(calling), "unavailable")
        going.set()
        assert said(await talk.call("one__add")) == "one: add {}"


async def test_a_call_that_a_process_works_on_when_a_reload_changes_it_has_an_error_and_the_next_one_works() -> None:
    async with gateway(toys=[], servers={"m": mortal()}) as made:
        talk = await made.session()
        calling = asyncio.create_task(talk.call("m__mute"))
        await until(lambda: talk.front.waiting)
        await reload(made, changed={"m"}, servers={"m": mortal(prefix="n_")})
        assert is_denied(await within(calling), "unavailable")
        assert "result" in await talk.call("n_echo")
