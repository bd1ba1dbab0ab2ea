"""The client that OPA is asked with, in front of servers that answer oddly, late, or not at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from support.web import Exchange, ScriptedServer, until, within
from tidegate_policy.http import MOST, Address, Reply, UnreachableError

SECONDS = 10.0


@asynccontextmanager
async def address(server: ScriptedServer, token: str | None = None, path: str = "") -> AsyncIterator[Address]:
    made = Address(server.url + path, None, token)
    try:
        yield made
    finally:
        await made.close()


async def echo(exchange: Exchange) -> None:
    await exchange.reply(raw=exchange.body)


async def silent(exchange: Exchange) -> None:
    await within(exchange.gone.wait())


async def test_a_request_is_sent_whole_and_its_answer_comes_back_whole() -> None:
    async with ScriptedServer(echo) as server, address(server, "a-token", "/behind") as asked:
        assert await asked.request("POST", "/v1/x?y=z", b"{}", SECONDS) == Reply(200, b"{}")
        host = server.url.removeprefix("http://").partition("/")[0]
    (got,) = server.got
    assert (got.method, got.path, got.body) == ("POST", "/mcp/behind/v1/x?y=z", b"{}")
    assert got.headers["authorization"] == "Bearer a-token"
    assert got.headers["host"] == host


async def test_one_connection_is_kept_and_used_again() -> None:
    async with ScriptedServer(echo) as server, address(server) as asked:
        for _ in range(3):
            assert await asked.request("POST", "/", b"1", SECONDS) == Reply(200, b"1")
        assert len({exchange.writer for exchange in server.got}) == 1


async def test_requests_at_the_same_time_get_each_its_own_answer() -> None:
    async with ScriptedServer(echo) as server, address(server) as asked:
        said = [b"%d" % number for number in range(200)]
        replies = await asyncio.gather(*(asked.request("POST", "/", each, SECONDS) for each in said))
    assert [reply.body for reply in replies] == said


async def test_a_late_answer_ends_its_connection_and_is_nobody_elses() -> None:
    async def first_is_late(exchange: Exchange) -> None:
        if exchange.body == b"1":
            await within(exchange.gone.wait())
        await exchange.reply(raw=exchange.body)

    async with ScriptedServer(first_is_late) as server, address(server) as asked:
        with pytest.raises(TimeoutError):
            await asked.request("POST", "/", b"1", 0.05)
        assert await asked.request("POST", "/", b"2", SECONDS) == Reply(200, b"2")
        assert len({exchange.writer for exchange in server.got}) == 2


async def test_who_stops_waiting_ends_the_connection() -> None:
    async with ScriptedServer(silent) as server, address(server) as asked:
        waiting = asyncio.create_task(asked.request("POST", "/", b"", SECONDS))
        await until(lambda: server.got)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await within(server.got[0].gone.wait())


async def test_a_kept_connection_that_was_closed_is_replaced() -> None:
    async def once(exchange: Exchange) -> None:
        if len(server.got) == 2:
            exchange.die()
        else:
            await exchange.reply(raw=exchange.body)

    async with ScriptedServer(once) as server, address(server) as asked:
        for number in (b"1", b"2"):
            assert await asked.request("POST", "/", number, SECONDS) == Reply(200, number)
        assert [exchange.body for exchange in server.got] == [b"1", b"2", b"2"]
        assert server.got[0].writer is server.got[1].writer is not server.got[2].writer


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"not HTTP\r\n\r\n", "its answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n123", "the connection was closed"),
        (b"", "the connection was closed"),
        (b"HTTP/1.1 200 OK\r\n\r\nwithout an end", "the connection was closed"),
    ],
)
async def test_what_is_no_whole_answer_is_none(answer: bytes, told: str) -> None:
    async def odd(exchange: Exchange) -> None:
        if answer:
            await exchange.raw(answer)
        exchange.writer.close()

    async with ScriptedServer(odd) as server, address(server) as asked:
        with pytest.raises(UnreachableError, match=f"^{told}$"):
            await asked.request("POST", "/", b"", SECONDS)


async def test_an_answer_without_an_end_is_refused() -> None:
    async def endless(exchange: Exchange) -> None:
        await exchange.raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        part = b"100000\r\n" + bytes(0x100000) + b"\r\n"
        for _ in range(2 * MOST // len(part)):
            if exchange.gone.is_set():
                return
            await exchange.raw(part)

    async with ScriptedServer(endless) as server, address(server) as asked:
        with pytest.raises(UnreachableError, match="its answer is too long"):
            await asked.request("POST", "/", b"", SECONDS)


async def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next() -> None:
    async def two(exchange: Exchange) -> None:
        body = exchange.body
        await exchange.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n%b" % body)
        if body == b"1":
            await exchange.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nX")

    async with ScriptedServer(two) as server, address(server) as asked:
        for number in (b"1", b"2", b"3"):
            assert await asked.request("POST", "/", number, SECONDS) == Reply(200, number)
            for _ in range(10):
                await asyncio.sleep(0)


async def test_a_provisional_answer_and_one_in_chunks_are_understood() -> None:
    async def chunked(exchange: Exchange) -> None:
        await exchange.raw(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n")
        await exchange.raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n")

    async with ScriptedServer(chunked) as server, address(server) as asked:
        assert await asked.request("POST", "/", b"", SECONDS) == Reply(200, b"abc")


async def test_a_server_that_closes_after_each_answer_is_asked_anew() -> None:
    async def closing(exchange: Exchange) -> None:
        await exchange.reply(raw=exchange.body, headers={"connection": "close"})

    async with ScriptedServer(closing) as server, address(server) as asked:
        for _ in range(3):
            assert await asked.request("POST", "/", b"1", SECONDS) == Reply(200, b"1")


async def test_closing_ends_what_is_waited_for() -> None:
    async with ScriptedServer(silent) as server:
        asked = Address(server.url, None, None)
        waiting = asyncio.create_task(asked.request("POST", "/", b"", SECONDS))
        await until(lambda: server.got)
        await asked.close()
        with pytest.raises(UnreachableError, match="Tidegate is stopping"):
            await waiting


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://127.0.0.1:1", "Connect"),
        ("http://name.invalid", "."),
        (f"http://{'a' * 70}.example", "Unicode"),
        ("unix:/nowhere/opa.sock", "No such file or directory"),
    ],
)
async def test_why_there_is_no_connection_is_told(url: str, told: str) -> None:
    asked = Address(url, None, None)
    with pytest.raises(UnreachableError, match=told):
        await asked.request("GET", "/health", b"", SECONDS)
