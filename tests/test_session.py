"""The memory of a conversation: bounded in every direction, forgotten after a time, on a clock of its own."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tidegate.session import MAX_CALLS, MAX_COUNTS, MAX_LABELS, Call, MemoryStore, Session
from tidegate.testing import Clock, session

few = st.text("abc", max_size=2)


def test_a_conversation_knows_its_age() -> None:
    clock = Clock(100.0)
    made = session(clock)
    clock.advance(2.5)
    assert (made.born, made.age) == (100.0, 2.5)


def test_a_label_keeps_the_time_it_was_first_put_on() -> None:
    clock = Clock()
    made = session(clock)
    made.label(["seen"])
    clock.advance(5)
    made.label(["seen", "later"])
    assert made.labels == {"seen": 0.0, "later": 5.0}


def test_labels_beyond_the_bound_become_one_that_says_so_and_known_ones_stay() -> None:
    made = session()
    names = [f"l{number}" for number in range(MAX_LABELS)]
    made.label(names)
    made.label(["one", "more"])
    assert list(made.labels) == [*names, "overflow"]
    made.label(names)
    assert len(made.labels) == MAX_LABELS + 1


def test_calls_are_remembered_with_their_time_and_labels_and_counted_by_server_and_target() -> None:
    clock = Clock()
    made = session(clock)
    made.called("files", "tools/call", "read", ("external",))
    clock.advance(1)
    made.called("files", "tools/call", "read", ())
    made.called("mail", "tools/call", "read", ())
    assert made.calls[0] == Call("files", "tools/call", "read", 0.0, ("external",))
    assert [call.at for call in made.calls] == [0.0, 1.0, 1.0]
    assert made.counts == {"files/read": 2, "mail/read": 1}


def test_the_oldest_calls_are_forgotten_and_their_counts_are_not() -> None:
    made = session()
    for number in range(MAX_CALLS + 5):
        made.called("server", "tools/call", "odd" if number < 5 else "even", ())
    assert len(made.calls) == MAX_CALLS
    assert {call.target for call in made.calls} == {"even"}
    assert made.counts == {"server/odd": 5, "server/even": MAX_CALLS}


def test_targets_beyond_the_bound_are_counted_together_and_known_ones_go_on() -> None:
    made = session()
    for number in range(MAX_COUNTS + 3):
        made.called("server", "tools/call", str(number), ())
    made.called("server", "tools/call", "0", ())
    assert (made.counts["overflow"], made.counts["server/0"]) == (3, 2)
    assert len(made.counts) == MAX_COUNTS + 1
    assert sum(made.counts.values()) == MAX_COUNTS + 4


@given(st.lists(st.one_of(few, st.tuples(few, few)), max_size=60))
def test_nothing_that_happens_is_lost_within_the_bounds(happened: list[str | tuple[str, str]]) -> None:
    made = session()
    for item in happened:
        if isinstance(item, str):
            made.label([item])
        else:
            made.called(item[0], "tools/call", item[1], ())
    calls = [item for item in happened if isinstance(item, tuple)]
    assert set(made.labels) == {item for item in happened if isinstance(item, str)}
    assert [(call.server, call.target) for call in made.calls] == calls
    assert made.counts == Counter(f"{server}/{target}" for server, target in calls)


# -- the store --------------------------------------------------------------------------------------------------------


def test_a_conversation_is_found_again_by_its_key_and_by_no_other() -> None:
    store = MemoryStore(clock=Clock())
    made = store.open("ann")
    assert store.open("ann") is made
    assert store.open("bob") is not made
    assert (made.id, store.open("bob").id) == ("ann", "bob")


def test_a_conversation_lives_as_long_as_it_is_used() -> None:
    clock = Clock()
    store = MemoryStore(ttl=10, clock=clock)
    made = store.open("ann")
    for _ in range(5):
        clock.advance(10)
        assert store.open("ann") is made
    clock.advance(10.001)
    fresh = store.open("ann")
    assert fresh is not made
    assert (fresh.born, fresh.labels) == (clock.now, {})


def test_the_store_and_its_conversations_are_on_the_same_clock() -> None:
    clock = Clock(7.0)
    made = MemoryStore(clock=clock).open("ann")
    clock.advance(3)
    made.label(["late"])
    assert (made.age, made.labels) == (3.0, {"late": 10.0})


def test_the_least_recently_used_conversation_goes_first() -> None:
    store = MemoryStore(most=2, clock=Clock())
    ann, bob = store.open("ann"), store.open("bob")
    store.open("ann")
    store.open("eve")
    assert len(store) == 2
    assert store.open("ann") is ann
    assert store.open("bob") is not bob


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.floats(0, 8)), max_size=50))
def test_the_store_does_as_a_simple_model(steps: list[tuple[str, float]]) -> None:
    """The model: a list of key, conversation and time of last use, the least recently used first."""
    clock = Clock()
    store = MemoryStore(ttl=10, most=3, clock=clock)
    model: list[tuple[str, Session, float]] = []
    for key, seconds in steps:
        clock.advance(seconds)
        found = store.open(key)
        kept = next((item for item in model if item[0] == key), None)
        if kept is not None and clock.now - kept[2] <= 10:
            assert found is kept[1]
        else:
            assert all(found is not item[1] for item in model)
        model = [*(item for item in model if item[0] != key), (key, found, clock.now)][-3:]
        assert len(store) == len(model)
