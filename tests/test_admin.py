"""What the admin address serves: whether Tidegate lives, and whether it takes clients; nothing else, and no secrets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from support.web import Exchange, Front, ScriptedServer, front

INITIALIZE = {"id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18"}}


@asynccontextmanager
async def serving() -> AsyncIterator[Front]:
    begun = 0

    async def begin(exchange: Exchange) -> None:
        nonlocal begun
        begun += 1
        if exchange.method == "POST":
            await exchange.result({"protocolVersion": "2025-06-18"}, **{"mcp-session-id": f"s-{begun}"})
        else:
            await exchange.reply()

    async with ScriptedServer(begin) as server, front(server={"url": server.url}) as tidegate:
        yield tidegate


async def ask(tidegate: Front, path: str, **more: str) -> httpx.Response:
    return await tidegate.http.get(f"{tidegate.admin}{path}", headers=more)


async def test_it_says_that_it_lives_and_is_ready_and_how_many_sessions_are_open() -> None:
    async with serving() as tidegate:
        assert (await ask(tidegate, "/healthz")).json() == {"status": "ok"}
        assert (await ask(tidegate, "/readyz")).json() == {"status": "ready", "sessions": 0}
        for _ in range(2):
            assert (await tidegate.post(INITIALIZE)).status_code == 200
        assert (await ask(tidegate, "/readyz")).json() == {"status": "ready", "sessions": 2}


async def test_while_it_stops_it_lives_but_is_not_ready() -> None:
    async with serving() as tidegate:
        tidegate.stopping.set()
        ready = await ask(tidegate, "/readyz")
        assert (ready.status_code, ready.json()) == (503, {"status": "stopping", "sessions": 0})
        alive = await ask(tidegate, "/healthz")
        assert (alive.status_code, alive.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/", "/healthz/x", "//healthz", "/servers/server/mcp", "/%00", "/é"])
async def test_all_else_is_not_found(path: str) -> None:
    async with serving() as tidegate:
        answer = await ask(tidegate, path)
        assert answer.status_code == 404
        assert {"/healthz", "/readyz"} <= set(answer.json()["paths"])


async def test_clients_are_not_served_there_and_the_admin_is_not_served_to_clients() -> None:
    async with serving() as tidegate:
        assert (await tidegate.post(INITIALIZE, url=f"{tidegate.admin}/servers/server/mcp")).status_code == 404
        for path in ("/healthz", "/readyz"):
            assert (await tidegate.http.get(f"{tidegate.url}{path}")).status_code == 404


async def test_a_request_that_is_ambiguous_is_answered_and_does_not_stop_it() -> None:
    async with serving() as tidegate:
        twice = [("mcp-method", "a"), ("mcp-method", "b")]
        answer = await tidegate.http.get(f"{tidegate.admin}/healthz", headers=twice)
        assert answer.status_code == 404
        assert (await ask(tidegate, "/healthz")).status_code == 200
