"""What becomes of calls and subscriptions when a session ends, or nobody uses it for long."""

import asyncio

import pytest

from support.askers import Asker, retry
from support.gateways import DEV, gateway, said
from support.pipes import is_denied
from support.toys import Toy
from support.web import Exchange, until, within
from tidegate import methods

MODERN = methods.MODERN


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("version", [methods.V2025_11, MODERN])
async def test_a_call_that_a_remote_server_works_on_ends_with_the_session(version: str, streamed: bool) -> None:  # noqa: FBT001 - a parameter of a test
    async def never(exchange: Exchange) -> None:
        if streamed:
            await exchange.stream()
            await exchange.event({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info"}})
        await exchange.gone.wait()

    toy = Toy("one", "add", version=version, answers={"tools/call": never})
    async with gateway(toys=[toy]) as made:
        talk = await made.session()
        call = asyncio.create_task(talk.call("one__add"))
        await until(lambda: toy.asked("tools/call"))
        await made.sessions.drop("/", talk.identity)
        assert is_denied(await within(call), "unavailable")


async def test_what_is_held_for_a_client_without_sessions_outlasts_the_time_that_others_may_be_idle() -> None:
    asker = Asker("one")
    async with gateway(toys=[asker], proxy={"idle_timeout": 0.1}) as made:
        talk, other = made.stateless(declared={"elicitation": {}}), made.stateless(DEV)
        await other.listed()
        asked = await talk.ask("tools/call", 1, name="one__add", arguments={})
        await until(other.front.over.is_set)
        yes = {"action": "accept", "content": {}}
        assert said((await talk.send(retry(talk, asked, 2, "one__add", yes)))[-1]) == "one is done"
        await until(talk.front.over.is_set)
