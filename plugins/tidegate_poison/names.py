"""Names that look like others: letters of several scripts, letters for letters, typing errors made on purpose."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

_CYRILLIC = (
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0501\u04bb\u051b\u051d\u043a\u043c\u0442\u0433",
    "aeopcyxijsdhqwkmtr",
)
_CYRILLIC_CAPITALS = ("\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0408\u0405",
                      "ABEKMHOPCTYXIJS")  # fmt: skip
_GREEK = ("\u03bf\u03b1\u03c1\u03bd\u03b9\u03ba\u03c5\u03c7\u03b3\u03c4", "oapvikuxyt")
_GREEK_CAPITALS = (
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7",
    "ABEZHIKMNOPTYX",
)
_ARMENIAN = ("\u0585\u057d\u0578\u0570\u0566\u0584\u0563\u0582", "ounhqpqi")
_OTHERS = ("\u0131\u0261\u0251\u217c\u1d0f\u0269\u01c0\u2010\u2011\u2012\u2013\u2212\u2024", "igaloil-----.")

_ALIKE = {
    ord(odd): plain
    for odds, plains in (_CYRILLIC, _CYRILLIC_CAPITALS, _GREEK, _GREEK_CAPITALS, _ARMENIAN, _OTHERS)
    for odd, plain in zip(odds, plains, strict=True)
}
_FOREIGN = "\u0370-\u052f\u0531-\u058f\u13a0-\u13ff\u2c80-\u2cff"  # Greek, Cyrillic, Armenian, Cherokee, Coptic
_STYLED = "\uff01-\uff5e\U0001d400-\U0001d7ff\u24b6-\u24e9\U0001f130-\U0001f189\u2100-\u214f\u1d00-\u1d2b"
_SURELY = "\u0400-\u052f\u0531-\u058f\u13a0-\u13ff\u0391-\u0397\u0399-\u03a7\u03bf"

MIXED_PAIR = f"[A-Za-z][{_SURELY}]|[{_SURELY}][A-Za-z]"
"""A regex: a Latin letter beside one that looks like one, which no word of any language has."""

_MIXED = re.compile(MIXED_PAIR)
_MIXED_WORD = re.compile(rf"[A-Za-z{_SURELY}]{{4,}}")
_STYLE = re.compile(f"[{_STYLED}]")
_HAS_FOREIGN = re.compile(f"[{_FOREIGN}]")
_LATIN = re.compile("[A-Za-z]")

_DIGITS = str.maketrans("015", "ols")
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+|[^\W\d_a-zA-Z]+")

_MANY_WORDS = frozenset(Path(__file__).with_name("words.txt").read_text(encoding="ascii").split())
"""Words of which tools' names consist: one that is among them isn't another one misspelt."""

_LEAST_TYPED = 5
"""Letters of the shortest word in which a typing error is looked for."""


def alike(text: str) -> str:
    """Return a text with letters that look like Latin ones as those, of the same length where that can be."""
    return unicodedata.normalize("NFKC", text).translate(_ALIKE)


def disguised(name: str) -> bool:
    """Whether a name mixes letters of scripts that no language mixes, or is written in letters for mathematics."""
    if name.isascii():
        return False
    if _STYLE.search(name):
        return True
    return bool(_LATIN.search(name) and _HAS_FOREIGN.search(name))


def mixed_words(text: str) -> list[tuple[int, int]]:
    """Return where in a text words are that mix Latin letters with others that look like them."""
    if text.isascii() or not _MIXED.search(text):
        return []
    return [match.span() for match in _MIXED_WORD.finditer(text) if _MIXED.search(match[0])]


def has_style(text: str) -> bool:
    """Whether there are letters that are the same as ASCII's but for their style."""
    return not text.isascii() and _STYLE.search(text) is not None


def skeleton(name: str) -> str:
    """Return what a name looks like at a glance: two names with one skeleton are taken for each other."""
    if not name.isascii():
        name = alike(name)
    text = name.lower().translate(_DIGITS).replace("rn", "m").replace("vv", "w").replace("|", "l").replace("i", "l")
    return re.sub(r"[^\w]|_", "", text)


def words(name: str) -> tuple[str, ...]:
    """Return the words of a name, however they are put together."""
    return tuple(part.lower() for part in _PARTS.findall(name))


def spelled(name: str) -> str:
    """Return a name without what only joins its words: `readFile` and `read-file` are spelled the same."""
    return "".join(words(name))


def mistyped(name: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one word of a name is another's with a typing error, and no word by itself."""
    if len(name) != len(other):
        return False
    differing = [(a, b) for a, b in zip(name, other, strict=True) if a != b]
    if len(differing) != 1:
        return False
    mine, theirs = differing[0]
    if min(len(mine), len(theirs)) < _LEAST_TYPED or mine in _MANY_WORDS or abs(len(mine) - len(theirs)) > 1:
        return False
    longer, shorter = (mine, theirs) if len(mine) > len(theirs) else (theirs, mine)
    if longer[:-1] == shorter or longer[:-2] + longer[-1] == shorter or mine[:-1] == theirs[:-1]:
        return False  # one of many, or another form of the word
    if len(mine) == len(theirs):
        return _swapped(mine, theirs)
    return any(longer[:at] + longer[at + 1 :] == shorter for at in range(len(longer)))


def _swapped(mine: str, theirs: str) -> bool:
    at = next(index for index, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b)
    return mine[:at] + mine[at + 1 : at + 2] + mine[at : at + 1] + mine[at + 2 :] == theirs


def neighbours(name: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return keys of which a name and one that it may be mistyped of have one in common: all words but one."""
    return [(*name[:at], "", *name[at + 1 :]) for at, word in enumerate(name) if len(word) >= _LEAST_TYPED - 1]
