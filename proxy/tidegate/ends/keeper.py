"""The keeper: a small helper process of Tidegate's that ends whatever Tidegate leaves behind.

Tidegate starts it before its first server, as a program of its own (``python -I -S``) with one end of a socket as
standard input, and needs of it two things:

- *Starting processes.* For each one the keeper forks a *shim*, which starts the server and stays its parent until
  nothing of it is left. The shim is a child subreaper (prctl(2)): a descendant that leaves its process group, its
  session and its parent is still found, because it becomes the shim's child. A shim ends everything below it when
  its own socket to Tidegate ends, which it does however Tidegate ends. Forking from here also is quicker than from
  Tidegate, and safe: this process is small and has one thread.
- *Remembering* containers, networks and files. When Tidegate is gone, those still noted are removed.

Should a shim be killed, the kernel kills its server (PR_SET_PDEATHSIG) and the keeper what is left below. Should the
keeper be killed, the shims go on by themselves, and Tidegate starts another keeper. All three dying at the same
instant leaves only what had left its parent; nothing in user space is left to see it. Where there is no prctl
(macOS), a descendant is found while its parents live, or in the server's process group.

This file runs by itself, with the standard library alone. Secrets in a server's environment reach only its shim.
"""

# long: it runs by itself, so it can't be two

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from contextlib import suppress

TYPE_CHECKING = False  # what typing has of that name; typing takes a twentieth of this process' memory
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Engine = dict[str, Any]
    """How an engine is reached: ``{"unix": PATH}`` or ``{"host", "port", "tls": {"ca", "cert", "key"} or None}``."""

LENGTH = 4
"""Bytes of the big-endian length in front of a request to a shim."""

_MOST = 16  # descriptors that come with a request

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_RESTORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD, signal.SIGXFSZ)
_PATIENCE = 10.0  # seconds for killed processes to be gone: one in uninterruptible sleep is let be after that
_DESCRIPTORS = 4096  # at least so many are looked at
_LOOK = 0.005  # seconds between two looks
_ENGINE_SECONDS = 10.0
_STILL_USED = 0.1  # seconds until a network is tried again that a container is on its way out of
_SECOND_LOOK = 1.0  # seconds until a container that wasn't there is asked for again: it may have been in the making


def _prctl(option: int, value: int) -> None:
    """Call prctl(2), where there is one."""
    with suppress(ImportError, AttributeError):
        import ctypes  # noqa: PLC0415 - some builds of Python have none

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def main() -> None:
    """Serve Tidegate until it is gone; then remove what it left, and end."""
    os.closerange(3, max(os.sysconf("SC_OPEN_MAX"), _DESCRIPTORS))  # what Tidegate's own starter left open is nobody's
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
        self._networks: dict[str, Engine] = {}
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
            data, controls = _receive(self._tidegate, 65536, 64)
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
        elif order == "network":
            self._networks[given[0]] = given[1]
        elif order == "no-network":
            self._networks.pop(given[0], None)

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
                    for other in self._controls:
                        os.close(other)
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
            self._shims.difference_update(ended)
            self._kill_strays()
        self._shims.difference_update(ended)

    def _kill_strays(self) -> None:
        """Kill what became a child of this process because its shim was killed, and all below it."""
        for pid in _children_by_file(os.getpid()):
            if pid not in self._shims:
                _kill_below(pid)
                _kill(pid)

    def sweep(self) -> None:
        """Remove everything still noted, and see all shims out, which clean up by themselves."""
        missing = {name: engine for name, engine in self._containers.items() if not remove_container(engine, name)}
        for path in self._paths:
            _remove(path)
        if missing:
            time.sleep(_SECOND_LOOK)
            for name, engine in missing.items():
                remove_container(engine, name)
        for name, engine in self._networks.items():  # after the containers that are on them
            remove_network(engine, name)
        deadline = time.monotonic() + 2 * _PATIENCE
        while time.monotonic() < deadline:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                self._kill_strays()
                time.sleep(_LOOK)


class Shim:
    """The parent of one server: starts it, says how it ended, and at the end kills all that is below.

    Tidegate's end of the socket sends, with three descriptors or more, the length and JSON of ``{"argv", "env", "cwd",
    "boxed"}``; then ``T`` each time the process group shall get a SIGTERM, or, where the server is boxed, what is in
    the box, because the end of the box would be theirs by force; and its end means: kill everything. The shim says
    ``started PID``, or ``failed STAGE ERRNO``; then ``exited STATUS``, as ``subprocess`` writes a return code; its own
    end means that nothing is left.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._server = 0  # its process ID while it runs
        self._group = 0  # its process group while that is needed to find its descendants
        self._boxed = False  # whether the server's process is a sandbox, and the server itself below it

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
        if heard and self._server and self._boxed:
            _kill_below(self._server, signal.SIGTERM)  # the first process of a namespace doesn't mind
        elif heard and self._server:
            _kill(-self._server, signal.SIGTERM)
        return heard

    def _start(self) -> bool:
        try:
            request, stdio = self._request()
        except (ConnectionError, EOFError):
            return False  # Tidegate thought better of it, or is gone
        self._boxed = request["boxed"]
        said, sayer = os.pipe()
        shim = os.getpid()
        try:
            self._server = os.fork()
        except OSError as error:
            self._say(f"failed fork {error.errno}")
            return False
        if self._server == 0:
            _become(request, stdio, sayer, shim)
        self._group = self._server
        for descriptor in (*stdio, sayer):
            os.close(descriptor)
        with os.fdopen(said, "rb") as failure:
            text = failure.read().decode()
        self._say(text or f"started {self._server}")
        return not text

    def _request(self) -> tuple[dict[str, Any], list[int]]:
        head, stdio = _receive(self._control, LENGTH, _MOST)
        if len(stdio) < 3:
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
            if sys.platform == "linux":
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


def _become(request: dict[str, Any], stdio: list[int], sayer: int, shim: int) -> None:
    """Turn this freshly forked process into the server; says on ``sayer`` what failed. Doesn't return."""
    stage = "setup"
    try:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != shim:
            os._exit(1)  # it died before the kernel was told
        os.setsid()
        for number in _RESTORED:
            signal.signal(number, signal.SIG_DFL)
        apart = max(_MOST, *stdio, sayer) + 1  # so that none is overwritten before it is in its place
        sayer = _moved(sayer, apart)
        for target, descriptor in enumerate([_moved(descriptor, apart) for descriptor in stdio]):
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


def _moved(descriptor: int, least: int) -> int:
    """Return another number of a descriptor, at least so high, that no other program gets."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, least)


def _receive(source: socket.socket, size: int, most: int) -> tuple[bytes, list[int]]:
    """Return bytes, and the descriptors that came with them, which no other program shall get."""
    data, descriptors, _, _ = socket.recv_fds(source, size, most)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - the function's own signature
    return data, descriptors


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


def _kill_below(root: int, number: int = signal.SIGKILL) -> None:
    """Kill all descendants of a process; found before the first is killed, as a killed parent's trail may be lost."""
    children = _children_by_scan() if _no_children_files() else _children_by_file
    below = [root]
    for pid in below:
        below += children(pid)
    for pid in below[1:]:
        _kill(pid, number)


def _no_children_files() -> bool:
    return not os.path.exists(f"/proc/self/task/{os.getpid()}/children")  # noqa: PTH110 - pathlib takes much memory


def _children_by_file(parent: int) -> list[int]:
    """Return a process' children as proc(5) lists them: so quick that a process that keeps forking is caught."""
    found = []
    with suppress(OSError):
        for task in os.listdir(f"/proc/{parent}/task"):  # noqa: PTH208 - as above
            with suppress(OSError), open(f"/proc/{parent}/task/{task}/children", "rb") as children:  # noqa: PTH123 - as above
                found += [int(pid) for pid in children.read().split()]
    return found


def _children_by_scan() -> Callable[[int], list[int]]:
    """Return the same for a system that lists processes only."""
    by_parent: dict[int, list[int]] = {}
    with os.popen("/bin/ps -A -o pid= -o ppid=") as listing:  # noqa: S605 - a fixed command
        for line in listing:
            pid, parent = line.split()
            by_parent.setdefault(int(parent), []).append(int(pid))
    return lambda parent: by_parent.get(parent, [])


def _remove(path: str) -> None:
    """Remove a file, or a folder with all in it, if it is there."""
    from shutil import rmtree  # noqa: PLC0415 - seldom needed

    try:
        os.unlink(path)  # noqa: PTH108 - as above
    except OSError:
        rmtree(path, ignore_errors=True)


def remove_container(engine: Engine, name: str) -> bool:
    """Kill and remove a container over the engine's API; whether the engine had it."""
    return _delete(engine, f"/containers/{name}?force=1&v=1") not in (None, 404)


def remove_network(engine: Engine, name: str) -> bool:
    """Remove a network over the engine's API, as soon as no container is on it; whether that could be done."""
    deadline = time.monotonic() + _PATIENCE
    while (status := _delete(engine, f"/networks/{name}")) not in (None, 204, 404):
        if time.monotonic() > deadline:
            return False
        time.sleep(_STILL_USED)
    return status is not None


def _delete(engine: Engine, path: str) -> int | None:
    """Ask for something to be removed; return the HTTP status, None where the engine can't be asked."""
    from http.client import HTTPConnection, HTTPException, HTTPSConnection  # noqa: PLC0415 - seldom needed, and large

    connection = None
    try:
        if "unix" in engine:
            connection = HTTPConnection("localhost", timeout=_ENGINE_SECONDS)
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(_ENGINE_SECONDS)
            connection.sock.connect(engine["unix"])
        elif tls := engine["tls"]:
            import ssl  # noqa: PLC0415 - as above

            context = ssl.create_default_context(cafile=tls["ca"])
            context.load_cert_chain(tls["cert"], tls["key"])
            connection = HTTPSConnection(engine["host"], engine["port"], timeout=_ENGINE_SECONDS, context=context)
        else:
            connection = HTTPConnection(engine["host"], engine["port"], timeout=_ENGINE_SECONDS)
        connection.request("DELETE", path)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return None
    finally:
        if connection is not None:
            connection.close()
