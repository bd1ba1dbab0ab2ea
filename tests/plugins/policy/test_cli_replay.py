"""`tidegate policy replay`: what would change, by rule, of recordings, decision logs and bare inputs."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

import tidegate
from plugins.policy.commands import POLICY, bundle, call, policy
from tidegate.testing import flow, harness, request
from tidegate_audit.recording import Recording, new_key, read_key

DELETE = {"rule": "delete", "reason": "Nothing is deleted."}
OLD = {"rule": "old", "reason": "It was so."}


def recorded(file: Path, entries: Iterable[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return file


def entry(number: int, name: str, **decided: Any) -> dict[str, Any]:
    """A line as `tidegate audit recording` prints it."""
    return {"decision_id": f"d-{number}", "by": "policy", "revision": "1", "input": call(name), "decision": decided}


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    lines = [entry(number, "delete_file", bundle={"deny": []}) for number in range(7)]
    lines += [entry(7, "read_file", bundle={"deny": []}), entry(8, "delete_file", bundle={"deny": [DELETE]})]
    return recorded(
        tmp_path / "recorded.jsonl", [*lines, entry(9, "read_file", bundle={"deny": [OLD], "labels": ["x"]})]
    )


def test_what_would_change_is_told_by_rule_with_counts_and_examples(recording: Path, tmp_path: Path) -> None:
    done = policy("replay", recording, "--bundle", bundle(tmp_path / "p"))
    assert done.exit_code == 1
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "allow → deny 7 d-0, d-1, d-2, d-3, d-4" in lines
    assert "deny → allow 1 d-9" in lines
    assert "+ deny delete 7 d-0, d-1, d-2, d-3, d-4" in lines
    assert "- deny old 1 d-9" in lines
    assert "- labels x 1 d-9" in lines
    assert lines[-1] == "10 messages, 8 would be decided in another way"


def test_the_same_is_told_as_json(recording: Path, tmp_path: Path) -> None:
    told = json.loads(policy("replay", recording, "--bundle", bundle(tmp_path / "p"), "--json").stdout)
    assert (told["messages"], told["changed"]) == (10, 8)
    assert told["verdicts"][0] == {"from": "allow", "to": "deny", "count": 7, "examples": [f"d-{n}" for n in range(5)]}
    changes = [(each["change"], each["unit"], each["kind"], each["name"], each["count"]) for each in told["rules"]]
    assert changes[0] == ("added", "bundle", "deny", "delete", 7)
    assert set(changes[1:]) == {("removed", "bundle", "deny", "old", 1), ("removed", "bundle", "labels", "x", 1)}


def test_nothing_that_changes_ends_well(tmp_path: Path) -> None:
    file = recorded(tmp_path / "r", [entry(1, "delete_file", bundle={"deny": [DELETE], "labels": []})])
    done = policy("replay", file, "--bundle", bundle(tmp_path / "p"))
    assert (done.exit_code, done.stdout) == (0, "1 message, 0 would be decided in another way\n")


def test_packs_that_were_recorded_and_are_not_named_stay_as_they_decided(tmp_path: Path) -> None:
    denied = {"deny": [{"rule": "paths/outside", "reason": "No."}]}
    file = recorded(tmp_path / "r", [entry(1, "read_file", bundle={}, paths=denied)])
    folder = bundle(tmp_path / "p")
    assert policy("replay", file, "--bundle", folder).exit_code == 0
    told = json.loads(policy("replay", file, "--bundle", folder, "--packs", "paths", "--json").stdout)
    assert [(each["change"], each["name"]) for each in told["rules"]] == [("removed", "paths/outside")]


def test_a_failure_that_was_recorded_is_a_deny(tmp_path: Path) -> None:
    failed = {"kind": "error", "where": "policy.rego:3"}
    file = recorded(tmp_path / "r", [entry(1, "read_file", bundle=failed)])
    told = json.loads(policy("replay", file, "--bundle", bundle(tmp_path / "p"), "--json").stdout)
    assert told["verdicts"][0]["from"] == "deny"
    assert told["rules"][0]["name"] == "bundle/error"


def test_two_policies_are_compared_about_bare_inputs(tmp_path: Path) -> None:
    file = recorded(tmp_path / "r", [call(), call("read_file")])
    old, new = bundle(tmp_path / "old"), bundle(tmp_path / "new", policy=POLICY.replace("delete_", "read_"))
    done = policy("replay", file, "--bundle", new)
    assert (done.exit_code, "say with --old" in done.stderr) == (2, True)
    told = json.loads(policy("replay", file, "--bundle", new, "--old", old, "--json").stdout)
    assert [(each["from"], each["to"], each["examples"]) for each in told["verdicts"]] == [
        ("deny", "allow", ["1"]),
        ("allow", "deny", ["2"]),
    ]


def test_one_input_may_be_laid_out_over_lines(tmp_path: Path) -> None:
    (tmp_path / "r").write_text(json.dumps(call(), indent=2))
    folder = bundle(tmp_path / "p")
    done = policy("replay", tmp_path / "r", "--bundle", folder, "--old", folder)
    assert (done.exit_code, done.stdout) == (0, "1 message, 0 would be decided in another way\n")


def test_the_decision_logs_of_opa_are_read(tmp_path: Path) -> None:
    lines = [
        {"decision_id": "a", "path": "tidegate/decision", "input": call(), "result": {"deny": [DELETE]}},
        {"decision_id": "b", "path": "tidegate/decision", "input": call("read_file")},
        {"decision_id": "c", "path": "tidegate/packs/paths/decision", "input": call("read_file"), "result": {}},
    ]
    told = json.loads(
        policy("replay", recorded(tmp_path / "r", lines), "--bundle", bundle(tmp_path / "p"), "--json").stdout
    )
    assert [(each["from"], each["to"], each["examples"]) for each in told["verdicts"]] == [("deny", "allow", ["b"])]
    assert told["rules"][0]["name"] == "bundle/undefined"


def test_standard_input_is_read_for_a_minus(recording: Path, tmp_path: Path) -> None:
    done = policy("replay", "-", "--bundle", bundle(tmp_path / "p"), given=recording.read_text())
    assert done.stdout.endswith("10 messages, 8 would be decided in another way\n")


async def _record(tmp_path: Path, folder: Path) -> Path:
    """Let a policy decide as Tidegate does, and record it as `audit` does."""
    new_key(tmp_path / "record.key")
    recording = Recording(tmp_path / "audit.recording", read_key("record.key", tmp_path))
    async with harness("policy", {"bundle": str(folder), "watch": 0}) as h:
        for name in ("delete_file", "read_file", "delete_all"):
            message = request("tools/call", {"name": name, "arguments": {"path": "/x/Rumpelstilzchen"}})
            recording.write(await h.judge(message, flow(message, server=tidegate.Server("files"))))
    recording.close()
    return tmp_path / "audit.recording"


async def test_what_audit_records_is_replayed_and_nothing_of_it_is_shown(tmp_path: Path) -> None:
    file = await _record(tmp_path, bundle(tmp_path / "p"))
    assert policy("replay", file, "--bundle", tmp_path / "p", "--key", tmp_path / "record.key").exit_code == 0
    new = bundle(tmp_path / "new", allowed=["delete_all"])
    done = policy("replay", file, "--bundle", new, "--key", tmp_path / "record.key")
    assert done.exit_code == 1
    assert done.stdout.endswith("3 messages, 1 would be decided in another way\n")
    assert "Rumpelstilzchen" not in done.output


async def test_a_recording_is_not_replayed_without_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = await _record(tmp_path, bundle(tmp_path / "p"))
    monkeypatch.setenv("RECORD_KEY", Fernet.generate_key().decode())
    said = {
        (): "is encrypted: say with --key what decrypts it",
        ("--key", tmp_path / "p" / "policy.rego"): "--key names no key",
        ("--key", tmp_path / "nowhere"): "--key names no file that can be read, and no variable that is set",
        ("--key", "env:RECORD_KEY"): "can't be decrypted with this key",
    }
    for words, sentence in said.items():
        done = policy("replay", file, "--bundle", tmp_path / "p", *words)
        assert (done.exit_code, sentence in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"seq": 1, "decision": "d", "prev": "0", "hash": "1"}\n', "is an audit log, which has no inputs to replay"),
        (
            '{"input": {"phase": "request"}, "erased": ["/input/arguments"], "result": {}}\n',
            "parts of the input are masked",
        ),
        ("nonsense\n", "r:1: is no JSON"),
        ("[]\n", "there is no message in it"),
        ("[1]\n", "r:1: is no JSON object"),
        ('{"decision": {}}\n', "r:1: has no input"),
        ("\n", "there is no message in it"),
    ],
)
def test_what_can_not_be_replayed_is_told_in_one_sentence(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("r").write_text(text)
    done = policy("replay", "r", "--bundle", bundle(Path("p")))
    assert (done.exit_code, said in done.stderr, done.stderr.count("\n")) == (2, True, 1), done.stderr


def test_a_new_policy_must_be_named(recording: Path) -> None:
    assert policy("replay", recording).exit_code == 2
