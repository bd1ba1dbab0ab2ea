"""`tidegate policy bench`: every part of an evaluation is measured, on the engines there are."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from plugins.policy.commands import HEAD, bundle, call, policy
from support.opa import opa_path


def measured(*arguments: object) -> list[dict[str, Any]]:
    done = policy("bench", *arguments, "--seconds", 0.01, "--json")
    assert done.exit_code == 0, done.output
    found: list[dict[str, Any]] = json.loads(done.stdout)
    assert all(0 < each["median"] <= each["p99"] and each["runs"] >= 20 for each in found)
    return found


def test_small_and_large_calls_are_measured_part_by_part(tmp_path: Path) -> None:
    found = measured(bundle(tmp_path / "p"), "--packs", "readonly")
    parts = ["making the input", "handing it over", "embedded: bundle", "embedded: readonly", "embedded: all of it"]
    assert [(each["case"], each["what"]) for each in found] == [
        (case, what) for case in ("small", "100 KB") for what in parts
    ]


def test_an_input_can_be_given(tmp_path: Path) -> None:
    (tmp_path / "call.json").write_text(json.dumps(call()))
    found = measured(bundle(tmp_path / "p"), "--input", tmp_path / "call.json")
    assert {each["case"] for each in found} == {f"{tmp_path}/call.json"}
    assert [each["what"] for each in found] == ["handing it over", "embedded: bundle", "embedded: all of it"]


@pytest.mark.opa
def test_opa_is_measured_where_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = opa_path()
    assert program is not None
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    found = measured(bundle(tmp_path / "p"), "--with-opa")
    assert [each["case"] for each in found if each["what"] == "opa: all units"] == ["small", "100 KB"]


def test_a_table_is_printed_for_people(tmp_path: Path) -> None:
    done = policy("bench", bundle(tmp_path / "p"), "--seconds", 0.01)
    assert "median µs" in done.stdout


def test_a_policy_that_gives_no_decision_is_named(tmp_path: Path) -> None:
    text = f"{HEAD}decision := {{}} if input.never\n"
    done = policy("bench", bundle(tmp_path / "p", policy=text, tests=""), "--seconds", 0.01)
    assert "bundle gives no decision about the message 'small'" in done.stderr
