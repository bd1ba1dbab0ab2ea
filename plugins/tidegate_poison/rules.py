"""The rules for wording, as ``rules.toml`` has them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple


class Rule(NamedTuple):
    """One way to instruct a model; what the members mean, ``rules.toml`` says."""

    id: str
    confidence: float
    anchors: tuple[str, ...]
    regex: str
    near: tuple[str, ...]
    gate: str
    only: str


_TREE = tomllib.loads(Path(__file__).with_name("rules.toml").read_text(encoding="utf-8"))

WORDS: dict[str, str] = _TREE["words"]
"""What the names in capitals stand for."""

RULES = tuple(
    Rule(
        rule["id"],
        rule["confidence"],
        tuple(rule["anchors"]),
        rule["regex"],
        tuple(rule.get("near", ())),
        rule.get("gate", ""),
        rule.get("only", ""),
    )
    for rule in _TREE["rule"]
)
"""All of them, in the order of the file."""
