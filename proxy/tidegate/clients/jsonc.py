"""JSON with comments and trailing commas, changed in place: every byte that isn't meant stays as it is."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from tidegate.clients.edits import Append, Drop, Edit, NotReadable, NotThere, Path, Prefix, Set

_SPACE = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_REST_OF_LINE = re.compile(r"[ \t]*(?:/\*[^\n]*?\*/[ \t]*)*(?://[^\r\n]*)?(?=\r?\n|\Z)")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_PLAIN = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")
_DEEPEST = 100
_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Node:
    """A value: its span, what it says, and its members where it is an object or a list."""

    start: int
    end: int
    value: Any
    members: tuple[Member, ...] | None = None
    items: tuple[Node, ...] | None = None

    def member(self, key: str) -> Member | None:
        """Return the member of an object."""
        return next((member for member in self.members or () if member.key == key), None)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object: its key, where that begins, and its value."""

    key: str
    start: int
    node: Node


def read(text: str) -> Any:
    """Return what a text says; an empty one is an empty object.

    Raises:
        NotReadable: where it is not JSON, or has a key twice.
    """
    return _root(text).value


def raw(text: str, path: Path) -> str | None:
    """Return a value as it is written."""
    node = _root(text)
    for key in path:
        found = node.member(key)
        if found is None:
            return None
        node = found.node
    return text[node.start : node.end]


def edit(text: str, change: Edit) -> str:
    """Return the text with a change made.

    Raises:
        NotThere: where the place isn't there.
        NotReadable: where the text isn't JSON.
    """
    root = _root(text)
    if root.end == root.start:  # nothing but space
        text += f"{{{_eol(text)}}}{_eol(text)}"
        root = _root(text)
    if isinstance(change, Append):
        raise NotThere("no client of this format has a list")
    holder, missing = _walk(root, change.path)
    if isinstance(change, Set):
        if not missing:
            return _replaced(text, root, change)
        value: Any = change.value
        for key in reversed(missing[1:]):
            value = {key: value}
        if holder.members is None:
            raise NotThere(missing[0])
        return _inserted(text, root, holder, missing[0], (value, change.raw if len(missing) == 1 else None))
    if missing:
        raise NotThere(missing[0])
    if isinstance(change, Prefix):
        return _prefixed(text, holder, change.words)
    parent, _ = _walk(root, change.path[:-1])
    return _dropped(text, parent, change)


def _walk(root: Node, path: Path) -> tuple[Node, Path]:
    """Return the last node there is on a way, and the keys that are missing from there."""
    node = root
    for index, key in enumerate(path):
        found = node.member(key)
        if found is None:
            return node, path[index:]
        node = found.node
    return node, ()


# -- reading ------------------------------------------------------------------------------------------------


def _root(text: str) -> Node:
    start = _skip(text, 1 if text.startswith("\ufeff") else 0)
    if start == len(text):
        return Node(start, start, {})
    node = _node(text, start, 0)
    if _skip(text, node.end) != len(text):
        _refuse(text, node.end)
    if node.members is None:
        raise NotReadable("is no JSON object, so it is no configuration of this client")
    return node


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _refuse(text: str, at: int) -> NoReturn:
    raise NotReadable(f"is not JSON: see its line {text.count(chr(10), 0, at) + 1}")


def _node(text: str, at: int, depth: int) -> Node:
    if depth > _DEEPEST:
        raise NotReadable("is nested too deep to be changed here")
    char = text[at : at + 1]
    if char == "{":
        return _object(text, at, depth)
    if char == "[":
        return _list(text, at, depth)
    found = _STRING.match(text, at) or _PLAIN.match(text, at)
    if not found:
        _refuse(text, at)
    try:
        return Node(at, found.end(), json.loads(found[0]))
    except ValueError:
        _refuse(text, at)


def _object(text: str, start: int, depth: int) -> Node:
    members: list[Member] = []
    at = _skip(text, start + 1)
    while text[at : at + 1] != "}":
        key = _STRING.match(text, at)
        colon = _skip(text, key.end()) if key else at
        if not key or text[colon : colon + 1] != ":":
            _refuse(text, at)
        name = _node(text, at, depth).value
        if any(member.key == name for member in members):
            raise NotReadable(f"has the key {name!r} twice in one object; keep one")
        node = _node(text, _skip(text, colon + 1), depth + 1)
        members.append(Member(name, at, node))
        at = _after(text, node.end, "}")
    return Node(start, at + 1, {member.key: member.node.value for member in members}, members=tuple(members))


def _list(text: str, start: int, depth: int) -> Node:
    items: list[Node] = []
    at = _skip(text, start + 1)
    while text[at : at + 1] != "]":
        items.append(_node(text, at, depth + 1))
        at = _after(text, items[-1].end, "]")
    return Node(start, at + 1, [item.value for item in items], items=tuple(items))


def _after(text: str, at: int, closing: str) -> int:
    """Return where the next member begins, or where the closing bracket is."""
    at = _skip(text, at)
    if text[at : at + 1] == ",":
        return _skip(text, at + 1)
    if text[at : at + 1] != closing:
        _refuse(text, at)
    return at


# -- writing ------------------------------------------------------------------------------------------------


def _replaced(text: str, root: Node, change: Set) -> str:
    node, _ = _walk(root, change.path)
    if change.raw is not None:
        return text[: node.start] + change.raw + text[node.end :]
    written = _written(change.value, _Layout(_eol(text), _unit(text, root), _indent(text, node.start)))
    return text[: node.start] + written + text[node.end :]


def _prefixed(text: str, node: Node, words: tuple[str, ...]) -> str:
    if not node.items:
        raise NotThere("the list is empty")
    first = node.items[0].start
    before = text[: node.items[0].start].rpartition("\n")[2]
    gap = _eol(text) + before if before.strip() == "" and node.start < first - len(before) else " "
    return text[:first] + ", ".join(_string(word) for word in words) + "," + gap + text[first:]


def _inserted(text: str, root: Node, holder: Node, key: str, value: tuple[Any, str | None]) -> str:
    """Return the text with a member added to an object, as its last."""
    eol, unit = _eol(text), _unit(text, root)
    own = _indent(text, holder.start)
    members = holder.members or ()
    inner = _first_indent(text, holder)
    indent = inner if inner is not None else own + unit
    one_line = bool(members) and inner is None
    said = value[1]
    if said is None:
        said = json.dumps(value[0], ensure_ascii=False) if one_line else _written(value[0], _Layout(eol, unit, indent))
    entry = f"{_string(key)}: {said}"
    if not members:
        return _first(text, holder, entry, (eol, indent, own))
    last = members[-1].node.end
    comma = _skip(text, last)
    trailing = text[comma] == ","
    at = comma + 1 if trailing else last
    rest = _REST_OF_LINE.match(text, at)
    if one_line or rest is None or rest.end() > holder.end:
        return text[:at] + ("" if trailing else ",") + f" {entry}" + text[at:]
    put = f"{eol}{indent}{entry}{',' if trailing else ''}"
    return text[:at] + ("" if trailing else ",") + text[at : rest.end()] + put + text[rest.end() :]


def _first(text: str, holder: Node, entry: str, layout: tuple[str, str, str]) -> str:
    """Return the text with the first member put into an object, which may have comments in it."""
    eol, indent, own = layout
    close = holder.end - 1
    inside = text[holder.start + 1 : close]
    if not inside.strip():
        return f"{text[: holder.start + 1]}{eol}{indent}{entry}{eol}{own}{text[close:]}"
    line = inside.rpartition("\n")
    if line[1] and not line[2].strip():
        at = close - len(line[2])
        return f"{text[:at]}{indent}{entry}{eol}{text[at:]}"
    return f"{text[:close].rstrip(' ')}{eol}{indent}{entry}{eol}{own}{text[close:]}"


def _dropped(text: str, holder: Node, change: Drop) -> str:
    members = holder.members or ()
    index = next(index for index, member in enumerate(members) if member.key == change.path[-1])
    member = members[index]
    comma = _skip(text, member.node.end)
    has_comma = text[comma] == ","
    end = comma + 1 if has_comma else member.node.end
    start = member.start
    line = text[:start].rpartition("\n")
    rest = _REST_OF_LINE.match(text, end)
    if line[1] and not line[2].strip() and rest is not None:
        start, end = len(line[0]) - (1 if line[0].endswith("\r") else 0), rest.end()
    elif has_comma:
        end += len(text[end:]) - len(text[end:].lstrip(" \t"))
    if has_comma or index == 0:
        return text[:start] + text[end:]
    before = _skip(text, members[index - 1].node.end)  # the comma that nothing comes after any more
    if start <= before or not text[before + 1 : start].strip(" \t"):
        start = before + 1
    return text[:before] + text[before + 1 : start] + text[end:]


@dataclass(frozen=True, slots=True)
class _Layout:
    eol: str
    unit: str
    indent: str

    def deeper(self) -> _Layout:
        return _Layout(self.eol, self.unit, self.indent + self.unit)


def _written(value: Any, layout: _Layout) -> str:
    """Return a value, an object's members on lines of their own, a list on one where it fits."""
    if isinstance(value, dict) and value:
        inner = layout.deeper()
        lines = [f"{inner.indent}{_string(key)}: {_written(item, inner)}" for key, item in value.items()]
        return "{" + layout.eol + f",{layout.eol}".join(lines) + f"{layout.eol}{layout.indent}" + "}"
    if isinstance(value, list) and value:
        on_one = "[" + ", ".join(_written(item, layout) for item in value) + "]"
        if "\n" not in on_one and len(layout.indent + on_one) <= _WIDTH:
            return on_one
        inner = layout.deeper()
        lines = [f"{inner.indent}{_written(item, inner)}" for item in value]
        return "[" + layout.eol + f",{layout.eol}".join(lines) + f"{layout.eol}{layout.indent}]"
    return json.dumps(value, ensure_ascii=False)


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _eol(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _indent(text: str, at: int) -> str:
    """Return the white space that the line of a place begins with."""
    line = text[:at].rpartition("\n")[2].removeprefix("\ufeff")
    return line[: len(line) - len(line.lstrip(" \t"))]


def _first_indent(text: str, holder: Node) -> str | None:
    """Return what the line of an object's first member begins with, where that is a line of its own."""
    if not holder.members:
        return None
    line = text[: holder.members[0].start].rpartition("\n")
    between = len(line[0]) >= holder.start
    return line[2] if line[1] and between and not line[2].strip() else None


def _unit(text: str, root: Node) -> str:
    """Return what one level of a text is indented by."""
    return _first_indent(text, root) or "  "
