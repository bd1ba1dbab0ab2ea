"""The launcher: it alone holds the engine's socket, starts what is configured and nothing else, and leaves nothing."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import docker
import psutil
import pytest

from ends.containers import HANG, STARTING, there
from ends.programs import PATIENCE, gone, receive, until
from support.images import Images
from support.proxy import toml
from tidegate.containers.boxes import fingerprint
from tidegate.containers.client import LauncherClient
from tidegate.containers.spec import SERVER
from tidegate.ends.docker import ContainerPipe
from tidegate.ends.pipe import PipeError
from tidegate.settings import Settings, build, load

pytestmark = pytest.mark.docker

NAME = "launched"
HANGING = ["python", "-I", "-c", HANG]


def settings_of(server: dict[str, Any]) -> Settings:
    return build({"servers": {NAME: server}}, folder=Path())


@asynccontextmanager
async def launched(settings: Settings, path: Path | None = None) -> AsyncIterator[LauncherClient]:
    """Have a launcher for these settings until the block ends; nothing of it is left then."""
    client = LauncherClient(lambda: settings, path)
    try:
        yield client
    finally:
        below = [each for own in launchers() for each in (own, *own.children(recursive=True))]
        async with asyncio.timeout(STARTING):
            await client.close()
    assert not await gone(below, PATIENCE)


def _gone(client: docker.DockerClient, name: str) -> bool:
    return not there(client, name)


def launchers() -> list[psutil.Process]:
    """Return the launchers that this process has started."""
    return [child for child in psutil.Process().children() if "tidegate.containers" in child.cmdline()]


@asynccontextmanager
async def running(client: LauncherClient, grace: float = 0.1) -> AsyncIterator[ContainerPipe]:
    pipe = ContainerPipe(NAME, client, grace=grace)
    async with asyncio.timeout(STARTING):
        await pipe.start()
        try:
            yield pipe
        finally:
            await pipe.close()


async def ending(pipe: ContainerPipe) -> str:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await pipe.receive()
            except PipeError as error:
                return str(error)


async def test_a_container_answers_over_the_descriptor_that_the_launcher_gave(
    images: Images, client: docker.DockerClient
) -> None:
    async with launched(settings_of({"image": images.echo})) as launcher:
        async with running(launcher, grace=10) as pipe, running(launcher, grace=10) as other:
            for each in (pipe, other):
                await each.send(b'{"jsonrpc":"2.0","id":1,"method":"ping"}')
                assert (await receive(each))["result"] == {}
            used = await launcher.usage()
            assert len(used) == 2
            assert all(each["memory"] > 0 and each["cpu_ns"] > 0 and each["pids"] > 0 for each in used.values())
            await pipe.close()
            assert not there(client, pipe.container)
            assert there(client, other.container)
        assert await launcher.usage() == {}


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        ("import sys; sys.exit(3)", "launched ended with exit code 3."),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "by its limit on memory as a rule."),
    ],
)
async def test_how_a_container_ended_is_told(images: Images, program: str, sentence: str) -> None:
    server = {"image": images.base, "args": ["python", "-I", "-c", program]}
    async with launched(settings_of(server)) as launcher, running(launcher) as pipe:
        assert (await ending(pipe)).endswith(sentence)


@pytest.mark.requirement("no-orphans")
async def test_a_killed_launcher_ends_its_containers_and_the_next_start_has_another(
    images: Images, client: docker.DockerClient
) -> None:
    async with launched(settings_of({"image": images.base, "args": HANGING})) as launcher:
        async with running(launcher) as pipe:
            await receive(pipe)
            (first,) = launchers()
            first.send_signal(signal.SIGKILL)
            assert await ending(pipe) == "launched ended."
            await until(lambda: not there(client, pipe.container))
        async with running(launcher) as pipe:
            assert await receive(pipe) == [1]
            assert launchers() != [first]


@pytest.mark.requirement("no-orphans")
async def test_a_start_that_is_cancelled_at_any_point_leaves_nothing(
    images: Images, client: docker.DockerClient
) -> None:
    open_before = psutil.Process().num_fds()
    async with launched(settings_of({"image": images.base, "args": HANGING})) as launcher:
        await launcher.prepare()
        tried = []
        for seconds in (0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5):
            pipe = ContainerPipe(NAME, launcher, grace=0.01)
            tried.append(pipe.container)
            try:
                async with asyncio.timeout(seconds):
                    await pipe.start()
            except TimeoutError:
                pass
            await pipe.close()
    assert psutil.Process().num_fds() <= open_before + 1  # the loop's own watch for children
    assert not [name for name in tried if there(client, name)]


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"op": "start", "server": "other", "instance": "0" * 12, "settings": ""}, "other settings of 'other'"),
        ({"op": "start", "server": NAME, "instance": "0" * 12, "settings": ""}, "other settings of 'launched'"),
        (
            {"op": "start", "server": "local", "instance": "0" * 12, "settings": "known"},
            "no server 'local' in a container",
        ),
        ({"op": "start", "server": NAME, "instance": "../../etc", "settings": "known"}, "twelve hexadecimal digits"),
        ({"op": "start", "server": NAME, "instance": 1, "settings": "known"}, "doesn't know that operation"),
        ({"op": "start", "server": [NAME], "instance": "0" * 12, "settings": "known"}, "doesn't know"),
        ({"op": "exec", "command": "id"}, "doesn't know that operation"),
        ({"op": "configure", "settings": {}, "folder": "/"}, "has its settings already"),
        ({}, "doesn't know that operation"),
    ],
)
async def test_nothing_but_a_configured_container_can_be_asked_for(
    images: Images, client: docker.DockerClient, request_: dict[str, Any], sentence: str
) -> None:
    settings = build({"servers": {NAME: {"image": images.base}, "local": {"command": ["true"]}}}, folder=Path())
    if request_.get("settings") == "known" and isinstance(request_["server"], str):
        request_ = request_ | {"settings": fingerprint(settings.servers[request_["server"]])}
    async with launched(settings) as launcher, asyncio.timeout(STARTING):
        await launcher.prepare()
        assert launcher._connection is not None
        with pytest.raises(PipeError) as error:
            await launcher._connection.ask(request_)
        assert sentence in str(error.value)
        assert not client.api.containers(all=True, filters={"label": f"{SERVER}={NAME}"})


async def test_settings_that_were_changed_are_read_by_both_or_nothing_starts(images: Images, tmp_path: Path) -> None:
    path = tmp_path / "tidegate.toml"

    def write(program: str) -> None:
        args = ["python", "-I", "-c", f"print({program!r}, flush=True); import time; time.sleep(60)"]
        path.write_text(f"[servers.launched]\nimage = {toml(images.base)}\nargs = {toml(args)}\n")

    write("[1]")
    settings = load(path)
    client = LauncherClient(lambda: settings, path)
    try:
        async with running(client) as pipe:
            assert await receive(pipe) == [1]
        write("[2]")
        settings = load(path)
        with pytest.raises(PipeError, match="other settings of 'launched'"):
            async with running(client):
                pass
        await client.reload()
        async with running(client) as pipe:
            assert await receive(pipe) == [2]
        path.write_text("nonsense")
        with pytest.raises(PipeError, match="not TOML"):
            await client.reload()
        async with running(client) as pipe:
            assert await receive(pipe) == [2]
    finally:
        await client.close()


async def test_the_process_that_faces_clients_never_holds_the_engines_socket(images: Images) -> None:
    async with launched(settings_of({"image": images.base, "args": HANGING})) as launcher, running(launcher) as pipe:
        await receive(pipe)
        held = [connection.raddr for connection in psutil.Process().net_connections("unix")]
        assert not [name for name in held if "docker.sock" in str(name)]
        assert "docker" not in {name.partition(".")[0] for name in _modules_of_a_proxy()}


def _modules_of_a_proxy() -> set[str]:
    """What a process loads that has everything of Tidegate's but the launcher."""
    program = "import sys, tidegate.serve, tidegate.ends.docker, tidegate.containers.client; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(told.stdout.split())


@asynccontextmanager
async def listening(path: Path, listen: Path, *options: str) -> AsyncIterator[int]:
    """Run `tidegate launcher` until the block ends; its process ID."""
    words = ["-m", "tidegate", "launcher", str(path), "--listen", str(listen), "--log-format", "json", *options]
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    try:
        async with asyncio.timeout(PATIENCE):
            while b"launcher is ready" not in await process.stderr.readline():
                assert process.returncode is None
        yield process.pid
    finally:
        process.terminate()
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0


async def test_a_launcher_of_its_own_serves_who_is_named_and_outlives_its_peers(
    images: Images, client: docker.DockerClient, tmp_path: Path
) -> None:
    path, listen = tmp_path / "tidegate.toml", tmp_path / "launcher.sock"
    path.write_text(
        f"[proxy]\nlauncher = {toml(listen)}\n[servers.launched]\nimage = {toml(images.base)}\nargs = {toml(HANGING)}\n"
    )
    settings = load(path)
    async with listening(path, listen):
        assert listen.stat().st_mode & 0o777 == 0o600
        for _ in range(2):
            async with launched(settings, path) as launcher:
                pipe = ContainerPipe(NAME, launcher)
                async with asyncio.timeout(STARTING):
                    await pipe.start()
                assert await receive(pipe) == [1]
                assert not launchers()
            await until(partial(_gone, client, pipe.container))
        async with launched(settings, path) as launcher, running(launcher) as last:
            assert await receive(last) == [1]
    assert not there(client, last.container)


@pytest.mark.skipif(os.geteuid() != 0, reason="platform: only root can be another user")
async def test_another_user_is_refused_unless_it_is_named(images: Images, tmp_path: Path) -> None:
    path, listen = tmp_path / "tidegate.toml", tmp_path / "launcher.sock"
    path.write_text(f"[servers.launched]\nimage = {toml(images.base)}\n")
    program = (
        "import os, socket, sys; os.setgid(65534); os.setuid(65534); made = socket.socket(socket.AF_UNIX)\n"
        "try:\n made.connect(sys.argv[1])\n"
        ' made.sendall(b\'{"id":1,"op":"usage","fds":0}\\n\')\n'
        " print(made.recv(100))\nexcept OSError as error:\n print(type(error).__name__)"
    )
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid():
            folder.chmod(folder.stat().st_mode | 0o011)

    async def ask() -> bytes:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, str(listen), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        async with asyncio.timeout(PATIENCE):
            return (await process.communicate())[0]

    async with listening(path, listen):
        assert b"PermissionError" in await ask()
    async with listening(path, listen, "--allow", "65533"):
        assert await ask() in (b"b''\n", b"BrokenPipeError\n", b"ConnectionResetError\n")
    async with listening(path, listen, "--allow", "65534"):
        assert b'"usage":{}' in await ask()
