"""A server that refuses connections: how long it is waited for, and what waits."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from support.remote import CALL, Remote, ok, remote
from support.web import ScriptedServer, until, within
from tidegate import Message
from tidegate.ends.away import PATIENCE, Away
from tidegate.testing import request


def test_a_server_that_never_answered_is_not_waited_for() -> None:
    assert Away().pause(0.0, 0) is None


def test_a_server_is_waited_for_with_growing_pauses_and_no_longer_than_its_time() -> None:
    its = Away()
    its.answered()
    now, pauses = 100.0, list[float]()
    while (pause := its.pause(now, len(pauses))) is not None:
        pauses.append(pause)
        now += pause
    assert sum(pauses) == pytest.approx(PATIENCE)
    assert pauses[:3] == [0.05, 0.1, 0.2]
    assert its.pause(now + 100, 0) is None, "nobody else waits until it is there again"


def test_a_server_that_came_back_is_waited_for_again() -> None:
    its = Away()
    its.answered()
    its.pause(100.0, 0)
    its.answered()
    assert its.pause(100.0 + 2 * PATIENCE, 0) is not None


@asynccontextmanager
async def restarting(it: Remote) -> AsyncIterator[Callable[[], Any]]:
    """Stop a server that has answered; yield what starts another at its address."""
    await it.send()
    assert it.server._server is not None
    port = it.server._server.sockets[0].getsockname()[1]
    await it.server.__aexit__()
    another = ScriptedServer(ok)

    async def start() -> ScriptedServer:
        another._server = await asyncio.start_server(another._connected, "127.0.0.1", port)
        return another

    try:
        yield start
    finally:
        if another._server is not None:
            await another.__aexit__()


def tries(it: Remote) -> list[str]:
    """Return a list of what the upstream will send, each time that it tries."""
    found, begin = list[str](), it.client.begin

    async def counted(method: str, *args: Any, **kwargs: Any) -> Any:
        found.append(method)
        return await begin(method, *args, **kwargs)

    it.client.begin = counted  # type: ignore[method-assign]  # it still does what it did
    return found


@pytest.mark.parametrize("method", ["tools/call", "prompts/get", "resources/read", "completion/complete"])
async def test_a_call_that_comes_while_its_server_is_restarted_waits_and_is_sent_once(method: str) -> None:
    async with remote(ok) as it, restarting(it) as start:
        sent = tries(it)
        call = asyncio.ensure_future(it.send(request(method, {"name": "add", "uri": "res://1"})))
        await until(lambda: len(sent) > 1)
        another = await start()
        assert (await within(call)).status == 200
        assert [got.method for got in another.got] == ["POST"]


@pytest.mark.parametrize("message", [request("tools/list"), request("ping"), request("initialize", {})])
async def test_what_can_do_without_the_server_does_not_wait(message: Message) -> None:
    async with remote(ok) as it, restarting(it):
        sent = tries(it)
        assert "be reached" in str(await it.unavailable(message))
        assert sent == ["POST"]


async def test_a_server_that_stays_away_keeps_one_call_waiting_and_then_none() -> None:
    async with remote(ok) as it:
        it.upstream._away = Away(0.1)
        await _stays_away(it)


async def _stays_away(it: Remote) -> None:
    async with restarting(it) as start:
        assert "be reached" in str(await it.unavailable())
        sent = tries(it)
        assert "be reached" in str(await it.unavailable())
        assert sent == ["POST"]
        await start()
        assert (await it.send(CALL)).status == 200


async def test_a_call_that_waits_ends_with_its_session() -> None:
    async with remote(ok) as it, restarting(it):
        sent = tries(it)
        call = asyncio.ensure_future(it.unavailable())
        await until(lambda: sent)
        await it.upstream.close()
        assert "closed" in str(await within(call))
