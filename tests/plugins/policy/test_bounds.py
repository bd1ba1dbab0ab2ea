"""No evaluation takes longer than its bound says, and what is cheap has a low one."""

import re

import pytest

from plugins.policy import generated
from tidegate_policy import syntax
from tidegate_policy.bounds import Bound, Size, bound, costs, size
from tidegate_policy.sources import Sources

HEAD = "package a\n\nimport rego.v1\n\n"
STEP = 500e-9
"""Seconds for one step, several times what was measured."""


def bound_of(text: str) -> Bound:
    return bound(syntax.parse([("a.rego", HEAD + text)]), ("data", "a", "x"), generated.DATA)


@pytest.mark.parametrize(
    ("text", "exponents"),
    [
        ("x := 1", (0, 0)),
        ("x contains y if some y in input.a", (1, 0)),
        ("x contains 1 if { some y in input.a; some z in y.items; contains(z, `q`) }", (1, 0)),
        ("x contains 1 if { some y in input.a; some z in split(y.v, `/`); z == `..` }", (1, 0)),
        ("x contains 1 if { some y in input.a; f(y) }\nf(z) if { some w in z.items; w == `q` }", (1, 0)),
        ("x contains 1 if { some y in input.a; some z in data.words; y.v == z }", (1, 1)),
        ("x contains 1 if { some y in input.a; y.k in s }\ns := {`a`, `b`}", (1, 0)),
        ("x contains 1 if { some y in s; some z in data.words; y == z }\ns contains y.k if some y in input.a", (1, 1)),
        ("x contains 1 if { some y in input.a; some z in input.a; y == z }", (2, 0)),
        ("x contains 1 if { some y in input.a; some z in y.items; some w in y.items; z == w }", (2, 0)),
        ("x if { every y in input.a { not f(y) } }\nf(y) if { some z in input.b; z.id == y.id }", (2, 0)),
        ("x contains 1 if { input.a[i].k == input.b[j].k }", (2, 0)),
    ],
)
def test_loops_over_parts_add_nothing_and_independent_ones_multiply(text: str, exponents: tuple[int, int]) -> None:
    found = bound_of(text).exponents
    assert found is not None
    assert found[0] == exponents[0]
    assert found[1] >= exponents[1]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x := numbers.range(1, input.a)", r"a\.rego:5: what numbers\.range costs"),
        ("x if {\n\ty\n} \ny if { z with input.a as 1 }\nz := 1", r"a\.rego:8: with replaces"),
        ("x if regex.match(input.a, input.b)", r"a\.rego:5: what decides how regex\.match works comes from the input"),
        ("x := f(1)\nf(y) := f(y)", r"a\.rego:6: f comes back to itself"),
        ("x if http.send({})", r"a\.rego:5: what http\.send costs"),
    ],
)
def test_what_has_no_bound_says_where_and_why(text: str, why: str) -> None:
    found = bound_of(text)
    assert found.exponents is None
    assert found.steps(Size(1, 1, 1)) == float("inf")
    assert re.match(why, found.why)


def test_a_statement_that_waits_for_a_later_one_is_read_when_its_variables_have_values() -> None:
    found = bound_of("x contains 1 if { contains(y.v, w); w := lower(z); some z in data.words; some y in input.a }")
    assert found.exponents is not None
    assert found.exponents[0] == 1


def test_a_chain_that_may_grow_before_a_statement_is_evaluated_is_not_covered_by_it() -> None:
    """The engine orders by names: `aa` may be looped over before `b` is made."""
    early = bound_of("x contains 1 if { some zz in input.a; b := lower(zz.v); b != `q` }")
    late = bound_of("x contains 1 if { some zz in input.a; b := lower(zz.v); some aa in zz.items; [b, aa] != 1 }")
    assert early.exponents is not None
    assert late.exponents is not None
    assert (early.exponents[0], late.exponents[0]) == (1, 2)


def test_sizes_count_every_value_key_and_byte() -> None:
    longest = "x" * 50
    assert size({"a": [1, "ü", ",:[{"], "bc": {}}) == Size(9, 10, 40)
    assert size([longest, 2**70]) == Size(3, 50 + 22, 50)
    assert size([longest + '"' + longest]) == Size(2, 102, 102)
    assert size(["\\" * 60 + '"' * 10]) == Size(2, 140, 140)


def test_costs_are_given_per_query() -> None:
    found = costs(Sources((("a.rego", HEAD + "x := 1\ny := input.a[_]"),), {}, ""), ["data.a.x", "data.a.y"])
    assert [found[query].exponents for query in ("data.a.x", "data.a.y")] == [(0, 0), (1, 0)]


@pytest.mark.parametrize("seed", range(40))
def test_no_made_up_policy_takes_longer_or_grows_faster_than_its_bound(seed: int) -> None:
    policy = generated.Maker(seed).policy()
    found = bound(syntax.parse([("a.rego", policy)]), generated.QUERY, generated.DATA)
    assert found.cost is not None, found.why
    for small, large in (((16, 9, 2), (64, 9, 2)), ((4, 300, 2), (4, 3000, 2)), ((4, 9, 16), (4, 9, 64))):
        one, two = generated.sized(*small), generated.sized(*large)
        before, after = generated.seconds(policy, one), generated.seconds(policy, two, 2)
        few, many = found.steps(size(one)), found.steps(size(two))
        assert after < 0.005 + STEP * many, policy
        assert after < 0.002 + 5 * before * many / few, policy
