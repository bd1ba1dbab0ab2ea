"""Relays before servers of streamable HTTP: answers that are wrong, double, cut off, or hidden among other messages."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from support.pipes import HTTP, STDIO, call, is_denied, told
from support.rig import Entry, Witness, encoded, entry, running_core
from support.web import Exchange, ScriptedServer, until, within
from tidegate import Deny
from tidegate.ends.http1 import HttpClient
from tidegate.flow import Principal
from tidegate.methods import BATCHING
from tidegate.relay import Relay
from tidegate.servers import new_upstream

Answer = Callable[[Exchange], Any]
NOTE = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "note"}}


@asynccontextmanager
async def before(answer: Answer, *entries: Entry, version: str = "", **proxy: Any) -> AsyncIterator[Relay]:
    """Put a relay before a server that answers as a function says."""
    async with ScriptedServer(answer) as server:
        servers = {"server": {"url": server.url}}
        async with running_core(*entries, servers=servers, proxy=proxy) as core:
            client = HttpClient()
            upstream, _ = new_upstream(core, "server", Principal(), client)
            relay = Relay(core, core.now.settings.server("server"), upstream, Principal())
            relay.flows.version = version
            try:
                yield relay
            finally:
                await relay.close()
                await client.close()


async def ask(relay: Relay, identity: Any = "x", context: Any = STDIO) -> list[Any]:
    return await told(await within(relay.accept(encoded(call(identity)), context)))


def reply(said: Any, identity: Any = "x") -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity, "result": said}


def in_json(tree: Any) -> Answer:
    return lambda exchange: exchange.reply(tree) if not isinstance(tree, bytes) else exchange.reply(raw=tree)


def in_stream(*trees: Any) -> Answer:
    async def answer(exchange: Exchange) -> None:
        await exchange.stream()
        for tree in trees:
            await exchange.event(tree)

    return answer


WAYS = [pytest.param(in_json, id="json"), pytest.param(in_stream, id="stream")]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("identity", ["y", 1, "X", ["x"], None])
async def test_a_reply_to_another_request_is_recorded_and_reaches_nobody(way: Any, identity: Any) -> None:
    witness = Witness()
    async with before(way(reply("wrong", identity)), witness.entry()) as relay:
        (answer,) = await ask(relay)
        assert answer["id"] == "x"
        assert "wrong" not in json.dumps(answer)
        assert len(relay.requests) == 0
    assert (None, "deny") in [(kind, verdict) for kind, _, verdict in witness.verdicts("rejected")]


async def test_a_second_reply_on_the_same_stream_reaches_nobody() -> None:
    async with before(in_stream(reply(1), reply(2), NOTE)) as relay:
        answers = await ask(relay)
        assert [answer.get("result") for answer in answers] == [1, None]
        assert answers[1]["method"] == "notifications/message"


async def test_a_right_reply_after_a_wrong_one_arrives() -> None:
    async with before(in_stream(reply("wrong", "y"), NOTE, reply("right"))) as relay:
        assert [answer.get("result") for answer in await ask(relay)] == [None, "right"]


@pytest.mark.parametrize(
    "noise",
    [
        b'{"jsonrpc":"2.0","method":"notifications/message","params":{"a":NaN}}',
        b'{"jsonrpc":"2.0","method":"notifications/message","params":[1]}',
        b'{"jsonrpc":"2.0","id":"x","method":"roots/list","params":{"a":1,"a":2}}',
    ],
)
async def test_a_malformed_message_that_is_no_reply_does_not_end_the_request(noise: bytes) -> None:
    witness = Witness()
    async with before(in_stream(noise, reply("right")), witness.entry()) as relay:
        assert await ask(relay) == [reply("right")]
    assert len(witness.verdicts("rejected")) == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("context", [STDIO, HTTP], ids=["stdio", "http"])
@pytest.mark.parametrize("data", [b'{"jsonrpc":"2.0","id":"x","result":NaN}', b"<html>", b"[]", b'{"id":"x"}'])
@pytest.mark.requirement("no-blind-spot")
async def test_a_malformed_reply_is_an_error_to_who_asked(way: Any, context: Any, data: bytes) -> None:
    witness = Witness()
    async with before(way(data), witness.entry()) as relay:
        (answer,) = await ask(relay, context=context)
        assert answer["id"] == "x"
        assert answer["error"]["data"]["code"] in ("ambiguous", "parse", "invalid", "unavailable")
        assert len(relay.requests) == 0
    assert witness.verdicts("rejected")


async def nothing(exchange: Exchange) -> None:
    await exchange.reply(status=202)


async def dying(exchange: Exchange) -> None:
    exchange.die()


async def dying_midway(exchange: Exchange) -> None:
    await exchange.raw(b'HTTP/1.1 200 X\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"jsonrpc"')
    exchange.die()


async def dying_in_a_stream(exchange: Exchange) -> None:
    await exchange.stream()
    await exchange.event(NOTE)
    exchange.die()


async def no_http(exchange: Exchange) -> None:
    await exchange.raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


@pytest.mark.parametrize("context", [STDIO, HTTP], ids=["stdio", "http"])
@pytest.mark.parametrize("answer", [nothing, dying, dying_midway, dying_in_a_stream, no_http, in_stream()])
async def test_a_server_that_does_not_answer_is_an_error_to_who_asked(answer: Answer, context: Any) -> None:
    async with before(answer) as relay:
        last = (await ask(relay, context=context))[-1]
        assert last["id"] == "x"
        assert is_denied(last, "unavailable")
        assert len(relay.requests) == 0


async def test_a_silent_server_is_overdue() -> None:
    async def silent(exchange: Exchange) -> None:
        await exchange.gone.wait()

    async with before(silent, call_timeout=0.2) as relay:
        (answer,) = await ask(relay)
        assert is_denied(answer, "overdue")


@pytest.mark.parametrize("way", WAYS)
async def test_a_reply_over_the_limit_is_refused(way: Any) -> None:
    async with before(way(reply("x" * 5000)), max_message_bytes=2000) as relay:
        (answer,) = await ask(relay)
        assert answer["id"] == "x"
        assert is_denied(answer, "limit")


async def test_a_stream_that_ends_after_its_request_was_cancelled_says_nothing() -> None:
    cancelled = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        if exchange.json["method"] == "tools/call":
            await exchange.stream()
            await exchange.event(NOTE)
            await within(cancelled.wait())
        else:
            await exchange.reply(status=202)
            cancelled.set()

    async with before(answer) as relay:
        asked = asyncio.create_task(ask(relay))
        await until(lambda: relay.waiting)
        await relay.accept(encoded({"method": "notifications/cancelled", "params": {"requestId": "x"}}), STDIO)
        assert await within(asked) == [NOTE]
        assert not relay.open("x")


async def test_of_a_batch_what_is_well_arrives_and_what_is_not_does_not() -> None:
    """In 2025-03-26 a server may put messages together; one bad one doesn't take the others with it."""
    batch = [NOTE, reply("wrong", "y"), 7, {"jsonrpc": "2.0", "id": None, "result": 1}, reply("right")]
    async with before(in_stream(batch), version=BATCHING) as relay:
        answers: list[Any] = []
        for answer in await ask(relay):
            answers += answer if isinstance(answer, list) else [answer]
        assert [answer.get("method", answer.get("result")) for answer in answers] == ["notifications/message", "right"]


async def test_a_refusal_of_the_servers_for_a_notification_is_judged_too() -> None:
    witness = Witness()
    refusal = {"jsonrpc": "2.0", "id": None, "error": {"code": 5, "message": "I would rather not"}}

    async def refusing(exchange: Exchange) -> None:
        await exchange.reply(refusal, status=400)

    async with before(refusing, witness.entry()) as relay:
        answer = await within(relay.accept(encoded({"method": "notifications/x"}), HTTP))
        assert (answer.status, json.loads(answer.body or b"")) == (400, refusal)
    assert witness.verdicts() == [("notification", "notifications/x", "allow"), ("error", None, "allow")]
    denier = entry(decide=lambda message, *_: Deny("No.") if message.is_reply else None)
    async with before(refusing, denier) as relay:
        answer = await within(relay.accept(encoded({"method": "notifications/x"}), HTTP))
        assert b"rather not" not in (answer.body or b"")


async def test_the_clients_order_of_requests_does_not_mix_up_their_answers() -> None:
    async def echoing(exchange: Exchange) -> None:
        await exchange.result(exchange.json["params"]["name"])

    async with before(echoing) as relay:
        replies = await asyncio.gather(
            *(relay.accept(encoded(call(number, f"name-{number}")), STDIO) for number in range(50))
        )
        for number, one in enumerate(replies):
            assert await told(one) == [reply(f"name-{number}", number)]
