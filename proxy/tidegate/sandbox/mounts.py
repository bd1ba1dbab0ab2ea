"""Mounts of the sandbox, ``HOST:TARGET[:ro|rw]``, and the places of a machine that none may show."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass

_OF_THE_SYSTEM = ("/boot", "/dev", "/proc", "/run", "/sys", "/var/run", "/var/lib/docker", "/var/lib/containerd")
_OF_ETC = ("gshadow", "shadow", "ssh", "ssl/private", "sudoers", "sudoers.d")
_OF_HOMES = (
    *(".aws", ".azure", ".bash_history", ".config/gcloud", ".config/gh", ".config/google-chrome", ".docker"),
    *(".git-credentials", ".gnupg", ".kube", ".local/share/keyrings", ".local/share/containers", ".mozilla", ".netrc"),
    *(".npmrc", ".password-store", ".pgpass", ".pypirc", ".ssh", ".terraform.d", ".vault-token"),
)
_RESERVED = ("/", "/bin", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/sbin", "/sys", "/usr")


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of the machine that a server is shown.

    Attributes:
        source: where it is; relative to the settings' folder.
        target: where the server finds it.
        writable: whether the server may change it.
    """

    source: str
    target: str
    writable: bool


def parse(text: str) -> Mount:
    """Return the mount that ``HOST:TARGET[:ro|rw]`` describes; read-only unless it says otherwise.

    Raises:
        ValueError: where it is not of that form, or its target is a place of the system's.
    """
    source, _, rest = text.partition(":")
    target, _, mode = rest.partition(":")
    if not source or not target.startswith("/") or mode not in ("", "ro", "rw"):
        raise ValueError(f"the mount {text} is not of the form HOST:TARGET[:ro|rw]")
    target = os.path.normpath(target)
    if target in _RESERVED or target.startswith(("/proc/", "/sys/", "/dev/")):
        raise ValueError(f"the mount {text} would hide {target}, which the server needs as it is")
    return Mount(source, target, mode == "rw")


def homes() -> list[str]:
    """Return the folders that are homes: that of Tidegate's user, by the environment and by the system, and root's."""
    return _homes(os.path.expanduser("~"))  # noqa: PTH111 - Path.home raises where there is none


@functools.cache
def _homes(own: str) -> list[str]:
    found = [own, "/root"]
    try:
        import pwd  # noqa: PLC0415 - not on all systems

        found.append(pwd.getpwuid(os.getuid()).pw_dir)
    except (ImportError, KeyError):
        pass
    return [home for home in dict.fromkeys(map(os.path.normpath, found)) if home.startswith("/") and home != "/"]


def within(path: str, folder: str) -> bool:
    """Whether a path is a folder, or lies below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def sensitive(path: str) -> str | None:
    """Return the sensitive place that showing a path would show, as it lies there or below; ``None`` for none.

    A file or folder is looked at as it is called, and as what it is when its links are followed.
    """
    try:
        real = os.path.realpath(path)
    except OSError:
        return path  # what it is can't be seen
    for seen in dict.fromkeys((os.path.normpath(path), real)):
        for home in homes():
            if within(home, seen):
                return home
        for place in _sensitive_places():
            if within(seen, place) or within(place, seen):
                return place
        if within(seen, "/home") and seen.count("/") == 2:
            return seen  # someone else's home
    return None


def _sensitive_places() -> list[str]:
    system = [*_OF_THE_SYSTEM, *(f"/etc/{name}" for name in _OF_ETC)]
    return system + [f"{home}/{name}" for home in homes() for name in _OF_HOMES]
