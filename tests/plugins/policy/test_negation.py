"""Negated expressions mean on the embedded engine what they mean on OPA, whatever is missing in them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.opa import opa_path
from tidegate_policy import builtins, evaluating, packs, syntax
from tidegate_policy.negation import moved_out, names
from tidegate_policy.sources import PolicyError

HEAD = """package t

import rego.v1

import data.nothing as absent
import input.nope["more"]

f(text) if is_string(text)

g(text) := is_string(text)

same(left, right) if left == right

object_of(value) := {"y": value}

words := {"a"}

limits := {"a": 1}

missing := input.nope

there := "k"

"""
INPUT: dict[str, Any] = {"k": "a", "none": False, "list": ["a", "b"], "of": {"a": 1}}
NEGATED = """
f(input.nope)
f(input.k)
f(input.none)
f(input.nope.more.yet)
f(input["nope"])
f(input[there])
f(input[missing])
f(missing)
f(absent)
f(more)
f(data.t.missing)
f(data.nowhere)
f(lower(input.nope))
f(g(input.nope))
f(object.get(input, "nope", null))
(f(input.nope))
((f((input.nope))))
startswith(input.nope, "a")
startswith("a", input.nope)
startswith(input.nope, `a`)
same({"a": input.nope}, {"a": 1})
same([input.nope], [1])
same({input.nope}, {1})
same({input.nope: 1}, 1)
same([], input.list)
same("not f(input.nope)", "x")
is_array([y | y := input.nope])
g(input.nope)
g(input.nope) == true
g(input.k) == false
true == g(input.nope)
count([input.nope]) == 1
count(words) == count(input.nope)
count([1 | f(input.nope)]) > 0
count([1 | not f(input.nope)]) > 0
count([1 | not f(input.nope)]) == 0
count({y | some y in input.list; not startswith(y, input.k)}) == 1
object_of(input.nope).y
object_of(input.nope).y == 1
object_of(input.k).y == "b"
input.nope == 1
input.nope = 1
1 = input.nope
input.nope == missing
missing == 1
(input.nope) == (1)
(input.nope == 1)
input.nope != 1
(input.nope != 1)
input.nope < 1
input.nope >= input.more
input.k < "b"
input.nope in words
input.k in words
input.k in {input.nope, "b"}
"a" in input.nope
"a", input.nope in input.of
"a", 2 in input.of
"a", 1 in limits
("a", 1 in limits)
1 == 1 in [false]
input.nope + 1
input.nope + 1 == 2
1 - 1 == 0
count(input.list) - 1 == input.nope
-1 == input.k
{1} | {2} == {1}
words & {input.k} == {"b"}
input.nope
input.k
input.nope.more
input.none
missing
absent
limits[input.nope]
limits[input.k]
limits[input.nope] == 1
limits[missing]
limits[missing] == 1
limits[lower(input.nope)]
input.of[input.list[3]]
input.of[input.list[0]] == 2
input.list[count(input.nope)]
[input.nope]
[input.k] == [input.nope]
[[input.nope]] == [[1]]
{"a": input.nope} == {"a": 1}
{input.nope} == {1}
[1, 2][input.nope] == 1
[input.nope, 2][1] == 2
[y | y := input.nope] == []
[y | y := input.nope][0] == 1
[y | y := 1][input.nope] == 1
[1 | not f(input.nope)] == [1]
[1 | not f(input.nope)]
f(input.nope) with input as {"nope": "a"}
f(input.nope) with input as {"nope": 1}
f(input.nope) with input.more as 1 with input.nope as 1
f(input.k) with input as {}
f(missing) with input as {"nope": 1}
missing == 1 with input.nope as 1
f(lower(input.list[_]))
count(input.list[_]) == 2
f(input.nope) # input.k
f(input["k"]) # ; not f(input.nope)
f(input.nope); 1 == 1
""".strip().splitlines()
WRITTEN = {
    "over several lines": 'x if {\n\tnot same(\n\t\tinput.k, # "a"\n\t\tinput.nope,\n\t)\n}',
    "what is given over several lines": "x if {\n\tnot f({y |\n\t\tsome y in input.list\n\t\tnot y == input.k\n\t})\n}",
    "an operator on the next line": 'x if {\n\tnot input.k\n\t== "a"\n}',
    "an operator at the end of a line": "x if {\n\tnot input.nope ==\n\t1\n}",
    "minus on the next line": "x if {\n\tnot 1\n\t- 1 == 1\n}",
    "in on the next line": 'x if {\n\tnot input.k\n\tin ["c"]\n}',
    "with on the next line": 'x if {\n\tnot f(input.nope)\n\twith input as {\n\t\t"nope": 1,\n\t}\n}',
    "one not behind the other": "x if {\n\tnot f(1)\n\tnot f(input.nope)\n\tnot input.nope\n}",
    "an array behind a not": "x if {\n\tnot f(1)\n\t[1, 2]\n}",
    "brackets behind a not": "x if {\n\tnot f(1)\n\t(1 == 1)\n}",
    "without a space": "x if { not(f(input.nope)) }",
    "on another line": "x if {\n\tnot\n\tf(input.nope)\n}",
    "a body without braces": "x if not f(input.nope)",
    "a body without braces, on another line": "x if\n\tnot f(input.nope) # not f(1)\n\ny := 1",
    "else": "x := 1 if not f(input.nope) else := 2 if not f(input.more) else := 3",
    "else on another line": "x := 1 if {\n\tnot f(input.nope)\n} else := 2 if {\n\tnot f(input.k)\n} else := 3",
    "a set": "x contains y if {\n\tsome y in input.list\n\tnot startswith(y, input.k)\n}",
    "a set, missing": "x contains y if {\n\tsome y in input.list\n\tnot startswith(y, input.nope)\n}",
    "every": "x if every y in input.list { not startswith(y, input.nope) }",
    "every, nested": "x if every y in input.list { every z in [1] { not same([y, z], [input.k, 1]) } }",
    "an argument": 'h(y) if not f(input[y])\n\nx := [h("k"), 1]',
    "an argument that is missing": 'h(y) if not f(input[y])\n\nx := [1 | not h("nope")]',
    "a local variable": 'x if {\n\ty := "nope"\n\tnot f(input[y])\n}',
    "a variable that comes later": "x if {\n\tnot f(y)\n\ty = 1\n}",
    "a name that is a rule's elsewhere": "h(missing) if not f(missing)\n\nx if h(1)",
    "an object": "x[y] := 1 if {\n\tsome y in input.list\n\tnot same(y, input.k)\n}",
    "a default": "default x := 5\n\nx := 1 if not f(input.nope)",
    "two rules on a line": "h := 1 if not f(input.nope) x := [1 | not h]",
    "carriage returns": "x if {\r\n\tnot f(input.nope)\r\n\tnot input.nope\r\n}\r",
}


def embedded(text: str) -> Any:
    engine = evaluating.compiled([("t.rego", text)], {})
    engine.set_input(INPUT)
    said = engine.eval_rule_as_json("data.t.x")
    return None if "undefined" in said else json.loads(said)


def opa(folder: Path, texts: list[str]) -> list[Any]:
    """Return what OPA says of x in each of several policies, each in a package of its own."""
    for number, text in enumerate(texts):
        apart = text.replace("package t\n", f"package t{number}\n").replace("data.t.", f"data.t{number}.")
        (folder / f"{number}.rego").write_text(apart, encoding="utf-8", newline="")
    (folder / "input.json").write_text(json.dumps(INPUT), encoding="utf-8")
    command = [str(opa_path()), "eval", "-d", folder, "-i", folder / "input.json", "--strict-builtin-errors"]
    done = subprocess.run([*map(str, command), "data"], capture_output=True, text=True, check=False)
    whole = json.loads(done.stdout)
    assert "errors" not in whole, whole["errors"]
    found = whole["result"][0]["expressions"][0]["value"]
    return [found.get(f"t{number}", {}).get("x") for number in range(len(texts))]


@pytest.mark.opa
def test_every_form_decides_as_on_opa(tmp_path: Path) -> None:
    bodies = {said: f"x if {{\n\tnot {said}\n}}" for said in NEGATED} | WRITTEN
    texts = [f"{HEAD}{body}\n" for body in bodies.values()]
    theirs = opa(tmp_path, texts)
    ours = [embedded(text) for text in texts]
    assert [(said, *each) for said, *each in zip(bodies, ours, theirs, strict=True) if each[0] != each[1]] == []
    assert [str(found) for text in texts for found in builtins.refused([("t.rego", text)])] == []
    assert 20 < ours.count(None) < len(ours) - 20


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("{ not f(input.x) }", "{ N_1 := input.x; not f(N_1) }"),
        ("not f(input.x)", "{ N_1 := input.x; not f(N_1) }"),
        ("{ not f(y, 1, `a`, null, input.x) }", "{ N_1 := input.x; not f(y, 1, `a`, null, N_1) }"),
        ("{ not r < lower(input.x) }", "{ N_1 := r; N_2 := lower(input.x); not N_1 < N_2 }"),
        ("{ not input.x == f(y).z }", "{ N_1 := f(y); not input.x == N_1.z }"),
        ("{ not input.x[y][input.y].z }", "{ N_1 := input.y; not input.x[y][N_1].z }"),
        ("{ not input.x == 1 }", "{ not input.x == 1 }"),
        ("{ not y in [1, 2]; input.not }", "{ not y in [1, 2]; input.not }"),
        ('{ "not f(input.x)" } # not f(input.x)', '{ "not f(input.x)" } # not f(input.x)'),
        (
            "{ not f(input.x) with input.x as [1] }",
            "{ N_1 := input.x with input.x as [1]; not f(N_1) with input.x as [1] }",
        ),
        ("{ not f([1 | not g(input.x)]) }", "{ N_1 := [1 | N_2 := input.x; not g(N_2)]; not f(N_1) }"),
    ],
)
def test_operands_are_moved_in_front_of_the_not(said: str, wanted: str) -> None:
    text = f"package t\n\nr := 1\n\nx if {said}\n"
    moved = moved_out("t.rego", text, names([("t.rego", text)]))
    assert moved == f"package t\n\nr := 1\n\nx if {wanted}\n".replace("N_", "tidegate_not_")


@pytest.mark.parametrize(
    "text", ["x if { not f(input.x }", "x if not", "not", "x if { not }", "(]not", "x if not f(input.x) $`"]
)
def test_what_is_no_rego_is_told_by_the_engine(text: str) -> None:
    with pytest.raises(PolicyError, match=r"^t\.rego:[34]: "):
        evaluating.compiled([("t.rego", f"package t\n\n{text}\n")], {})


def test_a_name_in_another_file_of_the_package_is_a_rule_and_no_local_variable() -> None:
    modules = [("a.rego", "package t\n\nimport rego.v1\n\nx if not is_null(r)\n")]
    modules.append(("b.rego", "package t\n\nimport rego.v1\n\nr := 1 if input.x\n"))
    assert evaluating.Policy(modules, {}).ask(["data.t.x"], {})[0] != "true"


def test_names_of_its_own_are_refused_in_a_policy() -> None:
    with pytest.raises(PolicyError, match=r"^t\.rego:4: names that begin with tidegate_not are Tidegate's own$"):
        moved_out("t.rego", "package t\n\nx if not y\ntidegate_not_1 := 1\n")


def test_what_with_says_over_several_lines_is_refused_where_it_cannot_be_said_twice() -> None:
    text = "package t\n\nx if {\n\tnot f(input.x)\n\t\twith input as {1 |\n\t\tinput.y\n\t}\n}\n"
    with pytest.raises(
        PolicyError, match=r"^t\.rego:\d: what is said behind with needs to be a variable, or on one line$"
    ):
        moved_out("t.rego", text)


def test_lines_stay_where_they_are() -> None:
    for path, text in packs.assembled(None, tuple(packs.names()), {}).sources.modules:
        moved = moved_out(path, text)
        assert moved.count("\n") == text.count("\n")
        lines = zip(text.splitlines(), moved.splitlines(), strict=True)
        assert all(left == right or "tidegate_not" in right for left, right in lines)
    rule = syntax.parse([("t.rego", HEAD + WRITTEN["over several lines"] + "\n\nlast := 1\n")]).modules[0].rules[-1]
    assert rule.line == HEAD.count("\n") + 8


def test_an_error_is_told_with_the_line_it_has_in_the_file() -> None:
    text = f"{HEAD}x if {{\n\tnot f(input.k)\n\tnot startswith(input.of, input.k)\n}}\n".replace(
        "not f(input.k)", "input.k"
    )
    (failure,) = evaluating.Policy([("t.rego", text)], {}).ask(["data.t.x"], INPUT)
    assert failure == ("error", f"t.rego:{HEAD.count(chr(10)) + 3}")
