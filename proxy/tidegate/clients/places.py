"""Where clients' files are on this machine."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.clients.known import Client

_DEFAULTS = {
    "XDG_CONFIG_HOME": "~/.config",
    "APPDATA": "~/AppData/Roaming",
    "LOCALAPPDATA": "~/AppData/Local",
    "CODEX_HOME": "~/.codex",
}


@dataclass(frozen=True)
class Machine:
    """What places depend on.

    Attributes:
        system: as ``sys.platform`` says it.
        home: the user's folder.
        environ: the environment.
    """

    system: str
    home: Path
    environ: Mapping[str, str]

    @classmethod
    def this(cls) -> Machine:
        """Return the machine that this runs on."""
        system = sys.platform if sys.platform in ("darwin", "win32") else "linux"
        return cls(system, Path.home(), os.environ)

    def path(self, place: str) -> Path:
        """Return the path that a place of the table means."""
        first, _, rest = place.partition("/")
        if first.startswith("$"):
            named = self.environ.get(first[1:], "")
            return (Path(named) if named else self.path(_DEFAULTS[first[1:]])) / rest
        return self.home / rest if first == "~" else Path(place)


def candidates(client: Client, machine: Machine, project: Path | None = None) -> list[Path]:
    """Return the files that a client may have, for the user or for a project, the preferred one first."""
    if project is not None:
        return [project / place for place in client.project]
    return [machine.path(place) for place in client.files.get(machine.system, ())]


def file_of(client: Client, machine: Machine, project: Path | None = None) -> Path | None:
    """Return the file that is meant: the first that is there, else whose folder is; ``None`` where there is none."""
    found = candidates(client, machine, project)
    there = (path for path in found if path.exists())
    at_home = (path for path in found if path.parent.is_dir())
    return next(there, None) or next(at_home, None) or (found[0] if found else None)


def installed(client: Client, machine: Machine) -> bool:
    """Whether a client seems to be there: its file, the folder of it, or its program."""
    folders = [path.parent for path in candidates(client, machine)]
    own = [folder for folder in folders if folder not in (machine.home, machine.path("$XDG_CONFIG_HOME"))]
    return (
        any(path.exists() for path in candidates(client, machine))
        or any(folder.is_dir() for folder in own)
        or any(shutil.which(name, path=machine.environ.get("PATH", "")) for name in client.programs)
    )
