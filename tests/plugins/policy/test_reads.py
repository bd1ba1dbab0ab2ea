"""What a policy can read of the input, through rules, functions and modules."""

import pytest

from tidegate_policy import syntax
from tidegate_policy.reads import ALL, needs, reach, reads, wanted
from tidegate_policy.sources import Sources

HEAD = "package a\n\nimport rego.v1\n\n"
X = ("data", "a", "x")


def read(text: str, *others: tuple[str, str]) -> set[str]:
    program = syntax.parse([("a.rego", HEAD + text), *others])
    return {".".join(path) for path in reads(program, X)}


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("x := 1", set()),
        ("x if input.method == `a`", {"method"}),
        ("x if input[`method`] == `a`", {"method"}),
        ("x contains y if { some call in input.session.calls; y := call.tool }", {"session.calls"}),
        ("x := input.session if input.session.age_s > 3", {"session"}),
        ("x := y\ny := z\nz := input.method\nunused := input.tool", {"method"}),
        ("x := f(1)\nf(y) := y + input.time.hour", {"time.hour"}),
        ("x := [y | every z in input.cut { z != input.method }; y := input.v]", {"cut", "method", "v"}),
        ("default x := false\nx if { not y }\ny if input.phase == `list`", {"phase"}),
        ("x := y if { y := 1 with input.method as input.phase }", {"phase"}),
        ("x if { y := input.arguments; y.path }", {"arguments"}),
        ("x if { method := `tool`; method == `a` }\nmethod := input.method", set()),
        ("x if data.a[input.phase]\ny := input.method", {"method", "phase"}),
        ("x := 1 if { false } else := input.method", {"method"}),
        ("x[input.phase] := input.method if true", {"method", "phase"}),
    ],
)
def test_the_members_that_a_rule_leads_to_are_read_and_no_others(text: str, paths: set[str]) -> None:
    assert read(text) == paths


@pytest.mark.parametrize(
    "text",
    [
        "x := input",
        "x := input[y] if { y := input.method }",
        "x if { walk(input, [_, y]); y == 1 }",
        "x := f(input)\nf(y) := 1",
    ],
)
def test_the_input_as_a_whole_or_by_a_computed_name_is_all(text: str) -> None:
    assert reads(syntax.parse([("a.rego", HEAD + text)]), X) == ALL


def test_other_modules_are_followed_through_imports_and_full_names() -> None:
    other = "package lib.b\n\nimport rego.v1\n\nf(y) if y == input.method\n\nset contains input.phase\n"
    assert read("import data.lib.b\nx if b.f(1)", ("b.rego", other)) == {"method"}
    assert read("import data.lib.b.set as s\nx if s.a", ("b.rego", other)) == {"phase"}
    assert read("x if data.lib", ("b.rego", other)) == {"method", "phase"}


def test_a_place_says_file_and_line_and_data_is_told_apart() -> None:
    found = reach(syntax.parse([("a.rego", HEAD + "x if {\n\tinput.method\n\tdata.settings.y\n}")]), X)
    assert [(read.path, read.file, read.line) for read in found.reads] == [(("input", "method"), "a.rego", 6)]
    assert [read.path for read in found.data] == [("data", "settings", "y")]


def test_a_member_is_needed_in_whole_or_in_part() -> None:
    paths = frozenset({("session", "recent", "minute"), ("tool",)})
    assert needs(paths, "session")
    assert needs(paths, "session", "recent")
    assert needs(paths, "tool", "name")
    assert not needs(paths, "session", "calls")
    assert needs(ALL, "anything")


def test_what_is_wanted_is_named_as_it_is_made() -> None:
    sources = Sources((("a.rego", HEAD + "x if input.session.recent.day[`a/b`] > 3"),), {}, "")
    assert wanted(sources, ["data.a.x"]) == {"session", "session.recent"}
