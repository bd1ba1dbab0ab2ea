"""How the suite treats what is missing and what is left running, shown by runs of pytest of its own."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from support import spreading

TESTS = Path(__file__).parent
NEEDS_OPA = "import pytest\n@pytest.mark.opa\ndef test_a(): pass\ndef test_b(): pass\n"
SKIPS = "import pytest\ndef test_a(): pytest.skip('{reason}')\n"


WORKERS = pytest.param(("-n2",), marks=pytest.mark.slow, id="two workers")
WAYS = pytest.mark.parametrize("ways", [pytest.param((), id="alone"), WORKERS])


def run(folder: Path, source: str, *ways: str, require: str = "", opa: bool = False) -> tuple[int, list[str]]:
    """Run pytest over one test file in an environment without opa, or with a program of that name.

    Returns:
        Its exit code, and the lines it printed.

    """
    (folder / "test_it.py").write_text(source)
    (folder / "bin").mkdir()
    if opa:
        program = folder / "bin" / "opa"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    settings = [
        "-c",
        str(TESTS.parent / "pyproject.toml"),
        f"--rootdir={folder}",
        "-pconftest",
        "-pno:hypothesispytest",
    ]
    environment = os.environ | {
        "PATH": str(folder / "bin"),
        "PYTHONPATH": str(TESTS),
        "XDG_CACHE_HOME": str(folder),
        "TIDEGATE_REQUIRE": require,
        "NO_COLOR": "1",
    }
    command = [sys.executable, "-m", "pytest", *settings, *ways, str(folder / "test_it.py")]
    ended = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=110, check=False
    )
    return ended.returncode, (ended.stdout + ended.stderr).splitlines()


@WAYS
def test_a_test_whose_need_is_missing_is_skipped_and_the_last_lines_say_how_to_have_it(
    tmp_path: Path, ways: tuple[str, ...]
) -> None:
    code, lines = run(tmp_path, NEEDS_OPA, *ways)
    assert code == 0
    assert lines[-2].startswith("skipped, needs opa: there is no opa program. To have it: go install ")
    assert "1 passed, 1 skipped" in lines[-1]


def test_a_test_whose_need_is_there_runs(tmp_path: Path) -> None:
    code, lines = run(tmp_path, NEEDS_OPA, require="opa", opa=True)
    assert code == 0
    assert "2 passed" in lines[-1]


@WAYS
def test_a_missing_need_that_is_required_ends_the_run_before_it_starts(tmp_path: Path, ways: tuple[str, ...]) -> None:
    code, lines = run(tmp_path, NEEDS_OPA, *ways, require="opa")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "TIDEGATE_REQUIRE names opa, but there is no opa program" in "\n".join(lines)
    assert "passed" not in "\n".join(lines)


def test_an_unknown_name_in_the_requirements_is_refused(tmp_path: Path) -> None:
    code, lines = run(tmp_path, NEEDS_OPA, require="oppa")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "'oppa', which is none of docker, node, opa, bubblewrap" in "\n".join(lines)


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        (SKIPS.format(reason="not today"), "1 failed"),
        (SKIPS.format(reason="platform: macOS alone has it"), "1 skipped"),
        ("import pytest\n@pytest.mark.skip(reason='not today')\ndef test_a(): pass\n", "1 error"),
        ("import pytest\npytest.skip('not today', allow_module_level=True)\n", "1 error"),
        ("import pytest\npytest.importorskip('no_such_module')\n", "1 error"),
        ("import pytest\n@pytest.mark.xfail\ndef test_a(): assert False\n", "1 xfailed"),
    ],
)
def test_where_needs_are_required_only_the_platform_excuses_a_skip(tmp_path: Path, source: str, outcome: str) -> None:
    code, lines = run(tmp_path, source, require="opa", opa=True)
    assert outcome in lines[-1]
    assert (code == 0) == (outcome not in ("1 failed", "1 error"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "source", [SKIPS.format(reason="no"), "import pytest\npytest.importorskip('no_such_module')\n"]
)
def test_workers_refuse_a_skip_as_well(tmp_path: Path, source: str) -> None:
    code, lines = run(tmp_path, source, "-n1", require="opa", opa=True)
    assert code != 0
    assert "TIDEGATE_REQUIRE is set, so this may not be skipped" in "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def test_a(): pass", "test_it.py"),
        ("@pytest.mark.slow\ndef test_a(): pass", "test_it.py::test_a[1::2]"),
        ("pytestmark = pytest.mark.slow\n@pytest.fixture(scope='module')", "test_it.py"),
        ("pytestmark = [pytest.mark.slow, pytest.mark.docker]", "docker"),
        ("TEXT = 'pytest.mark.docker'", "test_it.py"),
        ("@pytest.mark.slow\ndef test_a(clean: Clean): pass", "clean"),
    ],
)
def test_slow_tests_are_spread_one_by_one_where_they_share_nothing(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "test_it.py").write_text(text)
    assert spreading.unit(tmp_path, "test_it.py::test_a[1::2]") == expected


ORPHAN = """
import pathlib, subprocess, sys
LAST = [sys.executable, "-c", "import signal; signal.pause()"]
# The middle one ends at once, so that nobody is left who waits for the last.
MIDDLE = f"import subprocess; print(subprocess.Popen({LAST!r}, stdout=subprocess.DEVNULL).pid)"
def test_a():
    pathlib.Path("pid").write_text(subprocess.check_output([sys.executable, "-c", MIDDLE], text=True))
def test_b(): pass
"""
CRASH = f"{ORPHAN}def test_c():\n    import os\n    os.kill(os.getpid(), 9)\n"


@WAYS
@pytest.mark.slow
def test_a_process_that_outlives_its_test_fails_the_run_and_is_ended(tmp_path: Path, ways: tuple[str, ...]) -> None:
    code, lines = run(tmp_path, ORPHAN, *ways)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "2 passed" in lines[-1]
    was_ended(tmp_path, lines)


@pytest.mark.slow
def test_a_process_that_outlives_a_worker_that_crashed_is_ended_too(tmp_path: Path) -> None:
    code, lines = run(tmp_path, CRASH, "-n1", "--max-worker-restart=0")
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "1 failed, 2 passed" in lines[-1]
    was_ended(tmp_path, lines)


def was_ended(folder: Path, lines: list[str]) -> None:
    assert sum(line.startswith("LEFT RUNNING") and "signal.pause" in line for line in lines) == 1
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int((folder / "pid").read_text())).wait(timeout=10)
