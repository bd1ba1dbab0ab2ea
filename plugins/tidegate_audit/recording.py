"""The recording: an encrypted file beside the log, of what interceptors keep of messages to judge them again.

Each line is a Fernet token (AES-128-CBC with HMAC-SHA-256, of the package ``cryptography``) of a JSON object with
``decision``, ``time``, ``by`` and ``detail``. It is described in ``docs/reference/audit-record.md``.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from cryptography.fernet import Fernet, InvalidToken

from tidegate_audit import files
from tidegate_audit.files import LogError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tidegate import Decision


_turning = threading.Lock()  # one rotation at a time: two entries may have the same file


def new_key(path: Path) -> None:
    """Write a new key into a file for its owner only, which must not be there yet.

    Raises:
        OSError: where it can't be written, or is there.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, files.MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(Fernet.generate_key() + b"\n")


def read_key(said: str, folder: Path) -> Fernet:
    """Return the key that a setting names.

    Args:
        said: `env:NAME` for a variable, or the path of a file.
        folder: where relative paths start.

    Raises:
        LogError: where there is none. What the setting says isn't in the text: it may be the key itself, by mistake.
    """
    if said.startswith("env:"):
        text = os.environ.get(said[4:], "")
        if not text:
            raise LogError("record_key names an environment variable that is not set")
    else:
        try:
            text = (folder / said).read_text("ascii")
        except (OSError, UnicodeDecodeError):
            raise LogError(
                "record_key names a file that can't be read; make one with `tidegate audit record-key`"
            ) from None
    try:
        return Fernet(text.strip())
    except ValueError:
        raise LogError("record_key is no key as `tidegate audit record-key` makes it") from None


class Recording:
    """Writes one recording. Safe to be used beside others of the same file."""

    def __init__(self, path: Path, key: Fernet, rotate_bytes: int = 0, keep: int = 0) -> None:
        """Open a recording; it is made if it isn't there.

        Args:
            path: of the file being written.
            key: what encrypts it.
            rotate_bytes: the size from which on a file is rotated; 0 for never.
            keep: how many rotated files are kept; 0 for all.

        Raises:
            LogError: where it can't be opened.
        """
        self._path, self._key = path.resolve(), key
        self._rotate_bytes, self._keep = rotate_bytes, keep
        try:
            self._descriptor = self._open(files.MODE)
            self._mend()
        except OSError as error:
            raise LogError(f"{path} can't be opened: {error.strerror}") from None

    def write(self, decision: Decision) -> None:
        """Write what interceptors keep of a message, if they keep anything: all of it or nothing.

        Raises:
            OSError: where it can't be written.
        """
        lines = []
        for by, note in decision.notes:
            if note.detail is not None:
                entry = {"decision": decision.id, "time": _now(), "by": by, "detail": _value(note.detail())}
                lines.append(self._key.encrypt(orjson.dumps(entry)) + b"\n")
        if lines:
            self._put(b"".join(lines))

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _open(self, mode: int) -> int:
        return os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, mode)

    def _mend(self) -> None:
        """End a line that a crash cut, so that the next is a line of its own."""
        size = os.fstat(self._descriptor).st_size
        if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
            os.write(self._descriptor, b"\n")

    def _put(self, data: bytes) -> None:
        size = self._turned(len(data))
        written = os.write(self._descriptor, data)
        if written < len(data):
            os.ftruncate(self._descriptor, size)
            raise OSError("the recording can't be written")

    def _turned(self, more: int) -> int:
        """Rotate where there is no room for so many bytes more; return the size of the file that is written."""
        with _turning:
            ours = os.fstat(self._descriptor)
            try:
                moved = not os.path.samestat(self._path.stat(), ours)
            except FileNotFoundError:
                moved = True
            if not moved and ours.st_size and 0 < self._rotate_bytes < ours.st_size + more:
                os.rename(self._path, files.next_rotated(self._path))  # noqa: PTH104 - as the log's writer does
                moved = True
            if moved:
                fresh = self._open(stat.S_IMODE(ours.st_mode))
                os.close(self._descriptor)
                self._descriptor = fresh
                self._prune()
            return os.fstat(self._descriptor).st_size

    def _prune(self) -> None:
        older = [path for _, path in files.rotated(self._path)]
        for path in older[: -self._keep] if self._keep else ():
            path.unlink(missing_ok=True)


class Line(NamedTuple):
    """A line of a recording.

    Attributes:
        where: its file and number, as ``audit.recording:3``.
        entry: what it says; ``None`` where it can't be read with the key.
    """

    where: str
    entry: dict[str, Any] | None


def read(path: Path, key: Fernet) -> Iterator[Line]:
    """Yield the lines of a recording, oldest first, through its older files.

    Raises:
        LogError: where there is no such recording.
        OSError: where it can't be read.
    """
    for part, opened in files.open_parts(path):
        with opened or part.open("rb") as file:
            for number, line in enumerate(file, 1):
                yield Line(f"{part.name}:{number}", _entry(line, key))


def _entry(line: bytes, key: Fernet) -> dict[str, Any] | None:
    try:
        entry: dict[str, Any] = orjson.loads(key.decrypt(line.rstrip(b"\n")))
    except InvalidToken:
        return None
    return entry


def _value(detail: bytes) -> Any:
    try:
        return orjson.loads(detail)
    except orjson.JSONDecodeError:
        return detail.decode(errors="replace")


def _now() -> str:
    now = time.time_ns() // 1000
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now // 1_000_000))}.{now % 1_000_000:06d}Z"
