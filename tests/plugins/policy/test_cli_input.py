"""`tidegate policy fmt-input`: the input that Tidegate makes of a message, and whether one fits the schema."""

import json
from pathlib import Path
from typing import Any

import pytest

from plugins.policy.commands import policy
from tidegate_policy import inputs

CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "read_file", "arguments": {"path": "/data/%61"}},
}


def made(*arguments: object, given: Any = CALL) -> Any:
    done = policy("fmt-input", "-", *arguments, given=given)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_call_becomes_its_input() -> None:
    found = made(
        "--server", "files", "--label", "internal", "--label", "ours", "--trust", "high", "--kind", "container"
    )
    assert not inputs.problems(found)
    assert list(found)[:5] == ["v", "phase", "direction", "method", "message"]
    assert (found["phase"], found["direction"]) == ("request", "client_to_server")
    assert found["server"] == {"name": "files", "kind": "container", "trust": "high", "labels": ["internal", "ours"]}
    assert found["target"] == {"kind": "tool", "name": "read_file"}
    assert found["params"]["strings"][1] == {
        "pointer": "/params/arguments/path",
        "value": "/data/%61",
        "key": "path",
        "decoded": ["/data/a"],
    }


def test_who_asks_and_in_which_conversation_can_be_said() -> None:
    found = made("--principal", "ann", "--role", "dev", "--session-label", "private", "--timezone", "Europe/Berlin")
    assert found["principal"] == {"name": "ann", "roles": ["dev"], "claims": {}, "auth": "token"}
    assert found["session"]["labels"] == ["private"]
    assert found["profile"] == ""
    assert made("--profile", "work")["profile"] == "work"


def test_a_tools_definition_is_shown(tmp_path: Path) -> None:
    tool = tmp_path / "tool.json"
    tool.write_text('{"name": "read_file", "description": "Reads.", "annotations": {"readOnlyHint": true}}')
    found = made("--tool", tool)["tool"]
    assert found["annotations"] == {"readOnlyHint": True}
    assert len(found["description_sha256"]) == 64


def test_a_reply_needs_its_request(tmp_path: Path) -> None:
    reply = {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "hello"}]}}
    done = policy("fmt-input", "-", given=reply)
    assert (done.exit_code, done.stderr) == (
        2,
        "Error: standard input: is a reply: say with --request which request it answers\n",
    )
    (tmp_path / "call.json").write_text(json.dumps(CALL))
    found = made("--request", tmp_path / "call.json", given=reply)
    assert (found["phase"], found["method"], found["direction"]) == ("reply", "tools/call", "server_to_client")
    assert found["target"]["name"] == "read_file"
    assert {"pointer": "/result/content/0/text", "value": "hello"} in found["result"]["strings"]


def test_a_list_becomes_an_input_per_item(tmp_path: Path) -> None:
    asked = tmp_path / "list.json"
    asked.write_text('{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}')
    tools = [{"name": name, "inputSchema": {"type": "object"}} for name in ("read_file", "delete_file")]
    found = made("--request", asked, given={"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}})
    assert [(each["phase"], each["method"], each["target"]["name"]) for each in found] == [
        ("list", "tools/call", "read_file"),
        ("list", "tools/call", "delete_file"),
    ]
    assert not [problem for each in found for problem in inputs.problems(each)]


def test_an_input_is_checked_and_printed_in_order() -> None:
    found = made()
    backwards = dict(reversed(found.items()))
    assert list(made(given=backwards).items()) == list(found.items())


def test_what_does_not_fit_the_schema_is_told_with_its_place_and_without_its_value() -> None:
    wrong = made() | {"phase": "a-secret-word", "fase": "request"}
    wrong["server"] = {"name": "files"}
    done = policy("fmt-input", "-", given=wrong)
    assert done.exit_code == 1
    assert "standard input: /phase: it is not one of" in done.stderr
    assert 'standard input: /server: "kind" is a required property' in done.stderr
    assert "standard input: /: Additional properties are not allowed ('fase' was unexpected)" in done.stderr
    assert "a-secret-word" not in done.output


@pytest.mark.parametrize(
    ("words", "given", "said"),
    [
        ((), '{"jsonrpc": "1.0", "id": 1}', "is no JSON-RPC message"),
        (("--server", "a/b"), CALL, "a server's name has letters"),
        (("--timezone", "Mars/Olympus"), CALL, "is no time zone"),
        (("--tool", "nowhere.json"), CALL, "nowhere.json: there is no such file"),
        ((), "nonsense", "is no JSON"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(words: tuple[str, ...], given: Any, said: str) -> None:
    done = policy("fmt-input", "-", *words, given=given)
    assert (done.exit_code, said in done.stderr, done.stderr.count("\n")) == (2, True, 1), done.stderr
