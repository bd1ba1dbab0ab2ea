"""A container as a pipe: real containers, well-behaved and not."""

# long: one container can do so much, and every test needs the same fixtures

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import docker
import psutil
import pytest
from docker.errors import NotFound

from ends.programs import FLOOD, PATIENCE, gone, receive, until
from support.images import Images
from tidegate.ends import keeper as keeper_program
from tidegate.ends import lease
from tidegate.ends.buffers import QUEUED
from tidegate.ends.docker import INSTANCE, SERVER, ContainerPipe
from tidegate.ends.engine import OWNER, Engine, engine
from tidegate.ends.pipe import Overlong, PipeError
from tidegate.settings import ServerSettings

pytestmark = pytest.mark.docker

STARTING = 60.0  # seconds a container may take on a busy machine
PROMPT = 2.0  # seconds in which a container that floods or hangs is removed

HANG = "import time\nprint('[1]', flush=True)\nwhile True: time.sleep(60)"

# Starts a container as Tidegate does, says its name, and waits.
PARENT = """
import asyncio, sys
from pathlib import Path
from tidegate.ends.docker import ContainerPipe
from tidegate.ends.launcher import keeper
from tidegate.settings import ServerSettings

async def main():
    server = ServerSettings(image=sys.argv[1], args=("python", "-c", sys.argv[2]))
    pipe = ContainerPipe("orphan", server, folder=Path())
    await pipe.start()
    await pipe.receive()
    print(pipe.container, keeper.pid, flush=True)
    await asyncio.sleep(1000)

asyncio.run(main())
"""

# Copies what comes over TCP to a UNIX socket, and back.
FORWARDER = """
import asyncio, sys

async def copy(source, sink):
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()
    sink.write_eof()

async def forward(reader, writer):
    source, sink = await asyncio.open_unix_connection(sys.argv[1])
    await asyncio.gather(copy(reader, sink), copy(source, writer), return_exceptions=True)
    sink.close()
    writer.close()

async def main():
    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    with closing(docker.from_env()) as made:
        yield made


@asynccontextmanager
async def running(image: str, program: str = "", grace: float = 0.1, **settings: Any) -> AsyncIterator[ContainerPipe]:
    """Run a program of Python in a container; without one, what the image runs by itself."""
    args = ("python", "-I", "-c", program) if program else ()
    server = ServerSettings(image=image, args=args, **settings)
    pipe = ContainerPipe("test", server, folder=Path("/nonexistent"), max_bytes=1_000_000, grace=grace)
    try:
        async with asyncio.timeout(STARTING):
            await pipe.start()
        yield pipe
    finally:
        async with asyncio.timeout(STARTING):
            await pipe.close()


def there(client: docker.DockerClient, name: str) -> bool:
    """Whether the engine still has a container."""
    try:
        client.containers.get(name)
    except NotFound:
        return False
    return True


async def ending(pipe: ContainerPipe) -> str:
    """How a pipe ends, after all that it still has to say."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await pipe.receive()
            except PipeError as error:
                return str(error)


async def test_a_server_answers_and_is_gone_after_the_close(images: Images, client: docker.DockerClient) -> None:
    async with running(images.echo, grace=10) as pipe:
        for text in ("hello", "x" * 400_000, "é☃𝄞"):
            call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
            call["params"] = {"name": "echo", "arguments": {"text": text}}
            await pipe.send(json.dumps(call).encode())
            assert (await receive(pipe))["result"]["content"][0]["text"] == text
        assert there(client, pipe.container)
        begun = time.monotonic()
        await pipe.close()
        assert time.monotonic() - begun < 5  # it ended with its input, not by force
        assert not there(client, pipe.container)
        for action in (pipe.receive, lambda: pipe.send(b"{}")):
            with pytest.raises(PipeError, match=r"^test was closed\.$"):
                await action()


async def test_streams_dont_mix_and_large_lines_are_whole_or_dropped(images: Images) -> None:
    program = """
import os, sys, threading
def noise():
    for number in range(3000):
        os.write(2, b'noise {}\\n' * 100)
thread = threading.Thread(target=noise)
thread.start()
os.write(1, b'[1]\\n')
for size in (900_000, 1_100_000, 900_000):
    sys.stdout.write('"' + 'x' * size + '"\\n')
sys.stdout.flush()
thread.join()
sys.stderr.write('the end')
"""
    async with running(images.base, program) as pipe:
        assert await receive(pipe) == [1]
        assert await receive(pipe) == "x" * 900_000
        with pytest.raises(Overlong):
            await receive(pipe)
        assert await receive(pipe) == "x" * 900_000
        assert await ending(pipe) == "test ended with exit code 0."
        assert pipe.stderr_tail().endswith("the end")
        assert len(pipe.stderr_tail()) <= 16 * 1024


async def test_the_container_is_held_to_its_profile(images: Images, client: docker.DockerClient) -> None:
    async with running(images.base, HANG) as pipe:
        shown = client.api.inspect_container(pipe.container)
    host, config = shown["HostConfig"], shown["Config"]
    assert config["User"] == "65534:65534"
    assert (config["OpenStdin"], config["StdinOnce"], config["Tty"]) == (True, True, False)
    labels = {name: config["Labels"][name] for name in (OWNER, INSTANCE, SERVER)}
    assert labels == {OWNER: str(lease.this_process()), INSTANCE: pipe.container, SERVER: "test"}
    expected = {
        "ReadonlyRootfs": True,
        "NetworkMode": "none",
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "PidsLimit": 128,
        "Memory": 256 * 1024 * 1024,
        "MemorySwap": 256 * 1024 * 1024,
        "NanoCpus": 1_000_000_000,
        "Init": True,
        "IpcMode": "private",
        "ShmSize": 1024 * 1024,
        "OomScoreAdj": 500,
        "AutoRemove": True,
        "Privileged": False,
        "PidMode": "",
        "Tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=16m"},
        "LogConfig": {"Type": "none", "Config": {}},
    }
    assert {name: host[name] for name in expected} == expected
    assert host["RestartPolicy"]["Name"] in ("", "no")
    assert {limit["Name"]: limit["Hard"] for limit in host["Ulimits"]} == {"nofile": 1024, "core": 0}


# long: a table of what it tries
async def test_the_container_can_do_little(images: Images) -> None:
    program = """
import json, os, socket
status = dict(line.split(':', 1) for line in open('/proc/self/status') if ':' in line)
def attempt(what):
    try:
        what()
    except OSError as error:
        return type(error).__name__ + ' ' + str(error.errno)
    return 'done'
def execute():
    with open('/tmp/program', 'w') as file:
        file.write('#!/bin/sh\\n')
    os.chmod('/tmp/program', 0o755)
    os.execv('/tmp/program', ['/tmp/program'])
def fill():
    with open('/tmp/big', 'wb') as file:
        for _ in range(20):
            file.write(b'x' * 1024 * 1024)
def fork():
    pids = []
    try:
        for _ in range(200):
            pid = os.fork()
            if pid == 0:
                import time
                time.sleep(60)
            pids.append(pid)
    finally:
        for pid in pids:
            os.kill(pid, 9)
print(json.dumps({
    'ids': [os.getuid(), os.getgid(), os.getgroups()],
    'capabilities': [int(status[name], 16) for name in ('CapEff', 'CapPrm', 'CapBnd', 'CapInh', 'CapAmb')],
    'no_new_privileges': int(status['NoNewPrivs']),
    'interfaces': sorted(name for _, name in socket.if_nameindex()),
    'network': attempt(lambda: socket.create_connection(('192.0.2.1', 80), 2)),
    'write': [attempt(lambda: open(path, 'w')) for path in ('/etc/passwd', '/usr/x', '/run/x', '/x')],
    'tmp': attempt(lambda: open(os.environ['HOME'] + '/x', 'w')),
    'execute': attempt(execute),
    'fill': attempt(fill),
    'fork': attempt(fork),
    'setuid': attempt(lambda: os.setuid(0)),
}), flush=True)
"""
    async with running(images.base, program) as pipe:
        found = await receive(pipe)
    assert found["ids"][:2] == [65534, 65534]
    assert 0 not in found["ids"][2]
    assert found["capabilities"] == [0, 0, 0, 0, 0]
    assert found["no_new_privileges"] == 1
    assert "lo" in found["interfaces"]
    assert not [name for name in found["interfaces"] if name.startswith(("eth", "en"))]
    assert found["network"] == "OSError 101"  # no route
    assert found["write"] == ["OSError 30"] * 4  # a read-only file system
    assert found["tmp"] == "done"
    assert found["execute"] == "PermissionError 13"
    assert found["fill"] == "OSError 28"  # no space
    assert found["fork"] == "BlockingIOError 11"
    assert found["setuid"] == "PermissionError 1"


def shared_folders(parent: Path) -> None:
    parent.chmod(0o755)
    for name in ("given", "written"):
        (parent / name).mkdir()
        (parent / name).chmod(0o777)
    (parent / "given" / "file").write_text("content")


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_mounts_are_read_only_unless_they_say_otherwise(images: Images, tmp_path: Path) -> None:
    shared_folders(tmp_path)
    program = """
import json
def attempt(path):
    try:
        open(path, 'w').write('1')
    except OSError as error:
        return error.errno
print(json.dumps([open('/given/file').read(), attempt('/given/new'), attempt('/written/new')]))
"""
    server = ServerSettings(
        image=images.base,
        args=("python", "-I", "-c", program),
        mounts=("./given:/given", f"{tmp_path}/written:/written:rw"),
    )
    pipe = ContainerPipe("test", server, folder=tmp_path, grace=0.1)
    async with asyncio.timeout(STARTING):
        await pipe.start()
        assert await receive(pipe) == ["content", 30, None]
        await pipe.close()
    assert names(tmp_path / "given") == ["file"]
    assert names(tmp_path / "written") == ["new"]


async def test_its_environment_is_the_given_one_and_nothing_of_ours(images: Images) -> None:
    program = "import json, os; print(json.dumps(dict(os.environ)))"
    os.environ["TIDEGATE_TEST_SECRET"] = "not for servers"
    try:
        async with running(images.base, program, env={"GIVEN": "1"}) as pipe:
            shown = await receive(pipe)
    finally:
        del os.environ["TIDEGATE_TEST_SECRET"]
    assert (shown["GIVEN"], shown["HOME"]) == ("1", "/tmp")
    assert "TIDEGATE_TEST_SECRET" not in shown


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        ("import sys; sys.exit(3)", "test ended with exit code 3."),
        ("x = bytearray(10**9)", "test was killed, by its limit on memory as a rule."),
        ("import os; os.execvp('nothing', ['nothing'])", "test ended with exit code 1."),
    ],
)
async def test_an_end_by_itself_is_told_and_leaves_nothing(
    images: Images, client: docker.DockerClient, program: str, sentence: str
) -> None:
    async with running(images.base, program) as pipe:
        assert await ending(pipe) == sentence
        assert not there(client, pipe.container)
        with pytest.raises(PipeError):
            await pipe.send(b"{}")


async def test_an_end_in_the_middle_of_a_call_is_told_promptly(images: Images, client: docker.DockerClient) -> None:
    async with running(images.base, HANG) as pipe:
        assert await receive(pipe) == [1]
        begun = time.monotonic()
        client.api.kill(pipe.container)
        assert await ending(pipe) == "test was killed, by its limit on memory as a rule."
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"image": "tidegate-test/none:1"}, "get its image with docker pull tidegate-test/none:1."),
        ({"image": "Not An Image"}, "invalid reference format"),
        ({"mounts": ("no-such-folder:/data",)}, "bind source path does not exist: /nonexistent/no-such-folder."),
        ({"mounts": ("relative:data",)}, "The mount relative:data is not of the form HOST:CONTAINER[:ro|rw]."),
        ({"mounts": ("/a:/b:rx",)}, "The mount /a:/b:rx is not of the form HOST:CONTAINER[:ro|rw]."),
        ({"mounts": ("/tmp:/proc",)}, "can't be started: "),
    ],
)
async def test_what_cant_be_started_is_told_in_one_sentence_and_leaves_nothing(
    images: Images, client: docker.DockerClient, settings: dict[str, Any], sentence: str
) -> None:
    pipe = ContainerPipe("test", ServerSettings(**{"image": images.base, **settings}), folder=Path("/nonexistent"))
    async with asyncio.timeout(STARTING):
        with pytest.raises(PipeError) as error:
            await pipe.start()
        await pipe.close()
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)
    assert not there(client, pipe.container)


@pytest.mark.requirement("no-orphans")
async def test_a_container_that_floods_is_held_back_and_removed_quickly(
    images: Images, client: docker.DockerClient
) -> None:
    async with running(images.base, FLOOD, grace=30) as pipe:
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
    async with running(images.base, FLOOD, grace=30) as pipe:

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
    async with running(images.base, HANG) as pipe:
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
    async with running(images.base, HANG, grace=60) as pipe:
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
        server = ServerSettings(image=images.base, args=("python", "-I", "-c", HANG))
        pipe = ContainerPipe("test", server, folder=Path(), grace=0.01)
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
async def forwarded(path: str) -> AsyncIterator[str]:
    """Make a UNIX socket reachable over TCP, from another process; the address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FORWARDER, path, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            yield f"tcp://127.0.0.1:{int(await process.stdout.readline())}"
    finally:
        process.kill()
        await process.wait()


async def test_an_engine_over_tcp_serves_as_well(images: Images, client: docker.DockerClient) -> None:
    async with forwarded(engine().reached["unix"]) as address, asyncio.timeout(STARTING):
        remote = Engine(address)
        pipes = [
            ContainerPipe("test", ServerSettings(image=images.echo), folder=Path(), where=remote) for _ in range(2)
        ]
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
