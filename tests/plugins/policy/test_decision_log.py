"""Decision logs: OPA's shape, as OPA itself writes it, and nothing of what a message says."""

import http.client
import json
import re
import resource
import select
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.opa import opa_path
from tidegate import Decision, Finding, Flow, Message, Step
from tidegate.testing import flow, request
from tidegate_policy.decision_log import MASK, DecisionLog

NUMBER = 471147114711  # so long that no time or id has it by chance
CALL = {
    "name": "read",
    "arguments": {"path": "/data/hunter2", "deep": [{"n": NUMBER, "on": True, "hunter2 key": None}]},
}
INPUT: dict[str, Any] = {
    "v": 1,
    "phase": "request",
    "direction": "client_to_server",
    "method": "tools/call",
    "message": {"size": 99, "digest": "0" * 64},
    "principal": {"name": "ci", "roles": ["dev"], "claims": {"mail": "hunter2@example.com"}, "auth": "token"},
    "client": {"name": "hunter2 client", "version": "1.0"},
    "server": {"name": "files", "kind": "process", "trust": "low", "labels": ["private"]},
    "target": {"kind": "tool", "name": "read"},
    "tool": {"name": "read", "annotations": {"title": "hunter2"}, "description_sha256": "ab", "pinned": False},
    "arguments": CALL["arguments"],
    "params": {
        "strings": [
            {"pointer": "/params/arguments/path", "key": "path", "value": "/data/hunter2", "decoded": ["hunter2"]},
            {
                "pointer": "/params/arguments/hunter2 key",
                "key": "hunter2 key",
                "value": "hunter2",
                "decoded": [],
                "is_key": True,
            },
        ]
    },
    "result": {"is_error": False, "size": 0, "strings": [{"pointer": "/result/content/0/text", "value": "hunter2"}]},
    "findings": [{"kind": "carried", "rule": "private", "pointer": "/params/arguments/hunter2 key", "confidence": 0.5}],
    "session": {
        "id": "s1",
        "age_s": 1,
        "labels": ["private"],
        "calls": [{"server": "files", "tool": "file:///hunter2", "seconds_ago": 1, "labels": []}],
        "counts": {"files/file:///hunter2": 1},
        "recent": {"minute": {"files/file:///hunter2": 1}},
    },
    "cut": ["/params/arguments/hunter2 key", "/session/calls"],
    "time": {"unix_ns": 1, "weekday": "monday", "hour": 0, "minute": 0},
}
ANSWERS: dict[str, Any] = {
    "bundle": {"deny": [{"rule": "a", "reason": "b"}], "redact": [{"pointer": "/params/hunter2 x/y", "label": "l"}]},
    "paths": {"kind": "error", "where": "paths.rego:12"},
    "rates": {"kind": "undefined", "where": ""},
}
SAID = {"revision": "r1", "input": INPUT, "decision": ANSWERS}


def about(*findings: Finding) -> tuple[Decision, Flow]:
    message: Message = request("tools/call", CALL)
    steps = (
        Step("lists", "decide", "pass", 5),
        Step("policy", "decide", "deny", 1500),
        Step("policy", "inspect", "pass", 9),
    )
    decision = Decision("d-1", message, steps=steps, findings=tuple(("secrets", each) for each in findings))
    return decision, flow(message)


def written(path: Path, said: dict[str, Any] = SAID, *findings: Finding) -> list[dict[str, Any]]:
    log = DecisionLog(path)
    log.write(*about(*findings), said, "policy")
    log.close()
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_unit_has_a_line_with_its_answer(tmp_path: Path) -> None:
    bundle, paths, rates = written(tmp_path / "d.jsonl")
    assert [line["path"] for line in (bundle, paths, rates)] == [
        "tidegate/decision",
        "tidegate/packs/paths/decision",
        "tidegate/packs/rates/decision",
    ]
    assert {line["decision_id"] for line in (bundle, paths, rates)} == {"d-1"}
    assert bundle["result"]["deny"] == ANSWERS["bundle"]["deny"]
    assert (paths["error"], "result" in paths) == ({"code": "error", "message": "paths.rego:12"}, False)
    assert not {"error", "result"} & rates.keys()
    assert bundle["bundles"] == {"tidegate": {"revision": "r1"}}
    assert bundle["metrics"] == {"timer_rego_query_eval_ns": 1500}
    assert bundle["requested_by"] == "anonymous"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", bundle["timestamp"])


def test_nothing_of_what_peers_said_is_written(tmp_path: Path) -> None:
    line = written(tmp_path / "d.jsonl")[0]
    text = (tmp_path / "d.jsonl").read_text()
    assert "hunter2" not in text
    assert str(NUMBER) not in text
    assert line["input"]["arguments"] == {"path": MASK, "deep": [{"n": MASK, "on": True, f"{MASK}2": None}]}
    assert line["result"]["redact"] == [{"pointer": f"/params/{MASK}/y", "label": "l"}]
    assert "/input/arguments/path" in line["masked"]
    assert "/input/params/strings/0/value" in line["masked"]
    assert "/input/session/calls" in line["erased"]
    assert line["input"]["target"] == {"kind": "tool", "name": "read"}
    assert line["input"]["params"]["strings"][0]["pointer"] == "/params/arguments/path"


@pytest.mark.parametrize("finding", [Finding("secret", "r", "/params/name"), Finding("x", "r", "", fingerprint="ab")])
def test_where_something_sensitive_was_found_names_are_masked_too(tmp_path: Path, finding: Finding) -> None:
    line = written(tmp_path / "d.jsonl", SAID, finding)[0]
    assert "arguments" not in line["input"]
    assert "/input/arguments" in line["erased"]
    assert line["input"]["target"] == {"kind": "tool", "name": MASK}
    assert line["input"]["method"] == MASK
    assert {each["pointer"] for each in line["input"]["params"]["strings"]} == {MASK}


def test_a_uri_is_masked(tmp_path: Path) -> None:
    said = SAID | {"input": INPUT | {"target": {"kind": "resource", "name": "https://u:hunter2@host/"}}}
    assert written(tmp_path / "d.jsonl", said)[0]["input"]["target"]["name"] == MASK


VALUES = st.recursive(
    st.none() | st.booleans() | st.just("hunter2") | st.just(NUMBER),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b c", "a/hunter2", "~2", "", "\n", "\u4f60"]), inner, max_size=3)
    ),
)


@given(VALUES)
def test_what_is_masked_is_named_whatever_the_arguments(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    line = written(tmp_path_factory.mktemp("log") / "d.jsonl", SAID | {"input": {"arguments": {"x": value}}})[0]
    text = json.dumps(line)
    assert "hunter2" not in text
    assert str(NUMBER) not in text
    for pointer in line.get("masked", []):
        part: Any = line
        for token in pointer.split("/")[1:]:
            part = part[int(token)] if isinstance(part, list) else part[token]


def test_a_log_is_for_its_owner_and_goes_on_at_its_path(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    log = DecisionLog(path)
    log.write(*about(), SAID)
    assert path.stat().st_mode & 0o777 == 0o600
    path.rename(tmp_path / "d.1")
    log.write(*about(), SAID)
    log.close()
    assert len(path.read_text().splitlines()) == len((tmp_path / "d.1").read_text().splitlines()) == 3


def test_what_cannot_be_written_leaves_no_half_line(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    log = DecisionLog(path)
    log.write(*about(), SAID)
    size = path.stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, before[1]))
    try:
        with pytest.raises(OSError, match="can't be written"):
            log.write(*about(), SAID)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.stat().st_size == size
    log.write(*about(), SAID)
    log.close()
    assert all(json.loads(line) for line in path.read_text().splitlines())


class Opa(http.client.HTTPConnection):
    """A connection to a server at a socket of its own, which begins to listen when it likes."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self.path))


def logged_by_opa(folder: Path) -> dict[str, Any]:
    """Ask a real server about the input, with the policy in `bundle`, and return what it logs."""
    command = [opa_path() or "opa", "run", "--server", "--addr", "unix://opa.sock", "-b", "bundle"]
    command += ["--set", "decision_logs.console=true"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE) as server:
        assert server.stderr is not None
        try:
            while True:
                connection = Opa(folder / "opa.sock")
                try:
                    connection.request("POST", "/v1/data/tidegate/decision", json.dumps({"input": INPUT}))
                    break
                except OSError:
                    connection.close()
                    select.select([server.stderr], [], [], 0.02)
            connection.getresponse().read()
            connection.close()
            lines = (json.loads(line) for line in server.stderr)
            return next(line for line in lines if line["msg"] == "Decision Log")
        finally:
            server.kill()


@pytest.mark.opa
def test_its_members_are_those_that_opa_writes(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / ".manifest").write_text('{"revision": "r1", "roots": ["tidegate", "system"]}')
    (tmp_path / "bundle" / "main.rego").write_text(
        'package tidegate\n\nimport rego.v1\n\ndecision := {"deny": [{"rule": "a", "reason": "b"}], "redact": []}\n'
    )
    (tmp_path / "bundle" / "mask.rego").write_text(
        "package system.log\n\nimport rego.v1\n\n"
        'mask contains "/input/session/calls"\n\n'
        'mask contains {"op": "upsert", "path": "/input/arguments/path", "value": "[masked]"}\n'
    )
    theirs = logged_by_opa(tmp_path)
    ours = written(tmp_path / "d.jsonl")[0]
    console = {"level", "msg", "time", "req_id"}  # of the log that it goes to
    assert ours.keys() == theirs.keys() - console
    kinds = {name: type(value) for name, value in theirs.items() if name in ours}
    assert {name: type(value) for name, value in ours.items()} == kinds
    assert (ours["path"], ours["type"], ours["masked"][:0]) == (theirs["path"], theirs["type"], [])
    assert ours["metrics"].keys() <= theirs["metrics"].keys()
    assert [list(each) for each in ours["bundles"].values()] == [list(each) for each in theirs["bundles"].values()]
    assert {"/input/session/calls"} == set(theirs["erased"]) & set(ours["erased"])
    assert {"/input/arguments/path"} == set(theirs["masked"]) & set(ours["masked"])
