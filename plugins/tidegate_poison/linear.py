"""Regular expressions that take linear time whatever the text: google-re2, asked about strings."""

from __future__ import annotations

from typing import TYPE_CHECKING

# Neither has types: google-re2 ships none, and there are no stubs.
import re2  # type: ignore[import-untyped]
from re2 import _re2

if TYPE_CHECKING:
    from collections.abc import Iterator

_ANYWHERE = _re2.RE2.Anchor.UNANCHORED
_NOTHING = (-1, -1)
_MEMORY = 16 << 20  # the most that one automaton may grow to; what doesn't fit is dropped and made anew

Span = tuple[int, int]


class Regex:
    """A compiled regex, in RE2's syntax."""

    __slots__ = ("_compiled",)

    def __init__(self, text: str, *, capture: bool = True) -> None:
        options = re2.Options()
        options.max_mem = _MEMORY
        options.never_capture = not capture
        options.log_errors = False  # it would write patterns to stderr
        self._compiled = _re2.RE2(text.encode(), options)
        if not self._compiled.ok():
            raise ValueError(f"RE2 refuses a regex: {self._compiled.error()!r}")

    def matches(self, data: bytes, start: int = 0, end: int | None = None) -> bool:
        """Whether it matches anywhere in UTF-8 bytes, or in a part of them."""
        return bool(self._compiled.Match(_ANYWHERE, data, start, len(data) if end is None else end)[0] != _NOTHING)

    def within(self, data: bytes, start: int, end: int) -> Iterator[list[Span]]:
        """Yield, for each match in a part of UTF-8 bytes, its span and then those of the groups, in bytes.

        A group that took no part is at (-1, -1).
        """
        match = self._compiled.Match
        while start <= end:
            found = match(_ANYWHERE, data, start, end)
            low, high = found[0]
            if low < 0:
                return
            yield found
            start = high if high > low else high + 1

    def spans(self, text: str) -> Iterator[list[Span]]:
        """Yield the same for a string, in characters."""
        data = text.encode(errors="replace")
        if len(data) == len(text):
            yield from self.within(data, 0, len(data))
            return
        characters = Characters(data)
        for found in self.within(data, 0, len(data)):
            yield [span if span == _NOTHING else characters.span(span) for span in found]


class Characters:
    """Says which character a byte of a UTF-8 text is; quick for places that follow each other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._byte = self._character = 0

    def span(self, span: Span) -> Span:
        """Return a span of bytes as one of characters."""
        return self._at(span[0]), self._at(span[1])

    def _at(self, byte: int) -> int:
        if byte >= self._byte:
            self._character += len(self._data[self._byte : byte].decode(errors="ignore"))
        else:
            self._character -= len(self._data[byte : self._byte].decode(errors="ignore"))
        self._byte = byte
        return self._character
