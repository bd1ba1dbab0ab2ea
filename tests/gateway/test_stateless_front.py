"""Clients of 2026-07-28 at the gateway: each request by itself, and each answered as its own declarations allow."""

import asyncio
import json
from typing import Any

import pytest

from support.gateways import CAPABILITIES, CI, DEV, gateway, missing, said
from support.pipes import is_denied
from support.rig import entry
from support.toys import Toy, text
from support.web import Exchange, until, within
from tidegate import Deny, methods

MODERN = methods.MODERN


async def test_discover_says_what_the_servers_can_do_together_and_whose_instructions_are_whose() -> None:
    one, two = Toy("one", "add"), Toy("two", prompts=[{"name": "greet"}], version=MODERN)
    one.instructions, two.instructions = "Add with care.", "Greet first."
    async with gateway(toys=[one, two]) as made:
        result = (await made.stateless().ask("server/discover"))["result"]
        assert result["supportedVersions"] == [MODERN]
        assert set(result["capabilities"]) == {"tools", "prompts"}
        assert result["resultType"] == "complete"
        assert (result["ttlMs"], result["cacheScope"]) == (0, "private")
        for words in ("one", "Add with care.", "two", "Greet first."):
            assert words in result["instructions"]


@pytest.mark.parametrize(
    ("meta", "code"),
    [
        ({}, "version"),
        ({methods.VERSION_KEY: "2025-11-25", CAPABILITIES: {}}, "version"),
        ({methods.VERSION_KEY: 7, CAPABILITIES: {}}, "version"),
        ({methods.VERSION_KEY: MODERN}, "meta"),
        ({methods.VERSION_KEY: MODERN, CAPABILITIES: []}, "meta"),
        ({methods.VERSION_KEY: MODERN, CAPABILITIES: None}, "meta"),
    ],
)
async def test_a_request_that_lacks_what_2026_07_28_wants_is_refused_and_no_server_is_asked(
    meta: dict[str, Any], code: str
) -> None:
    toy = Toy("one", "add")
    async with gateway(toys=[toy]) as made:
        talk = made.stateless()
        tree = {"id": 1, "method": "tools/call", "params": {"name": "one__add", "_meta": meta}}
        (reply,) = await talk.send(tree)
        assert is_denied(reply, code)
        assert toy.got == []


async def test_methods_that_need_a_session_are_unknown() -> None:
    async with gateway(toys=[Toy("one", "add")]) as made:
        talk = made.stateless()
        for method in ("ping", "logging/setLevel", "resources/subscribe"):
            assert is_denied(await talk.ask(method), "method")


async def test_a_server_that_is_down_is_named_in_discover_and_in_lists_and_called_again_when_it_is_back() -> None:
    well, ill = Toy("well", "add"), Toy("ill", "sub", version=MODERN)
    ill.down = True
    async with gateway(toys=[well, ill]) as made:
        talk = made.stateless()
        assert list(missing(await talk.ask("server/discover"))) == ["ill"]
        assert list(missing(await talk.ask("tools/list"))) == ["ill"]
        assert is_denied(await talk.call("ill__sub"), "unavailable")
        ill.down = False
        assert said(await talk.call("ill__sub")) == "ill: sub {}"
        assert await talk.listed() == ["well__add", "ill__sub"]


async def test_a_modern_servers_capabilities_are_those_it_has_now() -> None:
    toy = Toy("one", "add", version=MODERN)
    async with gateway(toys=[toy]) as made:
        talk = made.stateless()
        assert set((await talk.ask("server/discover"))["result"]["capabilities"]) == {"tools"}
        toy.lists["prompts"] = [{"name": "greet"}]
        assert set((await talk.ask("server/discover"))["result"]["capabilities"]) == {"tools", "prompts"}
        assert await talk.listed("prompts") == ["one__greet"]
        toy.down = True
        assert list(missing(await talk.ask("server/discover"))) == ["one"]


# -- servers with sessions --------------------------------------------------------------------------------------------

ASK: dict[str, Any] = {"message": "Sure?", "requestedSchema": {"type": "object", "properties": {}}}


def asking(then: str = "done") -> Any:
    """Return what a legacy server does that asks something in the middle of a call."""
    waiting: dict[int, Exchange] = {}

    async def call(exchange: Exchange) -> None:
        await exchange.stream()
        identity = 900 + len(waiting)
        waiting[identity] = exchange
        await exchange.event({"jsonrpc": "2.0", "id": identity, "method": "elicitation/create", "params": ASK})
        await exchange.gone.wait()

    async def reply(exchange: Exchange) -> None:
        await exchange.reply(status=202)
        heard = exchange.json
        call = waiting[heard["id"]]
        what = heard.get("result", {}).get("action") or heard["error"]["code"]
        result = text(f"{then} {what}")
        await call.event({"jsonrpc": "2.0", "id": call.json["id"], "result": result})

    return {"tools/call": call, "reply": reply}


async def test_a_held_call_goes_on_when_its_client_comes_back_with_answers_and_only_once() -> None:
    toy = Toy("one", "buy", answers=asking())
    async with gateway(toys=[toy]) as made:
        talk = made.stateless(declared={"elicitation": {}})
        held = (await talk.call("one__buy"))["result"]
        assert held["resultType"] == "input_required"
        (key,) = held["inputRequests"]
        again = {"requestState": held["requestState"], "inputResponses": {key: {"action": "accept", "content": {}}}}
        reply = await talk.ask("tools/call", name="one__buy", arguments={}, **again)
        assert said(reply) == "done accept"
        assert is_denied(await talk.ask("tools/call", name="one__buy", arguments={}, **again), "state")


@pytest.mark.requirement("principals-apart")
async def test_a_held_call_is_nobodys_but_its_principals_its_profiles_and_its_requests() -> None:
    toy = Toy("one", "buy", "sell", answers=asking())
    async with gateway(toys=[toy], profiles={"work": {"servers": ["one"]}}) as made:
        talk = made.stateless(CI, declared={"elicitation": {}})
        held = (await talk.call("one__buy"))["result"]
        (key,) = held["inputRequests"]
        again = {"requestState": held["requestState"], "inputResponses": {key: {"action": "accept", "content": {}}}}
        dev = made.stateless(DEV, declared={"elicitation": {}})
        work = made.stateless(CI, "work", declared={"elicitation": {}})
        for other, name in ((dev, "one__buy"), (work, "one__buy"), (talk, "one__sell")):
            reply = await other.ask("tools/call", name=name, arguments={}, **again)
            assert is_denied(reply, "state")
        assert toy.asked("reply") == []
        assert said(await talk.ask("tools/call", name="one__buy", arguments={}, **again)) == "done accept"


async def test_two_clients_of_one_principal_are_asked_only_what_each_declared_even_if_they_come_together() -> None:
    toy = Toy("one", "buy", answers=asking())
    async with gateway(toys=[toy]) as made:
        able, unable = made.stateless(CI, declared={"elicitation": {}}), made.stateless(CI)
        first, second = await asyncio.gather(able.call("one__buy"), unable.call("one__buy"))
        assert first["result"]["resultType"] == "input_required"
        assert said(second) == "done -32601"
        declared = [tree["params"]["capabilities"] for tree in toy.asked("initialize")]
        assert [each.keys() for each in declared] == [{"elicitation"}, set()]


@pytest.mark.requirement("principals-apart")
async def test_two_principals_have_sessions_of_their_own_with_a_server_that_has_sessions() -> None:
    toy = Toy("one", "add")
    async with gateway(toys=[toy]) as made:
        for principal in (CI, DEV, CI, DEV):
            assert said(await made.stateless(principal).call("one__add")) == "one: add {}"
        assert len(toy.asked("initialize")) == 2


async def test_a_client_that_leaves_cancels_its_call_at_a_server_with_sessions() -> None:
    async def never(exchange: Exchange) -> None:
        await exchange.gone.wait()

    toy = Toy("one", "work", answers={"tools/call": never})
    async with gateway(toys=[toy]) as made:
        talk = made.stateless()
        calling = asyncio.create_task(talk.call("one__work"))
        await until(lambda: toy.asked("tools/call"))
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        await until(lambda: toy.asked("notifications/cancelled"))
        asked = toy.asked("notifications/cancelled")[0]["params"]["requestId"]
        assert asked == toy.asked("tools/call")[0]["id"]


async def test_calls_of_clients_with_the_same_ids_are_told_apart_at_one_server() -> None:
    async def echo(exchange: Exchange) -> None:
        await exchange.result(text(json.dumps(exchange.json["params"]["arguments"])))

    toy = Toy("one", "echo", answers={"tools/call": echo})
    async with gateway(toys=[toy]) as made:
        talks = [made.stateless() for _ in range(10)]

        async def call(talk: Any, number: int) -> Any:
            return await talk.ask("tools/call", 1, name="one__echo", arguments={"n": number})

        replies = await within(asyncio.gather(*(call(talk, number) for number, talk in enumerate(talks))))
        assert [json.loads(said(reply))["n"] for reply in replies] == list(range(10))
        assert {reply["id"] for reply in replies} == {1}
        sent = [tree["id"] for tree in toy.asked("tools/call")]
        assert len(set(sent)) == 10


@pytest.mark.requirement("nothing-unjudged")
@pytest.mark.parametrize("method", ["server/discover", "tools/list", "subscriptions/listen"])
async def test_what_a_policy_denies_of_the_gateway_itself_is_denied(method: str) -> None:
    def decide(message: Any, flow: Any, _: Any) -> Any:
        return Deny("Not this one.") if message.method == method and flow.server.name == "gateway" else None

    async with gateway(entry(decide=decide), toys=[Toy("one", "add")]) as made:
        assert is_denied(await made.stateless().ask(method, notifications={"toolsListChanged": True}))


async def test_what_is_no_request_gets_no_answer_and_reaches_no_server() -> None:
    toy = Toy("one", "add")
    async with gateway(toys=[toy]) as made:
        talk = made.stateless()
        assert await talk.tell("notifications/cancelled", requestId=1) == []
        assert await talk.tell("notifications/roots/list_changed") == []
        (reply,) = await talk.send({"id": 1, "result": {}})
        assert is_denied(reply, "unsolicited")
        assert toy.got == []
