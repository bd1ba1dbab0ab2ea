"""The keeper: a small helper process of Tidegate's that ends whatever Tidegate leaves behind.

Tidegate starts it before its first server, as ``python -I -S keeper.py`` with one end of a socket as standard input,
and needs of it two things:

- *Starting processes.* For each one the keeper forks a *shim*, which starts the server and stays its parent until
  nothing of it is left. The shim is a child subreaper (prctl(2)): a descendant that leaves its process group, its
  session and its parent is still found, because it becomes the shim's child. A shim ends everything below it when
  its own socket to Tidegate ends, which it does however Tidegate ends. Forking from here also is quicker than from
  Tidegate, and safe: this process is small and has one thread.
- *Remembering* containers and files. When Tidegate is gone, those still noted are removed.

Should a shim be killed, the kernel kills its server (PR_SET_PDEATHSIG) and the keeper what is left below. Should the
keeper be killed, the shims go on by themselves, and Tidegate starts another keeper. All three dying at the same
instant leaves only what had left its parent; nothing in user space is left to see it. Where there is no prctl
(macOS), a descendant is found while its parents live, or in the server's process group.

This file runs by itself, with the standard library alone. Secrets in a server's environment reach only its shim.
"""

import json
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from contextlib import suppress
from typing import Any

LENGTH = 4
"""Bytes of the big-endian length in front of a request to a shim."""

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_RESTORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD, signal.SIGXFSZ)
_PATIENCE = 10.0  # seconds for killed processes to be gone: one in uninterruptible sleep is let be after that
_LOOK = 0.005  # seconds between two looks
_ENGINE_SECONDS = 10.0
_SECOND_LOOK = 1.0  # seconds until a container that wasn't there is asked for again: it may have been in the making

Engine = dict[str, Any]
"""How an engine is reached: ``{"unix": PATH}`` or ``{"host", "port", "tls": {"ca", "cert", "key"} or None}``."""


def _prctl(option: int, value: int) -> None:
    if _libc is not None:
        _libc.prctl(option, value, 0, 0, 0)


def _load_libc() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    try:
        import ctypes  # noqa: PLC0415 - some builds of Python have none
    except ImportError:
        return None
    return ctypes.CDLL(None)


_libc: Any = None


def main() -> None:
    """Serve Tidegate until it is gone; then remove what it left, and end."""
    global _libc  # noqa: PLW0603 - a script's one start, not a module's import
    _libc = _load_libc()
    with suppress(OSError):
        os.setsid()
    os.chdir("/")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    keeper = Keeper(socket.socket(fileno=os.dup(0)))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    keeper.serve()
    keeper.sweep()


class Keeper:
    """The keeper's state: its socket to Tidegate, its shims, and what it would remove."""

    def __init__(self, tidegate: socket.socket) -> None:
        self._tidegate = tidegate
        self._shims: set[int] = set()
        self._paths: set[str] = set()
        self._containers: dict[str, Engine] = {}
        self._controls: deque[int] = deque()
        self._buffer = b""

    def serve(self) -> None:
        """Do what Tidegate asks until it is gone."""
        bell = _child_bell()
        poll = select.poll()
        poll.register(self._tidegate, select.POLLIN)
        poll.register(bell, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if bell in ready:
                os.read(bell, 4096)
                self._reap()
            if self._tidegate.fileno() in ready and not self._hear():
                return

    def _hear(self) -> bool:
        try:
            data, controls, _, _ = socket.recv_fds(self._tidegate, 65536, 64)
        except ConnectionError:
            return False
        self._controls.extend(controls)
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._obey(*json.loads(line))
        return bool(data)

    def _obey(self, order: str, *given: Any) -> None:
        if order == "start":
            self._start(self._controls.popleft())
        elif order == "path":
            self._paths.add(given[0])
        elif order == "no-path":
            self._paths.discard(given[0])
        elif order == "container":
            self._containers[given[0]] = given[1]
        elif order == "no-container":
            self._containers.pop(given[0], None)

    def _start(self, control: int) -> None:
        try:
            pid = os.fork()
        except OSError as error:
            with suppress(OSError):
                os.write(control, f"failed fork {error.errno}\n".encode())
        else:
            if pid == 0:
                try:
                    self._tidegate.close()
                    Shim(socket.socket(fileno=control)).run()
                    os._exit(0)
                finally:
                    os._exit(1)
            self._shims.add(pid)
        os.close(control)

    def _reap(self) -> None:
        """Take in children that ended; where a shim was killed, kill what became ours by that."""
        ended = _reap_children()
        if any(pid in self._shims and status != 0 for pid, status in ended.items()):
            for pid in _children_of(os.getpid()) - self._shims:
                _kill(pid)
                _kill_below(pid)
        self._shims.difference_update(ended)

    def sweep(self) -> None:
        """Remove everything still noted, and see all shims out, which clean up by themselves."""
        missing = {name: engine for name, engine in self._containers.items() if not remove_container(engine, name)}
        for path in self._paths:
            _remove(path)
        if missing:
            time.sleep(_SECOND_LOOK)
            for name, engine in missing.items():
                remove_container(engine, name)
        deadline = time.monotonic() + 2 * _PATIENCE
        while time.monotonic() < deadline:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                for stray in _children_of(os.getpid()) - self._shims:
                    _kill(stray)
                time.sleep(_LOOK)


class Shim:
    """The parent of one server: starts it, says how it ended, and at the end kills all that is below.

    Tidegate's end of the socket sends, with three descriptors, the length and JSON of ``{"argv", "env", "cwd"}``;
    then ``T`` each time the process group shall get a SIGTERM; and its end means: kill everything. The shim says
    ``started PID``, or ``failed STAGE ERRNO``; then ``exited STATUS``, as ``subprocess`` writes a return code; its
    own end means that nothing is left.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._server = 0  # its process ID while it runs
        self._group = 0  # its process group while that is needed to find its descendants

    def run(self) -> None:
        """Live the life of a shim."""
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        bell = _child_bell()
        if not self._start():
            return
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(bell, select.POLLIN)
        heard = b"T"
        while heard:
            ready = dict(poll.poll())
            if bell in ready:
                os.read(bell, 4096)
                self._reap()
            if self._control.fileno() in ready:
                heard = self._hear()
        self._end_all()

    def _hear(self) -> bytes:
        try:
            heard = self._control.recv(64)
        except ConnectionError:
            return b""
        if heard and self._server:
            _kill(-self._server, signal.SIGTERM)
        return heard

    def _start(self) -> bool:
        try:
            request, stdio = self._request()
        except (ConnectionError, EOFError):
            return False  # Tidegate thought better of it, or is gone
        said, sayer = os.pipe()
        try:
            self._server = os.fork()
        except OSError as error:
            self._say(f"failed fork {error.errno}")
            return False
        if self._server == 0:
            _become(request, stdio, sayer)
        self._group = self._server
        for descriptor in (*stdio, sayer):
            os.close(descriptor)
        with os.fdopen(said, "rb") as failure:
            text = failure.read().decode()
        self._say(text or f"started {self._server}")
        return not text

    def _request(self) -> tuple[dict[str, Any], list[int]]:
        head, stdio, _, _ = socket.recv_fds(self._control, LENGTH, 3)
        if len(stdio) != 3:
            raise EOFError
        head += self._exactly(LENGTH - len(head))
        request = json.loads(self._exactly(int.from_bytes(head, "big")))
        return request, stdio

    def _exactly(self, size: int) -> bytes:
        got = bytearray()
        while len(got) < size:
            more = self._control.recv(size - len(got))
            if not more:
                raise EOFError
            got += more
        return bytes(got)

    def _say(self, line: str) -> None:
        with suppress(OSError):
            self._control.sendall(line.encode() + b"\n")

    def _reap(self) -> None:
        status = _reap_children().get(self._server)
        if status is not None:
            self._server = 0
            if _libc is not None:
                self._group = 0  # all are found without it, and its number may come to mean another
            self._say(f"exited {os.waitstatus_to_exitcode(status)}")

    def _end_all(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            if self._group:
                _kill(-self._group)  # atomic: a member can't fork its way out of it
            _kill_below(os.getpid())
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                return
            time.sleep(_LOOK)


def _become(request: dict[str, Any], stdio: list[int], sayer: int) -> None:
    """Turn this freshly forked process into the server; says on ``sayer`` what failed. Doesn't return."""
    stage = "setup"
    try:
        parent = os.getppid()
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        os.setsid()
        for number in _RESTORED:
            signal.signal(number, signal.SIG_DFL)
        for target, descriptor in enumerate(stdio):
            os.dup2(descriptor, target)
        stage = "cwd"
        if request["cwd"] is not None:
            os.chdir(request["cwd"])
        stage = "exec"
        os.execvpe(request["argv"][0], request["argv"], request["env"])  # noqa: S606 - starting programs is its purpose
    except OSError as error:
        os.write(sayer, f"failed {stage} {error.errno}".encode())
    finally:
        os._exit(127)


def _child_bell() -> int:
    """Return a descriptor that gets readable when a child ends."""
    heard, ringer = os.pipe()
    os.set_blocking(ringer, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(ringer, warn_on_full_buffer=False)
    return heard


def _reap_children() -> dict[int, int]:
    """Return the children that ended, and their wait statuses."""
    ended = {}
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            ended[pid] = status
    return ended


def _kill(pid: int, number: int = signal.SIGKILL) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _kill_below(root: int) -> None:
    """Kill all descendants of a process; found before the first is killed, as a killed parent's trail is lost."""
    parents = _parents()
    found = {root}
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found and pid not in found}
        found |= more
        grown = bool(more)
    for pid in found - {root}:
        _kill(pid)


def _children_of(root: int) -> set[int]:
    return {pid for pid, parent in _parents().items() if parent == root}


def _parents() -> dict[int, int]:
    """Return the parent of every process there is."""
    if not os.path.isdir("/proc/self"):  # noqa: PTH112 - pathlib would triple this process' memory
        with os.popen("/bin/ps -A -o pid= -o ppid=") as listing:  # noqa: S605 - a fixed command
            return {int(pid): int(parent) for pid, parent in (line.split() for line in listing)}
    parents = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - as above
        if name.isdigit():
            with suppress(OSError), open(f"/proc/{name}/stat", "rb") as stat:  # noqa: PTH123 - as above
                parents[int(name)] = int(stat.read().rpartition(b")")[2].split()[1])
    return parents


def _remove(path: str) -> None:
    """Remove a file or folder, if it is there."""
    try:
        if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114 - as above
            for entry in os.scandir(path):
                _remove(entry.path)
            os.rmdir(path)  # noqa: PTH106 - as above
        else:
            os.unlink(path)  # noqa: PTH108 - as above
    except OSError:
        return


def remove_container(engine: Engine, name: str) -> bool:
    """Kill and remove a container over the engine's API; whether the engine had it."""
    from http.client import HTTPConnection, HTTPException, HTTPSConnection  # noqa: PLC0415 - seldom needed, and large

    connection: HTTPConnection
    try:
        if "unix" in engine:
            connection = HTTPConnection("localhost", timeout=_ENGINE_SECONDS)
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(_ENGINE_SECONDS)
            connection.sock.connect(engine["unix"])
        elif engine.get("tls"):
            import ssl  # noqa: PLC0415 - as above

            context = ssl.create_default_context(cafile=engine["tls"]["ca"])
            if engine["tls"].get("cert"):
                context.load_cert_chain(engine["tls"]["cert"], engine["tls"]["key"])
            connection = HTTPSConnection(engine["host"], engine["port"], timeout=_ENGINE_SECONDS, context=context)
        else:
            connection = HTTPConnection(engine["host"], engine["port"], timeout=_ENGINE_SECONDS)
        connection.request("DELETE", f"/containers/{name}?force=1&v=1")
        status = connection.getresponse().status
        connection.close()
    except (OSError, HTTPException):
        return False
    return status != 404


if __name__ == "__main__":
    main()
