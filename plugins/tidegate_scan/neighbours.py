r"""What may stand beside a literal where a rule matches: the bytes that can come before it and behind it.

Most occurrences of a literal such as `pat` are inside words, `path` or `compat`. That no tail goes on with an `h`, and
that what stands before it never ends with an `m`, can be told from the rule alone, so no regex is run there.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from tidegate_scan.tails import Atom

_ASCII = range(0x80)
_ALL_ASCII = "".join(map(chr, _ASCII))
_BEYOND = frozenset(range(0x80, 0x100))
_STATES_MOST = 300  # beyond that nothing is said
_ANY = frozenset(range(0x100))
_BEGINNING = frozenset(b"\x00\n")  # what a text or a line begins behind
_WORD = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")
_UNREADABLE_WIDE = ("\\S", "\\D", "\\W", "\\p", "\\P", "\\x")


class _OpenError(Exception):
    """Anything may follow."""


class _Move(NamedTuple):
    """One byte that is taken, and what is left to match then; beyond ASCII only the first byte of a character."""

    bytes: frozenset[int]
    after: tuple[Atom, ...]


class Following:
    """What may follow a literal in the matches of a tail that begins with it, as far as that is plain.

    Attributes:
        first: the bytes that may be first behind the literal.
    """

    __slots__ = ("_fold", "_moves", "_second", "first")

    def __init__(self, ways: Iterable[tuple[Atom, ...]], literal: str, *, fold: bool) -> None:
        """Take the ways of a tail (see `Tail`)."""
        self._fold = fold
        self._moves: list[_Move] | None = None
        self._second: dict[tuple[int, ...], frozenset[int]] = {}  # by the moves that take the first
        self.first = _ANY
        if literal.isascii():
            try:
                states = [rest for way in ways for rest in _behind(way, literal, fold=fold)]
                self._moves = _moves_of(states, fold=fold)
                self.first = _all(move.bytes for move in self._moves)
            except _OpenError:
                pass

    def second(self, first: int) -> frozenset[int]:
        """The bytes that may come next, where this one is first."""
        if self._moves is None:
            return _ANY
        taken = tuple(number for number, move in enumerate(self._moves) if first in move.bytes)
        if taken not in self._second:
            try:
                self._second[taken] = _firsts((self._moves[number].after for number in taken), fold=self._fold)
            except _OpenError:
                self._second[taken] = _ANY
        # Beyond ASCII the rest of a character follows.
        return self._second[taken] | _BEYOND if first in _BEYOND else self._second[taken]


def preceding(leads: Iterable[Sequence[Atom]], literal: str, *, fold: bool) -> frozenset[int]:
    """The bytes that may stand right before a literal, given what a regex has there (see `Tail.leads`)."""
    in_word = ord(literal[0]) in _WORD
    return frozenset().union(*(_lasts(lead, fold=fold, in_word=in_word) for lead in leads))


_known: dict[tuple[str, bool, bool], frozenset[int]] = {}  # most rules begin in one of a few ways


def _lasts(lead: Sequence[Atom], *, fold: bool, in_word: bool) -> frozenset[int]:
    key = "".join(atom.text for atom in lead), fold, in_word
    if key not in _known:
        last, empty = _last(lead, fold=fold, in_word=in_word)
        _known[key] = _ANY if empty else last
    return _known[key]


def _last(atoms: Sequence[Atom], *, fold: bool, in_word: bool) -> tuple[frozenset[int], bool]:
    """The bytes that these atoms may end with, and whether they may be nothing, so that what is before them counts."""
    found: frozenset[int] = frozenset()
    for atom in reversed(atoms):
        if atom.flags:
            continue
        last, empty = _ending(atom, fold=fold, in_word=in_word)
        found |= last
        if not empty:
            return found, False
    return found, True


def _ending(atom: Atom, *, fold: bool, in_word: bool) -> tuple[frozenset[int], bool]:
    if atom.zero:
        if atom.text == "^":
            return _BEGINNING, False
        if atom.text != "\\b":
            return _ANY, False
        return (_ANY - _WORD if in_word else _WORD), False
    if atom.repeated is not None:
        last, empty = _ending(atom.repeated, fold=fold, in_word=in_word)
        return last, empty or not atom.least
    if atom.char:
        return _char(atom.char, fold=fold), atom.optional
    if atom.ways is not None:
        ends = [_last(way, fold=fold, in_word=in_word) for way in atom.ways]
        return frozenset().union(*(last for last, _ in ends)), atom.optional or any(empty for _, empty in ends)
    if atom.text.startswith("("):
        return _ANY, False
    return _class(atom.text, fold=fold), atom.optional


def _behind(way: tuple[Atom, ...], literal: str, *, fold: bool) -> list[tuple[Atom, ...]]:
    """What is left to match of a way once a literal is taken."""
    taken = 0
    while taken < len(literal) and taken < len(way) and _is(way[taken], literal[taken], fold=fold):
        taken += 1
    states = [way[taken:]]
    for char in literal[taken:]:
        states = [move.after for move in _moves_of(states, fold=fold) if ord(char) in move.bytes]
    return states


def _is(atom: Atom, char: str, *, fold: bool) -> bool:
    """Whether an atom is a character and nothing else."""
    return not atom.optional and (atom.char == char or (fold and atom.char.lower() == char))


def _all(sets: Iterable[frozenset[int]]) -> frozenset[int]:
    """What is in any of these; many are the very same."""
    return frozenset().union(*{id(each): each for each in sets}.values())


def _firsts(states: Iterable[tuple[Atom, ...]], *, fold: bool) -> frozenset[int]:
    """The bytes that may come first in what is left to match."""
    found: list[frozenset[int]] = []
    for state in states:
        for atom in state:
            first, empty = _opening(atom, fold=fold)
            found.append(first)
            if not empty:
                break
        else:
            raise _OpenError
    return _all(found)


_openings: dict[tuple[str, int, bool], tuple[frozenset[int], bool]] = {}


def _opening(atom: Atom, *, fold: bool) -> tuple[frozenset[int], bool]:
    """The bytes that an atom may begin with, and whether it may be nothing."""
    key = atom.text, atom.least, fold
    if key not in _openings:
        first: frozenset[int] = frozenset()
        empty = atom.optional
        if atom.flags or atom.zero:
            empty = True
        elif atom.char:
            first = _char(atom.char, fold=fold)
        elif atom.repeated is not None:
            first, nothing = _opening(atom.repeated, fold=fold)
            empty = nothing or not atom.least
        elif atom.ways is not None:
            for way in atom.ways:
                begins, nothing = _beginning(way, fold=fold)
                first |= begins
                empty = empty or nothing
        else:
            first = _class(atom.text, fold=fold)
        _openings[key] = first, empty
    return _openings[key]


def _beginning(atoms: Iterable[Atom], *, fold: bool) -> tuple[frozenset[int], bool]:
    """The same for atoms in a row."""
    found: frozenset[int] = frozenset()
    for atom in atoms:
        first, empty = _opening(atom, fold=fold)
        found |= first
        if not empty:
            return found, False
    return found, True


def _moves_of(states: Iterable[tuple[Atom, ...]], *, fold: bool) -> list[_Move]:
    alike = {tuple((atom.text, atom.least) for atom in state): state for state in states}
    moves = [move for state in alike.values() for move in _moves(state, fold=fold)]
    if len(moves) > _STATES_MOST:
        raise _OpenError
    return moves


def _moves(atoms: tuple[Atom, ...], *, fold: bool) -> Iterator[_Move]:
    if not atoms:
        raise _OpenError
    head, rest = atoms[0], atoms[1:]
    if head.flags or head.zero:
        yield from _moves(rest, fold=fold)
        return
    if head.optional:
        yield from _moves(rest, fold=fold)
    if head.char:
        yield _Move(_char(head.char, fold=fold), rest)
    elif head.repeated is not None:
        if not head.least:
            yield from _moves(rest, fold=fold)
        again = head._replace(least=max(0, head.least - 1))
        for move in _moves((head.repeated,), fold=fold):
            yield _Move(move.bytes, (*move.after, again, *rest))
    elif head.ways is not None:
        for way in head.ways:
            yield from _moves((*way, *rest), fold=fold)
    else:
        yield _Move(_class(head.text, fold=fold), rest)


@cache
def _char(char: str, *, fold: bool) -> frozenset[int]:
    if not char.isascii():
        return _BEYOND
    return _both(frozenset({ord(char)})) if fold else frozenset({ord(char)})


@cache
def _class(text: str, *, fold: bool) -> frozenset[int]:
    """The members of a character class, and all bytes beyond ASCII if it may have some there."""
    text = text.removesuffix("?") if text.startswith("\\") else text
    if text.startswith("("):
        raise _OpenError
    try:
        found = frozenset(ord(char) for char in re.findall(text, _ALL_ASCII, re.DOTALL) if len(char) == 1)
    except re.error:
        found = frozenset(_ASCII)
    if text == "." or text.startswith("[^") or not text.isascii() or any(each in text for each in _UNREADABLE_WIDE):
        found |= _BEYOND
    return _both(found) if fold else found


def _both(found: frozenset[int]) -> frozenset[int]:
    """With the other case, in ASCII: U+212A and U+017F, which stand for k and s then, are undone as disguises."""
    ascii_alone = bytes(code for code in found if code in _ASCII)
    return found.union(ascii_alone.lower(), ascii_alone.upper())
