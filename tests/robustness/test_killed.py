"""Tidegate ended at any moment under load: nothing it started outlives it, and the audit log knows of every message."""

import asyncio
import hashlib
import json
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from robustness.loading import Load
from robustness.running import Place, echo_upstream, place_of, started, stdio_server
from robustness.talking import Peer
from robustness.watching import all_gone, descendants, running, until
from support.proxy import tidegate
from tidegate_audit.verify import verify

pytestmark = pytest.mark.slow

KILLS = 20
GONE = 10.0  # seconds until nothing is left of a Tidegate that was killed
STOPPED = 8.0  # seconds until one that is asked to stop under load has stopped


def received(got: list[Path]) -> Counter[str]:
    """Count what servers got, a line each, by its digest."""
    lines = [line for log in got if log.exists() for line in log.read_bytes().splitlines()]
    return Counter(hashlib.sha256(line).hexdigest() for line in lines)


def allowed(audit: Path) -> Counter[str]:
    """Count the messages of clients that were recorded as allowed, by their digest."""
    records = [json.loads(line) for line in audit.read_bytes().splitlines()]
    sent = [record for record in records if record["direction"] == "client_to_server"]
    return Counter(record["digest"] for record in sent if record["verdict"] in ("allow", "redact"))


@asynccontextmanager
async def place_in(folder: Path) -> AsyncIterator[tuple[Place, list[Path]]]:
    """A place with a server over HTTP, which runs, and one on stdio; each notes all that it gets in a file."""
    got = [folder / "http.log", folder / "stdio.log"]
    async with echo_upstream(folder, got[0]) as url:
        servers = {"echo": {"url": url}, "odd": stdio_server("--log", str(got[1]))}
        yield place_of(folder, servers), got


@pytest.mark.requirement("no-audit-no-traffic")
@pytest.mark.requirement("no-orphans")
async def test_killed_twenty_times_under_load_it_leaves_no_process_and_no_message_without_its_record(
    tmp_path: Path,
) -> None:
    chance = random.Random(11)
    async with place_in(tmp_path) as (place, got):
        answered = with_servers = 0
        for kill in range(KILLS):
            async with started(place) as (running_one, process):
                report = verify(place.audit)
                assert report.ok, report.problems
                wanted = chance.choice((1, 60, chance.randint(50, 400)))
                async with Load(running_one).running() as load:
                    await until(partial(load.has_answered, wanted), "calls under way")
                    below = descendants(process.pid)
                    os.kill(process.pid, signal.SIGKILL)
                    below |= descendants(process.pid)
                    await process.wait()
                answered += load.answered
                with_servers += len(below) > 1
            await all_gone(below, GONE)
            assert not running("stdio.py", str(got[1])), f"left by kill {kill}"
        assert with_servers > KILLS / 3
        assert received(got).total() >= answered
        assert not received(got) - allowed(place.audit), "messages went out without their record"
        async with started(place) as (running_one, process):
            async with Peer(running_one.endpoint("odd")) as peer:
                assert await peer.echo("as ever") == "as ever"
            os.kill(process.pid, signal.SIGTERM)
            assert await process.wait() == 0
        verifying = await asyncio.create_subprocess_exec(*tidegate("audit", "verify", place.audit))
        assert await verifying.wait() == 0


async def test_a_record_that_a_crash_tore_is_repaired_at_the_next_start(tmp_path: Path) -> None:
    async with place_in(tmp_path) as (place, got):
        async with started(place) as (running_one, process):
            async with Peer(running_one.endpoint("odd")) as peer:
                await peer.echo("first")
            os.kill(process.pid, signal.SIGKILL)
            await process.wait()
        whole = place.audit.read_bytes()
        place.audit.write_bytes(whole + whole.splitlines()[-1][:100])
        assert not verify(place.audit).ok
        async with started(place) as (running_one, _):
            async with Peer(running_one.endpoint("odd")) as peer:
                await peer.echo("second")
            report = verify(place.audit)
            assert report.ok, report.problems
        assert place.audit.read_bytes().startswith(whole)
        assert (tmp_path / "audit.jsonl.torn").read_bytes() == whole.splitlines()[-1][:100] + b"\n"
        assert not received(got) - allowed(place.audit)


@pytest.mark.requirement("no-orphans")
@pytest.mark.parametrize("words", [[], ["deaf", "forks"]])
async def test_asked_to_stop_under_load_it_does_so_in_seconds_and_leaves_nothing(
    tmp_path: Path, words: list[str]
) -> None:
    async with echo_upstream(tmp_path) as url:
        place = place_of(tmp_path, {"echo": {"url": url}, "odd": stdio_server(*words, str(tmp_path))})
        async with started(place) as (running_one, process), Load(running_one).running() as load:
            await until(partial(load.has_answered, 100), "calls under way")
            below = descendants(process.pid)
            os.kill(process.pid, signal.SIGTERM)
            async with asyncio.timeout(STOPPED):
                assert await process.wait() == 0
            below |= running("stdio.py", str(tmp_path))
        await all_gone(below, 1)
        report = verify(place.audit)
        assert report.ok, report.problems
        records = running_one.records()
        assert (records[-1]["kind"], records[-1]["reason"]) == ("proxy", "stopped")
        instances = [record["reason"] for record in records if record["kind"] == "instance"]
        starts = sum(reason.startswith("started in") for reason in instances)
        assert starts * 2 == len(instances), "a server's end is not recorded"
