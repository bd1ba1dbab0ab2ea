"""What is remembered of a conversation: bounded, forgotten in time, and not to be shed."""

from tidegate.session import MAX_CALLS, MAX_COUNTS, MAX_LABELS, WINDOWS, MemoryStore, Session
from tidegate.testing import Clock


def test_a_conversation_is_remembered_until_its_time_to_live_has_passed_since_its_last_use() -> None:
    clock = Clock()
    store = MemoryStore(ttl=10, clock=clock)
    first = store.open("a")
    clock.advance(10)
    assert store.open("a") is first
    clock.advance(10)
    assert store.open("a") is first
    clock.advance(10.1)
    assert store.open("a") is not first


def test_conversations_are_apart() -> None:
    store = MemoryStore()
    store.open("a").label(["tainted"])
    assert store.open("b").labels == {}
    assert list(store.open("a").labels) == ["tainted"]


def test_of_too_many_conversations_the_one_unused_longest_is_forgotten() -> None:
    store = MemoryStore(most=2)
    first, second = store.open("a"), store.open("b")
    store.open("a")
    store.open("c")
    assert len(store) == 2
    assert store.open("a") is first
    assert store.open("b") is not second


def test_a_label_keeps_the_time_it_was_put_on_first() -> None:
    clock = Clock(5.0)
    session = Session("a", 0.0, clock)
    session.label(["x"])
    clock.advance(1)
    session.label(["x", "y"])
    assert session.labels == {"x": 5.0, "y": 6.0}
    assert session.age == 6.0


def test_labels_are_bounded_and_say_when_there_were_more() -> None:
    session = Session("a", 0.0)
    session.label(f"l{number}" for number in range(MAX_LABELS + 5))
    assert len(session.labels) == MAX_LABELS + 1
    assert "overflow" in session.labels
    assert "l0" in session.labels, "what was put on first can't be pushed out"


def test_calls_and_counts_are_bounded() -> None:
    session = Session("a", 0.0)
    for number in range(MAX_COUNTS + 50):
        session.called("server", "tools/call", f"t{number}", ("external",))
    session.called("server", "tools/call", "t0", ())
    assert len(session.calls) == MAX_CALLS
    assert session.calls[-1].target == "t0"
    assert session.calls[-2].labels == ("external",)
    assert session.counts["server/t0"] == 2
    assert session.counts["overflow"] == 50
    assert sum(session.counts.values()) == MAX_COUNTS + 51


def test_recent_calls_are_counted_per_minute_hour_and_day_and_forgotten_after_them() -> None:
    clock = Clock(1_000_000.0)
    session = Session("a", 0.0, clock)
    for _ in range(3):
        session.called("files", "tools/call", "write", ())
    session.called("mail", "tools/call", "send", ())
    assert session.recent() == {name: {"files/write": 3, "mail/send": 1} for name in WINDOWS}
    clock.advance(71)
    session.called("files", "tools/call", "write", ())
    recent = session.recent()
    assert recent["minute"] == {"files/write": 1}
    assert recent["hour"] == {"files/write": 4, "mail/send": 1}
    clock.advance(3661)
    assert session.recent()["hour"] == {}
    assert session.recent()["day"] == {"files/write": 4, "mail/send": 1}
    clock.advance(90_001)
    assert session.recent() == {"minute": {}, "hour": {}, "day": {}}


def test_a_call_within_a_window_is_never_left_out_of_its_count() -> None:
    for name, (length, _) in WINDOWS.items():
        for start in (0.0, 7.5, 3599.9):
            clock = Clock(start)
            session = Session("a", 0.0, clock)
            session.called("s", "tools/call", "t", ())
            clock.advance(length - 0.1)
            assert session.recent()[name] == {"s/t": 1}
