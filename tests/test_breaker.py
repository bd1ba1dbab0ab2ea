"""When something that failed may be tried again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.breaker import Breaker, Open, Pauses

PAUSES = Pauses(first=1.0, longest=8.0, opens=3, probe=5.0)


def test_pauses_grow_with_each_failure_and_differ_by_a_quarter_at_most() -> None:
    breaker = Breaker(Pauses(first=1.0, longest=8.0, opens=100))
    for wanted in (1, 2, 4, 8, 8, 8):
        breaker.failed(0.0)
        assert 0.75 * wanted <= breaker.admit(0.0) <= 1.25 * wanted
        assert breaker.pause(0.0) == breaker.admit(0.0)


def test_pauses_are_not_all_of_the_same_length() -> None:
    breakers = [Breaker(PAUSES) for _ in range(20)]
    for breaker in breakers:
        breaker.failed(0.0)
    assert len({breaker.admit(0.0) for breaker in breakers}) > 1


def test_after_some_failures_it_is_open_and_says_when_the_next_try_is() -> None:
    breaker = Breaker(PAUSES)
    for _ in range(3):
        breaker.admit(0.0)
        breaker.failed(0.0)
    assert breaker.is_open
    with pytest.raises(Open, match=r"tried again in [345] seconds") as refused:
        breaker.admit(0.0)
    assert 3 <= refused.value.seconds <= 5
    with pytest.raises(Open, match=r"in 1 second\."):
        breaker.admit(breaker.pause(0.0) - 0.5)


def test_when_the_pause_is_over_one_tries_and_the_others_wait_for_what_becomes_of_it() -> None:
    breaker = Breaker(PAUSES)
    for _ in range(3):
        breaker.failed(0.0)
    assert breaker.admit(10.0) == 0.0
    with pytest.raises(Open, match="being tried again now"):
        breaker.admit(11.0)
    breaker.succeeded()
    assert not breaker.is_open
    assert breaker.admit(11.0) == 0.0
    assert breaker.failures == 0


def test_what_failed_together_opens_it_at_once_and_for_no_longer_than_one_failure() -> None:
    breaker = Breaker(PAUSES)
    for _ in range(50):
        assert breaker.admit(1.0) == 0.0
    for number in range(50):
        breaker.failed(2.0 + number / 100, 1.0)
    assert breaker.is_open
    assert breaker.pause(2.0) <= 1.25
    assert breaker.admit(4.0) == 0.0
    breaker.failed(5.0, 4.0)
    assert 1.5 <= breaker.pause(5.0) <= 2.5


def test_a_try_that_fails_opens_it_for_longer() -> None:
    breaker = Breaker(PAUSES)
    for _ in range(3):
        breaker.failed(0.0)
    breaker.admit(10.0)
    breaker.failed(10.0)
    assert 6.0 <= breaker.pause(10.0) <= 10.0


@pytest.mark.parametrize("how", ["withdrawn", "silent"])
def test_a_try_that_shows_nothing_makes_room_for_another(how: str) -> None:
    breaker = Breaker(PAUSES)
    for _ in range(3):
        breaker.failed(0.0)
    breaker.admit(10.0)
    if how == "withdrawn":
        breaker.withdrawn()
    assert breaker.admit(10.0 if how == "withdrawn" else 15.0) == 0.0


@given(st.lists(st.tuples(st.sampled_from(["fail", "well", "try"]), st.floats(0, 20))))
def test_no_pause_is_ever_longer_than_the_longest_and_somebody_always_gets_to_try(
    steps: list[tuple[str, float]],
) -> None:
    breaker, now = Breaker(PAUSES), 0.0
    for step, later in steps:
        now += later
        if step == "fail":
            breaker.failed(now)
        elif step == "well":
            breaker.succeeded()
        elif not breaker.pause(now):
            breaker.admit(now)
        assert breaker.pause(now) <= 8.0 * 1.25
    breaker.admit(now + breaker.pause(now) + 0.001)
