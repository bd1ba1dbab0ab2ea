"""Regular expressions that take linear time whatever the text: google-re2, on UTF-8 bytes.

What goes in is RE2's syntax (github.com/google/re2/wiki/Syntax), which has no back-references and no look-around;
that is what makes the time linear.
"""

from collections.abc import Callable
from typing import Any

# Neither has types: google-re2 ships none, and there are no stubs.
import re2  # type: ignore[import-untyped]
from re2 import _re2

Spans = list[tuple[int, int]]
"""Byte offsets of the match and then of each group; (-1, -1) for what took no part."""

NOTHING = (-1, -1)
ANYWHERE = _re2.RE2.Anchor.UNANCHORED
AT_START = _re2.RE2.Anchor.ANCHOR_START

_MEMORY = 32 << 20  # the most that one regex's automaton may grow to; what doesn't fit is dropped and made anew


class RegexError(ValueError):
    """A regex that RE2 refuses. Its text is RE2's reason."""


class Regex:
    r"""A compiled regex.

    `match(anchor, data, start, stop)` is RE2's own search and returns `Spans`. Only matches within [start, stop) count,
    but `^`, `$` and `\b` see what stands around them. It is called without the wrapper that google-re2 puts
    round it, which costs twice as much as the search itself on short texts.
    """

    __slots__ = ("_compiled", "match")

    match: Callable[[Any, bytes, int, int], Spans]

    def __init__(self, text: str, *, capture: bool = True, longest: bool = False, utf8: bool = True) -> None:
        """Compile; without `capture` the groups are forgotten, which is quicker.

        With `longest` the longest of the matches that begin leftmost counts, not the one of the first way.
        Without `utf8` the text is bytes: what isn't ASCII in the regex is written by its number and stands for one.

        Raises:
            RegexError: RE2 refuses it.
        """
        options = re2.Options()
        options.max_mem = _MEMORY
        options.never_capture = not capture
        options.longest_match = longest
        if not utf8:
            options.encoding = re2.Options.Encoding.LATIN1
        options.log_errors = False  # it would write patterns to stderr
        # Constructed and not re2.compile(): that keeps the last 128 in a cache of its own.
        self._compiled = _re2.RE2(text.encode(), options)
        if not self._compiled.ok():
            raise RegexError(_text(self._compiled.error()))
        self.match = self._compiled.Match

    def groups(self) -> dict[str, int]:
        """The numbers of the named groups."""
        return {_text(name): number for name, number in self._compiled.NamedCapturingGroups()}

    def count(self) -> int:
        """How many groups there are."""
        return int(self._compiled.NumberOfCapturingGroups())

    def matches(self, data: bytes) -> bool:
        """Whether it matches anywhere."""
        return self.match(ANYWHERE, data, 0, len(data))[0] != NOTHING


def escape(text: str) -> str:
    """A regex that matches exactly this text."""
    return str(re2.escape(text))


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
