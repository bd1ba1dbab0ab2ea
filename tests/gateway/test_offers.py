"""The gateway's own tools among the servers': names, reloads, old clients, and clients on standard input and output."""

import asyncio
import json
from typing import Any

import pytest

from gateway.test_searching import SEARCH, names, searching
from support import proxy, toolbox
from support.gateway_clients import LEGACY, MODERN, GatewayClient
from support.rig import loaded
from support.web import front
from tidegate.flows import Runtime
from tidegate.methods import VERSION_KEY

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize("clash", ["prefix", "first", "hide"])
async def test_a_servers_tool_that_would_be_called_like_the_gateways_gets_another_name(clash: str) -> None:
    servers = {"box": toolbox.server("box", 1, "find-tool", prefix="")}
    async with searching(servers, gateway={"clash": clash}) as running:
        client = await GatewayClient(running, "legacy").begin()
        found = await client.said("find-tool", query="find tool for an invoice", limit=20)
        assert set(names(found)) == ({"op_0"} if clash == "hide" else {"box__find-tool", "op_0"})
        if clash != "hide":
            assert (await client.said("call-tool", name="box__find-tool"))["name"] == "find-tool"


async def test_a_reload_switches_it_on_and_off_for_sessions_that_are_open() -> None:
    servers = {"box": toolbox.server("box", 3)}
    async with front(server={}, servers=servers) as running:
        client = await GatewayClient(running, "legacy").begin()
        assert set(await client.tools()) == {"box__op_0", "box__op_1", "box__op_2"}
        was = running.core.now
        for search in (True, False):
            built, _ = loaded([], {"servers": servers, "gateway": {"search": search}})
            running.core.now = Runtime(built, was.pipeline)
            async with client.told() as events:
                await running.sessions.retire(set())
                assert (await events.next())["method"] == "notifications/tools/list_changed"
            assert set(await client.tools()) == (SEARCH if search else {"box__op_0", "box__op_1", "box__op_2"})
        assert await client.refused("find-tool", query="x") == "There is no such tool."


async def test_an_old_client_is_told_nothing_that_its_version_has_not() -> None:
    async with searching({"box": toolbox.server("box", 3)}) as running:
        client = await GatewayClient(running, "legacy").begin("2024-11-05")
        assert all(set(tool) == {"name", "description", "inputSchema"} for tool in (await client.tools()).values())


@pytest.mark.parametrize("version", [LEGACY, MODERN])
async def test_a_client_on_standard_input_and_output_searches_too(version: str, tmp_path: Any) -> None:
    servers = {"box": toolbox.server("box", 100)}
    settings = proxy.write_settings(tmp_path / "tidegate.toml", servers, [], {}, {"gateway": {"search": True}})
    process = await asyncio.create_subprocess_exec(
        *proxy.tidegate("run", settings, "--stdio"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    reader, writer = process.stdout, process.stdin
    assert reader is not None
    assert writer is not None
    numbers = iter(range(1, 100))

    async def ask(method: str, **params: Any) -> Any:
        if version == MODERN:
            params["_meta"] = {VERSION_KEY: MODERN, "io.modelcontextprotocol/clientCapabilities": {}}
        identity = next(numbers)
        writer.write(json.dumps({"jsonrpc": "2.0", "id": identity, "method": method, "params": params}).encode())
        writer.write(b"\n")
        async with asyncio.timeout(30):
            while True:
                said = json.loads(await reader.readline())
                if said.get("id") == identity:
                    return said["result"]

    if version == LEGACY:
        await ask("initialize", protocolVersion=LEGACY, capabilities={}, clientInfo={"name": "c", "version": "1"})
        writer.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
    assert {tool["name"] for tool in (await ask("tools/list"))["tools"]} == SEARCH
    found = await ask("tools/call", name="find-tool", arguments={"query": "rename a playlist", "limit": 1})
    name = json.loads(found["content"][0]["text"])["tools"][0]["name"]
    called = await ask("tools/call", name="call-tool", arguments={"name": name, "arguments": {"item": 1}})
    assert json.loads(called["content"][0]["text"]) == {"name": "op_63", "arguments": {"item": 1}}
    writer.close()
    assert await asyncio.wait_for(process.wait(), 30) == 0
