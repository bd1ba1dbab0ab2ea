"""Rules cut into statements: taken together, what the pieces give is what the whole policy gives."""

import json
from typing import Any

import pytest

from plugins.policy.commands import HEAD, POLICY, call
from tidegate import Finding, Server
from tidegate.testing import flow, request, samples, session
from tidegate_policy import evaluating, packs, pieces
from tidegate_policy.view import View

DATA: dict[str, dict[str, Any]] = {
    "approvals": {"tools": ["*/pay*"]},
    "hours": {"windows": []},
    "paths": {"roots": ["/data"]},
    "rates": {"limits": [{"tools": ["*"], "most": 0, "per": "minute"}]},
    "sql": {"tools": ["*"]},
}
ARGUMENTS: list[tuple[str, dict[str, Any]]] = [
    ("read_file", {"path": "/data/a"}),
    ("delete_file", {"path": "/data/%2e%2e/etc/passwd", "force": True}),
    ("run_command", {"command": "ls; rm -rf /", "cwd": "../.."}),
    ("query", {"sql": "select 1; drop table a", "database": "x"}),
    ("fetch", {"url": "http://169.254.169.254/latest", "text": "x" * 5000}),
    ("pay", {}),
]


def inputs() -> list[dict[str, Any]]:
    """Messages of every kind, and calls that the packs have something to say about."""
    view, found = View(), []
    for name, arguments in ARGUMENTS:
        message = request("tools/call", {"name": name, "arguments": arguments})
        known = session()
        known.label(["private"])
        known.called("web", "tools/call", name, ())
        about = flow(message, server=Server("web", labels=("external",)), session=known)
        found.append(view.of(message, about, [Finding("carried", "private", "/params/arguments/text", None, 0.9)]))
    return found + [view.of(sample.message, sample.flow) for sample in list(samples())[::9]]


def compiled(text: str) -> Any:
    return evaluating.compiled([("policy.rego", text)], {})


@pytest.mark.parametrize("pack", packs.names())
def test_what_the_pieces_of_a_rule_give_is_what_the_rule_gives(pack: str) -> None:
    data = {pack: DATA[pack]} if pack in DATA and pack != "sql" else {}
    sources = packs.assembled(None, (pack,), data).sources
    engine = evaluating.compiled(sources.modules, sources.data)
    cut = [piece for piece in pieces.pieces(sources.modules) if piece.kind == "set"]
    assert cut
    for given in inputs():
        engine.set_input(given)
        for path in {f"{piece.package}.{piece.name}" for piece in cut}:
            whole = json.loads(engine.eval_rule_as_json(path))
            stops = [pieces.stop(engine, piece, given) for piece in cut if f"{piece.package}.{piece.name}" == path]
            together = [value for stop in stops for value in stop.values]
            assert sorted(map(json.dumps, whole)) == sorted({json.dumps(value) for value in together})
            assert all(stop.fired or stop.at is not None for stop in stops)


def test_pieces_have_file_line_and_kind() -> None:
    found = pieces.pieces([("policy.rego", POLICY)])
    assert [(piece.place, piece.name, piece.kind, len(piece.statements)) for piece in found] == [
        ("policy.rego:5", "decision", "value", 0),
        ("policy.rego:7", "deny", "set", 3),
        ("policy.rego:13", "deny", "set", 2),
        ("policy.rego:18", "labels", "set", 2),
    ]


@pytest.mark.parametrize(
    ("rule", "given", "line"),
    [
        ('a if input.x == "two"', {"x": "two"}, None),
        ('a if input.x == "two"', {"x": 2}, 5),
        ("a if {\n\tinput.x # a } in a comment\n\tinput.y\n}", {"x": True}, 7),
        ('a if {\n\tinput.x == "}"; input.y == "#"\n\tinput.z\n}', {"x": "}", "y": "#"}, 7),
        ("a if {\n\tnot input.x\n\tevery v in input.y {\n\t\tv > 1\n\t}\n}", {"y": [1]}, 7),
        ('a if {\n\tsome k, v in input.x\n\t{k: v} == {"b": 1}\n}', {"x": {"b": 1}}, None),
        ("a if {\n\tcount(input.x) > 0 with input.x as []\n}", {}, 6),
        ('a := "é" if {\n\tinput.x == "ü"\n\tinput.y\n}', {"x": "ü"}, 7),
        ("a := 1 if input.x\n\nelse := 2 if input.y", {"y": True}, None),
        ("a.b contains 1 if input.x", {"x": True}, None),
        ("a.b contains 1 if input.x", {}, 5),
        ("a[k] := 1 if some k in input.x", {"x": ["k"]}, None),
        ("a[k] := 1 if some k in input.x", {"x": []}, 5),
        ("a := b if {\n\tb := input.x\n\tb > 3\n}", {"x": 2}, 7),
        ("a := `raw }` if input.x == `raw`", {"x": "raw"}, None),
    ],
)
def test_a_rule_stops_at_the_first_statement_that_is_not_so(rule: str, given: Any, line: int | None) -> None:
    text = f"{HEAD}{rule}\n\nother := 1\n"
    engine = compiled(text)
    piece = pieces.pieces([("policy.rego", text)])[0]
    stop = pieces.stop(engine, piece, given)
    assert (stop.fired, stop.at.line if stop.at else None, stop.error) == (line is None, line, "")


def test_a_rule_that_fails_says_where_and_why() -> None:
    text = f'{HEAD}a if {{\n\tinput.v\n\tstartswith(input.v, "x")\n}}\n'
    stop = pieces.stop(compiled(text), pieces.pieces([("policy.rego", text)])[0], call())
    assert (stop.fired, stop.at and stop.at.line) == (False, 7)
    assert stop.error.startswith("`startswith` expects string")
