"""Mounts of the sandbox, ``HOST:TARGET[:ro|rw]``. What none may show is in ``tidegate.sensitive``."""

from __future__ import annotations

import os
from dataclasses import dataclass

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


def within(path: str, folder: str) -> bool:
    """Whether a path is a folder, or lies below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
