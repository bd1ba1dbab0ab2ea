"""Engines of others that look beside Tidegate's own rules, where the settings name them and they are installed.

Each is an adapter that gets texts and says where in them its rules match; all else, from disguises to redaction, is the
same as for Tidegate's own rules. A rule's id begins with its engine's name: ``detect-secrets:aws-access-key``.
"""

from __future__ import annotations

import math
import re
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tidegate_scan.not_secrets import is_placeholder

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

PACKAGES = {"detect-secrets": "detect_secrets", "kingfisher": "kingfisher_sdk"}
"""The engines there are adapters for, and the package each is in; an extra of Tidegate's of its name installs it."""


class Named(NamedTuple):
    """A rule of another engine."""

    id: str
    title: str
    confidence: float
    source: str


class Match(NamedTuple):
    """Where such a rule matches, in characters of the text."""

    rule: Named
    start: int
    end: int


class Finder(Protocol):
    """An engine: it is given texts, each of which may be several with U+0000 between them."""

    rules: Collection[Named]

    def find(self, text: str, until: float = math.inf) -> list[Match]:
        """Return what its rules find.

        Raises:
            OverBudget: where it takes longer than until then (time.monotonic).
        """
        ...


def rule_id(engine: str, name: str) -> str:
    """Return the id that a rule of an engine has here."""
    return f"{engine}:{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}"


def finders(names: Iterable[str], off: Callable[[str], bool], cache: Path | None) -> list[Finder]:
    """Make the engines that settings name.

    Args:
        names: of engines, from `PACKAGES`.
        off: whether the rule of an id is off.
        cache: a folder for what kingfisher compiles; it keeps nothing where there is none.

    Raises:
        ValueError: where one is not installed, or can't be used; one sentence.
    """
    made: list[Finder] = []
    for name in dict.fromkeys(names):
        if find_spec(PACKAGES[name]) is None:
            raise ValueError(f"engines names {name!r}, which isn't installed: pip install 'tidegate[{name}]'")
        adapter = import_module(f"tidegate_scan.foreign_{name.replace('-', '_')}")
        made.append(adapter.make(off, cache))
    return made


def kept(text: str, matches: Iterable[Match]) -> list[Match]:
    """Leave out what is a placeholder, and what is found twice."""
    return [each for each in dict.fromkeys(matches) if not is_placeholder(text[each.start : each.end])]
