"""The real program in front of a server that changes its tool: hidden, denied, shown, approved while it runs."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from robustness.talking import Peer
from support.proxy import RunningTidegate, audit_to, running_tidegate, tidegate

pytestmark = pytest.mark.requirement("approved-is-offered")


async def tools(peer: Peer) -> list[str]:
    told = await peer.ask(peer.request("tools/list", {}))
    return [tool["name"] for tool in told["result"]["tools"]]


async def text(peer: Peer, tool: str) -> str:
    told = await peer.call(tool)
    return str(told["result"]["content"][0]["text"])


async def pins(running: RunningTidegate, *words: str) -> tuple[int, str]:
    """Run `tidegate pins`; return its exit code, and what it printed."""
    done = await asyncio.create_subprocess_exec(
        *tidegate("pins", *words, "--settings", running.settings),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await done.communicate()
    assert done.returncode is not None
    return done.returncode, out.decode()


def setting(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    script = Path(__file__).with_name("changing_server.py")
    server = {"command": [sys.executable, str(script), str(folder / "turned")], "sandbox": "none"}
    return {"notes": server}, [{"use": "pins"}, audit_to(folder / "audit.jsonl")]


async def test_a_tool_that_changes_is_hidden_until_it_is_approved(tmp_path: Path) -> None:
    servers, interceptors = setting(tmp_path)
    async with (
        running_tidegate(servers, interceptors, folder=tmp_path) as running,
        Peer(running.endpoint("notes")) as p,
    ):
        await p.begin()
        assert await tools(p) == ["read", "turn"]
        assert await text(p, "read") == "read"
        assert (await pins(running, "list"))[0] == 0
        assert await text(p, "turn") == "turn"
        assert await tools(p) == ["turn"]
        denied = await text(p, "read")
        assert "The tool notes/read has changed since it was approved: an instruction in its text" in denied
        assert "`tidegate pins diff notes/read` shows how." in denied
        assert "is new and waits for approval" in await text(p, "later")
        code, shown = await pins(running, "diff", "notes/read")
        assert code == 1
        assert "~/.ssh/id_rsa" in shown
        code, _ = await pins(running, "approve", "notes/read", "--yes")
        assert code == 0
        assert await text(p, "read") == "read"
        assert await tools(p) == ["read", "turn"]
        async with Peer(running.endpoint("notes")) as other:
            await other.begin()
            assert await tools(other) == ["read", "turn"]
    found = [finding["rule"] for record in running.records() for finding in record.get("findings", [])]
    assert {"instruction", "new", "approved"} <= set(found)
    assert "id_rsa" not in running.audit.read_text() + running.stderr.read_text()


async def test_a_server_that_changed_between_two_runs_is_noticed(tmp_path: Path) -> None:
    servers, interceptors = setting(tmp_path)
    for expected in (["read", "turn"], ["turn"]):
        async with (
            running_tidegate(servers, interceptors, folder=tmp_path) as running,
            Peer(running.endpoint("notes")) as peer,
        ):
            await peer.begin()
            assert await tools(peer) == expected
        (tmp_path / "turned").touch()
    code, listed = await pins(running, "list", "--json")
    assert code == 1
    assert {row["name"]: row["state"] for row in json.loads(listed)} == {
        "instructions": "trusted",
        "read": "changed",
        "turn": "trusted",
        "later": "waits",
    }
