"""`tidegate policy new`: a policy that passes its own tests, and is never written over another."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from plugins.policy.commands import policy
from support.opa import opa_path
from tidegate_policy import inputs, packs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    done = policy("new", tmp_path / "p")
    assert done.exit_code == 0, done.output
    return tmp_path / "p"


def test_what_is_written_passes_its_own_tests_and_they_reach_all_of_it(folder: Path) -> None:
    done = policy("test", folder, "--threshold", 100)
    assert done.exit_code == 0, done.output


def test_check_finds_nothing_in_it(folder: Path) -> None:
    done = policy("check", folder)
    assert (done.exit_code, done.output) == (0, "")


def test_its_sample_is_an_input_and_is_denied(folder: Path) -> None:
    sample = folder / "inputs" / "delete.json"
    assert not inputs.problems(json.loads(sample.read_text()))
    done = policy("eval", folder, "--input", sample)
    assert done.exit_code == 0
    assert [said["rule"] for said in json.loads(done.stdout)["deny"]] == ["delete"]


@pytest.mark.parametrize("name", ["policy.rego", "inputs/delete.json"])
def test_nothing_is_overwritten(name: str, tmp_path: Path) -> None:
    file = tmp_path / "p" / name
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    done = policy("new", tmp_path / "p")
    assert (done.exit_code, done.stderr) == (
        2,
        f"Error: {file} is there already: give the name of another folder\n",
    )
    assert file.read_text() == "mine"
    assert [path for path in (tmp_path / "p").rglob("*") if path.is_file()] == [file]


def test_what_can_not_be_written_whole_is_not_written_at_all(tmp_path: Path) -> None:
    (tmp_path / "inputs").write_text("a file in the place of a folder")
    done = policy("new", tmp_path)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"Error: {tmp_path / 'inputs'}")
    assert [path.name for path in tmp_path.iterdir()] == ["inputs"]


def test_a_folder_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("a file")
    done = policy("new", tmp_path / "p")
    assert done.exit_code == 2
    assert done.stderr.startswith("Error: ")


@pytest.mark.opa
@pytest.mark.parametrize("which", ["new", "packs"])
def test_opa_finds_nothing_to_mend_in_what_is_shipped(which: str, folder: Path, tmp_path: Path) -> None:
    program = opa_path()
    assert program is not None
    checked = folder if which == "new" else shutil.copytree(packs.folder(), tmp_path / "packs")
    for words in (["check", "--strict", "--bundle"], ["fmt", "--list", "--fail"]):
        done = subprocess.run([program, *words, checked], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), words
