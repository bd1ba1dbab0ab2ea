"""Servers and clients that answer twice, wrongly, late, too much or not at all: who is told, and who is not."""

import asyncio
from typing import Any

import pytest

from support.pipes import HTTP, STDIO, call, gathered, is_denied, relaying
from support.rig import Witness
from support.web import until
from tidegate.methods import MODERN, VERSION_KEY

META = {VERSION_KEY: MODERN}


# -- a server that misbehaves -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shared", [False, True])
async def test_a_second_reply_reaches_nobody(shared: bool) -> None:  # noqa: FBT001 - pytest's
    async with relaying(shared=shared) as rig:
        asked = rig.ask(call("a"))
        got = await rig.pipe.next()
        rig.pipe.result(got, 1)
        rig.pipe.result(got, 2)
        assert await asked == [{"jsonrpc": "2.0", "id": "a", "result": 1}]
        rig.pipe.result(got, 3)
        assert await gathered(rig) == []


@pytest.mark.parametrize("shared", [False, True])
async def test_a_reply_with_an_id_nobody_asked_under_reaches_nobody(shared: bool) -> None:  # noqa: FBT001 - pytest's
    witness = Witness()
    async with relaying(witness.entry(), shared=shared) as rig:
        one, two = rig.ask(call("a", "one")), rig.ask(call("b", "two"))
        got = [await rig.pipe.next(), await rig.pipe.next()]
        for identity in ("a" if shared else "c", 0, None, "t9", 99, str(got[0]["id"]) + "0"):
            rig.pipe.say({"id": identity, "error": {"code": 1, "message": "wrong"}})
        for request in got:
            rig.pipe.result(request, request["params"]["name"])
        assert [(await task)[0].get("result") for task in (one, two)] == ["one", "two"]
        left = [message for message in await gathered(rig) if message["id"] is not None]
        assert left == []


async def test_a_reply_of_another_requests_id_answers_that_request_alone() -> None:
    async with relaying() as rig:
        one, two = rig.ask(call(1, "one")), rig.ask(call(2, "two"))
        await rig.pipe.next()
        await rig.pipe.next()
        rig.pipe.say({"id": 2, "result": "for two"})
        assert (await two)[0]["result"] == "for two"
        assert not one.done()
        rig.pipe.say({"id": 1, "result": "for one"})
        assert (await one)[0]["result"] == "for one"


@pytest.mark.parametrize("context", [STDIO, HTTP], ids=["stdio", "http"])
async def test_a_server_that_answers_nothing_is_overdue(context: Any) -> None:
    witness = Witness()
    async with relaying(witness.entry(), call_timeout=0.1) as rig:
        (answer,) = await rig.ask(call("x"), context)
        assert answer["id"] == "x"
        assert is_denied(answer, "overdue")
        late = rig.pipe.got[0]
        rig.pipe.result(late, "too late")
        assert await gathered(rig) == []
    assert (None, "overdue", "deny") in witness.verdicts("rejected")


@pytest.mark.parametrize("context", [STDIO, HTTP], ids=["stdio", "http"])
async def test_a_server_that_dies_fails_what_is_open_and_what_comes(context: Any) -> None:
    async with relaying() as rig:
        asked = [rig.ask(call(number), context) for number in range(3)]
        for _ in asked:
            await rig.pipe.next()
        rig.pipe.end("The server ended with exit code 9.")
        for number, task in enumerate(asked):
            (answer,) = await task
            assert answer["id"] == number
            assert is_denied(answer, "unavailable")
            assert "exit code 9" in answer["error"]["message"]
        (answer,) = await rig.ask(call("later"), context)
        assert is_denied(answer, "unavailable")


GARBAGE = [
    b'{"jsonrpc":"2.0","id":"x","result":{"a":1,"a":2}}',
    b'{"jsonrpc":"2.0","id":"x","result":NaN}',
    b'{"jsonrpc":"2.0","id":"x","result":1,"error":{"code":1,"message":"m"}}',
    b'{"jsonrpc":"2.0","id":"x"}',
    b'{"jsonrpc":"2.0","id":"x","result":"\\ud800"}',
    b'{"id":"x","result":1}',
    b'{"jsonrpc":"2.0","id":"x","result":' + b"[" * 100 + b"]" * 100 + b"}",
    b'{"jsonrpc":"2.0","id":"x","error":{"code":"1","message":"m"}}',
]


@pytest.mark.parametrize("data", GARBAGE, ids=range(len(GARBAGE)))
@pytest.mark.parametrize("context", [STDIO, HTTP], ids=["stdio", "http"])
@pytest.mark.requirement("no-blind-spot")
async def test_a_malformed_reply_is_refused_and_recorded_and_its_sender_told(data: bytes, context: Any) -> None:
    witness = Witness()
    async with relaying(witness.entry()) as rig:
        other, asked = rig.ask(call("y")), rig.ask(call("x"), context)
        got = {request["id"]: request for request in (await rig.pipe.next(), await rig.pipe.next())}
        rig.pipe.say(data)
        (answer,) = await asked
        assert answer["id"] == "x"
        assert answer["error"]["data"]["code"] in ("ambiguous", "parse", "invalid", "limit")
        rig.pipe.result(got["y"], "well")
        assert (await other)[0]["result"] == "well"
    assert len(witness.verdicts("rejected")) == 1


@pytest.mark.parametrize("data", [b"Server listening...", b"", b"\xff\xfe", b"DEBUG {}", b"null"])
async def test_noise_between_messages_is_recorded_and_harms_nobody(data: bytes) -> None:
    witness = Witness()
    async with relaying(witness.entry()) as rig:
        asked = rig.ask(call("x"))
        got = await rig.pipe.next()
        rig.pipe.say(data)
        rig.pipe.result(got, "well")
        assert (await asked)[0]["result"] == "well"
        assert await gathered(rig) == []
    assert len(witness.verdicts("rejected")) == 1


async def test_a_malformed_request_of_the_servers_does_not_answer_the_clients_of_the_same_id() -> None:
    async with relaying() as rig:
        asked = rig.ask(call(5))
        got = await rig.pipe.next()
        rig.pipe.say(b'{"jsonrpc":"2.0","id":5,"method":"roots/list","params":[1]}')
        rig.pipe.say(b'{"jsonrpc":"2.0","id":5,"method":"roots/list","params":{"a":NaN}}')
        rig.pipe.result(got, "well")
        assert (await asked)[0].get("result") == "well"


@pytest.mark.parametrize(
    "data",
    [
        b'{"jsonrpc":"2.0","id":5,"result":{"a":NaN}}',
        b'{"jsonrpc":"2.0","id":5,"result":{},"error":{"code":1,"message":"m"}}',
        b'{"jsonrpc":"2.0","id":5,"error":{"code":"1","message":"m"}}',
        b'{"jsonrpc":"2.0","id":5,"result":{}}',
    ],
)
async def test_a_bad_reply_of_the_clients_is_not_answered_under_an_id_of_its_own(data: bytes) -> None:
    """The id is the server's: to the client, an error under it would answer its own request of that id."""
    async with relaying() as rig:
        asked = rig.ask(call(5))
        got = await rig.pipe.next()
        for answer in await rig.ask(data):
            assert answer["id"] is None
        rig.pipe.result(got, "well")
        assert (await asked)[0]["result"] == "well"
        assert len(rig.pipe.got) == 1


async def test_an_overlong_message_fails_the_one_request_that_waits() -> None:
    witness = Witness()
    async with relaying(witness.entry()) as rig:
        asked = rig.ask(call("x"))
        await rig.pipe.next()
        rig.pipe.too_long(10**7)
        (answer,) = await asked
        assert is_denied(answer, "limit")
    assert witness.verdicts("rejected") == [(None, "limit", "deny")]


async def test_an_overlong_message_is_no_answer_to_what_was_cancelled_or_never_ends() -> None:
    async with relaying() as rig:
        rig.ask({"id": "l", "method": "subscriptions/listen", "params": {"notifications": {}, "_meta": META}})
        rig.ask(call("gone"))
        asked = rig.ask(call("x"))
        for _ in range(3):
            await rig.pipe.next()
        await rig.accept({"method": "notifications/cancelled", "params": {"requestId": "gone"}})
        await rig.pipe.next()
        rig.pipe.too_long(10**7)
        (answer,) = await asked
        assert (answer["id"], is_denied(answer, "limit")) == ("x", True)


async def test_a_server_that_floods_while_nobody_reads_costs_bounded_memory() -> None:
    async with relaying() as rig:
        note = {"method": "notifications/message", "params": {"data": "x" * 100}}
        for number in range(20_000):
            rig.pipe.say(note)
            if number % 1000 == 0:
                await asyncio.sleep(0)
        asked = rig.ask(call("x"))
        rig.pipe.result(await rig.pipe.next(), "well")
        assert (await asked)[-1]["result"] == "well"
        assert rig.instance.own.dropped > 0
        assert len(rig.instance.own._events) <= 4096


async def test_a_server_that_takes_nothing_any_more_has_ended() -> None:
    async with relaying(call_timeout=0.1) as rig:
        rig.pipe.held.clear()
        (answer,) = await rig.ask(call("x"))
        assert is_denied(answer, "overdue")
        (answer,) = await rig.ask(call("y"))
        assert is_denied(answer, "overdue")


@pytest.mark.parametrize("shared", [False, True])
async def test_a_client_that_goes_while_its_request_is_being_sent_leaves_nothing_behind(shared: bool) -> None:  # noqa: FBT001 - pytest's
    async with relaying(shared=shared) as rig:
        rig.pipe.held.clear()
        asked = rig.ask(call("x", _meta={**META, "progressToken": "p"}), HTTP)
        await until(lambda: rig.instance.awaited)
        asked.cancel()
        rig.pipe.held.set()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert rig.instance.idle
        assert rig.instance.awaited._tokens == {}
        if rig.source.remap is not None:
            assert (rig.source.remap._ids, rig.source.remap._tokens) == ({}, {})
