"""A process that writes and is killed at any moment: the next start goes on, and nothing acknowledged is lost."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from plugins.audit.building import DEADLINE, SLOW_FSYNC, lines, records, writing
from tidegate_audit.verify import verify

KILLS = 20
# Writes records for ever, and says of each on its standard output, when it is written, which it was.
WRITER = """
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

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("durability", ["buffered", "fsync"])
def test_a_writer_killed_twenty_times_at_random_loses_nothing_and_leaves_a_chain_that_verifies(
    tmp_path: Path, durability: str
) -> None:
    path = tmp_path / "audit.jsonl"
    chance = random.Random(7)
    acknowledged: list[str] = []
    for _ in range(KILLS):
        acknowledged += killed_after(tmp_path, durability, chance.randint(1, 400 if durability == "buffered" else 40))
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


def killed_after(folder: Path, durability: str, count: int) -> list[str]:
    """Kill a writer after it acknowledged so many records; all that it did acknowledge."""
    command = [sys.executable, "-c", WRITER, str(folder), durability]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        told = [process.stdout.readline().strip() for _ in range(count)]
        process.kill()
        process.wait(timeout=DEADLINE)
        rest = process.stdout.read()  # not communicate(), which passes over what readline() has read ahead
        assert all(told), process.stderr.read()
    return [*told, *rest.split("\n")[:-1]]
