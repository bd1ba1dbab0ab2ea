"""Runs slow or runaway work in a pool of worker processes that can be killed.

Neither a thread nor ``asyncio.timeout`` can stop a backtracking regular expression that holds the interpreter's
lock; ending the process that runs it can.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sys
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

WORKERS = max(1, min(4, (os.cpu_count() or 2) - 1))
"""How many workers run at most; they start when they are first needed."""

_LENGTH = 8
_SURPLUS = 1.0  # seconds after its deadline until a worker ends by itself, should Tidegate not be there to end it


class OffloadError(Exception):
    """Work in a worker failed; the text is the name of the exception's class, never its message."""


class _Worker:
    """One process that runs one piece of work at a time."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._over = False

    async def run(self, work: bytes) -> tuple[bool, Any]:
        process = self._process
        if process is None or process.returncode is not None:
            process = self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # the working folder may be anyone's, so nothing is imported from there
                "-m",
                "tidegate.workers",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        if self._over:  # ended while it started
            raise BrokenPipeError
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(len(work).to_bytes(_LENGTH, "big") + work)
        await process.stdin.drain()
        size = int.from_bytes(await process.stdout.readexactly(_LENGTH), "big")
        answer: tuple[bool, Any] = pickle.loads(await process.stdout.readexactly(size))  # noqa: S301 - our own worker's
        return answer

    async def end(self) -> None:
        """End it for good."""
        self._over = True
        await self.kill()

    async def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.wait()


class Pool:
    """A bounded number of workers; who comes when all are busy waits, and its deadline runs on."""

    def __init__(self, size: int = WORKERS) -> None:
        self._idle = [_Worker() for _ in range(size)]
        self._all = tuple(self._idle)
        self._free = asyncio.Semaphore(size)

    async def run(self, work: bytes, deadline: float) -> Any:
        """Run pickled work; see :func:`offload`."""
        async with asyncio.timeout(deadline):
            await self._free.acquire()
            worker = self._idle.pop()
            done = False
            try:
                good, value = await worker.run(work)
                done = True
            except (asyncio.IncompleteReadError, ConnectionError, BrokenPipeError):
                raise OffloadError("the worker process ended") from None
            finally:
                try:
                    if not done:  # late, cancelled or dead: its state is unknown, so it doesn't live on
                        await worker.kill()
                finally:
                    self._idle.append(worker)
                    self._free.release()
        if not good:
            raise OffloadError(value)
        return value

    async def close(self) -> None:
        """End all workers."""
        for worker in self._all:
            await worker.end()


_pools: dict[int, tuple[asyncio.AbstractEventLoop, Pool]] = {}


async def offload(function: Callable[..., T], *args: Any, deadline: float = 1.0) -> T:
    """Run a function in a worker process, and end that process if it takes too long.

    Args:
        function: a function of a module's top level; it is found by name in the worker.
        args: its arguments, which can be pickled.
        deadline: how long it may take, waiting for a worker included, in seconds.

    Raises:
        TimeoutError: if it took longer; its worker is killed.
        OffloadError: if it raised, or its worker died.
    """
    loop = asyncio.get_running_loop()
    key = id(loop)
    if key not in _pools or _pools[key][0] is not loop:
        _pools[key] = (loop, Pool())
    result: T = await _pools[key][1].run(pickle.dumps((function, args, deadline)), deadline)
    return result


async def close() -> None:
    """End the workers of the running event loop."""
    found = _pools.pop(id(asyncio.get_running_loop()), None)
    if found is not None:
        await found[1].close()


def _serve() -> None:
    """The worker: read work, run it, write the result, until the input ends.

    The kernel's timer ends it where its work is late and Tidegate is gone: no code of Python's has to run for that.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for Tidegate, which then ends its workers
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    source, sink = sys.stdin.buffer, os.dup(1)
    os.dup2(2, 1)  # what the work prints must not look like a result
    while head := source.read(_LENGTH):
        try:
            work = source.read(int.from_bytes(head, "big"))
            function, args, deadline = pickle.loads(work)  # noqa: S301 - our own parent's
            signal.setitimer(signal.ITIMER_REAL, deadline + _SURPLUS)
            answer = pickle.dumps((True, function(*args)))
        except BaseException as error:  # noqa: BLE001 - all of it goes back as a failure, by name only
            answer = pickle.dumps((False, type(error).__name__))
        signal.setitimer(signal.ITIMER_REAL, 0)
        if not _written(sink, len(answer).to_bytes(_LENGTH, "big") + answer):
            return


def _written(sink: int, data: bytes) -> bool:
    """Write all of an answer; return whether there is anyone to read it."""
    left = memoryview(data)
    try:
        while left:
            left = left[os.write(sink, left) :]
    except BrokenPipeError:
        return False
    return True


if __name__ == "__main__":
    _serve()
