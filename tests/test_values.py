"""JSON values: frozen, pointed into, and opened wherever a string holds JSON, so that nothing in them is unseen."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import strategies
from support.strategies import same
from tidegate import values
from tidegate.values import FrozenDict, FrozenList, Leaf, PointerError, TooDeep


def pointers(value: Any, pointer: str = "") -> list[tuple[str, Any]]:
    """Return every part of a value with its pointer, by the rules of RFC 6901 and nothing else."""
    found = [(pointer, value)]
    if isinstance(value, dict):
        for key, item in value.items():
            found += pointers(item, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += pointers(item, f"{pointer}/{index}")
    return found


@given(strategies.values)
def test_each_part_has_a_pointer_that_resolves_to_it(value: Any) -> None:
    for pointer, part in pointers(value):
        assert values.resolve(value, pointer) is part


@given(strategies.values, st.data())
def test_replacing_a_part_changes_that_part_only_and_the_original_not_at_all(value: Any, source: st.DataObject) -> None:
    before = copy.deepcopy(value)
    pointer, _ = source.draw(st.sampled_from(pointers(value)))
    made = values.replaced(value, values.split(pointer), "@new@")
    assert same(value, before)
    expected = [(where, part) for where, part in pointers(value) if not f"{where}/".startswith(f"{pointer}/")]
    kept = [(where, part) for where, part in pointers(made) if not f"{where}/".startswith(f"{pointer}/")]
    assert [where for where, _ in kept] == [where for where, _ in expected]
    assert values.resolve(made, pointer) == "@new@"
    leaves = [(where, part) for where, part in kept if not isinstance(part, dict | list)]
    assert leaves == [(where, part) for where, part in expected if not isinstance(part, dict | list)]


@pytest.mark.parametrize(
    "pointer",
    [
        "a",
        "/b",
        "/a/",
        "/a/5",
        "/a/-",
        "/a/01",
        "/a/-1",
        "/a/+1",
        "/a/1e0",
        "/a/٣",
        "/a/0/x",
        "/s/~2",
        "/~2",
        "/a~",
        "/~3",
    ],
)
def test_a_pointer_that_leads_nowhere_is_refused_and_says_nothing_of_the_value(pointer: str) -> None:
    with pytest.raises(PointerError) as caught:
        values.resolve({"a": ["secret", 1, 2, 3], "s": "secret", "~2": 1, "a~": 1}, pointer)
    assert "secret" not in str(caught.value)


def test_a_key_that_looks_like_a_token_can_be_named() -> None:
    tree = {"~2": 1, "~": 2, "/": 3, "": 4, "~1": 5, "0": 6}
    assert [values.resolve(tree, f"/{values.escape(key)}") for key in tree] == [1, 2, 3, 4, 5, 6]


# -- JSON inside strings --------------------------------------------------------------------------------------


@given(strategies.values)
def test_strings_yields_every_string_and_key_with_its_pointer(value: Any) -> None:
    expected = []
    for pointer, part in pointers(value):
        if isinstance(part, str):
            expected.append((pointer, part, False))
        if isinstance(part, dict):
            expected += [(f"{pointer}/{values.escape(key)}", key, True) for key in part]
    found = [leaf for leaf in values.strings(value) if f"/{values.NESTED}/" not in f"{leaf.pointer}/"]
    assert sorted(found) == sorted(Leaf(*item) for item in expected)


@given(strategies.values, st.integers(min_value=1, max_value=values.NESTED_DEPTH), st.booleans())
def test_strings_reaches_into_json_texts(value: Any, depth: int, escaped: bool) -> None:  # noqa: FBT001 - Hypothesis's
    text: Any = value
    for _ in range(depth):
        text = json.dumps([text], ensure_ascii=escaped)
    inside = [leaf for leaf in values.strings(value) if f"/{values.NESTED}/" not in f"{leaf.pointer}/"]
    outer = "/~2/0" * depth
    found = list(values.strings(text))
    for leaf in inside:
        assert Leaf(outer + leaf.pointer, leaf.value, leaf.is_key) in found
        if not leaf.is_key:
            assert values.resolve(text, outer + leaf.pointer) == leaf.value


@pytest.mark.parametrize(
    "text",
    [
        r'{"a":"\u0068idden","a":"shown"}',
        r'{"a":{"b":"\u0068idden"},"a":1}',
        r'[{"a":"shown","b":NaN,"a":"\u0068idden"}]',
        r'{"b":NaN,"a":"\u0068idden"}',
        r'{"b":Infinity,"a":"\u0068idden"}',
        r'{"b":1e999,"a":"\u0068idden"}',
        r'{"b":"\ud800","a":"\u0068idden"}',
        '{"b":"\t","a":"\\u0068idden"}',
        '{"b":' + "9" * 5000 + ',"a":"\\u0068idden"}',
        '\r\n\t [{"\\u0068idden":1}]',
    ],
)
def test_no_json_text_that_some_parser_takes_hides_a_string(text: str) -> None:
    assert "hidden" in [leaf.value for leaf in values.strings({"x": text})]


@pytest.mark.parametrize(
    "text", ["[" * 400 + "]" * 400, "{", "[1", "{}x", "[link](x)", '"', '"\\', '"C:\\dir" is a folder']
)
def test_a_string_that_only_begins_like_json_is_a_string(text: str) -> None:
    assert list(values.strings({"x": text}))[1].value == text


def test_a_json_text_of_a_string_is_opened_where_its_escapes_could_hide_something() -> None:
    text = json.dumps(json.dumps({"token": "needle"})).replace("needle", "n\\u0065edle")
    found = list(values.strings({"body": text}))
    assert Leaf("/body/~2/~2/token", "needle", is_key=False) in found
    assert values.resolve({"body": text}, "/body/~2/~2/token") == "needle"
    made = values.replaced({"body": text}, values.split("/body/~2/~2/token"), "gone")
    assert json.loads(json.loads(made["body"])) == {"token": "gone"}
    assert [leaf.pointer for leaf in values.strings({"body": '"said"'})] == ["/body", "/body"]


@pytest.mark.requirement("no-blind-spot")
@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_a_text_that_is_nested_deeper_than_can_be_parsed_is_too_deep(text: str) -> None:
    with pytest.raises(TooDeep):
        list(values.strings({"x": text}))


@pytest.mark.requirement("no-blind-spot")
def test_json_texts_nested_deeper_than_are_opened_are_too_deep() -> None:
    text: Any = "needle"
    for _ in range(values.NESTED_DEPTH):
        text = json.dumps([text])
    assert "needle" in [leaf.value for leaf in values.strings(text)]
    with pytest.raises(TooDeep):
        list(values.strings(json.dumps([text])))


def test_a_part_of_a_json_text_is_replaced_in_place() -> None:
    tree = {"body": '{"user": {"token": "t0k3n", "id": 12345678901234567890123}, "note": "\\u00e9"}'}
    made = values.replaced(tree, values.split("/body/~2/user/token"), "gone")
    assert json.loads(made["body"]) == {"user": {"token": "gone", "id": 12345678901234567890123}, "note": "é"}


@pytest.mark.parametrize("text", ['{"a":"x","a":"y"}', '{"a":"x","b":1e999}', '{"a":"x","b":NaN}', '{"a":"x"'])
def test_a_json_text_that_could_not_be_written_again_as_it_was_is_not_replaced_in(text: str) -> None:
    with pytest.raises(PointerError):
        values.replaced({"body": text}, values.split("/body/~2/a"), "gone")


# -- frozen ---------------------------------------------------------------------------------------------------

MUTATIONS: tuple[Callable[[Any], Any], ...] = (
    lambda tree: tree.__setitem__("a", 1),
    lambda tree: tree.__delitem__("d"),
    lambda tree: tree.update(a=1),
    lambda tree: tree.clear(),
    lambda tree: tree.pop("d"),
    lambda tree: tree.popitem(),
    lambda tree: tree.setdefault("e", 1),
    lambda tree: tree.__ior__({"a": 1}),
    lambda tree: tree["d"].__setitem__("x", 1),
    lambda tree: tree["l"].append(1),
    lambda tree: tree["l"].__setitem__(0, 1),
    lambda tree: tree["l"].__delitem__(0),
    lambda tree: tree["l"].extend([1]),
    lambda tree: tree["l"].insert(0, 1),
    lambda tree: tree["l"].pop(),
    lambda tree: tree["l"].remove(1),
    lambda tree: tree["l"].sort(),
    lambda tree: tree["l"].reverse(),
    lambda tree: tree["l"].clear(),
    lambda tree: tree["l"].__iadd__([1]),
    lambda tree: tree["l"].__imul__(2),
    lambda tree: tree["l"][1].append(1),
)


@pytest.mark.parametrize("mutate", MUTATIONS, ids=range(len(MUTATIONS)))
def test_a_frozen_value_can_not_be_changed_at_any_depth(mutate: Callable[[Any], Any]) -> None:
    plain = {"d": {"x": 0}, "l": [1, [2]], "s": "s"}
    frozen = values.freeze(plain)
    with pytest.raises(TypeError, match="frozen"):
        mutate(frozen)
    assert frozen == plain


@given(strategies.values)
def test_freezing_and_thawing_give_equal_copies(value: Any) -> None:
    frozen = values.freeze(value)
    thawed = values.thaw(frozen)
    assert same(thawed, value)
    assert values.encode(frozen) == values.encode(value)
    for _, part in pointers(thawed):
        assert not isinstance(part, FrozenDict | FrozenList)


@pytest.mark.parametrize(
    "value", [{1: 2}, {"a": {None: 1}}, b"", object(), {1}, [object()], float("nan"), [float("inf")]]
)
def test_what_is_no_json_value_is_not_thawed(value: Any) -> None:
    with pytest.raises(TypeError):
        values.thaw(value)


# -- encoding -------------------------------------------------------------------------------------------------


@given(strategies.values)
def test_an_encoding_says_the_same_value(value: Any) -> None:
    assert same(json.loads(values.encode(value)), value)


@pytest.mark.parametrize("value", ["\ud800", ["\udfff"], {"\ud800": 1}, object(), {1}, [10**30, object()], {"a": b""}])
def test_what_json_can_not_say_is_not_encoded(value: Any) -> None:
    with pytest.raises(ValueError, match=r"JSON|surrogate"):
        values.encode(value)
