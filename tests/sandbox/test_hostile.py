"""A hostile server in the sandbox: what it tries, and that it gets nowhere. docs/sandbox.md has a row for each."""

import asyncio
import json
import os
import platform
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from ends.programs import DAEMON, ECHO, PATIENCE, STUBBORN, gone, receive, until
from sandbox import attempts
from sandbox.inside import HOME, PLAIN, inside, said, writable
from tidegate.ends.process import ProcessPipe
from tidegate.sandbox.bubblewrap import Box, opened

pytestmark = pytest.mark.bubblewrap

PAGE = Path(__file__).parents[2] / "docs" / "sandbox.md"
REFUSED = {"EPERM", "EACCES", "EROFS", "ENOENT", "ENOTDIR", "ENXIO", "EINVAL"}


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of the user's that nobody has shown to the server."""
    file = tmp_path / "private" / "key"
    file.parent.mkdir()
    file.write_text("a secret")
    return file


@asynccontextmanager
async def listening() -> AsyncIterator[str]:
    """A port of this machine that takes connections."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        yield str(server.sockets[0].getsockname()[1])


@pytest.mark.skipif(platform.machine() != "x86_64", reason="platform: the numbers are those of x86_64")
@pytest.mark.parametrize("name", attempts.CALLS)
async def test_a_dangerous_call_of_the_kernel_is_refused(name: str) -> None:
    expected = "ENOSYS" if name in attempts.ABSENT else "EPERM"
    assert await said(attempts.ASK, *map(str, attempts.CALLS[name])) == expected


async def test_calls_of_another_architecture_end_the_server() -> None:
    if platform.machine() != "x86_64":
        pytest.skip("platform: the numbers are those of x86_64")
    x32 = attempts.CALL + "tell('here')\nsyscall(0x40000000 | 39)\ntell('still here')"
    async with inside([sys.executable, "-I", "-c", x32]) as pipe:
        assert await receive(pipe) == "here"
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(Exception, match="was ended by SIGSYS"):
                await pipe.receive()


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/shadow", "/etc/ssh/sshd_config", "/root/.profile", str(HOME / ".ssh"), str(HOME / ".aws/credentials")),
        *("/var/lib/docker", "/sys", "/proc/1/root/root/.profile"),
    ],
)
async def test_what_nobody_showed_it_isnt_there_to_be_read(path: str) -> None:
    assert await said(attempts.READ, path) in ("ENOENT", "EACCES")


async def test_a_file_beside_its_own_isnt_there_to_be_read(secret: Path) -> None:
    assert await said(attempts.READ, str(secret)) == "ENOENT"
    assert await said(attempts.READ, str(secret), cwd=secret.parent) == ["done", "b'a secret'"]


@pytest.mark.parametrize(
    "path", ["/usr/bin/evil", "/usr/lib/evil", "/etc/passwd", "/etc/ld.so.preload", "/evil", "/root/evil", "/dev/evil"]
)
async def test_nothing_of_the_system_can_be_written(path: str) -> None:
    assert await said(attempts.WRITE, path) in ("EROFS", "EACCES", "ENOENT", "EPERM")


async def test_its_interpreter_and_its_packages_cant_be_changed() -> None:
    assert await said(attempts.WRITE, str(Path(sys.prefix) / "evil")) == "EROFS"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "192.0.2.1", "example.com"])
async def test_there_is_no_network_nor_this_machines_own(host: str) -> None:
    async with listening() as port:
        told = await said(attempts.CONNECT, host, port)
    assert told in ("ECONNREFUSED", "ENETUNREACH") or "resolution" in told or "not known" in told


@pytest.mark.parametrize("path", ["/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock"])
async def test_no_socket_of_a_container_engine_is_reached(path: str) -> None:
    assert await said(attempts.UNIX, path) == "ENOENT"


async def test_an_abstract_socket_of_the_machine_is_not_reached() -> None:
    name = f"tidegate-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0{name}")
        server.listen()
        assert await said(attempts.UNIX, f"@{name}") == "ECONNREFUSED"


async def test_only_the_usual_sockets_can_be_made() -> None:
    told = await said(attempts.SOCKETS)
    usual = {name for name, how in told.items() if how == ["done", "done"]}
    assert usual == {"stream", "routes", "unix"}


async def test_it_has_no_privilege_and_gets_none(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    told = await said(attempts.PRIVILEGES, str(file), box=writable(tmp_path))
    assert int(told.pop("CapEff"), 16) == int(told.pop("CapBnd"), 16) == 0
    assert (told.pop("NoNewPrivs"), told.pop("Seccomp"), told.pop("uid")) == ("1", "2", 65534)
    assert all(how in ("EPERM", "EINVAL") for how in told.values()), told


async def test_a_file_that_would_run_as_tidegates_user_cant_be_made(tmp_path: Path) -> None:
    told = await said(attempts.SETUID, str(tmp_path), box=writable(tmp_path))
    assert told == ["EPERM"] * 4 + [["done", "None"]] * 2
    assert {entry.stat().st_mode & 0o7777 for entry in os.scandir(tmp_path)} == {0o755}


async def test_the_kernels_own_files_and_devices_are_out_of_reach() -> None:
    told = await said(attempts.KERNEL)
    assert [how for how in told.values() if not isinstance(how, str) or how not in REFUSED] == [], told


@pytest.mark.parametrize(("folder", "most"), [("/tmp", 64), ("/var/tmp", 16), ("/dev/shm", 16), ("/home/server", 256)])
async def test_the_folders_it_may_fill_are_bounded(folder: str, most: int) -> None:
    how, size = await said(attempts.FILL, folder)
    assert how == "ENOSPC"
    assert size <= most * 1024 * 1024


async def test_it_sees_no_process_but_its_own() -> None:
    assert len(await said(attempts.PROCESSES)) <= 3


async def test_it_can_kill_neither_its_parent_nor_tidegate() -> None:
    told = await said(attempts.KILL, str(os.getpid()), str(os.getppid()))
    assert set(told) == {"ESRCH"}


async def test_tidegates_environment_isnt_there_to_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET_OF_TIDEGATE", "hunter2")
    source = attempts.CALL + (
        "tell([open(f'/proc/{name}/environ').read() for name in os.listdir('/proc') if name.isdigit()])"
    )
    assert "hunter2" not in json.dumps(await said(source))


async def test_nothing_can_be_typed_into_a_terminal() -> None:
    assert await said(attempts.TIOCSTI) == ["EPERM", "EPERM"]


@pytest.mark.parametrize("program", [DAEMON, STUBBORN], ids=["daemon", "stubborn"])
async def test_whatever_it_starts_ends_with_it(program: str) -> None:
    async with inside([sys.executable, "-I", "-S", "-c", program]) as pipe:
        await receive(pipe)
        assert pipe.pid is not None
        below = psutil.Process(pipe.pid).children(recursive=True)
        assert len(below) >= 2
    assert not await gone(below, within=5)


async def test_whatever_it_started_ends_when_the_sandbox_is_killed() -> None:
    async with inside([sys.executable, "-I", "-S", "-c", DAEMON]) as pipe:
        await receive(pipe)
        assert pipe.pid is not None
        below = psutil.Process(pipe.pid).children(recursive=True)
        os.kill(pipe.pid, signal.SIGKILL)
        assert not await gone(below, within=5)


def test_a_fork_bomb_stops_at_the_limit_where_tidegate_isnt_root() -> None:
    if os.getuid() != 0 and "PYTEST_XDIST_WORKER" in os.environ:
        pytest.skip("platform: other tests' processes count too")
    plan = Box().plan([PLAIN, "-I", "-c", attempts.FORKS], {"PATH": "/usr/bin:/bin"}, "/usr")
    with opened(plan, None) as (command, descriptors):
        other: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
        done = subprocess.run(
            command,
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
            **other,
        )
    how, made = json.loads(done.stdout)
    assert how == "EAGAIN"
    assert made <= 512


async def test_a_flood_of_its_doesnt_keep_it_alive() -> None:
    flood = "import os\nwhile True: os.write(1, b'{}\\n' * 4096)"
    pipe = ProcessPipe([sys.executable, "-I", "-S", "-c", flood], grace=0.1, box=Box())
    await pipe.start()
    assert pipe.pid is not None
    process = psutil.Process(pipe.pid)
    async with asyncio.timeout(PATIENCE):
        await pipe.close()
    assert not process.is_running()


async def test_a_value_of_the_environment_shows_in_no_list_of_processes() -> None:
    async with inside([sys.executable, "-I", "-S", "-c", ECHO], env={"KEY": "in-no-list-9f3"}) as pipe:
        await pipe.send(b"{}")
        await receive(pipe)
        assert pipe.pid is not None
        outer = psutil.Process(pipe.pid)
        first = outer.children()[0]
        assert first.children()[0].environ()["KEY"] == "in-no-list-9f3"
        shown = [[*process.cmdline(), *process.environ().values()] for process in (outer, first)]
    assert "in-no-list-9f3" not in str(shown)


async def test_the_servers_own_sigterm_comes_before_the_end_by_force() -> None:
    polite = (
        "import signal, sys, time\n"
        "def end(*_):\n    sys.stderr.write('goodbye'); sys.stderr.flush(); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\nprint('{}', flush=True)\nwhile True: time.sleep(60)\n"
    )
    async with inside([sys.executable, "-I", "-S", "-c", polite]) as pipe:
        await receive(pipe)
    await until(lambda: pipe.stderr_tail() == "goodbye")


@pytest.mark.parametrize(
    "row", sorted(re.findall(r"^(?:async )?def (test_\w+)", Path(__file__).read_text(), re.MULTILINE))
)
def test_each_attempt_has_its_row_on_the_page(row: str) -> None:
    if row != "test_each_attempt_has_its_row_on_the_page":
        assert f"`{row}`" in PAGE.read_text()
