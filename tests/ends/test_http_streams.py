"""Streams of streamable HTTP: never held up, each event judged by itself, and given up as each era wants it."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from support.polite import CALL, LEGACY, MODERN_CALL, SESSION, begun, polite
from support.rig import Witness, entry
from support.web import JSON, Exchange, ScriptedServer, front, within
from tidegate import Deny


async def test_each_event_goes_out_before_the_next_is_made() -> None:
    seen = asyncio.Semaphore(0)

    async def stepwise(exchange: Exchange) -> None:
        await exchange.stream()
        for number in range(5):
            await exchange.event({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": number}})
            await within(seen.acquire())  # the client has it
        await exchange.event({"jsonrpc": "2.0", "id": exchange_id(exchange), "result": {"content": []}})

    async with (
        ScriptedServer(stepwise) as server,
        front(Witness().entry(), server={"url": server.url}) as running,
        running.stream("POST", MODERN_CALL) as events,
    ):
        assert events.response.headers["content-type"] == "text/event-stream"
        assert events.response.headers["x-accel-buffering"] == "no"
        assert "no-transform" in events.response.headers["cache-control"]
        for number in range(5):
            assert (await events.next())["params"]["data"] == number
            seen.release()
        assert (await events.next())["result"] == {"content": []}
        assert await events.next() is None


def exchange_id(exchange: Exchange) -> Any:
    return exchange.json["id"]


async def test_what_a_server_asks_on_a_stream_and_what_the_client_answers_cross() -> None:
    asked = asyncio.Event()
    answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def asking(exchange: Exchange) -> None:
        message = exchange.json
        if message.get("method") == "initialize":
            await polite(exchange)
        elif message.get("method") == "tools/call":
            await exchange.stream()
            await exchange.event(
                {"jsonrpc": "2.0", "id": 1, "method": "elicitation/create", "params": {"message": "?"}}
            )
            asked.set()
            answer = await within(answered)
            await exchange.event({"jsonrpc": "2.0", "id": message["id"], "result": {"content": [], "heard": answer}})
        else:
            answered.set_result(message)
            await exchange.reply(status=202)

    witness = Witness()
    async with ScriptedServer(asking) as server, front(witness.entry(), server={"url": server.url}) as running:
        headers = await begun(running)
        async with running.stream("POST", CALL, **headers) as events:
            question = await events.next()
            assert (question["method"], question["id"]) == ("elicitation/create", 1)
            answer = await running.post({"id": 1, "result": {"action": "accept", "content": {}}}, headers)
            assert answer.status_code == 202
            assert (await events.next())["result"]["heard"]["result"]["action"] == "accept"
    assert ("result", "elicitation/create", "allow") in witness.verdicts()


@pytest.mark.requirement("nothing-unjudged")
async def test_a_denied_request_of_the_servers_is_answered_with_an_error_in_its_own_session() -> None:
    heard: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()

    async def asking(exchange: Exchange) -> None:
        message = exchange.json
        if message.get("method") == "initialize":
            await polite(exchange)
        elif message.get("method") == "tools/call":
            await exchange.stream()
            await exchange.event(
                {"jsonrpc": "2.0", "id": 9, "method": "elicitation/create", "params": {"message": "?"}}
            )
            await within(asyncio.shield(heard))
            await exchange.event({"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}})
        else:
            heard.set_result(exchange)
            await exchange.reply(status=202)

    deny = entry(decide=lambda message, *_: Deny("no") if message.method == "elicitation/create" else None)
    async with ScriptedServer(asking) as server, front(deny, server={"url": server.url}) as running:
        headers = await begun(running)
        async with running.stream("POST", CALL, **headers) as events:
            assert [list(event) for event in await events.rest()] == [["jsonrpc", "id", "result"]]
        got = await within(heard)
    assert (got.json["id"], got.json["error"]["data"]["code"]) == (9, "denied")
    assert got.headers["mcp-session-id"] == SESSION
    assert got.headers["mcp-protocol-version"] == LEGACY


async def test_a_request_of_the_servers_denied_on_its_own_stream_is_answered_in_that_session() -> None:
    heard: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()

    async def asking(exchange: Exchange) -> None:
        if exchange.method == "GET":
            await exchange.stream()
            await exchange.event({"jsonrpc": "2.0", "id": 9, "method": "roots/list"})
            await within(asyncio.shield(heard))
            await exchange.event({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "done"}})
        elif exchange.json.get("method") == "initialize":
            await polite(exchange)
        else:
            heard.set_result(exchange)
            await exchange.reply(status=202)

    deny = entry(decide=lambda message, *_: Deny("no") if message.method == "roots/list" else None)
    async with ScriptedServer(asking) as server, front(deny, server={"url": server.url}) as running:
        headers = await begun(running)
        async with running.stream("GET", **headers) as events:
            assert (await events.next())["params"]["data"] == "done"
        got = await within(heard)
    assert (got.json["id"], got.headers["mcp-session-id"]) == (9, SESSION)


async def test_a_client_that_goes_cancels_in_the_modern_era() -> None:
    begun_to_work, gone = asyncio.Event(), asyncio.Event()

    async def slow(exchange: Exchange) -> None:
        begun_to_work.set()
        await within(exchange.gone.wait())
        gone.set()

    async with ScriptedServer(slow) as server, front(server={"url": server.url}) as running:
        async with asyncio.timeout(10):
            call = asyncio.create_task(running.post(MODERN_CALL))
            await begun_to_work.wait()
            call.cancel()
            await gone.wait()


async def test_a_client_that_goes_from_a_modern_stream_cancels() -> None:
    gone = asyncio.Event()

    async def slow(exchange: Exchange) -> None:
        await exchange.stream()
        await exchange.event({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": 1}})
        await within(exchange.gone.wait())
        gone.set()

    async with ScriptedServer(slow) as server, front(server={"url": server.url}) as running:
        async with running.stream("POST", MODERN_CALL) as events:
            await events.next()
        await within(gone.wait())


async def test_a_client_that_goes_does_not_cancel_in_the_legacy_era() -> None:
    """It says notifications/cancelled if it means that (2025-11-25, streamable HTTP, sending messages)."""
    begun_to_work, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(exchange: Exchange) -> None:
        if exchange.json.get("method") != "tools/call":
            await polite(exchange)
            return
        begun_to_work.set()
        await within(go_on.wait())
        assert not exchange.gone.is_set()
        await exchange.result({"content": []})
        done.set()

    witness = Witness()
    async with ScriptedServer(slow) as server, front(witness.entry(), server={"url": server.url}) as running:
        headers = await begun(running)
        with pytest.raises(httpx.ReadTimeout):
            await running.http.post(
                running.mcp, content=json.dumps({"jsonrpc": "2.0", **CALL}), headers={**JSON, **headers}, timeout=0.3
            )
        await within(begun_to_work.wait())
        go_on.set()
        await within(done.wait())
        assert [message.get("method") for message in server.messages] == ["initialize", "tools/call"]
