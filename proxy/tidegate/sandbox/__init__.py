"""How isolated a server is, and the sandbox of those that are local processes.

What makes the sandbox is bubblewrap (``bubblewrap.py``), a filter of system calls (``seccomp.py``), and a choice of
what is shown of the machine (``view.py``, ``mounts.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tidegate.sandbox.mounts import parse
from tidegate.sandbox.view import SCRIPTS

if TYPE_CHECKING:
    from pathlib import Path

    from tidegate.box_settings import Bind
    from tidegate.sandbox.bubblewrap import Box
    from tidegate.server_settings import ServerSettings

__all__ = [
    "CONTAINER",
    "SANDBOXED",
    "SCRIPTS",
    "UNRESTRICTED",
    "UNSANDBOXED",
    "Minimum",
    "Refused",
    "box",
    "isolation",
    "loosened",
    "mistake",
    "mounts_of",
    "refusal",
]

Minimum = Literal["none", "sandbox", "container"]
"""What ``[proxy] min_isolation`` may be."""

UNSANDBOXED, SANDBOXED, CONTAINER = "unsandboxed", "sandboxed", "container"
UNRESTRICTED = "unrestricted"


class Refused(Exception):  # noqa: N818 - it says what is so
    """A server may not be started; the text is one sentence."""


def isolation(server: ServerSettings) -> str:
    """Return what a server is started in: ``unsandboxed``, ``sandboxed`` or ``container``; ``""`` for a remote one."""
    if server.command is None:
        return CONTAINER if server.image is not None else ""
    if server.sandbox == "none" or (server.sandbox == "auto" and _missing() is not None):
        return UNSANDBOXED
    return SANDBOXED


def loosened(server: ServerSettings) -> list[str]:
    """Return what is looser than by default about a local process, each as a sentence about the server."""
    if server.command is None:
        return []
    if server.sandbox == "none":
        return ['it runs unsandboxed (sandbox = "none")']
    if isolation(server) == UNSANDBOXED:
        return [f"it runs unsandboxed, because bubblewrap isn't usable: {_missing()}"]
    said = [f"it may write to {mount.source}" for mount in mounts_of(server) if mount.writable]
    return [*said, *(["it has the whole network, this machine's own addresses too"] if server.egress else [])]


def mounts_of(server: ServerSettings) -> list[Bind]:
    """Return the mounts of a local process."""
    return [parse(text) for text in server.mounts]


def mistake(server: ServerSettings) -> str | None:
    """Return what is wrong with the settings of a local process's sandbox, as far as they tell.

    Raises:
        ValueError: where a mount is none.
    """
    if server.egress not in ((), UNRESTRICTED):
        return (
            f'egress of a server with command is "{UNRESTRICTED}" or nothing: a sandbox has the whole network or none, '
            "a container can have a list"
        )
    if server.sandbox == "none":
        for key in ("mounts", "egress"):
            if getattr(server, key):
                return f'{key} has no meaning with sandbox = "none", where nothing is kept from the server'
    mounts_of(server)  # raises what is wrong with their form
    return None


def refusal(name: str, server: ServerSettings, least: Minimum) -> str | None:
    """Return in one sentence why ``min_isolation`` refuses a server whatever the machine; ``None`` where it doesn't."""
    if server.command is None or least == "none":
        return None
    if least == "container":
        return f'servers.{name}: it is a local process, and min_isolation = "container" wants a container (image)'
    if server.sandbox == "none":
        return f'servers.{name}: sandbox = "none" is less than min_isolation = "sandbox" wants'
    return None


def box(name: str, server: ServerSettings, folder: Path, least: Minimum, own: tuple[str, ...] = ()) -> Box | None:
    """Return the sandbox to start a local process in; ``None`` where it runs without one.

    Args:
        name: the server's name.
        server: its settings.
        folder: where relative paths of mounts start from.
        least: ``[proxy] min_isolation``.
        own: the files of Tidegate's own.

    Raises:
        Refused: where the sandbox can't be had, and the settings don't leave that open.
    """
    from tidegate.sandbox.bubblewrap import Box  # noqa: PLC0415 - what isn't used isn't loaded

    if server.sandbox == "none":
        return None
    missing = _missing()
    if missing is None:
        given = {key: value for key, value in server.env.items() if key in ("HOME", "TMPDIR")}
        return Box(folder, tuple(mounts_of(server)), bool(server.egress), given, own)
    why = None
    if server.sandbox == "bubblewrap":
        why = 'sandbox = "bubblewrap" asks for it'
    elif least != "none":
        why = f'min_isolation = "{least}" asks for a sandbox'
    elif server.mounts:
        why = "its mounts have a meaning in a sandbox only"
    if why is not None:
        raise Refused(f"The server {name!r} isn't started: {why}, and bubblewrap isn't usable here ({missing}).")
    return None


def _missing() -> str | None:
    from tidegate.sandbox.bubblewrap import reason  # noqa: PLC0415 - what isn't used isn't loaded

    return reason()
