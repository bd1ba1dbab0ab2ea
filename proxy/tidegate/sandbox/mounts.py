"""Mounts of the sandbox, ``HOST:TARGET[:ro|rw]``. What none may show is in ``tidegate.sensitive``."""

from __future__ import annotations

from tidegate.box_settings import Bind

_RESERVED = ("/bin", "/etc", "/lib", "/lib32", "/lib64", "/sbin", "/usr")  # and what no mount may hide


def parse(text: str) -> Bind:
    """Return the mount that ``HOST:TARGET[:ro|rw]`` describes; read-only unless it says otherwise.

    Raises:
        ValueError: where it is not of that form, or its target is a place of the system's.
    """
    bind = Bind.read(text)
    if bind.target in _RESERVED:
        raise ValueError(f"the mount {text} would hide {bind.target}, which the server needs as it is")
    return bind


def within(path: str, folder: str) -> bool:
    """Whether a path is a folder, or lies below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
