"""What of the host a container sees."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from docker.types import Mount

from tidegate.ends.pipe import PipeError

if TYPE_CHECKING:
    from pathlib import Path


def bind(mount: str, folder: Path) -> Mount:
    """Return the mount that ``HOST:CONTAINER[:ro|rw]`` describes; read-only unless it says otherwise.

    Args:
        mount: the description.
        folder: where a relative host path starts from.

    Raises:
        PipeError: where it is not of that form.
    """
    host, _, rest = mount.partition(":")
    target, _, mode = rest.partition(":")
    if not host or not target.startswith("/") or mode not in ("", "ro", "rw"):
        raise PipeError(f"The mount {mount} is not of the form HOST:CONTAINER[:ro|rw].")
    source = os.path.abspath(folder / host)  # noqa: PTH100 - Path.resolve would follow links, which is the engine's to do
    return Mount(target, source, type="bind", read_only=mode != "rw")
