"""Servers of every transport, played by the test: what they get is asked for, what they say is said by the test.

A server is asked for the next message it gets, and says things on the stream that answers it, or on its own.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable
from typing import Any, Protocol, Self

from support.rig import encoded
from support.web import PATIENCE, Exchange, ScriptedServer

LEGACY_SESSION = "session-of-the-server"

# A server that is another process: what it reads goes to the test, and what the test says it writes.
BRIDGE = """
import os, socket, sys, threading
there = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def forth():
    try:
        while data := there.recv(65536):
            os.write(1, data)
    finally:
        os._exit(0)
threading.Thread(target=forth, daemon=True).start()
while data := os.read(0, 65536):
    there.sendall(data)
"""


class Got(Protocol):
    """A message that a server got.

    Attributes:
        tree: the message.
        can_say: whether something can be said on the stream that answers it, before the answer.
    """

    tree: Any
    can_say: bool

    async def say(self, tree: Any) -> None:
        """Send a message on the stream that answers this one."""
        ...

    async def answer(self, tree: Any) -> None:
        """Send the answer, after which that stream ends."""
        ...


class Server(Protocol):
    """A server of the test's.

    Attributes:
        settings: the members of ``[servers.server]`` that reach it.
        has_stream: whether it can speak by itself in the versions with sessions.
    """

    settings: dict[str, Any]
    has_stream: bool

    async def next(self) -> Got:
        """Return the next message it gets."""
        ...

    async def say(self, tree: Any) -> None:
        """Send a message by itself."""
        ...


class Waiting:
    """What a server got and was not yet asked for."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[Any] = asyncio.Queue()

    async def next(self) -> Any:
        async with asyncio.timeout(PATIENCE):
            return await self.waiting.get()


class _Line:
    """A message of a server with one stream for everything."""

    can_say = True

    def __init__(self, tree: Any, write: Callable[[bytes], Any]) -> None:
        self.tree = tree
        self._write = write

    async def say(self, tree: Any) -> None:
        await self._write(encoded(tree))

    answer = say


class ProcessServer(Waiting):
    """A local process over stdio, which is a bridge to the test."""

    has_stream = True

    def __init__(self) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {}
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.settings = {"command": [sys.executable, "-I", "-S", "-c", BRIDGE, str(port)], "egress": "unrestricted"}
        return self

    async def __aexit__(self, *_exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)  # lets the transports close

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)

        async def write(data: bytes) -> None:
            writer.write(data + b"\n")
            await writer.drain()

        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                self.waiting.put_nowait(_Line(json.loads(line), write))

    async def say(self, tree: Any) -> None:
        self._writers[-1].write(encoded(tree) + b"\n")
        await self._writers[-1].drain()


class _Post:
    """A message that came by POST, to a server of streamable HTTP."""

    def __init__(self, exchange: Exchange, *, streams: bool) -> None:
        self.tree = exchange.json
        self.can_say = streams and "id" in self.tree
        self.done = asyncio.Event()
        self._exchange = exchange
        self._begun = False

    async def say(self, tree: Any) -> None:
        assert self.can_say
        if not self._begun:
            self._begun = True
            await self._exchange.stream(headers=self._headers())
        await self._exchange.event({"jsonrpc": "2.0", **tree})

    async def answer(self, tree: Any) -> None:
        if self.can_say:
            await self.say(tree)
        else:
            await self._exchange.reply({"jsonrpc": "2.0", **tree}, headers=self._headers())
        self.done.set()

    def _headers(self) -> dict[str, str]:
        return {"mcp-session-id": LEGACY_SESSION} if self.tree.get("method") == "initialize" else {}


class HttpServer(Waiting):
    """A server of streamable HTTP, which answers with JSON or with streams."""

    has_stream = True

    def __init__(self, *, streams: bool) -> None:
        super().__init__()
        self._streams = streams
        self._server = ScriptedServer(self._serve)
        self._listening: asyncio.Queue[Exchange] = asyncio.Queue()
        self._own: Exchange | None = None
        self.settings: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        self.settings = {"url": self._server.url}
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._server.__aexit__(*exc)

    async def _serve(self, exchange: Exchange) -> None:
        if exchange.method == "GET":
            await exchange.stream()
            await exchange.raw(b": here\n\n")
            self._listening.put_nowait(exchange)
            await exchange.gone.wait()
        elif exchange.method == "POST":
            post = _Post(exchange, streams=self._streams)
            self.waiting.put_nowait(post)
            if "id" not in post.tree or "method" not in post.tree:
                await exchange.reply(status=202)
            else:
                await post.done.wait()
        else:
            await exchange.reply(status=200)

    async def say(self, tree: Any) -> None:
        async with asyncio.timeout(PATIENCE):
            while self._own is None or self._own.gone.is_set():
                self._own = await self._listening.get()
        await self._own.event({"jsonrpc": "2.0", **tree})


class SseServer(Waiting):
    """A server of HTTP+SSE (2024-11-05)."""

    has_stream = True

    def __init__(self) -> None:
        super().__init__()
        self._server = ScriptedServer(self._serve)
        self._streams: list[Exchange] = []
        self.settings: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        self.settings = {"url": self._server.url, "transport": "sse"}
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._server.__aexit__(*exc)

    async def _serve(self, exchange: Exchange) -> None:
        if exchange.method == "GET":
            self._streams.append(exchange)
            await exchange.stream()
            await exchange.event(f"/messages?n={len(self._streams) - 1}".encode(), event="endpoint")
            await exchange.gone.wait()
            return
        stream = self._streams[int(exchange.path.rpartition("=")[2])]
        self.waiting.put_nowait(_Line(exchange.json, stream.event_of))
        await exchange.reply(status=202)

    async def say(self, tree: Any) -> None:
        await self._streams[-1].event_of(encoded(tree))


SERVERS: dict[str, Callable[[], Any]] = {
    "process": ProcessServer,
    "http-json": lambda: HttpServer(streams=False),
    "http-sse": lambda: HttpServer(streams=True),
    "sse": SseServer,
}
