"""Changed files are taken over whole, aside; the old policy stays where the new one can't be used."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tidegate import Decision
from tidegate.testing import Harness, harness, request
from tidegate_policy import Policy

CALL = request("tools/call", {"name": "x", "arguments": {}})
SECONDS = 20.0


def text(rule: str) -> str:
    return f'package tidegate\n\nimport rego.v1\n\ndecision := {{"deny": [{{"rule": "{rule}", "reason": "No."}}]}}\n'


def write(folder: Path, content: str) -> None:
    """Put a policy in place at once, as an editor or a deployment does."""
    aside = folder / "main.rego.new"
    aside.write_text(content)
    aside.replace(folder / "main.rego")


@asynccontextmanager
async def watched(folder: Path, **config: object) -> AsyncIterator[Harness]:
    policies = folder / "policies"
    policies.mkdir()
    write(policies, text("one"))
    async with harness(Policy, {"bundle": "policies", "watch": 0.02, **config}, folder=folder) as h:
        yield h


async def turn() -> None:
    """Let the loop do what else there is: files can't be awaited."""
    await asyncio.sleep(0)


def rule(decision: Decision) -> str:
    assert decision.stopper is not None
    return decision.stopper[1].rule


async def until_rule(h: Harness, wanted: str) -> Decision:
    async with asyncio.timeout(SECONDS):
        while rule(decision := await h.judge(CALL)) != wanted:
            await turn()
    return decision


async def test_a_changed_policy_is_taken_over_with_its_revision(tmp_path: Path) -> None:
    async with watched(tmp_path) as h:
        before = await h.judge(CALL)
        assert rule(before) == "one"
        write(tmp_path / "policies", text("two"))
        after = await until_rule(h, "two")
        assert after.notes[0][1].text != before.notes[0][1].text


async def test_a_policy_that_can_not_be_used_leaves_the_old_one(tmp_path: Path) -> None:
    async with watched(tmp_path) as h:
        for broken in ("package tidegate\n\ndecision := {", text("x").replace("decision", "verdict"), "\udcff"):
            (tmp_path / "policies" / "main.rego").write_text(broken, errors="surrogateescape")
        write(tmp_path / "policies", "package tidegate\n\ndecision := {")
        for _ in range(200):
            assert rule(await h.judge(CALL)) == "one"
            await turn()
        write(tmp_path / "policies", text("three"))
        await until_rule(h, "three")


async def test_a_bundle_that_vanishes_leaves_the_old_one(tmp_path: Path) -> None:
    async with watched(tmp_path) as h:
        (tmp_path / "policies").replace(tmp_path / "elsewhere")
        for _ in range(200):
            assert rule(await h.judge(CALL)) == "one"
            await turn()
        (tmp_path / "elsewhere").replace(tmp_path / "policies")
        write(tmp_path / "policies", text("four"))
        await until_rule(h, "four")


async def test_a_shadow_is_taken_over_too(tmp_path: Path) -> None:
    (tmp_path / "next").mkdir()
    write(tmp_path / "next", text("one"))
    async with watched(tmp_path, shadow="next") as h:
        assert "shadow" not in (await h.judge(CALL)).notes[0][1].text
        write(tmp_path / "next", text("five"))
        async with asyncio.timeout(SECONDS):
            while "shadow would deny five" not in (await h.judge(CALL)).notes[0][1].text:
                await turn()


async def test_nothing_is_watched_where_the_settings_say_never(tmp_path: Path) -> None:
    async with watched(tmp_path, watch=0) as h:
        write(tmp_path / "policies", text("six"))
        for _ in range(200):
            assert rule(await h.judge(CALL)) == "one"
            await turn()
