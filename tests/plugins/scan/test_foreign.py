"""Engines of others in `secrets`: chosen in settings, exact in any disguise, and nothing in a text obliges them."""

import base64
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import tidegate
from tidegate.testing import (
    SettingsError,
    assert_denied,
    assert_passes,
    assert_redacted,
    flow,
    harness,
    request,
    result_of,
)
from tidegate_scan import Secrets, foreign
from tidegate_scan.choosing import shipped

KEY = "glpat-" + "q7Zk3Xw9Tb2LmP5vRd8H"
CALL = request("tools/call", {"name": "echo", "arguments": {"text": "hello"}})
RULE = {"detect-secrets": "detect-secrets:gitlab-token", "kingfisher": "kingfisher:betterleaks-gitlab-pat"}
each_engine = pytest.mark.parametrize("engine", foreign.PACKAGES)


OWN = [rule.id for rule in shipped("rules")]


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder where kingfisher keeps what it compiled, so that it does so but once."""
    return str(tmp_path_factory.mktemp("engine"))


@pytest.fixture
def secrets(tmp_path: Path, compiled: str) -> Callable[..., Any]:
    def make(engine: str, *, off: Sequence[str] = OWN, **config: Any) -> Any:
        # Tidegate's own rules are off, so that what is found is the other engine's.
        mine = {"engines": [engine], "engine_cache": compiled, "disable": list(off)}
        return harness(Secrets, {**mine, **config}, folder=tmp_path)

    return make


def reply(text: str) -> tidegate.Message:
    return result_of(CALL, {"content": [{"type": "text", "text": text}]})


async def judged(h: Any, message: tidegate.Message) -> tidegate.Decision:
    decision: tidegate.Decision = await h.judge(message, flow(message, request=CALL if message.is_reply else None))
    return decision


@each_engine
async def test_what_another_engine_finds_is_denied_in_requests_and_redacted_exactly_in_answers(
    secrets: Callable[..., Any], engine: str
) -> None:
    async with secrets(engine) as h:
        assert_denied(
            await judged(h, request("tools/call", {"name": "a", "arguments": {"t": f"id {KEY}"}})), rule=RULE[engine]
        )
        for hidden in (KEY, base64.b64encode(KEY.encode()).decode(), KEY.encode().hex(), "\u200b".join(KEY)):
            decision = await judged(h, reply(f"ünder: {hidden} !"))
            mark = decision.findings[0][1].fingerprint[:4]
            text = assert_redacted(decision).get("/result/content/0/text")
            assert text == f"ünder: [redacted:{RULE[engine]}:{mark}] !"
        assert_passes(await judged(h, reply(text)))  # its marker is no secret
        assert_passes(await judged(h, reply("nothing of the kind")))


@each_engine
async def test_no_comment_in_a_text_and_no_repetition_hides_anything(secrets: Callable[..., Any], engine: str) -> None:
    comments = ("pragma: allowlist secret", "kingfisher:ignore", "gitleaks:allow", "betterleaks:allow", "nosec")
    async with secrets(engine) as h:
        for comment in comments:
            for _ in range(2):
                assert_redacted(await judged(h, reply(f"key = '{KEY}'  # {comment}")))


@each_engine
async def test_its_rules_can_be_disabled_and_overridden_by_their_ids(secrets: Callable[..., Any], engine: str) -> None:
    async with secrets(engine, off=["*gitlab*"]) as h:
        assert_passes(await judged(h, reply(f"id {KEY}")))
    override = {"rules": [f"{engine}:*"], "response": "deny"}
    async with secrets(engine, overrides=[override]) as h:
        assert_denied(await judged(h, reply(f"id {KEY}")), rule=RULE[engine])


@each_engine
async def test_a_placeholder_is_no_finding_of_another_engine_either(secrets: Callable[..., Any], engine: str) -> None:
    async with secrets(engine) as h:
        assert_passes(await judged(h, reply("glpat-" + "x" * 20)))


@pytest.mark.parametrize("engine", ["entropy", "Kingfisher", ""])
async def test_an_unknown_engine_stops_the_start(tmp_path: Path, engine: str) -> None:
    with pytest.raises(SettingsError, match="engines"):
        async with harness(Secrets, {"engines": [engine]}, folder=tmp_path):
            pass


@each_engine
async def test_an_engine_that_is_not_installed_stops_the_start_with_one_sentence(
    tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(foreign.PACKAGES, engine, "no_package_of_this_name")
    with pytest.raises(SettingsError) as caught:
        async with harness(Secrets, {"engines": [engine]}, folder=tmp_path):
            pass
    assert str(caught.value).endswith(
        f"engines names '{engine}', which isn't installed: pip install 'tidegate[{engine}]'"
    )


def test_an_id_names_the_engine_and_the_rule_in_small_letters() -> None:
    assert foreign.rule_id("kingfisher", "Betterleaks.AWS  access/Token.") == "kingfisher:betterleaks-aws-access-token"
