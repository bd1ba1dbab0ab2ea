"""All strings of a message in one text, so that one pass over it finds what is in any of them.

A message has many short strings, and looking at each by itself costs more than looking at all at once. A short member
becomes a line ``KEY=VALUE``, because what a value is often only its key says. Between two lines stands what no
rule reads across.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate_scan import native

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SEPARATOR = "\n\x00\n"
_OWN = "\u200b"
"""What is read in place of a U+0000 of a message's own: of no width, so it is undone as a disguise."""

SHORT = 512
"""Characters up to which a value stands on one line with its key."""

LEAST_NUMBER = 10_000_000
"""The least number that is read: it has eight digits, and what is shorter is no card, no id and no password held."""

_MOST_NUMBER = 10**40
_ID = (None, "id")
"""The place of a message's id: like a progress token, chosen at random, and nothing to anybody but who chose it."""

SHORT_CLEAN = 128
"""Characters of the longest text that is remembered to be clean."""

MOST_CLEAN = 16_384
"""How many texts are remembered to be clean."""

MOST_NEW = 8000
"""Bytes of a message's new strings that are searched before it is known where they stand."""

EDGE = 256
"""Characters at the ends of a long string that may be part of what goes on in the next one."""

_FIXED = frozenset(("jsonrpc", "method", "type", "role", "mimeType"))
"""Members whose values are words of the protocol; with another value no reader knows what to do with the object."""

MOST_PARTS = 4096
"""How many strings are looked at as possible parts of one secret."""

Node = tuple[Any, str | int] | None
"""Where a value is: where its parent is, and its own key or index; ``None`` for the root."""

_Line = tuple[Node, str | None, int, bool]
"""A string's place; the value, ``None`` where the line is a key alone; where on the line that begins; and whether what
is before it is its own key, and not that of the array it is in."""


class Place(NamedTuple):
    """Where something is in a message.

    Attributes:
        node: the string's place.
        in_key: whether it is in the key and not in the value.
        span: its characters there.
        text: the whole string.
    """

    node: Node
    in_key: bool
    span: tuple[int, int]
    text: str


def pointer(node: Node, prefix: str = "") -> str:
    """Return the JSON Pointer of a place, behind that of where its tree is."""
    tokens: list[str] = []
    while node is not None:
        node, key = node
        tokens.append(key.replace("~", "~0").replace("/", "~1") if isinstance(key, str) else str(key))
    return prefix + "".join(f"/{token}" for token in reversed(tokens))


class Clean:
    """Which short texts were looked at before, and nothing was found in them.

    Most strings of most messages are the same again and again: keys, methods, names, types. What is remembered is
    hashes, whose seed is the process's own, and none of the strings.
    """

    def __init__(self) -> None:
        self._hashes: set[int] = set()

    def __contains__(self, text: str) -> bool:
        return hash(text) in self._hashes

    def add(self, texts: Iterable[str]) -> None:
        """Remember texts; long ones hardly ever come again."""
        if len(self._hashes) >= MOST_CLEAN:
            self._hashes.clear()
        self._hashes.update(hash(text) for text in texts if len(text) <= SHORT_CLEAN)


def compiled() -> native.Strings | None:
    """What says of messages whose strings are short whether there is anything new in them, if it is there."""
    sizes = SHORT, EDGE, SHORT_CLEAN, MOST_CLEAN, MOST_PARTS, LEAST_NUMBER
    return native.strings(native.Layout(SEPARATOR, _OWN, _FIXED, *sizes, MOST_NEW))


class Leaves:
    """The strings of a JSON value, keys too, and its long numbers where they are asked for.

    What is known to be clean of strings put together is apart: they are looked at by fewer rules, and not in disguise.

    Attributes:
        text: all of them but those that are known to be clean.
        pieces: the lines it is made of.
    """

    def __init__(
        self, tree: Any, clean: Clean | None = None, clean_runs: Clean | None = None, *, numbers: bool = False
    ) -> None:
        self._clean = clean or Clean()
        self._clean_runs = clean_runs or Clean()
        self._numbers = numbers
        self._is_message = type(tree) is dict and "jsonrpc" in tree
        self.pieces: list[str] = []
        self._lines: list[_Line] = []  # beside each piece: what it is
        self._values: list[tuple[Node, str]] = []
        self._groups: list[list[int]] = []  # indexes of values
        self._starts: list[int] = []
        self._walk(tree, None, "")
        self.text = SEPARATOR.join(self.pieces)

    def _walk(self, value: Any, node: Node, key: str) -> list[tuple[str, int]]:
        """Take the strings of a value; return the indexes of those that are its own members, by their keys."""
        kind = type(value)
        own: list[tuple[str, int]] = []
        if kind is dict:
            for name, item in value.items():
                below = (node, name)
                if type(item) is str:
                    own.append((name, self._value(item, below, name, keyed=True)))
                else:
                    self._piece(name, (below, None, len(name), True))
                    if item is not None:
                        self._walk(item, below, name)
            if len(own) > 1:
                group = [index for name, index in own if name not in _FIXED]
                if len(group) > 1:
                    self._groups.append(group)
        elif kind is list:
            self._items(value, node, key)
        elif kind is str:
            self._value(value, node, key, keyed=False)
        elif self._numbers and (kind is int or kind is float):
            self._number(value, node, key)
        return own

    def _number(self, value: float, node: Node, key: str) -> None:
        """Take a number as the digits it is written with, if it is a whole one and long enough."""
        if not LEAST_NUMBER <= abs(value) < _MOST_NUMBER or value != int(value):
            return
        if self._is_message and (node == _ID or (node is not None and node[1] == "progressToken")):
            return
        text = str(abs(int(value)))
        self._piece(f"{key}={text}" if key else text, (node, text, len(key) + 1 if key else 0, False))

    def _items(self, value: list[Any], node: Node, key: str) -> None:
        alike: dict[str, list[int]] = {}
        for place, item in enumerate(value):
            if type(item) is str:
                alike.setdefault("", []).append(self._value(item, (node, place), key, keyed=False))
            else:
                for name, index in self._walk(item, (node, place), key):
                    alike.setdefault(f"/{name}", []).append(index)
        self._groups += [group for group in alike.values() if len(group) > 1]

    def _value(self, value: str, node: Node, key: str, *, keyed: bool) -> int:
        if key and len(value) <= SHORT and "\n" not in value:
            self._piece(f"{key}={value}", (node, value, len(key) + 1, keyed))
        else:
            if keyed:
                self._piece(key, (node, None, len(key), True))
            self._piece(value, (node, value, 0, False))
        self._values.append((node, value))
        return len(self._values) - 1

    def _piece(self, piece: str, line: _Line) -> None:
        if "\0" in piece:
            piece = piece.replace("\0", _OWN)
        if piece not in self._clean:
            self.pieces.append(piece)
            self._lines.append(line)

    def places(self, start: int, end: int) -> list[Place]:
        """Return where a span of :attr:`text` is: one place, or several where it reaches across strings."""
        if not self._starts:
            self._starts = _starts(self.pieces)
        found = []
        for index in range(max(bisect_right(self._starts, start) - 1, 0), len(self._lines)):
            begin, piece = self._starts[index], self.pieces[index]
            if begin >= end:
                break
            node, value, offset, keyed = self._lines[index]
            low, high = max(start - begin, 0), min(end - begin, len(piece))
            own = offset if value is not None else len(piece) + 1  # where the value begins; the key ends before "="
            if keyed and node is not None and low < min(high, own - 1):
                found.append(Place(node, in_key=True, span=(low, min(high, own - 1)), text=str(node[1])))
            if value is not None and max(low, own) < high:
                found.append(Place(node, in_key=False, span=(max(low, own) - own, high - own), text=value))
        return found

    def together(self) -> Together | None:
        """Return the values that may be parts of one: those of one object, and those of the items of one array."""
        if not self._groups or sum(map(len, self._groups)) > MOST_PARTS:
            return None
        joined = Together(
            [run for group in self._groups for run in _runs(self._values[index] for index in group)], self._clean_runs
        )
        return joined if joined.pieces else None


def _starts(pieces: Iterable[str]) -> list[int]:
    at, out = 0, []
    for piece in pieces:
        out.append(at)
        at += len(piece) + len(SEPARATOR)
    return out


_Part = tuple[Node, str, int, str]
"""A string's place, the string, where in it the part begins, and the part."""


def _runs(values: Iterable[tuple[Node, str]]) -> Iterator[list[_Part]]:
    """Yield what follows each other: short values whole, of long ones the end and the beginning alone."""
    run: list[_Part] = []
    for node, value in values:
        if len(value) <= 2 * EDGE:
            run.append((node, value, 0, value))
            continue
        run.append((node, value, 0, value[:EDGE]))
        yield run
        run = [(node, value, len(value) - EDGE, value[-EDGE:])]
    yield run


class Together:
    """Runs of values, each run without anything between its values.

    Attributes:
        pieces: each run as one text.
        text: all of them.
    """

    def __init__(self, runs: list[list[_Part]], clean: Clean) -> None:
        self.pieces: list[str] = []
        self._runs: list[list[_Part]] = []
        for run in runs:
            piece = "".join(part for _, _, _, part in run).replace("\0", _OWN)
            if len(run) > 1 and piece not in clean:
                self.pieces.append(piece)
                self._runs.append(run)
        self.text = SEPARATOR.join(self.pieces)
        self._starts: list[int] = []

    def places(self, start: int, end: int) -> list[Place]:
        """Return where a span of :attr:`text` is; what is in one value alone was found there already: then none."""
        if not self._starts:
            self._starts = _starts(self.pieces)
        index = max(bisect_right(self._starts, start) - 1, 0)
        found, at = [], self._starts[index]
        for node, value, offset, part in self._runs[index]:
            low, high = max(start - at, 0), min(end - at, len(part))
            if low < high:
                found.append(Place(node, in_key=False, span=(low + offset, high + offset), text=value))
            at += len(part)
        return found if len(found) > 1 else []
