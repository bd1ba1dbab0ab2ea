"""The recording: encrypted, complete, bounded; and what happens where it can't be written."""

import json
import re
import resource
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from typer.testing import CliRunner, Result

import tidegate
from plugins.audit.building import call, decided, records
from support.proxy import tidegate as command
from tidegate import Decision, Message, Note, plugins
from tidegate import settings as core_settings
from tidegate.pipeline import Pipeline
from tidegate.testing import SettingsError, assert_denied, assert_passes, flow, harness
from tidegate_audit.cli import app
from tidegate_audit.files import LogError, rotated
from tidegate_audit.recording import Recording, new_key, read, read_key
from tidegate_audit.verify import verify

CONTENT = "the plans of hunter2"
DETAIL = json.dumps({"revision": "r1", "input": {"v": 1, "arguments": {"text": CONTENT}}, "decision": {"bundle": {}}})


def noting(detail: bytes = DETAIL.encode(), **parts: Any) -> Decision:
    notes = (("policy", Note("r1", detail=lambda: detail)), ("other", Note("nothing to keep")))
    return decided(notes=notes, **parts)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "record.key"
    new_key(path)
    return path


def settings(key: Path, **more: Any) -> dict[str, Any]:
    return {"record": True, "record_key": key.name, "fsync_interval": 60, **more}


def entries(folder: Path, key: Path) -> list[dict[str, Any]]:
    lines = list(read(folder / "audit.recording", read_key(str(key), folder)))
    assert all(line.entry is not None for line in lines)
    return [line.entry for line in lines if line.entry is not None]


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def here(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Be in a folder with a settings file."""
    monkeypatch.chdir(folder)
    (folder / "tidegate.toml").write_text(text)


def audit(*args: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, args)])


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file grows beyond a size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class Deciding:
    """An interceptor that keeps something of each message, as `policy` does."""

    @tidegate.hook
    def decide(self, message: Message) -> Note:
        """Keep the whole message."""
        return Note("kept", detail=lambda: message.encoded)


async def observed(h: Any, decision: Decision) -> None:
    written = h.interceptor.observe(decision, flow(call()))
    if written is not None:
        await written


async def test_what_interceptors_keep_is_recorded_encrypted_and_nothing_of_it_stands_anywhere(
    tmp_path: Path, key: Path
) -> None:
    async with harness("audit", settings(key), required=True, folder=tmp_path) as h:
        await observed(h, noting())
        await observed(h, decided())
        await observed(h, noting(b"no JSON \xff"))
    first, second = entries(tmp_path, key)
    assert [first["decision"], first["by"], first["detail"]] == ["test-1", "policy", json.loads(DETAIL)]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", first["time"])
    assert second["detail"] == "no JSON \ufffd"
    assert len(records(tmp_path / "audit.jsonl")) == 3
    for name, data in contents(tmp_path).items():
        for word in (CONTENT, "hunter2", "arguments", "revision"):
            assert word.encode() not in data, name


async def test_nothing_is_recorded_or_even_made_by_default(tmp_path: Path) -> None:
    made: list[bytes] = []

    def detail() -> bytes:
        made.append(b"{}")
        return made[-1]

    decision = decided(notes=(("policy", Note(detail=detail)),))
    async with harness("audit", {"fsync_interval": 60}, folder=tmp_path) as h:
        await observed(h, decision)
    assert not made
    assert sorted(contents(tmp_path)) == ["audit.jsonl", "audit.jsonl.head"]


async def test_the_recording_is_for_its_owner(tmp_path: Path, key: Path) -> None:
    async with harness("audit", settings(key, record_path="deep.rec"), folder=tmp_path) as h:
        await observed(h, noting())
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("deep.rec", "record.key")} == {0o600}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (None, "record needs record_key"),
        ("nowhere.key", "can't be read"),
        ("env:TIDEGATE_NO_SUCH_KEY", "is not set"),
        ("bad.key", "is no key as"),
        pytest.param(Fernet.generate_key().decode(), "can't be read", id="the key itself"),
    ],
)
async def test_a_key_that_is_none_stops_the_start_with_a_sentence_without_it(
    tmp_path: Path, said: str | None, why: str
) -> None:
    (tmp_path / "bad.key").write_text("hunter2\n")
    config = {"record": True} | ({"record_key": said} if said else {})
    with pytest.raises((LogError, SettingsError)) as raised:
        async with harness("audit", config, folder=tmp_path):
            pass
    assert why in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert said is None or said not in str(raised.value)


async def test_the_key_may_stand_in_a_variable(tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECORD_KEY", contents(tmp_path)["record.key"].decode().strip())
    async with harness("audit", {"record": True, "record_key": "env:RECORD_KEY"}, folder=tmp_path) as h:
        await observed(h, noting())
    assert len(entries(tmp_path, key)) == 1


@pytest.mark.requirement("no-audit-no-traffic")
async def test_where_audit_is_required_a_message_that_cannot_be_recorded_is_denied_and_the_log_says_so(
    tmp_path: Path, key: Path
) -> None:
    async with harness("audit", settings(key), required=True, folder=tmp_path) as h:
        await observed(h, noting())
        size = (tmp_path / "audit.recording").stat().st_size
        big = noting(json.dumps({"input": "x" * 100_000}).encode())
        with full_disk(50_000), pytest.raises(OSError, match="can't be written"):
            await observed(h, big)
        assert (tmp_path / "audit.recording").stat().st_size == size
        await observed(h, noting())
    assert len(entries(tmp_path, key)) == 2
    log = records(tmp_path / "audit.jsonl")
    assert [record["decision"] == "test-1" for record in log] == [True, True, False, True]
    assert log[2]["reason"] == "the recording of decision test-1 failed: denied, where audit is required"
    assert verify(tmp_path / "audit.jsonl").ok


@pytest.mark.parametrize("required", [True, False])
async def test_an_interceptor_that_cannot_say_what_it_kept_fails_its_message_alone(
    tmp_path: Path, key: Path, *, required: bool
) -> None:
    def broken() -> bytes:
        raise ValueError(CONTENT)

    async with harness("audit", settings(key), required=required, folder=tmp_path) as h:
        with pytest.raises(ValueError, match="plans"):
            await observed(h, decided(notes=(("policy", Note(detail=broken)),)))
        assert_passes(await h.judge(call()))
    assert CONTENT.encode() not in (tmp_path / "audit.jsonl").read_bytes()
    assert len(records(tmp_path / "audit.jsonl")) == 3


@pytest.mark.parametrize("required", [True, False])
async def test_in_the_pipeline_a_full_disk_denies_where_audit_is_required_and_nothing_is_lost_where_it_is_not(
    tmp_path: Path, key: Path, *, required: bool
) -> None:
    entry = {"use": "audit", "required": required, **settings(key)}
    tree = {"servers": {"server": {"command": ["true"]}}, "interceptors": [{"use": "deciding"}, entry]}
    built = core_settings.build(tree, folder=tmp_path)
    pipeline = Pipeline(plugins.load(built, {"deciding": Deciding}))
    await pipeline.start(built)
    small, big = call(text=CONTENT), call(text="x" * 100_000)
    try:
        assert_passes(await pipeline.judge(small, flow(small)))
        with full_disk(50_000):
            stopped = await pipeline.judge(big, flow(big))
        assert_passes(await pipeline.judge(small, flow(small)))
    finally:
        await pipeline.stop()
    if required:
        assert_denied(stopped, code="unrecorded")
    else:
        assert_passes(stopped)
    assert [entry["detail"] for entry in entries(tmp_path, key)] == [small.tree, small.tree]
    assert [record["kind"] for record in records(tmp_path / "audit.jsonl")] == [
        "request",
        "request",
        "proxy",
        "request",
    ]


def test_a_recording_is_rotated_and_its_oldest_files_go(tmp_path: Path, key: Path) -> None:
    path = tmp_path / "audit.recording"
    recording = Recording(path, read_key(str(key), tmp_path), rotate_bytes=2000, keep=3)
    beside = Recording(path, read_key(str(key), tmp_path), rotate_bytes=2000, keep=3)
    for number in range(40):
        (recording, beside)[number % 2].write(noting(json.dumps({"n": number, "pad": "x" * 200}).encode()))
    recording.close()
    beside.close()
    assert len(rotated(path)) == 3
    assert all(file.stat().st_size <= 2000 for _, file in rotated(path))
    numbers = [entry["detail"]["n"] for entry in entries(tmp_path, key)]
    assert numbers == list(range(numbers[0], 40))
    assert len(numbers) > 10


def test_a_line_that_a_crash_cut_spoils_no_other(tmp_path: Path, key: Path) -> None:
    path = tmp_path / "audit.recording"
    for cut in (False, True):
        recording = Recording(path, read_key(str(key), tmp_path))
        recording.write(noting())
        recording.write(noting())
        recording.close()
        if not cut:
            path.write_bytes(path.read_bytes()[:-10])
    found = [line.entry is not None for line in read(path, read_key(str(key), tmp_path))]
    assert found == [True, False, True, True]


def test_the_command_makes_a_key_once(tmp_path: Path) -> None:
    path = tmp_path / "new.key"
    assert audit("record-key", path).exit_code == 0
    made = path.read_text()
    assert len(Fernet(made.strip()).decrypt(Fernet(made.strip()).encrypt(b"x"))) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    again = audit("record-key", path)
    assert (again.exit_code, path.read_text()) == (2, made)
    assert re.fullmatch(r"Error: .*new\.key can't be written: File exists\n", again.stderr)


async def test_the_command_prints_a_recording_for_replay(
    tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with harness("audit", settings(key), folder=tmp_path) as h:
        await observed(h, noting())
        await observed(h, noting(b"[1]"))
    here(tmp_path, monkeypatch, '[[interceptors]]\nuse = "audit"\nrecord = true\nrecord_key = "record.key"\n')
    for args in ((), ("audit.recording", "--key", "record.key")):
        shown = audit("recording", *args)
        assert shown.exit_code == 0, shown.stderr
        first, second = map(json.loads, shown.stdout.splitlines())
        assert first.keys() == {"decision_id", "time", "by", "revision", "input", "decision"}
        assert (first["decision_id"], first["input"]["arguments"]["text"]) == ("test-1", CONTENT)
        assert second["detail"] == [1]


def test_the_command_says_what_it_cannot_read(tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    without = audit("recording")
    assert (without.exit_code, without.stderr.startswith("Error: the recording needs its key")) == (2, True)
    nowhere = audit("recording", "--key", "record.key")
    assert (nowhere.exit_code, nowhere.stderr) == (2, "Error: audit.recording: no such file\n")
    recording = Recording(Path("audit.recording"), read_key("record.key", tmp_path))
    recording.write(noting())
    recording.close()
    new_key(tmp_path / "other.key")
    other = audit("recording", "--key", "other.key")
    assert (other.exit_code, other.stdout) == (1, "")
    assert other.stderr.startswith("1 line can't be read")


def test_who_reads_what_the_command_prints_may_stop(tmp_path: Path, key: Path) -> None:
    recording = Recording(path := tmp_path / "audit.recording", read_key(str(key), tmp_path))
    for _ in range(1000):
        recording.write(noting())
    recording.close()
    line = shlex.join(command("audit", "recording", path, "--key", key))
    ended = subprocess.run(["sh", "-c", f"{line} | head -c 1"], capture_output=True, check=False, cwd=tmp_path)
    assert (ended.stdout, ended.stderr) == (b"{", b"")
