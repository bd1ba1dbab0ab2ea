"""Changes of a configuration file: what they are, and that each means what it should and nothing else.

A file is changed as text, so that whatever isn't meant stays as it is to the byte. Whatever was made is read again and
held against the tree that it should be.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Path = tuple[str, ...]
"""Keys from the top; in a list, the ``name`` of one of its members."""

Format = Literal["json", "toml", "yaml"]


class FileRefused(Exception):  # noqa: N818 - it ends a command, and reads as one
    """A file can't be read or changed; the text goes on from the file's name and makes one sentence."""


@dataclass(frozen=True, slots=True)
class Set:
    """Put a value at a place, with what is missing on the way there.

    Attributes:
        path: the place.
        value: what is to stand there.
        raw: the value as it was written once, for formats that keep that; or ``None``.
    """

    path: Path
    value: Any
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    """Take what stands at a place away."""

    path: Path


@dataclass(frozen=True, slots=True)
class Prefix:
    """Put strings before those of a list that has some."""

    path: Path
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Append:
    """Put a member, with its ``name``, at the end of a list, which is made where it is missing."""

    path: Path
    value: dict[str, Any]


Edit = Set | Drop | Prefix | Append


class Language(Protocol):
    """A format: reading a text, and making an edit in it."""

    def read(self, text: str) -> Any:
        """Return what a text says."""

    def edit(self, text: str, edit: Edit) -> str:
        """Return the text with a change made."""

    def raw(self, text: str, path: Path) -> str | None:
        """Return a value as it is written, where the format can put that back."""


def language(kind: Format) -> Language:
    """Return a format's module."""
    from tidegate.clients import jsonc, tomls, yamls  # noqa: PLC0415 - each imports this one

    return {"json": jsonc, "toml": tomls, "yaml": yamls}[kind]


def apply(kind: Format, text: str, edits: list[Edit]) -> str:
    """Return a text with changes made, one after the other.

    Raises:
        FileRefused: where it isn't readable, or a change can't be made without touching anything else.
    """
    spoken = language(kind)
    for edit in edits:
        tree = spoken.read(text)
        try:
            wanted = meant(tree, edit)
            made = spoken.edit(text, edit)
            well = same(spoken.read(made), wanted)
        except (FileRefused, LookupError, TypeError) as error:
            if isinstance(error, FileRefused) and not isinstance(error, NotReadable):
                raise
            well = False
        if not well:
            raise FileRefused("is written in a way that can't be changed here without touching more; change it by hand")
        text = made
    return text


class NotThere(LookupError):  # noqa: N818 - it is caught here, and reads as one
    """A place isn't there, or is written in a way that isn't known here."""


class NotReadable(FileRefused):
    """A text isn't of its format."""


def value_at(tree: Any, path: Path) -> Any:
    """Return what stands at a place.

    Raises:
        NotThere: where nothing does.
    """
    for key in path:
        tree = tree[_step(tree, key)]
    return tree


def has(tree: Any, path: Path) -> bool:
    """Whether anything stands at a place."""
    try:
        value_at(tree, path)
    except LookupError:
        return False
    return True


def _step(tree: Any, key: str) -> Any:
    """Return the key or index by which a step goes down.

    Raises:
        NotThere: where there is none.
    """
    if isinstance(tree, dict) and key in tree:
        return key
    if isinstance(tree, list):
        for index, item in enumerate(tree):
            if isinstance(item, dict) and item.get("name") == key:
                return index
    raise NotThere(key)


def meant(tree: Any, edit: Edit) -> Any:
    """Return the tree that a change should make."""
    tree = copy.deepcopy(tree) if tree is not None else {}
    if isinstance(edit, Drop):
        holder = value_at(tree, edit.path[:-1])
        del holder[_step(holder, edit.path[-1])]
        return tree
    if isinstance(edit, Prefix):
        value_at(tree, edit.path)[:0] = edit.words
        return tree
    holder = tree
    for key in edit.path[:-1]:
        if isinstance(holder, dict) and holder.get(key) is None:
            holder[key] = {}
        holder = holder[_step(holder, key)]
    last = edit.path[-1]
    if isinstance(edit, Append):
        holder[last] = [*(holder.get(last) or []), edit.value]
    elif isinstance(holder, list):
        holder[_step(holder, last)] = edit.value
    else:
        holder[last] = edit.value
    return tree


def same(one: Any, other: Any) -> bool:
    """Whether two trees say the same."""
    return bool(_bare(one) == _bare(other))


def _bare(tree: Any) -> Any:
    """Return a tree without what is empty: formats differ in how an empty table or list can be written at all."""
    if isinstance(tree, dict):
        kept = {key: _bare(item) for key, item in tree.items()}
        return {key: item for key, item in kept.items() if item not in (None, {}, [])} or None
    if isinstance(tree, list):
        return [_bare(item) for item in tree] or None
    return tree
