"""Any bytes at all are a message or refused, whole or cut off or damaged, and nothing else comes of them."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import strategies
from support.strategies import same
from tidegate import values, wire
from tidegate.message import Message
from tidegate.verdict import CODES
from tidegate.wire import Limits, Rejected

pytestmark = pytest.mark.requirement("no-blind-spot")


def outcome(data: bytes, *, batch: bool) -> Message | list[Message | Rejected] | Rejected:
    try:
        return wire.parse_many(data, "client", batch=batch)
    except Rejected as refused:
        return refused


def parses_or_refuses(data: bytes) -> None:
    for batch in (False, True):
        found = outcome(data, batch=batch)
        assert batch or not isinstance(found, list)
        assert not isinstance(found, Rejected) or found.size == len(data)
        for one in found if isinstance(found, list) else [found]:
            if isinstance(one, Rejected):
                assert one.code in CODES
                assert one.reason.isascii()
            else:
                assert same(json.loads(one.encoded), values.thaw(one.tree))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    parses_or_refuses(data)


@given(strategies.texts_of(strategies.messages), st.data())
def test_a_message_cut_off_anywhere_is_refused(data: bytes, source: st.DataObject) -> None:
    cut = source.draw(st.integers(min_value=0, max_value=len(data) - 1))
    with pytest.raises(Rejected):
        wire.parse(data[:cut], "client")


@given(strategies.texts_of(strategies.messages), st.data())
def test_a_message_that_was_damaged_is_a_message_or_refused(data: bytes, source: st.DataObject) -> None:
    damaged = bytearray(data)
    for _ in range(source.draw(st.integers(min_value=1, max_value=4))):
        at = source.draw(st.integers(min_value=0, max_value=len(damaged) - 1))
        piece = source.draw(st.one_of(st.binary(max_size=3), st.sampled_from([b"\\", b'"', b"{", b"}", b"e9", b"\\u"])))
        damaged[at : at + source.draw(st.integers(min_value=0, max_value=3))] = piece
        if not damaged:
            return
    parses_or_refuses(bytes(damaged))


@given(st.text(st.sampled_from('{}[]",:\\u0123456789eE+-.ntfalsr dD8 idmethodjsonrpc'), max_size=60))
def test_text_made_of_the_pieces_of_json_is_a_message_or_refused(text: str) -> None:
    parses_or_refuses(text.encode())


@given(strategies.values, st.integers(min_value=0, max_value=3))
def test_a_json_value_of_any_shape_is_a_message_or_refused(value: Any, nested: int) -> None:
    for _ in range(nested):
        value = [value]
    parses_or_refuses(json.dumps(value).encode())
    parses_or_refuses(json.dumps({"jsonrpc": "2.0", "id": value, "method": value}).encode())
    parses_or_refuses(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "x", "params": value}).encode())
    parses_or_refuses(json.dumps({"jsonrpc": "2.0", "id": value, "error": value}).encode())


def measured(value: Any) -> tuple[int, int, int]:
    """Return depth, members and the longest string, in bytes, of a JSON value, by the words of the settings."""
    if isinstance(value, str):
        return 0, 0, len(value.encode())
    if not isinstance(value, dict | list):
        return 0, 0, 0
    inside = [measured(item) for item in (value.values() if isinstance(value, dict) else value)]
    keys = [len(key.encode()) for key in value] if isinstance(value, dict) else []
    return (
        1 + max((depth for depth, _, _ in inside), default=0),
        len(value) + sum(members for _, members, _ in inside),
        max([*keys, *(longest for _, _, longest in inside)], default=0),
    )


limits = st.builds(
    Limits, st.integers(50, 2000), st.integers(1, 8), st.integers(1, 30), st.one_of(st.integers(4, 40), st.just(10_000))
)


@given(strategies.texts_of(strategies.messages), limits)
def test_a_message_is_over_a_limit_exactly_where_it_measures_more(data: bytes, most: Limits) -> None:
    depth, members, longest = measured(json.loads(data))
    over = len(data) > most.max_bytes or depth > most.max_depth
    over = over or members > most.max_members or longest > most.max_string_bytes
    try:
        wire.parse(data, "client", most)
        refused = None
    except Rejected as caught:
        refused = caught.code
    assert refused == ("limit" if over else None)


@given(
    st.one_of(
        st.binary(max_size=2000),
        strategies.texts_of(strategies.messages),
        strategies.texts_of(st.lists(strategies.messages, max_size=3)),
        st.builds(
            lambda data, at: data[: at % (len(data) + 1)], strategies.texts_of(strategies.messages), st.integers(0)
        ),
        st.builds(lambda one, other: one + other, strategies.texts_of(strategies.messages), st.binary(max_size=20)),
        st.text(st.sampled_from('{}[]",:\\u0123456789eE+-.ntfalsr dD8 idmethodjsonrpc'), max_size=200).map(str.encode),
    )
)
@settings(max_examples=600)
@pytest.mark.slow
def test_any_bytes_are_a_message_or_refused_in_the_long_run(data: bytes) -> None:
    parses_or_refuses(data)
