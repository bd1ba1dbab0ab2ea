"""The readings of a text: the text itself, then with its disguises undone, each mapped back to the text."""

from __future__ import annotations

import re
from functools import reduce
from html.entities import html5
from typing import TYPE_CHECKING, NamedTuple

from . import native
from .budget import DEFAULT, Budget, Gauge, OverBudget
from .decoders import runs
from .edits import WORTH, Edits, Since, utf8
from .inline import WAYS, compatible, possible
from .spans import SEPARATOR, Inline, Joined, Pieces, Run, Spans, Uncut, Whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .inline import Record
    from .signs import Told

__all__ = ["DEFAULT", "Budget", "OverBudget", "Spans", "View", "views"]


class View(NamedTuple):
    """One reading of a leaf's text."""

    text: str
    """What detectors read."""
    how: tuple[str, ...]
    """The disguises undone in it, outermost first: () for the leaf itself."""
    spans: Spans
    """The way back to the leaf's text."""
    since: Since | None = None
    """How it came from a reading that was yielded before, where but little of that was changed."""

    def disguise(self, start: int, end: int) -> tuple[str, ...]:
        """Return the disguises that were undone within [start, end) of this view: those of `how` that matter there."""
        return self.spans.how(start, end)


_WHOLE = Whole()


def views(text: str, budget: Budget = DEFAULT) -> Iterator[View]:
    """Yield the readings of a text.

    Disguises written character by character (compatibility forms, escapes, entities, percent signs) are undone
    together in one view, to the character. Encoded runs (base64, hex, what is compressed in them) of one text are
    joined in one view for each way they were encoded, and map to their whole run.

    Args:
        text: a leaf of a message.
        budget: the limits of the work.

    Yields:
        The leaf itself first, then the views found in it, each before those found in it.

    Raises:
        OverBudget: where a limit is passed; the caller has to treat the text as unread.
    """
    leaf = View(text, (), _WHOLE)
    yield leaf
    if len(text) < _SHORTEST:
        return
    gauge = Gauge(budget)
    seen: dict[int, list[View]] = {len(text): [leaf]}
    told: Told = {}
    todo = [(leaf, 0)]
    while todo:
        view, depth = todo.pop()
        passes = 0
        following: View | None = view
        while following is not None:
            view = following
            for joined in _joined(view, gauge, told):
                if _is_new(joined, seen):
                    gauge.nested(depth + len(joined.how) - len(view.how))
                    gauge.view(len(joined.text))
                    yield joined
                    todo.append((joined, depth + len(joined.how) - len(view.how)))
            following = _undone(view)
            if following is not None:
                passes += 1
                gauge.nested(passes)
                gauge.view(len(following.text))
                if not _is_new(following, seen):
                    break
                yield following


_SHORTEST = 4
"""Characters of the shortest text that can hold a disguise worth undoing: `%41` and the like hide nothing alone."""


def _is_new(view: View, seen: dict[int, list[View]]) -> bool:
    """Note a view, unless it is there already: the same text, from the same place. From elsewhere it is another.

    Views are kept by the length of their text, since to hash a long one takes as long as to read it.
    """
    alike = seen.setdefault(len(view.text), [])
    size = len(view.text)
    if any(each.text == view.text and each.spans.of(0, size) == view.spans.of(0, size) for each in alike):
        return False
    alike.append(view)
    return True


_SPARSE = 512
"""Characters for each edit, at least, beside what that replaced, where it is worth to be told."""
_PIECES = 256
"""Characters for each piece that was replaced, at least: with more of them, edits aren't worked out."""
_APART = 64
"""Characters between two edits, at least; pieces that are nearer to each other are one."""


_compiled_ways = native.ways(html5, compatible, native.Worth(WORTH, _APART, _PIECES, _SPARSE))


def _undone(view: View) -> View | None:
    """Undo what is disguised character by character; None where nothing is."""
    settled = view.how[-1:] == (WAYS[-1].name,)  # what can't be seen is undone last
    told = _compiled_ways(view.text, settled=settled)
    if told is None:
        return _undone_in_python(view, settled=settled)
    if not told.cuts:
        return None
    how, spans = view.how, view.spans
    for number, cuts in told.cuts:
        way = WAYS[number]
        how, spans = (*how, way.name), Inline(spans, way, cuts)
    return View(told.text, how, spans, Since(view.text, *told.edits) if told.edits else None)


def _undone_in_python(view: View, *, settled: bool) -> View | None:
    text, how, spans, since = view
    if not possible(text) or (since is not None and not _again(text, since.edits)):
        return None
    record: Record | None = [] if len(text) >= WORTH else None
    for way in WAYS:
        if text is view.text and way is WAYS[-1] and settled:
            continue  # nothing came up since
        plain = way.undo(text, record)
        if plain != text:
            cuts = record[-1] if record else None
            how, spans = (*how, way.name), Inline(spans, way, cuts or Uncut(text, way))
            text = plain
    if spans is view.spans:
        return None
    return View(text, how, spans, _since(view.text, text, record) if record else None)


_OUTSIDE = re.compile(r"""[^A-Za-z0-9_\\%&#;{}+ ,"'/]""")
"""What is in nothing that is coded, nor says how far that goes."""
_NEAR = 200


def _again(text: str, edits: Edits) -> bool:
    """Whether something is to be undone in a text that was undone before, and came of that by edits.

    What wasn't touched had been undone then, so what is round the edits says it.
    """
    parts = []
    stop = -1
    for start, end in zip(edits.new_starts, edits.new_ends, strict=True):
        if end > stop:
            low = max(0, start - _NEAR)
            before = _OUTSIDE.search(text[low:start][::-1])
            begin = start - before.start() if before else low and text.rfind("\n", 0, start) + 1
            behind = _OUTSIDE.search(text, end)
            stop = behind.start() if behind else len(text)
            parts.append(text[begin:stop])
    local = "\n".join(parts)
    return any(way.undo(local) != local for way in WAYS)


def _since(old: str, new: str, record: Record) -> Since | None:
    """Return how a text came from another; None where that isn't known, or where it would be of no use."""
    steps = [each for each in record if each is not None]
    pieces = sum(len(each.old) // 2 for each in steps)
    if len(steps) < len(record) or pieces * _PIECES > len(new):
        return None
    edits, in_bytes = _edits(steps)
    read = sum(edits.new_ends) - sum(edits.new_starts) + _SPARSE * len(edits.new_ends)
    if read > len(new):
        return None
    return Since(old, edits, in_bytes)


def _edits(steps: list[Pieces]) -> tuple[Edits, Edits]:
    """Return what all steps replaced together: in characters, and in bytes of UTF-8."""
    in_characters, in_bytes = (
        reduce(Edits.then, (Edits.between(*step, size, _APART) for step in steps)) for size in (len, utf8)
    )
    return in_characters, in_bytes


def _joined(view: View, gauge: Gauge, told: Told) -> list[View]:
    """Decode the encoded runs of a view; one view for each way of encoding."""
    found = runs(view.text, gauge, view.since, told)
    if not found:
        return []
    kinds: dict[tuple[str, ...], list[Run]] = {}
    for run in found:
        kinds.setdefault(run.how, []).append(run)
    return [
        View(SEPARATOR.join(run.text for run in alike), view.how + how, Joined(view.spans, alike))
        for how, alike in kinds.items()
    ]
