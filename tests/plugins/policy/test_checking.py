"""What `policy check` finds, and that it finds nothing where nothing is wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate_policy import checking, packs, projects
from tidegate_policy.sources import Sources

HEAD = "package tidegate\n\nimport rego.v1\n\n"
WELL = HEAD + 'decision := {"deny": deny}\n\n'


def findings(text: str, head: str = WELL) -> list[str]:
    checked = checking.check(Sources((("a.rego", head + text),), {}, ""))
    return [f"{found.line}: {found.what}" for found in checked.findings]


def deny(*statements: str) -> str:
    body = "".join(f"\t{statement}\n" for statement in statements)
    return f'deny contains {{"rule": "a/b", "reason": "No."}} if {{\n{body}}}\n'


@pytest.mark.parametrize(
    "text",
    [
        deny("input.arguments.path.anything == 1", "input.principal.claims.sub == `a`"),
        deny("some call in input.session.calls", "call.tool == `delete`", "call.seconds_ago < 3"),
        deny("some entry in input.params.strings", "some text in entry.decoded", "contains(text, `x`)"),
        deny("input.session.recent.minute[`a/b`] > 3", "input.phase in {`request`, `reply`}"),
        deny("input.method == `tools/call`", "not input.method == `ping`"),
        deny("some i", "input.session.calls[i].tool == `a`", "input.session.calls[i].tool == `b`"),
        deny("every key, value in input.session.counts { value > 3; key != `x` }"),
        deny("late(input.time)") + "\nlate(time) if time.anything > 3\n",
        'applies := {"phases": ["request"], "methods": ["tools/call"]}\n\n' + deny("input.tool.pinned"),
    ],
)
def test_nothing_is_found_where_nothing_is_wrong(text: str) -> None:
    assert findings(text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (deny("input.metod == `tools/call`"), "8: there is no input.metod in the input"),
        (
            deny("some c in input.session.calls", "c.tol == `a`"),
            "9: there is no input.session.calls[_].tol in the input",
        ),
        (deny("input.session.calls[_].tol == 1"), "8: there is no input.session.calls[_].tol in the input"),
        (deny("every c in input.findings { c.sort == `a` }"), "8: there is no input.findings[_].sort in the input"),
        (deny("x := [c.a | some c in input.findings]", "x != []"), "8: there is no input.findings[_].a in the input"),
        (deny("input.method.name == `a`"), "8: there is no input.method.name in the input"),
        (deny("input.phase == `requests`"), "8: input.phase is never 'requests', but one of 'request', 'reply'"),
        (deny("input.time.hour == `12`"), "8: input.time.hour is a number value, never '12'"),
        (deny("input.tool.pinned == `no`"), "8: input.tool.pinned is a truth value, never 'no'"),
        (deny("input.method == `tool/call`"), "8: MCP has no method 'tool/call'"),
        (deny("input.phase == `request`", "input.phase == `reply`"), "9: input.phase can't be 'request' and 'reply'"),
        (deny("false"), "8: this is never true, so the rule never holds"),
        (deny("input.tool.pinned") + "\nunused if input.tool.pinned\n", "11: no decision uses unused"),
        (deny("regex.match(`(`, input.method)"), "8: the regular expression is not valid"),
        (deny(r"regex.match(`[[:alpha:]](?i)\pL{50}x`, input.method)"), "8: the regular expression is too large"),
        (deny("http.send({})"), "8: the builtin http.send is not available in the embedded engine"),
        (deny("sprintf(`%5.2f`, [1]) == `a`"), "8: the engines write %5.2f differently"),
        (deny("startswith(input.tool.annotations, `a`)"), "8: this fails for"),
        ('applies := {"phases": ["asks"]}\n\n' + deny("input.tool.pinned"), "7: there is no phase 'asks'"),
        ('applies := {"methods": ["tool/call"]}\n\n' + deny("input.tool.pinned"), "7: MCP has no method 'tool/call'"),
        ('applies := {"phase": ["request"]}\n\n' + deny("input.tool.pinned"), "7: applies has no member 'phase'"),
        (
            'deny contains "no" if input.tool.pinned\n',
            "7: an entry of deny is no object with the texts rule and reason",
        ),
        ('deny contains {"rule": "a"} if input.tool.pinned\n', "7: an entry of deny is no object with the texts rule"),
        ("deny[input.method] := 1 if input.tool.pinned\n", "7: deny is an object, and no array and no set"),
    ],
)
def test_what_is_wrong_is_found_with_its_line(text: str, found: str) -> None:
    told = findings(text)
    assert any(each.startswith(found) for each in told), told


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('decision := {"denies": []}\n', "5: a decision has no member 'denies', only deny, redact, hold, labels"),
        ('decision := {"deny": "no"}\n', "5: deny is no array and no set"),
        ('decision := {"labels": [1]}\n', "5: an entry of labels is no text"),
        ("decision := []\n", "5: the decision is no object"),
        ("decision if input.tool.pinned\n", "5: the decision is true, and no object"),
        ("decision contains 1 if input.tool.pinned\n", "5: the decision is a set, and no object"),
        (
            'decision := {"deny": x} if x := [input.method]\n',
            "5: the decision about initialize (request) has the wrong",
        ),
        ('decision := {} if input.method == "ping"\n', "5: there is no decision about"),
        ("x := 1\n", "1: there is no rule data.tidegate.decision, so every message is denied"),
    ],
)
def test_decisions_of_the_wrong_shape_are_found(text: str, found: str) -> None:
    told = findings(text, HEAD)
    assert any(each.startswith(found) for each in told), told


def test_what_has_no_bound_is_a_note_and_no_finding() -> None:
    text = WELL + deny("count(numbers.range(1, 3)) == input.time.hour")
    checked = checking.check(Sources((("a.rego", text),), {}, ""))
    assert checked.findings == []
    (note,) = checked.notes
    assert str(note).startswith("a.rego:8: data.tidegate.decision is always evaluated in a process of its own")


def test_the_packs_are_well() -> None:
    assert packs.names()
    assert [str(found) for found in checking.check(projects.of_packs().sources).findings] == []


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-c", "from tidegate.cli import main; main()", "policy", "check", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_prints_one_line_for_each_finding_and_says_so_with_its_exit_code(tmp_path: Path) -> None:
    (tmp_path / "a.rego").write_text(WELL + deny("input.metod == `a`"))
    done = run(tmp_path)
    assert (done.returncode, done.stdout) == (1, "a.rego:8: there is no input.metod in the input\n")
    done = run(tmp_path, "--json")
    what = "there is no input.metod in the input"
    assert done.returncode == 1
    assert json.loads(done.stdout) == {"findings": [{"file": "a.rego", "line": 8, "what": what}], "notes": []}


def test_the_command_says_nothing_where_nothing_is_wrong_and_ends_with_2_where_it_cannot_look(tmp_path: Path) -> None:
    (tmp_path / "a.rego").write_text(WELL + deny("input.method == `ping`"))
    done = run(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (tmp_path / "a.rego").write_text("package a\nx := {\n")
    done = run(tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: a.rego:")
    assert run(tmp_path / "none").returncode == 2
