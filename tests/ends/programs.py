"""Programs that the tests of transports start, and how to see that nothing of them is left."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from tidegate.ends.pipe import Pipe
from tidegate.ends.process import ProcessPipe

PATIENCE = 20.0  # seconds for what should take a fraction of one

ECHO = """
import sys
for line in sys.stdin.buffer:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
"""

# Ends neither with its input nor with SIGTERM.
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('{"pid": %d}' % os.getpid(), flush=True)
while True:
    time.sleep(60)
"""

# Ends with SIGTERM alone.
DEAF = """
import os, time
print('{"pid": %d}' % os.getpid(), flush=True)
while True:
    time.sleep(60)
"""

# Starts a process that leaves its group, its session and its parent, closes everything and ignores signals.
DAEMON = """
import os, signal, sys, time
heard, sayer = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.write(sayer, str(os.getpid()).encode())
    os.closerange(0, 3)
    while True:
        time.sleep(60)
os.wait()
print('{"pid": %s}' % os.read(heard, 20).decode(), flush=True)
for line in sys.stdin.buffer:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
"""

# Goes on as its own child again and again, each time in a session of its own.
COMET = """
import os, time
print('{"ready": true}', flush=True)
while True:
    if os.fork():
        os._exit(0)
    os.setsid()
    time.sleep(0.0002)
"""

# Writes valid lines as fast as it can.
FLOOD = """
import os
lines = b'{"flood":true}\\n' * 4096
while True:
    os.write(1, lines)
"""


def python(source: str, *arguments: str) -> list[str]:
    """The command that runs a program."""
    return [sys.executable, "-I", "-S", "-c", source, *arguments]


@asynccontextmanager
async def running(
    command: Sequence[str],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    max_bytes: int = 4 * 1024 * 1024,
    grace: float = 2.0,
) -> AsyncIterator[ProcessPipe]:
    pipe = ProcessPipe(command, env, cwd, max_bytes, grace)
    try:
        async with asyncio.timeout(PATIENCE):
            await pipe.start()
        yield pipe
    finally:
        async with asyncio.timeout(PATIENCE):
            await pipe.close()


async def receive(pipe: Pipe) -> Any:
    """The next JSON value from a pipe."""
    async with asyncio.timeout(PATIENCE):
        return json.loads(await pipe.receive())


async def gone(processes: Iterable[psutil.Process], within: float = PATIENCE) -> list[psutil.Process]:
    """Wait until processes have ended; return those that haven't."""
    return (await asyncio.to_thread(psutil.wait_procs, list(processes), timeout=within))[1]


async def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until something is so that nobody tells of: it is looked at again and again."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.001)


def marked(mark: str) -> list[psutil.Process]:
    """The processes that have a word among their arguments."""
    found = []
    for process in psutil.process_iter():
        try:
            if mark in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found
