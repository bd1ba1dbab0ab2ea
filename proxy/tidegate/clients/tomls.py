"""TOML, changed in place: every byte that isn't meant stays as it is.

A text is cut into its statements: headers, and keys with their values, each with its span. What they mean is tomllib's
to say; a change that it doesn't read as meant is refused by ``edits``.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from typing import Any

from tidegate.clients.edits import Append, Drop, Edit, NotReadable, NotThere, Path, Prefix, Set

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_GAP = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_REST_OF_LINE = re.compile(r"[^\n]*\n?")
_PIECE = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r'|\'{3}.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*|[\[\]{}]|[^"\'#\[\]{}]+',
    re.DOTALL,
)
_KEY = re.compile(r'[ \t]*(?:([A-Za-z0-9_-]+)|("(?:[^"\\\n]|\\.)*")|\'([^\'\n]*)\')[ \t]*')


@dataclass(frozen=True, slots=True)
class Statement:
    """A header, or a key with its value.

    Attributes:
        full: the whole path of what it defines.
        table: the path of the table that it stands in, or that it opens.
        start: where it begins.
        end: where it ends, with the rest of its line.
        value: the span of a key's value; ``None`` for a header.
    """

    full: Path
    table: Path
    start: int
    end: int
    value: tuple[int, int] | None


def read(text: str) -> Any:
    """Return what a text says.

    Raises:
        NotReadable: where it isn't TOML.
    """
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        place = re.search(r"line \d+", str(error))
        line = place[0] if place else f"line {text.count(chr(10)) + 1}"  # it says "at end of document"
        said = f"is not TOML: see its {line}"
    raise NotReadable(said)


def raw(text: str, path: Path) -> None:
    """Return nothing: a value can't be put back as it was written, as it may have been spread over a file."""
    del text, path


def edit(text: str, change: Edit) -> str:
    """Return the text with a change made.

    Raises:
        NotThere: where the place isn't there, or is written in a way that isn't known here.
    """
    found = statements(text)
    if isinstance(change, Append):
        raise NotThere("no client of this format has a list")
    if isinstance(change, Drop):
        return _dropped(text, found, change.path)
    said = next((one for one in found if one.value is not None and one.full == change.path), None)
    if isinstance(change, Prefix):
        if said is None or said.value is None:
            raise NotThere(change.path[-1])
        return _prefixed(text, said.value[0], change.words)
    if said is not None and said.value is not None:
        return text[: said.value[0]] + inline(change.value) + text[said.value[1] :]
    if any(one.full[: len(change.path)] == change.path for one in found):
        text = _dropped(text, found, change.path)
        found = statements(text)
    if isinstance(change.value, dict):
        return _with_table(text, found, change)
    return _with_key(text, found, change)


def statements(text: str) -> list[Statement]:
    """Return the statements of a text that is TOML."""
    out: list[Statement] = []
    table: Path = ()
    at = _gap(text, 1 if text.startswith("\ufeff") else 0)
    while at < len(text):
        if text[at] == "[":
            many = text.startswith("[[", at)
            table, end = _key(text, at + 1 + many)
            end = _line_end(text, end + 1 + many)
            out.append(Statement(table, table, at, end, None))
        else:
            path, equals = _key(text, at)
            start = equals + 1
            start += len(text[start:]) - len(text[start:].lstrip(" \t"))
            stop = _value_end(text, start)
            end = _line_end(text, stop)
            out.append(Statement(table + path, table, at, end, (start, stop)))
        at = _gap(text, end)
    return out


def _gap(text: str, at: int) -> int:
    found = _GAP.match(text, at)
    return found.end() if found else at


def _line_end(text: str, at: int) -> int:
    found = _REST_OF_LINE.match(text, at)
    return found.end() if found else at


def _key(text: str, at: int) -> tuple[Path, int]:
    """Return a dotted key, and where what comes after it begins."""
    parts: list[str] = []
    while True:
        found = _KEY.match(text, at)
        if found is None:
            raise NotThere("a key")
        parts.append(found[1] or (tomllib.loads(f"k = {found[2]}")["k"] if found[2] else found[3]))
        at = found.end()
        if text[at : at + 1] != ".":
            return tuple(parts), at
        at += 1


def _value_end(text: str, start: int) -> int:
    """Return where a value ends: at the end of its line, where no bracket is open."""
    depth, at = 0, start
    while at < len(text):
        found = _PIECE.match(text, at)
        if found is None:
            raise NotThere("a value")
        piece = found[0]
        if piece in "[{":
            depth += 1
        elif piece in "]}":
            depth -= 1
        elif not depth and piece.startswith("#"):
            break
        elif not depth and "\n" in piece and not piece.startswith(('"', "'")):
            at += piece.index("\n")
            break
        at = found.end()
    return start + len(text[start:at].rstrip())


# -- writing ------------------------------------------------------------------------------------------------


def inline(value: Any) -> str:
    """Return a value as it stands behind a key."""
    if isinstance(value, dict):
        members = ", ".join(f"{_named(key)} = {inline(item)}" for key, item in value.items())
        return f"{{ {members} }}" if members else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(inline(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _named(key: str) -> str:
    return key if _BARE.fullmatch(key) else inline(key)


def _eol(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _with_table(text: str, found: list[Statement], change: Set) -> str:
    """Return the text with a table added behind the last of its siblings, or at the end."""
    eol = _eol(text)
    lines = [f"[{'.'.join(_named(key) for key in change.path)}]"]
    lines += [f"{_named(key)} = {inline(item)}" for key, item in change.value.items()]
    siblings = [one for one in found if one.table[:1] == change.path[:1]]
    at = siblings[-1].end if siblings else len(text)
    before, after = text[:at], text[at:]
    if before and not before.endswith("\n"):
        before += eol
    gap = eol if before.strip() and not before.endswith(eol * 2) else ""
    return before + gap + eol.join(lines) + eol + after


def _with_key(text: str, found: list[Statement], change: Set) -> str:
    """Return the text with a key added to a table that has a header."""
    inside = [one for one in found if one.table == change.path[:-1]]
    if not inside or inside[0].value is not None:
        raise NotThere(change.path[-1])
    at, eol = inside[-1].end, _eol(text)
    before = text[:at] if text[:at].endswith("\n") else text[:at] + eol
    return f"{before}{_named(change.path[-1])} = {inline(change.value)}{eol}{text[at:]}"


def _prefixed(text: str, start: int, words: tuple[str, ...]) -> str:
    if text[start] != "[":
        raise NotThere("a list")
    first = _gap(text, start + 1)
    if text[first] == "]":
        raise NotThere("the list is empty")
    line = text[:first].rpartition("\n")
    gap = _eol(text) + line[2] if len(line[0]) >= start and not line[2].strip() else " "
    return text[:first] + ", ".join(inline(word) for word in words) + "," + gap + text[first:]


def _dropped(text: str, found: list[Statement], path: Path) -> str:
    """Return the text without all that says something about a place or below it, and the empty lines before it."""
    gone = [one for one in found if one.full[: len(path)] == path]
    if not gone:
        raise NotThere(path[-1])
    spans: list[list[int]] = []
    for one in gone:
        between = text[spans[-1][1] : one.start] if spans else "."
        if not between.strip() or (one.value is not None and spans and one.table[: len(path)] == path):
            spans[-1][1] = one.end
        else:
            spans.append([one.start, one.end])
    for start, end in reversed(spans):
        before = text[:start]
        if not before.endswith("\n") and before:
            before = before[: len(before.rstrip(" \t"))]
        kept = before.rstrip("\r\n")
        if kept and before != kept:
            kept += _eol(text)
        text = kept + text[end:]
    return text
