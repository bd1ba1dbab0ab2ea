"""`tidegate policy test`: which tests fail, where, how much they reach; the same on both engines."""

import json
import os
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest

from plugins.policy.commands import HEAD, bundle, policy
from support.opa import opa_path
from support.opa_server import OpaServer
from support.proxy import tidegate

ENGINES = ["embedded", pytest.param("opa", marks=pytest.mark.opa)]
FAILING = f"""{HEAD.replace("tidegate", "tidegate_test")}import data.tidegate

test_of_a_false_value := false

test_of_a_number := 3

test_that_stops if {{
	x := 1 + 1
	x == 3
}}

test_that_fails if regex.match(data.allowed, "a")

test_that_passes if 1 == 1
"""


@pytest.fixture
def opa(monkeypatch: pytest.MonkeyPatch) -> None:
    """The opa program in PATH, where it is built; tests that need it are marked so."""
    path = opa_path()
    if path is not None:
        monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")


def outcomes(*arguments: object) -> dict[str, tuple[str, int, str]]:
    told: dict[str, Any] = json.loads(policy("test", *arguments, "--json").stdout)
    return {each["name"].rpartition(".")[2]: (each["outcome"], each["line"], each["why"]) for each in told["tests"]}


@pytest.mark.parametrize("engine", ENGINES)
def test_tests_that_pass_end_well(engine: str, opa: None, tmp_path: Path) -> None:
    done = policy("test", bundle(tmp_path / "p"), "--engine", engine)
    assert done.exit_code == 0, done.output
    assert done.stdout == "3 tests, 2 passed, 1 to do\n"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_test_that_fails_is_told_with_file_line_and_statement(engine: str, opa: None, tmp_path: Path) -> None:
    folder = bundle(tmp_path / "p", tests=FAILING)
    done = policy("test", folder, "--engine", engine)
    assert done.exit_code == 1
    assert "policy_test.rego:13: data.tidegate_test.test_that_stops: failed: not so: x == 3\n" in done.stdout
    assert done.stdout.endswith("5 tests, 1 passed, 3 failed, 1 in error\n")
    found = outcomes(folder, "--engine", engine)
    assert found["test_of_a_false_value"] == ("failed", 7, "its value is false")
    assert found["test_of_a_number"] == ("failed", 9, "its value isn't true")
    assert found["test_that_fails"][:2] == ("error", 16)
    assert "policy_test.rego:16" in found["test_that_fails"][2]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_test_that_another_could_hide_is_an_error(engine: str, opa: None, tmp_path: Path) -> None:
    text = f"{HEAD}test_a if true\n\ntest_a if false\n\ntest_b[n] if {{\n\tsome n in [1, 2]\n\tn == 1\n}}\n"
    found = outcomes(bundle(tmp_path / "p", tests=text), "--engine", engine)
    assert found["test_a"][0] == "error"
    assert found["test_b"][0] == "error"
    assert policy("test", tmp_path / "p", "--engine", engine).exit_code == 1


def test_what_a_failing_test_prints_is_shown(tmp_path: Path) -> None:
    text = f'{HEAD}test_a if {{\n\tprint("seen", 7)\n\tfalse\n}}\n'
    assert "seen 7" in policy("test", bundle(tmp_path / "p", tests=text)).stdout


def test_only_the_tests_that_were_asked_for_are_run(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "p")
    assert list(outcomes(folder, "--run", "reading")) == ["test_reading_passes"]
    done = policy("test", folder, "--run", "nothing_like_it")
    assert (done.exit_code, done.stderr) == (
        2,
        f"Error: {folder}: there are no tests of these names: rules test_… in *_test.rego\n",
    )


def test_coverage_says_which_lines_no_test_reaches(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "p")
    (folder / "unused.rego").write_text("package unused\n\nimport rego.v1\n\na if input.b\n")
    done = policy("test", folder, "--coverage")
    assert "policy.rego" in done.stdout
    told = json.loads(policy("test", folder, "--coverage", "--json").stdout)["coverage"]
    assert [each["file"] for each in told["files"]] == ["policy.rego", "unused.rego"]
    assert 15 in told["files"][0]["missed"]
    assert 9 in told["files"][0]["covered"]
    assert told["files"][1] == {"file": "unused.rego", "covered": [], "missed": [5], "percent": 0.0}


def test_too_little_coverage_is_not_well(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "p")
    assert policy("test", folder, "--threshold", 20).exit_code == 0
    done = policy("test", folder, "--threshold", 99)
    assert done.exit_code == 1
    assert "less than 99 %" in done.stderr


@pytest.mark.opa
def test_opa_itself_says_what_it_reaches(opa: None, tmp_path: Path) -> None:
    told = json.loads(policy("test", bundle(tmp_path / "p"), "--engine", "opa", "--coverage", "--json").stdout)
    assert [each["file"] for each in told["coverage"]["files"]] == ["policy.rego"]
    assert 9 in told["coverage"]["files"][0]["covered"]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_tests_of_all_packs_pass(engine: str, opa: None) -> None:
    done = policy("test", "--packs", "--engine", engine)
    assert done.exit_code == 0, done.stdout[-2000:]


def test_a_missing_opa_program_ends_with_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = policy("test", bundle(tmp_path / "p"), "--engine", "opa")
    assert (done.exit_code, done.stderr.partition(";")[0]) == (3, "Error: there is no opa program in PATH")


def test_a_server_that_is_not_there_ends_with_3(tmp_path: Path) -> None:
    done = policy("test", bundle(tmp_path / "p"), "--opa", f"unix:{tmp_path}/opa.sock")
    assert done.exit_code == 3
    assert done.stderr.startswith("Error: the OPA server can't be used: ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere",), "nowhere"),
        (("--packs", "p"), "--packs and a folder exclude each other"),
        (("p", "--run", "["), "--run: is no regular expression"),
        (("p", "--opa", "http://127.0.0.1:9", "--coverage"), "a server says nothing of the lines it reaches"),
        (("broken",), "policy.rego:7: "),
        (("empty",), "there are no tests"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bundle(Path("p"))
    bundle(Path("broken"), policy=f"{HEAD}deny if {{\n\n")
    bundle(Path("empty"), tests="")
    done = policy("test", *arguments)
    assert done.exit_code == 2, done.output
    assert done.stderr.startswith("Error: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.opa
def test_the_opa_program_ends_with_the_command_however_that_ends(opa: None, tmp_path: Path) -> None:
    pairs = "\tsome a in numbers.range(1, 30000)\n\tsome b in numbers.range(1, 30000)\n\ta * b == 0\n"
    folder = bundle(tmp_path / "p", tests=f"{HEAD}test_slow if {{\n{pairs}}}\n")
    (tmp_path / "t").mkdir()
    command = subprocess.Popen(
        tidegate("policy", "test", folder, "--engine", "opa"),
        env=os.environ | {"TMPDIR": str(tmp_path / "t")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    started: list[psutil.Process] = []
    while not any(each.name() == "opa" for each in started):
        assert command.poll() is None, "the command ended before"
        started = psutil.Process(command.pid).children(recursive=True)
    command.kill()
    command.wait()
    _, alive = psutil.wait_procs(started, timeout=20)
    assert not alive
    ends = time.monotonic() + 20
    while list((tmp_path / "t").iterdir()):  # by a process that may have been too young to be among those
        assert time.monotonic() < ends, "the folder was left behind"


@pytest.mark.opa
def test_a_server_that_runs_already_gives_the_same_results_and_keeps_nothing(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "p", tests=FAILING)
    with OpaServer() as server:
        found = outcomes(folder, "--opa", server.url)
        with urllib.request.urlopen(f"{server.url}/v1/policies") as left:
            assert json.load(left) == {"result": []}
    assert {name: each[:2] for name, each in found.items()} == {
        name: each[:2] for name, each in outcomes(folder).items()
    }
