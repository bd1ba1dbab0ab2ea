"""The HTTP/1.1 client against scripted servers on real sockets: whole answers, broken ones, hostile ones."""

from __future__ import annotations

import asyncio
import contextlib
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.ends.http1 import HIGH, IDLE, HttpClient, HttpError, Response, Target, TooLong

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

DEADLINE = 10.0
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Server:
    """A server whose every connection plays one script."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.connections = 0
        self.open = 0
        self.closed = asyncio.Event()
        self.target = Target("http://127.0.0.1:1/")

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            await self._script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client closed it, which some of the tests are about
        finally:
            self.open -= 1
            self.closed.set()
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def serving(script: Script) -> AsyncIterator[tuple[Server, HttpClient]]:
    played = Server(script)
    server = await asyncio.start_server(played._play, "127.0.0.1", 0)
    played.target = Target(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp?x=1")
    client = HttpClient()
    try:
        async with asyncio.timeout(DEADLINE):
            yield played, client
    finally:
        await client.close()
        server.close()


async def request_of(reader: asyncio.StreamReader) -> bytes:
    """Read one request, head and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            head += await reader.readexactly(int(line.partition(b":")[2]))
    return head


def answering(*answers: bytes, again: bool = False) -> Script:
    """Return a script that reads a request and writes answers, once or for every request."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request_of(reader)
            for answer in answers:
                writer.write(answer)
                await writer.drain()
            if not again:
                return

    return script


async def post(
    server: Server, client: HttpClient, body: bytes | None = b"{}", patience: float | None = DEADLINE
) -> Response:
    return await client.request("POST", server.target, [("a", "b")], body, connect=DEADLINE, patience=patience)


async def call(server: Server, client: HttpClient, most: int = 1 << 20) -> tuple[int, bytes]:
    response = await post(server, client)
    return response.status, await response.read(most)


async def test_a_connection_is_kept_and_used_again() -> None:
    script = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: t\r\n\r\nok", again=True)
    async with serving(script) as (server, client):
        for _ in range(3):
            assert await call(server, client) == (200, b"ok")
        assert server.connections == 1


async def test_the_request_says_host_path_query_headers_and_length() -> None:
    seen: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request_of(reader))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with serving(script) as (server, client):
        assert await call(server, client) == (204, b"")
    host = f"127.0.0.1:{server.target.port}".encode()
    assert seen == [b"POST /mcp?x=1 HTTP/1.1\r\nhost: " + host + b"\r\na: b\r\ncontent-length: 2\r\n\r\n{}"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 100), max_size=6))
async def test_however_an_answer_is_cut_into_packets_it_is_read_the_same(cuts: list[int]) -> None:
    answer = CHUNKED + b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n"
    places = [0, *sorted({cut for cut in cuts if cut < len(answer)}), len(answer)]
    parts = [answer[start:end] for start, end in pairwise(places)]
    async with serving(answering(*parts, again=True)) as (server, client):
        assert await call(server, client) == (200, b"abcde")
        assert await call(server, client) == (200, b"abcde")
        assert server.connections == 1


async def test_provisional_answers_are_passed_over() -> None:
    provisional = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    async with serving(answering(provisional + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) as (server, client):
        response = await post(server, client)
        assert (response.status, response.headers) == (200, {"content-length": "2"})
        assert await response.read(10) == b"ok"


async def test_a_body_may_end_with_its_connection_which_is_then_not_kept() -> None:
    async with serving(answering(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")) as (server, client):
        assert await call(server, client) == (200, b"until the end")
        assert await call(server, client) == (200, b"until the end")
        assert server.connections == 2


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "before its answer was whole"),
        (CHUNKED + b"5\r\nshort\r\n", "before its answer was whole"),
        (b"", "before its answer was whole"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk", "not HTTP"),
        (b"\x16\x03\x01garbage\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 70_000 + b"\r\n", "head of the server's answer is too long"),
    ],
    ids=["cut", "cut-chunk", "none", "two-framings", "two-lengths", "garbage", "endless-head"],
)
async def test_a_broken_answer_fails_with_one_safe_sentence(answer: bytes, reason: str) -> None:
    async with serving(answering(answer)) as (server, client):
        with pytest.raises(HttpError, match=reason) as caught:
            await call(server, client)
        assert "short" not in str(caught.value)
        assert not caught.value.stale


async def test_what_comes_after_an_answer_is_never_taken_for_the_next_one() -> None:
    split = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    hold = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(split)
        await hold.wait()

    async with serving(script) as (server, client):
        for _ in range(3):
            with contextlib.suppress(HttpError):
                assert await call(server, client) == (200, b"ok")
        hold.set()
        assert server.connections == 3


async def test_a_body_over_the_limit_is_given_up_with_its_connection() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(CHUNKED)
        while True:
            writer.write(b"10000\r\n" + b"z" * 65_536 + b"\r\n")
            await writer.drain()

    async with serving(script) as (server, client):
        with pytest.raises(TooLong):
            await call(server, client, most=200_000)
        await server.closed.wait()


async def test_a_reader_that_waits_makes_the_server_wait() -> None:
    total = 64 * 65_536 * 4
    sent = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        for _ in range(total // 65_536):
            writer.write(b"z" * 65_536)
            await writer.drain()
            sent += 65_536

    async with serving(script) as (server, client):
        response = await post(server, client)
        while response._size <= HIGH:  # noqa: ASYNC110 - until it has filled up; there is no event for that
            await asyncio.sleep(0)  # sleep: gives the sockets their turn
        assert response._size < total // 2
        assert sum([len(part) async for part in response.parts()]) == total
        assert sent == total


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"], ids=["answer", "body"])
async def test_a_server_that_is_silent_for_too_long_is_given_up(head: bytes) -> None:
    hold = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(head)
        await hold.wait()

    async with serving(script) as (server, client):
        with pytest.raises(HttpError) as caught:
            await (await post(server, client, patience=0.2)).read(100)
        assert caught.value.late
        hold.set()


async def test_a_request_that_is_cancelled_closes_its_connection() -> None:
    asked = asyncio.Event()

    async def script(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        asked.set()
        await reader.read()

    async with serving(script) as (server, client):
        task = asyncio.create_task(post(server, client))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.closed.wait()


async def test_a_kept_connection_that_was_closed_meanwhile_is_told_apart() -> None:
    calls = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await request_of(reader)  # and the second one gets no answer
        calls += 1

    async with serving(script) as (server, client):
        assert await call(server, client) == (200, b"ok")
        with pytest.raises(HttpError) as caught:
            await call(server, client)
        assert caught.value.stale
        assert calls == 1


async def test_a_connection_that_its_server_may_be_closing_is_not_used_again() -> None:
    script = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", again=True)
    async with serving(script) as (server, client):
        assert await call(server, client) == (200, b"ok")
        (kept,) = client._origins[server.target.origin].idle
        kept.heard -= IDLE
        assert await call(server, client) == (200, b"ok")
        assert server.connections == 2


@pytest.mark.parametrize("header", [("a", "x\r\nb: c"), ("a\n", "x"), ("a", "x\0"), ("a", "€")])
async def test_a_header_that_would_break_the_request_is_refused_before_anything_is_sent(
    header: tuple[str, str],
) -> None:
    async with serving(answering(b"")) as (server, client):
        with pytest.raises(ValueError, match=r"line break|latin-1"):
            await client.request("GET", server.target, [header], None, connect=DEADLINE, patience=DEADLINE)
        assert server.connections == 0


async def test_a_server_that_is_not_there_is_said_so() -> None:
    client = HttpClient()
    try:
        with pytest.raises(HttpError, match="can't be reached"):
            await client.request("GET", Target("http://127.0.0.1:1/"), [], None, connect=5, patience=5)
    finally:
        await client.close()


@pytest.mark.parametrize(
    ("url", "origin", "path"),
    [
        ("http://example.com", (False, "example.com", 80), "/"),
        ("https://example.com/mcp", (True, "example.com", 443), "/mcp"),
        ("http://[::1]:8080/a?b=c", (False, "::1", 8080), "/a?b=c"),
    ],
)
def test_a_url_is_taken_apart(url: str, origin: tuple[bool, str, int], path: str) -> None:
    target = Target(url)
    assert (target.origin, target.path) == (origin, path)
