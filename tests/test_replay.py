"""What a session has told its server, and what of it a new one is told."""

from typing import Any

from tidegate.message import Message
from tidegate.replay import MAX_BYTES, MAX_SUBSCRIPTIONS, Memory
from tidegate.testing import notification, request, result_of


def asked(method: str, **params: Any) -> Message:
    return request(method, params)


def begun() -> tuple[Memory, list[Message]]:
    memory = Memory()
    said = [asked("initialize", protocolVersion="2025-11-25"), notification("notifications/initialized")]
    memory.begun(said[0], result_of(said[0], {"protocolVersion": "2025-11-25"}))
    memory.note(said[1])
    return memory, said


def test_who_has_not_begun_has_nothing_to_tell() -> None:
    memory = Memory()
    memory.note(asked("logging/setLevel", level="debug"))
    assert memory.to_tell() == []


def test_the_very_messages_are_told_again_in_the_order_of_a_session() -> None:
    memory, said = begun()
    subscribed = [asked("resources/subscribe", uri=f"a:{number}") for number in range(3)]
    level = asked("logging/setLevel", level="error")
    for message in (asked("logging/setLevel", level="debug"), *subscribed, level):
        memory.note(message)
    memory.note(asked("resources/unsubscribe", uri="a:1"))
    told = memory.to_tell()
    wanted = [*said, level, subscribed[0], subscribed[2]]
    assert len(told) == len(wanted)
    assert all(one is other for one, other in zip(told, wanted, strict=True))
    assert memory.to_tell(briefly=True) == told[:3]


def test_who_begins_anew_has_told_nothing_before() -> None:
    memory, _ = begun()
    memory.note(asked("resources/subscribe", uri="a:1"))
    assert memory.resident
    again = asked("initialize", protocolVersion="2025-06-18")
    memory.begun(again, result_of(again, {}))
    assert memory.to_tell() == [again]
    assert not memory.resident


def test_subscriptions_are_remembered_up_to_a_bound_and_odd_ones_not_at_all() -> None:
    memory, said = begun()
    for number in range(MAX_SUBSCRIPTIONS + 5):
        memory.note(asked("resources/subscribe", uri=f"a:{number}"))
    memory.note(asked("resources/subscribe", uri=7))
    memory.note(request("resources/subscribe"))
    assert len(memory.to_tell()) == len(said) + MAX_SUBSCRIPTIONS


def test_what_is_remembered_has_a_bound_in_bytes() -> None:
    memory, said = begun()
    for number in range(10):
        memory.note(asked("resources/subscribe", uri=f"{number}{'x' * (MAX_BYTES // 4)}"))
    memory.note(asked("logging/setLevel", level="x" * MAX_BYTES))
    assert len(memory.to_tell()) == len(said) + 3


def test_what_the_server_refused_is_not_told_again() -> None:
    memory, said = begun()
    subscribed, level = asked("resources/subscribe", uri="a:1"), asked("logging/setLevel", level="no")
    for message in (subscribed, level):
        memory.note(message)
        memory.refused(message)
    assert memory.to_tell() == said
