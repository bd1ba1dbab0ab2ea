"""Bad ways to end, or not to: what the host does then is the test's to see."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Ending:
    """One bad way to end.

    Attributes:
        tries: what, for the documentation.
        held_by: what sees to its end, for the documentation.
        run: does it.
    """

    tries: str
    held_by: str
    run: Callable[[], None]


ENDINGS: dict[str, Ending] = {}
REMOVED = "removed by force"


def ending(tries: str, held_by: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Make a function an ending, called as the function is."""

    def made(run: Callable[[], None]) -> Callable[[], None]:
        ENDINGS[run.__name__] = Ending(tries, held_by, run)
        return run

    return made


def ready() -> None:
    os.write(1, b"[1]\n")


def linger() -> None:
    while True:
        time.sleep(60)  # sleep: that is what it is bad at ending


@contextmanager
def deaf() -> Iterator[None]:
    for number in range(1, 65):
        if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
            signal.signal(number, signal.SIG_IGN)
    yield


@ending("ignore every signal and the end of its input", REMOVED)
def ignores_signals() -> None:
    with deaf():
        ready()
        linger()


@ending("write without end to output that nobody reads", "its streams are cut first, then removed by force")
def floods() -> None:
    ready()
    with deaf():
        while True:
            os.write(1, b'"' + b"x" * 60_000 + b'"\n')


@ending("close its streams and live on", REMOVED)
def closes_streams() -> None:
    ready()
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    linger()


@ending(
    "leave a process behind that has left its group and session (double fork)",
    "a container ends with its first process",
)
def leaves_a_process() -> None:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            with deaf():
                linger()
        os._exit(0)
    os.wait()
    ready()
    sys.exit(0)


@ending("leave dead children uncollected until no process can be started", REMOVED)
def zombies() -> None:
    try:
        while True:
            if os.fork() == 0:
                os._exit(0)
    except BlockingIOError:
        ready()
    linger()


@ending("stop all processes but itself", REMOVED)
def stops_the_others() -> None:
    ready()
    os.kill(-1, signal.SIGSTOP)
    linger()
