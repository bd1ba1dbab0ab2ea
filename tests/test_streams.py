"""The answer of a batch: what its members answer, as soon as each does, in one stream."""

import asyncio

import pytest

from support.web import until, within
from tidegate.streams import Out, Outs, Reply, merged
from tidegate.upstream import Unavailable, primed


class Stream:
    """A member's stream of events, of which the test says when they come; and whether it was put away."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[Out | Exception | None] = asyncio.Queue()
        self.closed = False

    async def events(self) -> Outs:
        try:
            yield Out(None)  # for primed()
            while (item := await self.said.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.closed = True

    async def reply(self) -> Reply:
        return Reply(events=await primed(self.events()))


async def begun(*replies: Reply) -> Outs:
    return await primed(merged(replies))


async def test_whole_answers_come_first_and_the_others_as_they_come() -> None:
    one, other = Stream(), Stream()
    events = await begun(await one.reply(), Reply(body=b"whole"), Reply(202), await other.reply())
    assert await within(anext(events)) == Out(b"whole")
    for stream, said in ((other, b"1"), (one, b"2"), (one, b"3"), (other, b"4")):
        stream.said.put_nowait(Out(said))
        assert await within(anext(events)) == Out(said)
    other.said.put_nowait(None)
    one.said.put_nowait(Out(b"5"))
    assert await within(anext(events)) == Out(b"5")
    one.said.put_nowait(None)
    with pytest.raises(StopAsyncIteration):
        await within(anext(events))
    assert one.closed
    assert other.closed


async def test_each_members_own_order_is_kept_and_nothing_is_lost() -> None:
    streams = [Stream() for _ in range(5)]
    for number, stream in enumerate(streams):
        for turn in range(20):
            stream.said.put_nowait(Out(b"%d %d" % (number, turn)))
        stream.said.put_nowait(None)
    events = await begun(*[await stream.reply() for stream in streams])
    got = [out.data.split() async for out in events if out.data]
    assert len(got) == 100
    for number in range(5):
        assert [int(turn) for member, turn in got if int(member) == number] == list(range(20))


async def test_ids_and_events_without_data_are_left_out() -> None:
    stream = Stream()
    for out in (Out(None, "1", 500), Out(b"a", "2"), None):
        stream.said.put_nowait(out)
    assert [out async for out in await begun(await stream.reply())] == [Out(b"a")]


@pytest.mark.parametrize("read", [0, 1, 2])
async def test_closing_it_closes_all_of_them_however_far_it_was_read(read: int) -> None:
    one, other = Stream(), Stream()
    one.said.put_nowait(Out(b"event"))
    events = await begun(Reply(body=b"whole"), await one.reply(), await other.reply())
    for _ in range(read):
        await within(anext(events))
    await within(events.aclose())
    assert one.closed
    assert other.closed


async def test_a_stream_that_fails_ends_all_of_them() -> None:
    one, other = Stream(), Stream()
    events = await begun(await one.reply(), await other.reply())
    one.said.put_nowait(Unavailable("The server ended."))
    with pytest.raises(Unavailable):
        await within(anext(events))
    assert one.closed
    assert other.closed


async def test_a_reader_that_is_cancelled_while_it_waits_leaves_nothing_behind() -> None:
    stream = Stream()
    events = await begun(await stream.reply())
    task = asyncio.ensure_future(anext(events))
    await until(lambda: stream.said._getters)  # type: ignore[attr-defined]  # it waits by now
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await within(task)
    assert stream.closed
