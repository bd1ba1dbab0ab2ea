"""Files in memory for a server, secrets above all: in a folder of this user's alone, gone with the server.

The keeper removes it when Tidegate is gone; should that fail, the next launcher does, or the next one that is made.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tidegate.containers import lease
from tidegate.ends.launcher import keeper
from tidegate.ends.pipe import PipeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.secret_stores.base import Secret

_BEGINNINGS = {what: f"tidegate-{what}-" for what in ("secrets", "streams")}
_LEASE = "lease"
_NAMELESS = 60.0  # seconds after which a folder that says nothing of whose it is was left while it was made
_IN_MEMORY = frozenset(("tmpfs", "ramfs"))


class MemoryFolder:
    """A folder in memory.

    Args:
        what: what is in it, ``secrets`` or ``streams``.

    Attributes:
        folder: where it is.
    """

    def __init__(self, what: Literal["secrets", "streams"]) -> None:
        self._what = what
        self.folder = Path()

    def make(self) -> None:
        """Make it, with all that is in it.

        Raises:
            PipeError: where there is no place in memory for it. The text is a sentence.
        """
        place = _place()
        if place is None:
            raise PipeError(f"There is no folder in memory for its {self._what}.")
        _sweep(place)
        self.folder = place / f"{_BEGINNINGS[self._what]}{secrets.token_hex(8)}"
        keeper.note_path(self.folder)
        try:
            self.folder.mkdir(mode=0o700)
            _write(self.folder / _LEASE, str(lease.this_process()).encode(), 0o600)
            self.fill()
        except OSError as error:
            self.remove()
            raise PipeError(f"Its {self._what} can't be written into memory: {error.strerror}.") from None
        except BaseException:
            self.remove()
            raise

    def fill(self) -> None:
        """Make what is in it.

        Raises:
            OSError: where that can't be.
        """

    def remove(self) -> None:
        """Remove all of it."""
        if self.folder.name:
            shutil.rmtree(self.folder, ignore_errors=True)
            if not self.folder.exists():
                keeper.forget_path(self.folder)


class MemoryFiles(MemoryFolder):
    """A file for each of some secrets, in memory.

    Args:
        values: the secrets by the names of their files.
        owner: the user and group that the files belong to, where that is another than this process'.
    """

    def __init__(self, values: Mapping[str, Secret], owner: tuple[int, int] | None = None) -> None:
        super().__init__("secrets")
        self._values = values
        self._owner = owner

    def make(self) -> None:
        """Make the folder and its files.

        Raises:
            PipeError: where there is no place in memory for them.
        """
        if _place() is None:
            raise PipeError('There is no folder in memory for its secrets: say secrets_as = "env".')
        super().make()

    def fill(self) -> None:
        """Make a file for each secret."""
        for name, value in self._values.items():
            self._make(self.folder / name, value)

    def _make(self, path: Path, value: Secret) -> None:
        """Write a file that its reader alone can read. Who can't give files away lets the folder see to that."""
        mode = 0o400
        if self._owner is not None and self._owner[0] != os.geteuid():
            mode = 0o400 if os.geteuid() == 0 else 0o444
        _write(path, value.reveal().encode(), mode, self._owner if os.geteuid() == 0 else None)


def _write(path: Path, data: bytes, mode: int, owner: tuple[int, int] | None = None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        if owner is not None:
            os.fchown(descriptor, *owner)
        os.fchmod(descriptor, mode)


def _place() -> Path | None:
    """Return a folder in memory in which this user may make another; None where there is none."""
    for named in (os.environ.get("XDG_RUNTIME_DIR"), f"/run/user/{os.geteuid()}", "/dev/shm"):  # noqa: S108 - in memory
        if not named:
            continue
        place = Path(named)
        with suppress(OSError):
            found = place.stat()
            kept = not found.st_mode & stat.S_IWOTH or bool(found.st_mode & stat.S_ISVTX)
            if kept and os.access(place, os.W_OK | os.X_OK) and file_system(place) in _IN_MEMORY:
                return place
    return None


def file_system(place: Path) -> str:
    """Return the kind of file system that a folder is on; "" where that can't be told."""
    if sys.platform != "linux":
        return ""
    wanted = place.resolve()
    best, kind = -1, ""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():  # proc(5)
        fields, _, more = line.partition(" - ")
        mounted = Path(fields.split()[4].replace("\\040", " "))
        if (
            wanted.is_relative_to(mounted) and len(mounted.parts) >= best
        ):  # of two on one place the later hides the other
            best, kind = len(mounted.parts), more.split()[0]
    return kind


def sweep() -> None:
    """Remove what earlier processes of this user's left, which died with their keepers."""
    place = _place()
    if place is not None:
        _sweep(place)


def _sweep(place: Path) -> None:
    with suppress(OSError):
        for folder in (each for beginning in _BEGINNINGS.values() for each in place.glob(f"{beginning}*")):
            with suppress(OSError):
                found = folder.lstat()
                if found.st_uid == os.geteuid() and stat.S_ISDIR(found.st_mode) and _is_left(folder, found.st_mtime):
                    shutil.rmtree(folder, ignore_errors=True)


def _is_left(folder: Path, changed: float) -> bool:
    try:
        text = (folder / _LEASE).read_text()
    except FileNotFoundError:
        text = ""
    if not text:
        return time.time() - changed > _NAMELESS
    owner = lease.read(text)
    return owner is not None and owner.alive is False
