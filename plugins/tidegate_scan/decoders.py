"""Encoded runs inside a text - base64, hex, and what is compressed within them - and the text they stand for.

What an encoded run of text looks like is known letter by letter: the bits that every ASCII letter has in common show
in base64 and hex digits. One linear automaton looks for enough of them in a row, so words, paths, identifiers and
hashes are passed over without decoding anything, and a run is found wherever it begins.
"""

from __future__ import annotations

import binascii
import re
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import re2  # type: ignore[import-untyped]  # it has no stubs

from .inflate import deflated, deflates, inflated
from .spans import Run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .budget import Gauge

_READABLE = bytes((9, 10, 13, *range(0x20, 0x7F)))
_PERHAPS_READABLE = _READABLE + bytes(range(0x80, 0x100))
_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_ANY = "[A-Za-z0-9+/_-]"


def _digits(values: set[int]) -> str:
    """Return the character class of base64 digits (RFC 4648, both alphabets) with these values."""
    letters = "".join(_DIGITS[value] for value in sorted(values) if value < 62)
    return f"[{letters}{'+-' * (62 in values)}{'/_' * (63 in values)}]".replace("+-", "+\\-")


_FIRST = _digits({a >> 2 for a in _READABLE})
_SECOND = _digits({(a & 3) << 4 | b >> 4 for a in _READABLE for b in _READABLE})
_THIRD = _digits({(a & 15) << 2 | b >> 6 for a in _READABLE for b in _READABLE})
_QUAD = f"{_FIRST}{_SECOND}{_THIRD}{_ANY}"
_WIDE = f"[A-Za-f][AQgw][AB]{_ANY}A[A-H][AEIMQUYcgkosw048]A"  # six bytes of UTF-16, either order
_STRETCH = f"(?:{_QUAD}){{4,}}(?:{_FIRST}{_SECOND}{_THIRD}?)?|(?:{_WIDE}){{2,}}(?:{_FIRST}[AQgw][AB]?)?"
_PACKED = "(?:H4sI|e(?:A[E-H]|F[4-7]|J[w-z]|N[o-r]))"  # how gzip's and zlib's first bytes come out
_ALONE = "(?:^|[^A-Za-z0-9+/_-])"
_HEADED = f"{_ALONE}{_PACKED}{_ANY}{{13,}}"
_BASE64 = f"(?:{_QUAD}){{4}}|(?:{_WIDE}){{2}}|{_HEADED}"

_HEX = "[0-9A-Fa-f]"
_LETTER = "(?:[2-6][0-9A-Fa-f]|7[0-9A-Ea-e]|0[9AaDd])"
_STYLES = (("", ""), ("", ":"), ("", " "), ("", "-"), ("", ", ?"), ("0[xX]", "[,;:]? ?"), (r"\\x", ""))
"""How a byte of hex begins and what stands between two."""


def _hex(before: str, between: str) -> tuple[str, str]:
    """Return the triggers of one style of hex, and the whole runs that hold one."""
    join = f"{between}{before}"
    letters = f"(?:{_LETTER}{join}){{7}}{_LETTER}"
    wide = f"(?:{_LETTER}{join}00{join}|00{join}{_LETTER}{join}){{7}}"
    packed = f"1[fF]{join}8[bB]{join}08|78{join}(?:01|5[eE]|9[cC]|[dD][aA])"
    trigger = packed if before == r"\\x" else f"{letters}|{wide}|{packed}"
    return before + f"(?:{trigger})", f"{before}(?:{_HEX}{{2}}{join})*?(?:{trigger})(?:{join}{_HEX}{{2}})*"


_find_any = re2.compile(
    f"{_BASE64}|{'|'.join(_hex(*style)[0] for style in _STYLES)}".encode(),
).search
_find_base64 = re2.compile(_BASE64.encode()).search
_find_hex = re2.compile("|".join(_hex(*style)[1] for style in _STYLES).encode()).search
_one_run = re.compile(rf"\s*({_ANY}{{16,}}={{0,2}})\s*\Z".encode()).match
_rest = re.compile(f"{_ANY}*={{0,2}}".encode()).match
_before = re.compile(f"{_ANY}*".encode()).match
_LONG = 1024
_SAMPLE = 32
_sampled_runs = re.compile(b"A{%d,}" % (_LONG // _SAMPLE - 1)).finditer
_IN_ALPHABET = bytes(0x41 if chr(code) in f"{_DIGITS}+/-_" else 0x20 for code in range(256))
_OF_HEX = b"0123456789abcdefABCDEFxX-"
_words = re2.compile(rb"[\t\n\r -~]{12,}").finditer
_stretches = re2.compile(_STRETCH.encode()).finditer
_letters = re.compile(rb"[\t\n\r -~]{8,}").finditer

_FOLD = re.compile(rb"\r?\n[ \t]*|(?:\\r)?\\n")
_FOLDED = 32
"""Digits of the shortest line after which a run may go on in the next line: MIME has 76 (RFC 2045),
PEM 64 (RFC 7468)."""
_LONGEST_FOLDED = 1024
_PADDING = re.compile(rb"(?:%3[Dd]|&#0*61;|&#[xX]0*3[dD];|&equals;|\\u003[dD]|\\x3[dD]){1,2}")
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")


@lru_cache(maxsize=64)
def _folds(digits: str, width: int, unit: int) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """Return the lines after a first one of that width: the whole ones, and the shorter last one."""
    fold = _FOLD.pattern.decode()
    full = f"(?:(?:{fold}){digits}{{{width}}}(?!{digits}))*"
    last = f"(?:{fold})(?:{digits}{{{unit}}}){{1,{max(width // unit, 1)}}}={{0,2}}(?=\\s*$|[\\r\\n\\\\\"'<,)\\]}}])"
    return re.compile(full.encode()), re.compile(last.encode())


def _folded(raw: bytes, start: int, end: int, digits: str, unit: int) -> list[int]:
    """Return where a run may end that goes on over lines of one width: the likeliest first."""
    width = end - start
    if width > _LONGEST_FOLDED or raw[end : end + 1] not in (b"\r", b"\n", b"\\"):
        return [end]
    full, last = _folds(digits, width, unit)
    lines = full.match(raw, end)
    whole = lines.end() if lines else end
    short = last.match(raw, whole)
    return [short.end(), whole] if short else [whole]


def text_of(data: bytes) -> str | None:
    """Read decoded bytes as text: UTF-8 or UTF-16, mostly printable. None where they are something else."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = ""
    if text and len(data.translate(None, _PERHAPS_READABLE)) * 8 <= len(data):
        return text
    half = len(data) // 2
    for codec, high in (("utf-16-le", data[1::2]), ("utf-16-be", data[::2])):
        if half >= 6 and high.count(0) * 4 >= half * 3:
            return data[: half * 2].decode(codec, "replace")
    return None


def _read(data: bytes, gauge: Gauge) -> tuple[tuple[str, ...], str] | None:
    """Return what decoded bytes hold: the compressions undone and the text, or None."""
    if data.isascii() and not data.translate(None, _READABLE):
        return (), data.decode("ascii")
    how: tuple[str, ...] = ()
    while (found := inflated(data, gauge)) is not None:
        name, data = found
        how = (*how, name)
        gauge.nested(len(how))
    text = text_of(data)
    if text is None and how:
        text = "\n".join(match[0].decode("ascii") for match in _letters(data))
    return None if text is None else (how, text)


def _from_base64(run: bytes) -> bytes:
    if b"\\" in run:
        run = _FOLD.sub(b"", run)
    run = run.translate(_TO_STANDARD, b"=\r\n\t ")
    left = len(run) % 4
    if left == 1:
        run = run[:-1]
    return binascii.a2b_base64(run + b"==" if left > 1 else run)


def _deflated(raw: bytes, gauge: Gauge) -> Iterator[Run]:
    """Yield the text of a leaf that is all base64 of deflate: nothing marks it, so it is tried nowhere else."""
    whole = _one_run(raw)
    if (
        whole
        and deflates(_from_base64(whole[1][:256]))
        and (data := deflated(_from_base64(whole[1]), gauge))
        and (text := text_of(data))
    ):
        yield Run(*whole.span(1), ("base64", "deflate"), text)


def _around(raw: bytes, inside: int, floor: int) -> tuple[int, int]:
    """Return where the base64 digits around a place begin, at the floor at the earliest, and where they end."""
    before, rest = _before(raw[floor:inside][::-1]), _rest(raw, inside)
    assert before, "it matches nothing, too"
    assert rest, "it matches nothing, too"
    return inside - before.end(), rest.end()


def _long(raw: bytes, gauge: Gauge, found: list[Run]) -> bytes:
    """Read the long runs of base64, and return the text with blanks in their place.

    Most are pictures and the like. The automaton would meet new states all along such noise; decoding it from each of
    the four places where digits may begin costs less.
    """
    sampled = raw[::_SAMPLE].translate(_IN_ALPHABET)
    if max(map(len, sampled.split()), default=0) < _LONG // _SAMPLE - 1:
        return raw
    kept: list[bytes] = []
    place = 0
    for match in _sampled_runs(sampled):
        start, end = _around(raw, match.start() * _SAMPLE, max(place, match.start() * _SAMPLE - _SAMPLE))
        if end - start < _LONG:
            continue  # the samples passed over what ends it, as they do with folded lines
        run = raw[start:end]
        if run[:_LONG].translate(None, _OF_HEX) or run.translate(None, _OF_HEX):
            kept += (raw[place:start], b" " * (end - start))
            place = end
            found += _in_long(run, start, end, gauge)
    return b"".join((*kept, raw[place:]))


def _in_long(run: bytes, start: int, end: int, gauge: Gauge) -> Iterator[Run]:
    whole = _read(_from_base64(run), gauge)
    if whole:
        yield Run(start, end, ("base64", *whole[0]), whole[1])
        return
    digits = run.translate(_TO_STANDARD, b"=")
    for phase in range(4):
        begin = start + phase
        for words in _words(binascii.a2b_base64(digits[phase : phase + (len(digits) - phase) // 4 * 4])):
            first, last = words.span()
            yield Run(
                begin + first // 3 * 4, min(begin - last // -3 * 4, end), ("base64",), words.group().decode("ascii")
            )


def _base64(raw: bytes, gauge: Gauge) -> Iterator[Run]:
    place = 0
    while match := _find_base64(raw, place):
        start = match.start() + (raw[match.start()] not in _ALPHABET)
        first, end = _around(raw, start, max(place, start - _LONG))
        start -= (start - first) // 4 * 4
        place = end
        for stop in _folded(raw, start, end, _ANY, 1) if end - start >= _FOLDED else (end,):
            found = _read(_from_base64(raw[start:stop]), gauge)
            if found:
                yield Run(start, stop, ("base64", *found[0]), found[1])
                place = stop
                break
        else:
            for stretch in _stretches(raw[start:end]):
                text = _from_base64(stretch.group()).replace(b"\0", b"").decode("utf-8", "replace")
                tail = end if stretch.end() >= len(raw[start:end].rstrip(b"=")) else start + stretch.end()
                yield Run(start + stretch.start(), tail, ("base64",), text)


_ALPHABET = frozenset(b"+/-_" + _DIGITS.encode())
_MARKS = re.compile(rb"0[xX]|\\x|(?:\\r)?\\n|[ ,:;\-\r\n\t]+")


def _in_hex(raw: bytes, gauge: Gauge) -> Iterator[Run]:
    place = 0
    while match := _find_hex(raw, place):
        start, end = match.span()
        place = end
        if raw[start - 2 : start] in (b"0x", b"0X", b"\\x") and start >= 2:
            start -= 2
        for stop in _folded(raw, start, end, _HEX, 2) if end - start >= _FOLDED else (end,):
            run = raw[start:stop]
            data = binascii.unhexlify(run if run.isalnum() and run[1:2] not in b"xX" else _MARKS.sub(b"", run))
            found = _read(data, gauge)
            if found:
                yield Run(start, stop, ("hex", *found[0]), found[1])
                place = stop
                break
        else:
            yield from _hex_stretches(start, end, data)


def _hex_stretches(start: int, end: int, data: bytes) -> Iterator[Run]:
    """Yield the readable parts of a run of hex; each is a run of its own where all bytes are written alike."""
    width, odd = divmod(end - start, len(data))
    for stretch in _letters(data):
        first, last = (start, end) if odd else (start + stretch.start() * width, start + stretch.end() * width)
        yield Run(first, last, ("hex",), stretch[0].decode("ascii"))


class _Tags(NamedTuple):
    """Letters written as tag characters (U+E0020 to U+E007E), which no one sees and models read."""

    runs: re.Pattern[str] = re.compile("[\U000e0020-\U000e007e]{8,}")
    letters: Mapping[int, int] = MappingProxyType(dict(zip(range(0xE0020, 0xE007F), range(0x20, 0x7F), strict=True)))


_TAGS = _Tags()


def runs(text: str, gauge: Gauge) -> list[Run]:
    """Find the encoded runs of a text that stand for text.

    Args:
        text: any text.
        gauge: what is left of the budget; decompression draws on it.

    Returns:
        The runs with what they decode to, in characters of `text`. Runs may overlap.

    Raises:
        OverBudget: where something inflates to more than the budget.
    """
    raw = text.encode("ascii", "replace")  # one byte a character, so places are the same
    found: list[Run] = []
    found += _deflated(raw, gauge)
    raw = _long(raw, gauge, found)
    if _find_any(raw):
        found += _base64(raw, gauge)
        found += _in_hex(raw, gauge)
    if not text.isascii() and b"\xf3" in text.encode("utf-8", "surrogatepass"):  # the lead byte of tags in UTF-8
        found += (
            Run(*match.span(), ("tags",), match[0].translate(_TAGS.letters)) for match in _TAGS.runs.finditer(text)
        )
    return [_padded(raw, run) for run in found]


def _padded(raw: bytes, run: Run) -> Run:
    """Let a run of base64 end behind its padding, where that alone is written in another way, as in a URL."""
    if raw[run.end : run.end + 1] not in (b"%", b"&", b"\\"):
        return run
    padding = _PADDING.match(raw, run.end)
    return run._replace(end=padding.end()) if padding else run
