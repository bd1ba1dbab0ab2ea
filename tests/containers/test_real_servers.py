"""Real servers, of several languages, work in a container as Tidegate makes it by default."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ends.containers import NAME, STARTING, boxes
from support.images import Images
from tidegate.ends.docker import ContainerPipe
from tidegate.ends.pipe import Pipe
from tidegate.loosening import loosened
from tidegate.settings import ServerSettings

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(900)]  # the first run builds the images

NODE = "/srv/lib/node_modules/@modelcontextprotocol/server-{}/dist/index.js"
# git doesn't read a repository of somebody else's unless it is told to.
TRUSTING = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}


class Talk:
    """A conversation with a server: requests, one after the other."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._number = 0

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        await self._send({"id": self._number, "method": method, "params": params})
        async with asyncio.timeout(STARTING):
            while True:
                message = json.loads(await self._pipe.receive())
                if message.get("id") == self._number and "method" not in message:
                    result: dict[str, Any] = message["result"]
                    return result

    async def open(self) -> None:
        about = {"name": "test", "version": "1"}
        await self.ask("initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo=about)
        await self._send({"method": "notifications/initialized"})

    async def tools(self) -> set[str]:
        return {tool["name"] for tool in (await self.ask("tools/list"))["tools"]}

    async def call(self, tool: str, **arguments: Any) -> str:
        result = await self.ask("tools/call", name=tool, arguments=arguments)
        assert not result.get("isError"), result
        return " ".join(part.get("text", "") for part in result["content"])

    async def _send(self, message: dict[str, Any]) -> None:
        await self._pipe.send(json.dumps({"jsonrpc": "2.0"} | message).encode())


@asynccontextmanager
async def talk(folder: Path, **server: Any) -> AsyncIterator[Talk]:
    assert loosened(ServerSettings(**server)) == []
    pipe = ContainerPipe(NAME, boxes(folder=folder, **server))
    try:
        async with asyncio.timeout(STARTING):
            await pipe.start()
        conversation = Talk(pipe)
        await conversation.open()
        yield conversation
    finally:
        async with asyncio.timeout(STARTING):
            await pipe.close()


def given(folder: Path) -> None:
    folder.chmod(0o755)
    (folder / "given").mkdir()
    (folder / "given" / "note").write_text("of the host")


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def committed(folder: Path) -> None:
    folder.chmod(0o755)
    repository = folder / "repository"
    repository.mkdir()
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    (repository / "file").write_text("x")
    for command in (("init", "--quiet"), ("add", "file"), (*identity, "commit", "--quiet", "--message=the first")):
        subprocess.run(["git", "-C", str(repository), *command], check=True)


async def test_server_everything_works(images: Images, tmp_path: Path) -> None:
    async with talk(tmp_path, image=images.node, args=(NODE.format("everything"), "stdio")) as server:
        assert {"echo", "get-sum"} <= await server.tools()
        assert await server.call("echo", message="ebb") == "Echo: ebb"
        assert "5" in await server.call("get-sum", a=2, b=3)


async def test_server_filesystem_reads_a_mount_and_writes_to_memory(images: Images, tmp_path: Path) -> None:
    given(tmp_path)
    args = (NODE.format("filesystem"), "/given", "/tmp")
    async with talk(tmp_path, image=images.node, args=args, mounts=("./given:/given",)) as server:
        assert {"read_text_file", "write_file"} <= await server.tools()
        assert await server.call("read_text_file", path="/given/note") == "of the host"
        await server.call("write_file", path="/tmp/note", content="of memory")
        assert await server.call("read_text_file", path="/tmp/note") == "of memory"
        refused = await server.ask("tools/call", name="write_file", arguments={"path": "/given/x", "content": "x"})
        assert refused["isError"]
    assert names(tmp_path / "given") == ["note"]


async def test_a_server_of_the_python_sdk_works_with_threads_and_programs(images: Images, tmp_path: Path) -> None:
    async with talk(tmp_path, image=images.python_sdk) as server:
        assert await server.tools() == {"add", "echo", "threads", "program"}
        assert await server.call("add", a=2, b=3) == "5"
        assert await server.call("threads") == "4"
        assert await server.call("program") == "ran"


async def test_mcp_server_git_reads_a_repository(images: Images, tmp_path: Path) -> None:
    committed(tmp_path)
    server: dict[str, Any] = {"image": images.git, "mounts": ("./repository:/repository",), "env": TRUSTING}
    async with talk(tmp_path, **server) as git:
        assert {"git_log", "git_status"} <= await git.tools()
        assert "the first" in await git.call("git_log", repo_path="/repository")
        assert "nothing to commit" in await git.call("git_status", repo_path="/repository")
