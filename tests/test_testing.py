"""The public test kit: what authors of interceptors rely on."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import tidegate
from tidegate import Decision, Deny, Finding, Flow, Message, Proxy, Redact, Server, methods
from tidegate.testing import (
    Clock,
    Rejected,
    SettingsError,
    assert_denied,
    assert_passes,
    assert_redacted,
    error_of,
    flow,
    harness,
    notification,
    parse,
    request,
    result_of,
    samples,
    session,
)


class Words:
    """Finds words; denies or redacts them."""

    class Config(BaseModel):
        deny: str = "forbidden"
        redact: str = "secret"

    def __init__(self, config: Config) -> None:
        self.config = config
        self.calls: list[str] = []
        self.proxy: Proxy | None = None

    @tidegate.hook
    def startup(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.calls.append("startup")

    @tidegate.hook
    def inspect(self, message: Message) -> list[Finding]:
        return [
            Finding("word", "secret", leaf.pointer) for leaf in message.strings() if self.config.redact in leaf.value
        ]

    @tidegate.hook
    def decide(self, message: Message, findings: Iterable[Finding]) -> list[Deny | Redact]:
        if any(self.config.deny in leaf.value for leaf in message.strings()):
            return [Deny("No.", rule="word")]
        return [Redact(finding.pointer, label="word") for finding in findings]

    @tidegate.hook
    def observe(self, decision: Decision) -> None:
        self.calls.append(decision.verdict)

    @tidegate.hook
    async def shutdown(self) -> None:
        await asyncio.sleep(0)
        self.calls.append("shutdown")


class Broken:
    """Fails."""

    @tidegate.hook
    def decide(self, message: Message) -> None:
        raise RuntimeError(message.method)


def call(text: str) -> Message:
    return request("tools/call", {"name": "send", "arguments": {"text": text}})


def test_a_request_is_what_the_strict_parser_makes_of_it() -> None:
    made = request("tools/call", {"name": "x", "arguments": {"n": 2**70}}, "seven", trace="t")
    params = f'{{"name":"x","arguments":{{"n":{2**70}}}}}'
    same = parse(f'{{"jsonrpc":"2.0","id":"seven","method":"tools/call","params":{params},"trace":"t"}}')
    assert made.encoded == same.encoded
    assert (made.kind, made.sender, made.id, made.method) == ("request", "client", "seven", "tools/call")
    assert made.extra == {"trace": "t"}


def test_params_that_are_none_are_left_out_and_empty_ones_kept() -> None:
    assert request("ping").encoded == b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    assert notification("x", {}).encoded == b'{"jsonrpc":"2.0","method":"x","params":{}}'


@pytest.mark.parametrize(
    ("method", "sender"),
    [("tools/call", "client"), ("sampling/createMessage", "server"), ("ping", "client"), ("unheard/of", "client")],
)
def test_who_sends_a_message_follows_from_its_method(method: str, sender: str) -> None:
    assert request(method).sender == sender
    assert notification("notifications/message").sender == "server"
    assert request(method, sender="server").sender == "server"


def test_replies_carry_id_and_method_of_their_request_and_go_the_other_way() -> None:
    asked = request("roots/list", id=7)
    for reply, kind in (
        (result_of(asked, {"roots": []}, trace=1), "result"),
        (error_of(asked, -1, "No.", [1]), "error"),
    ):
        assert (reply.kind, reply.sender, reply.id, reply.method) == (kind, "client", 7, "roots/list")
    assert error_of(asked).body == {"code": -32603, "message": "Internal error"}
    assert error_of(asked, data=0).body["data"] == 0


def test_what_is_no_message_is_rejected_as_on_the_wire() -> None:
    with pytest.raises(Rejected, match="stands twice"):
        parse(b'{"jsonrpc":"2.0","method":"x","method":"y"}')
    with pytest.raises(Rejected, match="must be an object"):
        request("x", [1])  # type: ignore[arg-type]  # what is to be refused


def test_a_flow_is_about_what_its_message_or_its_request_names() -> None:
    asked = call("x")
    assert flow(asked).targets == (tidegate.Target("tool", "send"),)
    context = flow(result_of(asked, {}), request=asked, server="files", principal="ada", tool={"name": "send"})
    assert context.targets == (tidegate.Target("tool", "send"),)
    assert (context.server, context.principal.name, context.request) == (Server("files"), "ada", asked)
    assert context.tool == {"name": "send"}
    assert flow().id != flow().id


def test_a_conversation_runs_on_the_clock_of_the_test() -> None:
    clock = Clock(100.0)
    memory = session(clock)
    clock.advance(2.5)
    assert memory.age == 2.5
    assert flow(session=memory).session is memory


async def test_a_harness_starts_judges_and_stops_the_interceptor_it_is_given() -> None:
    async with harness(Words, {"deny": "no-go"}, servers=("files", Server("web", "remote", "high", ("x",)))) as h:
        words: Words = h.interceptor
        assert words.config.deny == "no-go"
        assert words.proxy is not None
        assert words.proxy.servers == (Server("files"), Server("web", "remote", "high", ("x",)))
        before = h.steps
        assert before == ()
        decision = await h.judge(call("fine"))
        assert h.decision is decision
        assert [step.hook for step in h.steps] == ["inspect", "decide"]
        folder = words.proxy.folder
        assert folder.is_dir()
    assert words.calls == ["startup", "allow", "shutdown"]
    assert not folder.exists()


async def test_a_harness_uses_an_installed_interceptor_by_its_name(tmp_path: Path) -> None:
    async with harness("lists", {"deny": ["files/x"]}, servers=("files",), folder=tmp_path, name="mine") as h:
        message = request("tools/call", {"name": "x"})
        decision = await h.judge(message, flow(message, server="files"))
        assert decision.effects[0][0] == "mine"


async def test_a_harness_takes_what_the_entry_of_any_interceptor_takes() -> None:
    async with harness(Words, report_only=True) as h:
        assert_passes(await h.judge(call("forbidden")))
    async with harness(Words, when={"methods": ["tools/*"]}) as h:
        assert_denied(await h.judge(call("forbidden")))
        assert_passes(await h.judge(request("prompts/get", {"name": "forbidden"})))


async def test_what_tidegate_would_not_start_with_a_harness_does_not_either() -> None:
    with pytest.raises(SettingsError, match="'words' has no setting 'color'"):
        async with harness(Words, {"color": 1}):
            pass
    with pytest.raises(SettingsError, match="'nowhere' is not installed"):
        async with harness("nowhere"):
            pass


async def test_a_harness_stops_the_interceptor_after_a_failed_test_too() -> None:
    calls: list[str] = []

    async def failing() -> None:
        async with harness(Words) as h:
            h.interceptor.calls = calls
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await failing()
    assert calls == ["shutdown"]


async def test_explain_shows_the_observers_too() -> None:
    async with harness(Words) as h:
        await h.judge(call("forbidden"), explain=True)
        assert [step.hook for step in h.steps] == ["inspect", "decide", "observe"]


async def test_the_assertions_return_what_they_are_about() -> None:
    async with harness(Words) as h:
        fine, secret = call("fine"), call("a secret")
        assert assert_passes(await h.judge(fine)) is fine
        assert assert_denied(await h.judge(call("forbidden")), rule="word").reason == "No."
        redacted = assert_redacted(await h.judge(secret), "/params/arguments/text", label="word")
        assert redacted.get("/params/arguments/text") == "[redacted:word]"
        assert_redacted(h.decision or await h.judge(secret))


async def test_an_assertion_that_fails_says_what_was_decided_and_nothing_of_the_message() -> None:
    async with harness(Words) as h:
        allowed = await h.judge(call("private"))
        denied = await h.judge(call("forbidden private"))
        redacted = await h.judge(call("secret private"))
    wrong: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], str]] = [
        (assert_passes, (denied,), {}, "expected a pass, but the verdict is 'deny'"),
        (assert_passes, (redacted,), {}, "the verdict is 'redact'"),
        (assert_denied, (allowed,), {}, "expected a deny, but the verdict is 'allow'"),
        (assert_denied, (redacted,), {}, "expected a deny"),
        (assert_denied, (denied,), {"rule": "other"}, "expected the rule 'other'"),
        (assert_denied, (denied,), {"code": "limit"}, "expected the code 'limit'"),
        (assert_denied, (denied,), {"code": "typo"}, "there is no deny code 'typo'"),
        (assert_redacted, (allowed,), {}, "expected a redaction"),
        (assert_redacted, (redacted, "/params/name"), {}, "expected a redaction at /params/name"),
        (assert_redacted, (redacted,), {"label": "other"}, "expected the marker [redacted:other]"),
    ]
    for check, args, named, said in wrong:
        with pytest.raises(AssertionError) as failed:
            check(*args, **named)
        assert said in str(failed.value)
        assert "private" not in str(failed.value)


async def test_a_broken_interceptor_is_not_taken_for_one_that_denies() -> None:
    async with harness(Broken) as h:
        decision = await h.judge(call("x"))
        with pytest.raises(AssertionError, match="expected the code 'denied'"):
            assert_denied(decision)
        assert_denied(decision, code="broken")


def test_the_samples_have_every_method_in_each_direction_and_its_replies() -> None:
    seen = {(sample.message.method, sample.message.sender, sample.message.kind) for sample in samples()}
    expected = set()
    for method in methods.METHODS.values():
        for sender, other, versions in (("client", "server", method.client), ("server", "client", method.server)):
            if versions and method.request:
                expected |= {
                    (method.name, sender, "request"),
                    (method.name, other, "result"),
                    (method.name, other, "error"),
                }
            elif versions:
                expected.add((method.name, sender, "notification"))
    assert seen == expected
    assert len(list(samples())) == len(expected)


@pytest.mark.parametrize("version", methods.VERSIONS)
def test_the_samples_of_a_version_are_what_it_lets_each_side_send(version: str) -> None:
    found = list(samples(version))
    for message, context in found:
        asker = context.request or message
        assert asker.method is not None
        assert methods.may_send(asker.sender, asker.method, version)
        assert context.version == version
        if message.kind == "request" and methods.is_modern(version):
            assert methods.version_in(message) == version
        if message.method in methods.METHODS and methods.METHODS[message.method].target:
            assert context.targets
    assert len({str(sample) for sample in found}) == len(found)


def test_there_are_no_samples_of_a_version_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="no version '2020-01-01'"):
        list(samples("2020-01-01"))


async def test_every_sample_can_be_judged() -> None:
    async with harness(Words) as h:
        for sample in samples():
            context: Flow = sample.flow
            assert (await h.judge(sample.message, context)).allowed, str(sample)
