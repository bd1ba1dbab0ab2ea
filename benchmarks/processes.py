"""Start the programs that are measured, and end them by their process id, whatever happens."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 30.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.02


class StartError(Exception):
    """A program that is to be measured didn't start; the text says which, and what it said."""


@dataclass(frozen=True, slots=True)
class Program:
    """One that serves: its base URL, and its process."""

    listen: str
    pid: int


@contextlib.contextmanager
def started(name: str, arguments: list[str], folder: Path) -> Iterator[Program]:
    """`python -m ARGUMENTS --ready-file …`, from when it serves until the block ends.

    Its output goes to `folder/NAME.log`. Raises StartError where it ends or doesn't serve in time.
    """
    ready, log = folder / f"{name}.ready.json", folder / f"{name}.log"
    command = [sys.executable, "-m", *arguments, "--ready-file", str(ready)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        yield _wait(name, process, ready, log)
    finally:
        _end(process)


def _wait(name: str, process: subprocess.Popen[bytes], ready: Path, log: Path) -> Program:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        # Tidegate's file and ours appear whole: each is written beside and renamed
        if ready.exists():
            said = json.loads(ready.read_text())
            return Program(said["listen"], said["pid"])
        time.sleep(POLL_SECONDS)
    tail = " | ".join(log.read_text(errors="replace").strip().splitlines()[-3:])
    raise StartError(f"{name} doesn't serve: {tail or 'it said nothing'}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, and make sure that it and its descendants do."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _, left = psutil.wait_procs(family, timeout=1.0)
    for member in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
