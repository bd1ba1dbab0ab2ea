"""``kingfisher-secret-scanner``, of which only the part that searches is loaded.

The package's own ``__init__`` brings what tries secrets at their issuers, and what revokes them. So the compiled module
is loaded by itself, and of that nothing but its rules and its scanner is touched: neither opens a connection.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from tidegate_scan.budget import OverBudget
from tidegate_scan.foreign import PACKAGES, Match, Named, kept, rule_id

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "kingfisher"
SOURCE = "https://github.com/mongodb/kingfisher"
CONFIDENCES = {"low": 0.5, "medium": 0.7, "high": 0.9}


@dataclass(frozen=True)
class _Policy:
    """What its scanner asks of its own class of policies: no comment may allow anything, disguises are undone here."""

    inline_ignores: bool = False
    ignore_comments: tuple[str, ...] = ()
    markup_context: bool = False
    language: str | None = None
    cli_match_semantics: bool = True
    base64_max_depth: int = 0
    base64_max_input_bytes: int | None = 0


@cache
def native() -> Any:
    """Load the compiled module of the package, and not the package.

    Raises:
        ValueError: where it isn't where it was in the versions that are known.
    """
    package = find_spec(PACKAGES[NAME])
    folders = package.submodule_search_locations if package is not None else None
    for folder in folders or ():
        for suffix in EXTENSION_SUFFIXES:
            path = Path(folder, f"_native{suffix}")
            if path.is_file():
                name = f"{PACKAGES[NAME]}._native"
                spec = spec_from_file_location(name, path, loader=ExtensionFileLoader(name, str(path)))
                if spec is not None and spec.loader is not None:
                    module = module_from_spec(spec)
                    spec.loader.exec_module(module)
                    return module
    raise ValueError("engines names 'kingfisher', of which the installed version can't be used")


class Kingfisher:
    """Its own rules of medium confidence and above. To compile them takes seconds, if no cache has them."""

    def __init__(self, off: Callable[[str], bool], cache_folder: Path | None) -> None:
        module = native()
        folder = None if cache_folder is None else str(cache_folder)
        rules = module.Rules([], True, "medium", cache=folder is not None, cache_dir=folder)  # noqa: FBT003 - built-ins
        self._scanner = module.Scanner(rules, False, False, False, None, policy=_Policy())  # noqa: FBT003 - base64, dedup, redact
        self.rules = [_named(each["id"], each["name"], "medium") for each in rules.metadata()]
        self._off = off

    def find(self, text: str, until: float = math.inf) -> list[Match]:
        """See `Finder.find`."""
        data = text.replace("\0", " ").encode("utf-8", "replace")
        left = until - monotonic()
        if left <= 0:
            raise OverBudget("a text would take too long to search")
        try:
            found = self._scanner.scan_bytes(data, timeout=None if math.isinf(left) else left)
        except TimeoutError:
            raise OverBudget("a text would take too long to search") from None
        return kept(text, [match for each in found if each.visible for match in self._matches(text, data, each)])

    def _matches(self, text: str, data: bytes, finding: Any) -> list[Match]:
        rule = _named(finding.rule_id, finding.rule_name, finding.confidence)
        if self._off(rule.id):
            return []
        start, end = finding.location["start_offset"], finding.location["end_offset"]
        if data[start:end].decode("utf-8", "replace") != finding.secret:
            # It says where in something else: all of the text is what is sure to hold it.
            return [Match(rule, 0, len(text))]
        begin = len(data[:start].decode("utf-8", "replace"))
        return [Match(rule, begin, begin + len(finding.secret))]


def _named(identity: str, title: str, confidence: str) -> Named:
    return Named(rule_id(NAME, identity), title, CONFIDENCES.get(confidence, 0.5), SOURCE)


def make(off: Callable[[str], bool], cache_folder: Path | None) -> Kingfisher:
    """Make the engine."""
    return Kingfisher(off, cache_folder)
