"""Writing: rotation, sharing, locking, the disk, and what a failed write leaves."""

import asyncio
import errno
import json
import os
import resource
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugins.audit.building import (
    DEADLINE,
    SLOW_FSYNC,
    a_log,
    append,
    lines,
    log_files,
    on_disk,
    records,
    synced,
    writing,
)
from tidegate_audit.files import LogError, head_path, read_head, rotated
from tidegate_audit.record import event
from tidegate_audit.verify import verify
from tidegate_audit.writer import Options, Writer, _Waiter, acquire, release

SMALL = Options(fsync_interval=60, rotate_bytes=2000)
LIMITED = """
import errno, resource, signal, sys
from pathlib import Path
from tidegate_audit.record import event
from tidegate_audit.verify import verify
from tidegate_audit.writer import Options, Writer

path = Path(sys.argv[1])
writer = Writer(path, Options(fsync_interval=60))
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))
for count in range(100):
    try:
        writer.append(event("an event"))
    except OSError as error:
        assert error.errno == errno.EFBIG, error
        break
assert path.read_bytes().endswith(b"\\n")
assert verify(path).last == count, verify(path)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert writer.append(event("there is room again")) == count + 1
writer.close()
assert verify(path).ok
print(count)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def test_records_are_numbered_and_chained_from_the_first_on(path: Path) -> None:
    a_log(path, 3)
    found = records(path)
    assert [record["seq"] for record in found] == [1, 2, 3]
    assert [record["prev"] for record in found] == ["0" * 64, found[0]["hash"], found[1]["hash"]]
    assert verify(path).ok


def test_a_record_is_in_the_file_when_append_returns(path: Path) -> None:
    with writing(path) as writer:
        for number in range(1, 4):
            assert writer.append(event("x")) == number
            assert json.loads(lines(path)[-1])["seq"] == number


def test_the_chain_goes_on_after_a_restart(path: Path) -> None:
    for _ in range(3):
        a_log(path, 2)
    assert [record["seq"] for record in records(path)] == [1, 2, 3, 4, 5, 6]
    assert verify(path).ok


def test_a_new_log_is_for_its_owner_only_and_rotation_keeps_the_mode_it_was_given_since(path: Path) -> None:
    with writing(path, SMALL) as writer:
        append(writer, 1)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o640)
        append(writer, 10)
    assert len(rotated(path)) > 1
    assert {stat.S_IMODE(each.stat().st_mode) for each in log_files(path)} == {0o640}


def test_rotation_begins_a_new_file_before_the_limit_and_keeps_the_chain(path: Path) -> None:
    a_log(path, 20, SMALL)
    names = [each.name for each in log_files(path)]
    assert names[:2] == ["audit.jsonl.000001", "audit.jsonl.000002"]
    assert all(each.stat().st_size <= 2000 for each in log_files(path))
    assert [record["seq"] for record in records(path)] == list(range(1, 21))
    report = verify(path)
    assert report.ok
    assert report.files == names


def test_a_record_longer_than_the_limit_has_a_file_of_its_own(path: Path) -> None:
    a_log(path, 3, Options(60, rotate_bytes=1))
    assert len(log_files(path)) == 3
    assert verify(path).ok


def test_rotation_goes_on_counting_after_a_restart(path: Path) -> None:
    a_log(path, 5, SMALL)
    before = len(rotated(path))
    a_log(path, 5, SMALL)
    numbers = [number for number, _ in rotated(path)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > before


def test_only_as_many_older_files_are_kept_as_asked_and_verify_says_where_the_chain_starts(path: Path) -> None:
    a_log(path, 40, Options(60, rotate_bytes=2000, keep=2))
    assert len(rotated(path)) == 2
    report = verify(path)
    assert report.ok
    assert report.first is not None
    assert report.first > 1
    assert report.notes == [f"The chain starts at record {report.first}; older files aren't here."]


def test_threads_that_write_at_the_same_time_make_one_chain(path: Path) -> None:
    with writing(path, Options(0.01, rotate_bytes=50_000)) as writer:
        threads = [threading.Thread(target=append, args=(writer, 300)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
    report = verify(path)
    assert report.ok
    assert report.records == 1200


def test_two_users_of_one_path_share_one_writer_until_the_last_gives_it_back(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    first = acquire(path, SLOW_FSYNC)
    second = acquire(link / "audit.jsonl", SMALL)
    assert first is second
    assert first.options is SMALL
    first.append(event("one"))
    release(first)
    second.append(event("two"))
    release(second)
    with writing(path) as writer:
        assert writer.append(event("three")) == 3


def test_a_log_in_use_by_another_process_is_refused_in_one_sentence(path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tidegate_audit.writer import *;"
        "w = Writer(Path(sys.argv[1]), Options()); print('open', flush=True); sys.stdin.read(); w.close()"
    )
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(LogError, match=r"audit\.jsonl is being written by another Tidegate"):
            Writer(path, SLOW_FSYNC)
        other.communicate(timeout=DEADLINE)
    with writing(path) as writer:
        append(writer, 1)


def test_a_missing_folder_and_a_path_that_is_no_file_are_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"the folder .*nowhere doesn't exist"):
        Writer(tmp_path / "nowhere" / "audit.jsonl", SLOW_FSYNC)
    os.mkfifo(tmp_path / "pipe")
    for name in (".", "pipe"):
        with pytest.raises(LogError, match="is not a regular file"):
            Writer(tmp_path / name, SLOW_FSYNC)


def test_a_write_that_is_cut_short_fails_leaves_the_file_valid_and_the_next_one_goes_on(path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) > 2
    assert path.stat().st_size > 3000


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tidegate-test", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("platform: no tmpfs can be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_fails_every_record_and_room_again_lets_them_through(tiny_disk: Path) -> None:
    path = tiny_disk / "audit.jsonl"
    with writing(path) as writer:
        append(writer, 3)
        with pytest.raises(OSError, match="No space"):
            (tiny_disk / "filler").write_bytes(b"x" * 65536)
        with pytest.raises(OSError, match="No space left on device"):
            append(writer, 1000)
        written = len(lines(path))
        for _ in range(3):
            with pytest.raises(OSError, match="No space left on device"):
                append(writer, 1)
        assert verify(path).last == written
        (tiny_disk / "filler").unlink()
        append(writer, 5)
    report = verify(path)
    assert report.ok
    assert report.last == written + 5


def test_a_rotation_that_fails_fails_the_record_and_leaves_the_log_as_it_was(path: Path) -> None:
    with writing(path, SMALL) as writer:
        append(writer, 2)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (os.dup(0), hard))
        try:
            with pytest.raises(OSError, match="Too many open files"):
                append(writer, 10)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert rotated(path) == []
        append(writer, 10)
    assert len(rotated(path)) > 1
    assert verify(path).ok


def test_when_durable_returns_the_record_is_below_the_head(path: Path) -> None:
    with writing(path) as writer:
        for _ in range(3):
            seq = writer.append(event("x"))
            asyncio.run(on_disk(writer, seq))
            head = read_head(path)
            assert head is not None
            assert head.seq >= seq


async def test_all_who_wait_for_the_disk_at_once_are_served(path: Path) -> None:
    with writing(path, SMALL) as writer:
        async with asyncio.timeout(DEADLINE):
            await asyncio.gather(*(on_disk(writer, writer.append(event("x"))) for _ in range(200)))
    assert verify(path).records == 200


async def test_one_who_gives_up_waiting_for_the_disk_disturbs_nobody(path: Path) -> None:
    with writing(path) as writer:
        first = asyncio.create_task(on_disk(writer, writer.append(event("x"))))
        await asyncio.sleep(0)
        first.cancel()
        await on_disk(writer, writer.append(event("y")))
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_buffered_records_are_on_disk_after_the_interval_though_nobody_asks(path: Path) -> None:
    with writing(path, Options(fsync_interval=0.01)) as writer:
        append(writer, 3)
        loop = asyncio.get_running_loop()
        told = loop.create_future()  # is told of the next fsync, and doesn't ask for one
        with writer._lock:
            writer._waiters.append(_Waiter(loop, [told]))
        async with asyncio.timeout(DEADLINE):
            await told
        head = read_head(path)
        assert head is not None
        assert head.seq == 3


def test_a_failed_fsync_fails_all_records_until_one_succeeds(path: Path) -> None:
    """The file's descriptor is made one of a pipe for a while: fsync says EINVAL of those (fsync(2))."""
    with writing(path) as writer:
        append(writer, 2)
        descriptor = writer._descriptor
        kept = os.dup(descriptor)
        ends = os.pipe()
        os.dup2(ends[1], descriptor)
        with pytest.raises(OSError, match="could not be fsynced"):
            asyncio.run(on_disk(writer, 2))
        for _ in range(2):
            with pytest.raises(OSError, match="can't be kept") as raised:
                append(writer, 1)
            assert raised.value.errno == errno.EINVAL
        os.dup2(kept, descriptor)
        for each in (kept, *ends):
            os.close(each)
        asyncio.run(on_disk(writer, 2))
        append(writer, 1)
    assert verify(path).ok


def test_a_file_that_was_moved_away_is_followed_by_a_new_one_with_the_same_chain(path: Path, tmp_path: Path) -> None:
    with writing(path) as writer:
        append(writer, 2)
        path.rename(tmp_path / "moved.jsonl")
        synced(writer)  # goes to the file that was moved; then the thread sees it
        append(writer, 2)
    moved = [json.loads(line) for line in (tmp_path / "moved.jsonl").read_bytes().splitlines()]
    assert [record["seq"] for record in [*moved, *records(path)]] == [1, 2, 3, 4, 5]
    assert records(path)[0]["prev"] == moved[-1]["hash"]
    assert verify(path, start=4).ok


def test_the_head_has_one_size_whatever_it_says(path: Path) -> None:
    a_log(path, 1)
    size = head_path(path).stat().st_size
    a_log(path, 99)
    assert head_path(path).stat().st_size == size
