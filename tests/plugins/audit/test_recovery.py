"""What a start does about what it finds: torn lines, changed ones, missing ones, and files that are no log."""

import json
from pathlib import Path

import pytest

from plugins.audit.building import SLOW_FSYNC, a_log, lines, records, writing
from tidegate_audit.files import LogError, head_path, torn_path
from tidegate_audit.record import event
from tidegate_audit.verify import verify
from tidegate_audit.writer import Options, Writer


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return a_log(tmp_path / "audit.jsonl", 3)


def next_line(path: Path, tmp_path: Path) -> bytes:
    """The line that would come next in a log."""
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / path.name).write_bytes(path.read_bytes())
    return lines(a_log(copy / path.name, 1))[-1]


def test_a_torn_line_is_moved_aside_and_noted_and_the_chain_goes_on(log: Path, tmp_path: Path) -> None:
    torn = next_line(log, tmp_path)[:100]
    with log.open("ab") as file:
        file.write(torn)
    assert [problem.what for problem in verify(log).problems] == ["cut"]
    with writing(log) as writer:
        assert writer.append(event("x")) == 5
    note = records(log)[3]
    assert note["kind"] == "proxy"
    assert note["reason"] == "a record was torn: its 100 bytes were moved to audit.jsonl.torn"
    assert torn_path(log).read_bytes() == torn + b"\n"
    assert verify(log).ok


def test_a_record_that_is_whole_but_for_its_line_end_is_kept(log: Path, tmp_path: Path) -> None:
    whole = next_line(log, tmp_path)
    with log.open("ab") as file:
        file.write(whole[:-1])
    with writing(log):
        pass
    assert records(log)[3]["seq"] == 4
    assert records(log)[4]["reason"] == "the line end of record 4 was missing and was added"
    assert lines(log)[3] == whole
    assert verify(log).ok


@pytest.mark.parametrize("torn", [b"\0" * 4096, b'{"seq":4,"ti\0\0\0\0', b"\n", b"garbage\n", b"{}"])
def test_what_a_crash_of_the_machine_leaves_in_the_last_line_is_moved_aside(log: Path, torn: bytes) -> None:
    with log.open("ab") as file:
        file.write(torn)
    with writing(log):
        pass
    assert verify(log).ok
    assert torn_path(log).exists()


@pytest.mark.parametrize("torn", [b"{", b'{"seq":', b'{"seq":1,"time":"2026', b"\0\0\0"])
def test_a_torn_first_line_is_moved_aside_too(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(torn)
    with writing(path):
        pass
    assert [record["seq"] for record in records(path)] == [1]
    assert verify(path).ok


@pytest.mark.parametrize("content", [b'[proxy]\nlisten = "127.0.0.1:0"\n', b"text", b"\n\n\n", b'{"a":1}\n{"b":2}'])
def test_a_file_that_is_no_audit_log_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tidegate.toml"
    path.write_bytes(content)
    with pytest.raises(LogError):
        Writer(path, SLOW_FSYNC)
    assert path.read_bytes() == content


def test_a_changed_last_record_stops_the_start_in_one_sentence_and_is_left_alone(log: Path) -> None:
    changed = log.read_bytes().replace(b"an event", b"no event")
    log.write_bytes(changed)
    with pytest.raises(
        LogError, match=r"^the last record of .*audit\.jsonl is not what was written; see `tidegate audit"
    ):
        Writer(log, SLOW_FSYNC)
    assert log.read_bytes() == changed


def test_a_torn_line_after_a_changed_one_stops_the_start(log: Path) -> None:
    log.write_bytes(log.read_bytes().replace(b"an event", b"no event") + b'{"seq":4')
    with pytest.raises(LogError, match="is not what was written"):
        Writer(log, SLOW_FSYNC)


def test_a_last_record_that_was_replaced_by_another_whole_one_stops_the_start(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    log.write_bytes(a_log(other / "audit.jsonl", 3).read_bytes())
    with pytest.raises(LogError, match="is not the one that was written"):
        Writer(log, SLOW_FSYNC)


def test_records_cut_off_the_end_while_nothing_ran_are_noted_and_shown_as_missing(log: Path) -> None:
    log.write_bytes(lines(log)[0])
    assert [problem.detail for problem in verify(log).problems] == ["records 2 to 3 are missing"]
    with writing(log):
        pass
    assert [record["seq"] for record in records(log)] == [1, 4]
    assert records(log)[1]["reason"] == "records 2 to 3 were written and are missing now"
    assert [problem.detail for problem in verify(log).problems] == ["records 2 to 3 are missing"]


def test_a_log_that_was_removed_but_for_its_head_is_missed(log: Path) -> None:
    log.unlink()
    with writing(log):
        pass
    assert [record["seq"] for record in records(log)] == [4]
    assert not verify(log).ok
    assert verify(log, start=4).ok


@pytest.mark.parametrize("head", [None, b"", b"rubbish"])
def test_a_log_without_a_head_is_continued_and_gets_one(log: Path, head: bytes | None) -> None:
    if head is None:
        head_path(log).unlink()
    else:
        head_path(log).write_bytes(head)
    assert verify(log).notes == ["There is no head file, so records cut off the end would not show."]
    a_log(log, 1)
    report = verify(log)
    assert report.ok
    assert report.notes == []
    assert report.last == 4


def test_a_crash_between_the_two_steps_of_a_rotation_loses_nothing(log: Path) -> None:
    log.rename(log.with_name("audit.jsonl.000001"))
    assert verify(log).ok
    a_log(log, 1)
    assert [json.loads(line)["seq"] for line in lines(log)] == [1, 2, 3, 4]
    assert verify(log).ok


def test_a_changed_end_of_the_newest_older_file_stops_the_start(log: Path) -> None:
    older = log.with_name("audit.jsonl.000001")
    older.write_bytes(log.read_bytes()[:-5])
    log.unlink()
    with pytest.raises(LogError, match="is not what was written"):
        Writer(log, SLOW_FSYNC)


def test_a_line_longer_than_one_block_is_found_from_the_end(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with writing(path) as writer:
        writer.append(event("short"))
        writer.append(event("long " * 50_000))
    with writing(path, Options(60)) as writer:
        assert writer.append(event("x")) == 3
    with path.open("ab") as file:
        file.write(b'{"seq":4,' + b" " * 200_000)
    with writing(path):
        pass
    assert verify(path).ok


def test_a_failed_start_leaves_the_log_unlocked(log: Path) -> None:
    good = log.read_bytes()
    log.write_bytes(good.replace(b"an event", b"no event"))
    with pytest.raises(LogError):
        Writer(log, SLOW_FSYNC)
    log.write_bytes(good)
    a_log(log, 1)
