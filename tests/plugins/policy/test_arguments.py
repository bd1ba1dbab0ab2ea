"""The check of arguments against a tool's inputSchema: JSON Schema's meaning, and what hostile schemas can't do."""

import functools
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate import workers
from tidegate.testing import flow, request
from tidegate_policy import arguments
from tidegate_policy.arguments import Arguments
from tidegate_policy.schema_cost import weigh

DRAFT_7 = "http://json-schema.org/draft-07/schema#"


@pytest.fixture(autouse=True)
async def _workers() -> AsyncIterator[None]:
    yield
    await workers.close()


NESTED = functools.reduce(lambda inner, _: {"a": inner}, range(40), dict[str, Any]())


def tool(schema: Any) -> Any:
    """A definition as a flow has it: deeply frozen."""
    message = request("tools/call", {"name": "t", "arguments": {}})
    return flow(message, tool={"name": "t", "inputSchema": schema}).tool


async def refused(schema: Any, given: Any, checker: Arguments | None = None) -> str | None:
    frozen = request("tools/call", {"name": "t", "arguments": given}).body["arguments"]
    found = (checker or Arguments(deadline=20)).refuses(tool(schema), frozen)
    return await found if isinstance(found, Awaitable) else found


def inline(schema: Any, given: Any) -> str | None:
    found = Arguments().refuses(tool(schema), given)
    assert not isinstance(found, Awaitable)
    return found


def on(value: Any) -> dict[str, Any]:
    """A schema for the one argument ``x``."""
    return {"type": "object", "properties": {"x": value}}


CASES: list[tuple[Any, list[Any], list[Any]]] = [
    ({"type": "integer"}, [1, 1.0, -3, 10**30], [1.5, "1", True, None]),
    ({"type": "number"}, [1, 1.5, 10**30], ["1", False]),
    ({"type": ["string", "null"]}, ["", None], [0, [], {}]),
    ({"type": "boolean"}, [True], [0, 1, "true"]),
    ({"enum": ["a", 1, [1, {"b": 2}]]}, ["a", 1, 1.0, [1, {"b": 2}]], ["b", True, [1]]),
    ({"const": 0}, [0, 0.0], [False, "0", None]),
    ({"minLength": 2, "maxLength": 3}, ["ab", "a\U0001f600", 5], ["a", "\U0001f600", "abcd"]),
    ({"pattern": "^a+$"}, ["aa", 7], ["ab", ""]),
    ({"pattern": "b"}, ["abc"], ["ac"]),
    ({"pattern": "^\\d$"}, ["5"], ["\u0665"]),
    ({"format": "email"}, ["no address"], []),
    ({"minimum": 1, "exclusiveMaximum": 5}, [1, 4.9, "9"], [0, 5]),
    ({"multipleOf": 3}, [0, 9, -3], [1]),
    ({"minItems": 1, "maxItems": 2}, [[1], [1, 2], "x"], [[], [1, 2, 3]]),
    ({"uniqueItems": True}, [[1, "1", True]], [[1, 1.0], [{"a": 1}, {"a": 1}]]),
    ({"items": {"type": "string"}}, [[], ["a"]], [["a", 1]]),
    ({"prefixItems": [{"type": "string"}], "items": False}, [["a"], []], [["a", 1], [1]]),
    ({"contains": {"type": "string"}, "minContains": 2}, [["a", 1, "b"]], [["a"], []]),
    ({"required": ["a"]}, [{"a": None}, 5], [{}, {"A": 1}]),
    ({"properties": {"a": {"type": "string"}}, "additionalProperties": False}, [{}, {"a": ""}], [{"b": 1}]),
    ({"patternProperties": {"^n": {"type": "integer"}}}, [{"n1": 1, "x": ""}], [{"n1": ""}]),
    ({"propertyNames": {"maxLength": 1}}, [{"a": 1}], [{"ab": 1}]),
    ({"dependentRequired": {"a": ["b"]}}, [{"b": 1}, {"a": 1, "b": 1}], [{"a": 1}]),
    ({"dependentSchemas": {"a": {"required": ["b"]}}}, [{}], [{"a": 1}]),
    ({"minProperties": 1, "maxProperties": 1}, [{"a": 1}], [{}, {"a": 1, "b": 1}]),
    ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, [1, 2], [0, 3]),
    ({"anyOf": [{"type": "string"}, {"minimum": 5}]}, ["", 6], [1]),
    ({"oneOf": [{"minimum": 5}, {"maximum": 7}]}, [1, 9], [6]),
    ({"not": {"type": "string"}}, [1], [""]),
    ({"if": {"minimum": 5}, "then": {"multipleOf": 5}, "else": {"const": 1}}, [10, 1], [6, 2]),
    ({"$ref": "#/$defs/s"}, ["a"], [1]),
    (True, [1, None], []),
    (False, [], [1]),
]


@pytest.mark.parametrize(("schema", "fit", "unfit"), CASES, ids=lambda part: json.dumps(part)[:40])
async def test_a_keyword_means_what_json_schema_says(schema: Any, fit: list[Any], unfit: list[Any]) -> None:
    whole = on(schema) | {"$defs": {"s": {"type": "string"}}}
    checker = Arguments()
    for value in fit:
        assert await refused(whole, {"x": value}, checker) is None, value
    for value in unfit:
        reason = await refused(whole, {"x": value}, checker)
        assert reason is not None, value
        assert reason.startswith("The arguments don't fit the tool's inputSchema (at /")


async def test_a_missing_argument_fits_unless_it_is_required() -> None:
    assert await refused(on({"type": "string"}), {}) is None
    assert (await refused(on({}) | {"required": ["x"]}, {}) or "").endswith("(at /required).")


def test_the_reason_says_where_in_the_schema_and_nothing_of_the_value() -> None:
    found = inline(on({"type": "string"}), {"x": ["hunter2"]})
    assert found == "The arguments don't fit the tool's inputSchema (at /properties/x/type)."
    found = inline(on({}) | {"additionalProperties": False}, {"hunter2": 1})
    assert found == "The arguments don't fit the tool's inputSchema (at /additionalProperties)."
    odd = {"properties": {"a/b~c": {"const": 1}}}
    assert (inline(odd, {"a/b~c": 2}) or "").endswith("(at /properties/a~1b~0c/const).")


@pytest.mark.parametrize("name", ["x" * 300, "a\nb", "\u202e", "\u4f60"])
def test_names_that_a_server_made_up_to_be_read_are_left_out(name: str) -> None:
    assert inline({"properties": {name: {"const": 1}}}, {name: 2}) == arguments.MISFIT


@pytest.mark.parametrize("given", [[], "x", 1, True, None, [{}]])
def test_arguments_that_are_no_object_are_refused_whatever_the_schema(given: Any) -> None:
    assert inline({}, given) == arguments.NO_OBJECT


@pytest.mark.parametrize("schema", [None, True, [], "object", 1])
def test_a_tool_without_a_schema_that_is_an_object_is_refused(schema: Any) -> None:
    assert inline(schema, {}) == arguments.NO_SCHEMA
    assert Arguments().refuses({"name": "t"}, {}) == arguments.NO_SCHEMA


@pytest.mark.parametrize(
    "schema",
    [
        on({"type": "strng"}),
        on({"pattern": "("}),
        on({"$ref": "#/nowhere"}),
        on({"$ref": "#nowhere"}),
        on({"$ref": "http://127.0.0.1:9/schema.json"}),
        on({"$ref": "file:///etc/hostname"}),
        {"$id": "http://127.0.0.1:9/base/", **on({"$ref": "other.json"})},
        {"$schema": "http://127.0.0.1:9/meta.json"},
        {"$schema": 1},
        {"required": "x"},
        functools.reduce(lambda inner, _: {"not": inner}, range(60), dict[str, Any]()) | {"minLength": -1},
    ],
    ids=lambda schema: json.dumps(schema)[:60],
)
async def test_a_schema_that_does_not_compile_refuses_and_fetches_nothing(schema: Any) -> None:
    checker = Arguments(deadline=20)
    assert await refused(schema, {"x": "a"}, checker) == arguments.BROKEN
    assert await refused(schema, {"x": "a"}, checker) == arguments.BROKEN


async def test_a_schema_over_the_limit_is_refused() -> None:
    assert await refused({"description": "x" * arguments.MAX_SCHEMA}, {}) == arguments.TOO_LARGE
    assert await refused({"description": "x" * (arguments.MAX_SCHEMA - 100)}, {}) is None


async def test_draft_7_is_read_as_draft_7() -> None:
    old = {"$schema": DRAFT_7, "properties": {"x": {"items": [{"type": "string"}], "additionalItems": False}}}
    assert await refused(old, {"x": ["a"]}) is None
    assert await refused(old, {"x": ["a", 1]}) is not None
    assert await refused(old | {"dependencies": {"x": ["y"]}}, {"x": []}) is not None
    assert await refused({"$schema": DRAFT_7, "prefixItems": 5}, {}) is None  # no keyword of that draft


def doubling(levels: int, last: Any) -> dict[str, Any]:
    def twice(name: int) -> dict[str, Any]:
        return {"allOf": [{"$ref": f"#/$defs/{name}"}, {"$ref": f"#/$defs/{name}"}]}

    return {"$defs": {**{str(level): twice(level + 1) for level in range(levels)}, str(levels): last}, **twice(0)}


HOSTILE: dict[str, tuple[Any, Any]] = {
    "a reference to itself": ({"$ref": "#"}, {}),
    "two that lead to each other": (
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}} | on({"$ref": "#/$defs/a"}),
        {"x": 1},
    ),
    "doubled thirty times": (doubling(30, {"type": "object"}), {}),
    "doubled thirty times and unfit": (doubling(30, {"required": ["x"]}), {}),
    "a chain of references": (
        {"$defs": {str(n): {"$ref": f"#/$defs/{n + 1}"} for n in range(5000)} | {"5000": {}}, "$ref": "#/$defs/0"},
        {},
    ),
    "recursion that doubles": (
        {"anyOf": [{"properties": {"a": {"$ref": "#"}}, "required": ["b"]}, {"properties": {"a": {"$ref": "#"}}}]},
        NESTED,
    ),
    "a dynamic reference": ({"$dynamicAnchor": "n", "properties": {"a": {"$dynamicRef": "#n"}}}, NESTED),
    "what backtracks": (on({"pattern": "^(?=(a+)+$)(a+)+$"}), {"x": "a" * 40 + "!"}),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_schema_neither_stalls_nor_ends_the_process(name: str) -> None:
    schema, given = HOSTILE[name]
    assert weigh(schema) is None or name == "what backtracks"
    checker = Arguments(deadline=20)
    before = time.process_time()
    first = await refused(schema, given, checker)
    assert first is None or first in (arguments.UNCHECKED, arguments.BROKEN) or first.startswith(arguments.MISFIT[:-1])
    if name == "doubled thirty times":
        assert first == arguments.UNCHECKED  # cut off
    second = await refused(schema, given, checker)
    assert second == first
    assert time.process_time() - before < 1.0  # here; the work is the worker's


async def test_look_around_and_back_references_work_in_a_worker() -> None:
    schema = on({"pattern": r"^(?!.*\.\.)(\w)\1"})
    checker = Arguments(deadline=20)
    assert await refused(schema, {"x": "aab"}, checker) is None
    assert await refused(schema, {"x": "abb"}, checker) is not None
    assert await refused(schema, {"x": "aa..b"}, checker) is not None


async def test_a_recursive_schema_works_in_a_worker() -> None:
    tree = {"type": "object", "properties": {"value": {"type": "integer"}, "left": {"$ref": "#"}}}
    assert await refused(tree, {"left": {"left": {"value": 1}}}) is None
    assert (await refused(tree, {"left": {"value": "1"}}) or "").endswith("(at /properties/value/type).")


async def test_a_regular_expression_that_would_be_huge_is_refused() -> None:
    assert await refused(on({"pattern": "a{1000}{1000}"}), {"x": "a"}) is not None


async def test_a_check_that_takes_too_long_is_refused() -> None:
    assert await refused(doubling(30, {"type": "object"}), {}, Arguments(deadline=0.01)) == arguments.LATE


async def test_arguments_too_large_for_here_are_checked_in_a_worker() -> None:
    schema = on({"items": {"pattern": "^(ab?){20}$"}})
    words = ["ab" * 20] * 5000
    found = Arguments(deadline=20).refuses(tool(schema), {"x": words})
    assert isinstance(found, Awaitable)
    assert await found is None
    assert await refused(schema, {"x": [*words, "b"]}) is not None


@pytest.mark.parametrize(
    "schema",
    [
        on({"pattern": "[ab]*a[ab]{3000}[cd]"}),
        on({"pattern": "[ab]*a([ab]{60}){50}[cd]"}),
        on({"pattern": "[ab]*a[ab]{60}{50}[cd]"}),
        on({"pattern": "[ab]*a([ab]{60})?{50}[cd]"}),
        on({"anyOf": [{"pattern": f"[ab]*a[ab]{{{n}}}[cd]"} for n in range(200, 300)]}),
        {"patternProperties": {f"[ab]*a[ab]{{{n}}}[cd]": {} for n in range(200, 300)}},
        on({"items": {"enum": [{"a": n, "b": [1, 2, 3]} for n in range(1500)]}}),
        on({"items": {"allOf": [{"required": ["a", "b", "c"]}] * 2000}}),
        on({"anyOf": [{"type": "null"}] * 3000}),
        on({"items": {"anyOf": [{"allOf": [{"required": ["c"]}] * 50}] * 20}}),
        on({"items": {"allOf": [{"multipleOf": 0.1}] * 15}}),
        on({"items": {"allOf": [{"maximum": 5}] * 300}}),
        on({"items": {"enum": [0.1, 5e-324]}}),
        on({"uniqueItems": True}),
        doubling(12, on({"items": {"type": "object"}})),
    ],
    ids=lambda schema: json.dumps(schema)[:50],
)
def test_what_is_checked_here_takes_no_longer_than_its_weight_says(schema: Any) -> None:
    """The largest arguments that are still checked here."""
    found = weigh(schema)
    if found is None:
        return
    rng = random.Random(1)
    for size in (64, 256, 1024, 4096, 16384):
        text = "".join(rng.choice("ab") for _ in range(size))
        items = [{"a": n % 7, "b": [1, 2, 3]} for n in range(size // 20)]
        numbers = [(n * 1e-300, 1e300 + n, n + 0.1)[n % 3] for n in range(size // 10)]
        for value in ({"x": text}, {"x": items}, {"x": numbers}, {text: 1}):
            checker = Arguments()
            definition = tool(schema)
            checker.refuses(definition, {})
            before = time.process_time()
            given = checker.refuses(definition, value)
            spent = time.process_time() - before
            if isinstance(given, Awaitable):
                given.close()  # type: ignore[attr-defined]  # a coroutine, never begun
                continue
            assert spent < 0.05  # ten milliseconds by the model; the machine may be busy


def test_what_is_remembered_of_schemas_is_bounded() -> None:
    checker = Arguments()
    for number in range(3000):
        assert checker.refuses(tool({"title": str(number)}), {}) is None
    assert len(checker._known) <= arguments._KEPT
    assert len(checker._seen) <= arguments._KEPT
    for number in range(60):
        assert (
            checker.refuses(tool({"title": f"{number:200000}", "$ref": "#/$defs/a", "$defs": {"a": {}}}), [])
            is not None
        )
    assert checker._bytes <= arguments._KEPT_BYTES
    assert checker._bytes == sum(len(known.text) for known in checker._known.values())


def test_the_same_schema_listed_again_is_compiled_once() -> None:
    checker = Arguments()
    one, two = tool(on({"type": "string"})), tool(on({"type": "string"}))
    checker.refuses(one, {})
    checker.refuses(two, {})
    assert len(checker._known) == 1
    assert len(checker._seen) == 2


@pytest.mark.parametrize(
    "schema",
    [
        on({"pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"}),
        on({"anyOf": [{"type": "string"}, {"type": "array", "items": {"$ref": "#/$defs/s"}}]}) | {"$defs": {"s": {}}},
        {"$schema": DRAFT_7, "$id": "https://example.com/t", **on({"type": "string"})},
    ],
)
def test_ordinary_schemas_are_checked_here(schema: Any) -> None:
    assert not isinstance(Arguments().refuses(tool(schema), {"x": "a" * 500}), Awaitable)


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from([0.0, 1.0, 1.5, 2**64, "", "a", "ab", "\U0001f600"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
TYPES = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])
COUNTS = st.integers(0, 3)


def schemas() -> st.SearchStrategy[Any]:
    def below(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        named = st.dictionaries(st.sampled_from("abc"), inner, max_size=2)
        several = st.lists(inner, min_size=1, max_size=2)
        one = ["items", "contains", "not", "additionalProperties", "propertyNames", "if", "then", "else"]
        one += ["unevaluatedProperties", "unevaluatedItems"]
        keywords = {
            **dict.fromkeys(one, inner),
            **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), several),
            **dict.fromkeys(("properties", "dependentSchemas", "patternProperties"), named),
            "$ref": st.sampled_from(["#/$defs/a", "#/$defs/b"]),
        }
        return st.fixed_dictionaries({}, optional=keywords) | leaf

    leaf = st.booleans() | st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES | st.lists(TYPES, min_size=1, max_size=2, unique=True),
            "enum": st.lists(VALUES, min_size=1, max_size=3),
            "const": VALUES,
            "minLength": COUNTS,
            "maxLength": COUNTS,
            "pattern": st.sampled_from(["a", "^a", "b$", "^(a|b)*$", "^.$"]),
            "minimum": COUNTS,
            "exclusiveMaximum": COUNTS,
            "multipleOf": st.integers(1, 3),
            "minItems": COUNTS,
            "maxItems": COUNTS,
            "uniqueItems": st.booleans(),
            "minContains": COUNTS,
            "required": st.lists(st.sampled_from("abc"), max_size=2, unique=True),
            "maxProperties": COUNTS,
            "format": st.just("email"),
        },
    )
    return st.recursive(leaf, below, max_leaves=8)


@given(
    st.fixed_dictionaries({"properties": st.fixed_dictionaries({"x": schemas()}), "additionalProperties": schemas()}),
    schemas().filter(lambda schema: "$ref" not in json.dumps(schema)),
    st.dictionaries(st.sampled_from(["x", "y"]), VALUES, max_size=2),
)
def test_it_agrees_with_the_reference_implementation(schema: Any, shared: Any, given: Any) -> None:
    whole = schema | {"$defs": {"a": shared, "b": {"type": "string"}}}
    expected = jsonschema.Draft202012Validator(whole).is_valid(given)
    for number in (1, 2):  # here, or as a worker would
        if number == 1:
            found = Arguments().refuses(tool(whole), given)
            if isinstance(found, Awaitable):
                found.close()  # type: ignore[attr-defined]  # a coroutine, never begun
                continue
        else:
            found = arguments._misfit_of(json.dumps(whole), given)
        assert (found is None) == expected
        assert found is None or found.startswith(arguments.MISFIT[:-1])
