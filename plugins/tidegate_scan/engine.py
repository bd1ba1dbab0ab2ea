"""The engine: all rules over one text, in time that grows with its length and no faster.

A prefilter says which rules could match, and where. Their regexes are run there alone, so the result is the same
as if each were run over the whole text, as long as no match reaches further from its literal than the rule's window.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from time import monotonic
from typing import NamedTuple

from tidegate_scan.budget import OverBudget
from tidegate_scan.edits import WORTH, Since
from tidegate_scan.literals import STRIDE
from tidegate_scan.prefilter import SPARSE, Known, Prefilter, Stops
from tidegate_scan.rules import Rule, Window

BETWEEN = b"\x00"
"""What stands between texts that are searched together; no rule matches across it."""

PER_CHARACTER = 4  # bytes of one character in UTF-8, at most
_CONTINUED = bytes(range(0x80, 0xC0))  # the bytes of UTF-8 that begin no character


class Hit(NamedTuple):
    """A secret: the rule that found it, and its span [start, end) in characters of the text."""

    rule: Rule
    start: int
    end: int


class Engine:
    """Rules, compiled for searching texts. It keeps nothing of them and may be used by several threads."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._prefilter = Prefilter(self._rules)

    def find(
        self, text: str, until: float = math.inf, since: Since | None = None, known: Known | None = None
    ) -> list[Hit]:
        """Everything the rules find in a text, by place; secrets that several rules find are named by each.

        Validators and exclusions have been applied. A text may be several, with U+0000 between them. Nothing in the
        text can switch a rule off. What is learnt of a text is noted in `known`; where that holds the text that
        this one came from, only what was edited since is read, and what was found in the other may be left out.

        Raises:
            OverBudget: where it takes longer than until then (time.monotonic).
        """
        plain = text.isascii()
        scale = 1 if plain else PER_CHARACTER
        places = self._prefilter.compiled_windows(text, scale, until, since, known)
        # A lone surrogate can't be in JSON that passed the parser, but a decoder may make one.
        data = text.encode("utf-8", "surrogatepass")
        if places is None:
            if known is None or len(text) < WORTH:
                places = self._prefilter.all_windows(data, scale, until)
            else:
                places = self._prefilter.windows(data, self._learnt(text, data, until, since, known), until)
        if not places:
            return []
        found = [
            (*span, number)
            for number, windows in places.items()
            for span in self._spans(number, data, _in_time(windows, until), scale)
        ]
        found.sort()
        if plain:
            return [Hit(self._rules[number], begin, end) for begin, end, number in found]
        places_of = _characters(data, {offset for begin, end, _ in found for offset in (begin, end)})
        return [Hit(self._rules[number], places_of[begin], places_of[end]) for begin, end, number in found]

    def _learnt(self, text: str, data: bytes, until: float, since: Since | None, known: Known) -> Stops:
        scale = 1 if text.isascii() else PER_CHARACTER
        old = known.of(since)
        if since is None or not isinstance(old, Stops):
            stops = self._prefilter.stops(data, scale, until)
        else:
            stops = self._prefilter.moved(data, scale, old, since.in_bytes, until)
        if stops.total() * SPARSE <= len(text):
            known.note(text, stops)
        return stops

    def _spans(self, number: int, data: bytes, windows: Iterable[Window], scale: int) -> Iterator[tuple[int, int]]:
        parts = chain.from_iterable(_parts(data, window) for window in windows)
        return self._rules[number].spans(data, parts, scale)


def _in_time(windows: Iterable[Window], until: float) -> Iterator[Window]:
    for number, window in enumerate(windows):
        if not number % STRIDE and monotonic() > until:
            raise OverBudget("a text would take too long to search")
        yield window


def _parts(data: bytes, window: Window) -> Iterator[Window]:
    """Cut a window where one text ends and the next begins: what is found in a text rests on that text alone."""
    start, stop, anchored = window
    while (end := data.find(BETWEEN, start, stop)) >= 0:
        yield Window(start, end, anchored)
        if anchored:
            return
        start = end + len(BETWEEN)
    yield Window(start, stop, anchored)


def _characters(data: bytes, offsets: Iterable[int]) -> dict[int, int]:
    """For byte offsets in UTF-8, how many characters stand before each; in one pass."""
    at: dict[int, int] = {}
    last = count = 0
    for offset in sorted(offsets):
        count += len(data[last:offset].translate(None, _CONTINUED))
        at[offset] = count
        last = offset
    return at
