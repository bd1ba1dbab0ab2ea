"""Which rules could match in a text, and where: two passes over it for the literals of all rules.

One is for literals that heed case, one for those that don't; each is one automaton, so it reads each byte once. An
occurrence of a literal counts only where a rule's tail (see `tails`) matches too; that turns down nearly all
occurrences of words such as `token`.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import monotonic
from typing import NamedTuple

from tidegate_scan.budget import OverBudget
from tidegate_scan.followers import followers
from tidegate_scan.linear import ANYWHERE, AT_START, Regex
from tidegate_scan.rules import Rule
from tidegate_scan.tails import tail

Windows = list[tuple[int, int]]
"""Byte offsets, in order. No two overlap, unless they belong to an exact rule: each begins where a match does then."""

_GUARD = 2  # bytes behind a literal that say whether a tail can go on
_RARE = 8  # characters of a literal that is rare enough as it is
_CAPITALS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_NOTHING = r"[^\x00-\xff]"  # matches no byte
_REMEMBERED = 16_384  # spellings of literals that are kept: TOKEN, Token, tOKEN...
_PER_CHARACTER = 4  # bytes of one character in UTF-8, at most


STRIDE = 64
"""Stops at literals between two looks at the clock."""


class Candidate(NamedTuple):
    """A rule that a literal calls up: its number, its tail if it has one, the most characters before and after.

    It is exact when nothing may stand before its tail: its matches begin where the tail does.
    """

    number: int
    tail: str | None
    before: int
    after: int

    @property
    def exact(self) -> bool:
        """Whether it is."""
        return self.tail is not None and not self.before


Member = tuple[int, Regex | None, int, int]
"""A candidate, its tail compiled."""


class Group:
    """The rules that one spelling of a literal calls up; none if it is one in a case that doesn't count.

    `gate` matches at the literal if the tail of one of its rules does; `after` is how many characters beyond the
    literal a tail may take. `gated` are the rules with a tail, `others` those without. `exact` are those of the former
    that are exact, and `dense` are the others of them, taken as if they had no tail.
    """

    __slots__ = ("after", "dense", "exact", "gate", "gated", "others")

    def __init__(self, candidates: Sequence[Candidate], compiled: Callable[[str | None], Regex | None]) -> None:
        tails = [each.tail for each in candidates if each.tail is not None]
        self.after = max((each.after for each in candidates), default=0)
        self.gate = None
        if tails:
            self.gate = compiled("|".join(tails))
        members = [(each.number, compiled(each.tail), each.before, each.after) for each in candidates]
        self.gated = [member for member in members if member[1] is not None]
        self.others = [member for member in members if member[1] is None]
        self.exact = [member for member in self.gated if not member[2]]
        self.dense: list[Member] = [(number, None, before, after) for number, _, before, after in self.gated if before]


class Spelling(NamedTuple):
    """What a piece of text that is a literal means: its rules, and how many bytes on the next literal may begin."""

    group: Group
    step: int


class Prefilter:
    """The literals of all rules, compiled once: of those that heed case, and of those that don't."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        candidates = [_candidate(number, rule) for number, rule in enumerate(rules)]
        self._candidates = candidates
        self.exact = frozenset(each.number for each in candidates if each.exact)
        self._passes = []
        for ignore_case in (False, True):
            literals: dict[str, list[Candidate]] = {}
            for rule, candidate in zip(rules, candidates, strict=True):
                if rule.ignore_case == ignore_case:
                    for literal in dict.fromkeys(rule.literals):
                        literals.setdefault(literal, []).append(candidate)
            if literals:
                self._passes.append(Pass(literals, ignore_case=ignore_case))
        self._counted = [(number, 2 * (rule.window + rule.digits)) for number, rule in enumerate(rules) if rule.digits]
        texts = [rules[number].text for number, _ in self._counted]
        self._digits = Regex("|".join(f"(?:{text})" for text in texts), capture=False) if texts else None

    def windows(self, data: bytes, *, ascii_only: bool, until: float = math.inf) -> dict[int, Windows]:
        """Where each rule's regex has to be run, by the rule's number; rules that can't match are left out.

        The windows of a rule cover every match of which no character is further than the rule's window from a literal.
        """
        found: dict[int, Windows] = {}
        scale = 1 if ascii_only else _PER_CHARACTER
        for each in self._passes:
            each.find(found, data, scale, until)
        if self._digits is not None:
            self._count(found, self._digits, data, scale)
        return found

    def _count(self, found: dict[int, Windows], digits: Regex, data: bytes, scale: int) -> None:
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


class Pass:
    """One search for literals: those that heed case, or those that don't, in a text of small letters.

    Small letters alone make an automaton with a fraction of the states, and how well these fit the processor's cache
    is what the time of the search depends on.
    """

    def __init__(self, literals: Mapping[str, Sequence[Candidate]], *, ignore_case: bool) -> None:
        self._literals = literals
        self._ignore_case = ignore_case
        guarded = [
            (literal, _guard([each.tail for each in candidates], literal, ignore_case=ignore_case))
            for literal, candidates in literals.items()
        ]
        # The longest literal at a place holds all others that begin there.
        self._scan = Regex(_trie(guarded, ignore_case=ignore_case), capture=False, longest=True, utf8=False)
        self._begun = {literal[:end] for literal in literals for end in range(1, len(literal) + 1)}
        self._compiled: dict[str, Regex] = {}
        self._spellings: dict[bytes, Spelling] = {}
        self._groups: dict[tuple[int, ...], Group] = {}

    def find(self, found: dict[int, Windows], data: bytes, scale: int, deadline: float) -> None:
        """Add the windows of these literals' rules; `scale` is how many bytes a character may take.

        Raises:
            OverBudget: where it takes longer than until the deadline (time.monotonic).
        """
        scan = self._scan.match
        spellings = self._spellings
        text = data.lower() if self._ignore_case else data
        size = len(data)
        reached: dict[Group, int] = {}  # where the last match of a group's gate ends
        spread: dict[Group, int] = {}  # up to where that has windows already, whatever the tails say
        at = stops = 0
        while True:
            begin, end = scan(ANYWHERE, text, at, size)[0]
            if begin < 0:
                return
            stops += 1
            if not stops % STRIDE and monotonic() > deadline:
                raise OverBudget("a text would take too long to search")
            spelling = spellings.get(text[begin:end]) or self._spelling(text[begin:end])
            at = begin + spelling.step
            group = spelling.group
            gate = group.gate
            if gate is not None:
                until = reached.get(group, 0)
                if begin < until:
                    # Literals of one kind inside what begins at another: a value made of nothing else. Reading on to
                    # its end from each of them would take long, so one window is drawn round them all.
                    if spread.get(group) != until:
                        spread[group] = until
                        _add(found, group.dense, data, (begin, min(size, until + end - begin), scale))
                    _add(found, group.exact, data, (begin, end, scale))
                else:
                    stop = gate.match(AT_START, data, begin, min(size, end + scale * group.after))[0][1]
                    if stop >= 0:
                        reached[group] = stop
                        _add(found, group.gated, data, (begin, end, scale))
            if group.others:
                _add(found, group.others, data, (begin, end, scale))

    def _spelling(self, text: bytes) -> Spelling:
        """What a spelling means, worked out once."""
        exact = text.decode("utf-8", "surrogateescape")  # what follows the literal may be a piece of a character
        spelled = exact.lower() if self._ignore_case else exact
        candidates = {
            each.number: each for end in range(1, len(spelled) + 1) for each in self._literals.get(spelled[:end], ())
        }
        key = tuple(sorted(candidates))
        if key not in self._groups:
            self._groups[key] = Group([candidates[number] for number in key], self._regex)
        spelling = Spelling(self._groups[key], len(exact[: self._step(spelled)].encode("utf-8", "surrogateescape")))
        if len(self._spellings) >= _REMEMBERED:
            self._spellings.clear()
        self._spellings[text] = spelling
        return spelling

    def _regex(self, text: str | None) -> Regex | None:
        """A compiled tail, or several; each is compiled once, when a text first asks for it."""
        if text is None:
            return None
        if text not in self._compiled:
            # Of the ways a tail may match the rule's regex may take any, so the longest says where the window ends.
            self._compiled[text] = Regex(text, capture=False, longest=True)
        return self._compiled[text]

    def _step(self, spelled: str) -> int:
        """How many characters on from where a literal begins another may begin."""
        for step in range(1, len(spelled)):
            rest = spelled[step:]
            if rest in self._begun or any(rest[:end] in self._literals for end in range(1, len(rest))):
                return step
        return len(spelled)


def _add(found: dict[int, Windows], members: Sequence[Member], data: bytes, place: tuple[int, int, int]) -> None:
    """Note the windows round a literal for those rules that have no tail, or whose tail matches there."""
    begin, end, scale = place
    size = len(data)
    for number, tail_, before, after in members:
        stop = min(size, end + scale * after)
        if tail_ is not None:
            # Where the tail ends is where the whole match ends, so the window need not be longer.
            stop = tail_.match(AT_START, data, begin, stop)[0][1]
            if stop < 0:
                continue
        start = max(0, begin - scale * before)
        windows = found.setdefault(number, [])
        if tail_ is not None and not before:
            windows.append((start, stop))
        else:
            _join(windows, start, stop)


def _join(windows: Windows, start: int, stop: int) -> None:
    """Add a window to others in order, as one with the last if the two overlap."""
    if windows and windows[-1][1] > start:
        windows[-1] = (min(start, windows[-1][0]), max(stop, windows[-1][1]))
    else:
        windows.append((start, stop))


def _candidate(number: int, rule: Rule) -> Candidate:
    found = tail(rule.regex, rule.literals, ignore_case=rule.ignore_case)
    if found is None:
        return Candidate(number, None, rule.window, rule.window)
    text = f"(?i:{found.text})" if rule.ignore_case else f"(?:{found.text})"
    return Candidate(number, text, rule.window if found.before is None else found.before, rule.window)


def _guard(tails: Sequence[str | None], literal: str, *, ignore_case: bool) -> str:
    """A regex for what may follow a literal in any of the tails: up to two bytes; empty if that may be anything."""
    if len(literal) >= _RARE:
        return ""
    sets: list[frozenset[int]] = [frozenset()] * _GUARD
    for text in tails:
        if text is None:
            return ""
        found = followers(text, literal, ignore_case=ignore_case, most=_GUARD)
        sets = [one | two for one, two in zip(sets, found, strict=False)]
    return "".join(_bytes(each, ignore_case=ignore_case) for each in sets)


def _bytes(found: frozenset[int], *, ignore_case: bool) -> str:
    if not found:
        return _NOTHING
    kept = sorted(found - _CAPITALS if ignore_case else found)
    return "[" + "".join(f"\\x{code:02x}" for code in kept) + "]"


def _trie(literals: Iterable[tuple[str, str]], *, ignore_case: bool) -> str:
    """A regex for all literals and what may follow them: what begins alike shares that."""
    after: dict[str, list[tuple[str, str]]] = {}
    ways = []
    optional = False
    for literal, guard in literals:
        if literal:
            after.setdefault(literal[0], []).append((literal[1:], guard))
        elif guard:
            ways.append(guard)
        else:
            optional = True
    ways += [
        _char(char, ignore_case=ignore_case) + _trie(rest, ignore_case=ignore_case) for char, rest in after.items()
    ]
    return f"(?:{'|'.join(ways)})" + ("?" if optional else "") if ways else ""


def _char(char: str, *, ignore_case: bool) -> str:
    """A character's bytes; beyond ASCII in both cases, as only ASCII was made small."""
    upper = char.upper()
    cases = (char, upper) if ignore_case and not char.isascii() and len(upper) == 1 else (char,)
    ways = ["".join(f"\\x{code:02x}" for code in case.encode()) for case in dict.fromkeys(cases)]
    return ways[0] if len(ways) == 1 else f"(?:{'|'.join(ways)})"
