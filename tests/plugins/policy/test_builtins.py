"""Which builtins the embedded engine has, lacks and does differently: held against the engine itself, and OPA."""

import json
import subprocess

import pytest
import regorus

from support.opa import opa_path
from tidegate_policy import builtins, syntax
from tidegate_policy.builtins import AVAILABLE, IMPURE, LACKING, UNBOUNDED, WRONG
from tidegate_policy.growth import BOUNDED

HEAD = "package a\n\nimport rego.v1\n\n"


def refused(text: str) -> list[str]:
    return [str(found) for found in builtins.refused([("a.rego", HEAD + text)])]


def differing(text: str) -> list[str]:
    return [found.what for found in builtins.differences(syntax.parse([("a.rego", HEAD + text)]))]


def is_there(name: str) -> bool:
    engine = regorus.Engine()
    engine.add_policy("a.rego", f"{HEAD}x := {name}()\n")
    try:
        engine.eval_rule_as_json("data.a.x")
    except RuntimeError as error:
        return "could not find function" not in str(error)
    return True


@pytest.mark.parametrize("name", sorted(AVAILABLE | set(WRONG)))
def test_what_is_called_available_is_there(name: str) -> None:
    assert is_there(name)


@pytest.mark.parametrize("name", sorted(LACKING))
def test_what_is_called_lacking_is_not_there(name: str) -> None:
    assert not is_there(name)


def test_every_builtin_is_in_one_class_only() -> None:
    classes = (BOUNDED, UNBOUNDED, LACKING, frozenset(IMPURE), frozenset(WRONG))
    assert sum(map(len, classes)) == len(frozenset[str]().union(*classes))


@pytest.mark.opa
def test_every_builtin_of_opa_is_in_a_class() -> None:
    told = subprocess.run([opa_path() or "opa", "capabilities", "--current"], capture_output=True, check=True)
    names = {each["name"] for each in json.loads(told.stdout)["builtins"] if "infix" not in each}
    known = AVAILABLE | LACKING | set(IMPURE) | set(WRONG)
    assert names - known == set()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("x if {\n\tinput.a\n\thttp.send({})\n}", "a.rego:7: the builtin http.send is not available in the embed"),
        ("x := crypto.sha256(`a`)", "a.rego:5: the builtin crypto.sha256 is not available in the embedded engine"),
        ("x := [y | y := time.now_ns()]", "a.rego:5: the builtin time.now_ns is not available in the embedded engine"),
        ("x if regex.template_match(`a`, `b`, `{`, `}`)", "a.rego:5: the embedded engine does regex.template_match"),
        ("x if [p, v] := walk(input.a)", "a.rego:5: the embedded engine does not do this form of walk"),
        ("x := f(1)", "a.rego:5: there is no function f"),
        ("x := sprintf(input.a, [1])", "a.rego:5: the format of sprintf has to stand in the policy"),
        ("x := sprintf(`%.99999f`, [1])", "a.rego:5: the format of sprintf has to stand in the policy"),
        ("x := time.parse_ns(input.a, `1`)", "a.rego:5: the layout of time.parse_ns has to stand in the policy"),
        ("x := strings.count(input.a, ``)", "a.rego:5: the embedded engine does strings.count differently"),
        ("x := object.subset(input.a, [])", "a.rego:5: the embedded engine does object.subset differently"),
    ],
)
def test_what_cannot_be_evaluated_rightly_is_refused_with_its_place(text: str, what: str) -> None:
    (found,) = refused(text)
    assert found.startswith(what)


def test_functions_of_the_policy_and_what_is_available_are_not_refused() -> None:
    assert refused("x if { f(1); lower(input.a) == `a`; walk(input.b, [p, v]); v == p }\nf(y) if y > 1") == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (r"x if regex.match(`^\d+$`, input.a)", r"\d means Unicode"),
        (r"x := regex.replace(input.a, `\s`, ``)", r"\s means Unicode"),
        (r"x if regex.match(`[a&&b]`, input.a)", "the engines read this class differently"),
        ("x := sprintf(`%5.2f`, [1])", "the engines write %5.2f differently"),
        ("x if glob.match(`[^a]*`, null, input.a)", "the engines read [^ in a glob differently"),
        ("x := time.add_date(0, 0, 1, 0)", "the embedded engine does time.add_date differently"),
    ],
)
def test_where_the_engines_may_differ_is_told(text: str, what: str) -> None:
    (found,) = differing(text)
    assert found.startswith(what)


def test_where_the_engines_agree_nothing_is_told() -> None:
    text = r"x if { regex.match(`^[[:alpha:]0-9_-]+\\w\[[^\[\]]\.$`, input.a); sprintf(`%v %s %02d%%`, [1, 2, 3]) }"
    assert differing(text) == []
