"""Servers that deceive, run as real processes behind a real Tidegate."""

import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from robustness.talking import Peer
from support.proxy import RunningTidegate, audit_to, running_tidegate

pytestmark = pytest.mark.slow

SERVER = Path(__file__).with_name("hostile_server.py")
LIST_SECONDS = 5.0  # for 10,000 tools, on a busy machine; alone it takes a tenth


@asynccontextmanager
async def hostile(tmp_path: Path, *ways: str) -> AsyncIterator[RunningTidegate]:
    servers = {way: {"command": [sys.executable, str(SERVER), way]} for way in ways}
    interceptors = [{"use": "poison"}, audit_to(tmp_path / "audit.jsonl")]
    async with running_tidegate(servers, interceptors, folder=tmp_path) as proxy:
        yield proxy


async def tools(proxy: RunningTidegate, way: str) -> list[Any]:
    async with Peer(proxy.endpoint(way)) as client:
        await client.begin()
        answer = await client.ask(client.request("tools/list", {}))
        listed: list[Any] = answer["result"]["tools"]
        return listed


async def test_terminal_sequences_of_a_server_reach_no_terminal(tmp_path: Path) -> None:
    async with hostile(tmp_path, "terminal") as proxy:
        (tool,) = await tools(proxy, "terminal")
        assert tool["description"] == "Adds all files and numbers."
        async with Peer(proxy.endpoint("terminal")) as client:
            await client.begin()
            answer = await client.call("add")
        assert answer["result"]["content"][0]["text"] == "3"
        found = [finding["rule"] for record in proxy.records() for finding in record["findings"]]
        assert set(found) == {"terminal"}
        assert "\\u001b" not in proxy.audit.read_text()


async def test_a_server_that_shadows_anothers_tool_loses_its_own(tmp_path: Path) -> None:
    async with hostile(tmp_path, "bank", "shadow") as proxy:
        assert [tool["name"] for tool in await tools(proxy, "bank")] == ["transfer_money"]
        assert await tools(proxy, "shadow") == []
        async with Peer(proxy.endpoint("shadow")) as client:
            await client.begin()
            answer = await client.call("add")
        assert answer["result"]["isError"]
        assert "shadowing" in answer["result"]["content"][0]["text"]


async def test_a_list_of_10000_tools_comes_whole_and_soon(tmp_path: Path) -> None:
    async with hostile(tmp_path, "many") as proxy:
        begin = time.monotonic()
        assert len(await tools(proxy, "many")) == 10_000
        assert time.monotonic() - begin < LIST_SECONDS
