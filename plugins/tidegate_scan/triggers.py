"""Where in a text base64 or hex may stand for letters, told from the digits alone: without decoding anything.

The bits that all ASCII letters have in common show in the digits. Enough of them in a row are looked for.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate

READABLE = bytes((9, 10, 13, *range(0x20, 0x7F)))
"""What text in ASCII is made of."""
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
"""The digits of base64 that are the same in both of its alphabets (RFC 4648)."""
ANY = "[A-Za-z0-9+/_-]"
"""Any digit of base64."""
HEX = "[0-9A-Fa-f]"


def _digits(values: set[int]) -> str:
    """Return the character class of base64 digits (RFC 4648, both alphabets) with these values."""
    letters = "".join(DIGITS[value] for value in sorted(values) if value < 62)
    return f"[{letters}{'+-' * (62 in values)}{'/_' * (63 in values)}]".replace("+-", "+\\-")


FIRST = _digits({a >> 2 for a in READABLE})
SECOND = _digits({(a & 3) << 4 | b >> 4 for a in READABLE for b in READABLE})
THIRD = _digits({(a & 15) << 2 | b >> 6 for a in READABLE for b in READABLE})

IN_ALPHABET = bytes(0x41 if chr(code) in f"{DIGITS}+/-_" else 0x20 for code in range(256))
"""A table that makes an A of each digit of base64 and a blank of all else."""
_LEAST = b"A" * 16  # digits in a row that may be a trigger
_APART = 400  # bytes for each such row, at least, where they are looked at one by one
_SAMPLE = 4096
_FIRST = 32
_MOST = 1 << 16


def digits_end(raw: bytes, at: int) -> int:
    """Return where the base64 digits from a place on end, and their padding: what a regex says, faster in long runs."""
    size = _FIRST
    while part := raw[at : at + size].translate(IN_ALPHABET):
        stop = part.find(b" ")
        at += len(part) if stop < 0 else stop
        if stop >= 0:
            break
        size = min(2 * size, _MOST)
    return at + len(raw[at : at + 2]) - len(raw[at : at + 2].lstrip(b"="))


def few_rows(raw: bytes) -> list[tuple[int, int]] | None:
    """Return where enough digits of base64 stand in a row, if these rows are few and short, as they are in most texts.

    A text that is short itself is better looked at as a whole.
    """
    return None if len(raw) <= _SAMPLE or _rows(raw[:_SAMPLE]) is None else _rows(raw)


def _rows(raw: bytes) -> list[tuple[int, int]] | None:
    alike = raw.translate(IN_ALPHABET)
    rows: list[tuple[int, int]] = []
    most = len(raw) // _APART
    left = len(raw) // 2  # digits in rows, at most
    begin = alike.find(_LEAST)
    while begin >= 0:
        end = alike.find(b" ", begin)
        if end < 0:
            end = len(alike)
        left -= end - begin
        if len(rows) > most or left < 0:
            return None
        rows.append((begin, end))
        begin = alike.find(_LEAST, end)
    return rows


def triggers_in(raw: bytes, rows: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Return the same as `triggers`, given what `few_rows` says."""
    if not rows:
        return [], []
    begins = [begin for begin, _ in rows]
    places = list(accumulate((end - begin + 1 for begin, end in rows), initial=0))
    quads, pairs = triggers(b" ".join(raw[begin:end] for begin, end in rows))
    return _back(quads, begins, places), _back(pairs, begins, places)


def _back(found: list[int], begins: list[int], places: list[int]) -> list[int]:
    """Return where in a text things are that were found in its rows, one behind the other."""
    return [begins[row] + at - places[row] for at in found for row in (bisect_right(places, at) - 1,)]


def _bits(code: int) -> int:
    """Return a bit for each thing that a character may be: the digits of base64's letters, and of hex."""
    classes = (FIRST, SECOND, THIRD, ANY, "[02-7]", HEX)
    return sum(1 << bit for bit, each in enumerate(classes) if re.fullmatch(each, chr(code)))


BITS = bytes(_bits(code) if code < 0x80 else 0 for code in range(256))
"""A table of what each byte may be."""


@lru_cache(maxsize=32)
def _ones(size: int) -> int:
    """Return a number of so many bytes, each of which is 1."""
    return int.from_bytes(b"\x01" * size, "little")


def triggers(raw: bytes, *, hexes: bool = True) -> tuple[list[int], list[int]]:
    """Return where four groups of base64 begin that stand for letters, and where about eight of hex do if asked for.

    The text is one long number whose bytes say what each character may be, so one shift compares all neighbours. That
    takes the same time for any text; an automaton would have to learn the noise it meets.
    """
    bits = int.from_bytes(raw.translate(BITS), "little")
    pairs = bits & (bits >> 9)  # bit 0: first, then second; bit 2: third, then any; bit 4: two of hex
    quads = pairs & (pairs >> 18)
    quads &= quads >> 32
    quads &= quads >> 64
    ones = _ones(1 << len(raw).bit_length())
    if not hexes:
        return _set(quads & ones, len(raw)), []
    pairs &= pairs >> 16
    pairs &= pairs >> 32
    pairs &= pairs >> 64
    return _set(quads & ones, len(raw)), _set(pairs >> 4 & ones, len(raw))


def _set(marks: int, size: int) -> list[int]:
    """Return which bytes of a number are set."""
    if not marks:
        return []
    data = marks.to_bytes(size, "little")
    places = []
    place = data.find(1)
    while place >= 0:
        places.append(place)
        place = data.find(1, place + 1)
    return places
