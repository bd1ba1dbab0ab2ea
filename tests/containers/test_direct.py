"""Containers whose standard input and output are pipes of Tidegate's own; and what happens where they can't be."""

import asyncio
import json
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import docker
import pytest

from ends.containers import HANG, NAME, STARTING, boxes, container, there
from ends.programs import ECHO, PATIENCE, receive, until
from support.images import Images
from support.private_engine import PrivateEngine, private_engine
from tidegate.containers.attach import attach
from tidegate.containers.direct import FOLDER, Direct, NotDirect, Ways, wrap
from tidegate.containers.engine import Engine
from tidegate.containers.secret_delivery import Delivery, Image
from tidegate.ends.docker import ContainerPipe
from tidegate.ends.pipe import PipeError
from tidegate.settings import ServerSettings

pytestmark = pytest.mark.docker

IMAGE = f"sha256:{1:064x}"
SHELLED = Image(("program",), ("argument",), shell=True)
# In the place of a shell: Python without what needs its folder of modules.
NO_SHELL = "#!/usr/bin/env -S python -I\n"


def left() -> set[str]:
    """Return the folders of pipes that are there."""
    return {path.name for path in Path("/dev/shm").glob("tidegate-streams-*")}


def pipes() -> list[str]:
    """Return which pipes by name this process has open."""
    found = []
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the listing's own
            found.append(str(path.readlink()))
    return [target for target in found if "tidegate-streams-" in target]


def folder_for(path: Path, shell: str | None = None) -> Path:
    """Make a folder one that containers can read; with a shell in it, if one is given."""
    path.chmod(0o755)
    if shell is not None:
        (path / "sh").write_text(NO_SHELL + shell)
        (path / "sh").chmod(0o755)
    return path


def entries(path: Path) -> dict[str, str]:
    """Return the names in a folder, and what each is for whom."""
    return {each.name: stat.filemode(each.stat().st_mode) for each in path.iterdir()}


@contextmanager
def nothing_left(client: docker.DockerClient, pipe: ContainerPipe) -> Iterator[None]:
    folders = left()
    yield
    assert left() <= folders
    assert pipes() == []
    assert not there(client, pipe.container)


async def test_by_default_no_byte_of_them_passes_the_engine(images: Images, client: docker.DockerClient) -> None:
    folders = left()
    async with container(images.base, ECHO) as pipe:
        assert pipe.streams == "direct"
        assert left() <= folders  # nobody can open them any more
        before = client.api.inspect_container(pipe.container)
        assert (before["Config"]["OpenStdin"], before["Config"]["AttachStdin"]) == (False, False)
        with closing(await attach(Engine(), pipe.container)) as bystander:
            for number in range(100):
                await pipe.send(json.dumps(number).encode())
                assert await receive(pipe) == number
            bystander.settimeout(0)
            with pytest.raises(BlockingIOError):
                bystander.recv(1)
    assert pipes() == []


async def test_its_standard_error_is_heard_all_the_same(images: Images) -> None:
    program = "import sys\nsys.stderr.write('a word')\nsys.stderr.flush()\nprint('[1]', flush=True)\nsys.stdin.read()"
    async with container(images.base, program) as pipe:
        assert (pipe.streams, await receive(pipe)) == ("direct", [1])
        await until(lambda: pipe.stderr_tail() == "a word")


async def test_the_images_own_program_and_working_folder_are_kept(images: Images) -> None:
    async with container(images.echo, workdir="/tmp") as pipe:
        await pipe.send(b'{"jsonrpc":"2.0","id":1,"method":"ping"}')
        assert pipe.streams == "direct"
        assert await receive(pipe) == {"jsonrpc": "2.0", "id": 1, "result": {}}


async def test_arguments_reach_the_program_as_they_are(images: Images) -> None:
    odd = ("a b", "$(c)", "'\"", "", "\n", "-x")
    program = "import json, sys; print(json.dumps(sys.argv[1:]), flush=True); sys.stdin.read()"
    async with container(images.base, args=("python", "-I", "-c", program, *odd)) as pipe:
        assert (pipe.streams, await receive(pipe)) == ("direct", list(odd))


@pytest.mark.parametrize("streams", ["direct", "engine"])
async def test_the_settings_can_say_which_way(images: Images, streams: str) -> None:
    async with container(images.base, ECHO, streams=streams) as pipe:
        assert pipe.streams == streams
        await pipe.send(b"[1]")
        assert await receive(pipe) == [1]


@pytest.mark.parametrize(
    "settings", [{"user": "root"}, {"user": "1000:1000"}, {"tmpfs": ("/run",)}, {"seccomp": "engine"}]
)
async def test_whoever_the_container_is_can_open_them(images: Images, settings: dict[str, Any]) -> None:
    async with container(images.base, ECHO, **settings) as pipe:
        await pipe.send(b"[1]")
        assert (pipe.streams, await receive(pipe)) == ("direct", [1])


async def test_a_server_that_closes_them_and_lives_on_has_ended_its_session(images: Images) -> None:
    program = "import os, time\nprint('[1]', flush=True)\nos.closerange(0, 2)\nwhile True: time.sleep(60)"
    async with container(images.base, program) as pipe:
        assert (pipe.streams, await receive(pipe)) == ("direct", [1])
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(PipeError, match=r"^test closed its output\.$"):
                await pipe.receive()


@pytest.mark.parametrize("mount", ["/run", "/run/tidegate", "/run/tidegate/in"])
async def test_what_the_settings_mount_there_is_kept(
    images: Images, client: docker.DockerClient, tmp_path: Path, mount: str
) -> None:
    mounts = (f"{folder_for(tmp_path)}:{mount}",)
    async with container(images.base, ECHO, mounts=mounts) as pipe:
        await pipe.send(b"[1]")
        assert (pipe.streams, await receive(pipe)) == ("engine", [1])
    assert entries(tmp_path) == {}
    pipe = ContainerPipe(NAME, boxes(image=images.base, mounts=mounts, streams="direct"))
    with nothing_left(client, pipe):
        with pytest.raises(PipeError, match="its settings mount something at /run/tidegate"):
            await pipe.start()
        await pipe.close()


async def test_without_a_shell_the_engine_carries_them(images: Images, client: docker.DockerClient) -> None:
    starter = boxes(image=images.no_shell, args=("python", "-I", "-c", ECHO))
    for _ in range(2):  # once found out, once known
        pipe = ContainerPipe(NAME, starter, grace=0.1)
        async with asyncio.timeout(STARTING):
            with nothing_left(client, pipe):
                await pipe.start()
                await pipe.send(b"[1]")
                assert (pipe.streams, await receive(pipe)) == ("engine", [1])
                await pipe.close()


async def test_where_they_must_be_direct_the_server_does_not_start_otherwise(
    images: Images, client: docker.DockerClient
) -> None:
    pipe = ContainerPipe(NAME, boxes(image=images.no_shell, streams="direct"))
    with nothing_left(client, pipe):
        with pytest.raises(PipeError) as caught:
            await pipe.start()
        await pipe.close()
    assert str(caught.value) == "test can't be started with direct streams: its image has no /bin/sh."


@pytest.mark.parametrize(
    "shell",
    ["raise SystemExit(1)", "import os; os.close(os.open('/run/tidegate/out', os.O_WRONLY)); raise SystemExit(2)"],
    ids=["opens nothing", "lets go again"],
)
async def test_a_shell_that_does_not_open_them_is_done_without(
    images: Images, client: docker.DockerClient, tmp_path: Path, shell: str
) -> None:
    starter = boxes(
        folder=folder_for(tmp_path, shell),
        image=images.base,
        args=("python", "-I", "-c", ECHO),
        mounts=("./sh:/bin/sh",),
    )
    for _ in range(2):
        pipe = ContainerPipe(NAME, starter, grace=0.1)
        async with asyncio.timeout(STARTING):
            with nothing_left(client, pipe):
                await pipe.start()
                await pipe.send(b"[1]")
                assert (pipe.streams, await receive(pipe)) == ("engine", [1])
                await pipe.close()


async def test_what_is_stopped_between_two_ways_does_not_start(
    images: Images, client: docker.DockerClient, tmp_path: Path
) -> None:
    shell = "import time; time.sleep(600)"
    starter = boxes(
        folder=folder_for(tmp_path, shell),
        image=images.base,
        args=("python", "-I", "-c", ECHO),
        mounts=("./sh:/bin/sh",),
    )
    pipe = ContainerPipe(NAME, starter, grace=0.1)
    with nothing_left(client, pipe):
        async with asyncio.timeout(STARTING):
            starting = asyncio.create_task(pipe.start())
            await until(lambda: there(client, pipe.container), seconds=STARTING)
            await starter.stop(pipe.instance)
            with pytest.raises(PipeError, match="was stopped while it started"):
                await starting
            await pipe.close()


async def test_a_start_that_is_given_up_leaves_nothing(images: Images, client: docker.DockerClient) -> None:
    starter = boxes(image=images.base, args=("python", "-I", "-c", ECHO))
    for _ in range(5):
        pipe = ContainerPipe(NAME, starter, grace=0.1)
        with nothing_left(client, pipe):
            starting = asyncio.create_task(pipe.start())
            await until(lambda: len(starter) > 0)
            starting.cancel()
            await asyncio.wait([starting])
            async with asyncio.timeout(STARTING):
                await pipe.close()


@pytest.mark.requirement("no-orphans")
async def test_only_this_user_gets_near_the_pipes(images: Images, client: docker.DockerClient) -> None:
    folders = left()
    pipes_of = Direct(seconds=0.05)
    server = ServerSettings(image=images.base, args=("true",))
    try:
        told = await asyncio.to_thread(pipes_of.prepare, client.api, server, Delivery())
        [mount] = told.mounts
        source = Path(mount["Source"])
        assert (mount["Target"], mount["ReadOnly"]) == (FOLDER, True)
        assert entries(source.parent.parent)[source.parent.name] == "drwx------"
        assert entries(source) == {"in": "prw-r--r--", "out": "prw--w--w-"}
        with pytest.raises(NotDirect, match="its shell didn't open them"):
            await pipes_of.opened(asyncio.get_running_loop().create_future())
    finally:
        pipes_of.close()
        pipes_of.close()
    assert left() <= folders
    assert pipes() == []


async def test_a_preface_longer_than_a_pipe_holds_waits_for_its_reader(
    images: Images, client: docker.DockerClient
) -> None:
    pipes_of, data = Direct(), os.urandom(300_000)
    server = ServerSettings(image=images.base, args=("true",))
    try:
        told = await asyncio.to_thread(pipes_of.prepare, client.api, server, Delivery())
        source = Path(told.mounts[0]["Source"])
        telling = asyncio.create_task(pipes_of.tell(data))
        words = ["head", "-c", str(len(data)), str(source / "in")]
        reading = await asyncio.to_thread(subprocess.run, words, capture_output=True, check=True)
        await telling
        assert reading.stdout == data
    finally:
        pipes_of.close()


def test_what_is_done_for_secrets_comes_after_the_pipes_are_open() -> None:
    server = ServerSettings(image=IMAGE)
    plain = wrap(Delivery(environment={"A": "b"}), server, SHELLED)
    assert plain.entrypoint is not None
    assert (plain.command, plain.environment) == (["program", "argument"], {"A": "b"})
    assert plain.entrypoint[2].endswith('exec "$@"\n')
    given = Delivery(entrypoint=["/bin/sh", "-c", "read secret\n", "tidegate"], command=["x"])
    both = wrap(given, server, SHELLED)
    assert both.entrypoint is not None
    assert (both.command, both.entrypoint[2].splitlines()[-1]) == (["x"], "read secret")
    assert both.entrypoint[2].startswith("command exec <")


def test_an_image_that_says_no_program_needs_arguments() -> None:
    with pytest.raises(PipeError, match="says no program to run, so args must"):
        wrap(Delivery(), ServerSettings(image=IMAGE), Image((), (), shell=True))


@pytest.mark.parametrize(
    ("address", "settings", "ways"),
    [
        ("unix:///engine.sock", {}, (True, False)),
        ("unix:///engine.sock", {"streams": "engine"}, (False,)),
        ("unix:///engine.sock", {"streams": "direct"}, (True,)),
        ("unix:///engine.sock", {"runtime": "runsc"}, (False,)),
        ("unix:///engine.sock", {"runtime": "runsc", "streams": "direct"}, (True,)),
        ("unix:///engine.sock", {"port": 80}, (False,)),
        ("tcp://engine.test:2375", {}, (False,)),
    ],
)
def test_which_ways_are_tried(address: str, settings: dict[str, Any], ways: tuple[bool, ...]) -> None:
    assert Ways(Engine(address)).of(ServerSettings(image=IMAGE, **settings)) == ways


def test_what_has_failed_for_good_is_not_tried_again_and_told_of_once() -> None:
    ways = Ways(Engine("unix:///engine.sock"))
    server, other = ServerSettings(image=IMAGE), ServerSettings(image=f"sha256:{2:064x}")
    assert not ways.failed(server, NotDirect("it was killed", lasting=False))
    assert ways.of(server) == (True, False)
    assert ways.failed(server, NotDirect("its image has no /bin/sh"))
    assert not ways.failed(server, NotDirect("its image has no /bin/sh"))
    assert (ways.of(server), ways.of(other)) == ((False,), (True, False))


@pytest.fixture
def blind(images: Images) -> Iterator[PrivateEngine]:
    """An engine that doesn't see this machine's memory."""
    if shutil.which("unshare") is None or shutil.which("dockerd") is None:
        pytest.skip("platform: an engine of one's own needs Linux, and dockerd here")
    with private_engine(Path(tempfile.mkdtemp(prefix="tidegate-engine-")), hidden="/dev/shm") as engine:
        asyncio.run(until(engine.answers, seconds=STARTING))
        engine.load(images.base)
        yield engine


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_engine_that_does_not_see_this_machines_memory_carries_them(images: Images, blind: PrivateEngine) -> None:
    asyncio.run(carried(images, blind))


async def carried(images: Images, engine: PrivateEngine) -> None:
    starter = boxes(Engine(engine.address), image=images.base, args=("python", "-I", "-c", ECHO))
    folders = left()
    async with asyncio.timeout(STARTING):
        pipe = ContainerPipe(NAME, starter, grace=0.1)
        await pipe.start()
        await pipe.send(b"[1]")
        assert (pipe.streams, await receive(pipe)) == ("engine", [1])
        await pipe.close()
        strict = boxes(Engine(engine.address), image=images.base, args=("python", "-c", HANG), streams="direct")
        pipe = ContainerPipe(NAME, strict)
        with pytest.raises(PipeError, match=r"with direct streams: the engine says: .*bind source path does not exist"):
            await pipe.start()
        await pipe.close()
    assert left() <= folders
    assert engine.containers() == []
