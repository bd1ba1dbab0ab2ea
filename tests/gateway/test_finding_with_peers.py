"""Real clients and a real server, at a Tidegate as users run it: what isn't listed is found, added and called."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from peers.clients import CLIENTS
from peers.exchange import Step, call
from peers.running import Era, python_client
from support import toolbox
from support.proxy import RunningTidegate, running_tidegate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

TIME = [str(Path(sys.executable).with_name("mcp-server-time")), "--local-timezone", "UTC"]


SERVERS: dict[str, dict[str, Any]] = {
    "box": toolbox.server("box", 500, "ask"),
    "time": {"command": TIME, "sandbox": "none", "on_demand": True, "description": "What time it is, anywhere"},
}
TABLES = {"gateway": {"search": True, "dynamic": True}}


def text(result: Any) -> str:
    assert not result.is_error, result
    said: str = result.content[0].text
    return said


@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_the_python_client_finds_adds_and_calls_what_it_does_not_see(era: Era, tmp_path: Path) -> None:
    async with running_tidegate(SERVERS, folder=tmp_path, tables=TABLES) as proxy:
        async with python_client(proxy.gateway, era) as client:
            assert len((await client.list_tools()).tools) == 6
            found = json.loads(text(await client.call_tool("find-tool", {"query": "rotate the voucher in depot4"})))
            assert found["tools"][0]["name"] == "box__op_498"
            called = await client.call_tool("call-tool", {"name": "box__op_498", "arguments": {"item": "v"}})
            assert json.loads(text(called)) == {"name": "op_498", "arguments": {"item": "v"}}
            asked = await client.call_tool("call-tool", {"name": "box__ask", "arguments": {}})
            assert text(asked) == "A", "it was asked in the middle of a call, and has answered"
            (server,) = json.loads(text(await client.call_tool("find-server", {"query": "time"})))["servers"]
            added = json.loads(text(await client.call_tool("add-server", {"name": server["name"]})))
            assert added["names"] == ["time__get_current_time", "time__convert_time"]
            now = await client.call_tool("time__get_current_time", {"timezone": "UTC"})
            assert json.loads(text(now))["timezone"] == "UTC"
            assert json.loads(text(await client.call_tool("remove-server", {"name": "time"}))) == {"removed": "time"}
        assert_called(proxy)


def assert_called(proxy: RunningTidegate) -> None:
    """See that the calls are recorded as those of the servers that they were for."""
    calls = [
        (record["server"], record["target"]["name"] if isinstance(record["target"], dict) else record["target"])
        for record in proxy.records()
        if record["method"] == "tools/call" and record["kind"] == "request"
    ]
    assert ("box", "op_498") in calls
    assert ("time", "get_current_time") in calls
    assert ("gateway", "add-server") in calls


SCRIPT = [
    Step("tools/list"),
    call("find-tool", query="rotate the voucher in depot4"),
    call("call-tool", name="box__op_498", arguments={"item": "v"}),
    call("box__op_498", item="w"),
    call("add-server", name="time"),
    call("time__get_current_time", timezone="UTC"),
    call("list-servers"),
    call("remove-server", name="time"),
    call("time__get_current_time", timezone="UTC"),
]


@pytest.mark.node
@pytest.mark.parametrize("name", ["typescript-v1", "typescript-v2-legacy", "typescript-v2-modern"])
async def test_the_javascript_clients_find_a_tool_of_500_and_add_and_remove_a_server(name: str, tmp_path: Path) -> None:
    (client,) = (each for each in CLIENTS if each.name == name)
    own = tmp_path / "client"
    own.mkdir()
    async with running_tidegate(SERVERS, folder=tmp_path, tables=TABLES) as proxy:
        _, *told = await client.run(proxy.gateway, SCRIPT, own)
        assert_called(proxy)
    listed, *rest = told
    assert len(listed["result"]["tools"]) == 6
    found, called, direct, added, now, servers, removed = (
        json.loads(each["result"]["content"][0]["text"]) for each in rest[:7]
    )
    assert found["tools"][0]["name"] == "box__op_498"
    assert called == {"name": "op_498", "arguments": {"item": "v"}}
    assert direct == {"name": "op_498", "arguments": {"item": "w"}}
    assert added["names"] == ["time__get_current_time", "time__convert_time"]
    assert now["timezone"] == "UTC"
    assert "time" in [each["name"] for each in servers["servers"]]
    assert removed == {"removed": "time"}
    assert rest[7]["error"]["code"] == -32602, "it is there no more"
