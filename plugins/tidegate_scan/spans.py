"""Where a piece of a view stands in the leaf it was made from."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class Spans(Protocol):
    """The map from a view's text back to the leaf's."""

    def of(self, start: int, end: int) -> tuple[int, int]:
        """Return the smallest span [start, end) of the leaf's text that covers [start, end) of the view's.

        All are counted in characters.
        """
        ...

    def how(self, start: int, end: int) -> tuple[str, ...]:
        """Return the disguises that were undone inside [start, end) of the view's text, outermost first."""
        ...


class Whole:
    """The leaf itself: every position is its own."""

    __slots__ = ()

    def of(self, start: int, end: int) -> tuple[int, int]:
        """See `Spans.of`."""
        return start, end

    def how(self, start: int, end: int) -> tuple[str, ...]:  # noqa: ARG002 - nothing was undone anywhere
        """See `Spans.how`."""
        return ()


class Coded(Protocol):
    """A way of writing characters inside a text, such as `%41`."""

    name: str

    def pieces(self, text: str) -> list[str]:
        """Return the text cut in pieces: plain ones at even places, coded ones at odd places."""
        ...

    def decode(self, piece: str) -> str:
        """Return what a coded piece stands for."""
        ...

    def atoms(self, piece: str) -> Iterator[tuple[int, int]]:
        """Yield the lengths (coded, decoded) of the smallest parts of a coded piece, in order."""
        ...


class Steps(NamedTuple):
    """Pieces in order: where each begins in the view and in what the view was made from; one more for the end."""

    view: Sequence[int]
    source: Sequence[int]

    @classmethod
    def between(cls, view: Iterable[int], source: Iterable[int]) -> Steps:
        """Add up the sizes of pieces."""
        return cls(list(accumulate(view, initial=0)), list(accumulate(source, initial=0)))

    @classmethod
    def over(cls, sizes: Sequence[tuple[int, int]]) -> Steps:
        """Add up sizes (in the source, in the view)."""
        return cls.between((size for _, size in sizes), (size for size, _ in sizes))

    def holding(self, position: int) -> int:
        """Return the index of the piece that holds a character of the view; pieces of no length hold none."""
        return min(bisect_right(self.view, position), len(self.view) - 1) - 1


class Cuts(Protocol):
    """Where a text and the one that was made of it were cut in pieces, plain and coded ones in turns."""

    def steps(self) -> tuple[Sequence[int], Sequence[int]]:
        """Return where each begins in what was made, and in what it was made of, in characters; and where those end."""
        ...

    def coded(self, piece: int) -> str:
        """Return a coded piece, by its number among all."""
        ...


class Pieces(NamedTuple):
    """The pieces of a text, and of the one that was made of it: plain ones at even places, coded ones at odd places."""

    old: list[str]
    new: list[str]

    def steps(self) -> Steps:
        """See `Cuts.steps`."""
        return Steps.between(map(len, self.new), map(len, self.old))

    def coded(self, piece: int) -> str:
        """See `Cuts.coded`."""
        return self.old[piece]


class Uncut:
    """A text that wasn't cut when another was made of it: it is when that is asked for."""

    __slots__ = ("_pieces", "_text", "_way")

    def __init__(self, text: str, way: Coded) -> None:
        self._text = text
        self._way = way
        self._pieces: list[str] = []

    def steps(self) -> Steps:
        """See `Cuts.steps`."""
        self._pieces = self._way.pieces(self._text)
        plain = self._pieces.copy()
        plain[1::2] = map(self._way.decode, plain[1::2])
        return Pieces(self._pieces, plain).steps()

    def coded(self, piece: int) -> str:
        """See `Cuts.coded`."""
        return self._pieces[piece]


class Inline:
    """The map of a view in which coded characters were written plainly: exact to the character.

    It is worked out when first asked for: most views hold nothing that is looked for.
    """

    __slots__ = ("_coded", "_cuts", "_inner", "_parent", "_steps")

    def __init__(self, parent: Spans, coded: Coded, cuts: Cuts) -> None:
        self._parent = parent
        self._coded = coded
        self._cuts = cuts
        self._steps: Steps | None = None
        self._inner: dict[int, Steps] = {}

    def of(self, start: int, end: int) -> tuple[int, int]:
        """See `Spans.of`."""
        return self._parent.of(*self._in_source(start, end))

    def how(self, start: int, end: int) -> tuple[str, ...]:
        """See `Spans.how`."""
        source_start, source_end = self._in_source(start, end)
        outer = self._parent.how(source_start, source_end)
        steps = self._all_steps()
        first = bisect_right(steps.source, source_start) - 1
        last = bisect_left(steps.source, source_end) - 1
        touched = last > first or (last == first and first % 2 == 1)
        return (*outer, self._coded.name) if touched else outer

    def _in_source(self, start: int, end: int) -> tuple[int, int]:
        first = self._character(start)
        if end <= start:
            return first[0], first[0]
        return first[0], self._character(end - 1)[1]

    def _all_steps(self) -> Steps:
        if self._steps is None:
            self._steps = Steps(*self._cuts.steps())
        return self._steps

    def _character(self, position: int) -> tuple[int, int]:
        """Return where one character of the view stands in the source."""
        steps = self._all_steps()
        if position >= steps.view[-1]:
            return steps.source[-1], steps.source[-1]
        piece = steps.holding(position)
        start, inside = steps.source[piece], position - steps.view[piece]
        if piece % 2 == 0:
            return start + inside, start + inside + 1
        if piece not in self._inner:
            self._inner[piece] = Steps.over(list(self._coded.atoms(self._cuts.coded(piece))))
        inner = self._inner[piece]
        atom = inner.holding(inside)
        return start + inner.source[atom], start + inner.source[atom + 1]


class Run(NamedTuple):
    """An encoded run of a text, and what it stands for."""

    start: int
    end: int
    how: tuple[str, ...]
    text: str


SEPARATOR = "\n\x00\n"
"""Between the decoded runs of one view: no detector reads across it."""


class Joined:
    """The map of a view made of decoded runs: whatever is in a run came from the whole of it."""

    __slots__ = ("_parent", "_runs", "_starts")

    def __init__(self, parent: Spans, runs: Sequence[Run]) -> None:
        self._parent = parent
        self._runs = runs
        self._starts = list(accumulate((len(run.text) + len(SEPARATOR) for run in runs), initial=0))[:-1]

    def of(self, start: int, end: int) -> tuple[int, int]:
        """See `Spans.of`."""
        return self._parent.of(*self._in_source(start, end))

    def how(self, start: int, end: int) -> tuple[str, ...]:
        """See `Spans.how`."""
        return self._parent.how(*self._in_source(start, end)) + self._runs[0].how

    def _in_source(self, start: int, end: int) -> tuple[int, int]:
        first = bisect_right(self._starts, start) - 1
        last = max(bisect_right(self._starts, max(end - 1, start)) - 1, first)
        return self._runs[first].start, self._runs[last].end
