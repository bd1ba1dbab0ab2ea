"""A remote server of HTTP+SSE as a pipe: the SDK's server, and ones that misbehave."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from mcp.server import MCPServer

from ends.programs import PATIENCE, receive
from tidegate.ends.buffers import QUEUED
from tidegate.ends.http1 import HttpClient
from tidegate.ends.pipe import Overlong, PipeError
from tidegate.ends.sse import encode
from tidegate.ends.sse_client import SsePipe

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
ENDPOINT = encode(b"/messages?session=1", "endpoint")

Stream = Callable[[asyncio.StreamWriter, "Scripted"], Awaitable[None]]


class Scripted:
    """A server of HTTP+SSE whose stream a test writes itself.

    Attributes:
        url: the address of its stream.
        posted: the bodies of the messages it was sent.
        heads: the heads of all requests.
        status: how it answers a POST.
        came: set with every message.
        gone: set when whoever read the stream has gone.
        over: set when the test is.
    """

    def __init__(self, stream: Stream) -> None:
        self.url = ""
        self.posted: list[Any] = []
        self.heads: list[str] = []
        self.status = "202 Accepted"
        self.came = asyncio.Event()
        self.gone = asyncio.Event()
        self.over = asyncio.Event()
        self.serving: set[asyncio.Task[None]] = set()
        self._stream = stream

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                if head.startswith("GET "):
                    watching = asyncio.create_task(reader.read())
                    watching.add_done_callback(lambda _: self.gone.set())
                    await self._stream(writer, self)
                    await writer.drain()
                    watching.cancel()
                    break
                size = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
                self.posted.append(json.loads(await reader.readexactly(size)))
                self.came.set()
                writer.write(f"HTTP/1.1 {self.status}\r\nContent-Length: 8\r\n\r\nAccepted".encode())
        writer.close()


@asynccontextmanager
async def scripted(stream: Stream) -> AsyncIterator[Scripted]:
    server = Scripted(stream)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/sse"
    try:
        yield server
    finally:
        listener.close()
        server.over.set()
        if server.serving:
            await asyncio.wait(server.serving, timeout=PATIENCE)


@asynccontextmanager
async def piped(url: str, headers: dict[str, str] | None = None, max_bytes: int = 4_194_304) -> AsyncIterator[SsePipe]:
    client = HttpClient()
    pipe = SsePipe(url, headers or {}, client, max_bytes)
    try:
        yield pipe
    finally:
        async with asyncio.timeout(PATIENCE):
            await pipe.close()
            await client.close()


async def start(pipe: SsePipe) -> None:
    async with asyncio.timeout(PATIENCE):
        await pipe.start()


def saying(*events: bytes, then: Callable[[], Awaitable[Any]] | None = None) -> Stream:
    """A stream that says its endpoint and some events, and stays open as long as `then` takes; for good by default."""

    async def stream(writer: asyncio.StreamWriter, server: Scripted) -> None:
        writer.write(STREAM + ENDPOINT + b"".join(events))
        await (then or server.over.wait)()

    return stream


async def at_once() -> None:
    """End a stream."""


@asynccontextmanager
async def sdk_server() -> AsyncIterator[str]:
    """The SDK's own server, over HTTP+SSE; the address of its stream."""
    server = MCPServer("sdk")

    @server.tool()
    def echo(text: str) -> str:
        """Say it back."""
        return text

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config = uvicorn.Config(server.sse_app(), log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
        running = uvicorn.Server(config)
        task = asyncio.create_task(running.serve([listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/sse"
        finally:
            running.should_exit = True
            async with asyncio.timeout(PATIENCE):
                await task


async def test_a_session_with_the_sdks_server_works_from_the_first_message_to_the_last() -> None:
    hello = {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    large = "x" * 500_000
    async with sdk_server() as url, piped(url) as pipe:
        await start(pipe)

        async def ask(number: int, method: str, params: dict[str, Any]) -> Any:
            await pipe.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode())
            answer = await receive(pipe)
            assert answer["id"] == number
            return answer["result"]

        assert (await ask(1, "initialize", hello))["serverInfo"]["name"] == "sdk"
        await pipe.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
        assert [tool["name"] for tool in (await ask(2, "tools/list", {}))["tools"]] == ["echo"]
        called = await ask(3, "tools/call", {"name": "echo", "arguments": {"text": large}})
        assert called["content"][0]["text"] == large
        await pipe.close()
        with pytest.raises(PipeError, match="closed"):
            await pipe.send(b"{}")


async def test_headers_of_the_settings_go_with_every_request() -> None:
    async with scripted(saying()) as server, piped(server.url, {"authorization": "Bearer t"}) as pipe:
        await start(pipe)
        await pipe.send(b'{"id":1}')
        assert server.posted == [{"id": 1}]
        get, post = server.heads
        assert get.startswith("GET /sse HTTP/1.1\r\n")
        assert post.startswith("POST /messages?session=1 HTTP/1.1\r\n")
        assert "authorization: Bearer t\r\n" in get
        assert "authorization: Bearer t\r\n" in post
        assert "accept: text/event-stream\r\n" in get
        assert "content-type: application/json\r\n" in post


async def test_only_messages_are_received_and_they_are_received_in_order() -> None:
    events = (
        encode(b"[1]", "message"),
        b": ping\n\n",
        encode(b"[2]"),
        encode(b"[9]", "other"),
        encode(b""),
        encode(b"http://127.0.0.1:1/elsewhere", "endpoint"),
        b"event: message\r\ndata: [\r\ndata: 3]\r\n\r\n",
    )
    async with scripted(saying(*events)) as server, piped(server.url) as pipe:
        await start(pipe)
        assert [await receive(pipe) for _ in range(3)] == [[1], [2], [3]]
        await pipe.send(b"[4]")  # still to the first endpoint
        assert server.posted == [[4]]


async def test_an_event_over_the_limit_is_dropped_once_and_the_next_one_is_received() -> None:
    async with scripted(saying(encode(b"x" * 5000), encode(b"[1]"))) as server, piped(server.url, None, 1000) as pipe:
        await start(pipe)
        with pytest.raises(Overlong) as overlong:
            await receive(pipe)
        assert overlong.value.size > 1000
        assert await receive(pipe) == [1]


async def test_the_end_of_the_stream_is_the_end_of_the_pipe_after_what_came_before_it() -> None:
    async with scripted(saying(encode(b"[1]"), then=at_once)) as server, piped(server.url) as pipe:
        await start(pipe)
        assert await receive(pipe) == [1]
        for action in (pipe.receive, lambda: pipe.send(b"{}")):
            with pytest.raises(PipeError, match=r"^The server ended its event stream\.$"):
                async with asyncio.timeout(PATIENCE):
                    await action()


@pytest.mark.parametrize(
    ("endpoint", "told"),
    [
        (b"http://127.0.0.1:1/messages", "another origin"),
        (b"//evil.example/messages", "another origin"),
        (b"https://127.0.0.1/messages", "another origin"),
        (b"http://evil.example:80@127.0.0.2/messages", "another origin"),
        (b"file:///etc/passwd", "no HTTP address"),
        (b"/messages?a= HTTP/1.1 b", "no HTTP address"),
        (b"/\xff", "no HTTP address"),
        (b"http://127.0.0.1:99999999/", "no HTTP address"),
        (b"http://[/", "no HTTP address"),
    ],
)
async def test_an_endpoint_elsewhere_is_refused(endpoint: bytes, told: str) -> None:
    async def stream(writer: asyncio.StreamWriter, server: Scripted) -> None:
        writer.write(STREAM + encode(endpoint, "endpoint"))
        await server.over.wait()

    async with scripted(stream) as server, piped(server.url) as pipe:
        with pytest.raises(PipeError, match=told):
            await start(pipe)
        with pytest.raises(PipeError):
            await pipe.send(b"{}")


async def test_a_full_url_of_the_same_origin_is_an_endpoint() -> None:
    async def stream(writer: asyncio.StreamWriter, server: Scripted) -> None:
        writer.write(STREAM + encode(server.url.replace("/sse", "/post").encode(), "endpoint"))
        await server.over.wait()

    async with scripted(stream) as server, piped(server.url) as pipe:
        await start(pipe)
        await pipe.send(b"[1]")
        assert server.heads[1].startswith("POST /post ")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "HTTP status 404"),
        (b"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "HTTP status 307"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi", "something else"),
        (STREAM.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n"), "something else"),
        (STREAM, "ended its event stream"),
        (STREAM + encode(b"{}"), "ended its event stream"),
        (b"", "closed the connection"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not HTTP"),
    ],
)
async def test_what_is_no_such_server_is_told_in_one_sentence(answer: bytes, told: str) -> None:
    async def stream(writer: asyncio.StreamWriter, _: Scripted) -> None:
        writer.write(answer)

    async with scripted(stream) as server, piped(server.url) as pipe:
        with pytest.raises(PipeError, match=told) as error:
            await start(pipe)
        assert str(error.value).endswith(".")
        assert "\n" not in str(error.value)


async def test_a_server_that_isnt_there_is_told_in_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with piped(f"http://127.0.0.1:{taken.getsockname()[1]}/sse") as pipe:
            with pytest.raises(PipeError, match="can't be reached"):
                await start(pipe)


async def test_a_server_that_never_names_its_endpoint_is_given_up_by_the_callers_timeout() -> None:
    async def stream(writer: asyncio.StreamWriter, server: Scripted) -> None:
        writer.write(STREAM + b": hello\n\n")
        while True:
            writer.write(b": still nothing\n\n")
            await writer.drain()
            await asyncio.sleep(0)

    async with scripted(stream) as server, piped(server.url) as pipe:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await pipe.start()
        async with asyncio.timeout(PATIENCE):
            await server.gone.wait()


async def test_a_refused_message_is_told_and_the_next_one_goes_on() -> None:
    async with scripted(saying()) as server, piped(server.url) as pipe:
        await start(pipe)
        server.status = "400 Bad Request"
        with pytest.raises(PipeError, match="HTTP status 400"):
            await pipe.send(b"[1]")
        server.status = "202 Accepted"
        await pipe.send(b"[2]")
        assert server.posted == [[1], [2]]


async def test_a_flood_that_nobody_takes_is_held_back() -> None:
    written = 0

    async def stream(writer: asyncio.StreamWriter, _: Scripted) -> None:
        nonlocal written
        event = encode(b'"' + b"x" * 10_000 + b'"')
        writer.write(STREAM + ENDPOINT)
        while True:
            writer.write(event)
            written += len(event)
            await writer.drain()

    async with scripted(stream) as server, piped(server.url) as pipe:
        await start(pipe)
        async with asyncio.timeout(PATIENCE):
            before = -1
            while written != before or not pipe._inbox.paused:  # until it stands still
                before = written
                for _ in range(1000):
                    await asyncio.sleep(0)
            assert pipe._inbox._held < 2 * QUEUED
            for _ in range(2000):
                assert len(await pipe.receive()) == 10_002
            assert written > before


async def test_closing_ends_the_servers_stream_and_what_waits() -> None:
    async with scripted(saying()) as server, piped(server.url) as pipe:
        await start(pipe)
        receiving = asyncio.create_task(pipe.receive())
        await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE):
            await pipe.close()
            with pytest.raises(PipeError, match="closed"):
                await receiving
            await server.gone.wait()
            await pipe.close()


async def test_closing_what_was_never_started_is_harmless() -> None:
    async with piped("http://127.0.0.1:1/sse"):
        pass
