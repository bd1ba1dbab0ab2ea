"""`tidegate policy explain`: which rules fired, where the others stopped, and what they read."""

import json
from pathlib import Path
from typing import Any

from plugins.policy.commands import HEAD, bundle, call, policy

RULES = f"""{HEAD}decision := {{"deny": deny, "redact": redact, "labels": labels}}

deny contains {{"rule": "one-line", "reason": "No."}} if input.method == "ping"

deny contains {{"rule": "parts", "reason": "No."}} if {{
	input.method == "tools/call" # the "method"
	some label in input.server.labels; label == "internal"
	every found in input.params.strings {{
		found.value != ""
	}}
	_large
}}

deny contains {{"rule": "fails", "reason": "No."}} if {{
	input.method == "tools/call"
	startswith(input.v, "x")
}}

redact contains {{"pointer": found.pointer, "label": "name"}} if {{
	some found in input.result.strings
	found.value == "x"
}}

labels contains "always"

_large if count(input.params.strings) > 2

_large if input.message.size > 1000
"""


def explained(folder: Path, given: dict[str, Any], *more: str) -> dict[str, dict[str, Any]]:
    told = json.loads(policy("explain", folder, *more, "--json", given=given).stdout)
    return {each["name"]: each for each in told["rules"]}


def test_rules_that_fired_are_told_with_file_and_line(tmp_path: Path) -> None:
    done = policy("explain", bundle(tmp_path / "p"), given=call())
    assert done.exit_code == 0
    assert "decision: deny 1" in done.stdout
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "deny delete policy.rego:7 fired method, target.name" in lines
    assert "deny large policy.rego:13 not so at line 14: some found in input.params.strings params.strings" in lines


def test_where_a_rule_stopped_is_found_statement_by_statement(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "p", policy=RULES, tests="")
    found = explained(folder, call())
    assert found["one-line"]["stopped"] == {"line": 7, "statement": 'input.method == "ping"'}
    assert found["parts"]["stopped"] == {"line": 11, "statement": "some label in input.server.labels"}
    assert found["always"]["fired"]
    server = {"name": "files", "kind": "process", "trust": "low", "labels": ["internal"]}
    found = explained(folder, call(server=server))
    assert found["parts"]["stopped"] == {"line": 15, "statement": "_large"}
    strings = [{"pointer": "/params/a", "value": "", "key": "a", "decoded": []}]
    found = explained(folder, call(server=server, params={"strings": strings}))
    assert found["parts"]["stopped"]["line"] == 12
    assert found["parts"]["place"] == "policy.rego:9"


def test_a_rule_that_fails_is_told_with_the_statement(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "p", policy=RULES, tests="")
    done = policy("explain", folder, "--json", given=call())
    assert done.exit_code == 1
    assert "policy.rego:20: `startswith` expects string argument" in done.stderr
    found = explained(folder, call())["fails"]
    assert found["stopped"]["line"] == 20
    assert found["error"].startswith("`startswith` expects string")


def test_members_that_are_read_and_missing_are_marked(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "p", policy=RULES, tests="")
    reads = {each["member"]: each["there"] for each in explained(folder, call())["parts"]["reads"]}
    assert reads == {
        "input.message.size": False,
        "input.method": True,
        "input.params.strings": True,
        "input.server.labels": True,
    }
    assert "message.size?" in policy("explain", folder, given=call()).stdout


def test_the_rules_behind_are_told_where_asked_for(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "p", policy=RULES, tests="")
    assert " _large " not in policy("explain", folder, given=call()).stdout
    done = policy("explain", folder, "--all", given=call())
    assert done.stdout.count(" _large ") >= 2
    assert "reached: policy.rego: 5, " in done.stdout


def test_what_was_redacted_is_named_by_its_label_alone(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "p", policy=RULES.replace("input.v", "input.method"), tests="")
    result = {"is_error": False, "size": 9, "strings": [{"pointer": "/result/secret-key", "value": "x"}]}
    done = policy("explain", folder, given=call(phase="reply", result=result))
    assert "redact  name " in done.stdout
    assert "secret-key" not in done.stdout


def test_packs_are_explained_too() -> None:
    found = json.loads(policy("explain", "--packs", "readonly", "--json", given=call()).stdout)["rules"]
    fired = [(each["unit"], each["name"], each["place"].partition(":")[0]) for each in found if each["fired"]]
    assert ("readonly", "readonly/tool", "readonly/readonly.rego") in fired


def test_a_rule_that_the_decision_does_not_ask_for_has_not_fired(tmp_path: Path) -> None:
    text = RULES.replace("decision := {", 'decision := {} if input.method == "tools/call"\n\nelse := {')
    folder = bundle(tmp_path / "p", policy=text, tests="")
    assert not explained(folder, call())["always"]["fired"]
    assert "is so, but `decision` doesn't ask for it" in policy("explain", folder, given=call()).stdout
