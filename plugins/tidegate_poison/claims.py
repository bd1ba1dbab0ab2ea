"""What a tool says of itself that is against its user: it gives away what it shouldn't, or wants to be preferred.

Both are told from what a sentence is made of and not from how it is put: what is read or collected, and what becomes of
it. What features a sentence needs, ``claims.toml`` says.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import NamedTuple

from tidegate_poison.linear import Regex, Span

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

_ANY = _regex("|".join(_TREE["features"][first] for first in dict.fromkeys(claim.has[0] for claim in CLAIMS)))


def claimed(data: bytes) -> list[Claim]:
    """Return what the sentences of a text in UTF-8 say of their tool that is against its user."""
    found: list[Claim] = []
    start = 0
    if not _ANY.matches(data):
        return found
    for end in [*(match.end() for match in _ENDS.finditer(data)), len(data)]:
        for low in range(start, end, MOST):
            found += _said(data, (low, min(end, low + MOST)))
        start = end
    return found


def _said(data: bytes, span: Span) -> list[Claim]:
    """Return what one sentence says, of each class the surest."""
    if not _ANY.matches(data, *span):
        return []
    known: dict[str, bool] = {}

    def has(name: str) -> bool:
        if name not in known:
            known[name] = FEATURES[name].matches(data, *span)
        return known[name]

    found: dict[str, Claim] = {}
    for claim in CLAIMS:
        if claim.rule not in found and all(map(has, claim.has)) and not any(map(has, claim.unless)):
            found[claim.rule] = Claim(claim.rule, span, claim.confidence)
    return list(found.values())
