"""The interceptor as the pipeline drives it: what the policy says is done, and whatever goes wrong denies."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tidegate import Decision, Deny, Server
from tidegate.testing import (
    Clock,
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
    samples,
    session,
)
from tidegate_policy import Policy

HEAD = "package tidegate\n\nimport rego.v1\n\n"
RULES = f"""{HEAD}decision := {{"deny": deny, "redact": redact, "hold": hold, "labels": labels}}

deny contains {{"rule": "no-shadow", "reason": "Not that file."}} if input.arguments.path == "/etc/shadow"

deny contains {{"rule": "no-secret", "reason": "It was found."}} if {{
	some finding in input.findings
	finding.kind == "secret"
}}

deny contains {{"rule": "no-delete", "reason": "Nothing is deleted."}} if startswith(input.tool.name, "delete")

redact contains {{"pointer": found.pointer, "label": "name"}} if {{
	some found in input.result.strings
	contains(found.value, "Rumpelstilzchen")
}}

hold contains {{"rule": "ask", "reason": "A person must agree."}} if input.tool.name == "pay"

labels contains "private" if {{
	input.phase == "reply"
	input.target.name == "read_private"
}}

deny contains {{"rule": "no-leak", "reason": "Not after that."}} if {{
	input.tool.name == "post"
	"private" in input.session.labels
}}
"""


def call(tool: str = "read", **arguments: Any) -> Any:
    return request("tools/call", {"name": tool, "arguments": arguments})


@asynccontextmanager
async def policy(
    tmp_path: Path, text: str = RULES, config: dict[str, Any] | None = None, **entry: Any
) -> AsyncIterator[Harness]:
    (tmp_path / "policies").mkdir(exist_ok=True)
    (tmp_path / "policies" / "main.rego").write_text(text)
    async with harness(Policy, {"bundle": "policies", "watch": 0, **(config or {})}, folder=tmp_path, **entry) as h:
        yield h


async def judged(tmp_path: Path, message: Any, text: str = RULES, **config: Any) -> Decision:
    async with policy(tmp_path, text, config) as h:
        return await h.judge(message)


async def test_what_the_policy_denies_is_denied_with_its_rule_and_reason(tmp_path: Path) -> None:
    deny = assert_denied(await judged(tmp_path, call(path="/etc/shadow")), rule="no-shadow")
    assert (deny.reason, deny.code) == ("Not that file.", "denied")
    assert_passes(await judged(tmp_path, call(path="/data/a")))


async def test_what_the_policy_redacts_is_redacted(tmp_path: Path) -> None:
    reply = result_of(call(), {"content": [{"type": "text", "text": "call me Rumpelstilzchen"}]})
    assert_redacted(await judged(tmp_path, reply), "/result/content/0/text", label="name")


async def test_what_the_policy_holds_is_held(tmp_path: Path) -> None:
    decision = await judged(tmp_path, call("pay", amount=3))
    assert decision.verdict == "hold"
    assert decision.stopper is not None
    assert decision.stopper[1].rule == "ask"


async def test_labels_of_a_decision_are_in_the_input_of_later_ones(tmp_path: Path) -> None:
    memory = session()
    asked = call("read_private")
    async with policy(tmp_path) as h:
        assert_passes(await h.judge(call("post"), flow(call("post"), session=memory)))
        assert_passes(await h.judge(asked, flow(asked, session=memory)))
        reply = result_of(asked, {"content": []})
        assert_passes(await h.judge(reply, flow(reply, request=asked, session=memory)))
        assert_denied(await h.judge(call("post"), flow(call("post"), session=memory)), rule="no-leak")
        assert_passes(await h.judge(call("post"), flow(call("post"), session=session())))


async def test_the_revision_is_in_every_decision(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    async with policy(tmp_path) as h:
        for sample in samples():
            decision = await h.judge(sample.message, sample.flow)
            assert decision.notes[0][1].text.startswith("revision "), sample


async def test_a_recording_gets_the_whole_input_and_the_decision(tmp_path: Path) -> None:
    decision = await judged(tmp_path, call(path="/etc/shadow"))
    detail = decision.notes[0][1].detail
    assert detail is not None
    recorded = json.loads(detail())
    assert recorded["input"]["arguments"] == {"path": "/etc/shadow"}
    assert recorded["input"]["session"]["calls"] == []
    assert recorded["decision"]["bundle"]["deny"][0]["rule"] == "no-shadow"
    assert recorded["revision"] in decision.notes[0][1].text


# -- lists ----------------------------------------------------------------------------------------------------


async def test_what_would_be_denied_is_taken_off_the_list(tmp_path: Path) -> None:
    asked = request("tools/list")
    tools = [{"name": name, "inputSchema": {"type": "object"}} for name in ("read", "delete_all", "pay", "delete")]
    reply = result_of(asked, {"tools": tools, "nextCursor": "c", "ttlMs": 5, "cacheScope": "public"})
    message = assert_passes(await judged(tmp_path, reply))
    assert [tool["name"] for tool in message.get("/result/tools")] == ["read", "pay"]
    assert message.get("/result/nextCursor") == "c"
    assert message.get("/result/cacheScope") == "private"


@pytest.mark.parametrize(
    ("method", "member", "named"),
    [
        ("prompts/list", "prompts", "name"),
        ("resources/list", "resources", "uri"),
        ("resources/templates/list", "resourceTemplates", "uriTemplate"),
    ],
)
async def test_every_sort_of_list_is_filtered(tmp_path: Path, method: str, member: str, named: str) -> None:
    text = (
        HEAD
        + 'decision := {"deny": deny}\n\ndeny contains {"rule": "r", "reason": "No."} if input.target.name == "b"\n'
    )
    reply = result_of(request(method), {member: [{named: "a"}, {named: "b"}, {"other": 1}, "x", {named: 3}]})
    message = assert_passes(await judged(tmp_path, reply, text))
    assert message.get(f"/result/{member}") == [{named: "a"}]


async def test_what_is_no_list_is_emptied(tmp_path: Path) -> None:
    reply = result_of(request("tools/list"), {"tools": {"delete": {}}})
    assert assert_passes(await judged(tmp_path, reply)).get("/result/tools") == []


# -- whatever goes wrong denies --------------------------------------------------------------------------------


OTHERS = 'decision := {} if input.tool.name != "x"\n'


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("undefined", ""),
        ("error", 'decision := {"deny": [startswith(input.arguments.n, "a")]} if input.tool.name == "x"\n'),
        ("shape", 'decision := {"allow": true} if input.tool.name == "x"\n'),
    ],
)
async def test_no_decision_denies_and_says_which(tmp_path: Path, kind: str, rule: str) -> None:
    async with policy(tmp_path, f"{HEAD}{OTHERS}\n{rule}") as h:
        assert_passes(await h.judge(call("y", n=5)))
        assert_denied(await h.judge(call("x", n=5)), code="broken", rule=f"bundle/{kind}")


RUNAWAY = (
    HEAD
    + """
decision := {"deny": deny}

deny contains {"rule": "r", "reason": "No."} if {
	input.tool.name == "x"
	some a in numbers.range(1, 100000)
	some b in numbers.range(1, 100000)
	a * b == -1
}
"""
)


async def test_a_runaway_policy_is_cut_off_and_denies_and_holds_nobody_else_up(tmp_path: Path) -> None:
    ticks = 0

    async def ticking() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.005)  # sleep: what ticks while a policy runs away

    async with policy(tmp_path, RUNAWAY, {"timeout": 1.0}) as h:
        assert_passes(await h.judge(call("y")))
        task = asyncio.create_task(ticking())
        decision = await h.judge(call("x"))
        task.cancel()
        assert_denied(decision, code="late", rule="bundle/timeout")
        assert ticks > 20
        assert_passes(await h.judge(call("y")))


async def test_every_message_of_every_version_is_asked_about(tmp_path: Path) -> None:
    text = HEAD + 'decision := {"deny": [{"rule": "all", "reason": "No."}]}\n'
    async with policy(tmp_path, text) as h:
        for sample in samples():
            assert_denied(await h.judge(sample.message, sample.flow), rule="all")


# -- arguments -------------------------------------------------------------------------------------------------

TOOL = {
    "name": "read",
    "inputSchema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
}


async def test_arguments_that_do_not_fit_the_schema_are_a_deny_of_their_own(tmp_path: Path) -> None:
    async with policy(tmp_path) as h:
        for arguments in ({"path": ["/etc/shadow"]}, {}, {"path": None}):
            message = call("read", **arguments)
            assert_denied(await h.judge(message, flow(message, tool=TOOL)), code="arguments")
        message = call("read", path="/data/a")
        assert_passes(await h.judge(message, flow(message, tool=TOOL)))


async def test_a_tool_that_was_not_listed_passes_or_is_denied_as_the_settings_say(tmp_path: Path) -> None:
    assert_passes(await judged(tmp_path, call()))
    assert_denied(await judged(tmp_path, call(), arguments="required"), code="arguments")


# -- shadow, report only, packs --------------------------------------------------------------------------------


async def test_what_a_shadow_would_do_otherwise_is_recorded_and_counted_and_not_done(tmp_path: Path) -> None:
    (tmp_path / "next").mkdir()
    (tmp_path / "next" / "main.rego").write_text(HEAD + 'decision := {"deny": [{"rule": "all", "reason": "No."}]}\n')
    async with policy(tmp_path, RULES, {"shadow": "next"}) as h:
        passed = await h.judge(call(path="/data"))
        assert_passes(passed)
        assert passed.notes[0][1].text.endswith("; shadow would deny all instead of allow")
        denied = await h.judge(call(path="/etc/shadow"))
        assert_denied(denied, rule="no-shadow")
        assert denied.notes[0][1].text.endswith("; shadow would deny all instead of deny no-shadow")
        assert sum(h.interceptor.differences.values()) == 2


async def test_what_a_shadow_would_redact_is_told_without_keys_of_the_message(tmp_path: Path) -> None:
    (tmp_path / "next").mkdir()
    body = '[{"pointer": found.pointer, "label": "name"} | some found in input.result.strings]'
    (tmp_path / "next" / "main.rego").write_text(f'{HEAD}decision := {{"redact": {body}}}\n')
    async with policy(tmp_path, RULES, {"shadow": "next"}) as h:
        decision = await h.judge(result_of(call(), {"structuredContent": {"hunter2-key": "x"}}))
        assert "shadow would redact name instead of allow" in decision.notes[0][1].text
        assert "hunter2" not in decision.notes[0][1].text + repr(h.interceptor.differences)


async def test_a_whole_policy_may_only_report(tmp_path: Path) -> None:
    async with policy(tmp_path, report_only=True) as h:
        decision = await h.judge(call(path="/etc/shadow"))
    assert_passes(decision)
    assert [effect for _, effect in decision.reported] == [Deny("Not that file.", "denied", "no-shadow")]


# -- settings --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "needs a bundle, packs, or both"),
        ({"bundle": "nowhere"}, "can't be read: No such file"),
        ({"packs": ["nothing"]}, "no pack 'nothing'"),
        ({"bundle": "policies", "data": {"tidegate": {}}}, "data.tidegate"),
        ({"bundle": "policies", "timezone": "Mars"}, "no time zone"),
        ({"bundle": "policies", "opa": {}}, "opa has no meaning"),
        ({"bundle": "policies", "engine": "opa", "opa": {"token": "plain"}}, "env:NAME"),
        ({"bundle": "policies", "engine": "opa", "opa": {"urls": ["ftp://x"]}}, "no address"),
        ({"bundle": "policies", "bundel": 1}, "bundel"),
    ],
)
async def test_bad_settings_are_refused_with_one_sentence(tmp_path: Path, config: dict[str, Any], said: str) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "main.rego").write_text(RULES)
    with pytest.raises(SettingsError, match=said):
        async with harness(Policy, config, folder=tmp_path):
            pass


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{HEAD}decision := {{", r"main\.rego:5"),
        (f"{HEAD}deny contains 1 if true\n", "decision"),
        (f"{HEAD}decision := 1\n", "no decision"),
        (f'{HEAD}decision := {{}} if input.method == "nothing"\n', "has no value"),
        (f'{HEAD}decision := {{"deny": [contains(1, "a")]}}\n', r"main\.rego:5.*fails"),
    ],
)
async def test_a_policy_that_can_not_be_meant_stops_the_start(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        async with policy(tmp_path, text):
            pass


# -- content history ---------------------------------------------------------------------------------------------

SECRET_PLAN = "the plant in Leipzig closes in March because its two largest customers will not renew their contracts"
CONTENT = (
    HEAD
    + """decision := {"deny": deny}

deny contains {"rule": "carries", "reason": "It repeats what was read."} if {
	some finding in input.findings
	finding.kind == "carried"
	finding.confidence > 0.2
}
"""
)
VAULT = Server("vault", labels=("private",))


async def test_what_was_read_from_a_labelled_server_is_recognised_in_a_later_request(tmp_path: Path) -> None:
    memory, asked = session(Clock()), call("read")
    reply = result_of(asked, {"content": [{"type": "text", "text": SECRET_PLAN}]})
    post, other = (
        call("post", body=[SECRET_PLAN[:50], SECRET_PLAN[50:]]),
        call("post", body="the weather is fine today"),
    )
    async with policy(tmp_path, CONTENT, {"carried": {}}, servers=(VAULT, "web")) as h:
        assert_passes(await h.judge(post, flow(post, server="web", session=memory)))
        assert_passes(await h.judge(reply, flow(reply, server=VAULT, request=asked, session=memory)))
        assert_denied(await h.judge(post, flow(post, server="web", session=memory)), rule="carries")
        assert_passes(await h.judge(other, flow(other, server="web", session=memory)))
        assert_passes(await h.judge(post, flow(post, server="web", session=session())))


async def test_a_reply_that_was_denied_leaves_no_marks(tmp_path: Path) -> None:
    text = CONTENT + '\ndeny contains {"rule": "reply", "reason": "No."} if input.phase == "reply"\n'
    memory, asked = session(Clock()), call("read")
    reply = result_of(asked, {"content": [{"type": "text", "text": SECRET_PLAN}]})
    async with policy(tmp_path, text, {"carried": {}}) as h:
        assert_denied(await h.judge(reply, flow(reply, server=VAULT, request=asked, session=memory)))
    assert not memory.notes


async def test_the_decision_log_gets_a_line_a_message(tmp_path: Path) -> None:
    async with policy(tmp_path, RULES, {"decision_log": "decisions.jsonl"}) as h:
        await h.judge(call(path="/etc/shadow"))
        await h.judge(notification("notifications/progress", {"progressToken": 1, "progress": 1}))
    lines = [json.loads(line) for line in (tmp_path / "decisions.jsonl").read_text().splitlines()]
    assert len(lines) == 2
    assert "/etc/shadow" not in (tmp_path / "decisions.jsonl").read_text()
