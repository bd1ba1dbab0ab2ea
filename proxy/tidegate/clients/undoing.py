"""Taking back what connecting changed, and nothing else, however the file was edited meanwhile.

Where nothing else has changed, the bytes from before are put back. Else the changed lines are, where the lines around
them are the same; else the changed values are. What somebody has changed since stays as it is, and is told.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate.clients import edits
from tidegate.clients.edits import Append, Drop, FileRefused, NotThere, Path, Set

if TYPE_CHECKING:
    from tidegate.clients.records import Changed

_GONE = object()


class Difference(NamedTuple):
    """A value that connecting changed: where, and what stood there before and after."""

    path: Path
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Undone:
    """What a file is to become.

    Attributes:
        data: its bytes; ``None`` for no file.
        kept: the places that were changed since, and stay as they are.
    """

    data: bytes | None
    kept: list[Path] = field(default_factory=list)


def undo(changed: Changed, now: bytes | None) -> Undone:
    """Return what a file is without the change.

    Args:
        changed: what was changed.
        now: the file's bytes today.

    Raises:
        FileRefused: where the file can't be read any more, or the change can't be taken back.
    """
    if now is None or now == changed.before:
        return Undone(now)
    if now == changed.after:
        return Undone(changed.before)
    spoken = edits.language(changed.format)
    try:
        text, before, after = now.decode(), (changed.before or b"").decode(), changed.after.decode()
    except UnicodeDecodeError:
        raise FileRefused("is not text in UTF-8 any more") from None
    tree = spoken.read(text)
    todo, kept = [], []
    for one in differences(spoken.read(before), spoken.read(after)):
        current = _at(tree, one.path)
        if current == one.after or (current is _GONE and one.after is _GONE):
            todo.append(one)
        elif current != one.before:
            kept.append(one.path)
    wanted = _reverted(tree, todo)
    by_lines = _by_lines(before, after, text)
    if by_lines is not None and not kept and _reads_as(spoken, by_lines, wanted):
        made = by_lines
    else:
        made = _by_values(changed, (before, text), todo)
    return Undone(made.encode(), kept)


def differences(before: Any, after: Any, path: Path = ()) -> list[Difference]:
    """Return where two trees differ, as deep down as can be.

    What holds the servers counts as empty where it wasn't there: others may have put some into it since.
    """
    if before == after:
        return []
    old, new = _named(before), _named(after)
    if len(path) <= 1 and new is not None and not _said(before):
        old = {}
    if old is None or new is None:
        return [Difference(path, before, after)]
    out: list[Difference] = []
    for key in [*old, *(key for key in new if key not in old)]:
        one, other = old.get(key, _GONE), new.get(key, _GONE)
        if other is _GONE or (one is _GONE and (path or _named(other) is None)):
            out.append(Difference((*path, key), one, other))
        else:
            out += differences(one, other, (*path, key))
    return out


def _said(value: Any) -> bool:
    return value is not _GONE and value not in (None, {}, [])


def _named(tree: Any) -> dict[str, Any] | None:
    """Return the members of an object, or of a list whose members have names."""
    if isinstance(tree, dict):
        return tree
    if isinstance(tree, list) and tree and all(isinstance(item, dict) and "name" in item for item in tree):
        return {str(item["name"]): item for item in tree}
    return None


def _at(tree: Any, path: Path) -> Any:
    try:
        return edits.value_at(tree, path)
    except LookupError:
        return _GONE


def _reverted(tree: Any, todo: list[Difference]) -> Any:
    tree = copy.deepcopy(tree)
    for one in todo:
        tree = edits.meant(tree, edit) if (edit := _edit(tree, one, None)) else tree
    return tree


def _edit(tree: Any, one: Difference, raw: str | None) -> edits.Edit | None:
    """Return the edit that takes a change back."""
    if one.before is _GONE:
        return Drop(one.path)
    holder = _at(tree, one.path[:-1])
    if isinstance(holder, list) and not edits.has(tree, one.path):
        return Append(one.path[:-1], one.before)
    return Set(one.path, one.before, raw)


def _reads_as(spoken: edits.Language, text: str, wanted: Any) -> bool:
    try:
        return edits.same(spoken.read(text), wanted)
    except FileRefused:
        return False


def _by_lines(before: str, after: str, now: str) -> str | None:
    """Return today's text with the changed lines as they were, or ``None`` where others have changed beside them."""
    old, new, current = (text.splitlines(keepends=True) for text in (before, after, now))
    same = SequenceMatcher(None, new, current, autojunk=False).get_matching_blocks()
    out, at = [], 0
    for kind, one, two, start, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        first, last = max(start - 1, 0), min(end + 1, len(new))
        block = next((block for block in same if block.a <= first and last <= block.a + block.size), None)
        if block is None:
            return None
        shift = block.b - block.a
        out += [*current[at : start + shift], *old[one:two]]
        at = end + shift
    return "".join([*out, *current[at:]])


def _by_values(changed: Changed, texts: tuple[str, str], todo: list[Difference]) -> str:
    """Return today's text with the changed values as they were."""
    before, text = texts
    spoken = edits.language(changed.format)
    for one in todo:
        edit = _edit(spoken.read(text), one, spoken.raw(before, one.path) if one.before is not _GONE else None)
        if edit is not None:
            text = edits.apply(changed.format, text, [edit])
        holder = one.path[:-1]
        if isinstance(edit, Drop) and holder and not edits.has(spoken.read(before), holder):
            try:
                if not edits.value_at(spoken.read(text), holder):
                    text = edits.apply(changed.format, text, [Drop(holder)])
            except (FileRefused, NotThere, LookupError):
                continue  # it stays, with nothing in it
    return text
