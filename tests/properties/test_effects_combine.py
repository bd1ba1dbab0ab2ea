"""The laws deny-wins and order-free, for any interceptors at all."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.rig import Entry, entry, running_pipeline
from tidegate import Decision, Deny, Finding, Hold, Message, Redact
from tidegate.testing import flow, request

CALL = request(
    "tools/call",
    {"name": "add", "arguments": {"a": "0123456789", "b": '{"x":"yyyy","n":1}', "c": ["e", 5]}},
    extra={"x": "y"},
)
POINTERS = [leaf.pointer for leaf in CALL.strings()] + ["", "/nothing", "/params/arguments/c/1"]
STRENGTH = {"allow": 0, "redact": 1, "hold": 2, "deny": 3}

spans = st.one_of(st.none(), st.tuples(st.integers(-1, 5), st.integers(0, 12)))
effects = st.one_of(
    st.builds(Deny, st.sampled_from(["no", "never"])),
    st.builds(Hold, st.just("ask")),
    st.builds(Redact, st.sampled_from(POINTERS), spans, st.sampled_from(["x", "y"])),
)
findings = st.builds(Finding, st.sampled_from(["secret", "pii"]), st.just("rule"), st.sampled_from(POINTERS))


class Odd(BaseException):
    """What nobody expects."""


def deciding(given_: list[Any], how: str) -> Any:
    """Return a decider that gives effects in one of the ways there are, or breaks."""

    def plain(*_: Any) -> Any:
        return list(given_)

    def alone(*_: Any) -> Any:
        return given_[0] if given_ else None

    def generated(*_: Any) -> Any:
        yield from given_

    async def later(*_: Any) -> Any:
        return tuple(given_)

    def broken(*_: Any) -> Any:
        raise Odd

    def wrong(*_: Any) -> Any:
        return given_ or "wrong"

    return {"plain": plain, "alone": alone, "generated": generated, "later": later, "broken": broken, "wrong": wrong}[
        how
    ]


def by_findings(_message: Message, _flow: Any, found: Any) -> Any:
    """A decider that goes by what the inspectors found, whoever they are."""
    kinds = {finding.kind for finding in found}
    if kinds == {"secret", "pii"}:
        return Deny("both")
    return [Redact(finding.pointer, label=finding.kind) for finding in found]


ways = st.sampled_from(["plain", "alone", "generated", "later", "plain", "generated", "broken", "wrong"])
deciders = st.builds(lambda given_, how: entry(decide=deciding(given_, how)), st.lists(effects, max_size=3), ways)
inspectors = st.builds(lambda found: entry(inspect=lambda *_: found), st.lists(findings, max_size=2))
judges = st.one_of(deciders, inspectors, st.just(entry(decide=by_findings)))


async def judged(entries: list[Entry], message: Message = CALL, *, explain: bool = False) -> Decision:
    async with running_pipeline(*entries) as pipeline:
        return await pipeline.judge(message, flow(message), explain=explain)


@given(st.lists(judges, max_size=5), st.data())
@settings(max_examples=150)
@pytest.mark.requirement("deny-wins")
async def test_adding_an_interceptor_never_lets_more_through(entries: list[Entry], source: st.DataObject) -> None:
    before = await judged(entries)
    more = list(entries)
    more.insert(source.draw(st.integers(0, len(entries))), source.draw(deciders))
    after = await judged(more)
    assert STRENGTH[after.verdict] >= STRENGTH[before.verdict]
    if before.verdict == "deny":
        assert not after.allowed


@given(st.lists(judges, max_size=5), st.integers(0, 3))
@pytest.mark.requirement("deny-wins")
async def test_a_deny_is_a_deny_whatever_else_is_said(entries: list[Entry], place: int) -> None:
    entries = [*entries[:place], entry(decide=lambda *_: Deny("No.")), *entries[place:]]
    decision = await judged(entries)
    assert decision.verdict == "deny"
    assert decision.stopper is not None
    assert isinstance(decision.stopper[1], Deny)


@given(st.lists(judges, max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=150)
@pytest.mark.requirement("order-free")
async def test_the_order_of_inspectors_and_deciders_does_not_matter(
    entries: list[Entry], shuffle: random.Random
) -> None:
    one = await judged(entries)
    shuffled = list(entries)
    shuffle.shuffle(shuffled)
    other = await judged(shuffled)
    assert other.verdict == one.verdict
    assert (other.message is None) == (one.message is None)
    if one.allowed and one.message is not None and other.message is not None:
        assert other.message.encoded == one.message.encoded


@given(st.lists(judges, max_size=5))
async def test_explaining_gives_the_same_verdict(entries: list[Entry]) -> None:
    assert (await judged(entries)).verdict == (await judged(entries, explain=True)).verdict


@given(st.lists(st.tuples(judges, st.booleans()), max_size=5))
async def test_report_only_entries_are_as_good_as_none(entries: list[tuple[Entry, bool]]) -> None:
    marked = [
        (hooks, {**settings_, "report_only": True}) if quiet else (hooks, settings_)
        for (hooks, settings_), quiet in entries
    ]
    without = [each for each, quiet in entries if not quiet]
    one, other = await judged(marked), await judged(without)
    assert one.verdict == other.verdict
    assert one.message is not None
    assert other.message is not None
    assert one.message.encoded == other.message.encoded


@given(st.lists(judges, max_size=4), st.integers(0, 4))
@pytest.mark.requirement("no-audit-no-traffic")
async def test_nothing_goes_on_where_a_required_observer_fails(entries: list[Entry], place: int) -> None:
    def observe(*_: Any) -> None:
        raise Odd

    broken = entry({"required": True}, observe=observe)
    decision = await judged([*entries[:place], broken, *entries[place:]])
    assert decision.verdict == "deny"


@given(st.lists(judges, max_size=4), st.lists(st.sampled_from(POINTERS), max_size=3))
@pytest.mark.requirement("judged-is-sent")
async def test_what_may_be_sent_is_what_was_judged_but_for_the_redactions(
    entries: list[Entry], places: list[str]
) -> None:
    """Whatever transforms do, the deciders' message and the one that goes on differ where a marker stands only."""
    seen: list[Message] = []

    def transform(message: Message, _flow: Any) -> Message | None:
        for pointer in places:
            if pointer.startswith("/params/arguments/"):
                message = message.replace(
                    "/params/arguments/a", message.get("/params/arguments/a") + pointer, label="t"
                )
        return message

    witness = entry(decide=lambda message, *_: seen.append(message))
    decision = await judged([entry(transform=transform), witness, *entries], explain=True)
    if not decision.allowed:
        return
    assert decision.message is not None
    (judged_one,) = seen
    if decision.verdict == "allow":
        assert decision.message is judged_one
    redacted = {edit.pointer for edit in decision.message.edits[len(judged_one.edits) :]}
    for pointer in redacted:
        assert "[redacted:" in decision.message.get(pointer)
    for leaf in judged_one.strings():
        if (
            not any(f"{leaf.pointer}/".startswith(f"{pointer.split('/~2')[0]}/") for pointer in redacted)
            and not leaf.is_key
        ):
            assert decision.message.get(leaf.pointer) == leaf.value
