"""What becomes of calls and subscriptions when a session ends, or nobody uses it for long."""

import asyncio

import pytest

from support.gateways import gateway
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
