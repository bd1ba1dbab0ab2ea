"""Where the literals of rules stand in a text, and which rules each calls up.

The search is one automaton that is built whole at the start, so a text of a new kind costs no more than another. An
occurrence counts only where the bytes beside it fit a rule (see `neighbours`); that is looked up in tables.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, cached_property
from itertools import accumulate, product
from operator import itemgetter
from time import monotonic
from typing import NamedTuple

from ahocorasick_rs import BytesAhoCorasick, Implementation

from tidegate_scan.budget import OverBudget
from tidegate_scan.edits import Edits
from tidegate_scan.linear import Regex
from tidegate_scan.neighbours import Following, preceding
from tidegate_scan.tails import Tail

EDGE = b"\x00"
"""Stands for what is before a text and behind it; it may stand beside any literal."""

STRIDE = 64
"""Literals between two looks at the clock."""

_BEHIND = 2  # bytes behind a literal that say whether it counts; of those before it, one does
_REMEMBERED = 1024  # pairs of bytes behind a literal
_VARIED = 8  # characters beyond ASCII whose case is varied; of a literal with more, what follows isn't looked for
_BEGIN = itemgetter(1)
_PLACE = itemgetter(0, 1)
_ALL = bytes([1]) * 256


class Candidate(NamedTuple):
    """A rule that a literal calls up: its number, its tail if it has one, the most characters before and after.

    `text` is the tail's, for its case; empty if there is none.
    """

    number: int
    tail: Tail | None
    text: str
    before: int
    after: int


class Member(NamedTuple):
    """A candidate at one of its literals, and which bytes may stand right before that, and what behind it.

    `before` and `first` are tables of 256 bytes, which are 1 where a byte may be.
    """

    candidate: Candidate
    before: bytes
    first: bytes
    following: Following | None

    def fits(self, behind: bytes) -> bool:
        """Whether the two bytes behind the literal may stand there; there is but one at the end of a text."""
        if not self.first[behind[0]]:
            return False
        return self.following is None or behind[-1] == 0 or behind[1] in self.following.second(behind[0])


class Group:
    """The rules of a literal that fit the two bytes behind it.

    Attributes:
        members: those rules. There may be none.
        alike: whether what may stand before the literal is the same for all of them.
        gate: the search for the tails of all the literal's rules at once (see `Regex`), if there are several.
        after: the most characters that those tails may take beyond the literal.
    """

    __slots__ = ("after", "alike", "gate", "members")

    def __init__(self, literal: "Literal", members: list[Member]) -> None:
        self.members = members
        self.alike = all(member.before == literal.before for member in members)
        self.gate = literal.gate.match if literal.gate is not None and len(members) > 1 else None
        self.after = literal.after


Stop = tuple[int, int, int, Group, bool]
"""A literal in a text that calls up rules: where it begins and ends, the byte before it, its rules; and whether it is
known that none of these matches there."""


class Literal:
    """A literal, which bytes may stand beside it for any of its rules, and their groups by what stands behind it."""

    __slots__ = ("_all", "after", "before", "first", "gate", "groups", "members")

    def __init__(self, literal: str, candidates: Sequence[Candidate], *, ignore_case: bool) -> None:
        self.members = [_member(each, literal, ignore_case=ignore_case) for each in candidates]
        self.before = _any(member.before for member in self.members)
        self.first = _any(member.first for member in self.members)
        self.after = max(each.after for each in candidates)
        texts = dict.fromkeys(each.text for each in candidates)
        self.gate = Regex("|".join(texts), capture=False) if len(candidates) > 1 and all(texts) else None
        self.groups: dict[bytes, Group] = {}
        self._all = Group(self, self.members)

    def group(self, behind: bytes) -> Group:
        """The rules for which two bytes may stand behind the literal; for each two it is worked out once."""
        members = [member for member in self.members if member.fits(behind)]
        if len(self.groups) >= _REMEMBERED:
            self.groups.clear()
        found = self.groups[behind] = self._all if len(members) == len(self.members) else Group(self, members)
        return found


Written = tuple[bool, list[tuple[list[bytes], list[tuple[int, bytes, bytes, str, int, int]]]]]
"""A search as `tidegate-native` takes it: whether case is ignored; of each literal its spellings and its members."""


class Literals:
    """The search for literals: those that heed case, or those that don't, in a text of small letters."""

    def __init__(self, literals: Mapping[str, Sequence[Candidate]], *, ignore_case: bool) -> None:
        self._ignore_case = ignore_case
        self._spelled = [
            (Literal(literal, candidates, ignore_case=ignore_case), _spellings(literal, ignore_case=ignore_case))
            for literal, candidates in literals.items()
        ]
        self._longest = max(len(each) for _, spellings in self._spelled for each in spellings)

    @cached_property
    def all(self) -> list[Literal]:
        """The literals by their numbers. One may have several."""
        return [literal for literal, spellings in self._spelled for _ in spellings]

    @cached_property
    def _automaton(self) -> BytesAhoCorasick:
        patterns = [each for _, spellings in self._spelled for each in spellings]
        return BytesAhoCorasick(patterns, implementation=Implementation.DFA)

    def written(self) -> Written:
        """What the same search is compiled of."""
        return self._ignore_case, [
            (
                list(spellings),
                [(each.candidate.number, each.before, each.first, *each.candidate[2:]) for each in literal.members],
            )
            for literal, spellings in self._spelled
        ]

    def stops(self, data: bytes, until: float = math.inf) -> list[Stop]:
        """The literals of a text that call up rules, in order.

        Raises:
            OverBudget: where it takes longer than until then (time.monotonic).
        """
        text, found = self.search(data)
        every = self.all
        stops: list[Stop] = []
        for first in range(0, len(found), STRIDE):
            if monotonic() > until:
                raise OverBudget("a text would take too long to search")
            for index, begin, end in found[first : first + STRIDE]:
                literal = every[index]
                if literal.first[text[end]] and literal.before[text[begin - 1]]:
                    behind = text[end : end + 2]
                    group = literal.groups.get(behind) or literal.group(behind)
                    if group.members:
                        stops.append((begin, end, text[begin - 1], group, False))
        return stops

    def moved(
        self, data: bytes, old: Sequence[Stop], idle: bytearray, edits: Edits, until: float = math.inf
    ) -> list[Stop]:
        """The same as `stops`, of a text that came from another by edits: those of that one are known.

        `idle` tells for each whether no rule matched there: how many bytes a character might take then, else 0. With no
        edit within reach none does now.

        Raises:
            OverBudget: where it takes longer than until then (time.monotonic).
        """
        stops = []
        for (begin, end, byte, group, _), none in zip(old, idle, strict=True):
            if edits.kept(begin - 1, end + _BEHIND):
                by = edits.shift(begin)
                quiet = none > 0 and edits.kept(begin - 1, end + none * group.after + 1)
                stops.append((begin + by, end + by, byte, group, quiet))
        parts = list(edits.around(self._longest + _BEHIND + 1, len(data)))
        joined = EDGE.join(data[begin:end] for begin, end in parts)
        starts = list(accumulate((end - begin + len(EDGE) for begin, end in parts), initial=0))
        for begin, end, byte, group, _ in self.stops(joined, until):
            part = bisect_right(starts, begin) - 1
            by = parts[part][0] - starts[part]
            if edits.is_new(begin + by - 1, end + by + _BEHIND):
                stops.append((begin + by, end + by, byte, group, False))
        stops.sort(key=_PLACE)
        return stops

    def search(self, data: bytes) -> tuple[bytes, list[tuple[int, int, int]]]:
        """The text as it is read, with `EDGE` behind it, and the literals in it, in order: number, begin and end."""
        text = (data.lower() if self._ignore_case else data) + EDGE
        found = self._automaton.find_matches_as_indexes(text, overlapping=True)
        found.sort(key=_BEGIN)
        return text, found


def _member(candidate: Candidate, literal: str, *, ignore_case: bool) -> Member:
    if candidate.tail is None:
        return Member(candidate, _ALL, _ALL, None)
    before = _table(preceding(candidate.tail.leads, literal, fold=ignore_case))
    following = Following(candidate.tail.ways, literal, fold=ignore_case)
    return Member(candidate, before, _table(following.first), following)


@cache
def _table(codes: frozenset[int]) -> bytes:
    table = bytearray(256)
    table[0] = 1  # see `EDGE`
    for code in codes:
        table[code] = 1
    return bytes(table)


def _any(tables: Iterable[bytes]) -> bytes:
    found = 0
    for table in tables:
        found |= int.from_bytes(table, "little")
    return found.to_bytes(256, "little")


def _spellings(literal: str, *, ignore_case: bool) -> list[bytes]:
    """The bytes of a literal in a text of small letters: there only ASCII was made small."""
    if not ignore_case or literal.isascii():
        return [literal.encode()]
    ways: list[set[str]] = []
    varied = 0
    for char in literal:
        upper = char.upper()
        ways.append({char} if char.isascii() or len(upper) > 1 else {char, upper})
        varied += not char.isascii()
        if varied == _VARIED:
            break
    return sorted({"".join(way).encode() for way in product(*ways)})
