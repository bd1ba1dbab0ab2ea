"""An audit log that can't be written any more: nothing goes on without its record, until there is room again."""

import os
import resource
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from robustness.running import echo_upstream, stdio_server
from robustness.talking import Peer
from robustness.watching import descendants
from support.proxy import RunningTidegate, audit_to, running_tidegate
from tidegate_audit.verify import verify

ROOM = 64 * 1024  # bytes for the log at first: some eighty records
CALLS = 200  # more than it has room for


@contextmanager
def tiny_disk(folder: Path) -> Iterator[None]:
    """Mount a file system in memory over a folder, until the block ends."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@asynccontextmanager
async def on_a_full_disk(folder: Path, servers: Any) -> AsyncIterator[tuple[RunningTidegate, Callable[[], None]]]:
    """Run Tidegate on a disk with little room; what comes with it makes more."""
    if os.geteuid() != 0:
        pytest.skip("platform: only root can mount a file system")
    disk = folder / "disk"
    disk.mkdir()
    with tiny_disk(disk):
        filler = disk / "filler"
        filler.write_bytes(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize - ROOM))
        interceptors = [audit_to(disk / "audit.jsonl")]
        async with running_tidegate(servers, interceptors, folder=folder, deny_as="error") as tidegate:
            yield tidegate, filler.unlink


@asynccontextmanager
async def at_a_limit(folder: Path, servers: Any) -> AsyncIterator[tuple[RunningTidegate, Callable[[], None]]]:
    """Run Tidegate so that no file of its own may be longer than so much; what comes with it lifts that."""
    if not hasattr(resource, "prlimit"):
        pytest.skip("platform: there is no prlimit(2)")
    (folder / "disk").mkdir()
    interceptors = [audit_to(folder / "disk" / "audit.jsonl")]
    async with running_tidegate(servers, interceptors, folder=folder, deny_as="error") as tidegate:
        _, hard = resource.prlimit(tidegate.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(tidegate.pid, resource.RLIMIT_FSIZE, (ROOM, hard))

        def lift() -> None:
            resource.prlimit(tidegate.pid, resource.RLIMIT_FSIZE, (hard, hard))

        yield tidegate, lift


WAYS = pytest.mark.parametrize("way", [on_a_full_disk, at_a_limit])
Say = Callable[[Peer, int], Awaitable[Any]]


async def say(peer: Peer, number: int) -> str:
    """Call the echo; return what came of it: ``done``, or the code of the denial."""
    told = await peer.call("echo", text=f"call {number}")
    if "error" in told:
        return str(told["error"]["data"]["code"])
    assert told["result"]["content"][0]["text"] == f"call {number}"
    return "done"


@pytest.mark.requirement("no-audit-no-traffic")
@WAYS
@pytest.mark.parametrize("legacy", [True, False])
async def test_what_cannot_be_recorded_is_denied_and_not_sent_until_there_is_room(
    tmp_path: Path,
    way: Any,
    legacy: bool,  # noqa: FBT001 - a case, not a switch
) -> None:
    got = tmp_path / "got.log"
    async with (
        echo_upstream(tmp_path, got) as url,
        way(tmp_path, {"echo": {"url": url}}) as (tidegate, make_room),
        Peer(tidegate.endpoint("echo")) as peer,
    ):
        if legacy:
            await peer.begin()
        outcomes = [await say(peer, number) for number in range(CALLS)]
        full = outcomes.index("unrecorded")
        assert 10 < full < CALLS / 2
        assert outcomes == ["done"] * full + ["unrecorded"] * (CALLS - full)
        sent = [number for number in range(CALLS) if f'"call {number}"' in got.read_text()]
        assert sent in (list(range(full)), list(range(full + 1)))  # of the last one the reply had no room
        make_room()
        assert [await say(peer, number) for number in range(CALLS, CALLS + 10)] == ["done"] * 10
    report = verify(tmp_path / "disk" / "audit.jsonl") if way is at_a_limit else None
    assert report is None or report.ok, report.problems


@pytest.mark.requirement("no-audit-no-traffic")
@WAYS
async def test_no_server_is_started_whose_start_cannot_be_recorded(tmp_path: Path, way: Any) -> None:
    async with way(tmp_path, {"odd": stdio_server()}) as (tidegate, make_room):
        async with Peer(tidegate.endpoint("odd")) as peer:
            while await say(peer, 1) == "done":
                pass
            before = descendants(tidegate.pid)
            for _ in range(5):
                told = await peer.ask(peer.request("initialize", {"protocolVersion": "2025-11-25"}))
                assert "could not be" in told["error"]["message"]
            assert descendants(tidegate.pid) == before
            make_room()
            await peer.begin()
            assert await say(peer, 2) == "done"
        report = verify(tmp_path / "disk" / "audit.jsonl")
        assert report.ok, report.problems
