r"""What may stand behind a literal where a rule's tail matches: the bytes that can come next.

Most occurrences of a literal such as `pat` are inside words, `path` or `pattern`. That no tail goes on with an `h`
can be told from the tails alone, so the search for literals need not stop there.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from tidegate_scan.tails import Atom, alternatives

_ASCII = range(0x80)
_BEYOND = frozenset(range(0x80, 0x100))
_STATES_MOST = 300  # beyond that nothing is said
_UNREADABLE_WIDE = ("\\S", "\\D", "\\W", "\\p", "\\P", "\\x")


class _OpenError(Exception):
    """Anything may follow."""


class _Move(NamedTuple):
    """One byte that is taken, and what is left to match then; beyond ASCII only the first byte of a character."""

    bytes: frozenset[int]
    after: tuple[Atom, ...]


@lru_cache(maxsize=4096)  # some rules are in two engines
def followers(tail: str, literal: str, *, ignore_case: bool, most: int) -> Sequence[frozenset[int]]:
    """The bytes that may be first, second... behind a literal in a match of a tail (RE2 syntax) that begins with it.

    No more than `most`; fewer where anything may follow or the match may end. An empty set says that this tail never
    matches at that literal.
    """
    if not literal.isascii():
        return []
    ignore_case = ignore_case or "(?i" in tail
    states = _ways(tail[len("(?i:") : -1] if tail.startswith("(?i:") else tail)
    sets: list[frozenset[int]] = []
    try:
        for char in literal:
            states = [move.after for move in _moves_of(states, ignore_case=ignore_case) if ord(char) in move.bytes]
        if not states:
            return [frozenset()] * most
        while len(sets) < most:
            moves = _moves_of(states, ignore_case=ignore_case)
            sets.append(frozenset().union(*(move.bytes for move in moves)))
            if sets[-1] & _BEYOND:
                break
            states = [move.after for move in moves]
    except _OpenError:
        pass
    return sets


@lru_cache(maxsize=64)  # many literals share the tails of a few rules
def _ways(tail: str) -> list[tuple[Atom, ...]]:
    return [tuple(way) for way in alternatives(tail, 0)[0]]


def _moves_of(states: list[tuple[Atom, ...]], *, ignore_case: bool) -> list[_Move]:
    moves = [move for state in states for move in _moves(state, ignore_case=ignore_case)]
    if len(moves) > _STATES_MOST:
        raise _OpenError
    return moves


def _moves(atoms: tuple[Atom, ...], *, ignore_case: bool) -> Iterator[_Move]:
    if not atoms:
        raise _OpenError
    head, rest = atoms[0], atoms[1:]
    if head.flags or head.zero:
        yield from _moves(rest, ignore_case=ignore_case)
        return
    if head.optional:
        yield from _moves(rest, ignore_case=ignore_case)
    if head.char:
        yield _Move(_char(head.char, ignore_case=ignore_case), rest)
    elif head.repeated is not None:
        if not head.least:
            yield from _moves(rest, ignore_case=ignore_case)
        again = head._replace(least=max(0, head.least - 1))
        for move in _moves((head.repeated,), ignore_case=ignore_case):
            yield _Move(move.bytes, (*move.after, again, *rest))
    elif head.ways is not None:
        for way in head.ways:
            yield from _moves((*way, *rest), ignore_case=ignore_case)
    else:
        yield _Move(_class(head.text, ignore_case=ignore_case), rest)


@cache
def _char(char: str, *, ignore_case: bool) -> frozenset[int]:
    if not char.isascii():
        return _BEYOND
    return _both(frozenset({ord(char)})) if ignore_case else frozenset({ord(char)})


@cache
def _class(text: str, *, ignore_case: bool) -> frozenset[int]:
    """The members of a character class, and all bytes beyond ASCII if it may have some there."""
    text = text.removesuffix("?") if text.startswith("\\") else text
    if text.startswith("("):
        raise _OpenError
    try:
        compiled = re.compile(text, re.DOTALL)
        found = frozenset(code for code in _ASCII if compiled.fullmatch(chr(code)))
    except re.error:
        found = frozenset(_ASCII)
    if text == "." or text.startswith("[^") or not text.isascii() or any(each in text for each in _UNREADABLE_WIDE):
        found |= _BEYOND
    return _both(found) if ignore_case else found


def _both(found: frozenset[int]) -> frozenset[int]:
    """With the other case; U+212A stands for k and U+017F for s then."""
    both = {ord(case) for code in found if code in _ASCII for case in (chr(code).lower(), chr(code).upper())}
    return found | both | (_BEYOND if both & set(b"ks") else frozenset())
