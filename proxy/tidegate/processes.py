"""What a process and all below it use, as the kernel tells (proc(5)); nothing where there is no such thing."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_TICK_NS = 1_000_000_000 // (os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100)


def usage(pid: int) -> dict[str, int] | None:
    """Return what a process and its descendants use; None where that can't be seen.

    Returns:
        ``memory``: resident, in bytes; ``cpu_ns``: CPU time since their start, with that of descendants that have
        ended, in nanoseconds; ``pids``: how many processes these are.
    """
    if sys.platform != "linux":
        return None
    total = {"memory": 0, "cpu_ns": 0, "pids": 0}
    family = [pid]
    for member in family:
        with suppress(OSError, ValueError, IndexError):
            # After the name in parentheses: state is field 3, utime to cstime are 14 to 17, rss is 24.
            fields = (_PROC / str(member) / "stat").read_text().rpartition(")")[2].split()
            total["memory"] += int(fields[21]) * _PAGE
            total["cpu_ns"] += sum(int(field) for field in fields[11:15]) * _TICK_NS
            total["pids"] += 1
            family += _children(member)
    return total if total["pids"] else None


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in (_PROC / str(pid) / "task").iterdir():
        with suppress(OSError):
            found += [int(child) for child in (task / "children").read_text().split()]
    return found
