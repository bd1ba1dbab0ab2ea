"""Files of secrets in memory: the server's alone, and gone however it ends."""

import asyncio
import json
import os
import secrets
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

from ends.programs import until
from secret_stores.storing import VALUE
from tidegate.containers import lease
from tidegate.containers.engine import Engine
from tidegate.containers.launcher import Configured, Launcher
from tidegate.ends.pipe import PipeError
from tidegate.secret_stores import Secret
from tidegate.secret_stores.memory import MemoryFiles, MemoryFolder, file_system, sweep

pytestmark = pytest.mark.requirement("secrets-stay-in")

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="platform: folders in memory are Linux' own")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@LINUX
def test_they_are_in_memory_and_the_owners_alone() -> None:
    files = MemoryFiles({"API_KEY": Secret(VALUE)})
    files.make()
    try:
        path = files.folder / "API_KEY"
        assert path.read_text() == VALUE
        assert (mode(files.folder), mode(path), file_system(path)) == (0o700, 0o400, "tmpfs")
    finally:
        files.remove()
    assert not files.folder.exists()


@LINUX
@pytest.mark.skipif(os.geteuid() != 0, reason="platform: only root can give a file away")
def test_they_can_be_anothers_alone() -> None:
    files = MemoryFiles({"API_KEY": Secret(VALUE)}, (65534, 65534))
    files.make()
    try:
        found = (files.folder / "API_KEY").stat()
        assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o400, 65534)
    finally:
        files.remove()


@LINUX
@pytest.mark.parametrize("remover", ["the next files", "the next launcher"])
def test_what_a_killed_process_and_its_keeper_left_is_removed_by_the_next(remover: str) -> None:
    program = (
        "import os, signal\nfrom tidegate.ends.launcher import keeper\n"
        "from tidegate.secret_stores import Secret\nfrom tidegate.secret_stores.memory import MemoryFiles\n"
        f"files = MemoryFiles({{'A': Secret('{VALUE}')}})\nfiles.make()\nprint(files.folder, flush=True)\n"
        "os.kill(keeper.pid, signal.SIGSTOP)\nos.kill(keeper.pid, signal.SIGKILL)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    left = Path(done.stdout.strip())
    assert left.exists(), done.stderr
    if remover == "the next files":
        mine = MemoryFiles({})
        mine.make()
        mine.remove()
    else:
        asyncio.run(launched_until_gone(left))
    assert not left.exists()


async def launched_until_gone(left: Path) -> None:
    """Run a launcher until it has removed what another left."""
    launcher = Launcher(Configured(None), Engine("unix:///nonexistent/engine.sock"))
    reaping = asyncio.create_task(launcher.reap())
    await until(lambda: not left.exists())
    reaping.cancel()
    await launcher.close()


@LINUX
@pytest.mark.parametrize("what", ["secrets", "streams"])
def test_a_folder_that_was_left_before_it_said_whose_it_is_goes_when_it_is_old(
    what: Literal["secrets", "streams"],
) -> None:
    mine = MemoryFolder(what)
    mine.make()
    old, young = (mine.folder.with_name(f"tidegate-{what}-{secrets.token_hex(8)}") for _ in range(2))
    others = mine.folder.with_name(f"tidegate-others-{secrets.token_hex(8)}")
    others.mkdir()
    os.utime(others, (0, 0))
    for folder in (old, young):
        folder.mkdir(mode=0o700)
    os.utime(old, (0, 0))
    sweep()
    assert not old.exists()
    assert young.exists()
    assert others.exists()
    young.rmdir()
    others.rmdir()
    mine.remove()


@LINUX
def test_what_a_killed_process_left_its_keeper_removes() -> None:
    program = (
        "import sys, time\nfrom tidegate.secret_stores import Secret\n"
        "from tidegate.secret_stores.memory import MemoryFiles\n"
        f"files = MemoryFiles({{'A': Secret('{VALUE}')}})\nfiles.make()\n"
        "print(files.folder, flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().decode().strip())
        assert left.exists()
        process.send_signal(signal.SIGKILL)
    asyncio.run(until(lambda: not left.exists()))


@LINUX
def test_what_another_living_process_has_stays() -> None:
    other = MemoryFiles({"A": Secret(VALUE)})
    other.make()
    assert lease.read((other.folder / "lease").read_text()) == lease.this_process()
    mine = MemoryFiles({})
    mine.make()
    mine.remove()
    assert (other.folder / "A").exists()
    other.remove()


def test_where_nothing_is_in_memory_nothing_is_written(tmp_path: Path) -> None:
    """In a process that may neither use /dev/shm nor /run/user: a mount namespace of its own hides them."""
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("platform: needs mount namespaces of root's own")
    program = (
        "from tidegate.ends.pipe import PipeError\nfrom tidegate.secret_stores import Secret\n"
        "from tidegate.secret_stores.memory import MemoryFiles\n"
        "try:\n    MemoryFiles({'A': Secret('x')}).make()\nexcept PipeError as error:\n    print(error)\n"
    )
    hide = f'mount --bind {tmp_path} /dev/shm && exec {sys.executable} -c "$0"'
    env = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", hide, program],
        capture_output=True,
        text=True,
        env=env,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == 'There is no folder in memory for its secrets: say secrets_as = "env".', done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_error_of_a_full_memory_says_no_value() -> None:
    files = MemoryFiles({"x" * 300: Secret(VALUE)})
    with pytest.raises(PipeError) as caught:
        files.make()
    assert VALUE not in json.dumps(str(caught.value))
    assert not files.folder.exists()
