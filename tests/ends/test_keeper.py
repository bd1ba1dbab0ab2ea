"""Whatever ends Tidegate, the keeper or a shim: nothing that was started is left."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from ends.programs import DAEMON, DEAF, ECHO, PATIENCE, STUBBORN, gone, python, receive, until
from tidegate.ends.launcher import Keeper, keeper
from tidegate.ends.pipe import PipeError
from tidegate.ends.process import ProcessPipe

PROMPT = 5.0  # seconds after which nothing may be left

# Starts servers as Tidegate does, says which processes there are, then waits, or ends as it is told.
PARENT = """
import asyncio, json, os, sys
from pathlib import Path
from tidegate.ends.launcher import keeper
from tidegate.ends.process import ProcessPipe

async def main():
    said = {"keeper": 0, "servers": [], "others": []}
    pipes = []
    for program in json.loads(sys.argv[1]):
        pipe = ProcessPipe([sys.executable, "-I", "-S", "-c", program])
        await pipe.start()
        pipes.append(pipe)
        said["servers"].append(pipe.pid)
        said["others"].append(json.loads(await pipe.receive())["pid"])
    for path in sys.argv[2:]:
        keeper.note_path(Path(path))
    said["keeper"] = keeper.pid
    print(json.dumps(said), flush=True)
    order = await asyncio.to_thread(sys.stdin.readline)
    if order == "crash\\n":
        os.abort()
    if order == "leave\\n":
        os._exit(0)
    if order == "raise\\n":
        raise SystemExit(1)
    await asyncio.sleep(1000)

if os.environ.get("LOOP") == "uvloop":
    import uvloop
    uvloop.run(main())
else:
    asyncio.run(main())
"""

Started = tuple[asyncio.subprocess.Process, psutil.Process, list[psutil.Process]]


@asynccontextmanager
async def parent(*programs: str, paths: tuple[Path, ...] = ()) -> AsyncIterator[Started]:
    """Run something like Tidegate; its process, its keeper's, and all that must not outlive it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, json.dumps(programs), *map(str, paths)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"LOOP": type(asyncio.get_running_loop()).__module__.partition(".")[0]},
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            said = json.loads(await process.stdout.readline())
        helper = psutil.Process(said["keeper"])
        below = {*helper.children(recursive=True), *map(psutil.Process, said["servers"] + said["others"])}
        assert len(below) >= 2 * len(programs)
        yield process, helper, [helper, *below]
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.requirement("no-orphans")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
async def test_nothing_outlives_a_killed_tidegate(number: signal.Signals) -> None:
    async with parent(STUBBORN, DAEMON, DEAF) as (process, _, started):
        process.send_signal(number)
        assert not await gone(started, PROMPT)


@pytest.mark.requirement("no-orphans")
@pytest.mark.parametrize("order", ["crash", "leave", "raise"])
async def test_nothing_outlives_a_tidegate_that_ends_without_tidying_up(order: str) -> None:
    async with parent(STUBBORN, DAEMON) as (process, _, started):
        assert process.stdin is not None
        process.stdin.write(f"{order}\n".encode())
        assert not await gone(started, PROMPT)


@pytest.mark.requirement("no-orphans")
async def test_nothing_outlives_a_tidegate_whose_keeper_was_killed_first() -> None:
    async with parent(STUBBORN, DAEMON) as (process, helper, started):
        helper.kill()
        assert not await gone([helper])
        process.kill()
        assert not await gone(started, PROMPT)


@pytest.mark.requirement("no-orphans")
async def test_nothing_outlives_a_killed_shim() -> None:
    async with parent(STUBBORN, DAEMON) as (_, helper, started):
        shims = helper.children()
        assert len(shims) == 2
        for shim in shims:
            shim.kill()
        assert not await gone([process for process in started if process != helper], PROMPT)
        assert helper.is_running()


@pytest.mark.requirement("no-orphans")
async def test_the_keeper_ignores_what_ends_others() -> None:
    async with parent(STUBBORN) as (process, helper, started):
        shims = helper.children()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            for one in (helper, *shims):
                one.send_signal(number)
        assert all(one.is_running() for one in started)
        assert len({os.getsid(one.pid) for one in (helper, *shims)} - {os.getsid(process.pid)}) == 1
        process.kill()
        assert not await gone(started, PROMPT)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.requirement("no-orphans")
async def test_files_of_a_killed_tidegate_are_removed(tmp_path: Path) -> None:
    file, folder, link, kept = tmp_path / "file", tmp_path / "folder", tmp_path / "link", tmp_path / "kept"
    file.write_text("1")
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file").write_text("1")
    kept.mkdir()
    link.symlink_to(kept)
    async with parent(paths=(file, folder, link, tmp_path / "never was")) as (process, helper, _):
        process.kill()
        assert not await gone([helper], PROMPT)
    assert names(tmp_path) == ["kept"]


async def test_a_forgotten_file_is_not_removed(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("1")
    own = Keeper()
    own.note_path(file)
    own.forget_path(file)
    assert own.pid is not None
    helper = psutil.Process(own.pid)
    own.forked()  # lets go of the keeper, as a fork does
    assert not await gone([helper], PROMPT)
    assert file.exists()


@pytest.mark.requirement("no-orphans")
async def test_a_killed_keeper_is_replaced_and_knows_what_the_first_knew(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("1")
    own = Keeper()
    own.note_path(file)
    assert own.pid is not None
    first = psutil.Process(own.pid)
    first.kill()
    assert not await gone([first])
    own.note_path(tmp_path / "other")  # needs one, so there is one again
    second = psutil.Process(own.pid)
    assert second != first
    own.forked()
    assert not await gone([second], PROMPT)
    assert not file.exists()


@pytest.mark.requirement("no-orphans")
async def test_a_killed_keeper_is_replaced_before_it_is_needed(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("1")
    own = Keeper()
    own.note_path(file)
    first = psutil.Process(own.pid or 0)
    assert await gone([first], within=1.5) == [first]  # it has lived for a while
    first.kill()
    assert not await gone([first])
    await until(lambda: own.pid not in (None, first.pid))
    second = psutil.Process(own.pid or 0)
    own.forked()
    assert not await gone([second], PROMPT)
    assert not file.exists()


async def test_servers_go_on_without_their_keeper_and_new_ones_can_be_started() -> None:
    first, second = ProcessPipe(python(ECHO)), ProcessPipe(python(ECHO))
    await first.start()
    assert keeper.pid is not None
    helper = psutil.Process(keeper.pid)
    helper.kill()
    assert not await gone([helper])
    await first.send(b"[1]")
    assert await receive(first) == [1]
    async with asyncio.timeout(PATIENCE):
        await second.start()
        await second.send(b"[2]")
        assert await receive(second) == [2]
        assert keeper.pid != helper.pid
        servers = [psutil.Process(pipe.pid or 0) for pipe in (first, second)]
        await first.close()
        await second.close()
    assert not any(server.is_running() for server in servers)


async def test_a_killed_shim_ends_its_pipe() -> None:
    pipe = ProcessPipe(python(ECHO))
    await pipe.start()
    assert pipe.pid is not None
    shim = psutil.Process(pipe.pid).parent()
    assert shim is not None
    shim.kill()
    with pytest.raises(PipeError, match="was ended by SIGKILL"):
        await receive(pipe)
    async with asyncio.timeout(PATIENCE):
        await pipe.close()


async def test_one_keeper_serves_a_whole_process_and_holds_no_secret() -> None:
    pipes = [ProcessPipe(python(ECHO), env={"API_KEY": "a secret of one server"}) for _ in range(3)]
    async with asyncio.timeout(PATIENCE):
        for pipe in pipes:
            await pipe.start()
        assert keeper.pid is not None
        helper = psutil.Process(keeper.pid)
        shims = helper.children()
        for one in (helper, *shims):
            assert "a secret of one server" not in str(one.environ()) + str(one.cmdline())
        assert {child.pid for shim in shims for child in shim.children()} >= {pipe.pid for pipe in pipes}
        for pipe in pipes:
            await pipe.close()
        await until(lambda: not helper.children())


# Python 3.12 and later warn of forks beside threads: what the fork does here is safe.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
async def test_a_fork_leaves_the_keeper_to_its_parent() -> None:
    pipe = ProcessPipe(python(ECHO))
    await pipe.start()
    heard, sayer = os.pipe()
    forked = os.fork()
    if forked == 0:
        os.write(sayer, str(keeper.pid).encode())
        os._exit(0)
    await asyncio.to_thread(os.waitpid, forked, 0)
    assert os.read(heard, 100) == b"None"
    os.close(heard)
    os.close(sayer)
    await pipe.send(b"[1]")
    assert await receive(pipe) == [1]
    async with asyncio.timeout(PATIENCE):
        await pipe.close()


async def test_a_keeper_that_hangs_is_replaced_without_removing_anything(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("1")
    own = Keeper()
    own.note_path(file)
    assert own.pid is not None
    first = psutil.Process(own.pid)
    first.suspend()
    for number in range(20_000):  # more than the socket to it takes
        own.note_path(tmp_path / f"none-{number}")
        if own.pid != first.pid:
            break
    else:
        pytest.fail("the keeper that hangs was never given up")
    assert not await gone([first])
    assert file.exists()
    second = psutil.Process(own.pid)
    own.forked()
    assert not await gone([second], PROMPT)
    assert not file.exists()
