"""Six real servers of three kinds, four real clients, the gateway between: whatever dies, no reply is another's."""

import asyncio
import itertools
import json
import logging
import os
import re
import shutil
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import psutil
import pytest
from mcp import MCPError

from peers.running import Era, environment, python_client
from support.images import Images
from support.node import Peers, peers
from support.proxy import RunningTidegate, running_tidegate
from tidegate.containers.engine import OWNER
from tidegate.containers.spec import SERVER

pytestmark = [pytest.mark.docker, pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(400)]

log = logging.getLogger(__name__)  # what was measured: --log-cli-level=INFO shows it

CALLS = 10_000  # of all four clients together
TOGETHER = 12  # calls that each client has open at once
EVERY = 2.0  # seconds until the next server is killed
MOST_FAILED = 0.1  # of the calls: those that a killed server worked on, and some that came until it was back
STARTING = 60.0
PYTHON_SDK = Path(__file__).parents[1] / "containers" / "python-sdk"
SERVE = "import server; server.server.run(transport='streamable-http', host='127.0.0.1', port={})"


@dataclass(frozen=True)
class Echo:
    """A tool that says back what it is told: its name at the gateway, its argument, and what it says before that."""

    name: str
    argument: str
    before: str = ""


TOOLS = [
    Echo("node__echo", "message", "Echo: "),
    Echo("python__echo", "text"),
    Echo("small__echo", "text"),
    Echo("boxed__echo", "text"),
    Echo("web__echo", "text"),
    Echo("nodeweb__echo", "message", "Echo: "),
]


@dataclass
class Told:
    """What became of one client's calls.

    Attributes:
        right: how many were answered with what they asked for.
        failed: how many were answered with an error, by what it says.
        wrong: what was asked, and what was answered instead.
    """

    right: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[str, str]] = field(default_factory=list)


# -- servers of HTTP that can be killed -------------------------------------------------------------------------------


def free_port() -> int:
    with closing(socket.socket()) as made:
        made.bind(("127.0.0.1", 0))
        port: int = made.getsockname()[1]
        return port


class Web:
    """A server of HTTP, a process of its own, which is started again at the same port when it was killed."""

    def __init__(self, command: Callable[[int], Sequence[str]], folder: Path) -> None:
        self.port = free_port()
        self._command = command(self.port)
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """The members of its settings."""
        return {"url": f"http://127.0.0.1:{self.port}/mcp"}

    async def start(self) -> None:
        """Start it, and wait until it listens."""
        with (self._folder / f"web-{self.port}.txt").open("ab") as out:
            env = environment(PORT=str(self.port))
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out, cwd=PYTHON_SDK, env=env
            )
        async with asyncio.timeout(STARTING):
            while not await self._listens():
                assert self._process.returncode is None, "a server of HTTP ended at its start"
                await asyncio.sleep(0.02)  # sleep: nobody tells when it listens

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

    async def kill(self) -> None:
        """Kill it."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def killed(self) -> None:
        """Kill it, and start it again."""
        await self.kill()
        await self.start()


@asynccontextmanager
async def webs(folder: Path) -> AsyncIterator[dict[str, Web]]:
    """Run the two servers of HTTP until the block ends."""
    node, script = peers().command("@modelcontextprotocol/server-everything", "dist/index.js")
    made = {
        "web": Web(lambda port: [sys.executable, "-c", SERVE.format(port)], folder),
        "nodeweb": Web(lambda _: [node, script, "streamableHttp"], folder),
    }
    try:
        await asyncio.gather(*(web.start() for web in made.values()))
        yield made
    finally:
        await asyncio.gather(*(web.kill() for web in made.values()))


# -- who kills --------------------------------------------------------------------------------------------------------


def kill_processes(pid: int, *words: str) -> int:
    """Kill the processes below one in whose command line some words stand; return how many."""
    count = 0
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.Error):
            line = " ".join(process.cmdline())
            if all(word in line for word in words) and "tidegate" not in line and "bwrap" not in line:
                process.kill()
                count += 1
    return count


def kill_containers(engine: docker.DockerClient, pid: int, server: str) -> int:
    """Kill the containers of a server of one Tidegate's; return how many."""
    count = 0
    ours = {str(process.pid) for process in psutil.Process(pid).children(recursive=True)}
    for container in engine.containers.list(ignore_removed=True, filters={"label": f"{SERVER}={server}"}):
        if not ours.isdisjoint(re.split(r"\D+", container.labels.get(OWNER, ""))):
            with suppress(docker.errors.APIError):
                container.kill()
                count += 1
    return count


async def killing(ways: Sequence[tuple[str, Callable[[], Awaitable[int]]]], killed: Counter[str]) -> None:
    """Kill one server after the other, one every two seconds, until it is cancelled."""
    for name, kill in itertools.cycle(ways):
        await asyncio.sleep(EVERY)  # sleep: how often a server is killed is what the test is about
        killed[name] += await kill()


# -- who calls --------------------------------------------------------------------------------------------------------


async def python(target: str, era: Era, label: str, count: int) -> Told:
    """Call with the Python SDK's client."""
    told, numbers = Told(), iter(range(count))
    async with python_client(target, era) as client:

        async def hammer() -> None:
            for number in numbers:
                tool = TOOLS[number % len(TOOLS)]
                text = f"{label} {number} {tool.name}"
                try:
                    result = await client.call_tool(tool.name, {tool.argument: text})
                except MCPError as error:
                    told.failed[error.error.message] += 1
                    continue
                (content,) = result.content
                assert content.type == "text"
                if result.is_error:
                    told.failed[content.text] += 1
                elif content.text == tool.before + text:
                    told.right += 1
                else:
                    told.wrong.append((text, content.text))

        await asyncio.gather(*(hammer() for _ in range(TOGETHER)))
    return told


def prepared(folder: Path) -> Peers:
    """Put the program of the TypeScript clients beside a link to where their packages are."""
    installed = peers()
    folder.mkdir()
    (folder / "node_modules").symlink_to(installed.modules)
    shutil.copy(Path(__file__).parent / "ts_hammer.mjs", folder)
    return installed


async def typescript(target: str, sdk: str, era: Era, label: str, count: int, folder: Path) -> Told:
    """Call with the TypeScript SDK's client, of which each version is a program."""
    installed = prepared(folder)
    tools = [{"name": tool.name, "argument": tool.argument, "before": tool.before} for tool in TOOLS]
    given = {"sdk": sdk, "era": era, "target": target, "label": label, "tools": tools, "count": count}
    process = await asyncio.create_subprocess_exec(
        str(installed.node),
        "ts_hammer.mjs",
        json.dumps({**given, "together": TOGETHER}),
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await process.communicate()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    assert process.returncode == 0, err.decode()[-2000:]
    found = json.loads(out)
    return Told(found["right"], Counter(found["failed"]), [tuple(each) for each in found["wrong"]])


def servers(images: Images, web: dict[str, Web]) -> dict[str, dict[str, Any]]:
    """Return the settings of all six."""
    node = peers().command("@modelcontextprotocol/server-everything", "dist/index.js")
    process = {"command": [sys.executable, str(PYTHON_SDK / "server.py")], "sandbox": "none"}
    return {
        "node": {"command": node, "sandbox": "none"},
        "python": process,
        "small": {"image": images.echo},
        "boxed": {"image": images.python_sdk},
        **{name: each.settings for name, each in web.items()},
    }


def summed(told: Sequence[Told], seconds: float, killed: Counter[str]) -> str:
    """Return what was measured, for people."""
    failed: Counter[str] = Counter()
    for each in told:
        failed.update({re.sub(r"\d[\w.-]*", "N", why): count for why, count in each.failed.items()})
    right = sum(each.right for each in told)
    lines = [
        f"{right} of {CALLS} calls answered in {seconds:.1f} s, load {os.getloadavg()[0]:.1f}",
        f"killed: {killed}",
    ]
    return "\n".join([*lines, *(f"{count} failed: {why}" for why, count in failed.most_common(8))])


@pytest.mark.requirement("names-lead-back")
async def test_ten_thousand_calls_of_four_clients_to_six_servers_that_are_killed_meanwhile_get_no_reply_of_another(
    images: Images, tmp_path: Path
) -> None:
    killed: Counter[str] = Counter()
    async with webs(tmp_path) as web:
        proxy: dict[str, Any] = {"start_timeout": STARTING}
        async with running_tidegate(servers(images, web), folder=tmp_path, **proxy) as tidegate:
            with closing(docker.from_env()) as engine:
                killer = asyncio.create_task(killing(ways(tidegate, engine, web), killed))
                begun = time.monotonic()
                told = await calls(tidegate.gateway, tmp_path)
                seconds = time.monotonic() - begun
                killer.cancel()
                await asyncio.wait((killer,))
            records = tidegate.records()
    log.info(summed(told, seconds, killed))
    assert [wrong for each in told for wrong in each.wrong] == []
    assert [why for each in told for why in each.failed if "invalid_" in why] == [], "what a client can't read at all"
    failed = sum(each.failed.total() for each in told)
    assert sum(each.right for each in told) + failed == CALLS
    assert failed <= CALLS * MOST_FAILED, summed(told, seconds, killed)
    assert len(killed) == len(TOOLS)
    called = [each for each in records if each.get("method") == "tools/call" and each.get("kind") == "request"]
    assert len(called) >= CALLS - failed


async def calls(target: str, folder: Path) -> list[Told]:
    """Have four clients call at the same time."""
    each = CALLS // 4
    told = await asyncio.gather(
        python(target, "legacy", "python-legacy", each),
        python(target, "auto", "python-modern", each),
        typescript(target, "v1", "legacy", "ts-legacy", each, folder / "v1"),
        typescript(target, "v2", "auto", "ts-modern", each, folder / "v2"),
    )
    return list(told)


def ways(
    tidegate: RunningTidegate, engine: docker.DockerClient, web: dict[str, Web]
) -> list[tuple[str, Callable[[], Awaitable[int]]]]:
    """Return how each server is killed."""

    def process(*words: str) -> Callable[[], Awaitable[int]]:
        return lambda: asyncio.to_thread(kill_processes, tidegate.pid, *words)

    def container(server: str) -> Callable[[], Awaitable[int]]:
        return lambda: asyncio.to_thread(kill_containers, engine, tidegate.pid, server)

    def remote(server: Web) -> Callable[[], Awaitable[int]]:
        async def kill() -> int:
            await server.killed()
            return 1

        return kill

    return [
        ("node", process("server-everything")),
        ("small", container("small")),
        ("web", remote(web["web"])),
        ("python", process("python-sdk/server.py")),
        ("boxed", container("boxed")),
        ("nodeweb", remote(web["nodeweb"])),
    ]
