"""What a tool says of itself that is against its user: it gives away what it shouldn't, or wants to be preferred.

Both are told from what a sentence is made of and not from how it is put: what is read or collected, and what becomes of
it. What features a sentence needs, ``claims.toml`` says.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import NamedTuple

import ahocorasick_rs

from tidegate_poison.linear import Regex, Span
from tidegate_poison.wording import SPACED, literal

_TREE = tomllib.loads(Path(__file__).with_name("claims.toml").read_text(encoding="utf-8"))


class Kind(NamedTuple):
    """One claim that a sentence can make; what the members mean, ``claims.toml`` says."""

    rule: str
    confidence: float
    has: tuple[str, ...]
    unless: tuple[str, ...]


CLAIMS = tuple(
    Kind(claim["class"], claim["confidence"], tuple(claim["has"]), tuple(claim.get("unless", ())))
    for claim in sorted(_TREE["claim"], key=lambda claim: -claim["confidence"])
)
"""All of them, the surest first."""

CLASSES = tuple(dict.fromkeys(claim.rule for claim in CLAIMS))
"""The classes of what is found here."""

MOST = 1500
"""Bytes of a sentence that are looked at together; a longer one is looked at in parts."""

_SPACE = r"[\s*]+"
_ENDS = re.compile(rb"[.!?;](?=\s)|\n\s*\n|\n\s*(?:[-*]|\d\.)\s")


class Claim(NamedTuple):
    """What a sentence says: its class, where it is in bytes, and how sure that is."""

    rule: str
    span: Span
    confidence: float


def _regex(text: str) -> Regex:
    for word, stands_for in _TREE["words"].items():
        text = text.replace(word, stands_for)
    return Regex("(?is)" + text.replace(" ?", r"[\s*]*").replace(" ", _SPACE), capture=False)


FEATURES = {name: _regex(text) for name, text in _TREE["features"].items()}
"""What claims are made of."""

_ANCHORED = [(literal(anchor), name) for name, anchors in _TREE["anchors"].items() for anchor in anchors]
_SEARCH = ahocorasick_rs.BytesAhoCorasick(
    [anchor for anchor, _ in _ANCHORED], implementation=ahocorasick_rs.Implementation.DFA
)


def claimed(data: bytes) -> list[Claim]:
    """Return what the sentences of a text in UTF-8 say of their tool that is against its user."""
    begun = _begun(data)
    if not begun:
        return []
    found: list[Claim] = []
    start = 0
    for end in [*(match.end() for match in _ENDS.finditer(data)), len(data)]:
        for low in range(start, end, MOST):
            found += _said(data, (low, min(end, low + MOST)), begun)
        start = end
    return found


def _begun(data: bytes) -> frozenset[str]:
    """Return which features that claims begin with a text has, tried only where one of their anchors is."""
    spaced = b" %b " % data.lower().translate(SPACED)
    matches = _SEARCH.find_matches_as_indexes(spaced, overlapping=True)
    if not matches:
        return frozenset()
    near = {_ANCHORED[index][1] for index, *_ in matches}
    return frozenset(name for name in near if FEATURES[name].matches(data))


def _said(data: bytes, span: Span, begun: frozenset[str]) -> list[Claim]:
    """Return what one sentence says, of each class the surest."""
    known: dict[str, bool] = {}

    def has(name: str) -> bool:
        if name not in known:
            known[name] = FEATURES[name].matches(data, *span)
        return known[name]

    found: dict[str, Claim] = {}
    for claim in CLAIMS:
        if (
            claim.has[0] in begun
            and claim.rule not in found
            and all(map(has, claim.has))
            and not any(map(has, claim.unless))
        ):
            found[claim.rule] = Claim(claim.rule, span, claim.confidence)
    return list(found.values())
