"""Which files are Tidegate's own, and whether a server's mounts keep away from them and from all that is sensitive."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tidegate import sensitive
from tidegate.box_settings import Bind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tidegate.server_settings import ServerSettings
    from tidegate.settings import Settings

_NAMES = ("path", "file", "folder", "bundle")  # of an interceptor's settings that are paths, or end in one of these


def of(settings: Settings, file: Path | None) -> tuple[str, ...]:
    """Return the absolute paths of what is Tidegate's own.

    Args:
        settings: the settings.
        file: where they are from.
    """
    named = [path for entry in settings.interceptors for path in _named(entry.config)]
    named += [path for path in (settings.proxy.launcher, settings.proxy.control) if path is not None]
    own = [os.path.abspath(settings.folder / path) for path in named]  # noqa: PTH100 - links are followed later
    if file is not None:
        own.append(os.path.abspath(file))  # noqa: PTH100 - the same
    return tuple(dict.fromkeys(own))


def _named(config: dict[str, Any]) -> Iterator[str]:
    for key, value in config.items():
        if key in _NAMES or key.endswith(tuple(f"_{name}" for name in _NAMES)):
            for path in value if isinstance(value, list | tuple) else (value,):
                if isinstance(path, str) and path and "\0" not in path and "://" not in path:
                    yield path


def refused_mount(server: ServerSettings, settings: Settings) -> str | None:
    """Return why one of a server's mounts is refused, as a clause without a full stop; None where none is."""
    for mount in server.mounts:
        source = os.path.abspath(settings.folder / Bind.read(mount).source)  # noqa: PTH100 - links are followed later
        why = sensitive.refusal(source, settings.own_files)
        if why is not None:
            return f"the mount {mount} is refused, as {why}"
    return None
