"""The shipped default settings, and the folder where they keep their files.

``tidegate run`` and ``tidegate wrap`` use them where no settings file is given; ``tidegate init`` writes them out.
"""

from __future__ import annotations

import os
import re
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate import settings as settings_module
from tidegate.settings import SettingsError

if TYPE_CHECKING:
    from tidegate.settings import Settings

SOURCE = "the default settings"
KEPT_DAYS = 30
"""How long the audit files of ended ``wrap`` processes are kept, in days."""

AUDIT_PATH = "audit/{name}-{pid}.jsonl"
"""Where a wrap with the default settings keeps its audit log; ``wrap`` fills in the server's name and its own pid."""

_AUDIT_FILE = re.compile(r".+-(\d+)\.jsonl.*")


def text() -> str:
    """Return the default settings, as TOML with comments."""
    return Path(__file__).with_name("default.toml").read_text()


def state_folder() -> Path:
    """Return this user's folder for what Tidegate keeps, made where it is missing.

    It is ``tidegate`` in ``$XDG_STATE_HOME``, by default in ``~/.local/state`` (XDG base directory
    specification 0.8), readable by this user only.

    Raises:
        SettingsError: where it can't be made.
    """
    named = os.environ.get("XDG_STATE_HOME", "")
    try:
        base = Path(named) if named.startswith("/") else Path.home() / ".local" / "state"
        folder = base / "tidegate"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home folder
        raise SettingsError(
            f"no folder for the audit log: {error}; set XDG_STATE_HOME to one, or give settings"
        ) from None
    return folder


def load() -> Settings:
    """Return the default settings; their files are in :func:`state_folder`.

    Raises:
        SettingsError: where that folder can't be made.
    """
    return settings_module.parse(text(), folder=state_folder(), source=SOURCE)


def load_for_wrap() -> Settings:
    """Return the default settings for ``tidegate wrap``.

    An audit file belongs to one process, and a client runs many wraps at once, so each gets a file of its own in
    :func:`state_folder`, :data:`AUDIT_PATH`. Those of ended processes go after :data:`KEPT_DAYS` days.

    Raises:
        SettingsError: where that folder can't be made.
    """
    folder = state_folder()
    _prune(folder / "audit")
    tree = tomllib.loads(text())
    for entry in tree["interceptors"]:
        if entry["use"] == "audit":
            entry["path"] = AUDIT_PATH
    return settings_module.build(tree, folder=folder, source=SOURCE)


def _prune(folder: Path) -> None:
    """Make the folder of the wraps' audit files, and remove the old ones of processes that have ended."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        oldest = time.time() - KEPT_DAYS * 86_400
        for file in folder.iterdir():
            found = _AUDIT_FILE.fullmatch(file.name)
            if found and not _alive(int(found[1])):
                _remove_older(file, oldest)
    except OSError as error:
        raise SettingsError(f"the folder for the audit log can't be used: {error}") from None


def _remove_older(file: Path, oldest: float) -> None:
    try:
        if file.stat().st_mtime < oldest:
            file.unlink()
    except FileNotFoundError:
        pass  # another wrap that starts now removed it


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # it runs, as someone else
    return True
