"""What the fronts of one Tidegate share: eras of servers, pages, held requests; and what is left when they end."""

import asyncio
import contextlib
import gc

import pytest

from support.gateways import CI, DEV, gateway, said
from support.rig import loaded
from support.toys import LEGACY, Toy
from support.web import Exchange, until, within
from tidegate import methods
from tidegate.flows import Runtime

MODERN = methods.MODERN


async def test_the_era_of_a_server_is_found_out_once_and_known_to_all() -> None:
    old, new = Toy("old", "a"), Toy("new", "b", version=MODERN)
    async with gateway(toys=[old, new]) as made:
        for principal in (CI, DEV):
            await made.stateless(principal).listed()
            await made.session(principal)
        assert made.sessions.shared.eras == {"old": "legacy", "new": "modern"}
        assert len(old.asked("server/discover")) == 1
        assert len(new.asked("initialize")) == 1


async def test_what_was_found_out_of_a_server_is_forgotten_when_its_settings_change() -> None:
    old, new = Toy("old", "a"), Toy("new", "b", version=MODERN)
    async with gateway(toys=[old, new]) as made:
        await made.stateless().listed()
        await made.sessions.retire({"old"})
        shared = made.sessions.shared
        assert "old" not in shared.eras
        assert [key for key in shared.known if key[1] == "old"] == []
        assert ("ci", "new") in shared.known
        assert said(await made.stateless().call("old__a")) == "old: a {}"


async def test_pages_of_another_size_begin_anew() -> None:
    one = Toy("one", *"abcd")
    async with gateway(toys=[one], gateway={"page": 2}) as made:
        talk = await made.session()
        cursor = (await talk.ask("tools/list"))["result"]["nextCursor"]
        built, pipeline = loaded((), {"servers": {"one": one.settings}, "gateway": {"page": 3}})
        made.core.now = Runtime(built, pipeline)
        assert "error" in await talk.ask("tools/list", cursor=cursor)
        assert len((await talk.ask("tools/list"))["result"]["tools"]) == 3


@pytest.mark.parametrize("version", [LEGACY, MODERN])
async def test_nothing_of_many_clients_is_left_when_they_have_gone(version: str) -> None:
    async def slow(exchange: Exchange) -> None:
        await exchange.gone.wait()

    one, two = Toy("one", "a", "slow"), Toy("two", "b", version=MODERN)
    async with gateway(toys=[one, two]) as made:
        await (await made.client(version)).listed()
        before = {task.get_name() for task in asyncio.all_tasks()}
        for number in range(20):
            talk = await made.client(version, CI if number % 2 else DEV)
            await talk.listed()
            calls = [asyncio.create_task(talk.call(name)) for name in ("one__a", "two__b")]
            if number % 3 == 0:
                calls[0].cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            if version == LEGACY:
                await made.sessions.drop("/", talk.identity)
        made.talks.clear()
        gc.collect()
        await until(lambda: _names() - before <= _KEPT)
        assert len(made.sessions) <= 1
        for entry in list(made.sessions._stateless.values()):
            await entry.relay.close()
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    with contextlib.suppress(TimeoutError):
        await within(asyncio.gather(*left, return_exceptions=True), 1)
    assert [task for task in left if not task.done()] == []


_KEPT = {"gateway pump", "held requests", "session sweeper"}


def _names() -> set[str]:
    return {
        name for task in asyncio.all_tasks() if (name := task.get_name()).startswith(("gateway", "held", "session"))
    }


async def test_a_session_that_nobody_uses_ends_and_its_servers_are_told() -> None:
    one = Toy("one", "a")
    async with gateway(toys=[one], proxy={"idle_timeout": 0.2}) as made:
        talk = await made.session()
        assert said(await talk.call("one__a")) == "one: a {}"
        await until(talk.front.over.is_set)
        assert made.sessions.find("/", talk.identity, CI) is None
        await until(lambda: any(exchange.method == "DELETE" for exchange in one._server.got))
