"""The images of the tests answer over `docker run -i`, under the flags that a hardened server runs with."""

import asyncio
import json
import time
import uuid
from asyncio.subprocess import DEVNULL, PIPE, Process, create_subprocess_exec
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support.images import Images

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]  # the first run builds the images

DEADLINE = 60.0
HARDENED = (
    "--read-only",
    "--tmpfs=/tmp:rw,noexec,nosuid,nodev,size=16m",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--pids-limit=128",
    "--memory=256m",
    "--memory-swap=256m",
    "--cpus=1",
    "--network=none",
    "--init",
    "--ipc=private",
    "--ulimit=nofile=1024",
    "--ulimit=core=0",
    "--log-driver=none",
)


STATE = "--mount=type=volume,dst=/var/lib/tidegate"  # the root file system itself is read-only
SETTINGS = """
[proxy]
listen = "127.0.0.1:8811"
admin = "127.0.0.1:8812"
[servers.echo]
command = ["python", "-I", "/srv/server.py"]
[[interceptors]]
use = "audit"
required = true
path = "/var/lib/tidegate/audit.jsonl"
"""


@asynccontextmanager
async def container(image: str, *command: str, options: tuple[str, ...] = (), name: str = "") -> AsyncIterator[Process]:
    """Run a hardened container with its standard streams held, and remove it afterwards, come what may."""
    name = name or f"tidegate-test-{uuid.uuid4().hex[:12]}"
    line = ("run", "-i", "--rm", f"--name={name}", *HARDENED, *options, image, *command)
    process = await create_subprocess_exec("docker", *line, stdin=PIPE, stdout=PIPE)
    try:
        async with asyncio.timeout(DEADLINE):
            yield process
    finally:
        removal = await create_subprocess_exec("docker", "rm", "--force", name, stdout=DEVNULL, stderr=DEVNULL)
        async with asyncio.timeout(DEADLINE):
            await removal.wait()
            await process.wait()


async def output(image: str, *command: str, options: tuple[str, ...] = ()) -> str:
    """Run a hardened container to its good end, and return what it printed."""
    async with container(image, *command, options=options) as process:
        printed, _ = await process.communicate()
        assert process.returncode == 0
        return printed.decode()


async def answers(image: str, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    """Open a legacy session over stdio, send the requests one by one, and return the reply to each."""
    about = {"capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    opening = {"method": "initialize", "params": {"protocolVersion": "2025-06-18"} | about}
    replies = []
    async with container(image) as process:
        assert process.stdin
        assert process.stdout
        for number, request in enumerate((opening, *requests)):
            process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": number} | request).encode() + b"\n")
            replies.append(json.loads(await process.stdout.readline()))
            assert replies[-1]["id"] == number
            if request is opening:
                process.stdin.write(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')
        process.stdin.close()
        assert await process.wait() == 0
    return replies


async def test_the_echo_server_answers_what_it_knows_and_refuses_the_rest(images: Images) -> None:
    opened, pinged, listed, echoed, discovered = await answers(
        images.echo,
        {"method": "ping"},
        {"method": "tools/list"},
        {"method": "tools/call", "params": {"name": "echo", "arguments": {"text": "ebb ✓"}}},
        {"method": "server/discover"},
    )
    assert opened["result"]["protocolVersion"] == "2025-06-18"
    assert pinged["result"] == {}
    assert [tool["name"] for tool in listed["result"]["tools"]] == ["echo"]
    assert echoed["result"]["content"] == [{"type": "text", "text": "ebb ✓"}]
    assert discovered["error"]["code"] == -32601


async def test_the_time_server_runs_in_a_container(images: Images) -> None:
    _, listed = await answers(images.time, {"method": "tools/list"})
    assert "get_current_time" in {tool["name"] for tool in listed["result"]["tools"]}


async def test_the_image_of_tidegate_runs_without_root_and_can_write_only_its_own_folder(images: Images) -> None:
    look = (
        "import json, os, tidegate; "
        "print(json.dumps([os.getuid(), os.access('/var/lib/tidegate', os.W_OK), os.access('/etc', os.W_OK)]))"
    )
    told = await output(images.tidegate, "-c", look, options=("--entrypoint=python", STATE))
    assert json.loads(told) == [65532, True, False]


async def test_the_image_of_tidegate_starts_the_command_of_that_name(images: Images) -> None:
    assert "Usage" in await output(images.tidegate, "--help")


async def test_the_image_of_tidegate_finds_itself_healthy_and_tells_what_runs(images: Images, tmp_path: Path) -> None:
    settings = tmp_path / "tidegate.toml"
    settings.write_text(SETTINGS)
    settings.chmod(0o644)
    options = (
        STATE,
        f"--mount=type=bind,src={settings},dst=/etc/tidegate/tidegate.toml,readonly",
        f"--mount=type=bind,src={Path(__file__).parent / 'echo' / 'server.py'},dst=/srv/server.py,readonly",
        "--health-interval=1s",
    )
    name = f"tidegate-test-{uuid.uuid4().hex[:12]}"
    watch = ("events", f"--since={int(time.time())}", f"--filter=container={name}", "--format={{.Status}}")
    async with container(images.tidegate, options=options, name=name):
        events = await create_subprocess_exec("docker", *watch, stdout=PIPE)
        assert events.stdout
        try:
            async for line in events.stdout:
                assert not line.startswith(b"die"), "the proxy ended"
                if line.strip() == b"health_status: healthy":
                    break
            asked = ("exec", name, "tidegate", "ps", "/etc/tidegate/tidegate.toml")
            ps = await create_subprocess_exec("docker", *asked, stdout=PIPE)
            assert (await ps.communicate())[0].startswith(b"Nothing runs")
        finally:
            events.kill()
            await events.wait()
