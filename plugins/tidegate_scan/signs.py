"""The signs of encoded runs in a text, told without decoding anything: where it is worth to look for them."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import re2  # type: ignore[import-untyped]  # it has no stubs

from . import native
from .triggers import ANY, BITS, HEX, few_rows, triggers, triggers_in

if TYPE_CHECKING:
    from .edits import Edits, Since

WIDE = f"[A-Za-f][AQgw][AB]{ANY}A[A-H][AEIMQUYcgkosw048]A"
"""Six bytes of UTF-16 in base64, in either order."""
_PACKED = "(?:H4sI|e(?:A[E-H]|F[4-7]|J[w-z]|N[o-r]))"  # how gzip's and zlib's first bytes come out
_ALONE = "(?:^|[^A-Za-z0-9+/_-])"
_HEADED = f"{_ALONE}{_PACKED}{ANY}{{13,}}"

LETTER = "(?:[2-6][0-9A-Fa-f]|7[0-9A-Ea-e]|0[9AaDd])"
"""A letter of ASCII in hex."""
_STYLES = (("", ""), ("", ":"), ("", " "), ("", "-"), ("", ", ?"), ("0[xX]", "[,;:]? ?"), (r"\\x", ""))
"""How a byte of hex begins and what stands between two."""


def _hex(before: str, between: str) -> tuple[str, str]:
    """Return the triggers of one style of hex, and the whole runs that hold one. For digits alone, letters are none."""
    join = f"{between}{before}"
    packed = f"1[fF]{join}8[bB]{join}08|78{join}(?:01|5[eE]|9[cC]|[dD][aA])"
    alone = before or f"(?:^|[^{HEX[1:]})"  # what is compressed is so from its first byte on
    more = f"(?:{join}{HEX}{{2}})*"
    if before == r"\\x":
        return f"{alone}(?:{packed})", f"{alone}(?:{packed}){more}"
    wide = f"(?:{LETTER}{join}00{join}|00{join}{LETTER}{join}){{7}}"
    letters = f"(?:{LETTER}{join}){{7}}{LETTER}|{wide}" if join else wide
    return (
        f"{before}(?:{letters})|{alone}(?:{packed})",
        f"{before}(?:{HEX}{{2}}{join})*?(?:{letters}){more}|{alone}(?:{packed}){more}",
    )


_RARE_BASE64 = f"(?:{WIDE}){{2}}|{_HEADED}"
_RARE_HEX = "|".join(_hex(*style)[0] for style in _STYLES)
MARKED_HEX = "|".join(_hex(*style)[1] for style in _STYLES)
"""Whole runs of hex that have such a sign."""
_rare = re2.compile(f"{_RARE_BASE64}|{_RARE_HEX}".encode()).search
_rare_or_hex = re2.compile(f"{_RARE_BASE64}|{_RARE_HEX}|{HEX}{{16}}".encode()).search
_rare_base64 = re2.compile(_RARE_BASE64.encode()).finditer
_rare_hex = re2.compile(_RARE_HEX.encode()).finditer


class Signs(NamedTuple):
    """What makes it worth to look for encoded runs, by place: see `triggers`; and all other signs."""

    quads: list[int]
    pairs: list[int]
    rare_base64: list[int]
    rare_hex: list[int]


WIDEST = 128
"""Characters of the longest sign, with what is beside it, at most."""
_MOST = 500  # signs that are carried from one text to the next
Told = dict[int, tuple[str, Signs]]
"""The signs in texts, by identity: to hash a long text takes as long as to read it."""


_compiled_signs = native.signs(BITS, _RARE_BASE64, _RARE_HEX)


def signs_in(raw: bytes) -> Signs:
    """Return the signs in a text; of characters beyond ASCII it has a question mark each."""
    told = _compiled_signs(raw)
    if told is not None:
        return Signs(*told)
    rows = few_rows(raw)
    if rows is None:
        perhaps = _rare_or_hex(raw)
        rare = _rare(raw, perhaps.start()) if perhaps else None
        quads, pairs = triggers(raw, hexes=bool(perhaps))
    else:
        rare = _rare(raw)
        quads, pairs = triggers_in(raw, rows)
    if not rare:
        return Signs(quads, pairs, [], [])
    rare_base64, rare_hex = ([match.start() for match in each(raw, rare.start())] for each in (_rare_base64, _rare_hex))
    return Signs(quads, pairs, rare_base64, rare_hex)


def signs_since(text: str, raw: bytes, since: Since | None, told: Told) -> Signs:
    """Return the same; if the signs in the text that this one came from are told, edits alone are looked at.

    Those of this one are told then.
    """
    old = None if since is None else told.get(id(since.text))
    signs = signs_in(raw) if since is None or old is None else _moved(raw, old[1], since.edits)
    if sum(map(len, signs)) <= _MOST:
        told[id(text)] = text, signs
    return signs


def _moved(raw: bytes, old: Signs, edits: Edits) -> Signs:
    """Return the signs in a text that came by edits from another: what wasn't touched, and what is near edits."""
    parts = list(edits.around(2 * WIDEST, len(raw)))
    near = signs_in(b"\n".join(raw[begin:end] for begin, end in parts))
    begins = [begin for begin, _ in parts]
    places = list(accumulate((end - begin + 1 for begin, end in parts), initial=0))
    lists = []
    for kept, found in zip(old, near, strict=True):
        moved = [place + edits.shift(place) for place in kept if edits.kept(max(0, place - 1), place + WIDEST)]
        fresh = (begins[part] + at - places[part] for at in found for part in (bisect_right(places, at) - 1,))
        new = [place for place in fresh if edits.is_new(max(0, place - 1), place + WIDEST)]
        lists.append(sorted({*moved, *new}) if new else moved)
    return Signs(*lists)
