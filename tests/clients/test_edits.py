"""Changing JSON, TOML and YAML in place, and refusing what can't be changed without touching more."""

from pathlib import PurePosixPath

import pytest

from tidegate.clients import edits, jsonc, tomls, yamls
from tidegate.clients.edits import Append, Drop, Edit, FileRefused, Format, Prefix, Set

AT = "mcpServers"


@pytest.mark.parametrize(
    ("before", "edit", "after"),
    [
        ("", Set(("a", "b"), 1), '{\n  "a": {\n    "b": 1\n  }\n}\n'),
        ("{}", Set(("a",), 1), '{\n  "a": 1\n}'),
        ('{"a": 1}', Set(("b",), {"c": [1]}), '{"a": 1, "b": {"c": [1]}}'),
        ('{"a": 1,}', Set(("b",), 2), '{"a": 1, "b": 2}'),
        ('{\n\t"a": 1 // one\n}', Set(("b",), 2), '{\n\t"a": 1, // one\n\t"b": 2\n}'),
        ('{\n  "a": 1, // one\n}', Set(("b",), 2), '{\n  "a": 1, // one\n  "b": 2,\n}'),
        ('{\r\n  "a": 1\r\n}\r\n', Set(("b",), 2), '{\r\n  "a": 1,\r\n  "b": 2\r\n}\r\n'),
        ("{\n  // none yet\n}", Set(("b",), 2), '{\n  // none yet\n  "b": 2\n}'),
        ("{ /* none */ }", Set(("b",), 2), '{ /* none */\n  "b": 2\n}'),
        ('{"a": {\n  "x": 1\n}}', Set(("a", "x"), "é"), '{"a": {\n  "x": "é"\n}}'),
        ('{\n  "a": 1,\n  "b": 2\n}', Drop(("b",)), '{\n  "a": 1\n}'),
        ('{\n  "a": 1, // one\n  "b": 2\n}', Drop(("a",)), '{\n  "b": 2\n}'),
        ('{"a": 1, "b": 2, "c": 3}', Drop(("b",)), '{"a": 1, "c": 3}'),
        ('{"a": 1, "b": 2}', Drop(("b",)), '{"a": 1}'),
        ('{"a": 1}', Drop(("a",)), "{}"),
        ('\ufeff{"a": ["x"]}', Prefix(("a",), ("w", "-")), '\ufeff{"a": ["w", "-", "x"]}'),
        ('{"a": [\n    "x", // one\n]}', Prefix(("a",), ("w",)), '{"a": [\n    "w",\n    "x", // one\n]}'),
    ],
)
def test_json_is_changed_in_place(before: str, edit: Edit, after: str) -> None:
    assert edits.apply("json", before, [edit]) == after


@pytest.mark.parametrize(
    ("before", "edit", "after"),
    [
        ("", Set(("a", "b"), {"c": 1}), "[a.b]\nc = 1\n"),
        ("x = 1", Set(("a", "b c"), {"d": "é"}), 'x = 1\n\n[a."b c"]\nd = "é"\n'),
        ("[a.b]\nc = 1 # one\n\n[z]\n", Set(("a", "b", "c"), "x"), '[a.b]\nc = "x" # one\n\n[z]\n'),
        ("[a.b]\n# none\n[z]\n", Set(("a", "b", "c"), 5), "[a.b]\nc = 5\n# none\n[z]\n"),
        ("[a.b]\nc = 1\n\n# z\n[z]\n", Drop(("a", "b")), "\n# z\n[z]\n"),
        ("[a]\nb.c = 1\nb.d = 2\ne = 3\n", Drop(("a", "b")), "[a]\ne = 3\n"),
        ("a = { b = { c = 1 } }\n", Set(("a",), {"x": 1}), "a = { x = 1 }\n"),
        ("[a.b]\nc = [ # one\n  'x' ]\n", Prefix(("a", "b", "c"), ("w",)), "[a.b]\nc = [ # one\n  \"w\",\n  'x' ]\n"),
        ("s = '''\n[a.b]\n'''\n[a.b]\nc=1\n[[d]]\n[[d]]\n", Drop(("a", "b")), "s = '''\n[a.b]\n'''\n[[d]]\n[[d]]\n"),
        ('t = """\nx" = "\\"""\n"""\n[a.b]\n', Set(("a", "c"), {"d": 1}), None),
    ],
)
def test_toml_is_changed_in_place(before: str, edit: Edit, after: str | None) -> None:
    made = edits.apply("toml", before, [edit])
    assert after is None or made == after


@pytest.mark.parametrize(
    ("before", "edit", "after"),
    [
        ("", Set(("a", "b"), "x y"), 'a:\n  b: "x y"\n'),
        ("a: {}\nz: 1\n", Set(("a", "b"), 1), "a:\n  b: 1\nz: 1\n"),
        ("a: # none\n", Set(("a", "b"), 1), "a: # none\n  b: 1\n"),
        ("a: {c: 1}\n", Set(("a", "b"), {"d": [1]}), 'a: {c: 1, b: {"d": [1]}}\n'),
        ("a:\n    c: 1 # one\n\n# end\n", Set(("a", "b"), "yes"), 'a:\n    c: 1 # one\n    b: "yes"\n\n# end\n'),
        ("a:\n  b: |\n    x\n\n  c: 1\n", Drop(("a", "b")), "a:\n\n  c: 1\n"),
        ("a: {b: 1, c: 2, d: 3}\n", Drop(("a", "c")), "a: {b: 1, d: 3}\n"),
        ("a: {b: 1, c: 2}\n", Drop(("a", "c")), "a: {b: 1}\n"),
        ("a:\n- x # one\n", Prefix(("a",), ("--w",)), 'a:\n- "--w"\n- x # one\n'),
        ("a: [x]\n", Prefix(("a",), ("w",)), 'a: ["w", x]\n'),
        ("a: null\n", Append(("a",), {"name": "new"}), "a:\n  - name: new\n"),
        (
            "a:\n- name: m\n  x: 1",
            Append(("a",), {"name": "new", "y": {"z": 1}}),
            'a:\n- name: m\n  x: 1\n- name: new\n  "y":\n    z: 1\n',
        ),
        ("a: [{name: m}]\n", Append(("a",), {"name": "n"}), 'a: [{name: m}, {"name": "n"}]\n'),
        ("a:\n- name: m\n  x: 1\n- name: n\n", Drop(("a", "m")), "a:\n- name: n\n"),
        ("a:\n- name: m\n  x: on # odd\n", Set(("a", "m", "x"), "off"), 'a:\n- name: m\n  x: "off" # odd\n'),
    ],
)
def test_yaml_is_changed_in_place(before: str, edit: Edit, after: str) -> None:
    assert edits.apply("yaml", before, [edit]) == after


@pytest.mark.parametrize(
    ("kind", "text", "edit"),
    [
        ("json", '{"a": []}', Set(("a", "b"), 1)),
        ("json", '{"a": []}', Prefix(("a",), ("w",))),
        ("json", "{}", Append(("a",), {"name": "n"})),
        ("json", "{}", Drop(("a",))),
        ("toml", "a = { b = 1 }\n", Set(("a", "c"), {"d": 1})),
        ("toml", "a = { b = { c = 1 } }\n", Drop(("a", "b"))),
        ("toml", "a.b.c = 1\n[z]\n", Set(("a", "b", "d"), 2)),
        ("toml", "[[a]]\nb = 1\n", Set(("a", "c"), {"d": 1})),
        ("yaml", "a: &x {b: 1}\nc: *x\n", Set(("c", "d"), 1)),
        ("yaml", "a: 1\n", Set(("a", "b"), 1)),
        ("yaml", "- 1\n", Set(("a",), 1)),
        ("yaml", "a: x\ty\nb: http\t://x\n", Set(("c",), 1)),
        ("yaml", "a: 1\n---\nb: 2\n", Set(("a",), 1)),
    ],
)
def test_what_cannot_be_changed_without_touching_more_is_refused(kind: Format, text: str, edit: Edit) -> None:
    with pytest.raises(FileRefused):
        edits.apply(kind, text, [edit])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n"a": 01}', "line 2"),
        ('{"a": 1} x', "line 1"),
        ('{"a" 1}', "line 1"),
        ('{"a": 1 "b": 2}', "line 1"),
        ('{"a": "\t"}', "line 1"),
        ('{"a": tru}', "line 1"),
        ('{"a": 1', "line 1"),
        ("[" * 200, "nested too deep"),
        ('{"a": 1, "a": 2}', "'a' twice"),
        ("7", "no JSON object"),
    ],
)
def test_what_is_not_json_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(FileRefused, match=said):
        jsonc.read(text)


def test_yaml_is_read_by_version_1_2_as_clients_do() -> None:
    told = yamls.read("a: on\nb: no\nc: 12\nd: 0o12\ne: 1_000\nf: 2026-01-01\ng: 1e3\nh: ~\n'i': true\n")
    assert told == {
        "a": "on",
        "b": "no",
        "c": 12,
        "d": 10,
        "e": "1_000",
        "f": "2026-01-01",
        "g": 1000.0,
        "h": None,
        "i": True,
    }


def test_aliases_that_would_say_too_much_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(FileRefused, match="says too much"):
        yamls.read("\n".join(lines))


def test_statements_of_toml_have_their_spans() -> None:
    text = 'a.b = 1 # x\n["q.r" . s]\nk = [\n 1, # ]\n]\n'
    found = tomls.statements(text)
    assert [one.full for one in found] == [("a", "b"), ("q.r", "s"), ("q.r", "s", "k")]
    assert [text[slice(*one.value)] for one in found if one.value] == ["1", "[\n 1, # ]\n]"]
    assert PurePosixPath(*found[1].table) == PurePosixPath("q.r/s")
