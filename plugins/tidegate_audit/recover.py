"""Opening a log: lock it, find where its chain ends, and repair what a crash left.

What a crash can leave is the start of one line, at the end of the file. That alone is repaired; anything else that
isn't as it was written stops the start, because it is not for Tidegate to explain away.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from tidegate_audit import chain, files
from tidegate_audit.files import Head, LogError

if TYPE_CHECKING:
    from pathlib import Path

log = structlog.get_logger("tidegate.audit")

_START = b'{"seq":'


@dataclass(slots=True)
class Opened:
    """A log that is ready to be continued.

    Attributes:
        descriptor: of the file, for reading and appending.
        head_descriptor: of the head; as long as it is open, the log is locked.
        head: the last record of the chain, and the first that should be there.
        size: of the file, in bytes.
        repairs: what was found and done, one sentence each.
    """

    descriptor: int
    head_descriptor: int
    head: Head
    size: int
    repairs: list[str] = field(default_factory=list)


def open_log(path: Path) -> Opened:
    """Lock a log, made if it isn't there, and find where its chain ends.

    Args:
        path: of the file being written, absolute and without links.

    Raises:
        LogError: where another process has it, it isn't a log, or its last record isn't what was written.
    """
    if path.exists() and not path.is_file():
        raise LogError(f"{path} is not a regular file")
    try:
        locked = _lock(path)
        try:
            return _continue(path, locked)
        except BaseException:
            os.close(locked)
            raise
    except FileNotFoundError:
        raise LogError(f"the folder {path.parent} doesn't exist") from None
    except OSError as error:
        raise LogError(f"{path} can't be opened: {error.strerror}") from None


def _lock(path: Path) -> int:
    head = files.head_path(path)
    descriptor = os.open(head, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, files.MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise LogError(f"{path} is being written by another Tidegate; give each its own path") from None
    return descriptor


def _continue(path: Path, locked: int) -> Opened:
    older = files.rotated(path)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, files.MODE)
    try:
        opened = Opened(descriptor, locked, Head(0, 1, chain.GENESIS), 0)
        last = _last(path, descriptor, opened.repairs)
        if last is None and older:
            last = _last_of_older(older[-1][1])
        seq, digest = (last.seq, last.hash) if last else (0, chain.GENESIS)
        opened.head = _agree(path, Head(seq, _first(path, older), digest), os.pread(locked, 200, 0), opened.repairs)
        opened.size = os.fstat(descriptor).st_size
        os.fsync(descriptor)
        os.pwrite(locked, opened.head.encode(), 0)
        files.sync_folder(path)
    except BaseException:
        os.close(descriptor)
        raise
    for repair in opened.repairs:
        log.warning("audit log repaired", path=str(path), what=repair)
    return opened


def _agree(path: Path, end: Head, data: bytes, repairs: list[str]) -> Head:
    """Hold the end of the files against the head; where records are gone, continue after those."""
    head = files.decode_head(data)
    if head is None:
        return end
    if head.seq > end.seq:
        repairs.append(f"records {end.seq + 1} to {head.seq} were written and are missing now")
        return head
    if head.seq == end.seq and head.hash != end.hash:
        raise LogError(f"the last record of {path} is not the one that was written; see `tidegate audit verify {path}`")
    return Head(end.seq, head.first, end.hash)


def _last(path: Path, descriptor: int, repairs: list[str]) -> chain.Link | None:
    """Return the last record of the file being written, after repairing what a crash left; ``None`` for none."""
    end = os.fstat(descriptor).st_size
    if end == 0:
        return None
    start, line = files.last_line(descriptor, end)
    try:
        link = chain.read(line.removesuffix(b"\n"))
    except chain.Broken as broken:
        if broken.what != "cut":
            raise _unusable(path) from None
        before = _before(path, descriptor, start, line)
        _set_aside(path, line)
        os.ftruncate(descriptor, start)
        repairs.append(f"a record was torn: its {len(line)} bytes were moved to {files.torn_path(path).name}")
        return before
    if not line.endswith(b"\n"):
        os.write(descriptor, b"\n")
        repairs.append(f"the line end of record {link.seq} was missing and was added")
    return link


def _before(path: Path, descriptor: int, start: int, torn: bytes) -> chain.Link | None:
    """Return the record before a torn line; refuse a file that isn't a log, before anything in it is changed."""
    if start == 0:
        head = torn[: len(_START)]
        if _START.startswith(head) or not torn.strip(b"\0"):
            return None
        raise LogError(f"{path} is not an audit log")
    try:
        return chain.read(files.last_line(descriptor, start)[1].removesuffix(b"\n"))
    except chain.Broken:
        raise _unusable(path) from None


def _unusable(path: Path) -> LogError:
    return LogError(
        f"the last record of {path} is not what was written; see `tidegate audit verify {path}`, "
        "and move the log's files away to begin a new one"
    )


def _set_aside(path: Path, torn: bytes) -> None:
    target = os.open(files.torn_path(path), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, files.MODE)
    with os.fdopen(target, "wb") as file:
        file.write(torn.removesuffix(b"\n") + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _last_of_older(path: Path) -> chain.Link:
    with path.open("rb") as file:
        line = files.last_line(file.fileno(), os.fstat(file.fileno()).st_size)[1]
    try:
        return chain.read(line.removesuffix(b"\n"))
    except chain.Broken:
        raise _unusable(path) from None


def _first(path: Path, older: list[tuple[int, Path]]) -> int:
    """Return the number of the oldest record there is; 1 where it can't be told."""
    return first_of(older[0][1] if older else path) or 1


def first_of(path: Path) -> int | None:
    """Return the number of a file's first record; ``None`` where it has none that is intact.

    Raises:
        OSError: where it can't be read.
    """
    with path.open("rb") as file:
        line = file.readline()
    try:
        return chain.read(line.removesuffix(b"\n")).seq
    except chain.Broken:
        return None
