"""What an attempt is, and how one is carried out: in a process of its own, so that it may be killed for it."""

import errno
import os
import platform
import select
import signal
from collections.abc import Callable
from contextlib import suppress
from ctypes import CDLL, get_errno
from dataclasses import dataclass

SECONDS = 20.0

_libc = CDLL(None, use_errno=True)
_machine = platform.machine()


@dataclass(frozen=True)
class Attempt:
    """One thing that is tried.

    Attributes:
        tries: what, for the documentation.
        held_by: what contains it, for the documentation.
        outcomes: the ways in which it may end; anything else is an escape.
        run: tries it; returns how it ended, or raises an OSError.
    """

    tries: str
    held_by: str
    outcomes: tuple[str, ...]
    run: Callable[[], str | None]


ATTEMPTS: dict[str, Attempt] = {}


def attempt(tries: str, held_by: str, *outcomes: str) -> Callable[[Callable[[], str | None]], Callable[[], str | None]]:
    """Make a function an attempt, called as the function is."""

    def made(run: Callable[[], str | None]) -> Callable[[], str | None]:
        ATTEMPTS[run.__name__.strip("_")] = Attempt(tries, held_by, outcomes, run)
        return run

    return made


def syscall(on_x86: int, on_arm: int, *arguments: object) -> int:
    """Make a system call by its number on either architecture.

    Raises:
        OSError: where it fails.
    """
    got = int(_libc.syscall(on_x86 if _machine == "x86_64" else on_arm, *arguments))
    if got == -1:
        raise OSError(get_errno(), "failed")
    return got


def write(path: str, text: str = "1") -> None:
    """Write to a file that is there."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def carried_out(run: Callable[[], str | None]) -> str:
    """Return how a function ends in a process of its own: what it returns, an errno's name, or a signal's."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        os.close(reading)
        os.write(writing, _outcome(run).encode())
        os._exit(0)
    os.close(writing)
    told = os.read(reading, 4096) if select.select([reading], [], [], SECONDS)[0] else b"hangs"
    os.close(reading)
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if told:
        return told.decode()
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}"


def _outcome(run: Callable[[], str | None]) -> str:
    try:
        return run() or "done"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, f"{type(error).__name__} {error.errno}")
    except MemoryError:
        return "ENOMEM"
    except (ValueError, RuntimeError) as error:  # of the standard library, about limits and threads
        return type(error).__name__
