"""Server-sent events, by the examples of the standard and however the bytes are cut."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.ends.pipe import Overlong
from tidegate.ends.sse import KEEP_ALIVE, Event, Parser, encode

LINES = [
    b"data: {}",
    b"data:x",
    b"data",
    b"data:",
    b"data:  two spaces",
    b": comment",
    b":",
    b"id: 7",
    b"id",
    b"id: a\0b",
    b"event: endpoint",
    b"event",
    b"retry: 10",
    b"retry: ten",
    b"retry: \xc2\xb2",
    b"unknown: field",
    b"\xff",
    b"data: " + b"y" * 40,
    b"unknown" * 9,
    b": " + b"long comment" * 9,
]
STREAMS = st.tuples(
    st.sampled_from([b"", b"\xef\xbb\xbf", b"\xef\xbb"]),
    st.lists(st.tuples(st.sampled_from([*LINES, b"", b""]), st.sampled_from([b"\n", b"\r", b"\r\n"]))),
).map(lambda made: made[0] + b"".join(line + end for line, end in made[1]))


def read(*parts: bytes, most: int = 1000) -> tuple[list[Event | None], str, int | None, int]:
    """All that can be seen of a stream: its events (None for one over the limit) and what is in force after it."""
    parser = Parser(most)
    found = [event for part in parts for event in parser.feed(part)]
    events = [None if isinstance(event, Overlong) else event for event in found]
    return events, parser.last_id, parser.retry, parser.comments


@given(STREAMS, st.lists(st.integers(0, 400)), st.sampled_from([20, 1000]))
def test_events_are_the_same_however_the_bytes_are_cut(stream: bytes, cuts: list[int], most: int) -> None:
    places = sorted({min(place, len(stream)) for place in cuts})
    parts = [stream[start:end] for start, end in zip([0, *places], [*places, len(stream)], strict=True)]
    assert read(*parts, most=most) == read(stream, most=most)


@given(STREAMS, st.sampled_from([20, 1000]))
def test_events_are_the_same_byte_by_byte(stream: bytes, most: int) -> None:
    assert read(*(bytes([byte]) for byte in stream), most=most) == read(stream, most=most)


def by_the_letter(stream: bytes) -> list[tuple[bytes, str, str]]:
    """The standard's algorithm, step by step (section 9.2.6): data, type and last event id of each event."""
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    data, kind, last_id, found = b"", "", "", []
    for line in text.split(b"\n")[:-1]:
        if not line:
            if data:
                found.append((data[:-1], kind or "message", last_id))
            data, kind = b"", ""
        elif not line.startswith(b":"):
            name, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if name == b"data":
                data += value + b"\n"
            elif name == b"event":
                kind = value.decode(errors="replace")
            elif name == b"id" and b"\0" not in value:
                last_id = value.decode(errors="replace")
    return found


@given(STREAMS)
def test_events_are_those_of_the_standard(stream: bytes) -> None:
    parser = Parser()
    found, last_id = [], ""
    for event in parser.feed(stream):
        assert isinstance(event, Event)
        found.append((event.data, event.event, event.id))
    for (data, kind, own_id), (right_data, right_kind, right_id) in zip(found, by_the_letter(stream), strict=True):
        assert (data, kind) == (right_data, right_kind)
        last_id = last_id if own_id is None else own_id
        if own_id is not None:
            assert own_id == right_id


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [Event(b"YHOO\n+2\n10")]),
        (
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
            [Event(b"first event", id="1"), Event(b"second event", id=""), Event(b" third event")],
        ),
        (b"data\n\ndata\ndata\n\ndata:", [Event(b""), Event(b"\n")]),
        (b"data:test\n\ndata: test\n\n", [Event(b"test"), Event(b"test")]),
        (b"id: 5\ndata:\n\n", [Event(b"", id="5")]),
        (b"id: 5\n\n", []),
        (b"event: endpoint\ndata: /messages\n\n", [Event(b"/messages", "endpoint")]),
        (b"retry: 500\ndata: {}\n\n", [Event(b"{}", retry=500)]),
        (b"data: cut off", []),
        (b"data: cut off\n", []),
    ],
)
def test_the_examples_of_the_standard_are_read_as_it_says(stream: bytes, events: list[Event]) -> None:
    assert read(stream)[0] == events


def test_an_event_is_there_with_its_last_byte_whatever_ends_its_lines() -> None:
    for end in (b"\n", b"\r", b"\r\n"):
        parser = Parser()
        stream = b"data: {}" + end + end
        last = len(stream) - (2 if end == b"\r\n" else 1)
        assert [parser.feed(stream[at : at + 1]) for at in range(len(stream))][last] == [Event(b"{}")]


def test_an_id_without_data_is_in_force_all_the_same() -> None:
    assert read(b"id: 5\n\n")[1:] == ("5", None, 0)
    assert read(b"retry: 5\n\n")[1:] == ("", 5, 0)


def test_comments_are_counted_so_that_a_keep_alive_is_seen() -> None:
    assert read(KEEP_ALIVE + b":\r\n" + b": ping\n\n")[3] == 3


def test_an_event_over_the_limit_is_dropped_once_and_the_next_one_is_read() -> None:
    big = b"data: " + b"x" * 60 + b"\ndata: " + b"x" * 60 + b"\ndata: more\nid: 1\n\n"
    assert read(big + b"data: {}\n\n", most=100) == ([None, Event(b"{}")], "", None, 0)


def test_an_endless_line_is_given_up_at_once_and_holds_no_memory() -> None:
    parser = Parser(1000)
    found = parser.feed(b"data: ")
    for _ in range(1000):
        found += parser.feed(b"x" * 100)
    assert [type(event) for event in found] == [Overlong]
    assert len(parser._partial) == 0
    assert parser.feed(b"x\n\ndata: {}\n\n") == [Event(b"{}")]


def test_keep_alives_inside_an_event_do_not_count_against_its_limit() -> None:
    assert read(b"data: a\n" + b": still here\n" * 1000 + b"data: b\n\n", most=100)[0] == [Event(b"a\nb")]


@given(
    st.binary(max_size=100),
    st.none() | st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), min_size=1),
    st.none() | st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"])),
    st.none() | st.integers(0, 10**9),
)
def test_what_was_encoded_is_read_back(data: bytes, event: str | None, id_: str | None, retry: int | None) -> None:
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert read(encode(data, event, id_, retry))[0] == [Event(lines, event or "message", id_, retry)]


@pytest.mark.parametrize("bad", ["a\nb", "a\rb", "a\0b"])
def test_a_type_or_id_that_would_begin_another_field_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="no line end"):
        encode(b"{}", event=bad)
    with pytest.raises(ValueError, match="no line end"):
        encode(b"{}", id=bad)


def test_large_and_many_events_are_read_in_no_time() -> None:
    """Linear in what comes: far from what would show if a line were searched, or copied, again with every piece."""
    big = encode(b'"' + b"x" * 4_000_000 + b'"')
    many = encode(b'{"jsonrpc":"2.0","method":"notifications/progress"}') * 20_000
    for stream in (big, many):
        parser, begun = Parser(), time.perf_counter()
        found = [event for at in range(0, len(stream), 1000) for event in parser.feed(stream[at : at + 1000])]
        assert time.perf_counter() - begun < 3
        assert len(found) in (1, 20_000)
