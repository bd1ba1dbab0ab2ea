"""What ``tidegate scan`` says of a file: where which rule found something, and never what."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from tidegate_scan.files import Lines, offsets, records
from tidegate_scan.scanner import BUDGET, NESTED
from tidegate_scan.views import OverBudget

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tidegate_scan.config import Allowed
    from tidegate_scan.files import Record
    from tidegate_scan.fingerprint import Fingerprints
    from tidegate_scan.scanner import Found, Scanner

MASK = "[masked]"
"""What stands for a key of a JSON Pointer that holds something that was found."""


@dataclass(frozen=True, slots=True)
class Report:
    """One finding in a file.

    Attributes:
        path: the file as it was named, printable; ``-`` for standard input.
        line: from 1; in a message the line that the string, or its member, begins on.
        column: from 1, in characters; ``None`` in a message.
        end_line: the line of its end.
        end_column: behind its last character; ``None`` in a message.
        pointer: the string in a message, by JSON Pointer; ``None`` in a text.
        span: its characters in the text, or in that string; ``None`` where it is all of it.
        in_key: whether it is in the key that the pointer names, and not in its value.
        kind: ``secret`` or ``pii``.
        rule: the rule's id.
        confidence: 0.0 to 1.0.
        view: how it was disguised, outermost first, as ``url+base64``; ``""`` where it wasn't.
        fingerprint: of the value, keyed; ``""`` where there is no value.
    """

    path: str
    line: int
    column: int | None
    end_line: int
    end_column: int | None
    pointer: str | None
    span: tuple[int, int] | None
    in_key: bool
    kind: str
    rule: str
    confidence: float
    view: str
    fingerprint: str


class Detector(NamedTuple):
    """One kind of what is looked for: its scanner, and what its settings let through."""

    kind: str
    scanner: Scanner
    allow: Sequence[Allowed] = ()


class Reporter:
    """Looks at texts, and reports."""

    def __init__(self, detectors: Sequence[Detector], prints: Fingerprints) -> None:
        self._detectors = detectors
        self._prints = prints

    def text(self, path: str, text: str) -> list[Report]:
        """Return what is in the text of a file, by place."""
        messages = records(text)
        if messages is None:
            found = list(self._plain(path, text))
        else:
            found = [report for record in messages for report in self._message(path, record)]
        return sorted(set(found), key=_place)

    def _plain(self, path: str, text: str) -> Iterator[Report]:
        lines = Lines(text)
        for detector in self._detectors:
            try:
                found = detector.scanner.text(text)
            except OverBudget:
                yield _too_much(path, 1, None)
                continue
            for each in found:
                line, column = lines.at(each.span[0])
                end = lines.at(max(each.span[1] - 1, each.span[0]))
                yield from self._report(detector, each, (path, line, column, end[0], end[1] + 1, None))

    def _message(self, path: str, record: Record) -> Iterator[Report]:
        found: list[tuple[Detector, Found]] = []
        for detector in self._detectors:
            try:
                found += [(detector, each) for each in detector.scanner.tree(record.tree)]
            except OverBudget:
                yield _too_much(path, record.line, "")
        secret = {each.pointer.rpartition("/")[2] for _, each in found if each.in_key}
        values = {each.value for _, each in found}
        places = offsets(record.text) if found and record.text else {}
        lines = Lines(record.text)
        for detector, each in found:
            pointer = _masked(each.pointer, secret, values)
            outer = each.pointer.partition(f"/{NESTED}")[0]  # what is in a string is on the string's line
            line = record.line + lines.at(places.get(outer, 0))[0] - 1
            yield from self._report(detector, each, (path, line, None, line, None, pointer))

    def _report(
        self, detector: Detector, found: Found, place: tuple[str, int, int | None, int, int | None, str | None]
    ) -> Iterator[Report]:
        fingerprint = self._prints.of(found.value)
        if any(_allows(entry, found.rule, place[-1] or "", fingerprint) for entry in detector.allow):
            return
        yield Report(
            *place,
            span=found.span,
            in_key=found.in_key,
            kind=detector.kind,
            rule=found.rule,
            confidence=found.confidence,
            view=found.view,
            fingerprint=fingerprint,
        )


def _masked(pointer: str, secret: set[str], values: set[str]) -> str:
    """Return a pointer without the keys that hold a value, which would tell it."""
    tokens = pointer.split("/")
    for index, token in enumerate(tokens):
        plain = token.replace("~1", "/").replace("~0", "~")
        if token in secret or any(value in plain for value in values if value):
            tokens[index] = MASK
    return "/".join(tokens)


def _allows(entry: Allowed, rule: str, pointer: str, fingerprint: str) -> bool:
    """Whether an entry of ``allow`` is for what was found in a file: there it has neither server nor target."""
    if entry.servers or entry.targets or entry.fingerprint not in (None, fingerprint):
        return False
    return all(
        not globs or any(fnmatchcase(name, glob) for glob in globs)
        for globs, name in ((entry.rules, rule), (entry.pointers, pointer))
    )


def _too_much(path: str, line: int, pointer: str | None) -> Report:
    column = 1 if pointer is None else None
    return Report(
        path, line, column, line, column, pointer, None, False, "secret", BUDGET, 1.0, "", ""  # noqa: FBT003 - in_key
    )  # fmt: skip


def _place(report: Report) -> tuple[int, int, str, tuple[int, int], str]:
    return (report.line, report.column or 0, report.pointer or "", report.span or (0, 0), report.rule)
