"""YAML, changed in place: every byte that isn't meant stays as it is.

PyYAML's nodes say where each value stands; what is put in is written in the style of what is around it. YAML is read by
version 1.2's core schema, as clients do: ``on`` and ``yes`` are words.
"""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from tidegate.clients.edits import Append, Drop, Edit, NotReadable, NotThere, Path, Prefix, Set

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@-]*")
_REST_OF_LINE = re.compile(r"[^\n]*\n?")
_MOST_VALUES = 2_000_000
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


class _Loader(yaml.SafeLoader):
    """Version 1.2's core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own name


class _Reader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # libyaml's, ten times as fast, where it is there
    """The same, and no key twice."""

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's own
        """Return a mapping's members, each key but once."""
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise NotReadable(f"has the key {key.value!r} twice in one mapping; keep one")
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("merge", r"<<", "<"),
):
    for _char in _first:
        _found = _Loader.yaml_implicit_resolvers.setdefault("" if _char == "\0" else _char, [])
        _found.append((f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$")))


def read(text: str) -> Any:
    """Return what a text says; an empty one is an empty mapping.

    Raises:
        NotReadable: where it isn't YAML, has several documents, or a key twice.
    """
    try:
        tree = yaml.load(text, Loader=_Reader)  # noqa: S506 - it is a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        said = f"is not YAML{f': see its line {mark.line + 1}' if mark else ''}"
        tree = None
    except (RecursionError, ValueError, TypeError):
        said, tree = "is not YAML that can be read here", None
    else:
        said = ""
    if said:
        raise NotReadable(said)
    if tree is not None and not isinstance(tree, dict):
        raise NotReadable("is no mapping, so it is no configuration of this client")
    return _unshared(tree or {}, [_MOST_VALUES])


def _unshared(tree: Any, left: list[int]) -> Any:
    """Return a tree in which no part stands twice, as an alias's would: a change at one place is none at another."""
    left[0] -= 1
    if left[0] < 0:
        raise NotReadable("says too much to be read here")
    if isinstance(tree, dict):
        return {key: _unshared(item, left) for key, item in tree.items()}
    if isinstance(tree, list):
        return [_unshared(item, left) for item in tree]
    return tree


def raw(text: str, path: Path) -> None:
    """Return nothing: what a value looks like depends on where it stands."""
    del text, path


def edit(text: str, change: Edit) -> str:
    """Return the text with a change made.

    Raises:
        NotThere: where the place isn't there, or is written in a way that isn't known here.
    """
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError:  # libyaml reads some texts that this parser doesn't
        raise NotThere("its values") from None
    if root is None:
        if isinstance(change, Drop | Prefix):
            raise NotThere(change.path[0])
        return _ended(text) + _block(_nested(change, change.path), 0, _eol(text))
    node, missing = _walk(root, change.path)
    if isinstance(change, Drop):
        if missing:
            raise NotThere(missing[0])
        return _dropped(text, _walk(root, change.path[:-1])[0], change.path[-1])
    if isinstance(change, Prefix):
        if missing:
            raise NotThere(missing[0])
        return _prefixed(text, node, change.words)
    if missing:
        return _added(text, node, _nested(change, missing), key_of=_key_of(root, change.path, missing))
    if isinstance(change, Append):
        return _appended(text, node, change, _key_of(root, change.path, ()))
    return _replaced(text, node, change.value)


def _nested(change: Set | Append, path: Path) -> dict[str, Any]:
    value: Any = [change.value] if isinstance(change, Append) else change.value
    for key in reversed(path):
        value = {key: value}
    made: dict[str, Any] = value
    return made


def _walk(root: yaml.Node, path: Path) -> tuple[yaml.Node, Path]:
    """Return the last node there is on a way, and the keys that are missing from there."""
    node = root
    for index, key in enumerate(path):
        found = _below(node, key)
        if found is None:
            return node, path[index:]
        node = found[1]
    return node, ()


def _below(node: yaml.Node, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    """Return a member's key and value; of a list, the member of that name, twice."""
    if isinstance(node, yaml.MappingNode):
        return next(((name, value) for name, value in node.value if name.value == key), None)
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            name = _below(item, "name") if isinstance(item, yaml.MappingNode) else None
            if name is not None and name[1].value == key:
                return item, item
    return None


def _key_of(root: yaml.Node, path: Path, missing: Path) -> yaml.Node | None:
    """Return the key of the last node there is on a way."""
    there = path[: len(path) - len(missing)]
    if not there:
        return None
    found = _below(_walk(root, there[:-1])[0], there[-1])
    return found[0] if found else None


# -- where things end ---------------------------------------------------------------------------------------


def _tail(text: str, node: yaml.Node) -> int:
    """Return where a value's last character is; a collection's mark may lie behind comments."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _tail(text, last[1] if isinstance(last, tuple) else last)
    start = node.start_mark.index
    return int(start) + len(text[start : node.end_mark.index].rstrip())


def _line_end(text: str, at: int) -> int:
    found = _REST_OF_LINE.match(text, at)
    return found.end() if found else at


def _eol(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else text + _eol(text)


# -- writing ------------------------------------------------------------------------------------------------


def _scalar(value: Any) -> str:
    """Return a value on one line; JSON is YAML."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _block(value: dict[str, Any], indent: int, eol: str) -> str:
    """Return a mapping's members on lines of their own."""
    lines = []
    for key, item in value.items():
        head = f"{' ' * indent}{_scalar(key)}:"
        if isinstance(item, dict) and item:
            lines.append(head + eol + _block(item, indent + 2, eol))
        elif isinstance(item, list) and item and isinstance(item[0], dict):
            lines.append(head + eol + "".join(_item(member, indent + 2, eol) for member in item))
        else:
            lines.append(f"{head} {_scalar(item)}{eol}")
    return "".join(lines)


def _item(member: dict[str, Any], indent: int, eol: str) -> str:
    written = _block(member, indent + 2, eol)
    return f"{' ' * indent}- {written[indent + 2 :]}"


def _added(text: str, node: yaml.Node, value: dict[str, Any], key_of: yaml.Node | None) -> str:
    """Return the text with a member added to a mapping, as its last."""
    eol = _eol(text)
    empty = isinstance(node, yaml.CollectionNode) and not node.value
    if isinstance(node, yaml.ScalarNode) or empty:
        if key_of is None:  # the document is `{}` or null
            if not isinstance(node, yaml.MappingNode):
                raise NotThere("a mapping")
            start, end = node.start_mark.index, node.end_mark.index
            return text[:start] + _block(value, 0, eol).rstrip() + text[end:]
        return _filled(text, key_of, node, _block(value, key_of.start_mark.column + 2, eol))
    if not isinstance(node, yaml.MappingNode):
        raise NotThere("a mapping")
    if node.flow_style:
        at = _tail(text, node.value[-1][1])
        name, member = next(iter(value.items()))
        return f"{text[:at]}, {_scalar(name)}: {json.dumps(member, ensure_ascii=False)}{text[at:]}"
    at = _line_end(text, _tail(text, node))
    return _ended(text[:at]) + _block(value, node.value[0][0].start_mark.column, eol) + text[at:]


def _filled(text: str, key: yaml.Node, node: yaml.Node, block: str) -> str:
    """Return the text with a block in the place of an empty value, which a comment may follow."""
    start, end = node.start_mark.index, node.end_mark.index
    if isinstance(node, yaml.ScalarNode) and node.value not in ("", "~", "null"):
        raise NotThere(key.value)
    if start == end:  # nothing is written there
        start = end = text.index(":", key.end_mark.index) + 1
    head = text[:start].rstrip(" ")
    text = head + text[end:]
    at = _line_end(text, len(head))
    return _ended(text[:at]) + block + text[at:]


def _appended(text: str, node: yaml.Node, change: Append, key: yaml.Node | None) -> str:
    """Return the text with a member added to a list, as its last."""
    eol = _eol(text)
    if key is not None and (isinstance(node, yaml.ScalarNode) or not node.value):
        return _filled(text, key, node, _item(change.value, key.start_mark.column + 2, eol))
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        raise NotThere(change.path[-1])
    if node.flow_style:
        at = _tail(text, node.value[-1])
        return f"{text[:at]}, {json.dumps(change.value, ensure_ascii=False)}{text[at:]}"
    at = _line_end(text, _tail(text, node))
    return _ended(text[:at]) + _item(change.value, node.start_mark.column, eol) + text[at:]


def _prefixed(text: str, node: yaml.Node, words: tuple[str, ...]) -> str:
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        raise NotThere("a list")
    start = node.value[0].start_mark.index
    if node.flow_style:
        return text[:start] + "".join(f"{json.dumps(word, ensure_ascii=False)}, " for word in words) + text[start:]
    at, margin = node.start_mark.index, " " * node.start_mark.column
    put = "".join(f"- {_scalar(word)}{_eol(text)}{margin}" for word in words)
    return text[:at] + put + text[at:]


def _replaced(text: str, node: yaml.Node, value: Any) -> str:
    """Return the text with another value in the place of one, on one line."""
    start, end = node.start_mark.index, _tail(text, node)
    if start == end:
        raise NotThere("nothing is written there")
    written = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else _scalar(value)
    return text[:start] + written + text[end:]


def _dropped(text: str, holder: yaml.Node, key: str) -> str:
    found = _below(holder, key)
    if found is None or not isinstance(holder, yaml.CollectionNode):
        raise NotThere(key)
    name, value = found
    end = _tail(text, value)
    if holder.flow_style:
        return _out_of_flow(text, holder, name, end)
    line = text[: name.start_mark.index].rpartition("\n")
    start = len(line[0]) + len(line[1])
    if len(holder.value) == 1 and isinstance(holder, yaml.MappingNode) and line[2].strip():
        raise NotThere(key)  # "- key: value": its line has more on it
    if isinstance(holder, yaml.MappingNode) and line[2].strip():
        raise NotThere(key)
    return text[:start] + text[_line_end(text, end) :]


def _out_of_flow(text: str, holder: yaml.CollectionNode, name: yaml.Node, end: int) -> str:
    starts = [(item[0] if isinstance(item, tuple) else item).start_mark.index for item in holder.value]
    index = starts.index(name.start_mark.index)
    if index + 1 < len(starts):
        return text[: starts[index]] + text[starts[index + 1] :]
    if index:
        before = holder.value[index - 1]
        return text[: _tail(text, before[1] if isinstance(before, tuple) else before)] + text[end:]
    return text[: starts[0]] + text[end:]
