"""Real clients and a real server, at a Tidegate as users run it: what isn't listed is found, added and called."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from peers.running import Era, python_client
from support import toolbox
from support.proxy import running_tidegate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

TIME = [str(Path(sys.executable).with_name("mcp-server-time")), "--local-timezone", "UTC"]


def text(result: Any) -> str:
    assert not result.is_error, result
    said: str = result.content[0].text
    return said


@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_the_python_client_finds_adds_and_calls_what_it_does_not_see(era: Era, tmp_path: Path) -> None:
    servers = {
        "box": toolbox.server("box", 500, "ask"),
        "time": {"command": TIME, "sandbox": "none", "on_demand": True, "description": "What time it is, anywhere"},
    }
    tables = {"gateway": {"search": True, "dynamic": True}}
    async with running_tidegate(servers, folder=tmp_path, tables=tables) as proxy:
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
        calls = [
            (record["server"], record["target"]["name"] if isinstance(record["target"], dict) else record["target"])
            for record in proxy.records()
            if record["method"] == "tools/call" and record["kind"] == "request"
        ]
    assert ("box", "op_498") in calls
    assert ("time", "get_current_time") in calls
    assert ("gateway", "add-server") in calls
