"""What verification says is wrong, and where."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plugins.audit.building import a_log, lines, log_files
from tidegate_audit import chain
from tidegate_audit.files import LogError, head_path
from tidegate_audit.verify import MOST_PROBLEMS, verify
from tidegate_audit.writer import Options

SMALL = Options(60, rotate_bytes=2000)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return a_log(tmp_path / "audit.jsonl", 6)


def problems(path: Path, **how: Any) -> list[tuple[str, int, int | None]]:
    return [(problem.what, problem.line, problem.seq) for problem in verify(path, **how).problems]


Change = Callable[[list[bytes]], list[bytes]]


def rehashed(line: bytes, **members: object) -> bytes:
    """A line changed by somebody who knows how a hash is made."""
    record = {**json.loads(line), **members}
    del record["hash"]
    return chain.seal(record)[0]


@pytest.mark.requirement("tamper-evident")
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            lambda old: [*old[:2], old[2].replace(b"an", b"no"), *old[3:]], [("changed", 3, 3)], id="a changed line"
        ),
        pytest.param(
            lambda old: [*old[:2], old[2].replace(b'"seq":3', b'"seq": 3'), *old[3:]], [("changed", 3, 3)], id="space"
        ),
        pytest.param(lambda old: [*old[:2], old[2][:50] + b"\n", *old[3:]], [("cut", 3, 3)], id="a line cut short"),
        pytest.param(lambda old: [*old[:5], old[5][:50]], [("cut", 6, 6)], id="the last line cut short"),
        pytest.param(lambda old: [*old[:5], old[5][:-1]], [("cut", 6, 6)], id="the last line end cut off"),
        pytest.param(lambda old: [*old[:2], b"\n", *old[2:]], [("cut", 3, 3)], id="an empty line put in"),
        pytest.param(lambda old: [*old[:2], *old[3:]], [("missing", 3, 3)], id="a line taken out"),
        pytest.param(lambda old: [*old[:2], *old[4:]], [("missing", 3, 3)], id="two lines taken out"),
        pytest.param(lambda old: old[1:], [("missing", 1, 1)], id="the first line taken out"),
        pytest.param(lambda old: old[:-1], [("missing", 0, 6)], id="the last line taken out"),
        pytest.param(lambda _: [], [("missing", 0, 1)], id="all lines taken out"),
        pytest.param(lambda old: [old[0], old[2], old[1], *old[3:]], [("reordered", 3, 2)], id="two lines swapped"),
        pytest.param(lambda old: [*old[:5], old[4], old[5]], [("reordered", 6, 5)], id="a line doubled"),
        pytest.param(lambda old: [*old[1:], old[0]], [("reordered", 6, 1)], id="the first line put last"),
        pytest.param(
            lambda old: [*old[:2], rehashed(old[2], verdict="deny"), *old[3:]],
            [("changed", 4, 4)],
            id="a line replaced",
        ),
        pytest.param(
            lambda old: [*old[:5], rehashed(old[5], verdict="deny")], [("changed", 6, 6)], id="the last replaced"
        ),
        pytest.param(
            lambda old: [rehashed(old[0], prev="1" * 64), *old[1:]], [("changed", 1, 1), ("changed", 2, 2)], id="start"
        ),
        pytest.param(lambda old: [*old[:2], rehashed(old[2], seq="x"), *old[3:]], [("changed", 3, 3)], id="no number"),
        pytest.param(
            lambda old: [old[0].replace(b"an", b"no"), *old[1:4], old[5]],
            [("changed", 1, None), ("missing", 5, 5)],
            id="two things",
        ),
        pytest.param(
            lambda old: [old[0], old[1][:-1] + old[2], *old[3:]],
            [("changed", 2, 2), ("missing", 3, 3)],
            id="two joined",
        ),
    ],
)
def test_verification_says_what_is_wrong_and_where(
    log: Path, change: Change, expected: list[tuple[str, int, int | None]]
) -> None:
    log.write_bytes(b"".join(change(lines(log))))
    assert problems(log) == expected


def test_an_older_file_that_was_taken_out_is_missing_at_the_start_of_the_next(tmp_path: Path) -> None:
    path = a_log(tmp_path / "audit.jsonl", 12, SMALL)
    first, second, *_ = log_files(path)
    gone = [json.loads(line)["seq"] for line in second.read_bytes().splitlines()]
    second.unlink()
    report = verify(path)
    assert [(problem.what, problem.file, problem.line, problem.seq) for problem in report.problems] == [
        ("missing", "audit.jsonl.000003", 1, gone[0])
    ]
    first.unlink()
    assert problems(path) == [("missing", 1, 1)]
    assert verify(path, start=gone[-1] + 1).ok


def test_one_older_file_can_be_verified_by_itself(tmp_path: Path) -> None:
    path = a_log(tmp_path / "audit.jsonl", 12, SMALL)
    second = log_files(path)[1]
    report = verify(second)
    assert report.ok
    assert report.files == [second.name]
    assert report.first is not None
    assert report.notes == [f"The chain starts at record {report.first}; older files aren't here."]


def test_a_chain_that_was_redone_as_a_whole_shows_by_a_hash_noted_earlier(log: Path) -> None:
    noted = verify(log).hash
    assert noted is not None
    a_log(log, 2)
    assert verify(log, contains=noted).ok
    last, redone = chain.GENESIS, []
    for line in lines(log):
        redone.append(rehashed(line, prev=last, verdict="deny"))
        last = json.loads(redone[-1])["hash"]
    log.write_bytes(b"".join(redone))
    head_path(log).unlink()
    assert verify(log).ok
    assert problems(log, contains=noted) == [("missing", 0, None)]


def test_a_report_lists_some_problems_and_counts_all(tmp_path: Path) -> None:
    path = a_log(tmp_path / "audit.jsonl", 2 * MOST_PROBLEMS)
    path.write_bytes(path.read_bytes().replace(b"an event", b"no event"))
    report = verify(path)
    assert len(report.problems) == MOST_PROBLEMS
    assert report.found == 2 * MOST_PROBLEMS
    assert report.records == 0


def test_there_is_nothing_to_verify_where_there_is_no_log(tmp_path: Path) -> None:
    for name in ("audit.jsonl", "audit.jsonl.000001", "nowhere/audit.jsonl"):
        with pytest.raises(LogError, match="no such file"):
            verify(tmp_path / name)
    with pytest.raises(LogError, match="is not a regular file"):
        verify(tmp_path)
