"""What the pipeline does around the verdict: records, frozen messages, memory, and starting and stopping."""

from typing import Any

import pytest

from support.rig import Witness, entry, loaded, running_pipeline
from tidegate import Decision, Deny, Finding, Flow, Message, Proxy, Redact, values
from tidegate.settings import SettingsError
from tidegate.testing import assert_denied, assert_passes, flow, request, result_of, session
from tidegate.verdict import Deny as DenyEffect

CALL = request("tools/call", {"name": "add", "arguments": {"a": "one", "b": "two"}})
B = "/params/arguments/b"


# -- observers ----------------------------------------------------------------------------------------------------


@pytest.mark.requirement("no-audit-no-traffic")
@pytest.mark.parametrize("before", [True, False])
async def test_a_required_observer_that_fails_denies_and_the_others_are_told(before: bool) -> None:  # noqa: FBT001 - pytest's
    witness = Witness()
    failing = entry({"required": True}, observe=lambda *_: 1 / 0)
    others = [failing, witness.entry()] if before else [witness.entry(), failing]
    async with running_pipeline(*others) as pipeline:
        decision = await pipeline.judge(CALL, flow(CALL))
    assert_denied(decision, code="unrecorded")
    assert [record.verdict for record in witness.recorded] == ["allow", "deny"]
    assert witness.recorded[0].id == witness.recorded[1].id == decision.id


@pytest.mark.requirement("no-audit-no-traffic")
async def test_what_is_put_together_of_judged_parts_is_recorded_as_it_is_and_not_judged_again() -> None:
    witness = Witness()
    listed = result_of(request("tools/list"), {"tools": []})
    async with running_pipeline(entry(decide=lambda *_: Deny("No.")), witness.entry()) as pipeline:
        decision = await pipeline.composed(listed, flow(listed))
        assert decision.allowed
        assert witness.decided == []
        assert witness.verdicts() == [("result", "tools/list", "allow")]
        assert witness.recorded[0].message is listed
    async with running_pipeline(entry({"required": True}, observe=lambda *_: 1 / 0), witness.entry()) as pipeline:
        assert_denied(await pipeline.composed(listed, flow(listed)), code="unrecorded")
    assert witness.verdicts()[1:] == [("result", "tools/list", "allow"), ("result", "tools/list", "deny")]


async def test_another_observer_that_fails_denies_nothing() -> None:
    async with running_pipeline(entry(observe=lambda *_: 1 / 0), entry(observe=lambda *_: "wrong")) as pipeline:
        assert_passes(await pipeline.judge(CALL, flow(CALL)))


async def test_what_is_denied_anyway_is_observed_too() -> None:
    witness = Witness()
    async with running_pipeline(entry(decide=lambda *_: Deny("No.")), witness.entry()) as pipeline:
        await pipeline.judge(CALL, flow(CALL))
    assert witness.verdicts() == [("request", "tools/call", "deny")]


@pytest.mark.requirement("no-audit-no-traffic")
async def test_events_without_a_message_are_observed_and_need_their_record_too() -> None:
    witness = Witness()
    async with running_pipeline(witness.entry()) as pipeline:
        refused = await pipeline.note("rejected", flow(), DenyEffect("Too long.", "limit"), size=5)
        assert not refused.allowed
        started = await pipeline.note("instance", flow(), note="started")
        assert started.allowed
    assert [(record.event, record.verdict, record.note, record.size) for record in witness.recorded] == [
        ("rejected", "deny", "Too long.", 5),
        ("instance", "allow", "started", 0),
    ]
    async with running_pipeline(entry({"required": True}, observe=lambda *_: 1 / 0)) as pipeline:
        assert not (await pipeline.note("instance", flow(), note="started")).allowed


# -- frozen -----------------------------------------------------------------------------------------------------


def tampering(message: Message, *_: Any) -> None:
    """Try to change a message by all that it hands out; every attempt fails, and none is meant to be seen."""
    for attempt in (
        lambda: message.body.__setitem__("name", "evil"),
        lambda: message.body["arguments"].update(a="evil"),
        message.get("/params")["arguments"].clear,
        lambda: message.extra.update(x=1),
        lambda: setattr(message, "method", "evil"),
    ):
        try:
            attempt()
        except (TypeError, AttributeError):
            continue
        raise AssertionError("it could be changed")


@pytest.mark.requirement("judged-is-sent")
@pytest.mark.parametrize("hook", ["transform", "inspect", "decide"])
async def test_an_interceptor_cant_change_a_message_but_by_replacing_it(hook: str) -> None:
    before = CALL.encoded
    async with running_pipeline(entry(**{hook: tampering})) as pipeline:
        message = assert_passes(await pipeline.judge(CALL, flow(CALL)))
    assert message.encoded == before == values.encode(CALL.tree)


@pytest.mark.requirement("judged-is-sent")
async def test_an_observer_cant_change_what_is_sent() -> None:
    def observe(decision: Decision, _flow: Flow) -> None:
        assert decision.message is not None
        decision.message.tree["params"]["arguments"]["a"] = "evil"  # not public, but within reach

    async with running_pipeline(entry(decide=lambda *_: Redact(B)), entry(observe=observe)) as pipeline:
        decision = await pipeline.judge(
            request("tools/call", {"name": "n", "arguments": {"a": "one", "b": "two"}}), flow()
        )
    assert decision.message is not None
    assert b"evil" not in decision.message.encoded


# -- memory -----------------------------------------------------------------------------------------------------


async def test_what_goes_on_is_remembered_and_what_is_stopped_is_not() -> None:
    memory = session()
    found = entry(inspect=lambda *_: [Finding("secret", "one", labels=("tainted",))])
    denier = entry({"when": {"targets": ["forbidden"]}}, decide=lambda *_: Deny("No."))
    async with running_pipeline(found, denier) as pipeline:
        forbidden = request("tools/call", {"name": "forbidden"})
        await pipeline.judge(forbidden, flow(forbidden, session=memory))
        assert (memory.labels, list(memory.calls)) == ({}, [])
        await pipeline.judge(CALL, flow(CALL, session=memory))
        await pipeline.judge(result_of(CALL, {}), flow(CALL, session=memory, request=CALL))
    assert list(memory.labels) == ["tainted"]
    assert [(call.server, call.method, call.target) for call in memory.calls] == [("server", "tools/call", "add")]
    assert memory.counts == {"server/add": 1}


async def test_a_message_whose_record_fails_is_not_remembered() -> None:
    memory = session()
    async with running_pipeline(entry({"required": True}, observe=lambda *_: 1 / 0)) as pipeline:
        await pipeline.judge(CALL, flow(CALL, session=memory))
    assert list(memory.calls) == []


# -- start and stop -----------------------------------------------------------------------------------------------


def logging_into(log: list[str], name: str, *, fails: bool = False) -> Any:
    def startup(proxy: Proxy) -> None:
        log.append(f"+{name}")
        if fails:
            raise ValueError("the thing is missing")
        assert proxy.entry.startswith("i")

    return entry(startup=startup, shutdown=lambda: log.append(f"-{name}"))


async def test_interceptors_start_in_order_and_stop_in_reverse() -> None:
    log: list[str] = []
    async with running_pipeline(*(logging_into(log, name) for name in "abc")):
        assert log == ["+a", "+b", "+c"]
    assert log == ["+a", "+b", "+c", "-c", "-b", "-a"]


@pytest.mark.requirement("explicit-only")
async def test_an_interceptor_that_cant_start_stops_those_before_it_and_says_why() -> None:
    log: list[str] = []
    built, pipeline = loaded([logging_into(log, "a"), logging_into(log, "b", fails=True), logging_into(log, "c")])
    with pytest.raises(SettingsError, match="interceptor 'i1' can't start: the thing is missing"):
        await pipeline.start(built)
    assert log == ["+a", "+b", "-a"]


async def test_a_failed_start_leaves_what_ran_before_running() -> None:
    """A reload keeps interceptors that didn't change; that a new one can't start must not end them."""
    log: list[str] = []
    built, old = loaded([logging_into(log, "a")])
    await old.start(built)
    _, new = loaded([logging_into(log, "b"), logging_into(log, "c", fails=True)])
    new.interceptors.insert(0, old.interceptors[0])
    with pytest.raises(SettingsError):
        await new.start(built)
    assert log == ["+a", "+b", "+c", "-b"]
    assert old.interceptors[0].started
    await old.stop()


async def test_an_interceptor_that_cant_stop_does_not_keep_the_others_from_it() -> None:
    log: list[str] = []
    broken = entry(startup=lambda _proxy: None, shutdown=lambda: 1 / 0)
    async with running_pipeline(logging_into(log, "a"), broken, logging_into(log, "b")):
        pass
    assert log == ["+a", "+b", "-b", "-a"]
