"""A process that writes and is killed at any moment: the next start goes on, and nothing acknowledged is lost."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from plugins.audit.building import DEADLINE, SLOW_FSYNC, lines, records, writing
from tidegate_audit.verify import verify

KILLS = 20
# For each line of its standard input, starts a process that writes records for ever and says of each on its standard
# output, when it is written, which it was; and says when that process has ended. What it imports is imported once.
WRITERS = """
import asyncio, os, sys
from pathlib import Path
import structlog
from tidegate import Decision, Proxy, Step
from tidegate.testing import flow, request
from tidegate_audit import Audit

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))

async def main():
    audit = Audit(Audit.Config(durability=sys.argv[2], fsync_interval=0.01, rotate_bytes=30000))
    audit.startup(Proxy("audit", Path(sys.argv[1])))
    message = request("tools/call", {"name": "now", "arguments": {"text": "x" * 200}})
    about = flow(message)
    number = 0
    while True:
        number += 1
        waiting = audit.observe(Decision(f"{os.getpid()}-{number}", message), about)
        if waiting is not None:
            await waiting
        os.write(1, b"%d-%d\\n" % (os.getpid(), number))

for _ in sys.stdin:
    writer = os.fork()
    if writer == 0:
        asyncio.run(main())
    os.waitpid(writer, 0)
    os.write(1, b"over\\n")
"""


@pytest.mark.slow
@pytest.mark.parametrize("durability", ["buffered", "fsync"])
def test_a_writer_killed_twenty_times_at_random_loses_nothing_and_leaves_a_chain_that_verifies(
    tmp_path: Path, durability: str
) -> None:
    path = tmp_path / "audit.jsonl"
    chance = random.Random(7)
    acknowledged: list[str] = []
    command = [sys.executable, "-c", WRITERS, str(tmp_path), durability]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writers:
        for _ in range(KILLS):
            acknowledged += killed_after(writers, chance.randint(1, 400 if durability == "buffered" else 40))
        writers.communicate(timeout=DEADLINE)
    with writing(path, SLOW_FSYNC):
        pass
    report = verify(path)
    assert report.ok, report.problems
    assert len(report.files) > 2
    written = [record["decision"] for record in records(path)]
    assert len(set(written)) == len(written) == report.records
    missing = set(acknowledged) - set(written)
    assert not missing
    assert len(lines(path)) >= len(acknowledged)


def killed_after(writers: subprocess.Popen[str], count: int) -> list[str]:
    """Kill a writer after it acknowledged so many records; all that it did acknowledge."""
    assert writers.stdin is not None
    assert writers.stdout is not None
    writers.stdin.write("another\n")
    writers.stdin.flush()
    told = [writers.stdout.readline().strip() for _ in range(count)]
    assert all(told), "a writer couldn't start"
    os.kill(int(told[-1].partition("-")[0]), signal.SIGKILL)
    while (line := writers.stdout.readline().strip()) != "over":
        assert line
        told.append(line)
    return told
