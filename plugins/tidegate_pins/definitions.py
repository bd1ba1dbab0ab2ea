"""What a server says of itself and of what it offers: its definitions, their digests by part, and how two differ."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import orjson

from tidegate_pins import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Kind = Literal["server", "tool", "prompt", "resource", "template"]
KINDS: tuple[Kind, ...] = get_args(Kind)

NAMED_BY: Final = {"tool": "name", "prompt": "name", "resource": "uri", "template": "uriTemplate"}
"""Per kind of listed item, the member that names it."""

Class = Literal[
    "new",
    "typo",
    "wording",
    "address",
    "instruction",
    "schema",
    "annotations",
    "name",
    "server",
    "other",
    "removed",
]
"""How a definition differs from what is pinned."""

TELLS: Final[dict[str, str]] = {
    "new": "it is new",
    "typo": "a word of its description",
    "wording": "its description",
    "address": "an address in its text",
    "instruction": "an instruction in its text",
    "schema": "its schema",
    "annotations": "its annotations",
    "name": "its name: it is a copy of another",
    "server": "the server's instructions",
    "other": "other members",
    "removed": "it is no longer listed",
    "limit": "it can't be kept",
}
"""Per class, what changed, in words for people."""

_WORDING = frozenset(("title", "description"))
_SCHEMA = frozenset(("inputSchema", "outputSchema", "arguments", "mimeType"))
_NAMES = frozenset(("name", "uri", "uriTemplate"))
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]{5,15}(?:Z|[+-]\d\d:\d\d)")
_LETTERS = 20  # of the shortest description by which a copy is recognised


def encoded(value: Any) -> bytes:
    """Return the bytes of a JSON value, quickly; for what orjson can't say, slowly."""
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()


def canonical(value: Any) -> bytes:
    """Return the canonical bytes of a JSON value: keys in order, no white space."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value's canonical bytes."""
    return hashlib.sha256(canonical(value)).hexdigest()


_NOTHING = digest({})


def steady(kind: Kind, item: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is pinned of an item: all but what changes with a resource's content, its size and time."""
    kept = dict(item)
    if kind == "resource":
        if type(kept.get("size")) is int:
            del kept["size"]
        notes = kept.get("annotations")
        modified = notes.get("lastModified") if isinstance(notes, dict) else None
        if isinstance(notes, dict) and isinstance(modified, str) and _TIME.fullmatch(modified):
            kept["annotations"] = {key: value for key, value in notes.items() if key != "lastModified"}
    return kept


def parts(kind: Kind, item: Mapping[str, Any]) -> dict[str, str]:
    """Return the digest of each part of a definition: ``wording``, ``schema``, ``annotations`` and ``other``."""
    sorted_out: dict[str, dict[str, Any]] = {"wording": {}, "schema": {}, "annotations": {}, "other": {}}
    for key, value in item.items():
        sorted_out[_part(kind, key)][key] = value
    return {name: digest(members) if members else _NOTHING for name, members in sorted_out.items()}


def _part(kind: Kind, key: str) -> str:
    if key in _WORDING or kind == "server":
        return "wording"
    if key in _SCHEMA:
        return "schema"
    return "annotations" if key == "annotations" else "other"


def content(kind: Kind, item: Mapping[str, Any]) -> str:
    """Return the digest by which a renamed copy is recognised; ``""`` for what says too little of itself."""
    said = item.get("description")
    if kind not in ("tool", "prompt") or not isinstance(said, str) or len(said) < _LETTERS:
        return ""
    shown = {"description": words.plain(said), "schema": {key: item.get(key) for key in sorted(_SCHEMA) if key in item}}
    return digest(shown)


def texts(value: Any, key: str = "") -> Iterator[str]:
    """Yield all that a model may read of a definition: its strings, and the names of members that aren't MCP's."""
    waiting: list[tuple[str, Any]] = [(key, value)]
    while waiting:
        _, found = waiting.pop()
        if isinstance(found, str):
            yield found
        elif isinstance(found, dict):
            for name, member in sorted(found.items(), reverse=True):
                waiting.append((name, member))
                if not name.isidentifier():
                    waiting.append(("", name))
        elif isinstance(found, list):
            waiting.extend(("", member) for member in reversed(found))


def classes(kind: Kind, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Class, ...]:
    """Return how a definition differs from the one before; empty where it doesn't.

    Args:
        kind: what it defines.
        before: the definition as it was approved.
        after: the definition now.
    """
    if canonical(before) == canonical(after):
        return ()
    found: list[Class] = ["server"] if kind == "server" else []
    was, now = parts(kind, before), parts(kind, after)
    bare_was, bare_now = _bare(before), _bare(after)
    if digest({key: bare_was.get(key) for key in _SCHEMA}) != digest({key: bare_now.get(key) for key in _SCHEMA}):
        found.append("schema")
    if _hints(before) != _hints(after):
        found.append("annotations")
    if was["other"] != now["other"]:
        found.append("other")
    found += _worded(before, after, schema="schema" in found)
    if not found:  # only members that say nothing, such as an empty schema that wasn't there
        found.append("schema" if was["schema"] != now["schema"] else "annotations")
    return tuple(dict.fromkeys(found))


def _worded(before: Mapping[str, Any], after: Mapping[str, Any], *, schema: bool) -> list[Class]:
    """Return the classes of changes to what a model reads; text that went with a part of a schema is none."""
    old, new = list(texts(_unnamed(before))), list(texts(_unnamed(after)))
    found: list[Class] = []
    if old == new:
        return found
    if words.addresses(new) - words.addresses(old):
        found.append("address")
    added = [text for text in new if text not in set(old)]
    if words.instructions(new) - words.instructions(old) or sum(map(words.hidden, added)) > sum(
        words.hidden(text) for text in old if text not in set(new)
    ):
        found.append("instruction")
    prose_old, prose_new = list(_prose(before)), list(_prose(after))
    if prose_old != prose_new and not (schema and words.fewer(prose_old, prose_new)):
        found.append("typo" if words.is_typo(prose_old, prose_new) and not found else "wording")
    return found


def _unnamed(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in _NAMES}


def _hints(item: Mapping[str, Any]) -> str:
    notes = item.get("annotations")
    if not isinstance(notes, dict):
        return digest(notes if notes is not None else {})
    return digest({key: value for key, value in notes.items() if key != "title"})


def _bare(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schemas of an item without the prose in them, which is wording."""
    return {key: _without_prose(item[key]) for key in _SCHEMA if key in item}


_BY_NAME = frozenset(("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"))
_DATA = frozenset(("const", "default", "enum", "examples"))


def _without_prose(schema: Any, *, named: bool = False) -> Any:
    return _mapped(schema, lambda _text: None, named=named)


def _mapped(schema: Any, prose: Callable[[str], Any], *, named: bool = False) -> Any:
    """Return a copy of a schema with its titles and descriptions given to ``prose`` and left out.

    Args:
        schema: the schema, or a part of it.
        prose: is told each text.
        named: whether the keys of the object are names of the server's, and no words of JSON Schema.
    """
    if isinstance(schema, list):
        return [_mapped(member, prose) for member in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for key, value in schema.items():
        if not named and key in _DATA:
            kept[key] = value
        elif not named and key in ("title", "description", "$comment") and isinstance(value, str):
            prose(value)
        elif not named and key in _BY_NAME:
            kept[key] = _mapped(value, prose, named=True)
        else:
            kept[key] = _mapped(value, prose)
    return kept


def _prose(item: Mapping[str, Any]) -> list[str]:
    """Return titles and descriptions of an item and of its schemas, in a steady order."""
    out: list[str] = []
    for key in sorted(item):
        value = item[key]
        if key in _WORDING or key == "instructions":
            out.append(value if isinstance(value, str) else canonical(value).decode())
        elif key in _SCHEMA:
            _mapped(orjson.loads(canonical(value)) if isinstance(value, dict | list) else value, out.append)
        elif key == "annotations" and isinstance(value, dict) and isinstance(value.get("title"), str):
            out.append(value["title"])
    return out


def masked(value: Any, secrets: tuple[str, ...]) -> Any:
    """Return a copy of a JSON value without what the settings give to servers and nobody else may learn."""
    if not secrets:
        return value
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "[secret]")
        return value
    if isinstance(value, dict):
        return {masked(key, secrets): masked(member, secrets) for key, member in value.items()}
    return [masked(member, secrets) for member in value] if isinstance(value, list) else value
