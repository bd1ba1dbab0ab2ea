"""JSON Schemas of tools: as a table for people, and for making arguments of words of the command line."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate.cli import output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_DEPTH = 5  # levels of objects and references that are followed
_LIMITS = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "pattern",
    "multipleOf",
)
_SIGNS = {"minimum": "≥ ", "maximum": "≤ ", "exclusiveMinimum": "> ", "exclusiveMaximum": "< "}
_SHORT = 60  # characters of an enum's or a default's value


class Row(NamedTuple):
    """One argument, or a member of one, as a person reads it."""

    name: str
    kind: str
    required: bool
    default: str
    description: str


def rows(schema: object) -> list[Row]:
    """Return the members of an object's schema, those of objects in it too, as ``outer.inner`` and ``list[].inner``."""
    return list(_rows(schema, schema, "", 0))


def _rows(schema: object, root: object, prefix: str, depth: int) -> Iterator[Row]:
    found = resolved(schema, root)
    required = found.get("required")
    for name, each in _properties(found).items():
        said = resolved(each, root)
        full = f"{prefix}{name}"
        yield Row(
            full,
            kind_of(each, root),
            isinstance(required, list) and name in required,
            shown(said["default"]) if "default" in said else "",
            " ".join(str(said.get("description", "")).split()),
        )
        if depth < _DEPTH:
            for inner, mark in ((said, "."), (resolved(said.get("items"), root), "[].")):
                yield from _rows(inner, root, f"{full}{mark}", depth + 1)


def _properties(schema: Mapping[str, Any]) -> dict[str, Any]:
    found = schema.get("properties")
    return found if isinstance(found, dict) else {}


def resolved(schema: object, root: object) -> dict[str, Any]:
    """Return a schema with its reference within the document followed; ``{}`` for what is none."""
    for _ in range(_DEPTH):
        if not isinstance(schema, dict):
            return {}
        pointer = schema.get("$ref")
        if not isinstance(pointer, str) or not pointer.startswith("#/"):
            return schema
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        target: Any = root
        for token in pointer[2:].split("/"):
            target = target.get(token.replace("~1", "/").replace("~0", "~")) if isinstance(target, dict) else None
        schema = {**target, **beside} if isinstance(target, dict) else beside
    return {}


def kind_of(schema: object, root: object, depth: int = 0) -> str:
    """Return what a value may be, in a few words."""
    found = resolved(schema, root)
    if depth > _DEPTH:
        return "…"
    if isinstance(found.get("enum"), list):
        return " | ".join(map(shown, found["enum"])) or "nothing"
    if "const" in found:
        return shown(found["const"])
    for key in ("anyOf", "oneOf"):
        if isinstance(found.get(key), list):
            return " | ".join(dict.fromkeys(kind_of(each, root, depth + 1) for each in found[key]))
    kinds = [_one_kind(kind, found, root, depth) for kind in _listed(found.get("type"))]
    return " | ".join(kinds) or ("object" if _properties(found) else "any")


def _one_kind(kind: str, found: dict[str, Any], root: object, depth: int) -> str:
    if kind == "array" and isinstance(found.get("items"), dict):
        inner = kind_of(found["items"], root, depth + 1)
        return f"list of ({inner})" if " | " in inner else f"list of {inner}"
    words = [str(found["format"])] if isinstance(found.get("format"), str) else []
    words += [f"{_SIGNS.get(key, f'{key} ')}{shown(found[key])}" for key in _LIMITS if key in found]
    return f"{kind} ({', '.join(words)})" if words and kind != "null" else kind


def _listed(kinds: object) -> list[str]:
    if isinstance(kinds, str):
        return [kinds]
    return [kind for kind in kinds if isinstance(kind, str)] if isinstance(kinds, list) else []


def shown(value: object) -> str:
    """Return a value as JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"


# -- arguments ----------------------------------------------------------------------------------------------


def arguments(words: Sequence[str], base: dict[str, Any], schema: object) -> dict[str, Any]:
    """Return the arguments of a call.

    Args:
        words: ``key=value``, whose value is read as the schema wants it, or ``key:=JSON``. A list's key may come again.
        base: arguments to begin with.
        schema: the tool's ``inputSchema``.

    Raises:
        Failure: for a word that is neither, or a value that can't be read.
    """
    root = resolved(schema, schema)
    given: dict[str, Any] = dict(base)
    lists: dict[str, list[Any]] = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not sign or key in ("", ":"):
            raise output.Failure(f"{word!r} is neither KEY=VALUE nor KEY:=JSON")
        if key.endswith(":"):
            given[key[:-1]] = parsed(value, f"{key[:-1]}:=")
            continue
        named = resolved(_properties(root).get(key), schema)
        items = _items_of(named, schema)
        if items is not None and not value.startswith("["):
            lists.setdefault(key, []).append(typed(key, value, items, schema))
            given[key] = lists[key]
        else:
            given[key] = typed(key, value, named, schema)
    return given


def _items_of(schema: dict[str, Any], root: object) -> object | None:
    """Return the schema of a list's items, where it is a list and can't be a string."""
    kinds = _kinds(schema, root)
    if "array" not in kinds or "string" in kinds:
        return None
    for each in (schema, *_choices(schema, root)):
        if "array" in _listed(each.get("type")):
            items: object = each.get("items", {})
            return items
    return None


def _choices(schema: dict[str, Any], root: object) -> list[dict[str, Any]]:
    found = [schema.get(key) for key in ("anyOf", "oneOf")]
    return [resolved(each, root) for choices in found if isinstance(choices, list) for each in choices]


def _kinds(schema: dict[str, Any], root: object) -> set[str]:
    kinds = set(_listed(schema.get("type")))
    for each in _choices(schema, root):
        kinds |= set(_listed(each.get("type"))) or {"any"}
    return kinds


def typed(key: str, text: str, schema: object, root: object) -> Any:
    """Return a value as its schema wants it: a string where that may be one, else read as JSON.

    Raises:
        Failure: where it can't be read so.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise output.Failure(f"{key}: the value isn't UTF-8") from None
    found = resolved(schema, root)
    options = found.get("enum")
    if isinstance(options, list) and options:
        for option in options:
            if option == text or (not isinstance(option, str) and json.dumps(option) == text):
                return option
        raise output.Failure(
            f"{key}: {text!r} is none of {', '.join(map(shown, options))}; {key}:=JSON sends what you want"
        )
    kinds = _kinds(found, root)
    if not kinds or kinds & {"string", "any"}:
        return text
    with contextlib.suppress(ValueError, RecursionError):
        value = json.loads(text, parse_constant=_no_constant)
        if any(_fits(value, kind) for kind in kinds):
            return value
    raise output.Failure(f"{key}: {text!r} is no {' or '.join(sorted(kinds - {'null'}) or ['null'])}")


def _fits(value: Any, kind: str) -> bool:
    match kind:
        case "integer":
            return isinstance(value, int | float) and not isinstance(value, bool) and value % 1 == 0
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case "null":
            return value is None
        case _:
            return False


def parsed(text: str, what: str) -> Any:
    """Return a JSON value that the user gave.

    Raises:
        Failure: where it is none.
    """
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        told = (
            f"{error.msg}, line {error.lineno} column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        )
        raise output.Failure(f"{what} is no JSON{f': {told}' if told else ''}") from None


def _no_constant(text: str) -> Any:
    raise ValueError(text)


def base_of(given: str | None) -> dict[str, Any]:
    """Return the arguments of ``--arguments``: JSON, ``@FILE``, or ``-`` for standard input.

    Raises:
        Failure: where they are no JSON object.
    """
    if given is None:
        return {}
    text, what = given, "--arguments"
    try:
        if given == "-":
            text, what = sys.stdin.buffer.read().decode(), "standard input"
        elif given.startswith("@"):
            what = given[1:]
            text = Path(what).read_bytes().decode()
    except UnicodeDecodeError:
        raise output.Failure(f"{what} isn't UTF-8") from None
    found = parsed(text, what)
    if not isinstance(found, dict):
        raise output.Failure(f"{what} is no JSON object")
    return found
