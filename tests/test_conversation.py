"""What a client's end sees of whoever answers it: frames, batches and refusals, of a relay and of the gateway alike."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from support.gateways import HTTP, gateway
from support.pipes import call, is_denied, relaying, told
from support.rig import Witness, encoded
from support.toys import Toy
from support.web import within
from tidegate.conversation import Conversation
from tidegate.streams import Reply

BATCHING = "2025-03-26"


@asynccontextmanager
async def of_a_relay(version: str, witness: Witness) -> AsyncIterator[tuple[Conversation, str]]:
    """A relay whose server answers each call with its own arguments."""
    async with relaying(witness.entry(), version=version) as rig:

        async def serve() -> None:
            while True:
                tree = await rig.pipe.next()
                if "id" in tree:
                    rig.pipe.result(tree, {"content": [], "n": tree["params"].get("arguments")})

        serving = asyncio.create_task(serve())
        yield rig.relay, "add"
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


@asynccontextmanager
async def of_the_gateway(version: str, witness: Witness) -> AsyncIterator[tuple[Conversation, str]]:
    """The gateway in front of a server that answers each call with its own arguments."""

    async def echo(exchange: Any) -> None:
        await exchange.result({"content": [], "n": exchange.json["params"].get("arguments")})

    async with gateway(witness.entry(), toys=[Toy("one", "add", answers={"tools/call": echo})]) as made:
        talk = await made.session(version=version)
        yield talk.front, "one__add"


WHO = pytest.mark.parametrize("who", [of_a_relay, of_the_gateway])


async def read(reply: Reply) -> list[Any]:
    return await told(reply)


@WHO
async def test_each_member_of_a_batch_is_judged_and_answered_by_itself(who: Any) -> None:
    witness = Witness()
    async with who(BATCHING, witness) as (conversation, name):
        batch = [
            {"jsonrpc": "2.0", **call(1, name, arguments={"a": 1})},
            {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 99}},
            {"jsonrpc": "2.0", **call(2, name, arguments={"a": 2})},
        ]
        reply = await within(conversation.accept(encoded(batch), HTTP))
        found = await read(reply)
        found = found[0] if found and isinstance(found[0], list) else found
        assert {each["id"]: each["result"]["n"] for each in found} == {1: {"a": 1}, 2: {"a": 2}}
        asked = [
            message.id for message in witness.decided if message.method == "tools/call" and message.kind == "request"
        ]
        assert set(asked) == {1, 2}


@WHO
async def test_what_is_no_message_in_a_batch_is_refused_and_the_rest_is_answered(who: Any) -> None:
    witness = Witness()
    async with who(BATCHING, witness) as (conversation, name):
        batch = [{"jsonrpc": "2.0", **call(1, name, arguments={})}, {"jsonrpc": "2.0", "id": 2, "method": 3}, "odd"]
        reply = await within(conversation.accept(json.dumps(batch).encode(), HTTP))
        found = await read(reply)
        found = found[0] if found and isinstance(found[0], list) else found
        assert {(each["id"], "error" in each) for each in found} == {(1, False), (2, True), (None, True)}
        assert len(witness.verdicts("rejected")) == 2


@WHO
async def test_a_batch_of_notifications_has_no_answer(who: Any) -> None:
    async with who(BATCHING, Witness()) as (conversation, _):
        batch = [{"jsonrpc": "2.0", "method": "notifications/roots/list_changed"}] * 2
        reply = await within(conversation.accept(encoded(batch), HTTP))
        assert (reply.status, reply.body, reply.events) == (202, None, None)


@WHO
@pytest.mark.parametrize("version", ["2024-11-05", "2025-06-18", "2025-11-25"])
async def test_a_batch_is_refused_where_the_version_has_none(who: Any, version: str) -> None:
    witness = Witness()
    async with who(version, witness) as (conversation, name):
        before = len(witness.decided)
        reply = await within(conversation.accept(encoded([{"jsonrpc": "2.0", **call(1, name)}]), HTTP))
        (found,) = await read(reply)
        assert "error" in found
        assert len(witness.decided) == before


@WHO
@pytest.mark.parametrize(
    "data", [b"", b"{", b"null", b"7", b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', b"\xff"]
)
async def test_bytes_that_are_no_message_are_recorded_and_answered_with_why(who: Any, data: bytes) -> None:
    witness = Witness()
    async with who("2025-11-25", witness) as (conversation, _):
        reply = await within(conversation.accept(data, HTTP))
        assert reply.status == 400
        assert reply.body is not None
        assert json.loads(reply.body)["error"]["data"]["decision"] in {each.id for each in witness.recorded}
        assert len(witness.verdicts("rejected")) == 1


@WHO
async def test_a_message_over_a_limit_is_refused_by_the_limits_in_force(who: Any) -> None:
    async with who("2025-11-25", Witness()) as (conversation, name):
        deep: Any = {}
        for _ in range(conversation.limits.max_depth + 1):
            deep = {"a": deep}
        reply = await within(conversation.accept(encoded({**call(1, name, arguments=deep)}), HTTP))
        (found,) = await read(reply)
        assert is_denied(found, "limit")


@WHO
async def test_a_conversation_ends_once(who: Any) -> None:
    async with who("2025-11-25", Witness()) as (conversation, _):
        assert conversation.version == "2025-11-25"
        assert not conversation.over.is_set()
        await conversation.close()
        await conversation.close()
        assert conversation.over.is_set()
        assert not conversation.waiting
        assert not conversation.open(1)


@WHO
async def test_the_id_of_a_session_is_in_what_interceptors_are_told_from_then_on(who: Any) -> None:
    async with who("2025-11-25", Witness()) as (conversation, _):
        conversation.registered("s1")
        assert conversation.flows.session_id == "s1"
