"""What the robustness tests see of processes from outside: memory, descriptors, descendants; and how they wait."""

import asyncio
import time
from collections.abc import Callable
from typing import Self, TypeVar

import psutil

DEADLINE = 30.0  # seconds until something awaited counts as never happening
LOOK = 0.02  # seconds between two looks at what can't be awaited
MB = 1024 * 1024

Found = TypeVar("Found")


async def until(look: Callable[[], Found], what: str, seconds: float = DEADLINE) -> Found:
    """Look again and again until something true is seen, and return that.

    Raises:
        AssertionError: where it isn't in time; with what was seen last.
    """
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"after {seconds} seconds not yet: {what} (last seen: {found!r})"
        await asyncio.sleep(LOOK)  # sleep: another process' state can't be awaited
    return found


def memory(pid: int) -> int:
    """Return the resident memory of a process, in bytes."""
    return int(psutil.Process(pid).memory_info().rss)


def descriptors(pid: int) -> int:
    """Return how many descriptors a process has open."""
    return int(psutil.Process(pid).num_fds())


def descendants(pid: int) -> set[psutil.Process]:
    """Return all processes below one; one that ended is never taken for another of the same number."""
    try:
        return set(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return set()


def running(script: str, *words: str) -> set[psutil.Process]:
    """Return the processes whose command line has a script and all the words in it."""
    found = set()
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
        except psutil.Error:
            continue  # gone by now
        if any(part.endswith(script) for part in line) and all(word in line for word in words):
            found.add(process)
    return found


def alive(processes: set[psutil.Process]) -> set[psutil.Process]:
    """Return those that still run; a zombie doesn't."""
    return {process for process in processes if process.is_running() and _status(process) != psutil.STATUS_ZOMBIE}


def _status(process: psutil.Process) -> str:
    try:
        return str(process.status())
    except psutil.NoSuchProcess:
        return psutil.STATUS_ZOMBIE


async def all_gone(processes: set[psutil.Process], seconds: float = DEADLINE) -> None:
    """Wait until none of them runs any more."""
    await until(lambda: not alive(processes), f"the end of {sorted(p.pid for p in processes)}", seconds)


class Peak:
    """Follows the memory of a process while a block runs.

    Attributes:
        before: what it was at the beginning, in bytes.
        most: the most that was seen, in bytes.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._task: asyncio.Task[None] | None = None
        self.before = self.most = memory(pid)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        self.most = max(self.most, memory(self._pid))

    @property
    def grown(self) -> int:
        """By how many bytes it was more than at the beginning, at most."""
        return self.most - self.before

    async def _follow(self) -> None:
        while True:
            self.most = max(self.most, memory(self._pid))
            await asyncio.sleep(LOOK)  # sleep: another process' memory can't be awaited
