"""What Hypothesis makes: JSON values and JSON-RPC messages, all that a peer may send and nothing that it may not."""

import json
from typing import Any

from hypothesis import strategies as st

from tidegate import methods
from tidegate.message import ENVELOPE
from tidegate.methods import ROUTED

ENVELOPE_FOLDED = {name.casefold() for name in ENVELOPE}
ROUTED_FOLDED = {name.casefold() for name in ROUTED}

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
"""Any Unicode text but lone surrogates, which JSON in UTF-8 can't say (RFC 8259, section 8.2)."""

numbers = st.one_of(
    st.integers(),
    st.integers(min_value=-(10**60), max_value=10**60),
    st.floats(allow_nan=False, allow_infinity=False),
)
leaves = st.one_of(st.none(), st.booleans(), numbers, text)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(text, inner, max_size=4)),
    max_leaves=12,
)
objects = st.dictionaries(text, values, max_size=4)
ids = st.one_of(text, st.integers(), st.integers(min_value=-(10**40), max_value=10**40))
known_methods = st.sampled_from(sorted(methods.METHODS))
method_names = st.one_of(known_methods, text)

params = objects.filter(lambda tree: not any(key.casefold() in ROUTED_FOLDED for key in tree))
extras = objects.filter(lambda tree: not any(key.casefold() in ENVELOPE_FOLDED for key in tree))
_meta = st.fixed_dictionaries({}, optional={"_meta": objects, "name": text, "arguments": objects})
some_params = st.one_of(
    st.just({}), st.builds(lambda tree: {"params": tree}, st.builds(lambda a, b: a | b, params, _meta))
)


@st.composite
def calls(draw: st.DrawFn) -> dict[str, Any]:
    """A request or notification, known or unknown, with any params and unknown members at any level."""
    tree = {"jsonrpc": "2.0", "method": draw(method_names), **draw(some_params), **draw(extras)}
    if draw(st.booleans()):
        tree["id"] = draw(ids)
    return _shuffled(draw, tree)


@st.composite
def replies(draw: st.DrawFn) -> dict[str, Any]:
    """A result, or an error, which may have no id."""
    tree: dict[str, Any] = {"jsonrpc": "2.0", "id": draw(ids), **draw(extras)}
    if draw(st.booleans()):
        tree["result"] = draw(values)
    else:
        tree["error"] = {"data": draw(values), **draw(objects), "code": draw(st.integers()), "message": draw(text)}
        if draw(st.booleans()):
            tree["id"] = None
    return _shuffled(draw, tree)


def _shuffled(draw: st.DrawFn, tree: dict[str, Any]) -> dict[str, Any]:
    return {key: tree[key] for key in draw(st.permutations(list(tree)))}


messages = st.one_of(calls(), replies())


_LAYOUTS = ({"separators": (",", ":")}, {"indent": 1}, {"indent": "\t"}, {"separators": (" ,\r\n", " : ")})


@st.composite
def texts_of(draw: st.DrawFn, trees: st.SearchStrategy[Any]) -> bytes:
    """A JSON value as one of the texts that say it: with escapes or without, spaced out or not."""
    tree = draw(trees)
    layout: dict[str, Any] = draw(
        st.sampled_from(
            [{"separators": (",", ":")}, {"indent": 1}, {"indent": "\t"}, {"separators": (" ,\r\n", " : ")}]
        )
    )
    return json.dumps(tree, ensure_ascii=draw(st.booleans()), **layout).encode()


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal, members in order; unlike ``==``, 1, 1.0 and True are three values."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return repr(one) == repr(other)  # tells -0.0 from 0.0
