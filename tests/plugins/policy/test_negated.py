"""Negated expressions that OPA doesn't take aren't taken here either, and what was moved is looked at again."""

import subprocess
from pathlib import Path

import pytest

from support.opa import opa_path
from tidegate_policy import builtins, negated

HEAD = "package t\n\nimport rego.v1\n\nf(y) if is_string(y)\n\nr := 1\n\n"
UNSAFE = {
    "x if not startswith(input.xs[_], `a`)": "_ has no value there",
    "x if not input.xs[_] == 1": "_ has no value there",
    "x if not input.xs[_]": "_ has no value there",
    "x if not f([input.xs[_]])": "_ has no value there",
    "x if not f(input.xs[i])": "i has no value there",
    "x if not input.xs[i][r] == 1": "i has no value there",
    "x if not f(i)": "i has no value there",
    "x if { not f(input.xs[i]); not f(input.ys[i]) }": "i has no value there",
    "x if { some i; not f(input.xs[i]) }": "i has no value there",
    "x if { every y in input.xs { not f([y, input.xs[_]]) } }": "_ has no value there",
    "x if count([1 | not f(input.xs[_])]) == 1": "_ has no value there",
    "x := count([1 | not f(input.xs[_])])": "_ has no value there",
    "x if not y := 1": "a variable gets no value inside of not",
}
SAFE = """
x if not f(lower(input.xs[_]))
x if not count(input.xs[_]) == 1
x if not f(r)
x if not f(input.xs[r])
x if not f(data.t.r)
x if { not f(input.xs[i]); input.ys[i] }
x if { not f(i); i = 1 }
x if { not f(lower(input.xs[i])); not f(input.ys[i]) }
x := count([1 | some i, _ in input.xs; not f(input.xs[i])])
x if { some i, _ in input.xs; not f(input.xs[i]) }
x if { every i, y in input.xs { not f([input.xs[i], y]) } }
x if { some i, _ in input.xs; every y in input.xs { not f([input.xs[i], y]) } }
x := [input.xs[i] | not f(input.ys[i])]
x contains input.xs[i] if not f(input.ys[i])
x := input.xs[i] if not f(input.ys[i])
x(i) if not f(input.xs[i])
x if not f([y | y := input.xs[_]])
x if not f(input.xs[i]) with input.xs[_] as 1 # the target is no reference that gives a value
""".strip().splitlines()[:-1]


def refused(text: str) -> list[str]:
    return [str(found) for found in builtins.refused([("t.rego", f"{HEAD}{text}\n")])]


def taken(folder: Path, text: str) -> bool:
    file = folder / "t.rego"
    file.write_text(f"{HEAD}{text}\n", encoding="utf-8")
    done = subprocess.run(
        [str(opa_path()), "check", "--format", "json", file], capture_output=True, text=True, check=False
    )
    return done.returncode == 0


@pytest.mark.parametrize("text", UNSAFE)
def test_a_variable_that_has_no_value_outside_of_the_not_is_refused(text: str) -> None:
    assert refused(text) == [f"t.rego:9: OPA refuses what is negated here: {UNSAFE[text]}"]


@pytest.mark.parametrize("text", SAFE)
def test_a_variable_that_has_one_is_not(text: str) -> None:
    assert refused(text) == []


@pytest.mark.opa
def test_opa_refuses_the_same(tmp_path: Path) -> None:
    assert [text for text in UNSAFE if taken(tmp_path, text)] == []
    assert [text for text in SAFE if not taken(tmp_path, text)] == []


@pytest.mark.parametrize(
    "said", ["input.y in [1]", "1 in input.y", "[1 in r]", "f(lower(input.y) in [`a`])", "1, input.y in [1]"]
)
def test_in_as_a_value_is_refused_where_an_operand_may_be_missing(said: str) -> None:
    wanted = "t.rego:9: this use of in as a value is false in the embedded engine where an operand is missing: "
    assert (
        refused(f"x := {said}") == refused(f"x if {{ y := {said}; y }}") == [wanted + "give its operands names first"]
    )


@pytest.mark.parametrize("said", ["1 in [2, `a`]", "y in {1}", "y, 1 in {y: 2}", "y in [z | z := input.z]"])
def test_in_as_a_value_is_taken_where_none_is(said: str) -> None:
    assert refused(f"x if {{ y := input.y; z := {said}; z }}") == []
    assert refused("x if input.y in [1]") == refused("x if not input.y in [1]") == []


@pytest.mark.parametrize(
    ("written", "made"),
    [
        ("x if { not f(input.a) }", "x if { tidegate_not_1 := input.b; not f(tidegate_not_1) }"),
        ("x if { not f(input.a) }", "x if { tidegate_not_1 := input.a; not f(1) }"),
        ("x if { not f(input.a) }", "x if { tidegate_not_1 := input.a; input.b; not f(tidegate_not_1) }"),
        ("x if { not f(input.a) }", "x if { not f(input.a); tidegate_not_1 := 1 }"),
        ("x if { not f(input.a) }", "x if { tidegate_not_1 := input.a; f(tidegate_not_1) }"),
        (
            "x if { not f(input.a) with input.b as 1 }",
            "x if { tidegate_not_1 := input.a; not f(tidegate_not_1) with input.b as 1 }",
        ),
        ("x if { not f(1) }", "x if { not f(1) }\n\ny := 1"),
        ("x if { not f(1) }", "x(y) if { not f(1) }"),
        ("x if { not f(1) }", "x := 1 if { not f(1) }"),
    ],
)
def test_what_was_moved_otherwise_is_found(written: str, made: str) -> None:
    (found,) = negated.compared("t.rego", f"{HEAD}{written}\n", f"{HEAD}{made}\n")
    assert found[0] == "t.rego"
    assert found[2] == "what is negated in this rule can't be read for certain: give its parts names first"
