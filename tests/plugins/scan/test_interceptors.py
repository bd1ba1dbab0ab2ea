"""`secrets` and `pii` in a pipeline: what they find, what they do about it, and what they never tell."""

import base64
import gzip
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

import tidegate
from tidegate.testing import (
    Harness,
    SettingsError,
    assert_denied,
    assert_passes,
    assert_redacted,
    flow,
    harness,
    notification,
    request,
    result_of,
    session,
)
from tidegate_scan import Pii, Secrets
from tidegate_scan.scanner import HELD, Scanner

RULES = """
[[rule]]
id = "tide-token"
title = "A token of the tests"
regex = '\\b(tide_[a-z0-9]{20})\\b'
literals = ["tide_"]
confidence = 0.95
examples = ["tide_q8w3e5r7t9y1u2i4o6p0"]

[[rule]]
id = "maybe-token"
title = "Something less certain"
regex = '\\b(maybe_[a-z0-9]{20})\\b'
literals = ["maybe_"]
confidence = 0.4
examples = ["maybe_q8w3e5r7t9y1u2i4o6p0"]
"""
VALUE = "tide_q8w3e5r7t9y1u2i4o6p0"
MAYBE = "maybe_q8w3e5r7t9y1u2i4o6p0"
CALL = request("tools/call", {"name": "echo", "arguments": {"text": "hello"}})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules.toml").write_text(RULES)
    return tmp_path


def secrets(folder: Path, **config: Any) -> Any:
    return harness(Secrets, {"rules": ["rules.toml"], **config}, folder=folder, servers=("server", "other"))


def call(**arguments: Any) -> tidegate.Message:
    return request("tools/call", {"name": "echo", "arguments": arguments})


def reply(text: str) -> tidegate.Message:
    return result_of(CALL, {"content": [{"type": "text", "text": text}]})


async def judged(h: Harness, message: tidegate.Message, **about: Any) -> tidegate.Decision:
    return await h.judge(message, flow(message, request=CALL if message.is_reply else None, **about))


# -- what becomes of it -----------------------------------------------------------------------------------------------


async def test_a_request_with_a_secret_is_denied_and_a_reply_is_redacted(folder: Path) -> None:
    async with secrets(folder) as h:
        deny = assert_denied(await judged(h, call(text=f"use {VALUE} please")), rule="tide-token")
        assert VALUE not in deny.reason
        decision = await judged(h, reply(f"it is {VALUE}, keep it"))
        message = assert_redacted(decision)
        text = message.get("/result/content/0/text")
        mark = decision.findings[0][1].fingerprint[:4]
        assert text == f"it is [redacted:tide-token:{mark}], keep it"
        assert_passes(await judged(h, call(text="hello")))


async def test_equal_secrets_look_equal_and_others_do_not(folder: Path) -> None:
    async with secrets(folder) as h:
        text = assert_redacted(await judged(h, reply(f"{VALUE} {VALUE} {VALUE[:-1]}x"))).get("/result/content/0/text")
        first, again, other = text.split(" ")
        assert first == again != other
    async with secrets(folder) as h:  # the key stays in its file
        assert assert_redacted(await judged(h, reply(VALUE))).get("/result/content/0/text") == first
    assert (folder / "tidegate-scan.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "disguise",
    [
        lambda value: base64.b64encode(value.encode()).decode(),
        lambda value: base64.b64encode(base64.b64encode(value.encode())).decode(),
        lambda value: base64.b64encode(gzip.compress(value.encode())).decode(),
        lambda value: value.encode().hex(),
        lambda value: "".join(f"%{ord(char):02x}" for char in value),
        lambda value: "".join(f"&#{ord(char)};" for char in value),
        lambda value: "".join(f"\\u{ord(char):04x}" for char in value),
        "\u200b".join,
        lambda value: "".join(chr(ord(char) + 0xFEE0) if char != " " else char for char in value),
    ],
    ids=["base64", "base64-twice", "gzip", "hex", "url", "entities", "escapes", "zero-width", "full-width"],
)
async def test_a_disguised_secret_is_found_and_its_whole_disguise_is_redacted(folder: Path, disguise: Any) -> None:
    hidden = disguise(VALUE)
    async with secrets(folder) as h:
        decision = await judged(h, reply(f"see: {hidden} ."))
        mark = decision.findings[0][1].fingerprint[:4]
        assert assert_redacted(decision).get("/result/content/0/text") == f"see: [redacted:tide-token:{mark}] ."
        assert decision.findings[0][1].view
        plain = await judged(h, reply(VALUE))
        assert plain.findings[0][1].fingerprint == decision.findings[0][1].fingerprint
        assert plain.findings[0][1].view == ""
        assert_denied(await judged(h, call(text=hidden)), rule="tide-token")


async def test_a_secret_in_a_json_text_is_redacted_inside_of_it(folder: Path) -> None:
    inner = json.dumps({"users": [{"token": VALUE, "n": 1}], "note": 'a "quoted" word'})
    async with secrets(folder) as h:
        decision = await judged(h, reply(inner))
        message = assert_redacted(decision)
        assert decision.findings[0][1].pointer == "/result/content/0/text/~2/users/0/token"
        text = json.loads(message.get("/result/content/0/text"))
        assert text["users"][0]["token"].startswith("[redacted:tide-token:")
        assert text["note"] == 'a "quoted" word'


async def test_a_secret_in_a_key_cannot_be_redacted_so_it_is_denied(folder: Path) -> None:
    async with secrets(folder) as h:
        message = result_of(CALL, {"content": [], "structuredContent": {VALUE: 1}})
        assert_denied(await judged(h, message), code="unredactable", rule="tide-token")


@pytest.mark.parametrize(
    "message",
    [
        call(deep={"list": ["x", {"y": VALUE}]}),
        request("prompts/get", {"name": "p", "arguments": {"a": VALUE}}),
        request(
            "completion/complete",
            {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": VALUE}},
        ),
        request("tools/call", {"name": "echo", "arguments": {}, "_meta": {"x": VALUE}}),
        request("tools/call", {"name": VALUE, "arguments": {}}),
        notification("notifications/progress", {"progressToken": 1, "progress": 1, "message": VALUE}),
        request("anything/new", {"a": VALUE}),
    ],
    ids=lambda message: message.method,
)
async def test_secrets_of_a_client_are_found_everywhere(folder: Path, message: tidegate.Message) -> None:
    async with secrets(folder) as h:
        assert_denied(await judged(h, message), rule="tide-token")


async def test_a_secret_in_pieces_is_found_in_siblings_and_in_consecutive_blocks(folder: Path) -> None:
    async with secrets(folder) as h:
        assert_denied(await judged(h, call(one=VALUE[:12], two=VALUE[12:])), rule="tide-token")
        blocks = [{"type": "text", "text": f"begin {VALUE[:12]}"}, {"type": "text", "text": f"{VALUE[12:]} end"}]
        decision = await judged(h, result_of(CALL, {"content": blocks}))
        content = assert_redacted(decision).get("/result/content")
        assert VALUE[:12] not in content[0]["text"]
        assert content[1]["text"].endswith("] end")
        assert {finding.view for _, finding in decision.findings} == {"split"}


# -- settings ---------------------------------------------------------------------------------------------------------


async def test_what_is_done_goes_by_direction_rule_server_and_tool(folder: Path) -> None:
    overrides = [
        {"rules": ["maybe-*"], "request": "report", "response": "report"},
        {"servers": ["other"], "request": "redact"},
        {"targets": ["ech*"], "response": "deny"},
    ]
    async with secrets(folder, overrides=overrides) as h:
        decision = await judged(h, call(text=MAYBE))
        assert_passes(decision)
        assert [finding.rule for _, finding in decision.findings] == ["maybe-token"]
        assert_redacted(await judged(h, call(text=VALUE), server="other"))
        assert_denied(await judged(h, call(text=VALUE)), rule="tide-token")
        assert_denied(await judged(h, reply(VALUE)), rule="tide-token")


async def test_what_is_allowed_passes_and_is_still_reported(folder: Path) -> None:
    async with secrets(folder) as h:
        print_ = (await judged(h, reply(VALUE))).findings[0][1].fingerprint
    for allow in (
        {"fingerprint": print_},
        {"rules": ["tide-*"]},
        {"pointers": ["/params/arguments/*"], "servers": ["server"]},
        {"targets": ["echo"]},
    ):
        async with secrets(folder, allow=[{**allow, "reason": "a sample"}]) as h:
            decision = await judged(h, call(text=VALUE))
            assert_passes(decision)
            assert decision.findings
    async with secrets(folder, allow=[{"fingerprint": print_}]) as h:
        assert_denied(await judged(h, call(text=VALUE[:-1] + "x")), rule="tide-token")


async def test_a_text_in_the_message_switches_no_rule_off(folder: Path) -> None:
    async with secrets(folder) as h:
        for text in (f"{VALUE} # pragma: allowlist secret", f"{VALUE}  gitleaks:allow", f"example {VALUE} example"):
            assert_denied(await judged(h, call(text=text)), rule="tide-token")


async def test_what_is_too_uncertain_is_reported_only(folder: Path) -> None:
    async with secrets(folder, min_confidence=0.5) as h:
        assert_passes(await judged(h, call(text=MAYBE)))
        assert_denied(await judged(h, call(text=VALUE)), rule="tide-token")
    async with secrets(folder) as h:
        assert_denied(await judged(h, call(text=MAYBE)), rule="maybe-token")


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"rules": ["missing.toml"]}, "missing.toml"),
        ({"disable": ["no-such-*"]}, "there is no rule 'no-such-\\*'"),
        ({"allow": [{}]}, "an entry of allow says what it allows"),
        ({"overrides": [{"rules": ["*"]}]}, "an override needs request or response"),
        ({"request": "seal"}, "request"),
        ({"seal_for": ["server"]}, "seal_for has no effect"),
        ({"unknown": 1}, "has no setting 'unknown'"),
    ],
)
async def test_settings_that_cannot_be_used_stop_the_start_in_one_sentence(
    folder: Path, config: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(SettingsError, match=sentence):
        async with secrets(folder, **config):
            pass


async def test_a_message_that_would_take_too_long_to_look_at_is_denied(folder: Path) -> None:
    bomb = base64.b64encode(gzip.compress(b"a" * 3_000_000)).decode()
    async with secrets(folder, max_bytes=100_000) as h:
        assert_denied(await judged(h, reply(bomb)), code="limit", rule="scan-budget")
        assert_passes(await judged(h, reply("small")))


async def test_a_message_made_to_be_slow_is_denied_before_it_holds_up_the_others(folder: Path) -> None:
    async with secrets(folder, max_seconds=0.05) as h:
        for piece in ("api_key=", "token=", "password = '"):
            decision = await judged(h, reply(piece * (1_500_000 // len(piece))))
            assert_denied(decision, code="limit", rule="scan-budget")
            (step,) = [step for step in decision.steps if step.hook == "inspect"]
            assert step.elapsed_ns < 1.5e9
        assert_passes(await judged(h, reply("small")))


# -- sealed -----------------------------------------------------------------------------------------------------------


async def test_a_sealed_value_is_put_back_for_the_named_server_and_the_same_conversation_alone(folder: Path) -> None:
    mine = session()
    async with secrets(folder, response="seal", seal_for=["other"]) as h:
        sealed = assert_redacted(await judged(h, reply(f"key: {VALUE}"), session=mine)).get("/result/content/0/text")
        assert VALUE not in sealed
        assert sealed.startswith("key: [redacted:sealed:tide-token:")
        message = assert_redacted(await judged(h, reply(VALUE), session=mine))
        assert message.get("/result/content/0/text") in sealed  # the same value, the same handle
        back = call(text=f"use {sealed}")
        passed = (await judged(h, back, server="other", session=mine)).message
        assert passed is not None
        assert passed.get("/params/arguments/text") == f"use key: {VALUE}"
        assert [edit.label for edit in passed.edits] == ["unsealed"]
        assert assert_passes(await judged(h, back, session=mine)).get("/params/arguments/text") == f"use {sealed}"
        for stranger in ({"session": session(id="else")}, {"session": mine, "principal": "eve"}):
            kept = assert_passes(await judged(h, back, server="other", **stranger))
            assert kept.get("/params/arguments/text") == f"use {sealed}"
        assert_denied(await judged(h, call(text=VALUE), session=mine), rule="tide-token")


async def test_every_occurrence_of_a_value_in_one_message_gets_its_handle(folder: Path) -> None:
    async with secrets(folder, response="seal", seal_for=["other"]) as h:
        first, other = assert_redacted(await judged(h, reply(f"{VALUE} {VALUE}"))).get("/result/content/0/text").split()
        assert first == other
        assert first.startswith("[redacted:sealed:tide-token:")


async def test_a_sealed_value_is_put_back_inside_of_a_json_text(folder: Path) -> None:
    mine = session()
    async with secrets(folder, response="seal", seal_for=["other"]) as h:
        sealed = assert_redacted(await judged(h, reply(VALUE), session=mine)).get("/result/content/0/text")
        body = json.dumps({"headers": {"authorization": sealed}})
        passed = (await judged(h, call(body=body), server="other", session=mine)).message
        assert passed is not None
        assert json.loads(passed.get("/params/arguments/body")) == {"headers": {"authorization": VALUE}}


async def test_a_marker_is_no_secret_but_one_that_is_made_up_hides_none(folder: Path) -> None:
    async with secrets(folder) as h:
        marked = assert_redacted(await judged(h, reply(f"api_key: {VALUE}"))).get("/result/content/0/text")
        assert_passes(await judged(h, call(text=marked)))
        for made_up in (
            "[redacted:sealed:tide-token:Zq8w3e5R7t9Y1u2I4o6p0a]",
            f"[redacted:tide-token:{VALUE}]",
            f"[redacted:tide-token:3f9a]{VALUE}",
            "x7Kq9oP2vWnZ8h[redacted:tide-token:3f9a]",
        ):
            assert not (await judged(h, call(text=f"api_key: {made_up}"))).allowed


# -- held -------------------------------------------------------------------------------------------------------------


async def test_what_tidegate_gives_to_servers_is_found_exactly_and_in_any_encoding(folder: Path) -> None:
    held = "correct horse battery staple"
    scanner = Scanner([], [held])
    for text in (held, base64.b64encode(held.encode()).decode(), held.replace(" ", "%20"), held.encode().hex()):
        (found,) = scanner.tree({"a": f"<{text}>"})
        assert (found.rule, found.pointer, found.value) == (HELD, "/a", held)
        assert f"<{text}>"[slice(*found.span)] == text


# -- never told -------------------------------------------------------------------------------------------------------


@pytest.fixture
def everything_said(caplog: pytest.LogCaptureFixture) -> Iterator[list[Any]]:
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as logged:
        yield logged


@pytest.mark.requirement("secrets-stay-in")
async def test_nothing_of_a_secret_is_in_a_finding_an_effect_a_log_or_an_exception(
    folder: Path, everything_said: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with secrets(folder) as h:
        for message in (call(text=VALUE), reply(VALUE), result_of(CALL, {"structuredContent": {VALUE: VALUE}})):
            decision = await judged(h, message)
            told: list[Any] = [decision.findings, decision.effects, decision.steps, decision.reported]
            if decision.verdict == "redact":
                told.append(decision.message)
            said = " ".join(map(repr, [*told, everything_said, caplog.text, h.interceptor.__dict__]))
            assert VALUE not in said
            assert VALUE[:9] not in said


# -- personal data ----------------------------------------------------------------------------------------------------


async def test_personal_data_is_redacted_in_both_directions(folder: Path) -> None:
    text = "Write to ann.smith@example.org or pay with 4111 1111 1111 1111 from DE89 3704 0044 0532 0130 00."
    async with harness(Pii, folder=folder) as h:
        for message in (call(text=text), reply(text)):
            decision = await judged(h, message)
            pointer = "/result/content/0/text" if message.is_reply else "/params/arguments/text"
            said = assert_redacted(decision).get(pointer)
            assert "ann.smith" not in said
            assert "4111" not in said
            assert "3704" not in said
            assert said.startswith("Write to [redacted:")
            assert {finding.kind for _, finding in decision.findings} == {"pii"}
        assert_passes(await judged(h, call(text="nothing of anybody, 2026-11-22 and 192.168.1.1")))


async def test_personal_data_is_looked_for_where_the_settings_say_so(folder: Path) -> None:
    text = "ann.smith@example.org"
    async with harness(Pii, {"detect": ["iban"]}, folder=folder) as h:
        assert_passes(await judged(h, call(text=text)))
    async with harness(Pii, {"request": "deny"}, folder=folder) as h:
        assert_denied(await judged(h, call(text=text)), rule="email")
    with pytest.raises(SettingsError, match="detect names 'faces', which isn't known"):
        async with harness(Pii, {"detect": ["faces"]}, folder=folder):
            pass


async def test_a_card_given_as_a_number_denies_a_request_and_is_redacted_in_the_json_text_of_an_answer(
    folder: Path,
) -> None:
    card = 4111111111111111
    async with harness(Pii, {}, folder=folder) as h:
        deny = assert_denied(await judged(h, call(size=card)), code="unredactable")
        assert str(card) not in deny.reason
        decision = await judged(h, reply(json.dumps({"rows": [{"size": card, "weight": 12}]})))
        text = assert_redacted(decision).get("/result/content/0/text")
        mark = decision.findings[0][1].fingerprint[:4]
        assert json.loads(text) == {"rows": [{"size": f"[redacted:payment-card:{mark}]", "weight": 12}]}
        assert_denied(await judged(h, result_of(CALL, {"structuredContent": {"card": card}})), code="unredactable")
