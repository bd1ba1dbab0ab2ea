"""JSON values: encoding, freezing, and JSON Pointers (RFC 6901) that also reach into JSON texts.

A pointer's token ``~2`` is Tidegate's own: it steps into the JSON text that a string holds, so
``/params/arguments/body/~2/user/token`` is the member ``token`` of the object ``user`` of the JSON text
that is the value of ``body``. RFC 6901 leaves ``~2`` unused, and a key ``~2`` is written ``~02``, so the
token can't be mistaken for a key.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import jiter
import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

NESTED = "~2"
"""The pointer token that steps into the JSON text a string holds."""

_BAD_ESCAPE = re.compile(r"~(?![01])")

NESTED_DEPTH = 8
"""How many JSON texts inside JSON texts are opened; a message with more of them can't be inspected."""


class TooDeep(ValueError):  # noqa: N818 - it says what the string is
    """A string holds JSON that is nested too deep to be opened. Its text holds nothing of the string."""

    def __init__(self) -> None:
        super().__init__(f"JSON texts are nested deeper than {NESTED_DEPTH} texts, or one deeper than can be parsed")


class PointerError(LookupError):
    """A JSON Pointer is malformed or leads nowhere. Its text holds no value of the message."""


class Leaf(NamedTuple):
    """One string of a message: where it is, what it says, and whether it is a key or a value.

    A key's pointer is that of the member it names.
    """

    pointer: str
    value: str
    is_key: bool


def _refuse(*_args: object, **_kwargs: object) -> NoReturn:
    raise TypeError("a message is frozen: return message.replace(pointer, value, label=...) from transform")


class FrozenDict(dict[str, Any]):
    """A JSON object that can't be changed. Equal to the ``dict`` of the same members."""

    __slots__ = ()
    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse


class FrozenList(list[Any]):
    """A JSON array that can't be changed. Equal to the ``list`` of the same items."""

    __slots__ = ()
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse


def freeze(value: Any) -> Any:
    """Return a deeply frozen copy of a JSON value; strings, numbers, booleans and null are themselves."""
    kind = type(value)
    if kind is dict:
        return FrozenDict({key: freeze(item) for key, item in value.items()})
    if kind is list:
        return FrozenList([freeze(item) for item in value])
    return value


def thaw(value: Any) -> Any:
    """Return a deep copy of a JSON value, made of plain ``dict`` and ``list``.

    Raises:
        TypeError: where a part is not a JSON value.
    """
    if isinstance(value, dict):
        return {_key(key): thaw(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [thaw(item) for item in value]
    if isinstance(value, float) and value - value != 0.0:
        raise TypeError("not a JSON value: NaN or an infinity")
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"not a JSON value: {type(value).__name__}")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a JSON object's key must be a string, not {type(key).__name__}")
    return key


def encode(value: Any) -> bytes:
    """Return the canonical encoding of a JSON value: UTF-8, no white space, members in their order.

    NaN and infinities, which no JSON value has (:func:`thaw` and the parser refuse them), become ``null``.

    Raises:
        ValueError: for what JSON can't say: lone surrogates, values of another type.
    """
    try:
        return orjson.dumps(value)
    except TypeError:  # integers beyond 64 bits, which orjson doesn't write, or no JSON value at all
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            return text.encode()
        except TypeError as error:
            raise ValueError("not a JSON value") from error


def escape(key: str) -> str:
    """Return a key as a token of a JSON Pointer (RFC 6901, section 3)."""
    return key.replace("~", "~0").replace("/", "~1") if "~" in key or "/" in key else key


def split(pointer: str) -> list[str]:
    """Return a pointer's raw tokens, still escaped; ``""`` has none.

    Raises:
        PointerError: where the pointer is neither empty nor starts with a slash.
    """
    if not pointer:
        return []
    if pointer[0] != "/":
        raise PointerError("a JSON Pointer starts with '/'")
    return pointer[1:].split("/")


def _unescape(token: str) -> str:
    if "~" not in token:
        return token
    if _BAD_ESCAPE.search(token):  # else two pointers would name the same member
        raise PointerError("in a JSON Pointer, '~' stands before 0 or 1 only")
    return token.replace("~1", "/").replace("~0", "~")


def _index(token: str, length: int) -> int:
    if not token.isascii() or not token.isdigit() or (token[0] == "0" and len(token) > 1) or len(token) > 9:
        raise PointerError("an array's token in a JSON Pointer is a plain number")
    index = int(token)
    if index >= length:
        raise PointerError("the JSON Pointer leads past the end of an array")
    return index


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object in which keys may stand twice."""


def _may_hold(text: str) -> bool:
    """Whether a string begins like the JSON text of an object, an array, or a string with an escape in it."""
    first = text.lstrip(" \t\r\n")[:1]
    return first in ("{", "[") or (first == '"' and "\\" in text)


def nested(text: str) -> Any:
    """Return what a string holds as JSON text: an object, an array, or a string that is written with escapes.

    ``None`` where it holds none, or none that is unambiguous.
    """
    if not text or not _may_hold(text):
        return None
    try:
        return jiter.from_json(text.encode(), allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError:
        return None


def _opened(text: str) -> Any:
    """Return all that any parser could find in a string's JSON text, so that none of it stays unseen.

    Keys that stand twice, NaN, lone surrogates and control characters: lenient parsers take them. Numbers aren't kept.

    Raises:
        TooDeep: where it can't be told what some parser could find.
    """
    if not text or not _may_hold(text):
        return None
    strict = nested(text)
    if strict is not None:
        return strict
    try:
        return json.loads(text, strict=False, object_pairs_hook=_Pairs, parse_int=_no_number, parse_float=_no_number)
    except ValueError:
        return None
    except RecursionError:
        raise TooDeep from None


def _no_number(_text: str) -> int:
    return 0


def _step(value: Any, token: str) -> Any:
    if token == NESTED and isinstance(value, str):
        inner = nested(value)
        if inner is None:
            raise PointerError("the JSON Pointer steps into a string that holds no JSON")
        return inner
    if isinstance(value, dict):
        key = _unescape(token)
        if key not in value:
            raise PointerError("the JSON Pointer names a member that isn't there")
        return value[key]
    if isinstance(value, list):
        return value[_index(token, len(value))]
    raise PointerError("the JSON Pointer steps into a value that has no parts")


def resolve(value: Any, pointer: str) -> Any:
    """Return the part of a JSON value that a pointer names.

    Raises:
        PointerError: where it leads nowhere.
    """
    for token in split(pointer):
        value = _step(value, token)
    return value


def replaced(value: Any, tokens: list[str], new: Any) -> Any:
    """Return a copy of a JSON value with one part replaced; what isn't on the way there is shared.

    Args:
        value: a JSON value of plain ``dict`` and ``list``.
        tokens: the pointer's tokens, as from :func:`split`.
        new: the part's new value, plain too.

    Raises:
        PointerError: where the pointer leads nowhere.
    """
    if not tokens:
        return new
    head, rest = tokens[0], tokens[1:]
    changed = replaced(_step(value, head), rest, new)
    if head == NESTED and isinstance(value, str):
        return _text_of(changed)
    if isinstance(value, dict):
        return {**value, _unescape(head): changed}
    copy = list(value)
    copy[_index(head, len(value))] = changed
    return copy


def _text_of(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:  # a number that overflowed
        raise PointerError("the JSON text that a string holds can't be written again as it was") from None


def strings(value: Any, pointer: str = "", *, depth: int = NESTED_DEPTH) -> Iterator[Leaf]:
    """Yield every string of a JSON value, keys too, and those of the JSON texts that strings hold.

    A string that holds JSON is yielded itself first, then its parts, so nothing is hidden by being nested.

    Raises:
        TooDeep: where JSON texts are nested deeper than they are opened.
    """
    stack = [(value, pointer, depth)]
    while stack:
        value, pointer, depth = stack.pop()
        if type(value) is str:
            yield Leaf(pointer, value, False)  # noqa: FBT003 - by position, because there are many
            inner = _opened(value)
            if inner is not None:
                if not depth:
                    raise TooDeep
                stack.append((inner, f"{pointer}/{NESTED}", depth - 1))
        elif isinstance(value, dict | _Pairs):
            members = value.items() if isinstance(value, dict) else value
            below = [(item, f"{pointer}/{escape(key)}", depth) for key, item in members]
            for (key, _), (_, where, _) in zip(members, below, strict=True):
                yield Leaf(where, key, True)  # noqa: FBT003 - by position, because there are many
            stack.extend(reversed(below))
        elif isinstance(value, list):
            stack.extend((item, f"{pointer}/{index}", depth) for index, item in reversed(list(enumerate(value))))
