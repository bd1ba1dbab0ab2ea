"""Reading a log: which records, the last of them, and those still to come."""

from __future__ import annotations

import fnmatch
import os
import re
import sys
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import orjson

from tidegate_audit import files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_AGO = re.compile(r"(\d+)([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LOOK = 0.2  # a file can't be awaited without a library for it, so it is looked at this often, in seconds


class Line(NamedTuple):
    """One line of a log and the record it holds."""

    text: bytes
    record: dict[str, Any]


@dataclass(frozen=True)
class Filter:
    """Which records are wanted: those that fit one of the globs of every field that has any.

    Attributes:
        globs: per field, compiled; a record without the field doesn't fit.
        since: the earliest time, as records write it; ``""`` for any.
        until: the latest one.
    """

    globs: dict[str, re.Pattern[str]]
    since: str = ""
    until: str = ""

    def fits(self, record: dict[str, Any]) -> bool:
        """Whether a record is wanted."""
        when = str(record.get("time"))
        if when < self.since or (self.until and when > self.until):
            return False
        for name, glob in self.globs.items():
            value = record.get(name)
            if not isinstance(value, str) or not glob.match(value):
                return False
        return True


def compile_globs(wanted: dict[str, Iterable[str] | None]) -> dict[str, re.Pattern[str]]:
    """Return the globs for a :class:`Filter`, of those fields that have any."""
    given = {name: globs for name, globs in wanted.items() if globs}
    return {name: re.compile("|".join(map(fnmatch.translate, globs))) for name, globs in given.items()}


def moment(text: str, now: datetime) -> str:
    """Return a time as records write it.

    Args:
        text: a date and time (RFC 3339; without a zone it is local), a date, or how long ago: ``90s``, ``15m``,
            ``2h``, ``3d``, ``1w``.
        now: the present time.

    Raises:
        ValueError: where it is none of these.
    """
    ago = _AGO.fullmatch(text)
    try:
        when = now - timedelta(**{_UNITS[ago[2]]: int(ago[1])}) if ago else datetime.fromisoformat(text)
        return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except (OverflowError, ValueError):
        raise ValueError(f"{text!r} is no time: say 2026-07-28T12:00:00Z, 2026-07-28, or how long ago: 15m") from None


def parse(line: bytes) -> Line | None:
    """Return a line's record; ``None`` where it can't be read or its last byte isn't a line end."""
    if not line.endswith(b"\n"):
        return None
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return Line(line, record) if isinstance(record, dict) else None


class Reader:
    """Reads a log from its end.

    Attributes:
        unreadable: how many lines it met that hold no record.
    """

    def __init__(self, path: Path) -> None:
        """Open a log.

        Raises:
            LogError: where there is no such log.
            OSError: where it can't be read.
        """
        self._path = path
        *older, (last, file) = files.open_parts(path)
        self._older = [each for each, _ in older]
        self._stream = file or last.open("rb")
        self.unreadable = 0

    def last(self, wanted: Filter, limit: int) -> list[Line]:
        """Return the last records that are wanted, oldest first.

        Args:
            wanted: which.
            limit: how many at most; 0 for all.

        Raises:
            OSError: where it can't be read.
        """
        limit = min(limit, sys.maxsize)
        found: deque[Line] = deque(self._fitting(self._stream, wanted), limit or None)
        for path in reversed(self._older):
            need = limit - len(found) if limit else None
            if need == 0:
                break
            with path.open("rb") as stream:
                found.extendleft(reversed(deque(self._fitting(stream, wanted), need)))
        return list(found)

    def _fitting(self, stream: BinaryIO, wanted: Filter) -> Iterator[Line]:
        for text in stream:
            if not text.endswith(b"\n"):
                stream.seek(-len(text), os.SEEK_CUR)  # being written, or torn: follow() reads it when it is whole
                return
            line = parse(text)
            if line is None:
                self.unreadable += 1
            elif wanted.fits(line.record):
                yield line

    def follow(self, wanted: Filter) -> Iterator[Line]:
        """Yield records as they are written, through rotations, without an end.

        Raises:
            OSError: where it can't be read.
        """
        while True:
            yield from self._fitting(self._stream, wanted)
            newer = self._newer()
            if not newer:
                time.sleep(_LOOK)
                continue
            yield from self._fitting(self._stream, wanted)  # what came between the last look and the rotation
            for path in newer[:-1]:
                with path.open("rb") as stream:
                    yield from self._fitting(stream, wanted)
            self._stream.close()
            self._stream = newer[-1].open("rb")

    def _newer(self) -> list[Path]:
        """Return the files after the one being read; none while it is the one being written."""
        ours = os.fstat(self._stream.fileno())
        if self._stream.tell() > ours.st_size:
            self._stream.seek(0, os.SEEK_END)
        try:
            if os.path.samestat(ours, self._path.stat()):
                return []
        except FileNotFoundError:
            return []
        older = [path for _, path in files.rotated(self._path)]
        index = next((at for at, path in enumerate(older) if os.path.samestat(ours, path.stat())), len(older) - 1)
        return [*older[index + 1 :], self._path]

    def close(self) -> None:
        """Close it."""
        self._stream.close()
