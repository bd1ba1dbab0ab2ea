"""Bytes to lines however they are cut, and queues that hold no more than they may."""

import asyncio
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.ends.buffers import QUEUED, Inbox, Lines, Outbox, Tail
from tidegate.ends.pipe import Overlong, PipeError

MOST = 12
TEXTS = st.lists(st.sampled_from([b"{}", b"[1]", b"\n", b"\r\n", b"\r", b" ", b"x" * MOST, b"x" * 30, b"\xff"]))


def shown(items: list[bytes | Overlong]) -> list[bytes | None]:
    return [item if isinstance(item, bytes) else None for item in items]


def expected(data: bytes) -> list[bytes | None]:
    """What the lines are, by the plainest means: None for one over the limit."""
    lines = [line.removesuffix(b"\r") for line in data.split(b"\n")]
    return [line if len(line) <= MOST else None for line in lines if len(line) > MOST or line.strip()]


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(place, len(data)) for place in cuts})
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


@given(TEXTS, st.lists(st.integers(0, 200)))
def test_lines_are_the_same_however_the_bytes_are_cut(texts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(texts)
    lines = Lines(MOST)
    found = [item for part in cut(data, cuts) for item in lines.feed(part)] + lines.finish()
    assert shown(found) == expected(data)


@given(TEXTS)
def test_lines_are_the_same_byte_by_byte(texts: list[bytes]) -> None:
    data = b"".join(texts)
    lines = Lines(MOST)
    found = [item for byte in data for item in lines.feed(bytes([byte]))] + lines.finish()
    assert shown(found) == expected(data)


def test_an_endless_line_is_given_up_at_once_and_holds_no_memory() -> None:
    lines = Lines(1000)
    found = [item for _ in range(1000) for item in lines.feed(b"x" * 100)]
    assert [type(item) for item in found] == [Overlong]
    assert lines.feed(b"x\n{}\n") == [b"{}"]


class Reading:
    """Something to pause."""

    def __init__(self) -> None:
        self.paused = False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def is_closing(self) -> bool:
        return False


async def test_a_full_inbox_stops_reading_until_half_of_it_was_taken() -> None:
    inbox, source = Inbox(), Reading()
    inbox.source = source
    frame = b"x" * (QUEUED // 8)
    for _ in range(8):
        inbox.put([frame])
    assert source.paused
    for left in range(7, 3, -1):
        assert await inbox.get() == frame
        assert source.paused == (left > 3)


async def test_many_tiny_frames_fill_an_inbox_too() -> None:
    inbox, source = Inbox(), Reading()
    inbox.source = source
    inbox.put([b"1"] * (QUEUED // 32))
    assert source.paused


async def test_what_came_before_the_end_is_received_before_it() -> None:
    inbox = Inbox()
    inbox.put([b"1", Overlong(7), b"2"])
    inbox.end("It ended.")
    inbox.put([b"3"])
    inbox.end("It ended again.")
    assert await inbox.get() == b"1"
    with pytest.raises(Overlong) as overlong:
        await inbox.get()
    assert overlong.value.size == 7
    assert await inbox.get() == b"2"
    for _ in range(2):
        with pytest.raises(PipeError, match=r"^It ended\.$"):
            await inbox.get()


async def test_closing_an_inbox_wakes_its_receiver() -> None:
    inbox = Inbox()
    receiver = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.close("It was closed.")
    with pytest.raises(PipeError, match="closed"):
        async with asyncio.timeout(5):
            await receiver


async def test_a_receiver_that_was_cancelled_takes_nothing_with_it() -> None:
    inbox = Inbox()
    receiver = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.put([b"1"])
    receiver.cancel()
    await asyncio.wait([receiver])
    assert await inbox.get() == b"1"


async def test_a_flood_lets_other_tasks_run() -> None:
    inbox = Inbox()
    inbox.put([b"1"] * 1000)
    ran = 0

    async def other() -> None:
        nonlocal ran
        while True:
            ran += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    for _ in range(1000):
        await inbox.get()
    task.cancel()
    assert ran > 10


async def test_a_line_end_in_a_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="line end"):
        await Outbox().put(b'{"a":1}\n{"b":2}')


async def test_nothing_is_sent_before_the_start() -> None:
    with pytest.raises(PipeError):
        await Outbox().put(b"{}")


@pytest.mark.parametrize("waits_for", ["room", "the end of one that is closing"])
async def test_a_waiting_sender_hears_of_the_end(waits_for: str) -> None:
    outbox = Outbox()
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "wb", 0) as file:
        transport, _ = await asyncio.get_running_loop().connect_write_pipe(asyncio.BaseProtocol, file)
        outbox.open(transport)
        if waits_for == "room":
            outbox.pause()
        else:
            transport.abort()
        sender = asyncio.create_task(outbox.put(b"{}"))
        await asyncio.sleep(0)
        assert not sender.done()
        outbox.end("It ended.")
        with pytest.raises(PipeError, match="It ended"):
            async with asyncio.timeout(5):
                await sender
        if not transport.is_closing():
            transport.abort()
        await asyncio.sleep(0)


async def test_a_sender_to_a_connection_that_is_closing_does_not_wait_for_ever() -> None:
    outbox = Outbox()
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "wb", 0) as file:
        transport, _ = await asyncio.get_running_loop().connect_write_pipe(asyncio.BaseProtocol, file)
        outbox.open(transport)
        transport.abort()
        with pytest.raises(PipeError, match="was closed"):
            async with asyncio.timeout(5):
                await outbox.put(b"{}")


@given(st.lists(st.binary(max_size=5000), max_size=30))
def test_a_tail_keeps_the_end_and_no_more(parts: list[bytes]) -> None:
    tail = Tail()
    for part in parts:
        tail.feed(part)
    whole = b"".join(parts).decode(errors="replace").strip()
    text = tail.text()
    assert len(text) <= 16 * 1024
    if len(b"".join(parts)) <= 16 * 1024:
        assert text == whole


def test_a_tail_begins_with_a_whole_line() -> None:
    tail = Tail()
    for number in range(10_000):
        tail.feed(b"line %d\n" % number)
    assert tail.text().startswith("line ")
    assert tail.text().endswith("line 9999")
