"""Runs a command in bubblewrap (``bwrap``): own namespaces, a read-only view, no network, no capabilities, seccomp.

What bubblewrap is told goes through a descriptor, so that nothing of it shows in a list of processes; a server's
environment is in it.
"""

from __future__ import annotations

import contextlib
import math
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate.box_settings import Bind
from tidegate.sandbox import seccomp
from tidegate.sandbox.mounts import within
from tidegate.sandbox.view import SYSTEM, View, private
from tidegate.sensitive import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HOME = "/home/server"
"""The home of a server in the sandbox: a folder in memory, empty at the start, gone at the end."""

_MEBIBYTE = 1024 * 1024
_HOME_SIZE, _TMP_SIZE, _SHM_SIZE = 256 * _MEBIBYTE, 64 * _MEBIBYTE, 16 * _MEBIBYTE
_USER = 65534
_ETC = (
    *("alternatives", "ca-certificates", "crypto-policies", "fonts", "java-17-openjdk", "ld.so.cache", "ld.so.conf"),
    *("ld.so.conf.d", "localtime", "magic", "mime.types", "nsswitch.conf", "os-release", "pki/ca-trust", "pki/tls"),
    *("protocols", "python3", "services", "ssl/certs", "ssl/openssl.cnf", "terminfo", "timezone", "xml"),
)
_MASKED = (
    *("kcore", "key-users", "keys", "kmsg", "latency_stats", "sched_debug", "slabinfo", "timer_list", "vmallocinfo"),
)
_ETC_OF_THE_NETWORK = ("gai.conf", "host.conf", "hosts", "resolv.conf")
_FILES = {
    "/etc/passwd": f"server:x:{_USER}:{_USER}:server:{{home}}:/bin/sh\n",
    "/etc/group": f"server:x:{_USER}:\n",
    "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
}
_LIMITS = {"core": 0, "nofile": 4096, "nproc": 512, "memlock": 8 * _MEBIBYTE, "msgqueue": 0}
"""For util-linux's prlimit. The kernel counts processes per sandbox, from Linux 5.14, but not root's."""

_ISOLATED = (
    *("--unshare-user", "--unshare-all", "--uid", str(_USER), "--gid", str(_USER)),
    *("--cap-drop", "ALL", "--new-session", "--die-with-parent", "--hostname", "sandbox"),
)
FIRST = 3
"""The first descriptor that a started server may be handed beside the standard ones."""
_DESCRIPTOR = "\0"  # begins an argument that stands for the descriptor with a file's content
_PROBE_SECONDS = 10.0
_AGAIN = 30.0  # seconds until a bubblewrap that didn't work is tried again


class Unusable(Exception):  # noqa: N818 - it says what is so
    """A command can't be run in the sandbox; the text is the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What bubblewrap is told, the texts of files it makes, and the command it runs."""

    arguments: list[str]
    files: dict[str, str]
    command: list[str]


@dataclass(frozen=True, slots=True)
class Box:
    """The sandbox of one server.

    Attributes:
        folder: where relative paths of mounts start from.
        mounts: what it is shown beside what it needs.
        network: whether it has the machine's network.
        given: the environment variables that the settings give it.
        own: the files of Tidegate's own, which no mount may show; where they lie in what is shown otherwise, the
            server can't open them.
    """

    folder: Path = Path("/")
    mounts: tuple[Bind, ...] = ()
    network: bool = False
    given: Mapping[str, str] = field(default_factory=dict)
    own: tuple[str, ...] = ()

    @property
    def hint(self) -> str:
        """What may be the reason where a server in it doesn't work."""
        without = "its own home and files it may not write to" if self.network else "no network, no home"
        return f"it runs in a sandbox with {without}: see mounts and egress in docs/sandbox.md"

    def plan(
        self, command: Sequence[str], environment: Mapping[str, str], cwd: str | None, secrets: Path | None = None
    ) -> Plan:
        """Return what to tell bubblewrap. It looks at many files.

        Args:
            command: the program and its arguments.
            environment: all of its environment; what names the home and the folder for temporary files is replaced,
                unless the settings gave it.
            cwd: its working folder, shown to it; where it's None, it has Tidegate's own, empty but for what is shown.
            secrets: the folder of the files that hold its secrets; shown to it as it is.

        Raises:
            Unusable: where the working folder or a mount is none, or shows a sensitive place.
            FileNotFoundError: where there is no such program.
            PermissionError: where it can't be executed.
        """
        mounts = self._mounts()
        where = str(Path.cwd()) if cwd is None else os.path.normpath(cwd)
        if cwd is not None and not any(within(where, mount.target) for mount in mounts):
            _check(where, f"its working folder {where}", private=private(where))
            mounts.append(Bind(where, where, writable=False))
        home = os.path.normpath(self.given.get("HOME", HOME))
        if not home.startswith("/") or home == "/":
            home = HOME
        env = dict(environment) | {"HOME": home, "TMPDIR": self.given.get("TMPDIR", "/tmp")}  # noqa: S108 - its own
        view = View(env.get("PATH", os.defpath), where)
        program = view.command(tuple(command))
        arguments = [*_ISOLATED, *(["--share-net"] if self.network else []), *_system(network=self.network)]
        for folder, size in ((home, _HOME_SIZE), ("/tmp", _TMP_SIZE), ("/var/tmp", _SHM_SIZE)):  # noqa: S108 - as above
            arguments += ["--perms", "0700", "--size", str(size), "--tmpfs", folder]
        files = {path: text.format(home=home) for path, text in _FILES.items()}
        if self.network:
            del files["/etc/hosts"]  # it has the machine's
        for path in files:
            arguments += ["--perms", "0444", "--file", _DESCRIPTOR + path, path]
        for path in sorted(view.shown):  # a folder comes before what lies in it
            arguments += ["--ro-bind", path, path]
        for mount in sorted(mounts, key=lambda mount: mount.target):
            arguments += ["--bind" if mount.writable else "--ro-bind", mount.source, mount.target]
        arguments += _covered(self.own, [*view.shown, *(mount.target for mount in mounts)])
        arguments += _bound(secrets)
        if not any(within(where, other) for other in (*view.shown, *(each.target for each in mounts), *SYSTEM)):
            arguments += ["--dir", where]
        arguments += ["--remount-ro", "/", "--chdir", where, "--clearenv"]
        for name, value in (view.environment | env).items():
            arguments += ["--setenv", name, value]
        return Plan(arguments, files, [*_limited(), program, *command[1:]])

    def _mounts(self) -> list[Bind]:
        found = []
        for mount in self.mounts:
            source = os.path.abspath(self.folder / mount.source)  # noqa: PTH100 - links are looked at in the next line
            _check(source, f"its mount {mount.source}", self.own)
            found.append(Bind(str(Path(source).resolve()), mount.target, mount.writable))
        return found


def _bound(folder: Path | None) -> list[str]:
    return [] if folder is None else ["--ro-bind", str(folder), str(folder)]


def _check(source: str, what: str, own: tuple[str, ...] = (), *, private: bool = False) -> None:
    if not os.path.exists(source):  # noqa: PTH110 - pathlib raises where a folder above can't be entered
        raise Unusable(f"{what} is not there")
    why = refusal(source, own) or (f"{source} is never shown whole" if private else None)
    if why is not None:
        raise Unusable(f"{what} is refused, as {why}")


def _covered(own: tuple[str, ...], shown: list[str]) -> list[str]:
    """Return the arguments that close files and empty folders that lie in what is shown, as they are now."""
    arguments = []
    for path in dict.fromkeys(each for mine in own for each in (mine, os.path.realpath(mine))):
        if os.path.islink(path) or not any(within(path, other) for other in shown):  # noqa: PTH114 - of strings
            continue
        if not os.path.isdir(path):  # noqa: PTH112 - as above
            arguments += ["--ro-bind", "/dev/null", path] if os.path.exists(path) else []  # noqa: PTH110 - as above
        elif not any(within(other, path) for other in shown):
            arguments += ["--tmpfs", path, "--remount-ro", path]
    return arguments


def _system(*, network: bool) -> list[str]:
    """Return the arguments that show the system's programs, a choice of /etc, and devices of the server's own."""
    arguments = ["--proc", "/proc", "--dev", "/dev", "--size", str(_SHM_SIZE), "--tmpfs", "/dev/shm", "--dir", "/run"]  # noqa: S108 - the server's own
    for path in SYSTEM:
        if Path(path).is_symlink():
            arguments += ["--symlink", str(Path(path).readlink()), path]
        elif Path(path).is_dir():
            arguments += ["--ro-bind", path, path]
    for name in (*_ETC, *(_ETC_OF_THE_NETWORK if network else ())):
        path = f"/etc/{name}"
        if Path(path).is_symlink() and within(str(Path(path).resolve()), "/usr"):
            arguments += ["--symlink", str(Path(path).resolve()), path]  # the time zone's name is in its link
        elif Path(path).exists():
            arguments += ["--ro-bind", str(Path(path).resolve()), path]
    for name in _MASKED:
        if Path(f"/proc/{name}").exists():
            arguments += ["--ro-bind", "/dev/null", f"/proc/{name}"]
    # Of /proc, much belongs to root: where Tidegate is root, the server could write what its owner may.
    return [*arguments, "--remount-ro", "/dev", "--remount-ro", "/proc"]


def _limited() -> list[str]:
    """Return what to put before the command, so that it has limits; nothing where there is no prlimit."""
    program = shutil.which("prlimit", path="/usr/bin:/bin")
    if program is None:
        return []
    limits = []
    for name, most in _LIMITS.items():
        hard = resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))[1]
        limits.append(f"--{name}={most if hard == resource.RLIM_INFINITY else min(most, hard)}")
    return [program, *limits, "--"]


@contextlib.contextmanager
def opened(plan: Plan, first: int | None = FIRST) -> Iterator[tuple[list[str], list[int]]]:
    """Return the command that carries a plan out, and the descriptors it needs, which close when the block ends.

    Args:
        plan: the plan.
        first: the number that the first descriptor will have for the command, the others those after it; where it's
            None, each has the number that it has here.

    Raises:
        Unusable: where the plan has what can't be handed over.
        OSError: where no more can be open.
    """
    descriptors: list[int] = []
    try:
        descriptors.append(_holding(seccomp.program(platform.machine())))
        descriptors += [_holding(text.encode()) for text in plan.files.values()]
        numbers = descriptors if first is None else list(range(first + 1, first + 1 + len(descriptors)))
        known = {_DESCRIPTOR + path: str(number) for path, number in zip(plan.files, numbers[1:], strict=True)}
        given = [*_probe.more, *plan.arguments, "--seccomp", str(numbers[0])]
        told = [known.get(word, word) for word in given]
        if any("\0" in word for word in told):
            raise Unusable("a variable of its environment has a NUL in it")
        descriptors.insert(0, _holding(b"".join(os.fsencode(word) + b"\0" for word in told)))
        yield [binary() or "bwrap", "--args", str(first or descriptors[0]), "--", *plan.command], descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _holding(content: bytes) -> int:
    """Return a descriptor to read a content from."""
    descriptor = os.memfd_create("sandbox")
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def binary() -> str | None:
    """Return where bubblewrap is; ``None`` where it isn't installed."""
    return shutil.which("bwrap")


class _Probe:
    """Whether bubblewrap works here, found out by running it; what is found is kept, a failure not for long.

    Attributes:
        more: arguments that not every bubblewrap and kernel can do. They double what the filter of calls refuses.
    """

    def __init__(self) -> None:
        self.more: tuple[str, ...] = ()
        self._reason: str | None = None
        self._until = 0.0

    def reason(self) -> str | None:
        """Return why bubblewrap isn't usable; ``None`` where it is."""
        if time.monotonic() >= self._until:
            for self.more in (("--disable-userns",), ()):
                self._reason = _tried()
                if self._reason is None:
                    break
            self._until = math.inf if self._reason is None else time.monotonic() + _AGAIN
        return self._reason


_probe = _Probe()


def reason() -> str | None:
    """Return why bubblewrap isn't usable here, for a sentence; ``None`` where it is. Runs it, the first time."""
    return _probe.reason()


def _tried() -> str | None:
    if sys.platform != "linux":
        return "it is for Linux only"
    if platform.machine() not in seccomp.MACHINES:
        return f"there is no seccomp filter for {platform.machine()}"
    if binary() is None:
        return "bwrap is not installed"
    plan = Box().plan(["true"], {"PATH": "/usr/bin:/bin"}, "/usr")
    try:
        with opened(plan, None) as (command, descriptors):
            done = subprocess.run(  # noqa: S603 - bubblewrap, and true(1) in it
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                pass_fds=descriptors,
                env={},
                timeout=_PROBE_SECONDS,
                check=False,
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bwrap doesn't run ({type(error).__name__})"
    if done.returncode == 0:
        return None
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return f"it says: {said[-1][:200]}" if said else f"it ends with exit code {done.returncode}"
