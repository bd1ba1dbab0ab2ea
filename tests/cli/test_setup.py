"""`init`, `import` and `token new`."""

import hashlib
import json
import os
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest

from cli.running import Command
from support.proxy import tidegate
from tidegate import defaults, settings
from tidegate.cli import output, serving


def test_init_writes_settings_that_are_valid_and_say_what_they_do(command: Command, home: Path) -> None:
    assert command("init").code == 0
    written = settings.load(home / "tidegate.toml")
    assert (home / "tidegate.toml").read_text() == defaults.text()
    assert [(entry.use, entry.required) for entry in written.interceptors] == [("secrets", False), ("audit", True)]
    assert written.interceptors[0].config == {"request": "deny", "response": "redact"}


@pytest.mark.parametrize("before", [None, "# mine\n"])
def test_init_writes_all_or_nothing(home: Path, before: str | None) -> None:
    path = home / "tidegate.toml"
    if before is not None:
        path.write_text(before)
    line = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *tidegate("init", *(["--force"] if before else []))]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == output.MISTAKE
    assert done.stderr.startswith("Error: ")
    assert done.stderr.endswith("File too large\n")
    assert [path.name for path in home.iterdir()] == ([] if before is None else ["tidegate.toml"])
    assert before is None or path.read_text() == before


def test_init_replaces_nothing_unless_told_to(command: Command, home: Path) -> None:
    (home / "tidegate.toml").write_text("# mine\n")
    ended = command("init")
    assert ended.code == output.MISTAKE
    assert "--force" in ended.err
    assert (home / "tidegate.toml").read_text() == "# mine\n"
    assert command("init", "--force").code == 0
    assert (home / "tidegate.toml").read_text() == defaults.text()


def test_the_default_settings_state_the_defaults(home: Path) -> None:
    assert defaults.load().proxy == settings.ProxySettings()


def test_what_the_default_settings_have_as_comments_is_valid_too(home: Path) -> None:
    lines = [line.removeprefix("# ") for line in defaults.text().splitlines()]
    shown = [line for line in lines if line.startswith("[") or " = " in line]
    tried = settings.parse("\n".join(shown), folder=home)
    assert set(tried.servers) == {"time", "files", "docs"}
    assert tried.proxy.admin == "127.0.0.1:8812"


def test_files_of_the_default_settings_are_in_the_users_own_folder(home: Path) -> None:
    folder = defaults.load().folder
    assert folder == home / "state" / "tidegate"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_each_wrap_has_an_audit_file_of_its_own_and_old_ones_go(home: Path) -> None:
    folder = home / "state" / "tidegate" / "audit"
    folder.mkdir(parents=True)
    ended, running, fresh = (folder / f"time-{pid}.jsonl" for pid in (2**22 + 1, 1, 2**22 + 2))
    for file in (ended, running, fresh):
        file.write_text("")
    old = 1_000_000_000
    for file in (ended, running):
        os.utime(file, (old, old))
    made, called = serving.wrapped(["time"], None, None)
    assert called == "time"
    assert made.interceptors[-1].config["path"] == f"audit/time-{os.getpid()}.jsonl"
    assert not ended.exists()
    assert running.exists()
    assert fresh.exists()


def test_a_token_is_shown_once_and_the_settings_know_its_digest_only(command: Command, home: Path) -> None:
    ended = command("token", "new", "ci")
    shown, _, lines = ended.out.partition("\n\n")
    read = settings.parse(lines, folder=home)
    assert read.auth.tokens[0].sha256 == hashlib.sha256(shown.encode()).hexdigest()
    principal = read.auth.principal(shown)
    assert principal is not None
    assert principal.name == "ci"
    assert shown not in ended.err
    assert shown not in lines


def test_a_token_can_be_for_one_profile_only(command: Command, home: Path) -> None:
    _, line = command("token", "new", "ci", "--profile", "work").out.split("\n\n", 1)
    (home / "tidegate.toml").write_text(f'[servers.a]\ncommand = ["true"]\n[profiles.work]\nservers = ["a"]\n{line}')
    assert settings.load(home / "tidegate.toml").auth.tokens[0].profile == "work"


def test_tokens_differ_and_are_long(command: Command) -> None:
    made = [json.loads(command("token", "new", "ci", "--json").out) for _ in range(2)]
    assert made[0]["token"] != made[1]["token"]
    assert len(made[0]["token"]) >= 40


def test_import_on_demand_makes_settings_by_which_sessions_add_the_servers(command: Command, home: Path) -> None:
    catalog = "registry: {a: {image: a, description: Keeps notes}, b: {image: b}}"
    (home / "catalog.yaml").write_text(catalog)
    tree = tomllib.loads(command("import", "catalog.yaml", "--on-demand").out)
    assert tree["gateway"] == {"dynamic": True}
    assert [each["on_demand"] for each in tree["servers"].values()] == [True, True]
    assert tree["servers"]["a"]["description"] == "Keeps notes"
    assert "gateway" not in tomllib.loads(command("import", "catalog.yaml").out)


def test_import_prints_settings_and_says_what_has_no_counterpart(command: Command, home: Path) -> None:
    (home / "mcp.json").write_text(
        json.dumps({"mcpServers": {"time": {"command": "mcp-server-time", "autoApprove": ["*"]}}})
    )
    ended = command("import", "mcp.json")
    assert ended.code == 0
    tree = tomllib.loads(ended.out)
    assert tree["servers"] == {"time": {"command": ["mcp-server-time"], "egress": "unrestricted"}}
    assert "'autoApprove'" in ended.out
    assert "time: 'autoApprove' has no counterpart; left out" in ended.err
    as_json = json.loads(command("import", "mcp.json", "--json").out)
    assert as_json["servers"] == tree["servers"]
    assert as_json["notes"][0] == {"server": "time", "note": "'autoApprove' has no counterpart; left out"}
    assert [note["server"] for note in as_json["notes"]] == ["time", ""]
