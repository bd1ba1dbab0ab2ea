"""Whatever happens to a log: what was written is there and verifies, and whatever is done to a line shows."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import event as noted
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from plugins.audit.building import append, lines, log_files
from tidegate_audit import chain
from tidegate_audit.files import read_head
from tidegate_audit.record import event
from tidegate_audit.verify import verify
from tidegate_audit.writer import Options, Writer


class Log(RuleBasedStateMachine):
    """A log that is written, rotated, closed, torn and opened again; and copies of it that are tampered with."""

    @initialize(rotate_bytes=st.sampled_from([0, 1, 1500, 5000]), keep=st.sampled_from([0, 0, 1, 3]))
    def begin(self, rotate_bytes: int, keep: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tidegate-test-"))
        self.path = self.folder / "audit.jsonl"
        self.options = Options(60, rotate_bytes, keep)
        self.written = 0
        self.writer: Writer | None = None
        self.open()

    @rule()
    def open(self) -> None:
        self.writer = self.writer or Writer(self.path, self.options)

    @rule()
    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    @rule(count=st.integers(1, 6))
    def append(self, count: int) -> None:
        self.open()
        assert self.writer is not None
        append(self.writer, count)
        self.written += count

    @precondition(lambda self: self.written)
    @rule(data=st.data())
    def tear(self, data: st.DataObject) -> None:
        """A crash while the next record was being written: any part of its line is in the file."""
        self.close()
        last = json.loads(lines(self.path)[-1])
        line, _ = chain.seal(event("torn") | {"seq": last["seq"] + 1, "prev": last["hash"]})
        length = data.draw(st.integers(1, len(line)), label="bytes")
        with self.path.open("ab") as file:
            file.write(line[:length])
        self.open()
        if length >= len(line) - 1:  # it was whole, so it counts; a line end that had to be added is noted
            self.written += 1 + (length < len(line))
        else:
            self.written += 1  # the note

    @precondition(lambda self: self.written)
    @rule(
        data=st.data(),
        how=st.sampled_from(["change", "remove", "swap", "double", "cut the end", "remove the end", "add"]),
    )
    def tamper(self, data: st.DataObject, how: str) -> None:
        """Whatever is done to a copy shows when that is verified."""
        self.close()
        with tempfile.TemporaryDirectory(prefix="tidegate-test-") as place:
            copy = Path(shutil.copytree(self.folder, Path(place) / "copy")) / self.path.name
            written = [each for each in log_files(copy) if each.exists() and each.stat().st_size]
            file = data.draw(st.sampled_from(written), label="file")
            found = file.read_bytes().splitlines(keepends=True)
            at = data.draw(st.integers(0, len(found) - 1), label="line")
            if how == "change":
                where = data.draw(st.integers(0, len(found[at]) - 1), label="byte")
                value = data.draw(st.integers(0, 255).filter(lambda byte: byte != found[at][where]), label="value")
                found[at] = found[at][:where] + bytes([value]) + found[at][where + 1 :]
            elif how == "remove":
                del found[at]
            elif how == "swap":
                found[at], found[-1 - at] = found[-1 - at], found[at]
            elif how == "double":
                found.insert(at, found[at])
            elif how == "cut the end":
                found[-1] = found[-1][: data.draw(st.integers(1, len(found[-1]) - 1), label="bytes")]
            elif how == "remove the end":
                del found[at:]
            else:
                found.insert(at, data.draw(st.binary(max_size=30), label="what") + b"\n")
            tampered = b"".join(found)
            if tampered != file.read_bytes():
                noted(how)
                file.write_bytes(tampered)
                assert not verify(copy).ok

    @invariant()
    def all_that_was_written_is_there_and_verifies(self) -> None:
        if not self.written:
            return
        report = verify(self.path)
        assert report.ok, report.problems
        assert report.last == self.written
        kept = self.options.keep
        if not kept:
            assert report.records == self.written
        head = read_head(self.path)
        assert head is not None
        assert head.seq <= self.written
        if self.writer is None:
            assert head.seq == self.written
            assert not kept or len(log_files(self.path)) <= kept + 1

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            if self.writer is not None:
                self.writer.close()
            shutil.rmtree(self.folder)


TestLog = pytest.mark.requirement("tamper-evident")(Log.TestCase)
TestLog.settings = settings(
    max_examples=40, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
