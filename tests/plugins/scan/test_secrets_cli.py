"""`tidegate secrets allow`: from an audit record to the settings, and nothing else in them changes."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from plugins.scan.tokens import TOKEN, Command
from tidegate.testing import assert_denied, assert_passes, flow, harness, request
from tidegate_audit.record import Recorder
from tidegate_scan import Secrets, SecretsConfig

SETTINGS = """\
# What protects us.
[servers.files]
command = "files-server"   # local

[[interceptors]]
use = "audit"

[[interceptors]]
use = "secrets"            # both directions
disable = ["held-*"]       # for now

[interceptors.when]
servers = ["files"]

# Last, the lists.
[[interceptors]]
use = "lists"
"""


def record(decision: str, *pointers: str, mark: str = "ab", **more: Any) -> str:
    """A line of an audit log, as far as the command reads it."""
    finding = {"kind": "secret", "rule": "github-pat", "fingerprint": mark * 8, "view": "", "by": "secrets"}
    findings = [finding | {"pointer": pointer} for pointer in pointers]
    tree = {"decision": decision, "server": "files", "target": "write_file", "findings": findings}
    return json.dumps(tree | more) + "\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "tidegate.toml").write_text(SETTINGS)
    (tmp_path / "audit.jsonl.000001").write_text(record("d1", "/params/arguments/old", mark="0f"))
    path = tmp_path / "audit.jsonl"
    path.write_text(record("d2", "/params/arguments/a", "/params/arguments/b") + record("d3", "/x", mark="cd") + "{")
    return path


ENTRY = {
    "fingerprint": "ab" * 8,
    "rules": ["github-pat"],
    "servers": ["files"],
    "targets": ["write_file"],
    "pointers": ["/params/arguments/a", "/params/arguments/b"],
}


def test_allow_prints_the_narrowest_entry_and_changes_nothing(command: Command, log: Path, tmp_path: Path) -> None:
    ended = command("secrets", "allow", log, "--decision", "d2")
    assert ended.code == 0
    assert tomllib.loads(f"[[interceptors]]\n{ended.out}")["interceptors"][0]["allow"] == [ENTRY]
    SecretsConfig.model_validate({"allow": [ENTRY]})
    assert (tmp_path / "tidegate.toml").read_text() == SETTINGS


def test_allow_finds_a_fingerprint_in_older_files_too(command: Command, log: Path) -> None:
    ended = command("secrets", "allow", log, "--fingerprint", "0f" * 8)
    assert '"/params/arguments/old"' in ended.out


def test_allow_writes_the_entry_and_keeps_all_else_of_the_file(command: Command, log: Path, tmp_path: Path) -> None:
    settings = tmp_path / "tidegate.toml"
    settings.chmod(0o640)
    ended = command("secrets", "allow", log, "--decision", "d2", "--write", "--reason", "a test's own")
    assert ended.code == 0, ended.err
    assert "Added it to tidegate.toml" in ended.err
    text = settings.read_text()
    tree = tomllib.loads(text)
    assert tree["interceptors"][1].pop("allow") == [ENTRY | {"reason": "a test's own"}]
    assert tree == tomllib.loads(SETTINGS)
    kept = iter(text.splitlines())
    assert all(line in kept for line in SETTINGS.splitlines())
    assert settings.stat().st_mode & 0o777 == 0o640
    again = command("secrets", "allow", log, "--decision", "d2", "--write")
    assert again.code == 0
    assert "has that entry already" in again.err
    assert settings.read_text() == text


@pytest.mark.parametrize(
    "there",
    [
        'allow = [{ rules = ["jwt"] }]\n',
        'allow = [\n  { rules = ["jwt"] },  # theirs\n]\n',
        'allow = []\n\n[[interceptors.overrides]]\nrules = ["jwt"]\nrequest = "redact"\n',
        '\n[[interceptors.allow]]\nrules = ["jwt"]  # theirs\n',
        '[[interceptors.overrides]]\nrules = ["jwt"]\nrequest = "redact"\n',
    ],
)
def test_allow_writes_beside_entries_of_either_form(there: str, command: Command, log: Path, tmp_path: Path) -> None:
    text = SETTINGS.replace('disable = ["held-*"]       # for now\n', there).replace(
        '[interceptors.when]\nservers = ["files"]\n', ""
    )
    before = tomllib.loads(text)
    (tmp_path / "tidegate.toml").write_text(text)
    ended = command("secrets", "allow", log, "--decision", "d2", "--write")
    assert ended.code == 0, ended.err
    written = (tmp_path / "tidegate.toml").read_text()
    before["interceptors"][1].setdefault("allow", []).append(ENTRY)
    assert tomllib.loads(written) == before
    assert written.count("#") == text.count("#")


def test_allow_keeps_the_mark_of_an_editor_and_leaves_a_blank_line_before_what_follows(
    command: Command, log: Path, tmp_path: Path
) -> None:
    settings = tmp_path / "tidegate.toml"
    settings.write_text(f"\ufeff{SETTINGS}\n[proxy]\nport = 1234\n", encoding="utf-8")
    ended = command("secrets", "allow", log, "--decision", "d2", "--write")
    assert ended.code == 0, ended.err
    written = settings.read_text(encoding="utf-8")
    assert written.startswith("\ufeff")
    entry = written.partition("[[interceptors.allow]]")[2]
    assert entry.partition("\n[")[0].endswith("\n")


def test_allow_keeps_a_link_and_the_line_ends_of_its_target(command: Command, log: Path, tmp_path: Path) -> None:
    target = tmp_path / "real.toml"
    target.write_bytes(SETTINGS.replace("\n", "\r\n").encode())
    (tmp_path / "tidegate.toml").unlink()
    (tmp_path / "tidegate.toml").symlink_to(target)
    assert command("secrets", "allow", log, "--decision", "d2", "--write").code == 0
    assert (tmp_path / "tidegate.toml").is_symlink()
    assert b"both directions\r\n" in target.read_bytes()


def test_allow_leaves_out_what_a_record_masks_or_cuts_and_escapes_globs(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_text(record("d1", "/a/[masked]", target="x" * 255 + "…") + record("d2", "/a/[*]?", mark="cd"))
    first = tomllib.loads(command("secrets", "allow", path, "--decision", "d1").out)["interceptors"]["allow"][0]
    assert set(first) == {"fingerprint", "rules", "servers"}
    second = tomllib.loads(command("secrets", "allow", path, "--decision", "d2").out)["interceptors"]["allow"][0]
    assert second["pointers"] == ["/a/[[][*]][?]"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say with --decision or --fingerprint which of these is meant"),
        (["--decision", "d4"], "say with --fingerprint which of these is meant"),
        (["--decision", "d9"], "has no such finding"),
        (["--fingerprint", "12"], "has no such finding"),
        (["--decision", "d2", "--write", "--settings", "none.toml"], "none.toml: can't be read"),
        (["--decision", "d2", "--write", "--settings", "other.toml"], "no interceptor there has use = 'secrets'"),
        (["--decision", "d2", "--write", "--settings", "inline.toml"], "add the entry by hand"),
    ],
)
def test_allow_says_what_it_needs_and_ends_with_2(
    arguments: list[str], said: str, command: Command, log: Path, tmp_path: Path
) -> None:
    with log.open("a") as file:
        file.write(
            "\n"
            + record("d4", "/a").replace(
                "]}", f", {json.dumps(json.loads(record('', '/b', mark='ef'))['findings'][0])}]}}"
            )
        )
    (tmp_path / "other.toml").write_text('[[interceptors]]\nuse = "lists"\n')
    (tmp_path / "inline.toml").write_text('interceptors = [{ use = "secrets", allow = "x" }]\n')
    ended = command("secrets", "allow", log, *arguments)
    assert ended.code == 2
    assert said in ended.err


def test_allow_without_a_log_ends_with_2(command: Command) -> None:
    ended = command("secrets", "allow", "none.jsonl")
    assert ended.code == 2
    assert "none.jsonl can't be read" in ended.err


async def test_what_was_denied_passes_with_the_entry_from_its_real_record(command: Command, tmp_path: Path) -> None:
    message = request("tools/call", {"name": "send", "arguments": {"text": f"key {TOKEN}"}})
    about = flow(message, server="server")
    async with harness("secrets", {}, folder=tmp_path) as h:
        decision = await h.judge(message, about)
        denied = assert_denied(decision, rule="github-pat")
    line = json.dumps(Recorder().record(decision, about))
    assert TOKEN not in line
    (tmp_path / "audit.jsonl").write_text(line + "\n")
    ended = command("secrets", "allow", "audit.jsonl", "--decision", decision.id)
    entry = tomllib.loads(ended.out)["interceptors"]["allow"][0]
    assert set(entry) == {"fingerprint", "rules", "servers", "targets", "pointers"}
    assert entry["fingerprint"] in denied.reason
    async with harness("secrets", {"allow": [entry]}, folder=tmp_path) as h:
        assert_passes(await h.judge(message, about))
        other = request("tools/call", {"name": "send", "arguments": {"other": TOKEN}})
        assert_denied(await h.judge(other, flow(other, server="server")))


def test_the_kinds_are_those_of_the_interceptors() -> None:
    from tidegate_scan.allowing import KINDS

    assert KINDS[Secrets.kind] == "secrets"
