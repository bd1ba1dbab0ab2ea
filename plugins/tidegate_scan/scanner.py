"""From a message to what was found in it: every string, in every disguise, by every rule."""

from __future__ import annotations

import math
import re
from bisect import bisect_right, insort
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from tidegate_scan import leaves
from tidegate_scan.engine import Engine
from tidegate_scan.prefilter import Known
from tidegate_scan.views import DEFAULT, views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tidegate_scan.engine import Hit as EngineHit
    from tidegate_scan.foreign import Finder, Match
    from tidegate_scan.leaves import Leaves, Place, Together
    from tidegate_scan.native import Strings
    from tidegate_scan.rules import Rule
    from tidegate_scan.views import Budget, View

NESTED = "~2"
"""The token of a pointer that steps into the JSON text a string holds."""

DEEPEST = 8
"""How many JSON texts inside JSON texts a place is looked for in; deeper, the outer string is the place."""

HELD = "held-secret"
"""The rule that finds what Tidegate itself gives to servers."""

BUDGET = "scan-budget"
"""The rule that finds texts which would take too long to read in every disguise."""

SURE = 0.8
"""The confidence from which on a rule is trusted to recognise a value that stands in several pieces."""


LEFT_OVER = 8
"""Characters of the shortest part of a match that is kept where a surer match has taken the rest."""

MARK = "[redacted:"
_MARKER = re.compile(
    r"\[redacted:(?:sealed:)?((?:[a-z]{1,16}(?:-[a-z]{1,16})?:)?[a-z0-9-]{1,96}):(?:([0-9a-f]{4})|([A-Za-z0-9_-]{22}))\]"
)


class Found(NamedTuple):
    """Something that was found.

    Attributes:
        rule: the rule's id.
        confidence: 0.0 to 1.0.
        pointer: the string, by JSON Pointer.
        span: its characters there, the disguise included.
        in_key: whether it is in the key of the member, and not in its value.
        view: how it was disguised, outermost first; ``""`` where it wasn't.
        value: what was found. Never to be shown, logged or kept.
    """

    rule: str
    confidence: float
    pointer: str
    span: tuple[int, int]
    in_key: bool
    view: str
    value: str


_engines: dict[tuple[int, ...], Engine] = {}
_MOST_ENGINES = 8


def _engine(rules: Sequence[Rule]) -> Engine:
    """Return the engine of rules: the same one for the same rules, because making one takes a tenth of a second."""
    key = tuple(map(id, rules))  # an engine keeps its rules, so while it is kept their ids are nobody else's
    if key not in _engines:
        if len(_engines) >= _MOST_ENGINES:
            _engines.clear()
        _engines[key] = Engine(rules)
    return _engines[key]


class _Hit(NamedTuple):
    """A rule's match in one view of a text."""

    rule: str
    confidence: float
    start: int
    end: int
    view: str
    value: str


class Scanner:
    """Finds what rules describe, and what is to be found exactly."""

    def __init__(  # noqa: PLR0913 - each is a choice of its own, and nearly all have a default
        self,
        rules: Sequence[Rule],
        held: Iterable[str] = (),
        budget: Budget = DEFAULT,
        sealed: Callable[[str], bool] = lambda _: False,
        own: Sequence[Rule] = (),
        *,
        beside: Sequence[Finder] = (),
        numbers: bool = False,
    ) -> None:
        """Make one.

        Args:
            rules: the rules.
            held: values that are always found, wherever they stand.
            budget: what undoing disguises may cost for one message.
            sealed: whether there is a sealed value of a handle.
            own: more rules, an operator's own.
            beside: engines of others.
            numbers: whether long numbers are looked at too; they are where a value that is held is one.
        """
        self._ids = {rule.id for rule in (*rules, *own)} | {HELD} | {rule.id for each in beside for rule in each.rules}
        self._sealed = sealed
        # An operator's own rules have an engine to themselves, so that the one of all others is made but once.
        self._own = [_engine(each) for each in (rules, own) if each]
        self._beside = tuple(beside)
        self._clean = leaves.Clean()
        self._clean_runs = leaves.Clean()
        self._strings = leaves.compiled()
        self._held = tuple(dict.fromkeys(held))
        self._numbers = numbers or any(value.isdigit() for value in self._held)
        self._budget = budget
        self._until = math.inf

    def text(self, text: str) -> list[Found]:
        """Return what is in a text that is no message; pointers are empty.

        Raises:
            OverBudget: where undoing its disguises would cost too much.
        """
        self._until = monotonic() + self._budget.seconds
        hits = _best(list(self._hits(text)))
        return [
            Found(hit.rule, hit.confidence, "", (hit.start, hit.end), in_key=False, view=hit.view, value=hit.value)
            for hit in hits
        ]

    def tree(self, tree: Any) -> list[Found]:
        """Return what is in a JSON value.

        Raises:
            OverBudget: where undoing its disguises would cost too much.
        """
        strings = self._strings
        if strings is not None and strings.known(tree, numbers=self._numbers):
            return []
        self._until = monotonic() + self._budget.seconds
        if strings is not None and self._is_clean(tree, strings):
            return []
        return _distinct(self._within(tree, "", DEEPEST))

    def _is_clean(self, tree: Any, strings: Strings) -> bool:
        """Whether there is nothing in what of a message is new; where that is little, and in it nothing as a rule."""
        new = strings.new_in(tree, numbers=self._numbers)
        if new is None or (new.pieces and any(True for _ in self._hits(new.pieces))):
            return False
        strings.learn(new.pieces, together=False)
        if new.runs and self._sure(new.runs):
            return False
        strings.learn(new.runs, together=True)
        return True

    def _sure(self, text: str) -> list[EngineHit]:
        """Return what is found in texts of which each is put together of several."""
        return [
            hit
            for engine in self._own
            for hit in engine.find(text, self._until)
            if hit.rule.confidence >= SURE and not hit.rule.context
        ]

    def _within(self, tree: Any, prefix: str, depth: int) -> list[Found]:
        found: list[Found] = []
        strings = leaves.Leaves(tree, self._clean, self._clean_runs, numbers=self._numbers)
        inner: dict[int, tuple[Place, list[_Hit]]] = {}
        hits = _best(list(self._hits(strings.text))) if strings.text else []
        for hit in hits:
            places = strings.places(hit.start, hit.end)
            nested = depth and len(places) == 1 and not places[0].in_key and places[0].text.lstrip()[:1] in ("{", "[")
            if nested:
                inner.setdefault(id(places[0].node), (places[0], []))[1].append(hit)
            else:
                found += [_at(place, hit, prefix) for place in places]
        for place, within in inner.values():
            found += self._opened(place, within, strings, prefix, depth)
        if not hits:
            self._clean.add(strings.pieces)
        together = strings.together()
        if together is not None:
            split = _split(together, self._sure(together.text), prefix)
            found += split
            if not split:
                self._clean_runs.add(together.pieces)
        return found

    def _opened(self, place: Place, hits: list[_Hit], strings: Leaves, prefix: str, depth: int) -> list[Found]:
        """Look for hits in a string inside of the JSON text that it holds, so that only a part of it is touched."""
        try:
            tree = orjson.loads(place.text)
        except orjson.JSONDecodeError:
            tree = None
        if not isinstance(tree, dict | list):
            return [_at(each, hit, prefix) for hit in hits for each in strings.places(hit.start, hit.end)]
        found = self._within(tree, f"{leaves.pointer(place.node, prefix)}/{NESTED}", depth - 1)
        known = {(each.rule, each.value) for each in found}
        known_values = {each.value for each in found}
        lost = [hit for hit in hits if (hit.rule, hit.value) not in known and hit.value not in known_values]
        return found + [_at(each, hit, prefix) for hit in lost for each in strings.places(hit.start, hit.end)]

    def _hits(self, text: str) -> Iterator[_Hit]:
        known: list[tuple[Engine, Known]] = [(engine, Known()) for engine in self._own]
        for view in views(text, self._budget):
            hits: list[EngineHit | Match] = []
            for engine, learnt in known:
                hits += engine.find(view.text, self._until, view.since, learnt)
            for beside in self._beside:
                hits += beside.find(view.text, self._until)
            marks = self._marks(view.text) if hits and MARK in view.text else []
            for hit in hits:
                if marks and _is_marker(view.text, hit.start, hit.end, marks):
                    continue
                yield _hit(hit.rule.id, hit.rule.confidence, view, hit.start, hit.end)
            for value in self._held:
                at = view.text.find(value)
                while at >= 0:
                    yield _hit(HELD, 1.0, view, at, at + len(value))
                    at = view.text.find(value, at + len(value))

    def _marks(self, text: str) -> list[tuple[int, int]]:
        """Return where markers of redactions are. They look like secrets to some rules, and hold none.

        One that is made up could: so the rule has to exist, and of a sealed value the handle.
        """
        found = [each for each in _MARKER.finditer(text) if each[1] in self._ids]
        return [each.span() for each in found if each[2] or self._sealed(each[3])]


def _is_marker(text: str, start: int, end: int, marks: Iterable[tuple[int, int]]) -> bool:
    """Whether a match is of markers alone, but for signs between and round them."""
    touched = [(low, high) for low, high in marks if low < end and start < high]
    beside = start
    for low, high in touched:
        if any(map(str.isalnum, text[beside : max(low, beside)])):
            return False
        beside = high
    return bool(touched) and not any(map(str.isalnum, text[beside : max(end, beside)]))


def _hit(rule: str, confidence: float, view: View, start: int, end: int) -> _Hit:
    how = "+".join(view.disguise(start, end))
    return _Hit(rule, confidence, *view.spans.of(start, end), how, view.text[start:end])


def _at(place: Place, hit: _Hit, prefix: str) -> Found:
    where = leaves.pointer(place.node, prefix)
    return Found(hit.rule, hit.confidence, where, place.span, place.in_key, hit.view, hit.value)


def _split(together: Together, hits: Iterable[EngineHit], prefix: str) -> list[Found]:
    found = []
    for hit in hits:
        value = together.text[hit.start : hit.end]
        found += [
            Found(
                hit.rule.id,
                hit.rule.confidence,
                leaves.pointer(place.node, prefix),
                place.span,
                in_key=False,
                view="split",
                value=value,
            )
            for place in together.places(hit.start, hit.end)
        ]
    return found


def _best(hits: list[_Hit]) -> list[_Hit]:
    """Of hits that overlap keep the surest, then the longest, then the plainest; what is left doesn't overlap.

    What stands out of those that are kept is kept too, where it is long enough to be of use to somebody.
    """
    if len(hits) < 2:
        return hits
    ranked = sorted(hits, key=lambda hit: (-hit.confidence, hit.start - hit.end, len(hit.view), hit.start))
    kept: list[_Hit] = []
    taken: list[tuple[int, int]] = []  # in order, and none overlaps another
    for hit in ranked:
        for start, end in _free(taken, hit.start, hit.end):
            if (start, end) == (hit.start, hit.end) or end - start >= LEFT_OVER:
                insort(taken, (start, end))
                kept.append(hit._replace(start=start, end=end))
    return sorted(kept, key=lambda hit: hit.start)


def _free(taken: list[tuple[int, int]], start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the parts of a span that nothing has taken."""
    at = max(bisect_right(taken, (start, math.inf)) - 1, 0)
    free = []
    for low, high in taken[at:]:
        if low >= end:
            break
        if start < low:
            free.append((start, low))
        start = max(start, high)
    if start < end:
        free.append((start, end))
    return iter(free)


def _distinct(found: list[Found]) -> list[Found]:
    """Leave out what a surer finding in the same string covers: the parts of a redaction can't overlap."""
    out: list[Found] = []
    by_string: dict[tuple[str, bool], list[Found]] = {}
    for each in found:
        by_string.setdefault((each.pointer, each.in_key), []).append(each)
    for (pointer, in_key), group in by_string.items():
        hits = [_Hit(each.rule, each.confidence, *each.span, each.view, each.value) for each in group]
        out += [
            Found(hit.rule, hit.confidence, pointer, (hit.start, hit.end), in_key, hit.view, hit.value)
            for hit in _best(hits)
        ]
    return out
