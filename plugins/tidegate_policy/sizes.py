"""How large a value may be and how often a place is passed: what the bounds of an evaluation are made of.

A loop over the parts of what an outer loop visits adds no factor: all parts together are no more than the whole. So
loops form chains. A chain multiplies once, by the size of the collection at its beginning; its tip is the part that
its innermost loop visits. A loop over something that is no part of a tip begins a chain of its own.

What is done with a part of a tip costs, over all turns of the chain, no more than the whole's size. Such a charge
*covers* the chain: it is multiplied by the other chains only.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from tidegate_policy.polynomials import ONE, ZERO, Poly, constant, fixed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NOTHING: frozenset[int] = frozenset()
UNKNOWN: Any = object()
"""In place of a value that isn't known."""

_CHAR = constant(1 / 8)  # of a step
_MEMBER, _EQUAL = constant(1 / 8), constant(1 / 128)  # of a step, for a member and a character that differ
_NUMBER = constant(40)  # characters of a number, a boolean, or a short text that a builtin returns
_numbers = count(1)


class Size(NamedTuple):
    """How large a JSON value is.

    Attributes:
        nodes: its values and the keys of its objects.
        chars: the bytes of its strings, keys and numbers.
        longest: those of the longest of them, and 40 at least, which a number may have.
    """

    nodes: int
    chars: int
    longest: int = 0


def size(value: Any) -> Size:
    """Return how large a JSON value is; what is escaped in JSON counts as escaped."""
    try:
        text = orjson.dumps(value)
    except TypeError:  # a number of more than 64 bits
        return _walked(value)
    if b"\\" in text:
        text = text.replace(b"\\\\", b"xx").replace(b'\\"', b"xx")
    parts = text.split(b'"')
    strings, structure = parts[1::2], b"".join(parts[::2])
    opened, commas, colons = structure.count(b"[") + structure.count(b"{"), structure.count(b","), structure.count(b":")
    scalars = structure.translate(None, b"[]{},:")
    longest = max(map(len, strings), default=0)
    return Size(1 + opened + commas + colons, sum(map(len, strings)) + len(scalars), max(longest, 40))


def _walked(value: Any) -> Size:
    nodes, lengths = 0, [40]
    waiting = [value]
    while waiting:
        each = waiting.pop()
        nodes += 1
        if isinstance(each, str):
            lengths.append(_length(each))
        elif isinstance(each, dict):
            nodes += len(each)
            waiting += each.values()
            lengths += map(_length, each)
        elif isinstance(each, list | tuple):
            waiting += each
        else:
            lengths.append(len(str(each)))
    return Size(nodes, sum(lengths) - 40, max(lengths))


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


@dataclass(frozen=True, slots=True)
class Value:
    """How large a value may be.

    Attributes:
        tip: the loop of whose current part it is a part; 0 where of none.
        nodes: its JSON nodes; of a part those of all parts, over all turns of the loop's chain, together.
        chars: its characters, likewise.
        fixed: it is the same whatever the input.
        sets: it is a set, so that looking something up in it is quick.
        known: the value itself where it stands in the policy or in data.
        longest: the characters of the longest string in it; ``None`` where that may be all.
    """

    tip: int
    nodes: Poly
    chars: Poly
    fixed: bool = False
    sets: bool = False
    known: Any = field(default=UNKNOWN, compare=False)
    longest: Poly | None = None

    @property
    def size(self) -> Poly:
        """Nodes and characters together."""
        return self.nodes + self.chars

    @property
    def work(self) -> Poly:
        """The steps it takes to look at all of it."""
        return self.nodes + self.chars * _CHAR

    @property
    def string(self) -> Poly:
        """The characters of the longest string in it."""
        return self.chars if self.longest is None else self.longest


def known(value: Any, *, sets: bool = False) -> Value:
    """Return a value that stands in the policy or in data; one that is no collection counts as one node."""
    nodes, chars, longest = size(value)
    length = fixed(chars) if isinstance(value, list | dict) else constant(chars)
    return Value(0, fixed(nodes), length, fixed=True, sets=sets, known=value, longest=constant(longest))


def flat(*values: Value) -> Value:
    """Return a number, a boolean or a short text that is made of some values."""
    return Value(0, ONE, _NUMBER, fixed=all(value.fixed for value in values))


class Chain(NamedTuple):
    """Loops within one another, each over a part of what the one around it visits.

    Attributes:
        id: the loop it began with.
        tip: its innermost loop.
        factor: how often that turns at most, all turns of the others included.
    """

    id: int
    tip: int
    factor: Poly


Chains = tuple[Chain, ...]


class Charge(NamedTuple):
    """A cost, or a size, to be multiplied by every chain that it doesn't cover."""

    covers: frozenset[int]
    poly: Poly


class _Begun(NamedTuple):
    """That a chain was begun, or got a new tip in place of another, by a statement that needs some variables."""

    chain: int
    before: int
    needs: frozenset[str]


class _Kept(NamedTuple):
    """A charge, with what decides whether it may come after a later extension of a chain it covers."""

    charge: Charge
    tips: dict[int, int]
    needs: frozenset[str]
    makes: frozenset[str]


class Saved(NamedTuple):
    """A frame as it was before a statement."""

    chains: Chains
    values: dict[str, Value]
    charges: list[Charge]
    begun: list[_Begun]


@dataclass(slots=True)
class Frame:
    """One body being read: its variables, the loops around the place, the charges so far.

    The engine orders statements anew: as soon as what they need is there, and by the names of what they make. So every
    charge is multiplied by all chains at the end of the body, whether they were begun before it or after it.

    Attributes:
        chains: the loops around the current place.
        values: the variables that are bound.
        local: the names that are variables here, bound or not.
    """

    chains: Chains
    values: dict[str, Value] = field(default_factory=dict)
    local: frozenset[str] = frozenset()
    _outer: Chains = ()
    _needs: dict[str, frozenset[str]] = field(default_factory=dict)
    _current: frozenset[str] = frozenset()
    _now: list[Charge] = field(default_factory=list)
    _kept: list[_Kept] = field(default_factory=list)
    _begun: list[_Begun] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._outer = self.chains

    def inner(self, declared: frozenset[str]) -> Frame:
        """Return the frame of a body within this one, that declares some variables."""
        values = {name: value for name, value in self.values.items() if name not in declared}
        return Frame(self.chains, values, self.local | declared)

    # -- loops and charges

    def chain(self, tip: int) -> Chain | None:
        """Return the chain that has a loop as its tip."""
        return next((chain for chain in self.chains if tip and chain.tip == tip), None)

    def covers(self, value: Value) -> frozenset[int]:
        """Return the chain that doing something with a value covers, if any."""
        chain = self.chain(value.tip)
        return frozenset((chain.id,)) if chain else NOTHING

    def charge(self, poly: Poly = ONE, covers: frozenset[int] = NOTHING) -> None:
        """Add a cost of the current place."""
        self._now.append(Charge(covers, poly))

    def take(self, inner: Frame) -> None:
        """Add what a body within this one costs."""
        self._now += inner.charges()

    def work(self, *values: Value) -> None:
        """Add the cost of looking at all of some values."""
        for value in values:
            self.charge(value.work, self.covers(value))

    def text(self, value: Value) -> Value:
        """Return a value that is certainly no collection: of a loop that isn't the innermost it is one string."""
        if value.known is UNKNOWN and not self.chain(value.tip):
            return replace(value, tip=0, nodes=ONE, chars=value.string, longest=value.string)
        return value

    def search(self, value: Value) -> None:
        """Add the cost of looking for something in a value: in a set at once, otherwise one member after the other."""
        if not value.sets:
            self.charge(value.nodes * _MEMBER + value.chars * _EQUAL, self.covers(value))

    def loop(self, value: Value) -> Value:
        """Begin a loop over a value, and return the part that it visits."""
        tip, chain = next(_numbers), self.chain(value.tip)
        if chain:
            longer = Chain(chain.id, tip, chain.factor.join(value.nodes))
            self.chains = tuple(longer if each is chain else each for each in self.chains)
            self._begun.append(_Begun(chain.id, chain.tip, self._current))
        else:
            self.chains = (*self.chains, Chain(tip, tip, value.nodes))
            self._begun.append(_Begun(tip, 0, self._current))
            self._now = [Charge(covers | {tip}, poly) for covers, poly in self._now]  # what came before the loop
        self.charge()
        return replace(part(value), tip=tip)

    # -- values made of values

    def shared(self, values: Iterable[Value]) -> tuple[int, Poly]:
        """Return the tip of which all that depends on the input is a part, if any, and how often its chain turns."""
        listed = list(values)
        tips = {each.tip for each in listed if not each.fixed} or {each.tip for each in listed}
        chain = self.chain(tips.pop()) if len(tips) == 1 else None
        return (chain.tip, chain.factor) if chain else (0, ONE)

    def gather(self, values: Iterable[Value], *, own: Poly = ONE) -> Value:
        """Return a value made of others, and of some nodes of its own each time it is made."""
        listed = list(values)
        tip, times = self.shared(listed)
        nodes, chars = own * times, ZERO
        for each in listed:
            scale = ONE if each.tip == tip else times
            nodes, chars = nodes + each.nodes * scale, chars + each.chars * scale
        return Value(tip, nodes, chars, all(each.fixed for each in listed), longest=_longest(listed))

    def either(self, values: Sequence[Value]) -> Value:
        """Return a value that is one of some others."""
        if len(values) == 1:
            return values[0]
        tip, times = self.shared(values)
        nodes, chars = ZERO, ZERO
        for each in values:
            scale = ONE if each.tip == tip else times
            nodes, chars = nodes.join(each.nodes * scale), chars.join(each.chars * scale)
        fixed_, sets = all(each.fixed for each in values), all(each.sets for each in values)
        return Value(tip, nodes, chars, fixed_, sets, longest=_longest(values))

    # -- statements

    def begin(self, mentioned: frozenset[str]) -> Saved:
        """Begin a statement that mentions some names; return what :meth:`undo` needs."""
        self._current = frozenset[str]().union(*(self._needs.get(name, ()) for name in mentioned))
        return Saved(self.chains, dict(self.values), list(self._now), list(self._begun))

    def undo(self, saved: Saved) -> None:
        """Forget a statement that was begun."""
        self.chains, self.values, self._now, self._begun = saved

    def end(self, made: frozenset[str] = frozenset()) -> None:
        """End a statement that bound some variables."""
        for name in made:
            self._needs[name] = self._current | made
        tips = {chain.id: chain.tip for chain in self.chains}
        self._kept += [_Kept(charge, tips, self._current, made) for charge in merged(self._now)]
        self._now = []

    # -- the end of the body

    def charges(self) -> list[Charge]:
        """Return all that the body costs, as charges of the body around it."""
        self.end()
        return merged([self._lift(self._settled(kept)) for kept in self._kept])

    def _settled(self, kept: _Kept) -> Charge:
        """Return a charge with the chains it covers, wherever the engine puts its statement.

        Not one that may have got longer before. But one that is certainly begun after it.
        """
        later = [each for each in self._begun if kept.tips.get(each.chain, 0) == each.before]
        after = {each.chain for each in later if _follows(each, kept)}
        begun = {each.chain for each in later if not each.before}
        longer = {each.chain for each in later if each.before}
        return Charge(kept.charge.covers - (longer - after) | (begun & after), kept.charge.poly)

    def _lift(self, charge: Charge) -> Charge:
        """Multiply a charge by the loops of this body; what it covers then are chains of the body around it."""
        outer = {chain.id: chain.tip for chain in self._outer}
        covers, poly = set(charge.covers & outer.keys()), charge.poly
        for chain in self.chains:
            if chain.id in charge.covers or outer.get(chain.id) == chain.tip:
                continue
            poly = poly * chain.factor
            if chain.id in outer:
                covers.add(chain.id)
        return Charge(frozenset(covers), poly)

    def result(self, value: Value) -> Value:
        """Return what a value of this body is for the body around it: one value, whichever turn it comes from."""
        outer = {chain.id: chain.tip for chain in self._outer}
        chain = self.chain(value.tip)
        kept = value.tip if value.tip in outer.values() else outer.get(chain.id, 0) if chain else 0
        return replace(value, tip=kept)

    def collected(self, values: Sequence[Value], around: Frame, *, once: bool = False) -> Value:
        """Return what the values of all turns of this body make together, for the body around it.

        With ``once``, equal ones are there once: a value that stands in the policy is one member, however often.
        """
        if once and all(value.known is not UNKNOWN for value in values):
            return around.gather(values)
        turns = self._lift(Charge(NOTHING, ONE))
        found = [around.of(turns, Charge(turns.covers, ZERO))]
        for value in values:
            nodes, chars = (self._lift(Charge(self.covers(value), poly)) for poly in (value.nodes, value.chars))
            found.append(around.of(nodes, chars))
        whole = around.gather(found)
        return replace(whole, fixed=all(value.fixed for value in values), longest=_longest(values))

    def of(self, nodes: Charge, chars: Charge) -> Value:
        """Return a value as large as charges say."""
        chain = next((each for each in self.chains if nodes.covers == {each.id} == chars.covers), None)
        return Value(chain.tip if chain else 0, nodes.poly, chars.poly)


def _follows(loop: _Begun, kept: _Kept) -> bool:
    """Say whether a loop can only begin after a statement: it needs what that makes, or what that waits for."""
    return bool(kept.makes & loop.needs) or (not kept.makes and kept.needs <= loop.needs)


def _longest(values: Sequence[Value]) -> Poly:
    longest = ZERO
    for value in values:
        longest = longest.join(value.string)
    return longest


def part(value: Value, key: Any = UNKNOWN) -> Value:
    """Return what a member of a value may be."""
    if isinstance(value.known, dict) and isinstance(key, str) and key in value.known:
        return known(value.known[key])
    return replace(value, sets=False, known=UNKNOWN)


def merged(charges: Iterable[Charge]) -> list[Charge]:
    """Return charges with those added up that cover the same."""
    sums: dict[frozenset[int], Poly] = {}
    for covers, poly in charges:
        sums[covers] = sums.get(covers, ZERO) + poly
    return [Charge(covers, poly) for covers, poly in sums.items()]
