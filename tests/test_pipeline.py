"""transform, inspect, decide, enforce, observe: what each may do, when it runs, and what is recorded of it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import tidegate
from support.rig import Witness, entry, running_pipeline
from tidegate import Decision, Deny, Finding, Hold, Message, Note, Redact, Server, plugins, settings
from tidegate.pipeline import Pipeline
from tidegate.settings import SettingsError
from tidegate.testing import (
    assert_denied,
    assert_passes,
    assert_redacted,
    flow,
    notification,
    request,
    result_of,
    session,
)
from tidegate.values import NESTED_DEPTH

CALL = request("tools/call", {"name": "add", "arguments": {"a": "one", "b": "two"}})
A, B = "/params/arguments/a", "/params/arguments/b"


def replacing(pointer: str, value: Any, label: str = "t") -> Any:
    return lambda message, _flow: message.replace(pointer, value, label=label)


def steps(decision: Decision) -> list[tuple[str, str, str]]:
    return [(step.by, step.hook, step.outcome) for step in decision.steps]


@pytest.mark.parametrize(("error", "down"), [(ConnectionError("it is down"), True), (ValueError("it is wrong"), False)])
async def test_a_start_that_fails_tells_what_is_down_from_what_is_wrong(error: Exception, *, down: bool) -> None:
    def startup(_proxy: object) -> None:
        raise error

    with pytest.raises(SettingsError, match=f"interceptor 'i0' can't start: {error}") as failed:
        async with running_pipeline(entry(startup=startup)):
            pass
    assert failed.value.down is down


# -- the phases -----------------------------------------------------------------------------------------------


async def test_silence_passes() -> None:
    async with running_pipeline(entry(decide=lambda *_: None), entry(inspect=lambda *_: None)) as pipeline:
        decision = await pipeline.judge(CALL, flow(CALL))
    assert assert_passes(decision) is CALL
    assert steps(decision) == [("i1", "inspect", "pass"), ("i0", "decide", "pass")]


async def test_with_no_interceptor_everything_passes() -> None:
    async with running_pipeline() as pipeline:
        assert assert_passes(await pipeline.judge(CALL, flow(CALL))) is CALL


async def test_transforms_run_in_the_order_of_the_settings_and_each_sees_what_the_one_before_made() -> None:
    def appending(text: str) -> Any:
        return lambda message, _flow: message.replace(A, message.get(A) + text, label=text)

    async with running_pipeline(entry(transform=appending("x")), entry(transform=appending("y"))) as pipeline:
        message = assert_passes(await pipeline.judge(CALL, flow(CALL)))
    assert message.get(A) == "onexy"
    assert [edit.label for edit in message.edits] == ["x", "y"]


@pytest.mark.requirement("judged-is-sent")
@pytest.mark.parametrize("returns", [True, False])
async def test_a_transform_that_changes_its_message_in_place_is_broken(*, returns: bool) -> None:
    def meddle(message: Any, _flow: Any) -> Any:
        message.tree["params"]["arguments"]["a"] = "meddled"
        return message if returns else None

    call = request("tools/call", {"name": "add", "arguments": {"a": "one"}})
    async with running_pipeline(entry(transform=meddle)) as pipeline:
        assert_denied(await pipeline.judge(call, flow(call)), code="broken")


async def test_inspectors_and_deciders_see_the_message_as_it_goes_on() -> None:
    witness = Witness()
    seen: list[str] = []
    look = entry(inspect=lambda message, _flow: seen.append(message.get(A)))
    async with running_pipeline(look, witness.entry(), entry(transform=replacing(A, "new"))) as pipeline:
        await pipeline.judge(CALL, flow(CALL))
    assert seen == ["new"]
    assert witness.decided[0].get(A) == "new"


async def test_deciders_get_what_all_inspectors_found_and_no_inspector_sees_anothers() -> None:
    got: list[Any] = []
    found = [Finding("secret", "one", A), Finding("pii", "two", B)]
    async with running_pipeline(
        entry(decide=lambda _message, _flow, findings: got.append(findings)),
        entry(inspect=lambda *_: [found[0]]),
        entry(inspect=lambda *_: (item for item in found[1:])),
    ) as pipeline:
        decision = await pipeline.judge(CALL, flow(CALL))
    assert got == [tuple(found)]
    assert decision.findings == (("i1", found[0]), ("i2", found[1]))


async def test_hooks_may_be_asynchronous() -> None:
    async def decide(*_: Any) -> Deny:
        await asyncio.sleep(0)
        return Deny("No.")

    async def inspect(*_: Any) -> list[Finding]:
        await asyncio.sleep(0)
        return [Finding("secret", "one")]

    async with running_pipeline(entry(inspect=inspect), entry(decide=decide)) as pipeline:
        decision = await pipeline.judge(CALL, flow(CALL))
    assert_denied(decision)
    assert len(decision.findings) == 1


async def test_the_first_deny_stops_but_explaining_runs_all() -> None:
    ran: list[str] = []

    def decider(name: str, effect: Any) -> Any:
        def decide(*_: Any) -> Any:
            ran.append(name)
            return effect

        return entry(decide=decide)

    async with running_pipeline(decider("a", Deny("No.")), decider("b", Hold("Ask.")), decider("c", None)) as pipeline:
        decision = await pipeline.judge(CALL, flow(CALL))
        assert (ran, decision.verdict) == (["a"], "deny")
        ran.clear()
        explained = await pipeline.judge(CALL, flow(CALL), explain=True)
        assert (ran, explained.verdict) == (["a", "b", "c"], "deny")
        assert steps(explained) == [("i0", "decide", "deny"), ("i1", "decide", "hold"), ("i2", "decide", "pass")]


async def test_explaining_goes_on_after_a_broken_transform_and_shows_the_observers() -> None:
    def broken(*_: Any) -> Any:
        raise ValueError

    witness = Witness()
    async with running_pipeline(entry(transform=broken), witness.entry()) as pipeline:
        decision = await pipeline.judge(CALL, flow(CALL), explain=True)
    assert_denied(decision, code="broken")
    assert steps(decision) == [("i0", "transform", "error"), ("i1", "decide", "pass"), ("i1", "observe", "pass")]


async def test_redactions_are_carried_out_and_recorded() -> None:
    witness = Witness()
    async with running_pipeline(
        entry(decide=lambda *_: Redact(A, (0, 2), "x")),
        entry(decide=lambda *_: [Redact(B, label="y")]),
        witness.entry(),
    ) as pipeline:
        decision = await pipeline.judge(CALL, flow(CALL))
    message = assert_redacted(decision)
    assert (message.get(A), message.get(B)) == ("[redacted:x]e", "[redacted:y]")
    assert steps(decision)[-1] == ("tidegate", "enforce", "redact")
    assert witness.recorded[0].message is message


async def test_a_redaction_that_is_not_safe_denies() -> None:
    async with running_pipeline(entry(decide=lambda *_: Redact("/params/name"))) as pipeline:
        decision = await pipeline.judge(CALL, flow(CALL))
    assert_denied(decision, code="unredactable")
    assert steps(decision)[-1] == ("tidegate", "enforce", "deny")


@pytest.mark.parametrize("stronger", [Deny("No."), Hold("Ask.")])
async def test_what_is_stopped_is_not_redacted(stronger: Any) -> None:
    async with running_pipeline(entry(decide=lambda *_: [Redact(A), stronger])) as pipeline:
        decision = await pipeline.judge(CALL, flow(CALL))
    assert not decision.allowed
    assert decision.message is CALL


# -- report_only ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hooks",
    [
        {"transform": replacing(A, "new")},
        {"decide": lambda *_: Deny("No.")},
        {"decide": lambda *_: Hold("Ask.")},
        {"decide": lambda *_: Redact(A)},
        {"decide": lambda *_: Redact("/params/name")},
        {"decide": lambda *_: 1 / 0},
        {"transform": lambda *_: 1 / 0},
        {"inspect": lambda *_: 1 / 0},
        {"inspect": lambda *_: "wrong"},
    ],
    ids=range(9),
)
async def test_what_a_report_only_entry_says_is_noted_and_not_carried_out(hooks: dict[str, Any]) -> None:
    async with running_pipeline(entry({"report_only": True}, **hooks)) as pipeline:
        decision = await pipeline.judge(CALL, flow(CALL))
    assert assert_passes(decision) is CALL
    assert decision.effects == ()
    assert decision.steps[0].report_only
    assert decision.steps[0].outcome != "pass"
    if "transform" not in hooks or decision.steps[0].outcome == "error":
        assert len(decision.reported) == 1


async def test_a_note_stops_nothing_is_recorded_and_labels_the_conversation_when_the_message_goes_on() -> None:
    note, about = Note("revision 7", ("seen",)), flow(CALL, session=session())
    async with running_pipeline(entry(decide=lambda *_: note)) as pipeline:
        decision = await pipeline.judge(CALL, about)
    assert assert_passes(decision) is CALL
    assert decision.effects == ()
    assert decision.notes == (("i0", note),)
    assert steps(decision) == [("i0", "decide", "pass")]
    assert about.session is not None
    assert list(about.session.labels) == ["seen"]


async def test_a_note_beside_a_deny_is_recorded_and_labels_nothing() -> None:
    about = flow(CALL, session=session())
    async with running_pipeline(entry(decide=lambda *_: [Note("seven", ("seen",)), Deny("No.")])) as pipeline:
        decision = await pipeline.judge(CALL, about)
    assert_denied(decision)
    assert [note.text for _, note in decision.notes] == ["seven"]
    assert about.session is not None
    assert about.session.labels == {}


async def test_a_note_of_a_report_only_entry_is_recorded_and_labels_nothing() -> None:
    about = flow(CALL, session=session())
    async with running_pipeline(entry({"report_only": True}, decide=lambda *_: Note("r", ("seen",)))) as pipeline:
        decision = await pipeline.judge(CALL, about)
    assert [note.text for _, note in decision.notes] == ["r"]
    assert decision.reported == ()
    assert about.session is not None
    assert about.session.labels == {}


@pytest.mark.parametrize(
    ("message", "labelled"),
    [
        (CALL, False),
        (result_of(CALL, {"content": []}), True),
        (result_of(request("vendor/read"), {"x": 1}), True),
        (request("sampling/createMessage", {"messages": []}), True),
        (notification("notifications/message", {"level": "info", "data": "x"}), True),
        (notification("notifications/tools/list_changed"), False),
        (result_of(request("tools/list"), {"tools": []}), False),
        (result_of(request("ping"), {}), False),
    ],
    ids=lambda part: getattr(part, "method", None),
)
async def test_what_a_labelled_server_tells_labels_the_conversation(message: Message, *, labelled: bool) -> None:
    about = flow(message, server=Server("vault", labels=("private",)), session=session(), request=CALL)
    async with running_pipeline() as pipeline:
        assert_passes(await pipeline.judge(message, about))
    assert about.session is not None
    assert list(about.session.labels) == (["private"] if labelled else [])


async def test_findings_of_a_report_only_entry_are_recorded_but_decide_nothing_and_label_nothing() -> None:
    got: list[Any] = []
    found = Finding("secret", "one", labels=("tainted",))
    about = flow(CALL, session=session())
    async with running_pipeline(
        entry({"report_only": True}, inspect=lambda *_: [found]),
        entry(decide=lambda _m, _f, findings: got.extend(findings)),
    ) as pipeline:
        decision = await pipeline.judge(CALL, about)
    assert decision.findings == (("i0", found),)
    assert got == []
    assert about.session is not None
    assert about.session.labels == {}


async def test_a_report_only_observer_that_is_required_denies_nothing() -> None:
    async with running_pipeline(entry({"report_only": True, "required": True}, observe=lambda *_: 1 / 0)) as pipeline:
        assert_passes(await pipeline.judge(CALL, flow(CALL)))


# -- when -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "hit"),
    [
        ({}, True),
        ({"servers": ["server"]}, True),
        ({"servers": ["s*r"]}, True),
        ({"servers": ["other*", "serve?"]}, True),
        ({"servers": ["other*"]}, False),
        ({"methods": ["tools/*"]}, True),
        ({"methods": ["Tools/call"]}, False),
        ({"methods": ["tools/list"]}, False),
        ({"targets": ["ad*"]}, True),
        ({"targets": ["a"]}, False),
        ({"targets": ["[ab]dd"]}, True),
        ({"servers": ["server"], "methods": ["tools/call"], "targets": ["add"]}, True),
        ({"servers": ["server"], "methods": ["tools/call"], "targets": ["sub"]}, False),
    ],
    ids=str,
)
async def test_an_entry_runs_for_the_messages_of_its_when_only(when: dict[str, Any], hit: bool) -> None:  # noqa: FBT001 - pytest's
    ran: list[str] = []
    hooks = {name: (lambda *_, name=name: ran.append(name)) for name in ("transform", "inspect", "decide", "observe")}
    async with running_pipeline(entry({"when": when}, **hooks)) as pipeline:
        await pipeline.judge(CALL, flow(CALL))
    assert ran == (list(hooks) if hit else [])


async def test_when_counts_a_reply_to_its_request() -> None:
    reply = result_of(CALL, {"content": []})
    denier = entry({"when": {"methods": ["tools/call"], "targets": ["add"]}}, decide=lambda *_: Deny("No."))
    async with running_pipeline(denier) as pipeline:
        assert_denied(await pipeline.judge(reply, flow(reply, request=CALL)))


async def test_when_covers_any_of_several_targets() -> None:
    listen = request("subscriptions/listen", {"notifications": {"resourceSubscriptions": ["a:b", "c:d"]}})
    async with running_pipeline(entry({"when": {"targets": ["c:*"]}}, decide=lambda *_: Deny("No."))) as pipeline:
        assert_denied(await pipeline.judge(listen, flow(listen)))


@pytest.mark.parametrize("params", [{"name": ["add"]}, {"name": None}, {}, {"name": {"name": "add"}}])
@pytest.mark.requirement("no-blind-spot")
async def test_a_target_that_cant_be_read_does_not_escape_an_entry_for_targets(params: dict[str, Any]) -> None:
    """A lenient server may find there what no glob was held against."""
    message = request("tools/call", params)
    async with running_pipeline(entry({"when": {"targets": ["add"]}}, decide=lambda *_: Deny("No."))) as pipeline:
        assert_denied(await pipeline.judge(message, flow(message)))


async def test_any_number_of_methods_can_be_named_by_a_peer() -> None:
    async with running_pipeline(entry({"when": {"methods": ["x/7*"]}}, decide=lambda *_: Deny("No."))) as pipeline:
        for number in range(3000):
            message = notification(f"x/{number}", sender="client")
            assert (await pipeline.judge(message, flow(message))).allowed == (not str(number).startswith("7"))
        assert len(pipeline._plans) <= 1024


@pytest.mark.requirement("no-blind-spot")
@pytest.mark.parametrize("phase", ["inspect", "decide", "transform"])
async def test_a_message_that_nests_json_texts_too_deep_to_be_read_is_denied_as_over_a_limit(phase: str) -> None:
    text = "x"
    for _ in range(NESTED_DEPTH + 1):
        text = json.dumps([text])
    deep = request("tools/call", {"name": "add", "arguments": {"a": text}})

    def reading(message: Any, *_: Any) -> None:
        for _leaf in message.strings():
            pass

    async with running_pipeline(entry(**{phase: reading})) as pipeline:
        assert_denied(await pipeline.judge(deep, flow(deep)), code="limit", rule="i0")
        assert_passes(await pipeline.judge(CALL, flow(CALL)))


async def test_a_hook_is_called_for_the_kinds_of_messages_it_is_marked_with_only() -> None:
    seen = []

    class Choosy:
        @tidegate.hook(kinds=("result", "error"))
        def transform(self, message: Message) -> None:
            seen.append(("transform", message.kind))

        @tidegate.hook(kinds=("request",))
        def decide(self, message: Message) -> None:
            seen.append(("decide", message.kind))

    built = settings.build(
        {"servers": {"server": {"command": ["true"]}}, "interceptors": [{"use": "choosy"}]}, folder=Path("/nonexistent")
    )
    pipeline = Pipeline(plugins.load(built, {"choosy": Choosy}))
    for message in (CALL, notification("notifications/initialized"), result_of(CALL, {})):
        await pipeline.judge(message, flow(message, request=CALL if message.is_reply else None))
    assert seen == [("decide", "request"), ("transform", "result")]
