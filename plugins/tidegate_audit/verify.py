"""Verification: is every record there, as it was written, and in its place?

What is found is one of four: ``cut``, ``changed``, ``reordered`` and ``missing``. After a broken line the walk goes on,
so one look shows all there is to see.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from tidegate_audit import chain, files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tidegate_audit.chain import Link, What

MOST_PROBLEMS = 100
"""Problems that a report lists; all are counted."""

_TRIES, _PAUSE = 3, 0.02  # a line of a log in use may be read while it is being written


@dataclass(slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        what: ``cut``, ``changed``, ``reordered`` or ``missing``.
        file: the file's name.
        line: the line's number in it, from 1; 0 for the end of the log.
        seq: the number of the record it is about, as far as it can be told.
        detail: one sentence.
    """

    what: What
    file: str
    line: int
    seq: int | None
    detail: str


@dataclass(slots=True)
class Report:
    """What a verification found.

    Attributes:
        files: names of the files, oldest first.
        records: how many intact records there are.
        first: the number of the first of them.
        last: the number of the last of them.
        time: when the last was written.
        hash: the hash of the last; note it elsewhere, and a later verification can be told to find it.
        found: how many problems there are.
        problems: the first of them.
        notes: what is worth knowing but isn't wrong.
    """

    files: list[str] = field(default_factory=list)
    records: int = 0
    first: int | None = None
    last: int | None = None
    time: str | None = None
    hash: str | None = None
    found: int = 0
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.found == 0


@dataclass(slots=True)
class _Gap:
    """Numbers that were jumped over, some of which may turn up later."""

    first: int
    last: int
    problem: Problem
    seen: int = 0


def verify(
    path: Path,
    *,
    start: int | None = None,
    contains: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Verify a log with all its files, or one older file by itself.

    Args:
        path: of the log, or of one older file.
        start: the number of a record before which none is looked for; by default what the head of the log says.
        contains: a hash that one of its records must have.
        progress: is told how many more bytes were read.

    Raises:
        LogError: where there is no such log.
        OSError: where it can't be read.
    """
    head = None if files.is_rotated(path) else files.read_head(path)
    walk = _Walk(head, start, contains)
    parts = files.open_parts(path)
    with parts[-1][1] or contextlib.nullcontext():
        for index, (each, file) in enumerate(parts):
            walk.file = each.name
            walk.report.files.append(each.name)
            with file or each.open("rb") as stream:
                for number, line in enumerate(_lines(stream, live=index == len(parts) - 1), 1):
                    walk.line(number, line)
                    progress(len(line))
    walk.end(alone=files.is_rotated(path))
    return walk.report


def _lines(stream: BinaryIO, *, live: bool) -> Iterator[bytes]:
    """Yield lines; the last one of a log in use is waited for."""
    for line in stream:
        tries = 0
        while live and not line.endswith(b"\n") and tries < _TRIES:
            time.sleep(_PAUSE)
            line += stream.readline()  # noqa: PLW2901 - the same line, longer
            tries += 1
        yield line


class _Walk:
    """The state of a verification between two lines."""

    def __init__(self, head: files.Head | None, start: int | None, contains: str | None) -> None:
        self.report = Report()
        self.file = ""
        self._head = head
        self._start = start if start is not None else head.first if head else None
        self._contains = contains
        self._last: Link | None = None  # the intact record with the highest number
        self._broken = 0  # lines since then that are no intact records
        self._gaps: list[_Gap] = []

    def _problem(self, what: What, line: int, seq: int | None, detail: str) -> Problem:
        problem = Problem(what, self.file, line, seq, detail)
        self.report.found += 1
        if len(self.report.problems) < MOST_PROBLEMS:
            self.report.problems.append(problem)
        return problem

    def line(self, number: int, line: bytes) -> None:
        """Look at one line."""
        content = line.removesuffix(b"\n")
        try:
            link = chain.read(content)
        except chain.Broken as broken:
            self._broken += 1
            seq = self._last.seq + self._broken if self._last else None
            self._problem(broken.what, number, seq, broken.detail)
            return
        if content == line:
            self._problem("cut", number, link.seq, "the line has no line end; the next start of Tidegate repairs this")
        self.report.records += 1
        self._known(number, link)
        if self._last is None:
            self._begin(number, link)
        elif link.seq <= self._last.seq:
            self._behind(number, link)
            return
        else:
            self._onward(number, link, self._last)
        self._last, self._broken = link, 0

    def _known(self, number: int, link: Link) -> None:
        """Hold a record against what is known from elsewhere."""
        if link.hash == self._contains:
            self._contains = None
        if self._head and link.seq == self._head.seq and link.hash != self._head.hash:
            self._problem("changed", number, link.seq, "the record is not the one that was written")

    def _begin(self, number: int, link: Link) -> None:
        """The first intact record: may the log start here?"""
        self.report.first = link.seq
        if link.seq == 1 and link.prev != chain.GENESIS:
            self._problem("changed", number, 1, "the first record states one before it")
        first = link.seq - self._broken
        if self._start is not None and first > self._start:
            self._missing(number, self._start, first - 1)
        elif link.seq > 1 and not self._broken:
            self.report.notes.append(f"The chain starts at record {link.seq}; older files aren't here.")

    def _missing(self, number: int, first: int, last: int) -> None:
        said = f"record {first} is missing" if first == last else f"records {first} to {last} are missing"
        self._gaps.append(_Gap(first, last, self._problem("missing", number, first, said)))

    def _behind(self, number: int, link: Link) -> None:
        """A record that stands after one with a higher number, or the same."""
        for gap in self._gaps:
            if gap.first <= link.seq <= gap.last:
                gap.seen += 1
        assert self._last is not None
        self._problem("reordered", number, link.seq, f"record {link.seq} stands after record {self._last.seq}")

    def _onward(self, number: int, link: Link, last: Link) -> None:
        """A record with a higher number than all before it."""
        between = link.seq - last.seq - 1
        if between > self._broken:
            self._missing(number, last.seq + self._broken + 1, link.seq - 1)
            return
        if between == 0 and link.prev != last.hash:
            said = f"record {link.seq} doesn't continue the one before it: one of the two was replaced"
            self._problem("changed", number, link.seq, said)

    def end(self, *, alone: bool) -> None:
        """Look at what shows at the end only.

        Args:
            alone: whether it was one older file by itself.
        """
        report, last = self.report, self._last
        seq = last.seq if last else 0
        if last:
            report.last, report.time, report.hash = last.seq, str(last.record.get("time")), last.hash
        for gap in self._gaps:
            if gap.seen >= gap.last - gap.first + 1:  # nothing is missing, and that it is elsewhere is said there
                report.found -= 1
                report.problems = [problem for problem in report.problems if problem is not gap.problem]
        if self._head and self._head.seq > seq + self._broken:
            self._missing(0, seq + self._broken + 1, self._head.seq)
        elif not self._head and not alone:
            report.notes.append("There is no head file, so records cut off the end would not show.")
        if self._contains:
            self._problem("missing", 0, None, "no record has the hash that was asked for")


def size(path: Path) -> int:
    """Return how many bytes a verification will read.

    Raises:
        LogError: where there is no such log.
        OSError: where it can't be read.
    """
    *older, (last, file) = files.open_parts(path)
    with file or last.open("rb") as stream:
        return sum(each.stat().st_size for each, _ in older) + os.fstat(stream.fileno()).st_size
