"""A remote server over streamable HTTP, as a relay's upstream: what is taken from it, and what is refused."""

import asyncio

import pytest

from support.remote import CALL, STDIO, gathered, ok, remote, silent
from support.web import Exchange, ScriptedServer, until, within
from tidegate.methods import MODERN, V2025_11, VERSION_KEY
from tidegate.testing import request
from tidegate.upstream import Event, Unavailable
from tidegate.wire import Rejected

LISTEN = request("subscriptions/listen", {"notifications": {}, "_meta": {VERSION_KEY: MODERN}})
SECRET = "hunter2-is-not-for-servers"


# -- what is taken ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 202, 400, 401, 403, 404, 405, 500, 503])
async def test_status_and_few_headers_of_an_answer_go_on(status: int) -> None:
    kept = {"mcp-session-id": "s", "www-authenticate": "Bearer", "retry-after": "3", "allow": "POST"}
    other = {"set-cookie": SECRET, "x-powered-by": "x", "mcp-protocol-version": V2025_11}

    async with remote(lambda exchange: exchange.reply(status=status, headers=kept | other)) as it:
        answer = await it.send()
    assert (answer.status, answer.headers, answer.body, answer.events) == (status, kept, None, None)


@pytest.mark.parametrize(
    ("status", "kind", "taken"),
    [
        (200, "application/json", b"{}"),
        (200, "Application/JSON; charset=utf-8", b"{}"),
        (200, "text/plain", b"{}"),  # of a lenient server; what it says is judged all the same
        (404, "application/json", b"{}"),
        (404, "text/html", None),
        (502, "", None),
    ],
)
async def test_a_body_is_taken_where_it_can_be_a_message(status: int, kind: str, taken: bytes | None) -> None:
    async with remote(lambda exchange: exchange.reply({}, status, {"content-type": kind})) as it:
        assert (await it.send()).body == taken


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["send", "listen", "end"])
async def test_a_redirect_is_refused_and_not_followed(status: int, method: str) -> None:
    async with ScriptedServer(ok) as other:

        async def redirects(exchange: Exchange) -> None:
            await exchange.reply({}, status, {"location": other.url})

        async with remote(redirects, headers={"Authorization": SECRET}) as it:
            given = {"send": (CALL, STDIO), "listen": (None, STDIO), "end": (STDIO,)}[method]
            with pytest.raises(Unavailable, match="redirect") as caught:
                await within(getattr(it.upstream, method)(*given))
            assert other.url not in str(caught.value)
            assert len(it.server.got) == 1
        assert other.got == []


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity", "x"])
async def test_a_compressed_answer_is_refused(encoding: str) -> None:
    async with remote(lambda exchange: exchange.reply({}, headers={"content-encoding": encoding})) as it:
        assert "compressed" in str(await it.unavailable())
        assert "accept-encoding" not in it.server.got[0].headers


@pytest.mark.requirement("no-blind-spot")
async def test_a_body_over_the_limit_is_rejected_and_not_read_to_its_end() -> None:
    gone = asyncio.Event()

    async def endless(exchange: Exchange) -> None:
        try:
            await exchange.raw(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n")
            while True:
                await exchange.raw(b"400\r\n" + b"x" * 1024 + b"\r\n")
        finally:
            gone.set()

    async with remote(endless, max_message_bytes=4096) as it:
        answer = await it.send()
        assert isinstance(answer.body, Rejected)
        assert (answer.body.code, answer.body.size) == ("limit", 4097)
        await within(gone.wait())
    async with remote(lambda exchange: exchange.reply(raw=b"x" * 4096), max_message_bytes=4096) as it:
        assert (await it.send()).body == b"x" * 4096


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 X\r\ncontent-length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 X\r\ncontent-length: x\r\n\r\n",
        b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_an_answer_that_is_none_is_said_so(answer: bytes) -> None:
    async def breaks(exchange: Exchange) -> None:
        await exchange.raw(answer)
        exchange.keep = False

    async with remote(breaks) as it:
        assert (await it.unavailable()).code == "unavailable"


async def test_a_server_that_is_not_there_is_said_so() -> None:
    async with remote(ok) as it:
        await it.server.__aexit__()
        assert "can't be reached" in str(await it.unavailable())


async def test_a_server_that_stays_silent_is_overdue() -> None:
    async with remote(silent, call_timeout=0.05) as it:
        assert (await it.unavailable()).code == "overdue"
        await within(it.server.got[0].gone.wait())


async def test_a_caller_that_gives_up_closes_the_connection() -> None:
    async with remote(silent) as it:
        task = asyncio.create_task(it.upstream.send(CALL, STDIO))
        await until(lambda: it.server.got)
        task.cancel()
        await asyncio.wait([task])
        await within(it.server.got[0].gone.wait())


# -- streams ----------------------------------------------------------------------------------------------------------


async def test_events_come_one_by_one_as_they_are_sent() -> None:
    go = asyncio.Event()

    async def streams(exchange: Exchange) -> None:
        await exchange.stream(headers={"mcp-session-id": "s-1"})
        await exchange.event({"n": 1}, id="e-1")
        await within(go.wait())
        await exchange.raw(b": a comment\n\nretry: 700\nid: e-2\ndata:\n\n")
        await exchange.event({"n": 2}, event="message")
        await exchange.event({"n": 3}, event="other")
        await exchange.event({"n": 4}, event="")

    async with remote(streams) as it:
        answer = await it.send()
        assert (answer.status, answer.headers) == (200, {"mcp-session-id": "s-1"})
        assert answer.events is not None
        first = await within(anext(answer.events))
        assert (first.data, first.id) == (b'{"n": 1}', "e-1")
        go.set()
        rest = [event async for event in answer.events]
    assert rest == [Event(None, "e-2", 700), Event(b'{"n": 2}'), Event(b'{"n": 4}')]


@pytest.mark.requirement("no-blind-spot")
async def test_an_event_over_the_limit_is_rejected_and_the_next_one_comes() -> None:
    async def streams(exchange: Exchange) -> None:
        await exchange.stream()
        await exchange.event(b"x" * 5000)
        await exchange.event({"n": 2})

    async with remote(streams, max_message_bytes=2048) as it:
        (large, *_), (small, *_) = await gathered(await it.send())
    assert isinstance(large, Rejected)
    assert large.code == "limit"
    assert large.size >= 5000
    assert small == b'{"n": 2}'


async def test_a_reader_that_stops_closes_the_connection() -> None:
    async def streams(exchange: Exchange) -> None:
        await exchange.stream()
        await exchange.event({"n": 1})
        await silent(exchange)

    for read in (0, 1):
        async with remote(streams) as it:
            answer = await it.send()
            assert answer.events is not None
            for _ in range(read):
                await within(anext(answer.events))
            await answer.events.aclose()
            await within(it.server.got[0].gone.wait())


async def test_a_stream_that_breaks_off_or_falls_silent_says_so() -> None:
    async def breaks(exchange: Exchange) -> None:
        head = b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        await exchange.raw(head + b"a\r\ndata: {}\n\n\r\n")
        exchange.keep = False

    async def falls_silent(exchange: Exchange) -> None:
        await exchange.stream()
        await exchange.event({})
        await silent(exchange)

    for handler, code in ((breaks, "unavailable"), (falls_silent, "overdue")):
        async with remote(handler, call_timeout=0.05) as it:
            answer = await it.send()
            assert answer.events is not None
            assert (await within(anext(answer.events))).data == b"{}"
            with pytest.raises(Unavailable) as caught:
                await within(anext(answer.events))
            assert caught.value.code == code


async def test_streams_that_have_no_end_may_be_silent_as_long_as_they_like() -> None:
    async def late(exchange: Exchange) -> None:
        await asyncio.sleep(1.3)  # sleep: longer than the call timeout, and than it takes to notice
        await exchange.stream()
        await exchange.event({})

    async with remote(late, call_timeout=0.05) as it:
        listening, own = await asyncio.gather(it.send(LISTEN), within(it.upstream.listen(None, STDIO)))
        assert await gathered(listening) == await gathered(own) == [Event(b"{}")]


async def test_a_server_without_a_stream_of_its_own_says_so_by_its_status() -> None:
    async with remote(lambda exchange: exchange.reply(status=405, headers={"allow": "POST"})) as it:
        answer = await within(it.upstream.listen(None, STDIO))
    assert (answer.status, answer.headers, answer.events) == (405, {"allow": "POST"}, None)
