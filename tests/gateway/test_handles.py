"""Handles of held requests: worth something to one principal, in one profile, for one request, once, for a while."""

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from support import strategies
from tidegate.gateway import handles
from tidegate.gateway.handles import Handles, Held, Refusal, digest_of, is_own
from tidegate.testing import request
from tidegate.wire import Rejected

KEY = bytes(range(32))
DIGEST = digest_of(request("tools/call", {"name": "add", "arguments": {"a": 1}}))
OTHER = digest_of(request("tools/call", {"name": "add", "arguments": {"a": 2}}))
MINE = ("ann", "work", DIGEST)


@dataclass
class Now:
    """A clock that is set."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_a_handle_is_worth_something_to_whom_it_was_given() -> None:
    made = Handles(KEY, 60, Now())
    state = made.new(*MINE)
    token = made.check(state, *MINE)
    assert type(token) is str
    assert len(token) == 32
    assert is_own(state)
    assert state.isascii()
    assert made.new(*MINE) != state


@pytest.mark.parametrize(
    ("given_by", "why"),
    [
        (("bob", "work", DIGEST), Refusal.PRINCIPAL),
        (("ann", "home", DIGEST), Refusal.PROFILE),
        (("ann", "work", OTHER), Refusal.REQUEST),
        (("annwork", "", DIGEST), Refusal.PRINCIPAL),
    ],
)
def test_a_handle_is_worth_nothing_to_others(given_by: tuple[str, str, bytes], why: Refusal) -> None:
    made = Handles(KEY, 60, Now())
    assert made.check(made.new(*MINE), *given_by) is why


def test_a_handle_expires() -> None:
    now = Now()
    made = Handles(KEY, 60, now)
    state = made.new(*MINE)
    now.seconds += 59.9
    assert not isinstance(made.check(state, *MINE), Refusal)
    now.seconds += 0.1
    assert made.check(state, *MINE) is Refusal.EXPIRED


def test_a_handle_of_another_key_is_forged() -> None:
    now = Now()
    assert Handles(KEY, 60, now).check(Handles(KEY[::-1], 60, now).new(*MINE), *MINE) is Refusal.FORGED


@given(st.one_of(strategies.values, st.text().map(lambda text: handles.PREFIX + text)))
def test_what_was_not_given_out_is_forged(state: Any) -> None:
    assert Handles(KEY, 60, Now()).check(state, *MINE) is Refusal.FORGED


@given(st.data())
def test_a_changed_handle_is_forged(data: st.DataObject) -> None:
    made = Handles(KEY, 60, Now())
    state = made.new(*MINE)
    at = data.draw(st.integers(0, len(state) - 1))
    put = data.draw(st.one_of(st.characters(), st.sampled_from("AQgw-_=. \n")))
    changed = data.draw(st.sampled_from([state[:at] + put + state[at + 1 :], state[:at], state + put, put + state]))
    if changed != state:
        assert made.check(changed, *MINE) is Refusal.FORGED


@given(strategies.params, strategies.objects, st.randoms(use_true_random=False))
def test_a_retry_has_the_digest_of_its_request_and_no_other_has(
    params: dict[str, Any], meta: dict[str, Any], by: Any
) -> None:
    shuffled = list(params.items())
    by.shuffle(shuffled)
    first = digest_of(request("prompts/get", {**params, "_meta": meta}, id=1))
    retry = {**dict(shuffled), "_meta": {"progressToken": 2}, "inputResponses": {}, "requestState": "s"}
    assert digest_of(request("prompts/get", retry, id="2")) == first
    assert digest_of(request("tools/call", params)) != first
    assert digest_of(request("prompts/get", {**params, "uri": "a:b"})) != first
    assert digest_of(request("prompts/get")) == digest_of(request("prompts/get", {}))


def test_what_is_held_is_taken_once() -> None:
    held = Held[str](Handles(KEY, 60, Now()))
    state = held.put("call", *MINE)
    assert held.take(state, "bob", "work", DIGEST) is Refusal.PRINCIPAL
    assert held.take(state, *MINE) == "call"
    assert held.take(state, *MINE) is Refusal.GONE
    assert len(held) == 0


def test_a_principal_can_have_only_so_much_held_and_no_other_is_hindered() -> None:
    held = Held[int](Handles(KEY, 60, Now()), most=2)
    held.put(1, *MINE)
    held.put(2, *MINE)
    with pytest.raises(Rejected) as caught:
        held.put(3, "ann", "home", OTHER)
    assert caught.value.code == "limit"
    held.put(4, "bob", "work", DIGEST)
    held.drop(1)
    held.put(5, *MINE)


def test_what_nobody_comes_back_for_is_given_back_to_its_keeper() -> None:
    now = Now()
    held = Held[str](Handles(KEY, 60, now))
    first = held.put("first", *MINE)
    now.seconds += 30
    second = held.put("second", *MINE)
    assert held.expired() == []
    now.seconds += 30
    assert held.take(first, *MINE) is Refusal.EXPIRED
    assert held.expired() == ["first"]
    assert held.take(second, *MINE) == "second"
    now.seconds += 60
    assert held.expired() == []


def test_reasons_are_sentences_that_say_nothing_of_the_handle() -> None:
    for why in Refusal:
        assert why.value.endswith(".")
        assert "ann" not in why.value


class Holding(RuleBasedStateMachine):
    """Against a model: nothing is taken twice, by another, or after its time."""

    states = Bundle("states")

    def __init__(self) -> None:
        super().__init__()
        self.now = Now()
        self.held = Held[int](Handles(KEY, 60, self.now), most=3)
        self.model: dict[int, tuple[str, str, bytes, float]] = {}
        self.last = 0

    who = st.sampled_from(["ann", "bob"])
    where = st.sampled_from(["work", "home"])
    what = st.sampled_from([DIGEST, OTHER])

    @rule(target=states, who=who, where=where, what=what)
    def put(self, who: str, where: str, what: bytes) -> tuple[str, int]:
        self.last += 1
        if sum(entry[0] == who for entry in self.model.values()) >= 3:
            with pytest.raises(Rejected):
                self.held.put(self.last, who, where, what)
            return "none", 0
        state = self.held.put(self.last, who, where, what)
        self.model[self.last] = (who, where, what, self.now.seconds + 60)
        return state, self.last

    @rule(state=states, who=who, where=where, what=what)
    def take(self, state: tuple[str, int], who: str, where: str, what: bytes) -> None:
        entry = self.model.get(state[1])
        got = self.held.take(state[0], who, where, what)
        if entry is not None and entry[:3] == (who, where, what) and self.now.seconds < entry[3]:
            assert got == state[1]
            del self.model[state[1]]
        else:
            assert isinstance(got, Refusal)

    @rule(state=consumes(states))
    def drop(self, state: tuple[str, int]) -> None:
        self.held.drop(state[1])
        self.model.pop(state[1], None)

    @rule(seconds=st.integers(1, 50))
    def pass_time(self, seconds: int) -> None:
        self.now.seconds += seconds

    @rule()
    def expire(self) -> None:
        gone = self.held.expired()
        assert gone == [thing for thing, entry in self.model.items() if entry[3] <= self.now.seconds]
        for thing in gone:
            del self.model[thing]

    @invariant()
    def as_many_are_held(self) -> None:
        assert len(self.held) == len(self.model)


TestHolding = Holding.TestCase
