"""The entries of ``secrets`` and ``pii`` in a settings file, for commands that read it without starting a proxy."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from tidegate_scan.config import ScanConfig

if TYPE_CHECKING:
    from pathlib import Path

_OF_THE_PROXY = frozenset({"use", "name", "required", "report_only", "deadline", "when"})
"""Keys of every ``[[interceptors]]`` entry, which the interceptor isn't given."""

MARK = "\ufeff"
"""The mark that some editors put at the beginning of a file in UTF-8."""

Kind = TypeVar("Kind", bound=ScanConfig)


class EntryError(Exception):
    """The settings can't be used; the text is one sentence for the user."""


def parse(text: str, source: str) -> dict[str, Any]:
    """Return the tree of a settings file's text.

    Raises:
        EntryError: where it isn't TOML.
    """
    try:
        return tomllib.loads(text.removeprefix(MARK))
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
