"""The how-to for `secrets`: its settings start, its rule holds, and its commands print what it shows."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from support.clean import ROOT
from tidegate.testing import harness
from tidegate_scan.rules import load

TEXT = (ROOT / "docs" / "how-to" / "secrets.md").read_text()
BLOCKS = re.findall(r"^```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
SETTINGS = [block for block in BLOCKS if not block.startswith("[[rule]]")]
RULE = next(block for block in BLOCKS if block.startswith("[[rule]]"))
FINGERPRINT = re.compile(r"\b[0-9a-f]{16}\b")


def shown(command: str) -> tuple[list[str], str]:
    """A command of the page, and the output it is shown with."""
    found = re.search(rf"^```console\n\$ ({command} .*)\n((?:.*\n)*?)```$", TEXT, re.MULTILINE)
    assert found
    return shlex.split(found[1]), found[2]


def run(command: list[str], folder: Path) -> str:
    line = [sys.executable, "-c", "from tidegate.cli import main; main()", *command[1:]]
    return subprocess.run(line, capture_output=True, text=True, cwd=folder, timeout=60, check=False).stdout


@pytest.mark.parametrize("block", SETTINGS)
async def test_the_settings_start(block: str, tmp_path: Path) -> None:
    (tmp_path / "acme-rules.toml").write_text(RULE)
    for entry in tomllib.loads(block)["interceptors"]:
        async with harness(entry.pop("use"), entry, servers=("vault", "deploy"), folder=tmp_path):
            pass


def test_the_rule_holds(tmp_path: Path) -> None:
    (tmp_path / "acme-rules.toml").write_text(RULE)
    assert [rule.id for rule in load([tmp_path / "acme-rules.toml"], check_examples=True)] == ["acme-key"]


def test_scanning_prints_what_the_page_shows(tmp_path: Path) -> None:
    command, file = shown("cat")
    (tmp_path / command[1]).write_text(file)
    (tmp_path / "acme-rules.toml").write_text(RULE)
    (tmp_path / "tidegate.toml").write_text(next(block for block in SETTINGS if "acme-rules.toml" in block))
    command, output = shown("tidegate scan")
    assert FINGERPRINT.sub("", run(command, tmp_path)) == FINGERPRINT.sub("", output)
    assert len(set(FINGERPRINT.findall(output))) == 1


def test_allowing_prints_what_the_page_shows(tmp_path: Path) -> None:
    command, output = shown("tidegate secrets allow")
    entry: dict[str, Any] = tomllib.loads(output)["interceptors"]["allow"][0]
    finding = {
        "kind": "secret",
        "rule": entry["rules"][0],
        "fingerprint": entry["fingerprint"],
        "pointer": entry["pointers"][0],
        "by": "secrets",
    }
    decision = command[command.index("--decision") + 1]
    record = {"decision": decision, "server": entry["servers"][0], "target": entry["targets"][0], "findings": [finding]}
    (tmp_path / command[3]).write_text(json.dumps(record) + "\n")
    assert run(command, tmp_path) == output


def test_the_views_are_those_there_are() -> None:
    from tidegate_scan.inline import WAYS

    table = TEXT.split("| view |")[1].split("\n\n")[0]
    named = set(re.findall(r"^\| (.*?) \|", table, re.MULTILINE)) - {"---"}
    assert {name.strip("`") for names in named for name in names.split(", ")} == {
        "base64",
        "hex",
        "gzip",
        "zlib",
        *(way.name for way in WAYS),
    }


def test_there_is_something_to_check() -> None:
    assert len(SETTINGS) == 5
