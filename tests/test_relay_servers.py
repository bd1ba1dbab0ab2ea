"""What a server says by itself: what it asks, subscriptions, and batches (2025-03-26)."""

import json
from typing import Any

import pytest

from support.pipes import HTTP, STDIO, call, denying, gathered, is_denied, relaying
from support.rig import Witness, entry
from support.web import until, within
from tidegate import Deny
from tidegate.methods import BATCHING, MODERN, SUBSCRIPTION_KEY, VERSION_KEY

LEGACY = "2025-11-25"
META = {VERSION_KEY: MODERN}


# -- what a server asks -------------------------------------------------------------------------------------------

ELICIT = {"id": "e", "method": "elicitation/create", "params": {"message": "?"}}


async def test_what_a_server_asks_is_answered_by_the_client_it_asked() -> None:
    witness = Witness()
    async with relaying(witness.entry()) as rig:
        rig.pipe.say(ELICIT)
        own = rig.own()
        assert await within(anext(own)) == {"jsonrpc": "2.0", **ELICIT}
        reply = await rig.accept({"id": "e", "result": {"action": "decline"}})
        assert (reply.status, reply.body) == (202, None)
        assert await rig.pipe.next() == {"jsonrpc": "2.0", "id": "e", "result": {"action": "decline"}}
        (again,) = await rig.ask({"id": "e", "result": {"action": "accept"}})
        assert is_denied(again, "unsolicited")
        await own.aclose()  # type: ignore[attr-defined]  # an async generator
    assert witness.verdicts() == [("request", "elicitation/create", "allow"), ("result", "elicitation/create", "allow")]


async def test_a_denied_request_of_the_servers_gets_an_error_back() -> None:
    async with relaying(denying("elicitation/create")) as rig:
        rig.pipe.say(ELICIT)
        rig.pipe.say({"method": "notifications/tools/list_changed"})
        own = rig.own()
        assert (await within(anext(own)))["method"] == "notifications/tools/list_changed"
        answer = await rig.pipe.next()
        assert answer["id"] == "e"
        assert is_denied(answer)
        (late,) = await rig.ask({"id": "e", "result": {}})
        assert is_denied(late, "unsolicited")
        await own.aclose()  # type: ignore[attr-defined]  # an async generator


@pytest.mark.parametrize(
    "reply", [{"result": {"action": "accept", "content": {"a": "s"}}}, {"error": {"code": 1, "message": "s"}}]
)
async def test_a_denied_reply_of_the_clients_is_an_error_to_the_server(reply: dict[str, Any]) -> None:
    async with relaying(entry(decide=lambda message, *_: Deny("No.") if message.is_reply else None)) as rig:
        rig.pipe.say(ELICIT)
        own = rig.own()
        await within(anext(own))
        await rig.accept({"id": "e", **reply})
        answer = await rig.pipe.next()
        assert answer["id"] == "e"
        assert is_denied(answer)
        assert '"s"' not in json.dumps(answer)
        await own.aclose()  # type: ignore[attr-defined]  # an async generator


async def test_a_server_may_use_an_id_that_the_client_uses_too() -> None:
    async with relaying() as rig:
        asked = rig.ask(call(1))
        got = await rig.pipe.next()
        rig.pipe.say({"id": 1, "method": "roots/list"})
        await until(lambda: len(rig.relay.asked))
        await rig.accept({"id": 1, "result": {"roots": []}})
        assert await rig.pipe.next() == {"jsonrpc": "2.0", "id": 1, "result": {"roots": []}}
        rig.pipe.result(got, "well")
        question, answer = await asked
        assert (question["method"], answer["result"]) == ("roots/list", "well")


# -- subscriptions (2026-07-28) ---------------------------------------------------------------------------------


async def test_what_belongs_to_a_subscription_comes_on_its_stream_under_the_clients_own_id() -> None:
    async with relaying(shared=True) as rig:
        listens = {
            identity: rig.ask(
                {"id": identity, "method": "subscriptions/listen", "params": {"_meta": META, "notifications": {}}}, HTTP
            )
            for identity in ("one", "two")
        }
        got = [await rig.pipe.next() for _ in listens]
        for request, name in zip(got, listens, strict=True):
            tag = {"_meta": {SUBSCRIPTION_KEY: request["id"]}}
            rig.pipe.say({"method": "notifications/subscriptions/acknowledged", "params": tag})
            rig.pipe.say({"method": "notifications/tools/list_changed", "params": {**tag, "name": name}})
        for request in got:
            rig.pipe.result(request, {"_meta": {SUBSCRIPTION_KEY: request["id"]}})
        for identity, task in listens.items():
            acknowledged, changed, result = await task
            assert changed["params"]["name"] == identity
            assert acknowledged["params"]["_meta"][SUBSCRIPTION_KEY] == identity
            assert (result["id"], result["result"]["_meta"][SUBSCRIPTION_KEY]) == (identity, identity)


# -- batches (2025-03-26) ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("context", [STDIO, HTTP], ids=["stdio", "http"])
async def test_each_member_of_a_batch_is_judged_by_itself(context: Any) -> None:
    witness = Witness()
    async with relaying(denying("resources/read"), witness.entry(), version=BATCHING) as rig:
        members = [
            call("a"),
            {"id": "b", "method": "resources/read", "params": {"uri": "u"}},
            {"method": "notifications/initialized"},
            call("c"),
        ]
        data = json.dumps([{"jsonrpc": "2.0", **member} for member in members]).encode()
        asked = rig.ask(data, context)
        for _ in range(3):
            got = await rig.pipe.next()
            if "id" in got:
                rig.pipe.result(got, "well")
        answers = [item for answer in await asked for item in (answer if isinstance(answer, list) else [answer])]
        assert {answer["id"]: "error" in answer for answer in answers} == {"a": False, "b": True, "c": False}
        assert sorted(message["method"] for message in rig.pipe.got) == [
            "notifications/initialized",
            "tools/call",
            "tools/call",
        ]
    assert len([item for item in witness.verdicts() if item[0] != "result"]) == 4


@pytest.mark.parametrize("version", ["", "2024-11-05", "2025-06-18", LEGACY])
async def test_a_batch_in_another_version_is_refused_whole(version: str) -> None:
    async with relaying(version=version) as rig:
        (answer,) = await rig.ask(json.dumps([{"jsonrpc": "2.0", **call()}]).encode())
        assert answer["error"]["data"]["code"] == "invalid"
        assert rig.pipe.got == []


async def test_each_member_of_a_servers_batch_is_judged_by_itself() -> None:
    async with relaying(denying("notifications/message"), version=BATCHING) as rig:
        asked = rig.ask(call("a"))
        got = await rig.pipe.next()
        members: list[dict[str, Any]] = [
            {"method": "notifications/message", "params": {"data": "no"}},
            {"result": "broken", "error": "too"},
            {"method": "notifications/tools/list_changed"},
            {"id": got["id"], "result": "well"},
        ]
        rig.pipe.say(json.dumps([{"jsonrpc": "2.0", **member} for member in members]).encode())
        assert await asked == [{"jsonrpc": "2.0", "id": "a", "result": "well"}]
        assert [message["method"] for message in await gathered(rig)] == ["notifications/tools/list_changed"]
