"""`make demo` and `examples/quickstart.toml`, run as a reader runs them."""

import os
import subprocess
import sys

import pytest

from docs.pages import ROOT
from support.images import Images
from tidegate import settings

pytestmark = pytest.mark.slow

SECONDS = 100  # it promises 15 on an idle machine


def demo(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "examples" / "demo.py"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "120", **environment},
        timeout=SECONDS,
        check=False,
    )


def test_the_demo_shows_a_passed_call_a_denied_one_and_a_verified_log() -> None:
    done = demo(DOCKER_HOST="unix:///nowhere.sock")
    assert (done.returncode, done.stderr) == (0, "")
    for shown in (
        "✓  time   get_current_time",
        "✗  time   convert_time      Denied by Tidegate",
        "time, a process",
        "tools/list result",
        "the chain is whole",
        "The container part is left out: no Docker engine answers.",
    ):
        assert shown in done.stdout
    denied = next(line.split() for line in done.stdout.splitlines() if "deny" in line)
    assert denied[:5] == ["→", "tools/call", "convert_time", "deny", "lists"]
    assert all(word.isdigit() for word in denied[5:])


@pytest.mark.docker
def test_the_demo_has_a_container_where_an_engine_answers(images: Images) -> None:
    assert images.time
    done = demo()
    assert (done.returncode, done.stderr) == (0, "")
    assert "boxed, a container" in done.stdout
    assert "✓  boxed  get_current_time" in done.stdout


def test_the_demo_says_what_is_missing() -> None:
    done = subprocess.run(
        [sys.executable, "-S", ROOT / "examples" / "demo.py"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "make demo" in done.stderr


def test_the_quickstart_serves_what_the_documentation_says() -> None:
    quickstart = settings.load(ROOT / "examples" / "quickstart.toml")
    assert quickstart.proxy.listen == "127.0.0.1:8811"
    assert set(quickstart.servers) == {"time"}
    assert [entry.use for entry in quickstart.interceptors] == ["lists", "audit"]
