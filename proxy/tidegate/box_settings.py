"""The keys of ``[servers.NAME]`` that shape a container: their types, and what the texts in them mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

if TYPE_CHECKING:
    from tidegate.server_settings import ServerSettings

_USER = re.compile(r"\d{1,10}:\d{1,10}|[a-z_][a-z0-9_-]{0,31}")
_SIZE = re.compile(r"([1-9]\d{0,11})([kmg])")
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_LEAST_MEMORY = 6 << 20  # the engines' own
_RUNTIME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_URL_PATH = re.compile(r"/(?!/)[!-\"$-~]{0,1023}")
_MOUNT = re.compile(r"([^:]+):(/[^:]*)(?::(ro|rw))?", re.DOTALL)
_THE_BOX = ("/proc", "/sys", "/dev")  # of the container: what is mounted over these isn't the kernel's any more

CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "NET_BIND_SERVICE", "NET_RAW", "SETGID", "SETUID")
"""The capabilities that a server may be given: what programs need that start as root and then become someone else, and
to listen on low ports and send pings. None of them reaches out of the container."""


def _checked_user(value: str) -> str:
    if not _USER.fullmatch(value):
        raise ValueError('user is "UID:GID" in numbers, or a name that the image knows')
    return value


def _checked_size(value: str) -> str:
    if not _SIZE.fullmatch(value):
        raise ValueError('a size is a number with k, m or g behind it, like "256m"')
    return value


def _checked_memory(value: str) -> str:
    if size_of(_checked_size(value)) < _LEAST_MEMORY:
        raise ValueError("memory is at least 6m")
    return value


def _checked_runtime(value: str) -> str:
    if not _RUNTIME.fullmatch(value):
        raise ValueError('runtime is the name of one that the engine has, like "runsc"')
    return value


def _checked_workdir(value: str) -> str:
    _inside(value, "workdir")
    return value


def _checked_tmpfs(value: tuple[str, ...]) -> tuple[str, ...]:
    paths = [Tmpfs.read(entry).path for entry in value]
    for path in paths:
        if paths.count(path) > 1:
            raise ValueError(f"tmpfs names {path} twice")
    return value


def _checked_capabilities(value: tuple[str, ...]) -> tuple[str, ...]:
    for name in value:
        if name not in CAPABILITIES:
            raise ValueError(f"capabilities that can be given are {', '.join(CAPABILITIES)}; {name} isn't one")
    return value


def _checked_url_path(value: str) -> str:
    if not _URL_PATH.fullmatch(value):
        raise ValueError("path begins with one /, and has neither spaces nor a # in it")
    return value


def _inside(path: str, what: str) -> None:
    if not path.startswith("/") or ".." in path.split("/") or "\0" in path:
        raise ValueError(f"{what} is an absolute path in the container")


BoxUser = Annotated[str, AfterValidator(_checked_user)]
Size = Annotated[str, AfterValidator(_checked_size)]
Memory = Annotated[str, AfterValidator(_checked_memory)]
Cpus = Annotated[float, Field(ge=0.05, le=1024, allow_inf_nan=False, strict=True)]
Pids = Annotated[int, Field(ge=4, le=1_000_000, strict=True)]
Runtime = Annotated[str, AfterValidator(_checked_runtime)]
UrlPath = Annotated[str, AfterValidator(_checked_url_path)]
Workdir = Annotated[str, AfterValidator(_checked_workdir)]
TmpfsPaths = Annotated[tuple[str, ...], AfterValidator(_checked_tmpfs)]
Capabilities = Annotated[tuple[str, ...], AfterValidator(_checked_capabilities)]


def size_of(text: str) -> int:
    """Return the bytes that a size like ``256m`` means."""
    return int(text[:-1]) * _UNITS[text[-1]]


@dataclass(frozen=True, slots=True)
class Tmpfs:
    """A folder in memory, ``PATH[:size=SIZE][,exec]``.

    Attributes:
        path: where it is in the container.
        size: how much it can hold, in bytes.
        executable: whether programs in it can be run.
    """

    path: str
    size: int = 16 << 20
    executable: bool = False

    @classmethod
    def read(cls, text: str) -> Tmpfs:
        """Read a description.

        Raises:
            ValueError: where it isn't one.
        """
        path, colon, options = text.partition(":")
        _inside(path, "the path of a tmpfs")
        where = path.rstrip("/")
        if not where or _is_the_boxes(where):
            raise ValueError(f"a tmpfs can't be at {path}")
        made = cls(where)
        for option in options.split(",") if colon else ():
            key, _, value = option.partition("=")
            if key == "size" and _SIZE.fullmatch(value):
                made = cls(where, size_of(value), made.executable)
            elif option in ("exec", "noexec"):
                made = cls(where, made.size, option == "exec")
            else:
                raise ValueError(f'{text} isn\'t a tmpfs; one is like "/tmp:size=64m" or "/work:size=1g,exec"')
        return made

    def options(self, user: str) -> str:
        """Return its mount options.

        Anybody may write to it, as to any /tmp; and ``user``, ``UID:GID``, owns it, as some runtimes give it the mode
        of the folder that it covers.
        """
        run, (uid, gid) = "exec" if self.executable else "noexec", user.split(":")
        files = max(self.size >> 10, 16)
        return f"rw,{run},nosuid,nodev,mode=1777,uid={uid},gid={gid},size={self.size},nr_inodes={files}"


@dataclass(frozen=True, slots=True)
class Bind:
    """A path of the host in a container or a sandbox, ``HOST:TARGET[:ro|rw]``.

    Attributes:
        source: the path of the host, as it is written.
        target: where the server finds it.
        writable: whether the server may write to it.
    """

    source: str
    target: str
    writable: bool

    @classmethod
    def read(cls, text: str) -> Bind:
        """Read a description.

        Raises:
            ValueError: where it isn't one.
        """
        found = _MOUNT.fullmatch(text)
        if found is None or "\0" in text:
            raise ValueError(f"the mount {text} is not of the form HOST:TARGET[:ro|rw]")
        source, target, mode = found.groups()
        _inside(target, "where a mount goes")
        where = target.rstrip("/")
        if not where or _is_the_boxes(where):
            raise ValueError(f"the mount {text} would hide {target}, which the server needs as it is")
        return cls(source, where, mode == "rw")


def _is_the_boxes(path: str) -> bool:
    return any(path == own or path.startswith(own + "/") for own in _THE_BOX)


def is_root(user: str) -> bool:
    """Whether a user is root, spelled out."""
    return user == "root" or user.partition(":")[0].strip("0") == ""


def check(server: ServerSettings) -> None:
    """See that the keys about a container go together.

    Raises:
        ValueError: where they don't.
    """
    binds = [Bind.read(mount) for mount in server.mounts]
    targets = [bind.target for bind in binds] + [Tmpfs.read(entry).path for entry in server.tmpfs]
    for target in targets:
        if targets.count(target) > 1:
            raise ValueError(f"two things would be at {target} in the container")
    if server.capabilities and (server.user is None or not is_root(server.user)):
        raise ValueError('capabilities are root\'s: they need user = "root" as well')
