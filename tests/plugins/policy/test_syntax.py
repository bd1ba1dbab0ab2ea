"""Rego is read into a tree in which nothing is lost: lines, names, and what isn't known."""

import pytest

from tidegate_policy import scopes, syntax
from tidegate_policy.sources import PolicyError
from tidegate_policy.syntax import Expr, Module, Program

POLICY = """package tidegate

import rego.v1
import data.tidegate.lib.text as words
import input.session as conversation

default decision := {}

decision := {"deny": deny} if {
	some call in conversation.calls
	every key, value in input.arguments { value != key }
	lowered := [lower(each) | each := input["arguments"][_]]
	not words.plain(lowered[0])
}

deny contains "a" if input.method == "b"

table[key] := value if some key, value in input.arguments

first(one, [two, _]) := 1 if one == two
else := 2 if one > 3
else := 4
"""
LIBRARY = """package tidegate.lib.text

import rego.v1

plain(text) if not contains(text, "/")
"""


def program() -> Program:
    return syntax.parse([("a.rego", POLICY), ("lib/text.rego", LIBRARY)], as_written=True)


def uses(program: Program, *path: str) -> list[scopes.Use]:
    return [use for rule in program.rules[("data", "tidegate", *path)] for use in scopes.uses(rule)]


def test_rules_are_found_by_their_full_path_with_their_kind_and_line() -> None:
    found = {(".".join(path[1:]), rule.kind, rule.line) for path, rules in program().rules.items() for rule in rules}
    assert found == {
        ("tidegate.decision", "default", 7),
        ("tidegate.decision", "value", 9),
        ("tidegate.deny", "set", 16),
        ("tidegate.table", "object", 18),
        ("tidegate.first", "function", 20),
        ("tidegate.lib.text.plain", "function", 5),
    }


def test_an_else_is_a_body_of_its_own_with_its_own_value() -> None:
    (rule,) = program().rules[("data", "tidegate", "first")]
    assert [body.value and body.value.value for body in rule.bodies] == [1, 2, 4]


def test_lines_are_right_behind_tabs_and_in_nested_bodies() -> None:
    lines = {use.expr.value: use.expr.line for use in uses(program(), "decision") if use.expr.kind == "call"}
    assert lines == {"lower": 12, "words.plain": 13}


def test_names_that_statements_declare_are_local_in_their_body_and_below() -> None:
    def local(name: str) -> frozenset[str]:
        return next(u.local for u in uses(program(), "decision") if u.expr.value == name and u.expr.kind == "var")

    assert local("value") == {"call", "lowered", "key", "value"}
    assert local("each") == {"call", "lowered", "each"}


def test_references_mean_input_data_imports_or_rules_of_the_same_package() -> None:
    whole = program()
    (module,) = [module for module in whole.modules if module.file == "a.rego"]

    def means(*names: str) -> tuple[str, ...] | None:
        base, *rest = (Expr("var" if not index else "scalar", 1, name) for index, name in enumerate(names))
        place = whole.place(Expr("ref", 1, None, (base, *rest)), module, frozenset(("each",)))
        return place and place.path

    assert means("conversation", "calls") == ("input", "session", "calls")
    assert means("deny", "x") == ("data", "tidegate", "deny", "x")
    assert means("words", "plain") == ("data", "tidegate", "lib", "text", "plain")
    assert means("data", "other") == ("data", "other")
    assert means("each", "a") is None
    assert means("nothing") is None


def test_a_package_leads_to_all_rules_in_it() -> None:
    assert program().under(("data", "tidegate", "lib")) == [("data", "tidegate", "lib", "text", "plain")]
    assert program().under(("data", "tidegate", "deny", "x")) == [("data", "tidegate", "deny")]
    assert program().under(("data", "settings")) == []


def test_what_is_no_rego_is_told_in_one_line_with_its_place() -> None:
    with pytest.raises(PolicyError, match=r"^bad\.rego:4: expecting `}` while parsing set$"):
        syntax.parse([("bad.rego", "package a\nimport rego.v1\nx := {\ny if\n")])


@pytest.mark.parametrize(
    "node",
    [
        {"OrExpr": {"span": {"line": 3}, "lhs": {}, "rhs": {}}},
        {"Var": {"span": {"line": 3}}},
        {"Call": {"span": {"line": 3}, "fcn": {"Null": {"span": {"line": 3}, "value": None}}, "params": []}},
    ],
)
def test_a_node_that_is_not_known_is_unknown_and_not_nothing(node: dict[str, object]) -> None:
    span = {"line": 1, "start": 0, "end": 0}
    name = {"Var": {"span": span, "value": "a"}}
    stmt = {"span": span, "literal": {"Expr": {"expr": node}}}
    head = {"Compr": {"span": span, "refr": name, "assign": None}}
    body = {"assign": None, "is_else": False, "query": {"stmts": [stmt, {"span": span, "literal": {"New": {}}}]}}
    rules = [{"Spec": {"span": span, "head": head, "bodies": [body]}}, {"New": {"span": span}}]
    read: Module = syntax.read("", "a.rego", {"package": {"refr": name}, "imports": [], "rules": rules})
    assert [use.expr.kind for use in scopes.uses(read.rules[0])] == ["unknown", "unknown"]
    assert read.rules[1].kind == "unknown"
