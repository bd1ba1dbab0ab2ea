"""The interceptor in Tidegate's own pipeline: started, driven and stopped as the proxy does it."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

import tidegate
from plugins.audit.building import DEADLINE, call, lines, records
from tidegate import Deny
from tidegate.testing import SettingsError, assert_denied, assert_passes, flow, harness, notification, result_of
from tidegate_audit import Audit
from tidegate_audit.verify import verify


async def test_every_judged_message_has_its_record_when_the_decision_is_there(tmp_path: Path) -> None:
    async with harness("audit", required=True, folder=tmp_path) as h:
        asked = call()
        for message in (asked, notification("notifications/initialized"), result_of(asked, {"content": []})):
            decision = await h.judge(message)
            assert_passes(decision)
            record = records(tmp_path / "audit.jsonl")[-1]
            assert record["decision"] == decision.id
            assert record["digest"] == message.digest
    assert verify(tmp_path / "audit.jsonl").records == 3


async def test_events_without_a_message_are_recorded(tmp_path: Path) -> None:
    async with harness("audit", folder=tmp_path) as h:
        about = flow(call())
        await h.pipeline.note("rejected", about, Deny("Not JSON.", code="parse"), size=17)
        await h.pipeline.note("instance", about, note="The server's process ended with exit code 1.")
    first, second = records(tmp_path / "audit.jsonl")
    assert [first[name] for name in ("kind", "verdict", "by", "rule", "bytes")] == [
        "rejected",
        "deny",
        "tidegate",
        "parse",
        17,
    ]
    assert second["reason"] == "The server's process ended with exit code 1."


@pytest.mark.requirement("no-audit-no-traffic")
async def test_a_message_whose_record_cannot_be_written_is_denied_where_required_and_passes_once_it_can(
    tmp_path: Path,
) -> None:
    async with harness("audit", {"fsync_interval": 60}, required=True, folder=tmp_path) as h:
        assert_passes(await h.judge(call()))
        descriptor = h.interceptor._group.writer._descriptor
        kept, full = os.dup(descriptor), os.open("/dev/full", os.O_WRONLY)  # every write to it says ENOSPC (full(4))
        os.dup2(full, descriptor)
        assert_denied(await h.judge(call()), code="unrecorded")
        os.dup2(kept, descriptor)
        assert_passes(await h.judge(call()))
        os.close(kept)
        os.close(full)
    assert [record["seq"] for record in records(tmp_path / "audit.jsonl")] == [1, 2]
    assert verify(tmp_path / "audit.jsonl").ok


async def test_a_record_that_cannot_be_made_fails_for_its_own_message_only(tmp_path: Path) -> None:
    unspeakable = (("inspector", tidegate.Finding("kind", "rule", confidence=2**70)),)  # more than JSON's encoder takes
    async with harness("audit", required=True, folder=tmp_path) as h:
        waiting = [
            h.interceptor.observe(tidegate.Decision(name, call(), findings=found), flow(call()))
            for name, found in (("good", ()), ("bad", unspeakable), ("other", ()))
        ]
        async with asyncio.timeout(DEADLINE):
            good, bad, other = await asyncio.gather(*waiting, return_exceptions=True)
    assert good is None
    assert isinstance(bad, TypeError)
    assert other is None
    assert [record["decision"] for record in records(tmp_path / "audit.jsonl")] == ["good", "other"]
    assert verify(tmp_path / "audit.jsonl").ok


async def test_records_are_written_at_once_after_quiet_turns_and_together_again_after_a_busy_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.jsonl"
    async with harness("audit", {"fsync_interval": 60}, required=True, folder=tmp_path) as h:
        audit = h.interceptor
        for _ in range(16):
            assert_passes(await h.judge(call()))
        decision, about = tidegate.Decision("d", call()), flow(call())
        assert [audit.observe(decision, about) for _ in range(2)] == [None, None]
        assert len(lines(path)) == 18
        await asyncio.sleep(0)
        waiting = audit.observe(decision, about)
        assert waiting is not None
        assert len(lines(path)) == 18
        async with asyncio.timeout(DEADLINE):
            await waiting
        assert len(lines(path)) == 19
    assert verify(path).ok


@pytest.mark.parametrize("durability", ["buffered", "fsync"])
async def test_many_messages_at_once_make_one_whole_chain(tmp_path: Path, durability: str) -> None:
    async with harness(
        "audit", {"durability": durability, "rotate_bytes": 20_000}, required=True, folder=tmp_path
    ) as h:
        async with asyncio.timeout(DEADLINE):
            decisions = await asyncio.gather(*(h.judge(call()) for _ in range(300)))
        assert all(decision.allowed for decision in decisions)
    report = verify(tmp_path / "audit.jsonl")
    assert report.ok
    assert report.records == 300


async def test_an_interceptor_that_is_started_beside_the_old_one_goes_on_with_its_chain(tmp_path: Path) -> None:
    """As a reload does: the new one starts before the old one stops."""
    async with harness("audit", folder=tmp_path) as old:
        await old.judge(call())
        async with harness("audit", {"rotate_bytes": 1000}, folder=tmp_path) as new:
            await new.judge(call())
            await old.judge(call())
        await old.judge(call())
    assert [record["seq"] for record in records(tmp_path / "audit.jsonl")] == [1, 2, 3, 4]
    assert verify(tmp_path / "audit.jsonl").ok


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"path": "nowhere/audit.jsonl"}, r"interceptor 'audit' can't start: the folder .*nowhere doesn't exist"),
        ({"path": "."}, r"is not a regular file"),
        ({"fsync_interval": 0}, r"interceptor 'audit': fsync_interval: "),
        ({"keep": -1}, r"interceptor 'audit': keep: "),
        ({"durability": "none"}, r"interceptor 'audit': durability: "),
        ({"file": "x"}, r"interceptor 'audit' has no setting 'file'"),
    ],
)
async def test_settings_that_cannot_be_used_stop_the_start_in_one_sentence(
    tmp_path: Path, config: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(SettingsError, match=sentence):
        async with harness("audit", config, folder=tmp_path):
            pass


async def test_a_torn_record_is_repaired_when_tidegate_starts_again(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    async with harness("audit", folder=tmp_path) as h:
        await h.judge(call())
    with path.open("ab") as file:
        file.write(b'{"seq":2,"time":"20')
    async with harness("audit", folder=tmp_path) as h:
        await h.judge(call())
    assert [record["kind"] for record in records(path)] == ["request", "proxy", "request"]
    assert verify(path).ok


def test_an_interceptor_that_was_not_started_records_nothing_and_says_so() -> None:
    audit = Audit(Audit.Config())
    with pytest.raises(RuntimeError, match="not open"):
        audit.observe(tidegate.Decision("d", call()), flow(call()))
    audit.shutdown()


async def test_a_secret_in_a_message_that_fails_is_in_no_record(tmp_path: Path) -> None:
    async with harness("audit", folder=tmp_path) as h:
        await h.judge(call("now", text="s3cret-value-in-the-body"))
    assert b"s3cret" not in b"".join(lines(tmp_path / "audit.jsonl"))
    assert json.loads(lines(tmp_path / "audit.jsonl")[0])["target"] == "now"
