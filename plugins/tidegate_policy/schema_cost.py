"""How much checking a value against a JSON Schema can cost at most, told from the schema alone.

A schema comes from a server, which may be hostile: references can double at every step, call themselves, or lead down
further than a stack is deep. What this module can't bound is checked in a process that can be killed.

The model: each keyword that is reached counts one, wherever it is reached from; a value costs at most that number for
each of its nodes. A keyword that compares numbers counts more, for each node: they are compared exactly, and 1e300 is
long then. A regular expression counts its states, for each byte. Measured on `jsonschema-rs` 0.61, one such unit takes
10 ns at most.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

MOST, MOST_STATES = 100_000, 20_000
"""The weights from which on a schema counts as unbounded. That many states take about 10 ms to compile."""

_DEPTH = 64  # schemas inside of schemas, references followed
_ONE = frozenset(
    {"additionalItems", "additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"}
)
_MANY = frozenset({"allOf", "anyOf", "items", "oneOf", "prefixItems"})
_NAMED = frozenset({"dependencies", "dependentSchemas", "patternProperties", "properties"})
_OPAQUE = frozenset(  # what looks at a part twice, or leads where only an evaluation can tell
    {"$dynamicRef", "$recursiveRef", "unevaluatedItems", "unevaluatedProperties"}
)
_NUMBERS = frozenset({"exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum", "multipleOf"})
_WHOLE, _FRACTION = 300, 5000  # units of a comparison with an integer of 64 bits, and with another number
_UNIQUE, _UNIQUE_NUMBERS = 16, 20_000  # up to 15 items are compared in pairs; more are hashed
_EACH = 16  # to compile one takes so long, however short
_REPEAT = re.compile(r"\{(\d{1,9})(?:,(\d{0,9}))?\}")
_WIDE = re.compile(r"[^\x00-\x7f]|\.|\[\^|\\[DWSux]|\(\?[^:=!<]")  # what stands for more than ASCII: many states
_CLASS = re.compile(r"\\[pP]")  # a class of Unicode: hundreds of states


class Weight(NamedTuple):
    """What a schema costs at most.

    Attributes:
        node: units for each node of a value.
        number: units for each node that may be a number.
        byte: units for each byte of a value: regular expressions.
    """

    node: int = 0
    number: int = 0
    byte: int = 0

    def of(self, size: int, nodes: int) -> int:
        """Return the units for a value of so many bytes and nodes."""
        lengths = self.node * (size // 64)  # and comparisons of strings: they go by the word
        return (self.node + self.number) * nodes + lengths + self.byte * size

    def nodes(self, size: int, budget: int) -> int:
        """Return how many nodes a value of so many bytes may have, so that it costs no more than a budget."""
        return (budget - self.of(size, 0)) // (self.node + self.number)

    def __add__(self, other: Weight) -> Weight:  # type: ignore[override]  # of what costs both; no joining of tuples
        """Return the weight of both."""
        return Weight(self.node + other.node, self.number + other.number, self.byte + other.byte)


class _Unbounded(Exception):  # noqa: N818 - it says what the schema is
    pass


def weigh(schema: dict[str, Any]) -> Weight | None:
    """Return what checking against a schema costs at most; ``None`` where no bound was found."""
    try:
        found = _Scale(schema).weigh(schema, 0)
    except _Unbounded:
        return None
    return None if _heavy(found) else found


def count(value: Any, most: int) -> int:
    """Return how many nodes a value has; or, if there are more than so many, some number above."""
    found, waiting = 1, [value]
    while waiting and found <= most:
        part = waiting.pop()
        if isinstance(part, dict | list):
            found += len(part)
            waiting.extend(part.values() if isinstance(part, dict) else part)
    return found


def _heavy(weight: Weight) -> bool:
    return weight.node + weight.number > MOST or weight.byte > MOST_STATES


class _Scale:
    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._known: dict[int, Weight | None] = {}  # by identity; None for one that is being weighed: a cycle

    def weigh(self, schema: Any, depth: int) -> Weight:
        if not isinstance(schema, dict):  # true, false, or what doesn't compile
            return Weight(1)
        key = id(schema)
        if key in self._known:
            known = self._known[key]
            if known is None:
                raise _Unbounded
            return known
        if depth > _DEPTH or not _OPAQUE.isdisjoint(schema) or (depth and ("$id" in schema or "id" in schema)):
            raise _Unbounded
        self._known[key] = None
        found = Weight(1)
        for keyword, value in schema.items():
            found += self._keyword(keyword, value, depth + 1)
            if _heavy(found):
                raise _Unbounded
        self._known[key] = found
        return found

    def _keyword(self, keyword: str, value: Any, depth: int) -> Weight:
        if keyword == "$ref":
            return self.weigh(self._target(value), depth)
        if keyword == "pattern":
            return Weight(1, byte=_states(value))
        if keyword in ("enum", "const") or keyword in _NUMBERS:
            return _compared(value)
        if keyword == "uniqueItems":
            return Weight(_UNIQUE, _UNIQUE_NUMBERS)
        if keyword in _NAMED and isinstance(value, dict):
            return self._named(value, depth, patterns=keyword == "patternProperties")
        if keyword in _MANY and isinstance(value, list):
            return self._sum(value, depth)
        if keyword in _ONE:
            return self.weigh(value, depth)
        return Weight(len(value) if isinstance(value, dict | list) else 1)

    def _named(self, value: dict[str, Any], depth: int, *, patterns: bool) -> Weight:
        names = sum(len(each) for each in value.values() if isinstance(each, list))  # `dependencies` of draft-07
        states = sum(map(_states, value)) if patterns else 0
        return self._sum([*value.values()], depth) + Weight(names, 0, states)

    def _sum(self, schemas: list[Any], depth: int) -> Weight:
        found = Weight(1)
        for each in schemas:
            found += self.weigh(each, depth)
        return found

    def _target(self, reference: Any) -> Any:
        """Return the part of the schema that a reference names, if it is a plain JSON Pointer."""
        if not isinstance(reference, str) or not re.fullmatch(r"#(?:/[^%]*)?", reference):
            raise _Unbounded
        part: Any = self._root
        for token in reference[2:].split("/") if len(reference) > 1 else ():
            key = token.replace("~1", "/").replace("~0", "~")
            if not isinstance(part, dict) or key not in part:
                raise _Unbounded
            part = part[key]
        return part


def _states(pattern: Any) -> int:
    """Return how many states the automaton of a regular expression has, roughly, and rather too many."""
    if not isinstance(pattern, str):
        return 1
    single, group = 0, 1
    for found in _REPEAT.finditer(pattern):
        count = max(int(found[1]), int(found[2] or 0), 1)
        if pattern[found.start() - 1] in ")?*+}":  # it may repeat a group, or what is repeated already
            group *= count
        else:
            single += count
    wide = len(_CLASS.findall(pattern)) * 1000
    return (len(pattern) + single + _EACH) * (10 if _WIDE.search(pattern) else 2) * group + wide * max(
        single, 1
    ) * group


def _compared(value: Any) -> Weight:
    """Return what it costs to compare with a value."""
    node, number, waiting = 0, 0, [value]
    while waiting:
        part = waiting.pop()
        node += 1
        if isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
        elif isinstance(part, int | float) and not isinstance(part, bool):
            number += _WHOLE if isinstance(part, int) and -(2**63) <= part < 2**63 else _FRACTION
            if isinstance(part, int) and part.bit_length() > 1024:  # its digits are as many as it likes
                raise _Unbounded
    return Weight(node, number)
