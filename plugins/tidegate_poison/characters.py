"""Characters that nobody sees, characters that turn text round, and sequences for terminals.

What is legitimate stays: joiners in emoji and in scripts that join, marks of direction in texts that have both,
selectors behind what has variants. Everything else of these kinds carries something that a reader isn't shown.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

INVISIBLE, BIDI, TAGS, VARIATION, TERMINAL = "invisible", "bidi", "tags", "variation", "terminal"

CONTROLS = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
"""All controls but tab, line feed and carriage return."""

_BLANK = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200c\u200d\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0"
    "\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0080-\U000e00ff\U000e01f0-\U000e0fff"
)
_MARKS = "\u061c\u200e\u200f"
_TURNS = "\u202a-\u202e\u2066-\u2069"
_TAGS = "\U000e0000-\U000e007f"
_PRIVATE = "\ue000-\uf8ff\U000f0000-\U0010ffff"
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"

NOT_ASCII = f"{_BLANK}{_MARKS}{_TURNS}{_TAGS}{_SELECTORS}\x80-\x9f"
"""All that is looked at here and isn't ASCII, as the inside of a character class."""

_BODY = "[^\x07\x1b\x80-\x9f]*"
_SEQUENCE = (
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI
    rf"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]){_BODY}(?:\x07|\x1b\\|\x9c)"  # OSC, DCS, SOS, PM, APC with their ends
    r"|\x1b[ -/]*[0-~]"
    rf"|[{CONTROLS}]"
)
_ODD = re.compile(
    rf"(?P<terminal>{_SEQUENCE}|\r(?!\n))|(?P<tags>[{_TAGS}]+)|(?P<bidi>[{_TURNS}]|[{_MARKS}]+)"
    rf"|(?P<variation>[{_SELECTORS}]+)|(?P<invisible>[{_BLANK}]|[{_PRIVATE}]+)"
)
_IN_RESULTS = re.compile(rf"\r\Z|[{_PRIVATE}]")  # what output of programs has
_MOST_LINES, _MOST_SPACES = 20, 200  # in a row, in a definition
_BLANKS = re.compile(rf"[ \t\r\n]{{{_MOST_LINES},}}")
_FLAG = "\U0001f3f4"
_FLAGS = frozenset(
    "".join(chr(0xE0000 + ord(letter)) for letter in code) + "\U000e007f" for code in ("gbeng", "gbsct", "gbwls")
)
_HIGH_SELECTORS = 0xE0120  # no registered ideograph has so many variants

# Scripts whose letters join, or are written without spaces: Arabic and its kin, those of India and of South-East Asia.
_JOINING = re.compile(
    "[\u0600-\u08ff\u0900-\u109f\u1780-\u18af\u1900-\u1aaf\u1b00-\u1c4f\ua840-\ua9ff\uaa00-\uaaff\ufb50-\ufdff"
    "\ufe70-\ufefe\U00010d00-\U00010fff\U00011000-\U0001193f]"
)
_RTL = re.compile("[\u05d0-\u05ff\u0620-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001eeff]")
_PICTURE = re.compile(
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u2460-\u24ff\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
_HAS_VARIANTS = re.compile("[#*0-9\u1000-\u109f\u1800-\u18af\u2200-\u22ff\u2a00-\u2aff\ua840-\ua87f\uff01-\uff60]")
_IDEOGRAPH = re.compile("[\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")


class Odd(NamedTuple):
    """One thing that a reader isn't shown: its class, and where it is."""

    rule: str
    start: int
    end: int


def odd(text: str, *, definition: bool = True) -> list[Odd]:
    """Return all that a reader of a text isn't shown, in order, without overlaps.

    Args:
        text: any text.
        definition: whether it is of a definition. There a carriage return without a line feed counts (in a terminal,
            what comes next is written over what came before), and so do characters of private use, which results of
            terminals have as icons.
    """
    found: list[Odd] = []
    right_to_left: bool | None = None  # not known before it is asked for
    end, before = -1, "\n"  # of what was found last, where it ends and what stands before it
    for match in _ODD.finditer(text):
        rule, start = str(match.lastgroup), match.start()
        if start != end:
            before = text[start - 1] if start else "\n"
        if not definition and _IN_RESULTS.match(match[0]):
            continue
        if rule == BIDI:
            if right_to_left is None:
                right_to_left = _RTL.search(text) is not None
            if right_to_left and len(match[0]) == 1 and match[0] in _MARKS and before not in _MARKS:
                continue
        elif rule != TERMINAL:
            legitimate = _legitimate(rule, match, before)
            if legitimate:
                start += legitimate
                before = text[start - 1]
        if start < match.end():
            end = match.end()
            found.append(Odd(rule, start, end))
    return found


def _legitimate(rule: str, match: re.Match[str], before: str) -> int:
    """Return how many characters of a match do what they are for, from its first one on."""
    part, text = match[0], match.string
    if rule == TAGS:
        return len(part) if before == _FLAG and part in _FLAGS else 0
    if rule == VARIATION:
        return _selected(part, before)
    return 1 if _joins(part, before, text[match.end() : match.end() + 1], match.start()) else 0


def _selected(part: str, before: str) -> int:
    """Return how many of a run of selectors choose a variant of the character before: one or none."""
    number = ord(part[0])
    if number <= 0xFE0F:
        fits = _PICTURE.match(before) or _HAS_VARIANTS.match(before) or _IDEOGRAPH.match(before)
    else:
        fits = _IDEOGRAPH.match(before) if number < _HIGH_SELECTORS else None
    return 1 if fits else 0


def _joins(part: str, before: str, after: str, start: int) -> bool:
    """Whether an invisible character does what it is for."""
    if part == "\ufeff":
        return start == 0  # the mark at the beginning of a file
    if part in "\u200b\u200c\u200d":
        if _JOINING.match(before) and (part != "\u200b" or _JOINING.match(after)):
            return True
        pictured = _PICTURE.match(before) or before in "\ufe0f\u20e3"
        return part == "\u200d" and bool(pictured and _PICTURE.match(after))
    if "\u180b" <= part <= "\u180f":
        return bool("\u1800" <= before <= "\u18af" and not "\u180b" <= before <= "\u180f")
    return False


def gaps(text: str) -> list[Odd]:
    """Return where a definition's text has so many blank lines or spaces that what comes after is out of sight."""
    found = []
    for match in _BLANKS.finditer(text):
        lines = match[0].count("\n")
        wide = lines >= _MOST_LINES or (not lines and match.end() - match.start() >= _MOST_SPACES)
        if wide and match.end() < len(text):
            found.append(Odd(INVISIBLE, *match.span()))
    return found


def without(text: str, found: list[Odd]) -> str:
    """Return a text without what was found in it; a carriage return and a gap become the new line that they are."""
    pieces, at = [], 0
    for one in found:
        pieces.append(text[at : one.start])
        if text[one.start] in "\r\n\t ":
            pieces.append("\n")
        at = one.end
    return "".join([*pieces, text[at:]])


def plain(text: str) -> str:
    """Return a text as a reader who knows no tricks takes it: nothing hidden, look-alikes of letters as the letters."""
    return unicodedata.normalize("NFKC", without(text, odd(text)))
