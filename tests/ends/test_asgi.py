"""The little of HTTP that the servers need: bodies that come in time, streams that are kept alive and given up."""

import asyncio
from collections.abc import AsyncGenerator, MutableMapping
from typing import Any

import pytest

from support.clock import fast
from support.web import until, within
from tidegate.ends.asgi import COMMENT, KEEP_ALIVE, Gone, Refused, Request, unless_gone
from tidegate.streams import Out
from tidegate.wire import Rejected

Part = MutableMapping[str, Any]


class Connection:
    """A client's connection, as an ASGI server shows it.

    Attributes:
        sent: what was sent over it.
    """

    def __init__(self, *parts: bytes, more: bool = False) -> None:
        self.sent: list[Part] = []
        self.blocked = asyncio.Event()
        self.blocked.set()
        self._parts = list(parts)
        self._more = more
        self._gone = asyncio.Event()

    def leave(self) -> None:
        self._gone.set()

    async def receive(self) -> Part:
        if self._parts:
            body = self._parts.pop(0)
            return {"type": "http.request", "body": body, "more_body": bool(self._parts) or self._more}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, part: Part) -> None:
        await self.blocked.wait()
        self.sent.append(part)

    def request(self, **headers: str) -> Request:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Request("POST", "/", b"", named, self.receive, self.send)

    @property
    def bodies(self) -> list[bytes]:
        return [part["body"] for part in self.sent if part["type"] == "http.response.body"]


# -- bodies -----------------------------------------------------------------------------------------------------


async def test_a_body_is_read_whole_however_it_comes() -> None:
    assert await Connection(b"whole").request().body(10, 1.0) == b"whole"
    assert await Connection(b"in", b"", b" parts").request().body(10, 1.0) == b"in parts"
    assert await Connection(b"").request().body(10, 1.0) == b""


@pytest.mark.parametrize("parts", [(b"x" * 11,), (b"x" * 6, b"x" * 5), (b"x" * 10, b"", b"x")])
@pytest.mark.requirement("no-blind-spot")
async def test_a_body_over_the_limit_is_refused(parts: tuple[bytes, ...]) -> None:
    with pytest.raises(Rejected) as caught:
        await Connection(*parts).request().body(10, 1.0)
    assert (caught.value.code, caught.value.size) == ("limit", 11)
    assert await Connection(b"x" * 10).request().body(10, 1.0) == b"x" * 10


async def test_a_body_that_says_it_is_over_the_limit_is_not_waited_for() -> None:
    connection = Connection(more=True)
    with pytest.raises(Rejected) as caught:
        await within(connection.request(content_length="11").body(10, 1000.0))
    assert caught.value.size == 11


def test_a_body_that_does_not_come_is_refused_in_time() -> None:
    async def waits(*parts: bytes) -> float:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        with pytest.raises(Refused) as caught:
            await Connection(*parts, more=True).request().body(100, 30.0)
        assert caught.value.status == 408
        return loop.time() - begun

    assert 30 <= fast(waits()) < 32
    assert 30 <= fast(waits(b"a", b"b")) < 32


async def test_a_client_that_goes_in_the_middle_of_its_body_is_gone() -> None:
    connection = Connection(b"half", more=True)
    connection.leave()
    with pytest.raises(Gone):
        await connection.request().body(100, 1.0)


# -- streams ------------------------------------------------------------------------------------------------------


class Source:
    """Events that the test gives one by one.

    Attributes:
        closed: set when the stream was given up or has ended.
    """

    def __init__(self) -> None:
        self.events: asyncio.Queue[Out | None] = asyncio.Queue()
        self.closed = asyncio.Event()

    async def stream(self) -> AsyncGenerator[Out, None]:
        try:
            yield Out(None)
            while (out := await self.events.get()) is not None:
                yield out
        finally:
            self.closed.set()

    async def primed(self) -> AsyncGenerator[Out, None]:
        stream = self.stream()
        await anext(stream)
        return stream


async def test_events_are_sent_at_once_with_their_ids() -> None:
    connection, source = Connection(), Source()
    sending = asyncio.create_task(
        connection.request().stream(200, await source.primed(), {"x-a": "b"}, asyncio.Event())
    )
    await until(lambda: connection.sent)
    assert (b"x-a", b"b") in connection.sent[0]["headers"]
    source.events.put_nowait(Out(b'{"a":1}', "e1", 5))
    await until(lambda: connection.bodies)
    assert connection.bodies == [b'id: e1\nretry: 5\ndata: {"a":1}\n\n']
    source.events.put_nowait(None)
    await within(sending)
    assert connection.sent[-1] == {"type": "http.response.body", "body": b""}
    assert source.closed.is_set()


def test_a_silent_stream_is_kept_alive_by_comments() -> None:
    async def silent() -> None:
        connection, source = Connection(), Source()
        sending = asyncio.create_task(connection.request().stream(200, await source.primed(), {}, asyncio.Event()))
        await asyncio.sleep(KEEP_ALIVE * 3.5)  # sleep: of a clock that jumps
        assert connection.bodies == [COMMENT] * 3
        source.events.put_nowait(Out(b"1"))
        source.events.put_nowait(None)
        await sending
        assert connection.bodies[3:] == [b"data: 1\n\n", b""]

    fast(silent())


async def test_a_client_that_goes_closes_what_it_was_sent_from() -> None:
    connection, source = Connection(), Source()
    sending = asyncio.create_task(connection.request().stream(200, await source.primed(), {}, asyncio.Event()))
    await until(lambda: connection.sent)
    connection.leave()
    await within(sending)
    assert source.closed.is_set()


async def test_a_client_that_goes_before_the_head_is_sent_closes_what_it_would_have_been_sent_from() -> None:
    connection, source = Connection(), Source()
    connection.blocked.clear()
    sending = asyncio.create_task(connection.request().stream(200, await source.primed(), {}, asyncio.Event()))
    await asyncio.sleep(0)
    connection.leave()
    await within(sending)
    assert source.closed.is_set()
    assert connection.sent == []


async def test_a_stream_whose_session_is_over_ends_well() -> None:
    connection, source, over = Connection(), Source(), asyncio.Event()
    sending = asyncio.create_task(connection.request().stream(200, await source.primed(), {}, over))
    await until(lambda: connection.sent)
    over.set()
    await within(sending)
    assert source.closed.is_set()
    assert connection.sent[-1] == {"type": "http.response.body", "body": b""}


async def test_a_stream_that_tidegate_ends_is_cancelled_and_not_taken_for_a_client_that_goes() -> None:
    connection, source = Connection(), Source()
    sending = asyncio.create_task(connection.request().stream(200, await source.primed(), {}, asyncio.Event()))
    await until(lambda: connection.sent)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert source.closed.is_set()


# -- work that is given up --------------------------------------------------------------------------------------


async def test_work_is_given_up_when_its_client_goes() -> None:
    connection = Connection()
    given_up = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            given_up.set()

    working = asyncio.create_task(unless_gone(connection.request(), work(), after=0.01))
    await asyncio.sleep(0)
    connection.leave()
    with pytest.raises(Gone):
        await within(working)
    assert given_up.is_set()


async def test_quick_work_is_done_whether_or_not_its_client_stays() -> None:
    connection, done = Connection(), []
    connection.leave()

    async def work() -> None:
        done.append(True)

    await unless_gone(connection.request(), work())
    assert done


async def test_work_that_tidegate_ends_is_cancelled_and_not_taken_for_a_client_that_goes() -> None:
    async def work() -> None:
        await asyncio.get_running_loop().create_future()

    working = asyncio.create_task(unless_gone(Connection().request(), work(), after=0.0))
    await asyncio.sleep(0)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
