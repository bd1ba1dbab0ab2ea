"""What is wrong with one text, by class; and what is left of it when that is taken out."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, NamedTuple

from tidegate_poison import characters, claims, encoded, markup, names, wording
from tidegate_poison.linear import Characters

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_ROUNDS = 6
"""How often a text is looked at again after something was taken out; what then still isn't well goes as a whole."""

LEAST = 20
"""Characters below which a text is too short for a claim, or for an order in another encoding."""

_CHARACTER_RULES = frozenset(
    (characters.INVISIBLE, characters.BIDI, characters.TAGS, characters.VARIATION, characters.TERMINAL)
)
_CONTROLS = bytes([*range(9), 11, 12, *range(13, 32), 127])
_SENTENCE_ENDS = re.compile(r"[.!?\u3002]\s|\n\s*\n|\n\s*[-*]\s")


class Wrong(NamedTuple):
    """One thing that is wrong with a text: its class, where it is, how sure that is."""

    rule: str
    span: tuple[int, int] | None
    confidence: float


def has_controls(text: str) -> bool:
    """Whether a text of ASCII has control characters other than tabs and line feeds."""
    return len(text.encode().translate(None, _CONTROLS)) != len(text)


def wrong(text: str, *, content: bool) -> list[Wrong]:
    """Return what is wrong with a text of a definition, or of a result (``content``), where more is usual."""
    found: list[Wrong] = []
    read, same = text, True
    if not text.isascii() or has_controls(text):
        for one in characters.odd(text, definition=not content):
            sure = 0.6 if one.rule == characters.INVISIBLE and text[one.start : one.end] == "\u00ad" else 0.95
            found.append(Wrong(one.rule, (one.start, one.end), sure))
        if not text.isascii():
            found += [Wrong("homoglyph", span, 0.7) for span in names.mixed_words(text)]
            read = _as_read(text, altered=bool(found))
            same = len(read) == len(text)
    if not content:
        found += [Wrong(one.rule, (one.start, one.end), 0.7) for one in characters.gaps(text)]
    said = _merged(wording.said(read, content=content))
    found += [Wrong(wording.RULE, one.span if same else None, one.confidence) for one in said]
    orders = markup.Spans(one.span for one in said)
    for mark in markup.marked(read):
        if content and mark.rule == markup.HTML and not orders.meet(mark.span):
            continue
        found.append(Wrong(mark.rule, mark.span if same else None, mark.confidence))
    return found if content else found + _told(read, same=same)


def _told(read: str, *, same: bool) -> list[Wrong]:
    """Return what the text of a definition claims, and what it orders in another encoding."""
    if len(read) < LEAST:
        return []
    data = read.encode(errors="replace")
    found = []
    claimed = claims.claimed(data)
    if claimed:
        characters_of = Characters(data)
        found += [Wrong(one.rule, characters_of.span(one.span) if same else None, one.confidence) for one in claimed]
    for reading in encoded.readings(read, data):
        sure = max((one.confidence for one in wording.said(reading.text)), default=0.0)
        if not sure and reading.telling:
            sure = 0.7
        if sure:
            found.append(Wrong(wording.RULE, reading.span if same else None, sure))
    return found


def _merged(said: list[wording.Said]) -> list[wording.Said]:
    """Make one of those that overlap: one sentence, which several rules found."""
    out: list[wording.Said] = []
    for one in sorted(said, key=lambda one: one.span):
        if out and one.span[0] < out[-1].span[1]:
            last = out[-1]
            end = max(last.span[1], one.span[1])
            out[-1] = last._replace(span=(last.span[0], end), confidence=max(last.confidence, one.confidence))
        else:
            out.append(one)
    return out


def _as_read(text: str, *, altered: bool) -> str:
    """Return a text as the model may take it: without what is hidden, look-alikes as what they look like."""
    read = text.replace("\u2019", "'") if "\u2019" in text else text
    if altered or names.has_style(text):
        read = characters.plain(read)
        pieces, at = [], 0
        for start, end in names.mixed_words(read):
            pieces += [read[at:start], names.alike(read[start:end])]
            at = end
        read = "".join([*pieces, read[at:]])
    return read


def stripped(text: str, strips: Callable[[Wrong], bool], *, content: bool) -> str:
    """Return a text without what is to be taken out of it.

    Of wording the whole sentence goes. Nothing is left that would have to be taken out: what shows only then goes too.
    """
    for _ in range(MOST_ROUNDS):
        found = [one for one in wrong(text, content=content) if strips(one)]
        if not found:
            return text
        characters_wrong = [one for one in found if one.rule in _CHARACTER_RULES]
        if characters_wrong:  # first, because they hide other things
            odd = [
                characters.Odd(one.rule, *one.span)
                for one in sorted(characters_wrong, key=lambda one: one.span or (0, 0))
                if one.span
            ]
            text = characters.without(text, odd)
            continue
        ends = [(match.start() + 1, match.end()) for match in _SENTENCE_ENDS.finditer(text)]
        text = _without_spans(text, [_widened(text, one, ends) for one in found])
    return ""


def _widened(text: str, one: Wrong, ends: list[tuple[int, int]]) -> tuple[int, int]:
    """Return what goes with something that goes: of wording the sentence, which stands between two of the ends."""
    if one.span is None:
        return 0, len(text)
    if one.rule != wording.RULE:
        return one.span
    start, end = one.span
    at = bisect_right(ends, start, key=lambda each: each[1])
    after = bisect_left(ends, end, key=lambda each: each[0])
    return ends[at - 1][1] if at else 0, ends[after][0] if after < len(ends) else len(text)


def _without_spans(text: str, spans: list[tuple[int, int]]) -> str:
    pieces, at = [], 0
    for start, end in sorted(spans):
        if end > at:
            pieces.append(text[at : max(start, at)])
            at = end
    return "".join([*pieces, text[at:]])
