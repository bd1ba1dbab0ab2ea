"""Who a container belongs to: a lease names one process, so that anyone can tell later whether it still lives."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")


class Lease(NamedTuple):
    """One process of one machine, for good: the number of a process that ended may come to mean another.

    Attributes:
        machine: the machine's id, or "" where it has none.
        boot: the id of the machine's present run, or "".
        space: the process' PID namespace, or "" where there are none.
        host: its host name; inside a container that is the container's id, unless it was given another.
        pid: its process ID.
        born: when it started, as the system counts it.
    """

    machine: str
    boot: str
    space: str
    host: str
    pid: int
    born: str

    def __str__(self) -> str:
        return json.dumps(list(self), separators=(",", ":"))

    @property
    def alive(self) -> bool | None:
        """Whether its process still lives; None where that can't be seen from here."""
        here = this_process()
        if self.boot != here.boot:
            return False if self.machine and self.machine == here.machine else None
        if self.space != here.space or not (self.boot or self.host == here.host):
            return None
        return bool(self.born) and _born(self.pid) == self.born

    @property
    def beside(self) -> bool:
        """Whether its process is, or was, in another PID namespace of this machine's present run."""
        here = this_process()
        return bool(self.boot) and self.boot == here.boot and self.space != here.space


@cache
def _of(pid: int) -> Lease:
    return Lease(
        _text(Path("/etc/machine-id")),
        _text(_PROC / "sys/kernel/random/boot_id"),
        _link(_PROC / "self/ns/pid"),
        socket.gethostname(),
        pid,
        _born(pid),
    )


def this_process() -> Lease:
    """Return the lease of this process."""
    return _of(os.getpid())


def read(text: str) -> Lease | None:
    """Return the lease that a text was made of, or None if it was not made of one."""
    try:
        machine, boot, space, host, pid, born = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None
    words = (machine, boot, space, host, born)
    if not isinstance(pid, int) or not all(isinstance(word, str) for word in words):
        return None
    return Lease(machine, boot, space, host, pid, born)


def _born(pid: int) -> str:
    """Return when a process started; "" if there is none (proc(5), starttime), or if it is a zombie."""
    if sys.platform != "linux":
        shown = subprocess.run(  # noqa: S603 - a fixed program, and a number
            ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return shown.stdout.strip()
    fields = _text(_PROC / str(pid) / "stat").rpartition(")")[2].split()
    return "" if not fields or fields[0] in "ZX" else fields[19]


def _text(path: Path) -> str:
    with suppress(OSError):
        return path.read_text().strip()
    return ""


def _link(path: Path) -> str:
    with suppress(OSError):
        return str(path.readlink())
    return ""
