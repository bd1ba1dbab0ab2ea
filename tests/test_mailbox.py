"""Events that wait to be read: in order, bounded, resumable, and for one reader at a time."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.clock import fast
from tidegate.mailbox import MAX_BYTES, MAX_EVENTS, Mailbox, size_of
from tidegate.testing import request
from tidegate.upstream import Unavailable
from tidegate.wire import Rejected


async def all_of(box: Mailbox) -> list[Any]:
    box.end(Unavailable("over"))
    found = []
    try:
        while True:
            found.append((await box.get()).data)
    except Unavailable:
        return found


async def test_events_are_read_in_order_and_what_came_before_the_end_is_read_too() -> None:
    box = Mailbox()
    for number in range(3):
        assert box.put(b"%d" % number)
    assert await all_of(box) == [b"0", b"1", b"2"]
    with pytest.raises(Unavailable, match="over"):
        await box.get()


async def test_a_reader_waits_for_what_comes() -> None:
    box = Mailbox()
    reading = asyncio.create_task(box.get())
    await asyncio.sleep(0)
    box.put(b"x")
    assert (await reading).data == b"x"


def test_a_reader_that_waited_long_enough_is_told() -> None:
    async def wait() -> None:
        box = Mailbox()
        with pytest.raises(TimeoutError):
            await box.get(3600.0)
        box.put(b"x")
        assert (await box.get(1.0)).data == b"x"

    fast(wait())


async def test_a_second_reader_takes_the_place_of_the_first() -> None:
    box = Mailbox()
    first = asyncio.create_task(box.get())
    await asyncio.sleep(0)
    second = asyncio.create_task(box.get())
    with pytest.raises(Unavailable, match="taken this one's place"):
        await first
    box.put(b"x")
    assert (await second).data == b"x"


async def test_a_reader_that_was_cancelled_takes_nothing_with_it() -> None:
    box = Mailbox()
    first = asyncio.create_task(box.get())
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    box.put(b"x")
    assert (await box.get()).data == b"x"


async def test_a_full_box_takes_no_more_and_says_so() -> None:
    box = Mailbox()
    for _ in range(MAX_EVENTS):
        assert box.put(b"x")
    assert not box.put(b"y")
    assert box.dropped == 1
    await box.get()
    assert box.put(b"y")


async def test_a_box_full_of_bytes_takes_no_more_but_one_message_of_any_size_fits_an_empty_one() -> None:
    box = Mailbox()
    assert box.put(b"x" * MAX_BYTES)
    assert not box.put(b"y")
    await box.get()
    assert box.put(b"y")
    await box.get()
    assert box.put(b"x" * (MAX_BYTES + 1)), "the settings may allow messages of this size"


async def test_where_the_latest_matters_the_oldest_are_dropped() -> None:
    box = Mailbox()
    for number in range(MAX_EVENTS + 10):
        box.put_latest(b"%d" % number)
    assert box.dropped == 10
    assert (await box.get()).data == b"10"
    box.put_latest(b"x" * MAX_BYTES)
    box.put_latest(b"y")
    assert await all_of(box) == [b"y"]


async def test_a_writer_waits_for_room_until_something_is_read_or_the_reader_leaves() -> None:
    box = Mailbox()
    box.put(b"x" * MAX_BYTES)
    waiting = asyncio.create_task(box.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    await box.get()
    await waiting
    box.put(b"x" * MAX_BYTES)
    waiting = asyncio.create_task(box.room())
    await asyncio.sleep(0)
    box.leave()
    await waiting


async def test_a_resumable_box_gives_ids_and_repeats_what_came_after_one() -> None:
    box = Mailbox(kept=3)
    for number in range(6):
        box.put(b"%d" % number)
    got = [await box.get() for _ in range(5)]
    assert [event.id for event in got] == ["1", "2", "3", "4", "5"]
    box.resume("3")
    assert await all_of(box) == [b"3", b"4", b"5"]


@pytest.mark.parametrize("last", ["", "x", "-1", "1.0", "\u0663", "9" * 19, "99"])
async def test_an_id_that_was_never_given_repeats_nothing(last: str) -> None:
    box = Mailbox(kept=3)
    box.put(b"0")
    await box.get()
    box.resume(last)
    assert await all_of(box) == []


async def test_a_box_that_is_not_resumable_gives_no_ids() -> None:
    box = Mailbox()
    box.put(b"0")
    assert (await box.get()).id is None
    box.resume("0")
    assert await all_of(box) == []


@given(st.lists(st.one_of(st.binary(max_size=20), st.none()), max_size=60), st.integers(0, 5))
async def test_whatever_is_put_and_read_the_size_is_right(steps: list[bytes | None], kept: int) -> None:
    """A step puts bytes, or reads; then the last event read is asked for again."""
    box, waiting, last = Mailbox(kept=kept), list[bytes](), "0"
    for step in steps:
        if step is not None:
            box.put(step)
            waiting.append(step)
        elif waiting:
            event = await box.get()
            last = event.id or last
            assert event.data == waiting.pop(0)
        assert box._bytes == sum(map(len, waiting))
    box.resume(str(max(int(last) - 1, 0)))
    assert box._bytes == sum(size_of(event.data) for event in box._events)


def test_sizes_are_those_of_what_is_sent() -> None:
    message = request("ping")
    assert size_of(message) == len(message.encoded)
    assert size_of(b"12345") == 5
    assert size_of(Rejected("limit", "no")) == size_of(None) == 0
