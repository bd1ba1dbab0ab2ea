"""Servers that speak HTTP inside their container, with a real engine: well-behaved ones and others."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import NotFound

from ends.containers import NAME, STARTING, there
from ends.programs import until
from support.images import Images
from tidegate import wire
from tidegate.containers.engine import Engine
from tidegate.containers.running import Containers
from tidegate.ends.docker_http import HttpContainerPipe
from tidegate.ends.pipe import PipeError
from tidegate.settings import build

pytestmark = pytest.mark.docker

PROGRAM = (Path(__file__).parents[1] / "containers" / "listening.py").read_text()
PORT = 8000
WAITS = "import time; time.sleep(60)"  # sleep: a server that lives, and doesn't listen
LIMITS = wire.Limits(max_bytes=1_000_000)
OPENING: dict[str, Any] = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "t", "version": "1"},
}


def new(images: Images, way: str = "plain", **settings: Any) -> HttpContainerPipe:
    args = ("python", "-I", "-c", PROGRAM, way, str(PORT))
    tree = {
        "proxy": {"egress_image": images.base},
        "servers": {NAME: {"image": images.base, "args": args, "port": PORT, **settings}},
    }
    made = build(tree, folder=Path("/nonexistent"))
    boxes = Containers(Engine(), lambda: made)
    return HttpContainerPipe(NAME, boxes, made.servers[NAME], lambda: LIMITS)


@asynccontextmanager
async def running(images: Images, way: str = "plain", **settings: Any) -> AsyncIterator[HttpContainerPipe]:
    pipe = new(images, way, **settings)
    try:
        async with asyncio.timeout(STARTING):
            await pipe.start()
        yield pipe
    finally:
        async with asyncio.timeout(STARTING):
            await pipe.close()


async def ask(pipe: HttpContainerPipe, method: str, number: int = 1, **params: Any) -> dict[str, Any]:
    await send(pipe, method, params, id=number)
    async with asyncio.timeout(STARTING):
        while True:
            told: dict[str, Any] = json.loads(await pipe.receive())
            if told.get("id") == number:
                return told


async def send(pipe: HttpContainerPipe, method: str, params: dict[str, Any] | None = None, **more: Any) -> None:
    tree = {"jsonrpc": "2.0", "method": method, **({"params": params} if params else {}), **more}
    await pipe.send(json.dumps(tree).encode())


async def opened(pipe: HttpContainerPipe) -> None:
    assert "result" in await ask(pipe, "initialize", 0, **OPENING)
    await send(pipe, "notifications/initialized")


async def call(pipe: HttpContainerPipe, number: int = 1, **arguments: Any) -> dict[str, Any]:
    return await ask(pipe, "tools/call", number, name="echo", arguments=arguments)


@pytest.mark.parametrize("way", ["plain", "stream", "late"])
async def test_calls_are_answered_and_nothing_is_left(images: Images, way: str) -> None:
    async with running(images, way) as pipe:
        await opened(pipe)
        told = await call(pipe, text="hello")
        assert json.loads(told["result"]["content"][0]["text"]) == {"text": "hello"}
        big = await call(pipe, 2, size=900_000)
        assert len(big["result"]["content"][0]["text"]) == 900_000
        assert "result" in await ask(pipe, "ping", 3)
        await until(lambda: "POST tools/call" in pipe.stderr_tail())
    with closing(docker.from_env()) as client:
        assert not there(client, pipe.container)
        assert not there(client, f"{pipe.container}-port")


async def test_a_call_of_2026_has_its_headers_and_no_session(images: Images) -> None:
    async with running(images) as pipe:
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        assert "result" in await ask(pipe, "tools/call", name="echo", arguments={}, _meta=meta)
        await until(lambda: "POST tools/call tools/call" in pipe.stderr_tail())


async def test_it_speaks_by_itself_on_its_own_stream(images: Images) -> None:
    async with running(images, "stream") as pipe:
        await opened(pipe)
        async with asyncio.timeout(STARTING):
            assert json.loads(await pipe.receive())["params"]["data"] == "by itself"


async def test_a_big_message_and_many_at_once_get_there(images: Images) -> None:
    async with running(images) as pipe:
        await opened(pipe)
        text = "w" * 700_000
        told = await call(pipe, text=text)
        assert json.loads(told["result"]["content"][0]["text"]) == {"text": text}
        for number in range(100, 200):
            await send(pipe, "tools/call", {"name": "echo", "arguments": {"n": number}}, id=number)
        async with asyncio.timeout(STARTING):
            got = {json.loads(await pipe.receive())["id"] for _ in range(100)}
        assert got == set(range(100, 200))


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("redirect", "The server answered with a redirect, which isn't followed."),
        ("text", "The server answered with HTTP status 200, and with no message."),
        ("compressed", "The server compressed its answer without being asked to."),
        ("head", "The head of the server's answer is too long."),
        ("cut", "The server closed the connection before its answer was whole."),
    ],
)
async def test_what_is_no_answer_is_an_error_and_the_next_call_goes_on(images: Images, way: str, said: str) -> None:
    async with running(images, way) as pipe:
        await opened(pipe)
        told = await call(pipe)
        assert told["error"]["message"] == said
        assert "result" in await ask(pipe, "tools/list", 2)


@pytest.mark.parametrize(("way", "said"), [("forgetful", "ended its session"), ("exit", "ended with exit code 3")])
async def test_a_server_that_ends_ends_the_pipe(images: Images, way: str, said: str) -> None:
    async with running(images, way) as pipe:
        await opened(pipe)
        await send(pipe, "tools/call", {"name": "echo"}, id=1)
        async with asyncio.timeout(STARTING):
            with pytest.raises(PipeError, match=said):
                await pipe.receive()
        with pytest.raises(PipeError, match=said):
            await send(pipe, "ping", id=2)


@pytest.mark.parametrize("after", ["", "-0.1", "-0.2", "-0.3", "-0.5"])
async def test_one_that_ends_before_it_listens_is_told_of(images: Images, after: str) -> None:
    """It may end before the sidecar has joined its network, while it does, or later."""
    pipe = new(images, f"never{after}")
    async with asyncio.timeout(STARTING):
        with pytest.raises(PipeError, match=r"^test ended with exit code 4 before it listened on port 8000\.$"):
            await pipe.start()
        await pipe.close()


async def test_a_flood_waits_outside_and_doesnt_hinder_the_end(images: Images) -> None:
    async with running(images, "flood") as pipe:
        await opened(pipe)
        await send(pipe, "tools/call", {"name": "echo"}, id=1)
        for _ in range(50):
            await pipe.receive()
        begun = asyncio.get_running_loop().time()
        await pipe.close()
        assert asyncio.get_running_loop().time() - begun < 15


async def test_when_its_sidecar_ends_the_pipe_has_ended(images: Images) -> None:
    async with running(images) as pipe:
        await opened(pipe)
        with closing(docker.from_env()) as client:
            client.api.kill(f"{pipe.container}-port")
        async with asyncio.timeout(STARTING):
            with pytest.raises(PipeError, match="lost the sidecar of its port"):
                await pipe.receive()


async def test_nothing_but_its_sidecar_is_in_its_network(images: Images) -> None:
    async with running(images) as pipe:
        with closing(docker.from_env()) as client:
            told = client.api.inspect_container(pipe.container)
            sidecar = client.api.inspect_container(f"{pipe.container}-port")
    assert list(told["NetworkSettings"]["Networks"]) == ["none"]
    assert not told["NetworkSettings"]["Ports"]
    assert sidecar["HostConfig"]["NetworkMode"] == f"container:{told['Id']}"
    assert sidecar["Config"]["User"] == "65534:65534"
    assert sidecar["HostConfig"]["CapDrop"] == ["ALL"]
    assert sidecar["HostConfig"]["ReadonlyRootfs"]


async def test_no_image_for_the_sidecar_means_no_start(images: Images) -> None:
    settings = build(
        {
            "proxy": {"egress_image": "tidegate-test/absent:1"},
            "servers": {NAME: {"image": images.base, "args": ["python", "-c", WAITS], "port": PORT}},
        },
        folder=Path("/nonexistent"),
    )
    pipe = HttpContainerPipe(NAME, Containers(Engine(), lambda: settings), settings.servers[NAME], lambda: LIMITS)
    with pytest.raises(PipeError, match="its port needs the image tidegate-test/absent:1"):
        await pipe.start()
    await pipe.close()
    with closing(docker.from_env()) as client, pytest.raises(NotFound):
        client.containers.get(pipe.container)
