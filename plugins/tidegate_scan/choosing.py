"""Which rules settings turn on: those that ship, and an operator's own."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tidegate_scan import foreign
from tidegate_scan.config import PiiConfig, SecretsConfig
from tidegate_scan.rules import PII, SECRETS, load
from tidegate_scan.scanner import BUDGET, HELD

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidegate_scan.config import ScanConfig
    from tidegate_scan.foreign import Finder
    from tidegate_scan.rules import Rule

HERE = Path(__file__).parent


class Chosen(NamedTuple):
    """The rules that are on: of those that ship, and of the operator's own; and the engines of others."""

    shipped: list[Rule]
    own: list[Rule]
    beside: list[Finder]


@cache
def shipped(folder: str) -> tuple[Rule, ...]:
    """Return the rules that ship in a folder of this package, ``rules`` or ``pii``."""
    return tuple(load(sorted((HERE / folder).glob("*.toml")), kind=PII if folder == "pii" else SECRETS, tested=True))


def chosen(config: ScanConfig, files: Iterable[Path], folder: Path, off: Iterable[str] = ()) -> Chosen:
    """Return the rules that settings turn on.

    Args:
        config: the settings.
        files: the operator's own rules; those are tried on their examples, because no test has seen them.
        folder: where paths of the settings start.
        off: globs of ids of rules of other engines that are off, besides those of the settings.

    Raises:
        RuleError: where a rule of those files is wrong.
        ValueError: where one has the id of another, or the settings name what isn't there or isn't installed; one
            sentence.
    """
    pii = isinstance(config, PiiConfig)
    every = shipped("pii" if pii else "rules")
    own = load(files, check_examples=True, kind=PII if pii else SECRETS)
    beside = _beside(config, folder, (*config.disable, *off))
    named = [rule.id for rule in (*every, *own)]
    _check_named(config, [*named, *(rule.id for finder in beside for rule in finder.rules)])
    if isinstance(config, PiiConfig):
        groups = {rule.group_name for rule in every}
        for name in config.detect:
            if name not in groups:
                raise ValueError(f"detect names {name!r}, which isn't known (there are: {', '.join(sorted(groups))})")
        every = tuple(rule for rule in every if rule.group_name in config.detect)
    kept = [rule for rule in every if not fits(config.disable, rule.id)]
    taken = {rule.id for rule in kept}
    for rule in own:
        if rule.id in taken:
            raise ValueError(f"there is a rule {rule.id!r} already: give yours another id, or disable that one")
    return Chosen(kept, own, beside)


def _beside(config: ScanConfig, folder: Path, off: tuple[str, ...]) -> list[Finder]:
    if not isinstance(config, SecretsConfig) or not config.engines:
        return []
    cache_folder = None if config.engine_cache is None else folder / config.engine_cache
    return foreign.finders(config.engines, lambda name: fits(off, name), cache_folder)


def _check_named(config: ScanConfig, known: Iterable[str]) -> None:
    """Refuse settings that name rules which aren't there: misspelt, they would do nothing unnoticed."""
    known = {*known, HELD, BUDGET}
    for globs in (config.disable, *(each.rules for each in config.overrides), *(each.rules for each in config.allow)):
        for glob in globs:
            if not any(fnmatchcase(name, glob) for name in known):
                raise ValueError(f"there is no rule {glob!r}")


def fits(globs: Iterable[str], name: str) -> bool:
    """Whether a name fits one of some globs."""
    return any(fnmatchcase(name, glob) for glob in globs)
