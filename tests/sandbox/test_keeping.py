"""Whatever ends Tidegate, the keeper or a shim: nothing of a server in a sandbox is left."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
import pytest

from ends.programs import DAEMON, DEAF, PATIENCE, STUBBORN, gone

pytestmark = pytest.mark.bubblewrap

PROMPT = 5.0  # seconds after which nothing may be left

# Starts servers in sandboxes as Tidegate does, says which processes there are, then waits.
PARENT = """
import asyncio, json, sys
from tidegate.ends.launcher import keeper
from tidegate.ends.process import ProcessPipe
from tidegate.sandbox.bubblewrap import Box

async def main():
    pipes = []
    for program in json.loads(sys.argv[1]):
        pipe = ProcessPipe([sys.executable, "-I", "-S", "-c", program], box=Box())
        await pipe.start()
        await pipe.receive()
        pipes.append(pipe)
    print(json.dumps({"keeper": keeper.pid, "servers": [pipe.pid for pipe in pipes]}), flush=True)
    await asyncio.sleep(1000)

asyncio.run(main())
"""


@asynccontextmanager
async def parent(
    *programs: str,
) -> AsyncIterator[tuple[asyncio.subprocess.Process, psutil.Process, set[psutil.Process]]]:
    """Run something like Tidegate; its process, its keeper's, and all that must not outlive it."""
    command = (sys.executable, "-c", PARENT, json.dumps(programs))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            said = json.loads(await process.stdout.readline())
        keeper = psutil.Process(said["keeper"])
        below = {keeper, *keeper.children(recursive=True)}
        assert len(below) >= 1 + 4 * len(programs)  # a shim, two of bubblewrap's, the server
        yield process, keeper, below
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT])
async def test_the_end_of_tidegate_is_the_end_of_all_its_sandboxes(number: signal.Signals) -> None:
    async with parent(DAEMON, STUBBORN, DEAF) as (process, _, below):
        process.send_signal(number)
        await process.wait()
        assert not await gone(below, within=PROMPT)


async def test_a_killed_shim_takes_the_sandbox_with_it() -> None:
    async with parent(DAEMON) as (_, keeper, below):
        (shim,) = keeper.children()
        shim.kill()
        assert not await gone(below - {keeper}, within=PROMPT)
        assert keeper.is_running()


async def test_keeper_and_tidegate_killed_at_once_leave_nothing() -> None:
    async with parent(DAEMON, STUBBORN) as (process, keeper, below):
        keeper.kill()
        process.kill()
        await process.wait()
        assert not await gone(below, within=PROMPT)


async def test_all_three_killed_at_once_leave_nothing_as_the_kernel_ends_the_namespace() -> None:
    async with parent(DAEMON) as (process, keeper, below):
        victims = [process.pid, keeper.pid, *(shim.pid for shim in keeper.children())]
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        await process.wait()
        assert not await gone(below, within=PROMPT)
