"""The end of a container, whoever ends it and however; and an engine that is reached otherwise."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import docker
import psutil
import pytest

from ends.containers import HANG, NAME, STARTING, boxes, container, there
from ends.programs import FLOOD, PATIENCE, gone, receive, until
from support.certificates import Authority
from support.images import Images
from tidegate.containers.engine import Engine
from tidegate.ends import keeper as keeper_program
from tidegate.ends.buffers import QUEUED
from tidegate.ends.docker import ContainerPipe
from tidegate.ends.pipe import PipeError

pytestmark = pytest.mark.docker

PROMPT = 2.0  # seconds in which a container that floods or hangs is removed


# Starts a container as Tidegate does, says its name, and waits.
PARENT = """
import asyncio, sys
from pathlib import Path
from tidegate.containers.engine import Engine
from tidegate.containers.running import Containers
from tidegate.ends.docker import ContainerPipe
from tidegate.ends.launcher import keeper
from tidegate.settings import build

async def main():
    server = {"image": sys.argv[1], "args": ("python", "-c", sys.argv[2])}
    settings = build({"servers": {"orphan": server}}, folder=Path())
    pipe = ContainerPipe("orphan", Containers(Engine(), lambda: settings))
    await pipe.start()
    await pipe.receive()
    print(pipe.container, keeper.pid, flush=True)
    await asyncio.sleep(1000)

asyncio.run(main())
"""

# Copies what comes over TCP, with TLS where certificates are given, to a UNIX socket, and back.
FORWARDER = """
import asyncio, ssl, sys

async def copy(source, sink):
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()
    if sink.can_write_eof():
        sink.write_eof()

async def forward(reader, writer):
    source, sink = await asyncio.open_unix_connection(sys.argv[1])
    await asyncio.gather(copy(reader, sink), copy(source, writer), return_exceptions=True)
    sink.close()
    writer.close()

async def main():
    context = None
    if sys.argv[2:]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=sys.argv[2])
        context.load_cert_chain(sys.argv[3], sys.argv[4])
        context.verify_mode = ssl.CERT_REQUIRED
    server = await asyncio.start_server(forward, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


@pytest.mark.requirement("no-orphans")
async def test_a_container_that_floods_is_held_back_and_removed_quickly(
    images: Images, client: docker.DockerClient
) -> None:
    async with container(images.base, FLOOD, grace=30) as pipe:
        await receive(pipe)
        await until(lambda: pipe._inbox.paused)
        assert pipe._inbox._held < 16 * QUEUED
        begun = time.monotonic()
        await pipe.close()
        assert time.monotonic() - begun < PROMPT
        assert not there(client, pipe.container)


async def test_a_container_that_floods_a_reader_that_keeps_up_is_removed_quickly_too(
    images: Images, client: docker.DockerClient
) -> None:
    async with container(images.base, FLOOD, grace=30) as pipe:

        async def take() -> None:
            while True:
                await pipe.receive()

        taking = asyncio.create_task(take())
        await receive_some(taking)
        begun = time.monotonic()
        await pipe.close()
        assert time.monotonic() - begun < PROMPT
        assert not there(client, pipe.container)
        with pytest.raises(PipeError):
            await taking


async def receive_some(taking: asyncio.Task[None]) -> None:
    """Let a task run for a while."""
    for _ in range(500):
        await asyncio.sleep(0)
    assert not taking.done()


async def test_a_sender_waits_for_a_container_that_doesnt_read_and_hears_of_the_close(images: Images) -> None:
    async with container(images.base, HANG) as pipe:
        await receive(pipe)
        sent = 0

        async def send() -> None:
            nonlocal sent
            while True:
                await pipe.send(b'"' + b"x" * 65_534 + b'"')
                sent += 1

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await send()
        assert sent * 65_536 < 16 * QUEUED
        sending = asyncio.create_task(send())
        await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE):
            await pipe.close()
            with pytest.raises(PipeError, match="was closed"):
                await sending


@pytest.mark.requirement("no-orphans")
async def test_a_close_that_is_cancelled_removes_the_container_all_the_same(
    images: Images, client: docker.DockerClient
) -> None:
    async with container(images.base, HANG, grace=60) as pipe:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await pipe.close()
        await until(lambda: not there(client, pipe.container))


@pytest.mark.requirement("no-orphans")
async def test_a_start_that_is_cancelled_at_any_point_leaves_nothing_behind(
    images: Images, client: docker.DockerClient
) -> None:
    tried = []
    for seconds in (0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4):
        pipe = ContainerPipe(NAME, boxes(image=images.base, args=("python", "-I", "-c", HANG)), grace=0.01)
        tried.append(pipe.container)
        try:
            async with asyncio.timeout(seconds):
                await pipe.start()
        except TimeoutError:
            continue
        await pipe.close()

    def left() -> list[str]:
        return [name for name in tried if there(client, name)]

    await until(lambda: not asyncio.all_tasks() - {asyncio.current_task()})
    assert not left()


@contextmanager
def parent(image: str, program: str) -> Iterator[tuple[psutil.Popen, str, psutil.Process]]:
    """Run something like Tidegate with a container; its process, the container's name, and its keeper."""
    process = psutil.Popen([sys.executable, "-c", PARENT, image, program], stdout=-1, text=True)
    try:
        name, pid = process.stdout.readline().split()
        yield process, name, psutil.Process(int(pid))
    finally:
        if process.is_running():
            process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.requirement("no-orphans")
@pytest.mark.parametrize("program", [HANG, FLOOD])
async def test_a_container_of_a_killed_tidegate_is_removed(
    images: Images, client: docker.DockerClient, program: str
) -> None:
    with parent(images.base, program) as (process, name, helper):
        assert there(client, name)
        process.send_signal(signal.SIGKILL)
        assert not await gone([helper], PATIENCE)
        await until(lambda: not there(client, name))


@pytest.mark.requirement("no-orphans")
async def test_a_container_that_outlived_tidegate_and_its_keeper_is_removed_at_the_next_start(
    images: Images, client: docker.DockerClient
) -> None:
    with parent(images.base, HANG) as (process, name, helper), parent(images.base, HANG) as (_, spared, _):
        process.suspend()  # so that it can't start another keeper
        helper.kill()
        process.kill()
        process.wait()
        assert there(client, name)
        with closing(Engine()) as fresh:
            async with asyncio.timeout(PATIENCE):
                assert await fresh.reap() >= 1
            assert not there(client, name)
            assert there(client, spared)
            assert await fresh.reap() == 0


@asynccontextmanager
async def forwarded(path: str, *certificates: str) -> AsyncIterator[str]:
    """Make a UNIX socket reachable over TCP, from another process; the address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FORWARDER, path, *certificates, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            yield f"tcp://127.0.0.1:{int(await process.stdout.readline())}"
    finally:
        process.kill()
        await process.wait()


async def test_an_engine_over_tcp_serves_as_well(images: Images, client: docker.DockerClient) -> None:
    async with forwarded(Engine().reached["unix"]) as address, asyncio.timeout(STARTING):
        remote = Engine(address)
        starter = boxes(remote, image=images.echo)
        pipes = [ContainerPipe(NAME, starter) for _ in range(2)]
        for pipe in pipes:
            await pipe.start()
            await pipe.send(b'{"jsonrpc":"2.0","id":1,"method":"ping"}')
            assert (await receive(pipe))["result"] == {}
        first, second = (pipe.container for pipe in pipes)
        assert await asyncio.to_thread(keeper_program.remove_container, remote.reached, first)
        await until(lambda: not there(client, first))
        assert not await asyncio.to_thread(keeper_program.remove_container, remote.reached, first)
        for pipe in pipes:
            await pipe.close()
        assert not there(client, second)
        remote.close()


async def test_an_engine_over_tls_serves_as_well(
    images: Images, client: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path, "ca")
    theirs = authority.signed("engine")
    for name, file in zip(("cert", "key"), authority.signed("us"), strict=True):
        file.rename(tmp_path / f"{name}.pem")
    path = Engine().reached["unix"]
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    files = (str(authority.certificate), *map(str, theirs))
    async with forwarded(path, *files) as address, asyncio.timeout(STARTING):
        remote = Engine(address)
        pipe = ContainerPipe(NAME, boxes(remote, image=images.echo))
        await pipe.start()
        text = "x" * 500_000
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
        await pipe.send(json.dumps(call | {"params": {"name": "echo", "arguments": {"text": text}}}).encode())
        assert (await receive(pipe))["result"]["content"][0]["text"] == text
        assert there(client, pipe.container)
        await pipe.close()
        assert not there(client, pipe.container)
        remote.close()
