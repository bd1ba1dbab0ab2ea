"""Where on this machine a value stands that should stand nowhere: processes, what commands print, files."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

SECONDS = 60
_MOST = 64 * 1024 * 1024
LINUX = sys.platform == "linux"


def processes(*values: str) -> list[int]:
    """The processes in whose environment or command line one of some values stands."""
    return [
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and any(_holds(read(folder / kind), values) for kind in ("environ", "cmdline"))
    ]


def printed(*command: str) -> str:
    """What a command prints, on either output."""
    done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
    return (done.stdout + done.stderr).decode(errors="replace")


def files(folders: Iterable[Path], *values: str, since: float = 0.0) -> list[Path]:
    """The files below some folders in which one of some values stands, mounts below them left out.

    Args:
        folders: where to look.
        values: what to look for.
        since: when they came into the world (`time.time()`): what wasn't touched after that can't hold them.
    """
    found = []
    for folder in folders:
        device = folder.stat().st_dev
        for top, below, names in os.walk(folder):
            below[:] = [name for name in below if _device(f"{top}/{name}") == device]
            found += [path for name in names if _holds(_touched(path := Path(top, name), since), values)]
    return found


def _holds(data: bytes, values: Iterable[str]) -> bool:
    return bool(data) and any(value.encode() in data for value in values)


def _touched(path: Path, since: float) -> bytes:
    try:
        return read(path) if path.lstat().st_ctime >= since - 1 else b""
    except OSError:
        return b""


def _device(path: str) -> int | None:
    try:
        return os.lstat(path).st_dev
    except OSError:
        return None


def read(path: Path) -> bytes:
    """What a file holds at its beginning; nothing where it can't be read, or is no file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return b""
    try:
        return os.read(descriptor, 1024 * 1024) if path.is_relative_to("/proc") else os.pread(descriptor, _MOST, 0)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
