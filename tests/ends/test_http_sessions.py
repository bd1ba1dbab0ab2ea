"""Sessions of streamable HTTP (2025-03-26 to 2025-11-25): whose they are, and when they begin and end."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from support.polite import AUTH, CALL, INITIALIZE, LEGACY, MODERN_CALL, SESSION, TOKENS, begun, polite
from support.rig import entry
from support.web import JSON, Exchange, ScriptedServer, front
from tidegate import Deny
from tidegate.flows import Runtime


async def test_a_session_goes_under_the_servers_own_id() -> None:
    async with ScriptedServer(polite) as server, front(server={"url": server.url}) as running:
        headers = await begun(running)
        assert headers["mcp-session-id"] == SESSION
        answer = await running.post(CALL, headers)
        assert answer.json()["result"]["said"]["mcp-session-id"] == SESSION
        assert answer.json()["result"]["said"]["mcp-protocol-version"] == LEGACY


async def test_an_unknown_session_is_answered_with_404() -> None:
    async with ScriptedServer(polite) as server, front(server={"url": server.url}) as running:
        for method in ("GET", "DELETE"):
            answer = await running.http.request(method, running.mcp, headers={**JSON, "mcp-session-id": "made-up"})
            assert answer.status_code == 404
        answer = await running.post(CALL, {"mcp-session-id": "made-up"})
        assert (answer.status_code, answer.json()["id"]) == (404, 1)
        assert server.got == []


async def test_a_session_is_bound_to_its_principal() -> None:
    ci, dev = ({"authorization": f"Bearer {TOKENS[name]}"} for name in ("ci", "dev"))
    async with ScriptedServer(polite) as server, front(server={"url": server.url}, auth=AUTH) as running:
        headers = await begun(running, **ci)
        before = len(server.got)
        for method in ("POST", "GET", "DELETE"):
            stolen = {**JSON, **headers, **dev}
            content = json.dumps({"jsonrpc": "2.0", **CALL}) if method == "POST" else None
            answer = await running.http.request(method, running.mcp, headers=stolen, content=content)
            assert answer.status_code == 404
        assert len(server.got) == before
        assert (await running.post(CALL, headers)).status_code == 200


async def test_a_session_id_that_a_server_gives_twice_belongs_to_the_last_one_alone() -> None:
    ci, dev = ({"authorization": f"Bearer {TOKENS[name]}"} for name in ("ci", "dev"))
    async with ScriptedServer(polite) as server, front(server={"url": server.url}, auth=AUTH) as running:
        first = await begun(running, **ci)
        second = await begun(running, **dev)
        assert first["mcp-session-id"] == second["mcp-session-id"]
        assert (await running.post(CALL, first)).status_code == 404
        assert (await running.post(CALL, second)).status_code == 200


async def test_a_deleted_session_is_gone() -> None:
    async with ScriptedServer(polite) as server, front(server={"url": server.url}) as running:
        headers = await begun(running)
        assert (await running.http.delete(running.mcp, headers=headers)).status_code == 200
        assert (server.got[-1].method, server.got[-1].headers["mcp-session-id"]) == ("DELETE", SESSION)
        assert len(running.sessions) == 0
        assert (await running.post(CALL, headers)).status_code == 404


async def test_a_denied_initialize_begins_no_session() -> None:
    deny = entry(decide=lambda message, *_: Deny("no") if message.method == "initialize" else None)
    async with ScriptedServer(polite) as server, front(deny, server={"url": server.url}) as running:
        answer = await running.post(INITIALIZE)
        assert "error" in answer.json()
        assert "mcp-session-id" not in answer.headers
        assert len(running.sessions) == 0
        assert server.got == []


async def test_more_sessions_than_the_settings_allow_are_refused() -> None:
    numbers = iter(range(10))

    async def numbered(exchange: Exchange) -> None:
        await exchange.result(
            {"protocolVersion": LEGACY, "capabilities": {}}, **{"mcp-session-id": f"s{next(numbers)}"}
        )

    async with (
        ScriptedServer(numbered) as server,
        front(server={"url": server.url}, proxy={"max_sessions": 2}) as running,
    ):
        assert [(await running.post(INITIALIZE)).status_code for _ in range(3)] == [200, 200, 503]


@pytest.mark.parametrize("message", [INITIALIZE, CALL, MODERN_CALL], ids=["initialize", "legacy", "modern"])
async def test_a_server_that_a_reload_takes_away_while_a_message_for_it_comes_in_is_not_there(message: Any) -> None:
    half = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        yield data[:10]
        await half.wait()
        yield data[10:]

    async with ScriptedServer(polite) as server, front(server={"url": server.url}) as running:
        posting = asyncio.create_task(running.http.post(running.mcp, content=slowly(), headers=JSON))
        await asyncio.sleep(0.05)  # sleep: until the first half has come, which nothing shows
        before = running.core.now
        running.core.now = Runtime(before.settings.model_copy(update={"servers": {}}), before.pipeline)
        half.set()
        answer = await posting
        assert answer.status_code in (404, 503)
        assert "error" in answer.json()
        assert server.got == []
