"""`explain`: what it shows of one message's way through the pipeline, and what it leaves alone."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.running import Command
from tidegate.cli import output

SETTINGS = """
[servers.files]
command = ["mcp-files"]
[[interceptors]]
use = "lists"
deny = ["files/delete_*"]
[[interceptors]]
use = "audit"
required = true
path = "audit.jsonl"
"""


@pytest.fixture
def folder(home: Path) -> Path:
    (home / "tidegate.toml").write_text(SETTINGS)
    return home


def call(name: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": name, "arguments": {}}}


def written(folder: Path, message: Any, name: str = "message.json") -> str:
    (folder / name).write_text(json.dumps(message, indent=2) + "\n")
    return name


def test_a_message_that_passes_is_shown_as_it_would_be_sent(command: Command, folder: Path) -> None:
    file = written(folder, call("read_file"))
    told = json.loads(command("explain", file, "--json").out)
    assert (told["verdict"], told["sent"], told["answer"]) == ("allow", call("read_file"), None)
    assert [(step["by"], step["hook"], step["outcome"]) for step in told["steps"]] == [("lists", "decide", "pass")]
    assert command("explain", file).code == output.WELL


def test_a_message_that_is_denied_is_shown_with_who_why_and_the_answer(command: Command, folder: Path) -> None:
    file = written(folder, call("delete_all"))
    ended = command("explain", file)
    assert ended.code == output.NOT_WELL
    for said in ("files/delete_all", "DENY by lists", "rule files/delete_*", "The client would be told", "isError"):
        assert said in ended.out
    told = json.loads(command("explain", file, "--json").out)
    assert (told["by"], told["code"], told["rule"]) == ("lists", "denied", "files/delete_*")
    assert told["sent"] is None
    assert told["answer"]["id"] == 7


def test_observers_write_nothing_unless_told_to(command: Command, folder: Path) -> None:
    file = written(folder, call("read_file"))
    command("explain", file)
    assert not list(folder.glob("audit.jsonl*"))
    ended = command("explain", file, "--observe", "--json")
    assert [step["by"] for step in json.loads(ended.out)["steps"]] == ["lists", "audit"]
    assert (folder / "audit.jsonl").stat().st_size


def test_a_reply_is_the_servers_and_gets_its_method_from_its_request(command: Command, folder: Path) -> None:
    request = written(folder, {"jsonrpc": "2.0", "id": 7, "method": "tools/list"}, "request.json")
    tools = [{"name": "read_file"}, {"name": "delete_all"}]
    reply = written(folder, {"jsonrpc": "2.0", "id": 7, "result": {"tools": tools}}, "reply.json")
    told = json.loads(command("explain", reply, "--request", request, "--json").out)
    assert (told["from"], told["method"], told["kind"]) == ("server", "tools/list", "result")
    assert told["sent"]["result"]["tools"] == [{"name": "read_file"}]
    assert told["edits"]
    without = json.loads(command("explain", reply, "--json").out)
    assert without["sent"]["result"]["tools"] == tools


def test_a_message_can_be_the_servers(command: Command, folder: Path) -> None:
    file = written(folder, {"jsonrpc": "2.0", "id": 1, "method": "roots/list"})
    assert json.loads(command("explain", file, "--json").out)["from"] == "client"
    assert json.loads(command("explain", file, "--from", "server", "--json").out)["from"] == "server"


@pytest.mark.parametrize(
    ("data", "code"),
    [(b'{"id": 1', "parse"), (b'{"id":1,"id":2}', "ambiguous"), (b"[]", "invalid"), (b"\xff", "parse")],
)
def test_bytes_that_are_refused_are_explained_as_refused(
    command: Command, folder: Path, data: bytes, code: str
) -> None:
    (folder / "bytes").write_bytes(data)
    ended = command("explain", "bytes", "--json")
    assert ended.code == output.NOT_WELL
    assert json.loads(ended.out)["code"] == code
    assert f"DENY by tidegate ({code})" in command("explain", "bytes").out


def test_a_message_can_come_from_standard_input(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(json.dumps(call("read_file")).encode()))
    monkeypatch.setitem(sys.__dict__, "stdin", stream)
    assert command("explain", "-").code == output.WELL


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--server", "time"], "there is no server 'time' in the settings; there are files"),
        (["--request", "message.json"], "--request is for a reply"),
        (["--request", "no.json"], "no.json: no such file"),
    ],
)
def test_what_does_not_fit_the_message_or_settings_is_a_mistake(
    command: Command, folder: Path, arguments: list[str], said: str
) -> None:
    ended = command("explain", written(folder, call("read_file")), *arguments)
    assert ended.code == output.MISTAKE
    assert said in ended.err


@pytest.mark.parametrize(
    ("content", "said"),
    [('{"jsonrpc":"2.0"', "The bytes are not a JSON text"), ('{"jsonrpc":"2.0","method":"x"}', "is no request")],
)
def test_a_request_that_is_none_is_a_mistake_that_names_its_file(
    command: Command, folder: Path, content: str, said: str
) -> None:
    (folder / "request.json").write_text(content)
    reply = written(folder, {"jsonrpc": "2.0", "id": 7, "result": {"tools": []}})
    ended = command("explain", reply, "--request", "request.json")
    assert (ended.code, ended.out) == (output.MISTAKE, "")
    assert ended.err.startswith(f"Error: request.json: {said}")


def test_with_several_servers_one_must_be_named(command: Command, folder: Path) -> None:
    (folder / "tidegate.toml").write_text(SETTINGS + '[servers.time]\ncommand = ["mcp-server-time"]\n')
    file = written(folder, call("delete_all"))
    assert "--server with one of files, time" in command("explain", file).err
    assert command("explain", file, "--server", "time").code == output.WELL
    assert command("explain", file, "--server", "files").code == output.NOT_WELL


def test_a_principal_is_one_of_the_settings(command: Command, folder: Path) -> None:
    token = f'[auth]\ntokens = [{{ name = "ci", sha256 = "{"0" * 64}" }}]\n'
    (folder / "tidegate.toml").write_text(token + SETTINGS.replace("deny =", "principals.ci.deny ="))
    file = written(folder, call("delete_all"))
    ended = command("explain", file, "--principal", "eve")
    assert ended.code == output.MISTAKE
    assert "there are ci" in ended.err
    assert command("explain", file, "--principal", "ci").code == output.NOT_WELL
    assert command("explain", file).code == output.WELL


def test_a_principal_comes_through_the_profile_that_its_token_is_for(command: Command, folder: Path) -> None:
    (folder / "rules").mkdir()
    (folder / "rules" / "profile.rego").write_text(
        "package tidegate\nimport rego.v1\n"
        'decision := {"deny": deny}\n'
        'deny contains {"rule": "work", "reason": "Not there."} if input.profile == "work"\n'
    )
    (folder / "tidegate.toml").write_text(
        f'[auth]\ntokens = [{{ name = "ci", sha256 = "{"0" * 64}", profile = "work" }}]\n'
        '[servers.files]\ncommand = ["mcp-files"]\n[profiles.work]\nservers = ["files"]\n'
        '[[interceptors]]\nuse = "policy"\nbundle = "rules"\n'
    )
    file = written(folder, call("read_file"))
    assert "rule work" in command("explain", file, "--principal", "ci").out
    assert command("explain", file).code == output.WELL


def test_nothing_of_a_message_can_steer_the_terminal(command: Command, folder: Path) -> None:
    file = written(folder, call("read\u001b]0;x\u0007\u202efile"))
    shown = command("explain", file).out
    assert "\\u001b" in shown
    assert not [char for char in shown if not char.isprintable() and char != "\n"]
