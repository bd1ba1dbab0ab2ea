"""What became of a text where pieces of it were replaced: which parts are new, and where everything else went.

A disguise undone changes a few characters here and there, so what was learnt of the text before holds in between.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WORTH = 8000
"""Characters of the shortest text of which it is worth to note what may hold of another that comes from it."""


class Edits(NamedTuple):
    """Pieces that were replaced: where each began and ended in the old text, and where in the new. In order."""

    old_starts: list[int]
    old_ends: list[int]
    new_starts: list[int]
    new_ends: list[int]

    @classmethod
    def between(cls, old: Sequence[str], new: Sequence[str], size: Callable[[str], int] = len, apart: int = 0) -> Edits:
        """Compare two texts that were cut in pieces alike; places are counted as the sizes of pieces are.

        Edits with less than `apart` between them become one.
        """
        old_ends = list(accumulate(map(size, old), initial=0))
        new_ends = list(accumulate(map(size, new), initial=0))
        firsts: list[int] = []
        lasts: list[int] = []
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            if one != other:
                if lasts and old_ends[number] - old_ends[lasts[-1] + 1] < apart:
                    lasts[-1] = number
                else:
                    firsts.append(number)
                    lasts.append(number)
        return cls(
            [old_ends[number] for number in firsts],
            [old_ends[number + 1] for number in lasts],
            [new_ends[number] for number in firsts],
            [new_ends[number + 1] for number in lasts],
        )

    def then(self, later: Edits) -> Edits:
        """Return these edits and later ones of the new text as one; what meets becomes one piece."""
        first = zip(self.new_starts, self.new_ends, strict=True)
        second = zip(later.old_starts, later.old_ends, strict=True)
        met: list[tuple[int, int]] = []
        for start, end in sorted((*first, *second)):
            if met and start <= met[-1][1]:
                met[-1] = met[-1][0], max(met[-1][1], end)
            else:
                met.append((start, end))
        return Edits(
            [_moved(self.new_starts, self.new_ends, self.old_starts, self.old_ends, start) for start, _ in met],
            [_moved_end(self.new_ends, self.old_ends, end) for _, end in met],
            [_moved(later.old_starts, later.old_ends, later.new_starts, later.new_ends, start) for start, _ in met],
            [_moved_end(later.old_ends, later.new_ends, end) for _, end in met],
        )

    def kept(self, start: int, end: int) -> bool:
        """Whether [start, end) of the old text stayed as it is, with what is between its characters."""
        at = bisect_right(self.old_ends, start)
        return at == len(self.old_ends) or self.old_starts[at] >= end

    def is_new(self, start: int, end: int) -> bool:
        """Whether [start, end) of the new text isn't as it was."""
        at = bisect_right(self.new_ends, start)
        return at < len(self.new_ends) and self.new_starts[at] < end

    def shift(self, place: int) -> int:
        """Return how far a place of the old text moved that stayed as it is."""
        at = bisect_right(self.old_ends, place) - 1
        return 0 if at < 0 else self.new_ends[at] - self.old_ends[at]

    def around(self, margin: int, size: int) -> Iterator[tuple[int, int]]:
        """Yield the stretches of the new text, of that size, that are no further than a margin from something new."""
        begin, stop = 0, -1
        for start, end in zip(self.new_starts, self.new_ends, strict=True):
            if start - margin > stop:
                if stop >= 0:
                    yield begin, stop
                begin = max(0, start - margin)
            stop = min(size, end + margin)
        if stop >= 0:
            yield begin, stop


class Since(NamedTuple):
    """How a text came from another one.

    Attributes:
        text: the other.
        edits: what was replaced, in characters.
        in_bytes: the same, in bytes of UTF-8.
    """

    text: str
    edits: Edits
    in_bytes: Edits


def utf8(text: str) -> int:
    """Return how many bytes of UTF-8 a text takes."""
    return len(text.encode("utf-8", "surrogatepass"))


def _moved(starts: list[int], ends: list[int], to_starts: list[int], to_ends: list[int], start: int) -> int:
    """Return where the start of a piece is in another text: that of an edit which begins there, or between edits."""
    at = bisect_left(starts, start)
    if at < len(starts) and starts[at] == start:
        return to_starts[at]
    return start if at == 0 else start - ends[at - 1] + to_ends[at - 1]


def _moved_end(ends: list[int], to_ends: list[int], end: int) -> int:
    """Return where the end of a piece is in another text."""
    at = bisect_right(ends, end) - 1
    return end if at < 0 else end - ends[at] + to_ends[at]
