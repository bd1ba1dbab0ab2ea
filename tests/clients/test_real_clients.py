"""What `connect` writes, given to the Inspector by running it, and held against VS Code's schema."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from clients.samples import SAMPLES
from support.node import peers
from support.proxy import running_tidegate, tidegate
from tidegate.clients import jsonc

TIME = [sys.executable, "-m", "mcp_server_time", "--local-timezone", "UTC"]
SECONDS = 120

# What VS Code's own schema of `mcp.json` allows, as its documentation and its sources (mcpConfiguration.ts) say it; of
# what VS Code 1.139.1 has, sandboxes, OAuth and where a server comes from are left out: `connect` writes none of them.
_STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
_LOCAL: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["command"],
    "properties": {
        "type": {"enum": ["stdio"]},
        "command": {"type": "string"},
        "args": {"type": "array", "items": {"type": "string"}},
        "cwd": {"type": "string"},
        "env": {"type": "object"},
        "envFile": {"type": "string"},
        "dev": {"type": "object"},
    },
}
_REMOTE: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["url"],
    "properties": {
        "type": {"enum": ["http", "sse"]},
        "url": {"type": "string", "pattern": "^https?://.+"},
        "headers": _STRINGS,
        "dev": {"type": "object"},
    },
}
VSCODE: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "servers": {"type": "object", "additionalProperties": {"oneOf": [_LOCAL, _REMOTE]}},
        "inputs": {"type": "array", "items": {"type": "object", "required": ["type", "id"]}},
    },
}


def logs_in(home: Path) -> list[str]:
    """What the audit logs of wraps say; they are below HOME, as a client hands that on, and little else."""
    return [path.read_text() for path in home.rglob("tidegate/audit/time-*.jsonl")]


async def ran(*command: str, folder: Path, env: dict[str, str] | None = None) -> str:
    """Run a program to its end, and return its output."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"), **(env or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(SECONDS):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def listed(config: Path, server: str) -> set[str]:
    """The tools that the Inspector sees of a server of its configuration."""
    folder = config.parent
    command = peers().command("@modelcontextprotocol/inspector", "clients/launcher/build/index.js")
    asked = [
        "--cli",
        "--config",
        str(config),
        "--server",
        server,
        "--method",
        "tools/list",
        "--format",
        "json",
        "--quiet",
    ]
    told = json.loads(await ran(*command, *asked, folder=folder, env={"MCP_STORAGE_DIR": str(folder)}))
    return {tool["name"] for tool in told.get("result", told)["tools"]}


@pytest.mark.node
@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_the_inspector_reaches_the_gateway_that_its_connected_file_leads_to(tmp_path: Path) -> None:
    config = tmp_path / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"time": {"command": TIME[0], "args": TIME[1:]}}}, indent=2))
    before = config.read_bytes()
    tools = await listed(config, "time")
    connect = ("connect", "claude-code", "--file", str(config), "--yes")
    async with running_tidegate({"time": {"command": TIME, "sandbox": "none"}}) as proxy:
        await ran(*tidegate(*connect, "--url", proxy.gateway), folder=tmp_path)
        assert await listed(config, "tidegate") == {f"time__{tool}" for tool in tools}
        assert [record["method"] for record in proxy.records() if record["verdict"] == "allow"].count("tools/list")
    await ran(*tidegate("disconnect", "claude-code", "--file", str(config), "--yes"), folder=tmp_path)
    assert config.read_bytes() == before


@pytest.mark.node
@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_the_inspector_reaches_a_server_that_was_wrapped_in_its_file(tmp_path: Path) -> None:
    config = tmp_path / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"time": {"command": TIME[0], "args": TIME[1:]}}}, indent=2))
    tools = await listed(config, "time")
    await ran(*tidegate("connect", "cursor", "--file", str(config), "--wrap", "--yes"), folder=tmp_path)
    assert await listed(config, "time") == tools
    assert any("tools/list" in log for log in logs_in(tmp_path))


@pytest.mark.parametrize("options", [(), ("--wrap",), ("--stdio",), ("--token-env", "TIDEGATE_TOKEN")], ids=" ".join)
async def test_what_is_written_for_vs_code_is_what_its_schema_allows(options: tuple[str, ...], tmp_path: Path) -> None:
    text = next(sample.text for sample in SAMPLES if sample.client == "vscode")
    jsonschema.validate(jsonc.read(text), VSCODE)
    file = tmp_path / "mcp.json"
    file.write_text(text)
    await ran(*tidegate("connect", "vscode", "--file", str(file), *options, "--yes"), folder=tmp_path)
    jsonschema.validate(jsonc.read(file.read_text()), VSCODE)
    assert file.read_text() != text
