"""The files of a log, beside each other in one folder.

``audit.jsonl`` is the one being written; ``audit.jsonl.000001`` and on are older ones, the oldest first;
``audit.jsonl.head`` says how far the log goes, and is what a writer locks; ``audit.jsonl.torn`` keeps the bytes of
records that a crash left unfinished.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, NoReturn

if TYPE_CHECKING:
    from pathlib import Path

MODE = 0o600
"""A log is for its owner; who may read it besides is for the operator to say. Rotation keeps the mode."""

_NUMBER = re.compile(r"\.(\d{6,})$")
_HEAD = re.compile(rb"(\d{20}) (\d{20}) ([0-9a-f]{64})\n")
_BLOCK = 64 * 1024


class LogError(Exception):
    """The log can't be used; the text is one sentence for the operator."""


class Head(NamedTuple):
    """How far a log goes.

    Attributes:
        seq: the number of the last record known to be on disk; 0 for none.
        first: the number of the first record that should be there: those before it were removed by ``keep``.
        hash: the hash of record ``seq``.
    """

    seq: int
    first: int
    hash: str

    def encode(self) -> bytes:
        """Return its bytes, always as many, so that it can be overwritten in place even on a full disk."""
        return b"%020d %020d %b\n" % (self.seq, self.first, self.hash.encode())


def head_path(path: Path) -> Path:
    """Return where the head of a log is."""
    return path.with_name(path.name + ".head")


def torn_path(path: Path) -> Path:
    """Return where the bytes of a log's torn records are kept."""
    return path.with_name(path.name + ".torn")


def decode_head(data: bytes) -> Head | None:
    """Read a head's bytes; ``None`` where they aren't one."""
    found = _HEAD.fullmatch(data)
    return Head(int(found[1]), int(found[2]), found[3].decode()) if found else None


def read_head(path: Path) -> Head | None:
    """Read the head of the log at a path; ``None`` where there is none.

    Raises:
        OSError: where it is there but can't be read.
    """
    try:
        return decode_head(head_path(path).read_bytes())
    except FileNotFoundError:
        return None


def is_rotated(path: Path) -> bool:
    """Whether a path is that of an older file of a log."""
    return _NUMBER.search(path.name) is not None


def rotated(path: Path) -> list[tuple[int, Path]]:
    """Return the older files of a log with their numbers, oldest first.

    Raises:
        OSError: where the folder can't be read.
    """
    found = []
    for entry in os.scandir(path.parent):
        number = _NUMBER.fullmatch(entry.name, len(path.name)) if entry.name.startswith(path.name + ".") else None
        if number:
            found.append((int(number[1]), path.with_name(entry.name)))
    return sorted(found)


def open_parts(path: Path) -> list[tuple[Path, BinaryIO | None]]:
    """Return the files of a log, oldest first, that being written last; it alone is open.

    It is opened before the others are looked for, so that a rotation in between loses nothing and doubles nothing.

    Args:
        path: that of a log, or of one older file of one, which then stands alone.

    Raises:
        LogError: where there is no such log, or it isn't made of regular files.
        OSError: where it can't be read.
    """
    if path.exists() and not path.is_file():
        raise LogError(f"{path} is not a regular file")
    if is_rotated(path):
        return [(path, path.open("rb"))] if path.exists() else _nothing(path)
    try:
        file = path.open("rb")
    except FileNotFoundError:
        older = rotated(path) if path.parent.is_dir() else []
        return [(each, None) for _, each in older] or _nothing(path)
    ours = os.fstat(file.fileno())
    found: list[tuple[Path, BinaryIO | None]] = []
    for _, each in rotated(path):
        if each.exists() and os.path.samestat(each.stat(), ours):
            break
        found.append((each, None))
    return [*found, (path, file)]


def _nothing(path: Path) -> NoReturn:
    raise LogError(f"{path}: no such file")


def next_rotated(path: Path) -> Path:
    """Return the name that the file at a path gets when it is rotated.

    Raises:
        OSError: where the folder can't be read.
    """
    last = max((number for number, _ in rotated(path)), default=0)
    return path.with_name(f"{path.name}.{last + 1:06d}")


def last_line(descriptor: int, end: int) -> tuple[int, bytes]:
    """Return where the last line before ``end`` starts, in bytes, and the line, with its line end if it has one.

    Raises:
        OSError: where the file can't be read.
    """
    data, start = b"", end
    while start > 0:
        size = min(_BLOCK, start)
        start -= size
        data = os.pread(descriptor, size, start) + data
        found = data.rfind(b"\n", 0, len(data) - 1)
        if found >= 0:
            return start + found + 1, data[found + 1 :]
    return 0, data


def sync_folder(path: Path) -> None:
    """Have the names in the folder of a path on disk.

    Raises:
        OSError: where that fails.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
