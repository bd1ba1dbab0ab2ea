"""The readings of a text: the text itself, then with its disguises undone, each mapped back to the text."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .budget import DEFAULT, Budget, Gauge, OverBudget
from .decoders import runs
from .inline import WAYS
from .spans import SEPARATOR, Inline, Joined, Run, Spans, Whole

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DEFAULT", "Budget", "OverBudget", "Spans", "View", "views"]


class View(NamedTuple):
    """One reading of a leaf's text."""

    text: str
    """What detectors read."""
    how: tuple[str, ...]
    """The disguises undone in it, outermost first: () for the leaf itself."""
    spans: Spans
    """The way back to the leaf's text."""

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
    seen: dict[str, list[View]] = {text: [leaf]}
    todo = [(leaf, 0)]
    while todo:
        view, depth = todo.pop()
        passes = 0
        following: View | None = view
        while following is not None:
            view = following
            for joined in _joined(view, gauge):
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


def _is_new(view: View, seen: dict[str, list[View]]) -> bool:
    """Note a view, unless it is there already: the same text, from the same place. From elsewhere it is another."""
    alike = seen.setdefault(view.text, [])
    if any(each.spans.of(0, len(each.text)) == view.spans.of(0, len(view.text)) for each in alike):
        return False
    alike.append(view)
    return True


def _undone(view: View) -> View | None:
    """Undo what is disguised character by character; None where nothing is."""
    text, how, spans = view
    for way in WAYS:
        if text is view.text and how[-1:] == (way.name,) == ("unicode",):
            continue  # undone last, and nothing came up since
        plain = way.undo(text)
        if plain != text:
            how, spans = (*how, way.name), Inline(spans, text, way)
            text = plain
    return None if spans is view.spans else View(text, how, spans)


def _joined(view: View, gauge: Gauge) -> list[View]:
    """Decode the encoded runs of a view; one view for each way of encoding."""
    found = runs(view.text, gauge)
    if not found:
        return []
    kinds: dict[tuple[str, ...], list[Run]] = {}
    for run in found:
        kinds.setdefault(run.how, []).append(run)
    return [
        View(SEPARATOR.join(run.text for run in alike), view.how + how, Joined(view.spans, alike))
        for how, alike in kinds.items()
    ]
