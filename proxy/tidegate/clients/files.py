"""Reading a configuration file, and replacing it at once, unless it has changed meanwhile."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tidegate.clients.edits import FileRefused

_MOST_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A file as it was read.

    Attributes:
        named: its path as it was given.
        path: the file itself, behind links.
        data: its bytes; ``None`` where there was none.
    """

    named: Path
    path: Path
    data: bytes | None

    @property
    def text(self) -> str:
        """What it says.

        Raises:
            FileRefused: where it isn't UTF-8.
        """
        try:
            return (self.data or b"").decode()
        except UnicodeDecodeError:
            raise FileRefused("is not text in UTF-8") from None


def take(named: Path) -> Snapshot:
    """Read a file.

    Raises:
        FileRefused: where it isn't a file, or is too big to be one of these.
        OSError: where it can't be read.
    """
    path = Path(os.path.realpath(named))
    try:
        with open(path, "rb", opener=_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise FileRefused("is no regular file")
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return Snapshot(named, path, None)
    except IsADirectoryError:
        raise FileRefused("is a folder") from None
    if len(data) > _MOST_BYTES:
        raise FileRefused("is too big to be a configuration")
    return Snapshot(named, path, data)


def _at_once(path: str, flags: int) -> int:
    """Open a file, without waiting for who writes to it where it is a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def replace(before: Snapshot, data: bytes | None) -> None:
    """Put other bytes in a file's place, or remove it; its mode, owner and links stay.

    Args:
        before: the file as it was read; one that has changed since is left alone.
        data: what is to stand there; ``None`` for no file.

    Raises:
        FileRefused: where it has changed meanwhile.
        OSError: where it can't be written.
    """
    now = take(before.named)
    if (now.path, now.data) != (before.path, before.data):
        raise FileRefused("was changed by someone else meanwhile, so nothing was written; try again")
    if data is None:
        before.path.unlink(missing_ok=True)
        return
    before.path.parent.mkdir(parents=True, exist_ok=True)
    put(before.path, data, before.path.stat() if before.data is not None else None)


def put_back(path: Path, data: bytes, before: bytes | None) -> None:
    """Have a file as it was, if it is still as it was written."""
    now = take(path)
    if now.data == data:
        replace(now, before)


def put(path: Path, data: bytes, like: os.stat_result | None = None) -> None:
    """Write a file whole: a new one for its owner alone, or with the mode and owner of what was there."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if like is not None:
            if hasattr(os, "chown"):
                with suppress(PermissionError):  # only the owner and root may
                    os.chown(name, like.st_uid, like.st_gid)
            Path(name).chmod(stat.S_IMODE(like.st_mode))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def missing(folder: Path) -> list[Path]:
    """Return the folders that would have to be made for one, the innermost first."""
    out = []
    while not folder.exists():
        out.append(folder)
        folder = folder.parent
    return out
