"""Negated statements made up at random, with operands that may be missing."""

import random
import re
from collections.abc import Callable

# What is negated, with what may be missing in it: X is a string if it is anything, Y may be anything, Z may be another
# thing, L is a literal.
_MAYBE_STRINGS = (
    "input.params.strings[0].value",
    "input.params.strings[1].decoded[0]",
    "input.params.strings[at].key",
    "input.result.strings[0].value",
    "input.server.labels[0]",
    "input.session.calls[0].tool",
    "input.principal.roles[1]",
    "input.cut[0]",
    "input.target.name",
    "input.nothing",
    "maybe",
    "f(maybe)",
    "lower(input.cut[0])",
    'trim_prefix(input.session.labels[0], "p")',
    "lower(input.params.strings[_].value)",
    'replace(input.server.labels[_], "a", "b")',
)
_MAYBE = (
    *_MAYBE_STRINGS,
    "input.arguments",
    "input.arguments.path",
    "input.arguments.n",
    'input.arguments["url"]',
    "input.arguments[input.target.name]",
    "input.arguments[maybe]",
    "input.tool.annotations.title",
    "input.tool.annotations[maybe]",
    "input.principal.claims[input.server.name]",
    "input.session.counts[input.tool.name]",
    "input.session.calls[0].seconds_ago",
    "input.findings[0].confidence",
    "data.words[at]",
    "data.nothing.more",
    "as_is(count(input.session.calls[_].labels))",
    "as_is(count(input.cut[0]) + 1)",
    "as_is([input.arguments.path, at])",
    "(input.arguments.n)",
    "as_is(maybe < input.arguments.n)",
)
_MAYBE_OTHERWISE = (  # never strings: OPA refuses to compare those with one
    *_MAYBE[-5:],
    "count(input.session.calls[_].labels)",
    "count(input.cut[0]) + 1",
    "[input.arguments.path, at]",
    '{"a": input.arguments.n}',
    "{input.arguments.path}",
    "[word | word := input.arguments.path]",
    "{word | some word in data.words; not contains(maybe, word)}",
    "(maybe < input.arguments.n)",
    "(maybe == input.arguments.n)",
)
_NEGATED = (
    "startswith(X, L)",
    "startswith(X, X)",
    "contains(L, X)",
    "contains(\n\t\tX, # first\n\t\tL,\n\t)",
    "regex.match(`^[a-z]`, X)",
    "(endswith(X, L))",
    "lower(X) == L",
    "L = lower(X)",
    'count(split(X, "/")) > 1',
    'concat("/", [X, X]) == L',
    'sprintf("%s-%s", [X, L]) != L',
    'strings.any_prefix_match(X, ["a", X])',
    "g(X)",
    "g(f(X))",
    "g(X) == false",
    "g(X) with input.server.labels as [L]",
    "g(X) with input.cut as []",
    'equal_to(Y, L) with input.arguments as {"path": L}',
    "equal_to(Y, Y)",
    "equal_to([Y], [L])",
    "is_string(Y)",
    'type_name(Y) == "string"',
    "object.get(input.arguments, Y, null) == null",
    "Y",
    "(Y)",
    "[Y]",
    "Y == L",
    "Y == Y",
    "Y = L",
    "Y != L",
    "Y < L",
    "(Y < Y)",
    "Y >= Y",
    "Y in data.words",
    "Y in [L, Y]",
    "Y in {L, Y}",
    "L in [Y]",
    "at, Y in data.words",
    "at, L in [X, Y]",
    "(at in [0, L]) == (at in [1])",
    "[Y] == [L]",
    '{"a": Y, "b": 1} == {"a": L, "b": 1}',
    "{Y} == {L}",
    "input.cut[Y]",
    "input.server.labels[Y] == L",
    "input.arguments[X]",
    "input.arguments[X] == L",
    "input.arguments[X] != L",
    '{"a": Y}.a == L',
    "as_is(Y) == L",
    "as_is({L: Y})[X] == L",
    "equal_to(Z, Z)",
    "equal_to(Z, L)",
    "is_string(Z)",
    "Z",
    "[Z]",
    "Z < Z",
    "Z != L",
    "Z in data.words",
    "L in [Z, Y]",
    "as_is(Z) == L",
    "L == as_is({L: Z})[X]",
    "count([1 | Z]) > 0",
    "equal_to(Z, L) with input.arguments.n as 3",
    "count([1 | Y]) > 0",
    "count({1 | not Y == L}) == 1",
    "[value | value := Y] == []",
    "[value | value := Y][0] == L",
    "[1 | not startswith(X, L)] == [1]",
    "count([1 | not startswith(X, L)]) == 1",
    'json.marshal(Y) == "null"',
)


def statements(chance: random.Random, literal: Callable[[random.Random], str]) -> list[str]:
    """Return a negated statement with operands that may be missing."""
    choices = {"X": _MAYBE_STRINGS, "Y": _MAYBE, "Z": _MAYBE_OTHERWISE}
    said = re.sub(
        r"\b[XYZL]\b",
        lambda found: chance.choice(choices[found[0]]) if found[0] in choices else literal(chance),
        f"not {chance.choice(_NEGATED)}",
    )
    kind = chance.random()
    if kind < 0.15:
        said = f"every _ in [1, 2] {{ {said} }}"
    elif kind < 0.3:
        said = f"count([1 | {said}]) > 0"
    first = f"some at in [{chance.randint(0, 1)}, {chance.randint(1, 3)}]"
    return [first, said] if re.search(r"\bat\b", said) else [said]
