"""Work in processes that can be ended: results, failures by name alone, deadlines that hold whatever the work does."""

import asyncio
import contextlib
import math
import operator
import os
import pickle
import re
import signal
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from support.web import PATIENCE, until, within
from tidegate import offload, workers
from tidegate.workers import OffloadError, Pool

SECRET = "hunter2-is-not-for-logs"
ROOMY = 5.0  # seconds for what takes none: starting a worker on a busy machine takes some
EVIL = ("(a|aa)+$", "a" * 60 + "!")  # takes longer than anyone waits


@pytest_asyncio.fixture(autouse=True)
async def closing() -> AsyncIterator[None]:
    yield
    await workers.close()
    assert not children()


def children() -> list[psutil.Process]:
    """Return the workers of this process that live."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile
            if "tidegate.workers" in child.cmdline():
                found.append(child)
    return found


async def busy() -> psutil.Process:
    """Wait until there is a worker, and return it."""
    await until(children)
    return children()[0]


async def test_a_result_comes_back() -> None:
    assert await offload(operator.add, 2, 3, deadline=ROOMY) == 5
    assert await offload(sorted, [3, 1, 2], deadline=ROOMY) == [1, 2, 3]
    big = b"x" * 3_000_000
    assert await offload(bytes.upper, big, deadline=ROOMY) == big.upper()


async def test_work_runs_in_another_process_that_is_used_again() -> None:
    first = await offload(os.getpid, deadline=ROOMY)
    assert first != os.getpid()
    assert await offload(os.getpid, deadline=ROOMY) == first


@pytest.mark.requirement("secrets-stay-in")
async def test_an_exception_comes_back_by_its_name_alone(capfd: pytest.CaptureFixture[str]) -> None:
    for work, name in ((int, "ValueError"), (sys.exit, "SystemExit"), (Path.read_bytes, "AttributeError")):
        with pytest.raises(OffloadError) as caught:
            await offload(work, SECRET, deadline=ROOMY)
        assert (str(caught.value), caught.value.__cause__) == (name, None)
    assert SECRET not in "".join(capfd.readouterr())


async def test_what_can_not_be_sent_back_is_a_failure() -> None:
    with pytest.raises(OffloadError, match="TypeError"):
        await offload(compile, "1", "name", "eval", deadline=ROOMY)
    assert await offload(math.sqrt, 4.0, deadline=ROOMY) == 2.0


async def test_what_the_work_prints_is_not_taken_for_its_result(capfd: pytest.CaptureFixture[str]) -> None:
    await offload(print, "\x00" * 20, deadline=ROOMY)
    assert await offload(os.write, 1, b"\xff" * 20, deadline=ROOMY) == 20
    assert await offload(operator.add, 1, 1, deadline=ROOMY) == 2
    assert not capfd.readouterr().out


@pytest.mark.requirement("broken-is-denied")
@pytest.mark.parametrize(("work", "given"), [(re.search, EVIL), (time.sleep, (60,))])
async def test_work_that_is_late_is_ended_and_the_event_loop_goes_on_meanwhile(
    work: Callable[..., object], given: tuple[object, ...]
) -> None:
    assert await offload(operator.add, 1, 1, deadline=ROOMY) == 2
    worker = await busy()
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.001)  # sleep: what is counted
            turns += 1

    turning = asyncio.create_task(turn())
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        await offload(work, *given, deadline=0.3)
    assert 0.3 <= time.monotonic() - began < 0.3 + ROOMY
    assert turns > 20
    turning.cancel()
    assert not worker.is_running()
    assert await offload(operator.add, 1, 1, deadline=ROOMY) == 2


async def test_no_more_workers_run_than_the_bound_and_who_waits_for_one_is_on_the_clock() -> None:
    pool = Pool(2)
    held = [asyncio.create_task(pool.run(_work(time.sleep, 30), 30)) for _ in range(2)]
    await until(lambda: len(children()) == 2)
    with pytest.raises(TimeoutError):
        await pool.run(_work(operator.add, 1, 1), 0.2)
    assert len(children()) == 2
    for task in held:
        task.cancel()
    await asyncio.wait(held)
    assert await pool.run(_work(operator.add, 1, 1), ROOMY) == 2
    await pool.close()


def _work(function: object, *args: object) -> bytes:
    return pickle.dumps((function, args, 30.0))


async def test_many_pieces_of_work_take_turns_and_none_gets_the_others_result() -> None:
    results = await within(asyncio.gather(*(offload(operator.mul, n, n, deadline=30.0) for n in range(100))))
    assert results == [n * n for n in range(100)]
    assert len(children()) <= workers.WORKERS


async def test_a_cancelled_caller_ends_its_worker_and_gives_its_place_back() -> None:
    task = asyncio.create_task(offload(time.sleep, 60, deadline=60))
    worker = await busy()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(task)
    assert not worker.is_running()
    for _ in range(workers.WORKERS + 1):
        assert await offload(operator.add, 1, 1, deadline=ROOMY) == 2


async def test_a_worker_that_dies_fails_its_work_and_no_other() -> None:
    with pytest.raises(OffloadError, match="the worker process ended"):
        await offload(os._exit, 1, deadline=ROOMY)
    task = asyncio.create_task(offload(time.sleep, 60, deadline=60))
    (await busy()).kill()
    with pytest.raises(OffloadError, match="the worker process ended"):
        await within(task)
    assert await offload(operator.add, 1, 1, deadline=ROOMY) == 2


async def test_an_idle_worker_that_dies_is_replaced() -> None:
    pid = await offload(os.getpid, deadline=ROOMY)
    psutil.Process(pid).kill()
    await until(lambda: not children())
    with contextlib.suppress(OffloadError):  # where its end isn't noticed yet
        assert await offload(os.getpid, deadline=ROOMY) != pid
    assert await offload(os.getpid, deadline=ROOMY) != pid


async def test_closing_ends_all_workers_and_fails_what_they_do() -> None:
    task = asyncio.create_task(offload(time.sleep, 60, deadline=60))
    await busy()
    await within(workers.close())
    with pytest.raises(OffloadError, match="the worker process ended"):
        await within(task)
    assert not children()
    await workers.close()  # twice does no harm
    assert await offload(operator.add, 1, 1, deadline=ROOMY) == 2


async def test_an_interrupt_from_the_keyboard_is_not_the_workers_business() -> None:
    pid = await offload(os.getpid, deadline=ROOMY)
    os.kill(pid, signal.SIGINT)
    assert await offload(os.getpid, deadline=ROOMY) == pid


async def test_nothing_is_imported_from_the_folder_it_runs_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pickle", "asyncio", "signal", "tidegate"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not to be imported')")
    monkeypatch.chdir(tmp_path)
    assert await offload(operator.add, 1, 1, deadline=ROOMY) == 2


UNDER_UVLOOP = """
    import operator, re, psutil, uvloop
    from tidegate import offload, workers

    async def main():
        assert await offload(operator.add, 1, 1, deadline=30.0) == 2
        try:
            await offload(re.search, {pattern!r}, {text!r}, deadline=0.2)
        except TimeoutError:
            assert not psutil.Process().children()
            assert await offload(operator.add, 1, 1, deadline=30.0) == 2
            await workers.close()
            assert not psutil.Process().children()
            print("well")

    uvloop.run(main())
"""


async def test_all_of_it_holds_under_tidegates_own_event_loop() -> None:
    source = textwrap.dedent(UNDER_UVLOOP.format(pattern=EVIL[0], text=EVIL[1]))
    done = await asyncio.create_subprocess_exec(sys.executable, "-c", source, stdout=asyncio.subprocess.PIPE)
    assert await within(done.communicate()) == (b"well\n", None)


PARENT = """
    import asyncio, os, re
    from tidegate import offload

    async def main():
        print(await offload(os.getpid, deadline=30.0), flush=True)
        if {deadline}:
            await asyncio.gather(offload(re.search, {pattern!r}, {text!r}, deadline={deadline}), told())
        await asyncio.sleep(60)

    async def told():
        await asyncio.sleep(0)
        print("busy", flush=True)

    asyncio.run(main())
"""


@pytest.mark.requirement("no-orphans")
@pytest.mark.parametrize("deadline", [0, 1.0])
async def test_no_worker_outlives_a_tidegate_that_is_killed(deadline: float) -> None:
    """An idle one sees the end of its input. One in the midst of a regular expression can't; its timer ends it."""
    source = textwrap.dedent(PARENT.format(deadline=deadline, pattern=EVIL[0], text=EVIL[1]))
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", source, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    worker = psutil.Process(int(await within(parent.stdout.readline())))
    if deadline:
        assert await within(parent.stdout.readline()) == b"busy\n"
        before = worker.cpu_times().user
        await until(lambda: worker.cpu_times().user > before + 0.05)
    parent.kill()
    await parent.wait()
    await asyncio.to_thread(worker.wait, PATIENCE)
