"""Encoded runs inside a text - base64, hex, and what is compressed within them - and the text they stand for.

What an encoded run of text looks like is known letter by letter: the bits that every ASCII letter has in common show
in base64 and hex digits. Enough of them in a row are looked for everywhere at once (see `triggers`), so words, paths,
identifiers and hashes are passed over without decoding anything, and a run is found wherever it begins.
"""

from __future__ import annotations

import binascii
import re
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import re2  # type: ignore[import-untyped]  # it has no stubs

from . import native
from .edits import WORTH
from .inflate import deflated, deflates, inflated
from .signs import LETTER, MARKED_HEX, WIDE, WIDEST, Told, signs_in, signs_since
from .spans import Run
from .triggers import ANY, DIGITS, FIRST, HEX, IN_ALPHABET, READABLE, SECOND, THIRD, digits_end

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping

    from .budget import Gauge
    from .edits import Since

_PERHAPS_READABLE = READABLE + bytes(range(0x80, 0x100))
_QUAD = f"{FIRST}{SECOND}{THIRD}{ANY}"
_STRETCH = f"(?:{_QUAD}){{4,}}(?:{FIRST}{SECOND}{THIRD}?)?|(?:{WIDE}){{2,}}(?:{FIRST}[AQgw][AB]?)?"
_marked_hex = re2.compile(MARKED_HEX.encode()).search
_in_marked = re.compile(rb"[0-9A-Fa-fxX\\,;: -]*").match
_one_run = re.compile(rf"\s*({ANY}{{16,}}={{0,2}})\s*\Z".encode()).match
_run_begins = re.compile(rf"\s*({ANY}{{16,256}})".encode()).match
_before = re.compile(f"{ANY}*".encode()).match
_hex_rest = re.compile(f"{HEX}*".encode()).match
_hex_letters = re.compile(f"(?:{LETTER})+".encode()).match
_hex_before = re.compile(f"{HEX}*".encode()).match
_LONG = 1024
_SPAN = 4096  # characters that are looked at for where a run begins, before it is looked for everywhere
_SAMPLE = 32
_LEAST_SAMPLED = b"A" * (_LONG // _SAMPLE - 1)
_sampled_runs = re.compile(_LEAST_SAMPLED + b"A*").finditer
_OF_HEX = b"0123456789abcdefABCDEFxX-"
_stretch = re2.compile(_STRETCH.encode()).match
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
    if _is_readable(data):
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


def _is_readable(data: bytes) -> bool:
    told = native.readable(data)
    return data.isascii() and not data.translate(None, READABLE) if told is None else told


def _from_base64(run: bytes) -> bytes:
    told = native.from_base64(run)
    if told is not None:
        return told
    if b"\\" in run:
        run = _FOLD.sub(b"", run)
    run = run.rstrip(b"=")
    if b"-" in run or b"_" in run or any(each in run for each in (b"=", b"\r", b"\n", b"\t", b" ")):
        run = run.translate(_TO_STANDARD, b"=\r\n\t ")
    left = len(run) % 4
    if left == 1:
        run = run[:-1]
    return binascii.a2b_base64(run + b"==" if left > 1 else run)


def _deflated(raw: bytes, gauge: Gauge) -> Iterator[Run]:
    """Yield the text of a leaf that is all base64 of deflate: nothing marks it, so it is tried nowhere else."""
    begins = _run_begins(raw)
    if (
        begins
        and deflates(_from_base64(begins[1]))
        and (whole := _one_run(raw))
        and (data := deflated(_from_base64(whole[1]), gauge))
        and (text := text_of(data))
    ):
        yield Run(*whole.span(1), ("base64", "deflate"), text)


def _around(raw: bytes, inside: int, floor: int) -> tuple[int, int]:
    """Return where the base64 digits around a place begin, at the floor at the earliest, and where they end."""
    before = _before(raw[floor:inside][::-1])
    assert before, "it matches nothing, too"
    return inside - before.end(), digits_end(raw, inside)


def _long(raw: bytes, gauge: Gauge, found: list[Run]) -> tuple[bytes, list[tuple[int, int]]]:
    """Read the long runs of base64; return the text with blanks in their place, and those that stand for no text.

    Most are pictures and the like.
    """
    sampled = raw[::_SAMPLE].translate(IN_ALPHABET)
    if _LEAST_SAMPLED not in sampled:
        return raw, []
    noise: list[tuple[int, int]] = []
    kept: list[bytes] = []
    place = taken = 0
    for match in _sampled_runs(sampled):
        start, end = _around(raw, match.start() * _SAMPLE, max(place, match.start() * _SAMPLE - _SAMPLE))
        if end - start < _LONG:
            continue  # the samples passed over what ends it, as they do with folded lines
        run = raw[start:end]
        if run[:_LONG].translate(None, _OF_HEX) or run.translate(None, _OF_HEX):
            place = end
            whole = _read(_from_base64(run), gauge)
            if whole:
                found.append(Run(start, end, ("base64", *whole[0]), whole[1]))
                kept += (raw[taken:start], b" " * (end - start))
                taken = end
            else:
                noise.append((start, end))
    return b"".join((*kept, raw[taken:])), noise


def _base64(raw: bytes, triggers: list[int], noise: list[tuple[int, int]], gauge: Gauge) -> Iterator[Run]:
    place = failed = 0  # what is before the one is read, what is before the other stands for no text as a whole
    for trigger in triggers:
        while noise and noise[0][1] <= trigger:
            noise.pop(0)
        if noise and noise[0][0] <= trigger:
            failed = max(failed, noise[0][1])
        if trigger < place:
            continue
        if trigger >= failed:
            first, end = _around(raw, trigger, max(place, trigger - _LONG))
            start = trigger - (trigger - first) // 4 * 4
            for stop in _folded(raw, start, end, ANY, 1) if end - start >= _FOLDED else (end,):
                found = _read(_from_base64(raw[start:stop]), gauge)
                if found:
                    yield Run(start, stop, ("base64", *found[0]), found[1])
                    place = stop
                    break
            else:
                failed = end
        if trigger < failed and place <= trigger and (stretch := _stretch(raw, trigger, failed)):
            text = _from_base64(stretch.group()).replace(b"\0", b"").decode("utf-8", "replace")
            place = stretch.end()
            padded = failed - place <= 2 and not raw[place:failed].strip(b"=")
            yield Run(trigger, failed if padded else place, ("base64",), text)


_ALPHABET = frozenset(b"+/-_" + DIGITS.encode())
_MAY_BEGIN_HEX = frozenset(b"0123456789abcdefABCDEF\\")
_BACKSLASH = ord("\\")
_MARKS = re.compile(rb"0[xX]|\\x|(?:\\r)?\\n|[ ,:;\-\r\n\t]+")


def _in_hex(raw: bytes, triggers: list[int], gauge: Gauge) -> Iterator[Run]:
    """Read the runs of hex digits with nothing between them that hold letters."""
    place = failed = 0
    for trigger in triggers:
        if trigger < place or binascii.unhexlify(raw[trigger : trigger + 16]).translate(None, READABLE):
            continue
        if trigger >= failed:
            before = _hex_before(raw[max(place, trigger - _LONG) : trigger][::-1])
            rest = _hex_rest(raw, trigger)
            assert before, "it matches nothing, too"
            assert rest, "it matches nothing, too"
            start = trigger - before.end() // 2 * 2
            end = start + (rest.end() - start) // 2 * 2
            if raw[start - 2 : start] in (b"0x", b"0X", b"\\x") and start >= 2:
                start -= 2
            run = yield from _hex_run(raw, start, end, gauge)
            place, failed = (run, failed) if run else (place, rest.end())
        if trigger < failed and place <= trigger:
            letters = _hex_letters(raw, trigger)
            assert letters, "the trigger is made of them"
            place = letters.end()
            yield Run(trigger, place, ("hex",), binascii.unhexlify(letters[0]).decode("ascii"))


def _in_marked_hex(raw: bytes, triggers: Iterable[int], gauge: Gauge) -> Iterator[Run]:
    """Read the runs of hex with something between the bytes or before each, and those of UTF-16 or compressed."""
    place = 0
    for trigger in triggers:
        if trigger + WIDEST <= place:
            continue
        match = _marked_hex(raw, _marked_from(raw, trigger, place))
        if not match:
            return
        start, end = match.span()
        start += raw[start] not in _MAY_BEGIN_HEX or (raw[start] == _BACKSLASH and raw[start + 1 : start + 2] != b"x")
        place = end
        if raw[start - 2 : start] in (b"0x", b"0X", b"\\x") and start >= 2:
            start -= 2
        stop = yield from _hex_run(raw, start, end, gauge)
        if stop:
            place = stop
        else:
            yield from _hex_stretches(start, end, _from_hex(raw[start:end]))


def _marked_from(raw: bytes, trigger: int, floor: int) -> int:
    """Return where a run of hex that holds a trigger may begin, at the floor at the earliest."""
    low = max(floor, trigger - _SPAN)
    before = _in_marked(raw[low:trigger][::-1])
    assert before, "it matches nothing, too"
    begin = trigger - before.end()
    return floor if begin == low else max(floor, begin - 1)


def _hex_run(raw: bytes, start: int, end: int, gauge: Gauge) -> Generator[Run, None, int]:
    """Read a run of hex as a whole; return where it ends, 0 where it is no text."""
    for stop in _folded(raw, start, end, HEX, 2) if end - start >= _FOLDED else (end,):
        found = _read(_from_hex(raw[start:stop]), gauge)
        if found:
            yield Run(start, stop, ("hex", *found[0]), found[1])
            return stop
    return 0


def _from_hex(run: bytes) -> bytes:
    return binascii.unhexlify(run if run.isalnum() and run[1:2] not in b"xX" else _MARKS.sub(b"", run))


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


def runs(text: str, gauge: Gauge, since: Since | None = None, told: Told | None = None) -> list[Run]:
    """Find the encoded runs of a text that stand for text.

    Args:
        text: any text.
        gauge: what is left of the budget; decompression draws on it.
        since: the text that it came from.
        told: the signs in texts that were looked at; where the other is one, only what was edited is looked at.

    Returns:
        The runs with what they decode to, in characters of `text`. Runs may overlap.

    Raises:
        OverBudget: where something inflates to more than the budget.
    """
    raw = native.ascii_of(text)  # one byte a character, so places are the same
    found: list[Run] = []
    found += _deflated(raw, gauge)
    raw, noise = _long(raw, gauge, found)
    worth = len(raw) >= WORTH and not found and not noise
    signs = signs_since(text, raw, since, told) if worth and told is not None else signs_in(raw)
    quads = signs.quads
    if signs.rare_base64:
        quads = sorted({*quads, *(start + (raw[start] not in _ALPHABET) for start in signs.rare_base64)})
    if signs.rare_hex:
        found += _in_marked_hex(raw, signs.rare_hex, gauge)
    if quads:
        found += _base64(raw, quads, noise, gauge)
    if signs.pairs:
        found += _in_hex(raw, signs.pairs, gauge)
    if not text.isascii() and b"\xf3" in text.encode("utf-8", "surrogatepass"):  # the lead byte of tags in UTF-8
        found += (
            Run(*match.span(), ("tags",), match[0].translate(_TAGS.letters)) for match in _TAGS.runs.finditer(text)
        )
    return [_padded(raw, run) for run in dict.fromkeys(found)]  # one may be found in two ways


def _padded(raw: bytes, run: Run) -> Run:
    """Let a run of base64 end behind its padding, where that alone is written in another way, as in a URL."""
    if raw[run.end : run.end + 1] not in (b"%", b"&", b"\\"):
        return run
    padding = _PADDING.match(raw, run.end)
    return run._replace(end=padding.end()) if padding else run
