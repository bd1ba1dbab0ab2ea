"""Runs `tidegate policy …` as a shell does, and says how it ended."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from tidegate_policy.cli import app

HEAD = "package tidegate\n\nimport rego.v1\n\n"
POLICY = f"""{HEAD}decision := {{"deny": deny, "labels": labels}}

deny contains {{"rule": "delete", "reason": "Nothing is deleted."}} if {{
	input.method == "tools/call"
	startswith(input.target.name, "delete_")
	not input.target.name in data.allowed
}}

deny contains {{"rule": "large", "reason": "Too much at once."}} if {{
	some found in input.params.strings
	count(found.value) > 100
}}

labels contains "private" if {{
	input.phase == "reply"
	"internal" in input.server.labels
}}
"""
TESTS = """package tidegate_test

import rego.v1

import data.tidegate

test_a_deletion_is_denied if {
	call := {"method": "tools/call", "target": {"name": "delete_a"}}
	rules := {said.rule | some said in tidegate.decision.deny with input as call}
	rules == {"delete"}
}

test_reading_passes if {
	tidegate.decision.deny == set() with input as {"method": "tools/call", "target": {"name": "read_a"}}
}

todo_test_later if false
"""


def policy(*arguments: object, given: Any = None) -> Result:
    """Run a command.

    Args:
        arguments: what stands after `tidegate policy`.
        given: its standard input, as JSON.
    """
    text = None if given is None else given if isinstance(given, str) else json.dumps(given)
    return CliRunner().invoke(app, [str(each) for each in arguments], input=text, env={"COLUMNS": "140"})


def bundle(folder: Path, policy: str = POLICY, tests: str = TESTS, **data: Any) -> Path:
    """Write a policy, and return its folder."""
    folder.mkdir(exist_ok=True)
    (folder / "policy.rego").write_text(policy)
    if tests:
        (folder / "policy_test.rego").write_text(tests)
    (folder / "data.json").write_text(json.dumps({"allowed": []} | data))
    return folder


def call(name: str = "delete_file", **members: Any) -> dict[str, Any]:
    """Return an input about a call."""
    return {
        "v": 1,
        "phase": "request",
        "direction": "client_to_server",
        "method": "tools/call",
        "server": {"name": "files", "kind": "process", "trust": "low", "labels": []},
        "target": {"kind": "tool", "name": name},
        "tool": {"name": name, "annotations": {}, "description_sha256": "", "pinned": False},
        "arguments": {},
        "params": {"strings": []},
        "findings": [],
        "cut": [],
        **members,
    }
