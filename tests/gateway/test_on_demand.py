"""Servers that a session adds: only for itself, only those that the settings have for it, and judged like any."""

import asyncio
import hashlib
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

import tidegate
from support import toolbox
from support.gateway_clients import ERAS, Era, GatewayClient
from support.rig import Entry, Witness, entry, loaded
from support.web import Front, front, until
from tidegate.flows import Runtime

pytestmark = pytest.mark.timeout(120)

OWN = {"find-server", "add-server", "remove-server", "list-servers"}
Servers = dict[str, dict[str, Any]]


def catalog(**more: dict[str, Any]) -> Servers:
    """A server that is always there, and two that may be added."""
    return {
        "base": toolbox.server("base", 1),
        "travel": toolbox.server("travel", 2, "where", on_demand=True, description="Trains, flights and hotels"),
        "money": toolbox.server("money", 2, "modern", on_demand=True, description="Accounts and payments"),
        **more,
    }


def dynamic(*entries: Entry, servers: Servers | None = None, **tree: Any) -> AbstractAsyncContextManager[Front]:
    gateway = {"dynamic": True, **tree.pop("gateway", {})}
    return front(*entries, server={}, servers=catalog() if servers is None else servers, gateway=gateway, **tree)


async def take_over(running: Front, servers: Servers, changed: set[str], **gateway: Any) -> None:
    """Take over other settings, as a reload does."""
    built, _ = loaded([], {"servers": servers, "gateway": gateway})
    running.core.now = Runtime(built, running.core.now.pipeline)
    await running.sessions.retire(changed)


@pytest.mark.parametrize("era", ERAS)
async def test_it_is_off_unless_the_settings_say_otherwise_and_such_servers_are_not_served_then(era: Era) -> None:
    async with front(server={}, servers=catalog()) as running:
        client = await GatewayClient(running, era).begin()
        assert set(await client.tools()) == {"base__op_0"}
        for name in ("add-server", "travel__op_0"):
            assert await client.refused(name, name="travel") == "There is no such tool."


@pytest.mark.parametrize("era", ERAS)
async def test_a_server_is_found_added_used_and_taken_away_again(era: Era) -> None:
    async with dynamic() as running:
        client = await GatewayClient(running, era).begin()
        assert set(await client.tools()) == {*OWN, "base__op_0"}
        assert await client.said("find-server", query="book a flight or a train") == {
            "servers": [
                {"name": "travel", "description": "Trains, flights and hotels", "added": False, "prefix": "travel__"}
            ],
            "searched": 2,
        }
        added = await client.said("add-server", name="travel")
        tools = ["travel__op_0", "travel__op_1", "travel__where"]
        assert (added["added"], added["tools"], added["names"]) == ("travel", 3, tools)
        assert added["instructions"] == "Be kind."
        assert set(await client.tools()) == {*OWN, "base__op_0", *tools}
        assert (await client.said("travel__op_1", item=3)) == {"name": "op_1", "arguments": {"item": 3}}
        assert [each["name"] for each in (await client.ask("prompts/list"))["prompts"]] == [
            "base__about_base",
            "travel__about_travel",
        ]
        assert await client.said("list-servers") == {
            "servers": [
                {"name": "base", "added": False, "reached": True},
                {"name": "travel", "description": "Trains, flights and hotels", "added": True, "reached": True},
            ]
        }
        pid = int((await client.call("travel__where"))["content"][0]["text"])
        assert await client.said("remove-server", name="travel") == {"removed": "travel"}
        assert set(await client.tools()) == {*OWN, "base__op_0"}
        assert await client.refused("travel__op_1") == "There is no such tool."
        if era == "legacy":  # a process of one session ends with its place in it
            await until(lambda: not Path(f"/proc/{pid}").exists())


@pytest.mark.parametrize("era", ERAS)
async def test_the_client_is_told_when_a_server_comes_and_goes(era: Era) -> None:
    async with dynamic() as running:
        client = await GatewayClient(running, era).begin()
        for tool in ("add-server", "remove-server"):
            async with client.told() as events:
                await client.said(tool, name="travel")
                said = {(await events.next())["method"] for _ in range(2)}
            assert said == {"notifications/tools/list_changed", "notifications/prompts/list_changed"}


async def test_a_session_has_only_what_it_added_itself() -> None:
    async with dynamic() as running:
        one, other = [await GatewayClient(running, "legacy").begin() for _ in range(2)]
        stateless = await GatewayClient(running, "modern").begin()
        await one.said("add-server", name="travel")
        await other.said("add-server", name="money")
        assert set(await one.tools()) >= {"travel__op_0"}
        assert not {name for name in await one.tools() if name.startswith("money")}
        assert not {name for name in await other.tools() if name.startswith("travel")}
        assert set(await stateless.tools()) == {*OWN, "base__op_0"}
        assert await other.refused("travel__op_0") == "There is no such tool."
        assert await stateless.refused("money__op_0") == "There is no such tool."
        assert "No such server was added" in await other.complains("remove-server", name="travel")
        assert set(await (await GatewayClient(running, "legacy").begin()).tools()) == {*OWN, "base__op_0"}


async def test_without_sessions_a_principal_has_what_it_added_and_no_other_has() -> None:
    tokens = [{"name": name, "sha256": hashlib.sha256(name.encode()).hexdigest()} for name in ("ann", "bob")]
    async with dynamic(auth={"tokens": tokens}) as running:
        ann, again, bob = [await GatewayClient(running, "modern", token=name).begin() for name in ("ann", "ann", "bob")]
        await ann.said("add-server", name="travel")
        assert set(await again.tools()) == set(await ann.tools()) >= {"travel__op_0"}
        assert set(await bob.tools()) == {*OWN, "base__op_0"}
        assert await bob.refused("travel__op_0") == "There is no such tool."


@pytest.mark.parametrize("era", ERAS)
async def test_nothing_but_what_the_settings_have_on_demand_can_be_added(era: Era) -> None:
    async with dynamic() as running:
        client = await GatewayClient(running, era).begin()
        for name in ("nothing", "/bin/sh", "travel; true", "../travel", "Travel"):
            assert "no such server to be added" in await client.complains("add-server", name=name)
        said = await client.complains("add-server", name="travel", command=["/bin/sh"])
        assert said == "add-server has an argument that it knows nothing of; it has: name."
        assert "No such server was added" in await client.complains("remove-server", name="base")
        assert (await client.said("add-server", name="base"))["names"] == ["base__op_0"], "it is there already"


@pytest.mark.parametrize("era", ERAS)
async def test_a_profile_has_its_own_servers_to_be_added_and_no_others(era: Era) -> None:
    profiles = {"trip": {"servers": ["base", "travel"], "tools": ["base/*", "travel/op_1"]}}
    async with dynamic(profiles=profiles) as running:
        client = await GatewayClient(running, era, "/profiles/trip").begin()
        assert [each["name"] for each in (await client.said("find-server"))["servers"]] == ["travel"]
        assert "no such server to be added" in await client.complains("add-server", name="money")
        assert (await client.said("add-server", name="travel"))["names"] == ["travel__op_1"]
        assert set(await client.tools()) == {*OWN, "base__op_0", "travel__op_1"}


@pytest.mark.parametrize("era", ERAS)
async def test_a_list_can_deny_adding_and_then_it_is_not_offered(era: Era) -> None:
    async with dynamic(entry({"use": "lists", "deny": ["gateway/add-server"]})) as running:
        client = await GatewayClient(running, era).begin()
        assert set(await client.tools()) == {*OWN - {"add-server"}, "base__op_0"}
        assert "Denied by Tidegate" in await client.complains("add-server", name="travel")
        assert await client.refused("travel__op_0") == "There is no such tool."


@pytest.mark.parametrize("era", ERAS)
async def test_a_policy_can_deny_adding_one_server_and_allow_another(era: Era) -> None:
    def decide(message: tidegate.Message, flow: tidegate.Flow, _findings: Any) -> tidegate.Deny | None:
        named = message.kind == "request" and flow.targets and flow.targets[0].name == "add-server"
        if named and message.tree["params"]["arguments"]["name"] == "money":
            return tidegate.Deny("money is not for models", rule="here")
        return None

    async with dynamic(entry(decide=decide)) as running:
        client = await GatewayClient(running, era).begin()
        assert "money is not for models" in await client.complains("add-server", name="money")
        assert (await client.said("add-server", name="travel"))["tools"] == 3
        assert set(await client.tools()) == {*OWN, "base__op_0", "travel__op_0", "travel__op_1", "travel__where"}


@pytest.mark.parametrize("era", ERAS)
async def test_a_server_that_may_not_even_be_introduced_is_not_added(era: Era) -> None:
    def decide(message: tidegate.Message, flow: tidegate.Flow, _findings: Any) -> tidegate.Deny | None:
        begins = message.method in ("initialize", "server/discover")
        return tidegate.Deny("nobody goes there", rule="here") if begins and flow.server.name == "money" else None

    async with dynamic(entry(decide=decide)) as running:
        client = await GatewayClient(running, era).begin()
        assert "nobody goes there" in await client.complains("add-server", name="money")
        assert set(await client.tools()) == {*OWN, "base__op_0"}


@pytest.mark.parametrize("era", ERAS)
async def test_a_server_that_can_not_start_is_not_added_and_nothing_is_missing_for_it(era: Era) -> None:
    broken = {"command": ["/nonexistent/server"], "sandbox": "none", "on_demand": True}
    async with dynamic(servers=catalog(broken=broken)) as running:
        client = await GatewayClient(running, era).begin()
        assert (await client.complains("add-server", name="broken")).startswith("The server can't be added now: ")
        listed = await client.ask("tools/list")
        assert "io.tidegate/missing" not in listed.get("_meta", {})


@pytest.mark.parametrize("era", ERAS)
async def test_every_step_is_recorded_and_the_added_server_is_judged_from_its_first_message_on(era: Era) -> None:
    witness = Witness()
    async with dynamic(witness.entry()) as running:
        client = await GatewayClient(running, era).begin()
        witness.decided.clear()
        witness.flows.clear()
        await client.said("add-server", name="travel")
        seen = [
            (flow.server.name, message.kind, message.method)
            for message, flow in zip(witness.decided, witness.flows, strict=True)
        ]
        assert seen[0] == ("gateway", "request", "tools/call")
        assert ("travel", "request", "initialize") in seen
        assert ("travel", "result", "tools/list") in seen
        composed = [each.message for each in witness.recorded if each.message is not None][-1]
        assert (composed.kind, composed.method) == ("result", "tools/call")


@pytest.mark.parametrize("era", ERAS)
async def test_of_many_that_add_the_same_at_once_each_has_it_and_it_is_started_once(era: Era) -> None:
    async with dynamic() as running:
        client = await GatewayClient(running, era).begin()
        said = await asyncio.gather(*(client.said("add-server", name="travel") for _ in range(5)))
        assert {each["tools"] for each in said} == {3}
        assert sum(each.server == "travel" for each in running.sessions.fleet.listed()) == 1


@pytest.mark.parametrize("era", ERAS)
async def test_what_a_reload_takes_away_is_taken_from_those_who_added_it(era: Era) -> None:
    async with dynamic() as running:
        client = await GatewayClient(running, era).begin()
        await client.said("add-server", name="travel")
        await client.said("add-server", name="money")
        left = catalog()
        del left["travel"]
        await take_over(running, left, {"travel"}, dynamic=True)
        assert set(await client.tools()) == {*OWN, "base__op_0", "money__op_0", "money__op_1"}
        await take_over(running, left, set(), dynamic=False)
        assert set(await client.tools()) == {"base__op_0"}
        assert await client.refused("money__op_0") == "There is no such tool."
        await until(lambda: {each.server for each in running.sessions.fleet.listed()} <= {"base"})
        await take_over(running, left, set(), dynamic=True)
        assert set(await client.tools()) == {*OWN, "base__op_0"}, "it is not added again by itself"


@pytest.mark.parametrize("era", ERAS)
async def test_what_a_reload_changes_stays_added(era: Era) -> None:
    async with dynamic() as running:
        client = await GatewayClient(running, era).begin()
        await client.said("add-server", name="travel")
        others = catalog(travel=toolbox.server("travel", 1, on_demand=True))
        await take_over(running, others, {"travel"}, dynamic=True)
        assert set(await client.tools()) == {*OWN, "base__op_0", "travel__op_0"}


@pytest.mark.parametrize("era", ERAS)
async def test_all_servers_may_be_on_demand(era: Era) -> None:
    servers = {"travel": toolbox.server("travel", 1, on_demand=True, prefix="")}
    async with dynamic(servers=servers) as running:
        client = await GatewayClient(running, era).begin()
        assert set(client.began["capabilities"]) == {"tools", "prompts", "resources"}
        assert set(await client.tools()) == OWN
        await client.said("add-server", name="travel")
        assert set(await client.tools()) == {*OWN, "op_0"}
        assert (await client.said("op_0"))["name"] == "op_0"


@pytest.mark.parametrize("era", ERAS)
async def test_what_was_added_is_searched_too(era: Era) -> None:
    async with dynamic(gateway={"search": True}) as running:
        client = await GatewayClient(running, era).begin()
        assert set(await client.tools()) == {*OWN, "find-tool", "call-tool"}
        assert (await client.said("find-tool", query="delete invoice"))["searched"] == 1
        await client.said("add-server", name="travel")
        found = await client.said("find-tool", query="delete invoice", limit=1)
        assert (found["searched"], found["tools"][0]["name"]) == (4, "travel__op_1")
        await client.said("remove-server", name="travel")
        assert (await client.said("find-tool", query="delete invoice"))["searched"] == 1


async def test_a_catalog_of_hundreds_is_searched_and_nothing_of_it_runs() -> None:
    many = {
        f"s{number}": toolbox.server("s", 1, on_demand=True, description=" ".join(toolbox.about(number)))
        for number in range(300)
    }
    async with dynamic(servers=many) as running:
        client = await GatewayClient(running, "legacy").begin()
        found = await client.said("find-server", query="rename playlist depot2")
        assert (found["servers"][0]["name"], found["searched"]) == ("s263", 300)
        assert len((await client.said("find-server"))["servers"]) == 20
        assert running.sessions.fleet.listed() == []


@pytest.mark.parametrize("era", ERAS)
async def test_what_is_open_with_a_server_that_is_taken_away_is_answered(era: Era) -> None:
    def busy() -> bool:
        fronts = running.sessions._fronts()
        return any(peer.busy for each in fronts for name, peer in each.peers.items() if name == "slow")

    servers = catalog(slow=toolbox.server("slow", 0, "hang", on_demand=True))
    async with dynamic(servers=servers) as running:
        client = await GatewayClient(running, era).begin()
        await client.said("add-server", name="slow")
        call = asyncio.create_task(client.post("tools/call", {"name": "slow__hang", "arguments": {}}))
        await until(busy)
        await client.said("remove-server", name="slow")
        reply = await asyncio.wait_for(call, 10)
        assert "error" in reply
        assert set(await client.tools()) == {*OWN, "base__op_0"}


async def test_a_client_that_does_not_wait_for_a_server_has_it_all_the_same() -> None:
    async with dynamic() as running:
        client = await GatewayClient(running, "modern").begin()
        call = asyncio.create_task(client.call("add-server", name="travel"))
        await until(lambda: any(front.offers.on_demand._adding for front in running.sessions._fronts()))
        call.cancel()
        await asyncio.wait((call,))
        await until(lambda: not any(front.offers.on_demand._adding for front in running.sessions._fronts()))
        assert "travel__op_0" in await client.tools()
