"""Recognises in a request what labelled replies said before: keyed marks of runs of words, winnowed and bounded.

A text is its words, whatever stands between them, so reflowing or re-quoting it changes nothing; what is encoded is
decoded first. A mark is the hash of a few words in a row. Of a reply's marks the least of each window is kept (the
winnowing of Schleimer, Wilkerson and Aiken, 2003), so that any run of ``words + WINDOW - 1`` words of it leaves one. A
request's marks are all looked up. Texts themselves are never kept.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import unicodedata
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from tidegate_policy.readings import readings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WINDOW = 4
LONG = 24
"""A word of this many characters, such as a key or an id, is a mark by itself."""

LONGEST = 1 << 20
"""Characters of one message that are looked at; what is beyond counts as carried."""

_WORD = re.compile(r"[^\W_]+")
_IDEOGRAPHS = re.compile(r"([\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_FOLDED = re.compile(r"(?<=[A-Za-z0-9+/=])[\r\n]+[ \t]*(?=[A-Za-z0-9+/=])")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}[\s:]?){12,}")
_KEY = secrets.randbits(64)


class Carried(NamedTuple):
    """One string of a request that repeats a labelled reply.

    Attributes:
        label: the reply's label.
        pointer: the string.
        share: how much of the string's words it repeats, 0 to 1.
    """

    label: str
    pointer: str
    share: float


class Marks:
    """The marks of one conversation's labelled replies, at most ``most``; the oldest are forgotten first."""

    def __init__(self, words: int, most: int) -> None:
        self._words = words
        self._most = most
        self._kept: OrderedDict[int, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, texts: Iterable[str], label: str) -> None:
        """Remember the marks of a labelled reply."""
        for text in texts:
            words = _words(text)
            marks = _marks(words, self._words)
            for at in range(max(1, len(marks) - WINDOW + 1)) if marks else ():
                self._put(min(marks[at : at + WINDOW]), label)
            for word in words:
                if len(word) >= LONG:
                    self._put(hash((_KEY, word)), label)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def _put(self, mark: int, label: str) -> None:
        self._kept[mark] = label
        self._kept.move_to_end(mark)

    def found(self, strings: Iterable[tuple[str, str]]) -> list[Carried]:
        """Return which strings of a request carry what was remembered.

        Args:
            strings: pointer and value of each.
        """
        out: list[Carried] = []
        budget = LONGEST
        for pointer, value in strings:
            budget -= len(value)
            if budget < 0:
                return [*out, *(Carried(label, pointer, 1.0) for label in sorted(set(self._kept.values())))]
            best: dict[str, float] = {}
            for text in forms(value):
                label, share = self._share(text)
                if label and share > best.get(label, 0.0):
                    best[label] = share
            out += [Carried(label, pointer, round(share, 3)) for label, share in best.items()]
        return out

    def _share(self, text: str) -> tuple[str, float]:
        words, size = _words(text), self._words
        covered, label, until, gap = 0, "", 0, 0
        kept = self._kept
        for at, mark in enumerate(_marks(words, size)):
            known = kept.get(mark)
            if known is None:
                continue
            # Between two marks of one text as much as a window may be missing: it was winnowed away.
            start = until if label and at - gap <= WINDOW else max(at, until)
            covered += max(0, at + size - start)
            label, until, gap = known, at + size, at
        for at, word in enumerate(words):
            if len(word) >= LONG and at >= until:
                known = kept.get(hash((_KEY, word)))
                if known is not None:
                    covered, label = covered + 1, known
        return label, min(1.0, covered / len(words)) if words else 0.0


def forms(text: str) -> Iterator[str]:
    """Yield a text and what is encoded in it: percent-encoding, escapes, base64 and hexadecimal digits, two deep."""
    waiting = [(text, 0)]
    seen = {text}
    while waiting:
        current, depth = waiting.pop()
        yield current
        if depth >= 2:
            continue
        for other in (*readings(current), *_undone(current)):
            if other not in seen and len(seen) < 16:
                seen.add(other)
                waiting.append((other, depth + 1))


def _undone(text: str) -> Iterator[str]:
    """Yield what base64 (RFC 4648, sections 4 and 5) and hexadecimal digits hold in a text, all runs of it together."""
    runs = _BASE64.findall(_FOLDED.sub("", text))
    parts = [part for run in runs for part in (_text(_unbase64(run)),) if part]
    if parts:
        yield " ".join(parts)
    parts = [part for match in _HEX.finditer(text) for part in (_text(_unhex(match[0])),) if part]
    if parts:
        yield " ".join(parts)


def _unbase64(run: str) -> bytes:
    bare = run.rstrip("=").translate({ord("-"): "+", ord("_"): "/"})
    bare = bare[: len(bare) - 1] if len(bare) % 4 == 1 else bare
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error:
        return b""


def _unhex(run: str) -> bytes:
    try:
        return bytes.fromhex(run.replace(":", " "))
    except ValueError:
        return b""


def _text(data: bytes) -> str:
    """Return bytes as text, where most of them are."""
    text = data.decode(errors="replace")
    return text if text and sum(map(str.isprintable, text)) + text.count("\n") > len(text) * 0.8 else ""


def _words(text: str) -> list[str]:
    if not text.isascii():
        text = _IDEOGRAPHS.sub(r" \1 ", unicodedata.normalize("NFKC", text))
        text = "".join(char for char in text if unicodedata.category(char) != "Cf")
    return _WORD.findall(text.casefold())


def _marks(words: list[str], size: int) -> list[int]:
    if len(words) < size:
        return [hash((_KEY, *words))] if len(words) > 1 else []
    return [hash((_KEY, *run)) for run in zip(*(words[at:] for at in range(size)), strict=False)]
