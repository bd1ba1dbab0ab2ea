"""Where the families of negatives are gathered; each module of them adds its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugins.scan.corpus.making import lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

Content = str | dict[str, Any]
"""A text for any place of a message that holds one, or an object for those that hold one."""

FAMILIES: dict[str, Callable[[Random], Content]] = {}
"""Per family, what draws one."""


def family(make: Callable[[Random], Content]) -> Callable[[Random], Content]:
    """Add a family; its name is the function's, with hyphens."""
    FAMILIES[make.__name__.strip("_").replace("_", "-")] = make
    return make


def templates(name: str, *texts: str, repeat: tuple[int, int] = (1, 1)) -> None:
    """Add a family of texts in the corpus's template language, each repeated so many times, a line apart."""
    FAMILIES[name] = lambda random: lines(random, random.choice(texts), *repeat)
