"""Searching for tools at the gateway: a client sees a handful, and reaches all that it may."""

import asyncio
import hashlib
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

import tidegate
from support import toolbox
from support.gateway_clients import ERAS, MODERN, Era, GatewayClient
from support.rig import Entry, Witness, entry
from support.web import Exchange, Front, ScriptedServer, front
from tidegate.gateway.searching import MOST_SHOWN

pytestmark = pytest.mark.timeout(120)

SEARCH = {"find-tool", "call-tool"}
Servers = dict[str, dict[str, Any]]


def searching(servers: Servers, *entries: Entry, **tree: Any) -> AbstractAsyncContextManager[Front]:
    return front(*entries, server={}, servers=servers, gateway={"search": True, **tree.pop("gateway", {})}, **tree)


def names(found: dict[str, Any]) -> list[str]:
    return [tool["name"] for tool in found["tools"]]


@pytest.mark.parametrize("era", ERAS)
async def test_with_500_tools_behind_it_a_client_sees_two_and_reaches_all(era: Era) -> None:
    boxes = {f"box{number}": toolbox.server(f"box{number}", 100, *["modern"][: number % 2]) for number in range(5)}
    async with searching(boxes) as running:
        client = await GatewayClient(running, era).begin()
        assert client.began["capabilities"]["tools"]["listChanged"]
        assert client.began["instructions"].find("find-tool") > 0
        assert set(await client.tools()) == SEARCH

        async def reach(box: int, number: int) -> None:
            verb, noun, place = toolbox.about(number)
            found = await client.said("find-tool", query=f"box{box} {verb} {noun} {place}", limit=20)
            assert found["searched"] == 500
            assert f"box{box}__op_{number}" in names(found)
            said = await client.said("call-tool", name=f"box{box}__op_{number}", arguments={"item": number})
            assert said == {"name": f"op_{number}", "arguments": {"item": number}}

        for box in range(5):
            await asyncio.gather(*(reach(box, number) for number in range(100)))


@pytest.mark.parametrize("era", ERAS)
async def test_a_search_gives_what_is_needed_for_a_call_and_the_best_first(era: Era) -> None:
    async with searching({"box": toolbox.server("box", 100)}) as running:
        client = await GatewayClient(running, era).begin()
        found = await client.said("find-tool", query="rename a playlist")
        assert found["tools"][0] == {**toolbox.numbered(63), "name": "box__op_63"}
        assert len(found["tools"]) == 5
        assert names(await client.said("find-tool", query="box__op_7", limit=1)) == ["box__op_7"]
        assert names(await client.said("find-tool", query="rename a playlist")) == names(found)


async def test_sessions_of_one_principal_that_see_the_same_tools_share_what_they_search_in_and_others_do_not() -> None:
    tokens = [{"name": name, "sha256": hashlib.sha256(name.encode()).hexdigest()} for name in ("ann", "bob")]
    async with searching({"box": toolbox.server("box", 3, "grow")}, auth={"tokens": tokens}) as running:
        ann, again, bob = [await GatewayClient(running, "legacy", token=name).begin() for name in ("ann", "ann", "bob")]
        for client in (ann, again, bob):
            await client.said("find-tool", query="invoice")
        assert sorted(name for name, _ in running.sessions.shared.searched) == ["ann", "bob"]
        async with again.told() as events:
            await again.call("box__grow")
            await events.next()
        assert len((await again.said("find-tool", query="quite new"))["tools"]) == 1
        assert (await ann.said("find-tool", query="quite new"))["tools"] == [], "its server has not grown"
        assert sorted(name for name, _ in running.sessions.shared.searched) == ["ann", "ann", "bob"]


async def test_what_nothing_fits_is_told_with_the_servers_there_are() -> None:
    async with searching({"box": toolbox.server("box", 3)}) as running:
        client = await GatewayClient(running, "legacy").begin()
        assert await client.said("find-tool", query="weather") == {
            "tools": [],
            "searched": 3,
            "hint": "Nothing fits. Try other words, or the name of a server: box.",
        }


@pytest.mark.parametrize("era", ERAS)
async def test_a_tool_that_is_not_listed_can_be_called_by_its_name(era: Era) -> None:
    async with searching({"box": toolbox.server("box", 3)}) as running:
        client = await GatewayClient(running, era).begin()
        assert (await client.said("box__op_2"))["name"] == "op_2"


async def test_a_session_has_what_it_found_listed_and_is_told() -> None:
    async with searching({"box": toolbox.server("box", 100)}) as running:
        one, other = [await GatewayClient(running, "legacy").begin() for _ in range(2)]
        async with one.told() as events:
            await one.said("find-tool", query="rename a playlist", limit=1)
            assert (await events.next())["method"] == "notifications/tools/list_changed"
        assert set(await one.tools()) == {*SEARCH, "box__op_63"}
        assert (await one.tools())["box__op_63"] == {**toolbox.numbered(63), "name": "box__op_63"}
        assert set(await other.tools()) == SEARCH


async def test_of_what_a_session_found_only_the_last_are_listed() -> None:
    async with searching({"box": toolbox.server("box", 100)}) as running:
        client = await GatewayClient(running, "legacy").begin()
        for number in range(MOST_SHOWN + 10):
            await client.said("find-tool", query=f"box__op_{number}", limit=1)
        assert set(await client.tools()) == {*SEARCH, *(f"box__op_{number}" for number in range(10, MOST_SHOWN + 10))}


async def test_without_sessions_the_list_is_the_same_whatever_was_found() -> None:
    async with searching({"box": toolbox.server("box", 100)}) as running:
        client = await GatewayClient(running, "modern").begin()
        await client.said("find-tool", query="rename a playlist")
        assert set(await client.tools()) == SEARCH


@pytest.mark.parametrize("era", ERAS)
async def test_what_lists_deny_is_neither_found_nor_called(era: Era) -> None:
    lists = entry({"use": "lists", "deny": ["box/op_63"]})
    async with searching({"box": toolbox.server("box", 100)}, lists) as running:
        client = await GatewayClient(running, era).begin()
        found = await client.said("find-tool", query="rename a playlist box__op_63", limit=20)
        assert found["searched"] == 99
        assert "box__op_63" not in names(found)
        assert "Denied by Tidegate" in await client.complains("call-tool", name="box__op_63", arguments={})
        assert (await client.said("call-tool", name="box__op_64", arguments={}))["name"] == "op_64"


@pytest.mark.parametrize("era", ERAS)
async def test_what_is_found_is_what_was_judged_and_not_what_the_server_said(era: Era) -> None:
    def transform(message: tidegate.Message, flow: tidegate.Flow) -> tidegate.Message | None:
        if message.kind == "result" and message.method == "tools/list" and flow.server.name == "box":
            return message.replace("/result/tools/0/description", "Harmless words", label="words")
        return None

    async with searching({"box": toolbox.server("box", 2)}, entry(transform=transform)) as running:
        client = await GatewayClient(running, era).begin()
        (found,) = (await client.said("find-tool", query="harmless"))["tools"]
        assert (found["name"], found["description"]) == ("box__op_0", "Harmless words")
        assert names(await client.said("find-tool", query="invoice")) == ["box__op_1"]


@pytest.mark.parametrize("era", ERAS)
async def test_what_the_profile_has_not_is_neither_found_nor_called(era: Era) -> None:
    servers = {"box": toolbox.server("box", 10), "other": toolbox.server("other", 10)}
    profiles = {"work": {"servers": ["box"], "tools": ["box/op_[123]"]}}
    async with searching(servers, profiles=profiles) as running:
        client = await GatewayClient(running, era, "/profiles/work").begin()
        found = await client.said("find-tool", query="invoice", limit=20)
        assert names(found) == ["box__op_1", "box__op_2", "box__op_3"]
        for name in ("box__op_4", "other__op_1"):
            assert await client.refused("call-tool", name=name, arguments={}) == "There is no such tool."


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_is_judged_once_in_front_of_its_server_and_the_gateway_is_asked_for_a_name(era: Era) -> None:
    witness = Witness()
    async with searching({"box": toolbox.server("box", 3)}, witness.entry()) as running:
        client = await GatewayClient(running, era).begin()
        await client.said("call-tool", name="box__op_2", arguments={"item": "precious"})
        calls = [
            (flow.server.name, message.tree["params"]["name"], message.tree["params"]["arguments"])
            for message, flow in zip(witness.decided, witness.flows, strict=True)
            if message.method == "tools/call" and message.kind == "request"
        ]
        assert calls == [("gateway", "call-tool", {"name": "box__op_2"}), ("box", "op_2", {"item": "precious"})]
        replies = [
            flow.server.name
            for message, flow in zip(witness.decided, witness.flows, strict=True)
            if message.method == "tools/call" and message.kind == "result"
        ]
        assert replies == ["box"]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("way", ["call-tool", "directly"])
async def test_what_is_called_before_it_was_found_is_known_to_interceptors_all_the_same(era: Era, way: str) -> None:
    witness = Witness()
    async with searching({"box": toolbox.server("box", 3, "grow")}, witness.entry()) as running:
        client = await GatewayClient(running, era).begin()
        for tool in ("op_2", "grow", "grown"):  # after the second, the server says that its list is another
            await (client.call("call-tool", name=f"box__{tool}") if way == "call-tool" else client.call(f"box__{tool}"))
        told = [
            flow.tool["name"] if flow.tool else None
            for message, flow in zip(witness.decided, witness.flows, strict=True)
            if message.kind == "request" and message.method == "tools/call" and flow.server.name == "box"
        ]
        assert told == ["op_2", "grow", "grown"]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("tool", ["call-tool", "find-tool"])
async def test_a_list_can_deny_the_gateways_own_tools_and_then_they_are_not_listed(era: Era, tool: str) -> None:
    lists = entry({"use": "lists", "deny": [f"gateway/{tool}"]})
    async with searching({"box": toolbox.server("box", 3)}, lists) as running:
        client = await GatewayClient(running, era).begin()
        assert set(await client.tools()) == SEARCH - {tool}
        arguments = {"name": "box__op_1", "arguments": {}} if tool == "call-tool" else {"query": "invoice"}
        assert "Denied by Tidegate" in await client.complains(tool, **arguments)


@pytest.mark.parametrize("era", ERAS)
async def test_a_denied_call_is_an_error_where_the_settings_want_errors(era: Era) -> None:
    lists = entry({"use": "lists", "deny": ["gateway/find-tool", "box/op_1"]})
    async with searching({"box": toolbox.server("box", 3)}, lists, proxy={"deny_as": "error"}) as running:
        client = await GatewayClient(running, era).begin()
        assert "gateway" in await client.refused("find-tool", query="invoice")
        assert "box" in await client.refused("call-tool", name="box__op_1")


@pytest.mark.parametrize("era", ERAS)
async def test_a_policy_can_deny_what_the_gateway_is_asked_to_call(era: Era) -> None:
    def decide(message: tidegate.Message, flow: tidegate.Flow, _findings: Any) -> tidegate.Deny | None:
        arguments = message.tree.get("params", {}).get("arguments") if message.kind == "request" else None
        if flow.server.name == "gateway" and arguments == {"name": "box__op_1"}:
            return tidegate.Deny("not that one", rule="here")
        return None

    async with searching({"box": toolbox.server("box", 3)}, entry(decide=decide)) as running:
        client = await GatewayClient(running, era).begin()
        assert "not that one" in await client.complains("call-tool", name="box__op_1")
        assert (await client.said("call-tool", name="box__op_2"))["name"] == "op_2"


@pytest.mark.parametrize("era", ERAS)
async def test_what_can_not_be_called_is_said_and_the_gateways_own_tools_are_no_way_in(era: Era) -> None:
    async with searching({"box": toolbox.server("box", 3)}) as running:
        client = await GatewayClient(running, era).begin()
        for name in ("nothing", "op_1", "box__", "add-server"):
            assert await client.refused("call-tool", name=name) == "There is no such tool."
        for name in SEARCH:
            assert "call others themselves" in await client.refused("call-tool", name=name)


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("find-tool", {}, "find-tool wants the argument query."),
        ("find-tool", {"query": " "}, "find-tool wants text for the argument query."),
        ("find-tool", {"query": "x", "limit": 21}, "find-tool wants a whole number from 1 to 20 for limit."),
        ("find-tool", {"query": "x", "limit": True}, "find-tool wants a whole number from 1 to 20 for limit."),
        ("call-tool", {"arguments": {}}, "call-tool wants the argument name."),
        (
            "call-tool",
            {"name": "box__op_1", "arguments": "{}"},
            "call-tool wants an object for the argument arguments.",
        ),
        (
            "call-tool",
            {"name": "box__op_1", "args": {}},
            "call-tool has an argument that it knows nothing of; it has: name, arguments.",
        ),
    ],
)
async def test_arguments_that_make_no_sense_are_explained_to_the_model_and_judged_all_the_same(
    tool: str, arguments: dict[str, Any], said: str
) -> None:
    witness = Witness()
    async with searching({"box": toolbox.server("box", 3)}, witness.entry()) as running:
        client = await GatewayClient(running, "legacy").begin()
        assert await client.complains(tool, **arguments) == said
        assert [
            message.tree["params"]["arguments"] for message in witness.decided if message.method == "tools/call"
        ] == [arguments]


@pytest.mark.parametrize("era", ERAS)
async def test_a_tool_that_comes_later_is_found(era: Era) -> None:
    async with searching({"box": toolbox.server("box", 3, "grow")}) as running:
        client = await GatewayClient(running, era).begin()
        assert (await client.said("find-tool", query="quite new"))["tools"] == []
        async with client.told() as events:
            await client.call("box__grow")
            assert (await events.next())["method"] == "notifications/tools/list_changed"
        assert names(await client.said("find-tool", query="quite new")) == ["box__grown"]


async def test_a_server_that_is_missing_is_told_and_the_others_are_searched() -> None:
    servers = {"box": toolbox.server("box", 3), "gone": {"command": ["/nonexistent/server"], "sandbox": "none"}}
    async with searching(servers) as running:
        client = await GatewayClient(running, "legacy").begin()
        found = await client.said("find-tool", query="invoice")
        assert found["searched"] == 3
        assert [each["server"] for each in found["io.tidegate/missing"]] == ["gone"]


async def test_headers_that_repeat_an_argument_are_made_for_a_call_by_its_name() -> None:
    schema = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}
    done = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}

    async def handle(exchange: Exchange) -> None:
        method = exchange.json["method"]
        if method == "server/discover":
            await exchange.result({"supportedVersions": [MODERN], "capabilities": {"tools": {}}, **done})
        elif method == "tools/list":
            await exchange.result({"tools": [{"name": "run", "inputSchema": schema}], **done})
        else:
            await exchange.result({"content": [], "resultType": "complete"})

    async with ScriptedServer(handle) as server, searching({"far": {"url": server.url}}) as running:
        client = await GatewayClient(running, "modern").begin()
        await client.said("find-tool", query="run")
        await client.call("call-tool", name="far__run", arguments={"region": "north"})
        got = server.got[-1]
        assert (got.headers["mcp-name"], got.headers["mcp-param-region"]) == ("run", "north")
        assert got.json["params"]["arguments"] == {"region": "north"}


async def test_a_call_that_asks_its_client_goes_on_when_it_is_answered() -> None:
    async with searching({"box": toolbox.server("box", 0, "ask")}) as running:
        client = GatewayClient(running, "modern")
        client.capabilities = {"elicitation": {"form": {}}}
        await client.begin()
        params = {"name": "call-tool", "arguments": {"name": "box__ask", "arguments": {}}}
        asked = await client.ask("tools/call", params)
        assert asked["resultType"] == "input_required"
        (key,) = asked["inputRequests"]
        answers = {key: {"action": "accept", "content": {"name": "blue"}}}
        more = {"requestState": asked["requestState"], "inputResponses": answers}
        done = await client.ask("tools/call", {**params, **more})
        assert done["content"][0]["text"] == "blue"
