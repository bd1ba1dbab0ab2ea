"""Instructions to a model, found by their wording: anchors in one pass, and the rules only near them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import ahocorasick_rs

from tidegate_poison.linear import Characters, Regex, Span
from tidegate_poison.rules import RULES, WORDS, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable

RULE = "instruction"
WHOLE = 2000
"""Bytes up to which a text is looked at as a whole; of a longer one, what is near an anchor."""

NEAR = 240
"""Bytes around an anchor that a rule may reach."""

_GAP = re.compile(r" ?~(\d)")
_BETWEEN = r"[\s,\"'\x{2019}`*_(:\-]+(?:\S*[^\s.!?;]\s+[\"'`*_(]*){0,%d}?"


_BEFORE = 48  # bytes before a match in which a negation would be
_NEGATION = re.compile(rb"(?i)(?:\b(?:not|never|avoid|without)|n['\x92]?t|n\xe2\x80\x99t)\s(?:[a-z]+\s){0,1}\Z")
_CONDITION = re.compile(rb"(?i)\b(?:if|after|once|until|unless|when|whether|before)\s(?:[a-z]+\s){0,2}\Z")
_BEFORE_IT = {"UNNEG": _NEGATION, "UNCONDITIONED": _CONDITION}


class Said(NamedTuple):
    """A part of a text that reads like an instruction to a model: how it is put, where, and how sure that is."""

    way: str
    span: Span
    confidence: float


def _expanded(text: str) -> str:
    for word in sorted(WORDS, key=len, reverse=True):
        text = text.replace(word, WORDS[word])
    for word in sorted(WORDS, key=len, reverse=True):  # words within words
        text = text.replace(word, WORDS[word])
    text = _GAP.sub(lambda gap: _BETWEEN % int(gap[1]), text)
    return text.replace(" ?", r"\s*").replace(" ", r"\s+")


class _Compiled(NamedTuple):
    rule: Rule
    regex: Regex
    negated: re.Pattern[bytes] | None
    unless: bool
    gates: tuple[int, ...]


_GATES: dict[str, int] = {}  # regexes that are tried first, each once for all rules that have it


def _gate(text: str) -> int:
    return _GATES.setdefault(text, len(_GATES))


def _compiled(rule: Rule) -> _Compiled:
    text = _expanded(rule.regex.removeprefix("UNNEG").removeprefix("UNCONDITIONED"))
    return _Compiled(
        rule,
        Regex(f"(?is){text}"),
        negated=next((regex for mark, regex in _BEFORE_IT.items() if rule.regex.startswith(mark)), None),
        unless="?P<unless>" in text,
        gates=tuple(_gate(text) for text in ("|".join(map(re.escape, rule.near)), _expanded(rule.gate)) if text),
    )


_ALL = tuple(_compiled(rule) for rule in RULES)
_OPEN = [Regex(f"(?is){text}", capture=False) for text in _GATES]


def literal(anchor: str) -> bytes:
    """Return an anchor as it stands in a text whose words have single spaces around them."""
    start = " " if anchor[0].isascii() and anchor[0].isalnum() else ""
    return f"{start}{anchor.removesuffix('$')}{' ' if anchor.endswith('$') else ''}".encode()


class _Finder:
    """Finds in one pass where rules have to be tried; those that have the same anchors together."""

    def __init__(self, rules: Iterable[_Compiled]) -> None:
        families: dict[tuple[str, ...], list[_Compiled]] = {}
        for compiled in rules:
            families.setdefault(compiled.rule.anchors, []).append(compiled)
        self.families = tuple(families.values())
        anchors = tuple(dict.fromkeys(anchor for family in families for anchor in family))
        self._families_of = [[n for n, family in enumerate(families) if anchor in family] for anchor in anchors]
        self._search = ahocorasick_rs.BytesAhoCorasick(
            [literal(anchor) for anchor in anchors],
            matchkind=ahocorasick_rs.MatchKind.Standard,
            implementation=ahocorasick_rs.Implementation.DFA,
        )

    def near_anchors(self, lowered: bytes) -> dict[int, list[Span]]:
        """Return, by the families' numbers, where their rules have to be tried."""
        windows: dict[int, list[Span]] = {}
        size = len(lowered)
        spaced = b" %b " % lowered.translate(SPACED)
        for anchor, start, end in self._search.find_matches_as_indexes(spaced, overlapping=True):
            low, high = (max(0, start - NEAR), min(size, end + NEAR)) if size > WHOLE else (0, size)
            for family in self._families_of[anchor]:
                spans = windows.get(family)
                if spans is None:
                    windows[family] = [(low, high)]
                elif spans[-1][1] < low:
                    spans.append((low, high))
                elif spans[-1][1] < high:  # they are found in the order in which they end
                    spans[-1] = (spans[-1][0], high)
        return windows


_EVERYWHERE = _Finder(_ALL)
_IN_CONTENT = _Finder(compiled for compiled in _ALL if compiled.rule.only != "definitions")
SPACED = bytes(
    byte if byte >= 128 or chr(byte).isalnum() or chr(byte) in "_@~" else ord(" ") for byte in range(256)
).lower()
"""A table for `bytes.translate`: capitals become small, and what separates words a space."""


def said(text: str, *, content: bool = False) -> list[Said]:
    """Return what in a text of a definition, or of a result (``content``), reads like an instruction to a model."""
    finder = _IN_CONTENT if content else _EVERYWHERE
    data = text.encode(errors="replace")
    plain = text.isascii()
    lowered = data if plain else text.lower().encode(errors="replace")
    if len(lowered) != len(data):  # a letter whose small form is longer
        lowered = data
    found: list[Said] = []
    opened: dict[Span, dict[int, bool]] = {}
    for family, spans in finder.near_anchors(lowered).items():
        for span in spans:
            known = opened.setdefault(span, {})
            for compiled in finder.families[family]:
                if all(known[gate] if gate in known else _opens(gate, data, span, known) for gate in compiled.gates):
                    found += _tried(compiled, data, *span)
    if plain:
        return found
    characters = Characters(data)
    return [one._replace(span=characters.span(one.span)) for one in sorted(found, key=lambda one: one.span)]


def _opens(gate: int, data: bytes, span: Span, known: dict[int, bool]) -> bool:
    """Whether a regex that is tried first matches in a part of a text; asked once for all rules that have it."""
    known[gate] = _OPEN[gate].matches(data, *span)
    return known[gate]


def _tried(compiled: _Compiled, data: bytes, start: int, end: int) -> list[Said]:
    out = []
    for found in compiled.regex.within(data, start, end):
        low = found[0][0]
        if compiled.negated is not None and compiled.negated.search(data, max(0, low - _BEFORE), low):
            continue
        if not (compiled.unless and found[1][1] > found[1][0]):
            out.append(Said(compiled.rule.id, found[0], compiled.rule.confidence))
    return out
