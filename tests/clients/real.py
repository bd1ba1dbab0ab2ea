"""Clients that npm has, run as their users run them: each in a home of its own, and in an environment of its own.

Nobody is logged in. No model is there either: where a client wants one before it looks at its servers, it is told of
one at an address where nothing listens.
"""

import asyncio
import json
import os
import platform
import re
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest

from support.node import peers
from support.proxy import tidegate

SECONDS = 120
LOOK_SECONDS = 0.1  # what a client does can't be awaited, so its traces are looked for this often
NOWHERE = "http://127.0.0.1:1/v1"
TOKEN = "TIDEGATE_TOKEN"

Done = Callable[[], bool]


class Home:
    """A user's home folder, and a folder in it where clients are started."""

    def __init__(self, folder: Path, token: str = "") -> None:
        self.folder = folder
        self.work = folder / "work"
        self.work.mkdir()
        self._env = {
            "HOME": str(folder),
            "PATH": os.pathsep.join([str(peers().node.parent), "/usr/bin", "/bin"]),
            "LANG": "C.UTF-8",
            "NO_COLOR": "1",
            "TERM": "dumb",
            "DO_NOT_TRACK": "1",
            "TIDEGATE_TEST_RUN": os.environ.get("TIDEGATE_TEST_RUN", ""),
        } | ({TOKEN: token} if token else {})

    def write(self, place: str, text: str) -> Path:
        """Write a file below this folder."""
        path = self.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    async def tidegate(self, *words: str | Path) -> None:
        """Run Tidegate here, and see that it ends well."""
        await self.ran(tidegate(*words))

    async def ran(self, command: list[str], *, env: dict[str, str] | None = None, ends: int = 0) -> tuple[str, str]:
        """Run a program to its end, with the exit code it must have; return its output and what it said of errors."""
        process = await self.start(command, env=env)
        try:
            async with asyncio.timeout(SECONDS):
                out, err = await process.communicate()
        finally:
            await self.end(process)
        assert process.returncode == ends, f"{command}: {err.decode()}"
        return out.decode(), err.decode()

    async def start(self, command: list[str], *, env: dict[str, str] | None = None) -> asyncio.subprocess.Process:
        """Start a program in a group of its own."""
        return await asyncio.create_subprocess_exec(
            *command,
            cwd=self.work,
            env=self._env | (env or {}),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=1 << 24,
        )

    @staticmethod
    async def end(process: asyncio.subprocess.Process) -> None:
        """End a program and what it started."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


class RealClient(ABC):
    """A client: how `connect` calls it, what it calls itself to servers, and whether it reads a file of a project."""

    name: ClassVar[str]
    calls_itself: ClassVar[str]
    in_project: ClassVar[bool] = True

    @abstractmethod
    def prepare(self, home: Home) -> None:
        """Write what it wants before it looks at servers."""

    @abstractmethod
    async def has(self, home: Home, command: list[str]) -> None:
        """Give it a local server called `time`, in its own way where it has one."""

    @abstractmethod
    async def listed(self, home: Home) -> dict[str, str] | None:
        """What it says of its servers, where each leads, or `None` where it has no words for that."""

    async def connects(self, home: Home, done: Done) -> None:
        """Have it connect to its servers, where it doesn't to list them, until that shows."""
        assert done()

    def says(self, leads: str) -> str:
        """What it says of a server that leads to an address or is a command."""
        return leads


class ClaudeCode(RealClient):
    """Anthropic's; `mcp list` connects to each server."""

    name = calls_itself = "claude-code"

    def prepare(self, home: Home) -> None:
        home.write(".claude/settings.json", '{"enableAllProjectMcpServers": true}')

    async def has(self, home: Home, command: list[str]) -> None:
        await self._asked(home, "add", "-s", "user", "time", "--", *command)

    async def listed(self, home: Home) -> dict[str, str]:
        told = await self._asked(home, "list")
        return dict(re.findall(r"^(\S+): (.+?)(?: \(HTTP\))? - ✓ Connected$", told, re.MULTILINE))

    async def _asked(self, home: Home, *words: str) -> str:
        env = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}
        out, _ = await home.ran([*peers().command("@anthropic-ai/claude-code", "cli.js"), "mcp", *words], env=env)
        return out


class Gemini(RealClient):
    """Google's; `mcp list` connects to each server."""

    name = "gemini"
    calls_itself = "mcp-test-client"  # in `mcp list`

    def prepare(self, home: Home) -> None:
        home.write(".gemini/settings.json", '{"privacy": {"usageStatisticsEnabled": false}}')

    async def has(self, home: Home, command: list[str]) -> None:
        await self._asked(home, "add", "-s", "user", "time", command[0], "--", *command[1:])

    async def listed(self, home: Home) -> dict[str, str]:
        told = await self._asked(home, "list")
        return dict(re.findall(r"^✓ (\S+): (.+) \((?:http|stdio)\) - Connected$", told, re.MULTILINE))

    async def _asked(self, home: Home, *words: str) -> str:
        env = {"GEMINI_CLI_TRUST_WORKSPACE": "true", "GEMINI_TELEMETRY_ENABLED": "false"}
        _, err = await home.ran([*peers().command("@google/gemini-cli", "bundle/gemini.js"), "mcp", *words], env=env)
        return err


class Opencode(RealClient):
    """`mcp list` connects to each server."""

    name = calls_itself = "opencode"
    _FILE = ".config/opencode/opencode.json"
    _BEGIN: ClassVar = {"$schema": "https://opencode.ai/config.json", "autoupdate": False}  # it adds the first itself

    def prepare(self, home: Home) -> None:
        home.write(self._FILE, json.dumps(self._BEGIN, indent=2))

    async def has(self, home: Home, command: list[str]) -> None:
        entry = {"type": "local", "command": command}
        home.write(self._FILE, json.dumps({**self._BEGIN, "mcp": {"time": entry}}, indent=2))

    async def listed(self, home: Home) -> dict[str, str]:
        env = {"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1"}
        program = str(peers().modules / "opencode-linux-x64-baseline" / "bin" / "opencode")
        out, err = await home.ran([program, "mcp", "list"], env=env)
        told = re.sub(r"\x1b\[\d*m", "", out + err)
        return dict(re.findall(r"✓ (\S+) +connected\s+│ +(\S.*)$", told, re.MULTILINE))


class Codex(RealClient):
    """OpenAI's; `mcp list` reads, and its server for editors connects when it is asked for the servers' state."""

    name = "codex"
    calls_itself = "codex-mcp-client"

    def prepare(self, home: Home) -> None:
        trusted = f'[projects.{json.dumps(str(home.work))}]\ntrust_level = "trusted"\n'
        nowhere = f'[model_providers.none]\nname = "none"\nbase_url = "{NOWHERE}"\n'
        home.write(".codex/config.toml", f'model_provider = "none"\n\n{nowhere}\n{trusted}')

    async def has(self, home: Home, command: list[str]) -> None:
        await home.ran([*self._program(), "mcp", "add", "time", "--", *command])

    async def listed(self, home: Home) -> dict[str, str]:
        out, _ = await home.ran([*self._program(), "mcp", "list", "--json"])
        return {one["name"]: self._leads(one["transport"]) for one in json.loads(out) if one["enabled"]}

    async def connects(self, home: Home, done: Done) -> None:
        process = await home.start([*self._program(), "app-server"])
        try:
            async with asyncio.timeout(SECONDS):
                await self._asked(process, "initialize", {"clientInfo": {"name": "t", "title": "t", "version": "1"}})
                thread = (await self._asked(process, "thread/start", {"cwd": str(home.work)}))["thread"]["id"]
                told = await self._asked(process, "mcpServerStatus/list", {"threadId": thread})
        finally:
            await home.end(process)
        assert all(one["tools"] for one in told["data"])
        assert done()

    @staticmethod
    def _program() -> list[str]:
        return peers().command("@openai/codex", "bin/codex.js")

    @staticmethod
    def _leads(transport: dict[str, Any]) -> str:
        return transport.get("url") or " ".join([transport["command"], *transport["args"]])

    @staticmethod
    async def _asked(process: asyncio.subprocess.Process, method: str, params: dict[str, Any]) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"id": method, "method": method, "params": params}).encode() + b"\n")
        async for line in process.stdout:
            said = json.loads(line)
            if said.get("id") == method:
                result: dict[str, Any] = said["result"]
                return result
        raise AssertionError(f"Codex ended without an answer to {method}")


class Cline(RealClient):
    """`config mcp` reads; it connects when it is given something to do, before it asks a model."""

    name = "cline"
    calls_itself = "@cline/core"
    in_project = False
    _SETTINGS = ".cline/data/settings"

    def prepare(self, home: Home) -> None:
        said = {"provider": "openai-compatible", "model": "none", "apiKey": "none", "baseUrl": NOWHERE}
        provider = {"settings": said, "updatedAt": "2026-11-01T00:00:00.000Z", "tokenSource": "manual"}
        known = {"openai-compatible": provider}
        told = {"version": 1, "lastUsedProvider": "openai-compatible", "modes": {}, "providers": known}
        home.write(f"{self._SETTINGS}/providers.json", json.dumps(told))

    async def has(self, home: Home, command: list[str]) -> None:
        entry = {"type": "stdio", "command": command[0], "args": command[1:], "timeout": 60}
        text = json.dumps({"mcpServers": {"time": entry}}, indent=2)
        home.write(f"{self._SETTINGS}/cline_mcp_settings.json", text)

    async def listed(self, home: Home) -> dict[str, str]:
        out, _ = await home.ran([*self._program(), "config", "mcp", "--json"], env=self._ENV)
        return {one["name"]: one["transportType"] for one in json.loads(out) if not one["disabled"]}

    async def connects(self, home: Home, done: Done) -> None:
        process = await home.start([*self._program(), "--json", "say hello"], env=self._ENV)
        assert process.stdin is not None
        process.stdin.close()  # what comes there is part of what it is to do
        try:
            async with asyncio.timeout(SECONDS):
                while not done():
                    assert process.returncode is None, "Cline ended without having connected"
                    await asyncio.sleep(LOOK_SECONDS)  # sleep: between two looks
        finally:
            await home.end(process)

    def says(self, leads: str) -> str:
        return "streamableHttp" if leads.startswith("http") else "stdio"

    _ENV: ClassVar = {"CLINE_SESSION_BACKEND_MODE": "local", "CLINE_NO_AUTO_UPDATE": "1"}

    @staticmethod
    def _program() -> list[str]:
        return [str(peers().modules / "@cline" / "cli-linux-x64" / "bin" / "cline")]


class Continue(RealClient):
    """Continue's `cn` has no word for its servers; it connects to them before it asks a model."""

    name = "continue"
    calls_itself = "continue-cli-client"
    in_project = False
    _FILE = ".continue/config.yaml"
    _MODEL = f"models:\n  - name: none\n    provider: ollama\n    model: none\n    apiBase: {NOWHERE}\n"

    def prepare(self, home: Home) -> None:
        home.write(self._FILE, f"name: Mine\nversion: 1.0.0\nschema: v1\n{self._MODEL}")

    async def has(self, home: Home, command: list[str]) -> None:
        entry = f"mcpServers:\n  - name: time\n    command: {command[0]}\n    args: {json.dumps(command[1:])}\n"
        home.write(self._FILE, (home.folder / self._FILE).read_text() + entry)

    async def listed(self, home: Home) -> None:
        return

    async def connects(self, home: Home, done: Done) -> None:
        assert "Connection error" in await self.asked(home)
        assert done()

    async def asked(self, home: Home, *words: str) -> str:
        """Ask it something, which gets no answer."""
        env = {"CONTINUE_TELEMETRY_ENABLED": "0"}
        command = [*peers().command("@continuedev/cli", "dist/cn.js"), "-p", "hello", *words]
        return "".join(await home.ran(command, env=env, ends=1))


_HERE = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="platform: its package is for Linux on x86_64"
)
_EVERYWHERE: list[RealClient] = [ClaudeCode(), Gemini(), Codex(), Continue()]
_ON_LINUX: list[RealClient] = [Opencode(), Cline()]


def _params(clients: list[RealClient], *marks: pytest.MarkDecorator) -> list[Any]:
    return [pytest.param(client, id=client.name, marks=marks) for client in clients]


REAL = [*_params(_EVERYWHERE), *_params(_ON_LINUX, _HERE)]
IN_PROJECT = [
    *_params([one for one in _EVERYWHERE if one.in_project]),
    *_params([one for one in _ON_LINUX if one.in_project], _HERE),
]
