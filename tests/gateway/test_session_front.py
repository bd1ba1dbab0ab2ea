"""A client's session at the gateway: what it is told at the beginning, and what it is told by itself."""

import asyncio
from typing import Any

import pytest

from support.gateways import HTTP, gateway, missing, said
from support.pipes import denying, is_denied
from support.rig import Witness
from support.toys import Toy
from support.web import Exchange, until, within
from tidegate import methods


async def test_initialize_says_what_the_servers_can_do_together_and_whose_instructions_are_whose() -> None:
    one, two = Toy("one", "add"), Toy("two", "add", prompts=[{"name": "greet"}], version=methods.MODERN)
    one.instructions, two.instructions = "Add with care.", "Greet first."
    async with gateway(toys=[one, two]) as made:
        _, reply = await made.open()
        result = reply["result"]
        assert result["protocolVersion"] == methods.V2025_11
        assert result["serverInfo"]["name"] == "tidegate"
        assert result["capabilities"] == {"tools": {"listChanged": True}, "prompts": {"listChanged": True}}
        assert "_meta" not in result
        for words in ("one", "Add with care.", "two", "Greet first."):
            assert words in result["instructions"]


async def test_each_server_is_introduced_to_the_client_as_it_is_and_told_when_it_has_begun() -> None:
    toy = Toy("one", "add")
    async with gateway(toys=[toy]) as made:
        await made.session(declared={"sampling": {}})
        begun = toy.asked("initialize")
        assert [tree["params"]["capabilities"] for tree in begun] == [{"sampling": {}}]
        assert begun[0]["params"]["clientInfo"] == {"name": "client", "version": "1"}
        assert len(toy.asked("notifications/initialized")) == 1


@pytest.mark.parametrize(
    "params",
    [
        None,
        {},
        [],
        {"protocolVersion": 7},
        {"protocolVersion": "2025-11-25", "capabilities": [], "clientInfo": "x"},
        {"protocolVersion": "9999-99-99", "capabilities": None, "clientInfo": None},
        {
            "protocolVersion": "2025-11-25",
            "capabilities": {"elicitation": 3, "sampling": [1]},
            "clientInfo": {"name": 4},
        },
        {"protocolVersion": {"a": []}, "capabilities": "x", "clientInfo": [], "_meta": 3},
    ],
)
async def test_a_malformed_initialize_ends_neither_the_gateway_nor_anybody_elses_session(params: Any) -> None:
    old, new = Toy("old", "add"), Toy("new", "sub", version=methods.MODERN)
    async with gateway(toys=[old, new]) as made:
        before = await made.session()
        entry = made.sessions.new("/", before.front.principal)
        tree: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "initialize"}
        talk = type(before)(entry)
        replies = await talk.send(tree if params is None else {**tree, "params": params})
        assert len(replies) == 1
        assert replies[0]["id"] == 1
        await made.sessions.give_up(entry)
        assert said(await before.call("old__add")) == "old: add {}"
        assert said(await before.call("new__sub")) == "new: sub {}"


async def test_a_second_initialize_and_one_that_never_came_are_refused() -> None:
    async with gateway(toys=[Toy("one", "add")]) as made:
        talk = await made.session()
        again = await talk.ask("initialize", protocolVersion=methods.V2025_11, capabilities={}, clientInfo={})
        assert "begun already" in again["error"]["message"]
        entry = made.sessions.new("/", talk.front.principal)
        never = await type(talk)(entry).ask("tools/list")
        assert "send initialize first" in never["error"]["message"]
        await made.sessions.give_up(entry)


async def test_a_server_that_is_down_at_the_beginning_is_named_and_comes_back_by_itself_with_notices() -> None:
    well, ill = Toy("well", "add"), Toy("ill", "sub")
    ill.down = True
    async with gateway(toys=[well, ill]) as made:
        talk, reply = await made.open()
        assert list(missing(reply)) == ["ill"]
        assert await talk.listed() == ["well__add"]
        refused = await talk.call("ill__sub")
        assert is_denied(refused, "unavailable")
        ill.down = False
        await talk.told("notifications/tools/list_changed")
        assert await talk.listed() == ["well__add", "ill__sub"]
        assert said(await talk.call("ill__sub")) == "ill: sub {}"


async def test_a_server_that_answers_initialize_with_garbage_is_missing_and_the_others_are_served() -> None:
    async def garbage(exchange: Exchange) -> None:
        await exchange.reply(raw=b'{"jsonrpc": "2.0", "id": ')

    async def odd(exchange: Exchange) -> None:
        await exchange.result(["no", "object"], **{"mcp-session-id": "x"})

    async def other(exchange: Exchange) -> None:
        await exchange.reply({"jsonrpc": "2.0", "id": "of nobody", "result": {}})

    ill = [Toy("a", answers={"initialize": garbage}), Toy("b", "add", answers={"initialize": odd})]
    ill.append(Toy("c", answers={"initialize": other}))
    async with gateway(toys=[*ill, Toy("well", "add")]) as made:
        talk, reply = await made.open()
        assert {"a", "c"} <= set(missing(reply))
        assert "well__add" in await talk.listed()
        assert said(await talk.call("well__add")) == "well: add {}"


async def test_a_server_that_never_answers_is_waited_for_no_longer_than_the_settings_say() -> None:
    async def never(exchange: Exchange) -> None:
        await exchange.gone.wait()

    mute = Toy("mute", "add", answers={"initialize": never})
    async with gateway(toys=[mute, Toy("well", "add")], gateway={"patience": 0.2}) as made:
        talk, reply = await made.open()
        assert missing(reply) == {"mute": "The server didn't answer within 0.2 seconds."}
        assert await within(talk.listed(), 5) == ["well__add"]


async def test_the_level_of_logs_is_told_to_all_servers_that_log_and_to_those_that_come_later() -> None:
    log: dict[str, Any] = {"tools": {}, "logging": {}}
    one, two, deaf = Toy("one", "a", capabilities=log), Toy("two", "b", capabilities=log), Toy("deaf", "c")
    two.down = True
    async with gateway(toys=[one, two, deaf]) as made:
        talk = await made.session()
        assert (await talk.ask("logging/setLevel", level="warning"))["result"] == {}
        assert [tree["params"]["level"] for tree in one.asked("logging/setLevel")] == ["warning"]
        two.down = False
        await until(lambda: two.asked("logging/setLevel"))
        assert deaf.asked("logging/setLevel") == []


async def test_what_servers_say_by_themselves_comes_on_the_clients_one_stream() -> None:
    one, two = Toy("one", "a"), Toy("two", "b", version=methods.MODERN)
    async with gateway(toys=[one, two]) as made:
        talk = await made.session()
        listening = asyncio.create_task(talk.own())
        await one.say({"method": "notifications/message", "params": {"level": "info", "data": "hello"}})
        assert (await within(listening))["params"]["data"] == "hello"
        await until(lambda: two.streams)
        tag = {methods.SUBSCRIPTION_KEY: two.asked("subscriptions/listen")[-1]["id"]}
        await two.say({"method": "notifications/tools/list_changed", "params": {"_meta": tag}})
        assert (await talk.told("notifications/tools/list_changed")).get("params", {}).get("_meta") is None


async def test_a_server_that_floods_notices_costs_a_bounded_number_of_them_and_no_call() -> None:
    loud, calm = Toy("loud", "a"), Toy("calm", "b")
    async with gateway(toys=[loud, calm]) as made:
        talk = await made.session()
        first = asyncio.create_task(talk.own())
        await loud.say({"method": "notifications/message", "params": {"level": "info", "data": "first"}})
        assert (await within(first))["params"]["data"] == "first"
        for number in range(3000):
            await loud.say({"method": "notifications/message", "params": {"level": "info", "data": number}})
        assert said(await talk.call("calm__b")) == "calm: b {}"
        await until(lambda: talk.front.own is not None and talk.front.own.dropped > 0)
        assert said(await talk.call("loud__a")) == "loud: a {}"


async def test_notifications_of_the_client_that_are_for_no_server_in_particular_reach_all_with_sessions() -> None:
    one, two, new = Toy("one", "a"), Toy("two", "b"), Toy("new", "c", version=methods.MODERN)
    async with gateway(toys=[one, two, new]) as made:
        talk = await made.session(declared={"roots": {"listChanged": True}})
        await talk.tell("notifications/roots/list_changed")
        for toy in (one, two):
            assert len(toy.asked("notifications/roots/list_changed")) == 1
        assert new.asked("notifications/roots/list_changed") == []


@pytest.mark.parametrize("method", ["initialize", "tools/list", "ping", "logging/setLevel"])
@pytest.mark.requirement("nothing-unjudged")
async def test_what_a_policy_denies_of_the_gateway_itself_is_denied_whatever_the_servers_say(method: str) -> None:
    witness = Witness()
    async with gateway(denying(method, kind="request"), witness.entry(), toys=[Toy("one", "add")]) as made:
        talk, reply = await made.open()
        if method != "initialize":
            reply = await talk.ask(method, level="info")
        assert is_denied(reply)
        denied = [flow.server.name for flow, found in zip(witness.flows, witness.decided, strict=True)]
        assert set(denied) <= {"gateway", "one"}


async def test_a_stream_of_a_servers_that_ends_at_once_is_not_asked_for_again_and_again_without_a_pause() -> None:
    async def brief(exchange: Exchange) -> None:
        await exchange.stream()

    toy = Toy("brief", "a", answers={"GET": brief})
    async with gateway(toys=[toy]) as made:
        talk = await made.session()
        reply = await talk.front.listen(None, HTTP)
        for _ in range(20):
            await talk.call("brief__a")
        asked = [exchange for exchange in toy._server.got if exchange.method == "GET"]
        assert 1 <= len(asked) <= 3
        assert reply.events is not None
        await reply.events.aclose()
