"""The end of a local process: by itself, politely, by force, and whatever it does to escape it."""

import asyncio
import os
import time

import psutil
import pytest

from ends.programs import (
    COMET,
    DAEMON,
    DEAF,
    ECHO,
    FLOOD,
    PATIENCE,
    STUBBORN,
    gone,
    marked,
    python,
    receive,
    running,
    until,
)
from tidegate.ends.buffers import QUEUED
from tidegate.ends.launcher import keeper
from tidegate.ends.pipe import PipeError
from tidegate.ends.process import ProcessPipe

QUICK = 2.0  # seconds in which what must be quick is done, on a busy machine too


async def test_a_flood_that_nobody_takes_is_held_back_and_ended_quickly() -> None:
    pipe = ProcessPipe(python(FLOOD))
    await pipe.start()
    async with asyncio.timeout(PATIENCE):
        assert await pipe.receive() == b'{"flood":true}'
    await until(lambda: pipe._inbox.paused)
    assert pipe._inbox._held < 16 * QUEUED
    assert pipe.pid is not None
    process = psutil.Process(pipe.pid)
    begun = time.monotonic()
    await pipe.close()
    # It doesn't read its input, so it doesn't end with it; SIGTERM ends it.
    assert time.monotonic() - begun < 2 * QUICK
    assert not await gone([process])


async def test_a_sender_waits_for_a_process_that_doesnt_read_and_hears_of_the_close() -> None:
    async with running(python(DEAF), grace=0.1) as pipe:
        await receive(pipe)
        sent = 0

        async def send() -> None:
            nonlocal sent
            while True:
                await pipe.send(b'"' + b"x" * 65_534 + b'"')
                sent += 1

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await send()
        assert sent * 65_536 < 4 * QUEUED
        sending = asyncio.create_task(send())
        await asyncio.sleep(0)
        await pipe.close()
        with pytest.raises(PipeError, match="was closed"):
            await sending


async def test_a_polite_process_ends_with_its_input() -> None:
    pipe = ProcessPipe(python(ECHO))
    await pipe.start()
    assert pipe.pid is not None
    process = psutil.Process(pipe.pid)
    begun = time.monotonic()
    await pipe.close()
    assert time.monotonic() - begun < QUICK
    assert not process.is_running()
    with pytest.raises(PipeError, match="was closed"):
        await pipe.receive()
    with pytest.raises(PipeError, match="was closed"):
        await pipe.send(b"{}")


@pytest.mark.parametrize("program", [DEAF, STUBBORN])
async def test_an_impolite_process_is_ended_by_force(program: str) -> None:
    pipe = ProcessPipe(python(program), grace=0.2)
    await pipe.start()
    process = psutil.Process((await receive(pipe))["pid"])
    async with asyncio.timeout(PATIENCE):
        await pipe.close()
    assert not process.is_running()


@pytest.mark.requirement("no-orphans")
async def test_a_daemon_that_left_its_session_is_ended_with_its_pipe_and_others_stay() -> None:
    async with running(python(DAEMON)) as other:
        spared = psutil.Process((await receive(other))["pid"])
        pipe = ProcessPipe(python(DAEMON))
        await pipe.start()
        daemon = psutil.Process((await receive(pipe))["pid"])
        async with asyncio.timeout(PATIENCE):
            await pipe.close()
        assert not daemon.is_running()
        assert spared.is_running()
        await other.send(b"[2]")
        assert await receive(other) == [2]
    assert not spared.is_running()


@pytest.mark.requirement("no-orphans")
async def test_a_process_that_keeps_fleeing_into_its_own_children_is_caught() -> None:
    mark = f"comet-{os.getpid()}-{time.monotonic_ns()}"
    pipe = ProcessPipe(python(COMET, mark), grace=0.2)
    await pipe.start()
    assert await receive(pipe) == {"ready": True}
    async with asyncio.timeout(PATIENCE):
        await pipe.close()
    assert not marked(mark)


@pytest.mark.requirement("no-orphans")
async def test_a_close_that_is_cancelled_holds_all_the_same() -> None:
    pipe = ProcessPipe(python(STUBBORN), grace=30)
    await pipe.start()
    process = psutil.Process((await receive(pipe))["pid"])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await pipe.close()
    assert not await gone([process])
    async with asyncio.timeout(PATIENCE):
        await pipe.close()


@pytest.mark.requirement("no-orphans")
async def test_a_start_that_is_cancelled_at_any_point_leaves_nothing_behind() -> None:
    mark = f"cancelled-{os.getpid()}-{time.monotonic_ns()}"
    for steps in range(25):
        pipe = ProcessPipe(python(STUBBORN, mark))
        starting = asyncio.create_task(pipe.start())
        for _ in range(steps):
            await asyncio.sleep(0)
        starting.cancel()
        await asyncio.wait([starting])
        if not starting.cancelled():
            async with asyncio.timeout(PATIENCE):
                pipe._grace = 0.01
                await pipe.close()
    assert keeper.pid is not None
    helper = psutil.Process(keeper.pid)
    await until(lambda: not helper.children())  # what was on its way has come and gone again
    assert not marked(mark)


async def test_closing_twice_and_from_several_tasks_is_harmless() -> None:
    pipe = ProcessPipe(python(ECHO))
    await pipe.start()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(pipe.close() for _ in range(5)))
        await pipe.close()


async def test_closing_what_was_never_started_is_harmless() -> None:
    await ProcessPipe(["true"]).close()


async def test_closing_while_sending_and_receiving_ends_both() -> None:
    async with running(python(ECHO)) as pipe, asyncio.timeout(PATIENCE):

        async def send() -> None:
            while True:
                await pipe.send(b'{"a":"' + b"x" * 5000 + b'"}')

        async def take() -> None:
            while True:
                await pipe.receive()

        tasks = [asyncio.create_task(send()), asyncio.create_task(take())]
        for _ in range(200):
            await asyncio.sleep(0)
        await pipe.close()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [PipeError, PipeError]


async def test_fifty_processes_at_once_start_speak_and_end() -> None:
    pipes = [ProcessPipe(["cat"]) for _ in range(50)]
    async with asyncio.timeout(60):
        await asyncio.gather(*(pipe.start() for pipe in pipes))
        for number, pipe in enumerate(pipes):
            await pipe.send(b"[%d]" % number)
        assert [await receive(pipe) for pipe in pipes] == [[number] for number in range(50)]
        processes = [psutil.Process(pipe.pid or 0) for pipe in pipes]
        await asyncio.gather(*(pipe.close() for pipe in pipes))
    assert not any(process.is_running() for process in processes)
