"""The entries of ``secrets`` and ``pii`` in a settings file, for commands that read it without starting a proxy."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from tidegate_scan.config import PiiConfig, ScanConfig
from tidegate_scan.interceptors import shipped
from tidegate_scan.rules import PII, SECRETS
from tidegate_scan.rules import load as load_rules

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tidegate_scan.rules import Rule

_OF_THE_PROXY = frozenset({"use", "name", "required", "report_only", "deadline", "when"})
"""Keys of every ``[[interceptors]]`` entry, which the interceptor isn't given."""

Kind = TypeVar("Kind", bound=ScanConfig)


class EntryError(Exception):
    """The settings can't be used; the text is one sentence for the user."""


def parse(text: str, source: str) -> dict[str, Any]:
    """Return the tree of a settings file's text.

    Raises:
        EntryError: where it isn't TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise EntryError(f"{source}: isn't TOML: {error}") from None


def load(path: Path) -> str:
    """Return the text of a settings file.

    Raises:
        EntryError: where it can't be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:  # line ends stay as they are
            return file.read()
    except UnicodeDecodeError:
        raise EntryError(f"{path}: isn't UTF-8") from None
    except OSError as error:
        raise EntryError(f"{path}: can't be read: {error.strerror}") from None


def position(tree: dict[str, Any], use: str, name: str = "") -> int | None:
    """Return the index of the first entry with this ``use`` (and this name, if one is given) among the interceptors."""
    entries = tree.get("interceptors")
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict) and entry.get("use") == use and name in ("", entry.get("name", use)):
            return index
    return None


def config(model: type[Kind], tree: dict[str, Any], index: int, source: str) -> Kind:
    """Return an entry's own settings.

    Raises:
        EntryError: where they are wrong.
    """
    entry = tree["interceptors"][index]
    own = {key: value for key, value in entry.items() if key not in _OF_THE_PROXY}
    try:
        return model.model_validate(own)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, ("interceptors", index, *first["loc"])))
        said = first["msg"].removeprefix("Value error, ")
        raise EntryError(f"{source}: {where}: {said[:1].lower()}{said[1:]}") from None


def rules(config: ScanConfig, own: Sequence[Path] = ()) -> list[Rule]:
    """Return the rules that settings turn on.

    Args:
        config: the settings.
        own: files of further rules.

    Raises:
        RuleError: where those are wrong.
        ValueError: where one is there already; one sentence.
    """
    if isinstance(config, PiiConfig):
        found = [rule for rule in shipped("pii") if rule.group_name in config.detect]
    else:
        found = list(shipped("rules"))
    found = [rule for rule in found if not any(fnmatchcase(rule.id, glob) for glob in config.disable)]
    taken = {rule.id for rule in found}
    kind = PII if isinstance(config, PiiConfig) else SECRETS
    for rule in load_rules(own, check_examples=True, kind=kind):
        if rule.id in taken:
            raise ValueError(f"there is a rule {rule.id!r} already: give yours another id, or disable that one")
        found.append(rule)
    return found
