"""What processes use, as the kernel tells."""

import os
import subprocess
import sys

import pytest

from tidegate.processes import usage

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="platform: other systems have no such files")

CHILD = """
import subprocess, sys
held = bytearray(b"x" * 40_000_000)
while sum(range(100_000)) and __import__("time").process_time() < 0.2: pass
child = subprocess.Popen([sys.executable, "-c", "input()"])
print("ready", flush=True)
child.wait()
"""


def test_a_process_is_counted_with_all_below_it() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        used = usage(process.pid)
        assert used is not None
        assert used["pids"] == 2
        assert used["memory"] > 40_000_000
        assert used["cpu_ns"] >= 150_000_000
        process.communicate("\n")
    assert usage(process.pid) is None


def test_this_process_is_one_at_least() -> None:
    used = usage(os.getpid())
    assert used is not None
    assert used["pids"] >= 1
