"""What of the host a container sees."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from docker.types import Mount

from tidegate import own_files
from tidegate.box_settings import Bind
from tidegate.ends.pipe import PipeError

if TYPE_CHECKING:
    from pathlib import Path

    from tidegate.settings import ServerSettings, Settings


def check(name: str, server: ServerSettings, settings: Settings) -> None:
    """See once more, right before a start, that no mount leads to what is sensitive: a link may have changed.

    Between this and the engine's own look at the path a link can change still: see "Mounts" in docs/containers.md.

    Raises:
        PipeError: where one does.
    """
    refused = own_files.refused_mount(server, settings)
    if refused is not None:
        raise PipeError(f"{name} can't be started: {refused}.")


def bind(mount: str, folder: Path) -> Mount:
    """Return the mount that ``HOST:TARGET[:ro|rw]`` describes; read-only unless it says otherwise.

    Other file systems that are mounted inside of the folder stay outside: the engines would leave them writable even
    where the mount is read-only. Engines have no nosuid and nodev for these: that running a program gives no right and
    that no device can be opened, is for the container's other rules.

    Args:
        mount: the description, well-formed.
        folder: where a relative host path starts from.
    """
    described = Bind.read(mount)
    source = os.path.abspath(folder / described.source)  # noqa: PTH100 - links are the engine's to follow
    made = Mount(described.target, source, type="bind", read_only=not described.writable, propagation="rprivate")
    made["BindOptions"]["NonRecursive"] = True
    return made
