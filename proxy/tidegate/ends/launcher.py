"""Tidegate's side of the keeper (see ``keeper.py``): starts processes that can't outlive Tidegate.

There is one keeper for each process that asks for one. It needs no closing: it ends with the process, however that
ends.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tidegate.ends import descriptors
from tidegate.ends.keeper import LENGTH
from tidegate.ends.pipe import PipeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tidegate.ends.keeper import Engine

_PROGRAM = "import sys; sys.path.append(sys.argv[1]); import keeper; sys.path.pop(); keeper.main()"
"""Runs ``keeper.py`` as a module: what was compiled before is used, which spares its process a megabyte."""
_SETTLED = 1.0  # seconds after which a keeper that ended is replaced at once; one that can't live isn't, until needed
_KEPT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # what finding the interpreter and its libraries may need
_SENTENCES = {
    errno.ENOENT: "no such program",
    errno.EACCES: "it can't be executed (permission denied)",
    errno.ENOEXEC: "it is not a program this system can run",
    errno.E2BIG: "its arguments and environment are too long",
}


class Child(asyncio.Protocol):
    """A started process, and everything it starts in turn.

    Attributes:
        pid: its process ID, which is its process group and session too.
        exited: its return code once it has ended: an exit code, or minus a signal's number.
        gone: done when nothing of it is left.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.pid = 0
        self.exited: asyncio.Future[int] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()
        self.answered: asyncio.Future[str] = loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket to the shim."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of asyncio's

    def data_received(self, data: bytes) -> None:
        """Hear the shim: ``started PID``, ``failed STAGE ERRNO``, ``exited STATUS``."""
        *lines, self._heard = (self._heard + data).split(b"\n")
        for line in lines:
            word, _, rest = line.decode().partition(" ")
            if word == "exited":
                self.exited.set_result(int(rest))
            elif not self.answered.done():
                self.answered.set_result(f"{word} {rest}")

    def eof_received(self) -> bool:
        """The shim has ended."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """The shim has ended, so nothing is left."""
        if not self.answered.done():
            self.answered.set_result("failed keeper 0")
        if not self.exited.done():
            self.exited.set_result(-signal.SIGKILL)  # the shim was killed, and the kernel killed its server
        if not self.gone.done():
            self.gone.set_result(None)

    def ask(self, request: bytes) -> None:
        """Send the shim its request."""
        assert self._transport is not None
        self._transport.write(request)

    def terminate(self) -> None:
        """Send SIGTERM to its process group, or to what is in its box, if it still runs."""
        if self._transport is not None and not self.exited.done():
            self._transport.write(b"T")

    def kill(self) -> None:
        """Kill it and all its descendants. Returns at once; :attr:`gone` tells when it's done."""
        if self._transport is not None and not self._transport.is_closing() and self._transport.can_write_eof():
            with suppress(OSError):
                self._transport.write_eof()

    def abandon(self) -> None:
        """Kill as :meth:`kill` does, and hear no more of it."""
        if self._transport is not None:
            self._transport.abort()


class Keeper:
    """The keeper of this process, started when it is first needed and again should it end."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._socket: socket.socket | None = None
        self._pid = 0
        self._notes: dict[tuple[str, str], list[Any]] = {}

    @property
    def pid(self) -> int | None:
        """Its process ID, while there is one."""
        with self._lock:
            return self._pid or None

    def start(self, control: socket.socket) -> None:
        """Have a shim started that talks over ``control``.

        Raises:
            PipeError: where the keeper can't be started, or doesn't listen.
        """
        self._order(["start"], control.fileno())

    def note_path(self, path: Path) -> None:
        """Have a file or folder, with all in it, removed when this process is gone.

        Raises:
            PipeError: where the keeper can't be started, or doesn't listen.
        """
        self._note("path", os.path.abspath(path))  # noqa: PTH100 - a link itself is meant, not what it points to

    def forget_path(self, path: Path) -> None:
        """Take :meth:`note_path` back."""
        self._forget("path", os.path.abspath(path))  # noqa: PTH100 - as above

    def note_container(self, engine: Engine, name: str) -> None:
        """Have a container killed and removed when this process is gone.

        Raises:
            PipeError: where the keeper can't be started, or doesn't listen.
        """
        self._note("container", name, engine)

    def forget_container(self, name: str) -> None:
        """Take :meth:`note_container` back."""
        self._forget("container", name)

    def note_network(self, engine: Engine, name: str) -> None:
        """Have a network of an engine's removed when this process is gone.

        Raises:
            PipeError: where the keeper can't be started, or doesn't listen.
        """
        self._note("network", name, engine)

    def forget_network(self, name: str) -> None:
        """Take :meth:`note_network` back."""
        self._forget("network", name)

    def forked(self) -> None:
        """Leave the keeper to the parent: this process is a fork of it."""
        if self._socket is not None:
            self._socket.close()
        self.__init__()  # type: ignore[misc]  # as new: nothing of the parent's is this process' to keep

    def _note(self, kind: str, key: str, *more: Any) -> None:
        with self._lock:
            self._notes[kind, key] = [kind, key, *more]
            self._order([kind, key, *more])

    def _forget(self, kind: str, key: str) -> None:
        with self._lock:
            if self._notes.pop((kind, key), None) is not None and self._socket is not None:
                with suppress(PipeError):  # a new keeper isn't told of it in the first place
                    self._order([f"no-{kind}", key])

    def _order(self, order: list[Any], *descriptors: int) -> None:
        line = json.dumps(order).encode() + b"\n"
        with self._lock:
            for last in (False, True):
                if self._socket is None:
                    self._launch()
                assert self._socket is not None
                try:
                    sent = socket.send_fds(self._socket, [line], descriptors)
                    self._socket.sendall(line[sent:])
                except OSError as error:
                    if isinstance(error, TimeoutError):  # it lives, but must not see to what is left: we still are
                        os.kill(self._pid, signal.SIGKILL)
                    self._drop()
                    if last:
                        raise PipeError(f"The keeper process doesn't listen: {error.strerror}.") from None
                else:
                    return

    def _launch(self) -> None:
        """Start a keeper, and tell it all that is noted."""
        ours, theirs = socket.socketpair()
        ours.settimeout(_SETTLED)
        program = [sys.executable, "-I", "-S", "-E", "-c", _PROGRAM, str(Path(__file__).parent)]
        null = os.devnull
        actions = [
            (os.POSIX_SPAWN_DUP2, theirs.fileno(), 0),
            (os.POSIX_SPAWN_OPEN, 1, null, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, null, os.O_WRONLY, 0),
        ]
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        try:
            self._pid = os.posix_spawn(program[0], program, kept, file_actions=actions)
        except OSError as error:
            ours.close()
            raise PipeError(f"The keeper process can't be started: {error.strerror}.") from None
        finally:
            theirs.close()
        descriptors.restore_for(self._pid)
        self._socket = ours
        watch = threading.Thread(target=self._watch, args=(self._pid, time.monotonic()), daemon=True)
        watch.start()
        for note in self._notes.values():
            ours.sendall(json.dumps(note).encode() + b"\n")

    def _watch(self, pid: int, born: float) -> None:
        """Wait for a keeper's end (in a thread, as it concerns no event loop) and replace it."""
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
        with self._lock:
            if self._pid == pid:
                self._drop()
                if self._notes and time.monotonic() - born > _SETTLED:
                    with suppress(PipeError, OSError):  # then it is tried again when it's needed
                        self._launch()

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._pid = 0


keeper = Keeper()
"""This process' keeper."""

os.register_at_fork(after_in_child=keeper.forked)


async def launch(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: str | None,
    descriptors: Sequence[int],
    *,
    boxed: bool = False,
) -> Child:
    """Start a process that can't outlive this one, in a session of its own.

    Args:
        command: the program, looked for in the environment's PATH, and its arguments.
        environment: all of its environment.
        folder: its working folder; this process' own where it's None.
        descriptors: those to be its standard input, output and error, and further ones; they stay open here.
        boxed: whether the command is a sandbox, and a polite end means the processes below it.

    Raises:
        PipeError: where it can't be started.
    """
    name = Path(command[0]).name or command[0]
    asked = {"argv": list(command), "env": dict(environment), "cwd": folder or str(Path.cwd()), "boxed": boxed}
    request = json.dumps(asked).encode()
    ours, theirs = socket.socketpair()
    child: Child | None = None
    try:
        with theirs:
            keeper.start(theirs)
        socket.send_fds(ours, [len(request).to_bytes(LENGTH, "big")], descriptors)
        ours.settimeout(0)
        _, child = await asyncio.get_running_loop().create_unix_connection(Child, sock=ours)
        child.ask(request)
        child.pid = _process_id(await child.answered, name, folder)
    except BaseException:  # cancelled too: what was begun is ended
        if child is None:
            ours.close()
        else:
            child.abandon()
        raise
    return child


def _process_id(answer: str, name: str, folder: str | None) -> int:
    """Return the process ID of the shim's ``started PID``.

    Raises:
        PipeError: with the sentence for ``failed STAGE ERRNO``.
    """
    outcome, _, rest = answer.partition(" ")
    if outcome == "started":
        return int(rest)
    stage, _, number = rest.partition(" ")
    reason = os.strerror(int(number))
    if stage == "cwd":
        reason = f"its working folder {folder} can't be entered: {reason}"
    elif stage == "exec":
        reason = _SENTENCES.get(int(number), reason)
    elif stage == "keeper":
        reason = "its keeper ended"
    raise PipeError(f"{name} can't be started: {reason}.")
