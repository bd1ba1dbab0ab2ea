"""Which rules could match in a text, and where: two searches for the literals of all rules, and a look at each.

One is for literals that heed case, one for those that don't. An occurrence counts only where the rule's tail (see
`tails`) matches too; with what `literals` turns down that leaves hardly one of the occurrences of `token`.
"""

import math
from collections.abc import Iterable, Sequence, Sized
from time import monotonic
from typing import NamedTuple

from tidegate_scan import native
from tidegate_scan.budget import OverBudget
from tidegate_scan.edits import WORTH, Edits, Since
from tidegate_scan.linear import ANYWHERE, AT_START, Regex
from tidegate_scan.literals import STRIDE, Candidate, Group, Literals, Stop
from tidegate_scan.rules import LINE_BEFORE, Rule, Window
from tidegate_scan.tails import tail


class Stops(NamedTuple):
    """Where literals call up rules: those that heed case, and those that don't.

    `scale` is how many bytes a character may take. `idle` is beside the lists, and has that for each stop at which no
    rule matches, as far as `Prefilter.windows` has told, else 0.
    """

    lists: list[list[Stop]]
    scale: int
    idle: list[bytearray]

    @classmethod
    def of(cls, lists: list[list[Stop]], scale: int) -> "Stops":
        """Those of which nothing is told."""
        return cls(lists, scale, [bytearray(len(stops)) for stops in lists])

    def total(self) -> int:
        """How many there are."""
        return sum(map(len, self.lists))


class Known:
    """What one engine has learnt of texts that others may come from: in Python, or by what is compiled.

    Texts are told apart by identity, since to hash a long one takes as long as to read it.
    """

    __slots__ = ("_learnt",)

    def __init__(self) -> None:
        self._learnt: dict[int, tuple[str, Stops | Sized]] = {}

    def note(self, text: str, learnt: Stops | Sized) -> None:
        """Note what was learnt of a text."""
        self._learnt[id(text)] = text, learnt

    def of(self, since: Since | None) -> Stops | Sized | None:
        """What was learnt of the text that another came from, if anything was."""
        found = None if since is None else self._learnt.get(id(since.text))
        return found and found[1]


SPARSE = 64
"""Characters for each literal that calls up rules, at least, where these are noted."""

_CLOSE = 32  # bytes between literals that follow each other closely
_ROW = 16  # of which so many in a row are tried one by one
_CHUNK = 4096  # bytes that are not looked into for literals, where they do


class Prefilter:
    """The literals of all rules, compiled once: of those that heed case, and of those that don't."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        candidates = [_candidate(number, rule) for number, rule in enumerate(rules)]
        self._searches = []
        self._tails = _Tails()
        for ignore_case in (False, True):
            literals: dict[str, list[Candidate]] = {}
            for rule, candidate in zip(rules, candidates, strict=True):
                if rule.ignore_case == ignore_case:
                    for literal in dict.fromkeys(rule.literals):
                        literals.setdefault(literal, []).append(candidate)
            if literals:
                self._searches.append(Literals(literals, ignore_case=ignore_case))
            self._tails.ready(candidates for candidates in literals.values() if len(candidates) > 1)
        self._compiled = native.windows(self._searches, _CLOSE, _ROW, _CHUNK, LINE_BEFORE)
        self._counted = [(number, 2 * (rule.window + rule.digits)) for number, rule in enumerate(rules) if rule.digits]
        texts = [rules[number].text for number, _ in self._counted]
        self._digits = Regex("|".join(f"(?:{text})" for text in texts), capture=False) if texts else None

    def stops(self, data: bytes, scale: int, until: float = math.inf) -> Stops:
        """Where literals call up rules: what `windows` rests on.

        Raises:
            OverBudget: where it takes longer than until then (time.monotonic).
        """
        return Stops.of([each.stops(data, until) for each in self._searches], scale)

    def moved(self, data: bytes, scale: int, old: Stops, edits: Edits, until: float = math.inf) -> Stops:
        """The same, of a text that came by edits from another, whose stops are known.

        Raises:
            OverBudget: where it takes longer than until then (time.monotonic).
        """
        # Where characters took fewer bytes, less was looked at.
        known = old if old.scale >= scale else Stops.of(old.lists, old.scale)
        each = zip(self._searches, known.lists, known.idle, strict=True)
        return Stops.of([search.moved(data, stops, idle, edits, until) for search, stops, idle in each], scale)

    def windows(self, data: bytes, stops: Stops, until: float = math.inf) -> dict[int, list[Window]]:
        """Where each rule's regex has to be run, by the rule's number, in order; rules that can't match have none.

        The windows of a rule cover every match of which no character is further than the rule's window from a literal.
        What is idle is noted in the stops.

        Raises:
            OverBudget: where it takes longer than until then (time.monotonic).
        """
        scale = stops.scale
        found: dict[int, list[Window]] = {}
        for each, idle in zip(stops.lists, stops.idle, strict=True):
            if each:
                _Search(found, data, scale, self._tails).run(each, idle, until)
        if self._digits is not None:
            self._count(found, self._digits, data, scale)
        return found

    def all_windows(self, data: bytes, scale: int, until: float = math.inf) -> dict[int, list[Window]]:
        """The same for a text of which nothing is known, nor to be learnt.

        Raises:
            OverBudget: where it takes longer than until then (time.monotonic).
        """
        found: dict[int, list[Window]] = {}
        for each in self._searches:
            stops = each.stops(data, until)
            if stops:
                _Search(found, data, scale, self._tails).run(stops, bytearray(len(stops)), until)
        if self._digits is not None:
            self._count(found, self._digits, data, scale)
        return found

    def compiled_windows(
        self, text: str, scale: int, until: float, since: Since | None, known: Known | None
    ) -> dict[int, list[Window]] | None:
        """The same by what is compiled, which notes what it learns of the text in `known`; None where it can't be had.

        Where `known` holds the text that this one came from, windows are left out that look as they did there.

        Raises:
            OverBudget: where it takes longer than until then (time.monotonic).
        """
        if self._compiled is None:
            return None
        old = None if known is None else known.of(since)
        if isinstance(old, Stops):
            old = None
        try:
            found, learnt = self._compiled.of(text, scale, until, old, since and since.in_bytes)
        except UnicodeEncodeError:  # a lone surrogate: in no JSON that passed the parser, but a decoder may make one
            return None
        if known is not None and WORTH <= len(text) >= len(learnt) * SPARSE:
            known.note(text, learnt)
        if self._digits is not None:
            self._count(found, self._digits, text.encode(), scale)
        return found

    def _count(self, found: dict[int, list[Window]], digits: Regex, data: bytes, scale: int) -> None:
        """Note the windows of rules for digits: round each match of any, because every match overlaps one of those.

        Digits are everywhere in JSON and logs, so what takes the place of literals is all of these rules at once.
        """
        end = 0
        size = len(data)
        while end < size:
            begin, stop = digits.match(ANYWHERE, data, end, size)[0]
            if begin < 0:
                return
            end = max(stop, begin + 1)
            for number, reach in self._counted:
                _join(found.setdefault(number, []), max(0, begin - scale * reach), min(size, stop + scale * reach))


class _Tails(dict[str, Regex]):
    """Compiled tails. Each is compiled once: when a text first asks for it, or beforehand."""

    def __missing__(self, text: str) -> Regex:
        """Compile a tail."""
        # Of the ways a tail may match the rule's regex may take any, so the longest says where the window ends.
        self[text] = made = Regex(text, capture=False, longest=True)
        return made

    def ready(self, groups: Iterable[Sequence[Candidate]]) -> None:
        """Compile those of rules that share a literal: literals that many rules have are common words."""
        for text in {each.text for group in groups for each in group if each.text and each.before}:
            self[text]


class _Search:
    """One search for literals in one text: the windows of their rules.

    Where literals follow each other closely, their rules aren't tried at each of them: reading on from each could take
    it to the end of the text every time. Windows are drawn round a whole stretch.
    """

    __slots__ = ("_data", "_found", "_scale", "_tails", "_until")

    def __init__(self, found: dict[int, list[Window]], data: bytes, scale: int, tails: _Tails) -> None:
        self._found = found
        self._data = data
        self._scale = scale
        self._tails = tails
        self._until: dict[int, int] = {}  # where the last match of a rule's tail ends

    def run(self, stops: Sequence[Stop], idle: bytearray, until: float) -> None:
        """Note the windows of the rules that literals call up, and which literals are idle.

        Raises:
            OverBudget: where it takes longer than until then (time.monotonic).
        """
        data, size, scale = self._data, len(self._data), self._scale
        covered: dict[Group, int] = {}
        last = row = 0
        for number, (begin, end, byte, group, quiet) in enumerate(stops):
            if not number % STRIDE and monotonic() > until:
                raise OverBudget("a text would take too long to search")
            row = row + 1 if begin - last < _CLOSE else 0
            last = begin
            if row >= _ROW:
                if begin >= covered.get(group, 0):
                    covered[group] = self._cover(group, begin, end)
                continue
            if quiet:
                idle[number] = scale
                continue
            gate = group.gate
            if gate is None or gate(AT_START, data, begin, min(size, end + scale * group.after))[0][1] >= 0:
                idle[number] = 0 if self._try(group, byte, begin, end) else scale
            else:
                idle[number] = scale

    def _cover(self, group: Group, begin: int, end: int) -> int:
        """Draw the windows of all of a group's rules round a stretch, and return where that ends."""
        for member in group.members:
            number, _, _, before, after = member.candidate
            stop = min(len(self._data), end + _CHUNK + self._scale * after)
            _join(self._found.setdefault(number, []), max(0, begin - self._scale * before), stop)
        return begin + _CHUNK

    def _try(self, group: Group, byte: int, begin: int, end: int) -> bool:
        """Draw the windows of those rules of a group that the literal may belong to; whether there are any."""
        drawn = False
        data, scale, size = self._data, self._scale, len(self._data)
        for (number, _, text, before, after), allowed, _, _ in group.members:
            if not (group.alike or allowed[byte]):
                continue
            stop = end + scale * after
            stop = min(stop, size)
            if text and before and begin >= self._until.get(number, 0):
                # Where the tail ends is where the whole match ends, so the window need not be longer.
                stop = self._tails[text].match(AT_START, data, begin, stop)[0][1]
                if stop < 0:
                    continue
                self._until[number] = stop
            start = max(0, begin - scale * before)
            _join(self._found.setdefault(number, []), start, stop, anchored=bool(text) and not before)
            drawn = True
        return drawn


def _join(windows: list[Window], start: int, stop: int, *, anchored: bool = False) -> None:
    """Add a window to others in order, as one with the last if the two overlap and that isn't anchored."""
    last = windows[-1] if windows else None
    if last is not None and last.stop > start and not last.anchored:
        windows[-1] = Window(min(start, last.start), max(stop, last.stop))
    else:
        windows.append(Window(start, stop, anchored))


def _candidate(number: int, rule: Rule) -> Candidate:
    found = tail(rule.regex, rule.literals, ignore_case=rule.ignore_case)
    if found is None:
        return Candidate(number, None, "", rule.window, rule.window)
    text = f"(?i:{found.text})" if rule.ignore_case else f"(?:{found.text})"
    return Candidate(number, found, text, rule.window if found.before is None else found.before, rule.window)
