"""Clients and servers of every transport, played by the test: what one side says, the other is asked for.

A client sends messages and is asked for the next one it gets, on whatever stream that comes. A server is asked for
the next message it gets, and says things on the stream that answers it, or on its own.
"""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol, Self

from support.rig import encoded
from support.web import PATIENCE, Exchange, Front, ScriptedServer
from tidegate.duplex import Duplex
from tidegate.ends.http1 import HttpClient
from tidegate.ends.stdio import StdioEnd
from tidegate.flow import Principal
from tidegate.flows import Core
from tidegate.methods import VERSION_KEY
from tidegate.relay import Relay
from tidegate.serve import _read
from tidegate.servers import new_upstream

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


# -- servers ----------------------------------------------------------------------------------------------------


class _Queue:
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


class ProcessServer(_Queue):
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
        self.settings = {"command": [sys.executable, "-I", "-S", "-c", BRIDGE, str(port)]}
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


class HttpServer(_Queue):
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


class SseServer(_Queue):
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


# -- clients ----------------------------------------------------------------------------------------------------


class Client(_Queue):
    """A client of the test's: it sends, and is asked for what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Any) -> None:
        """Do something meanwhile."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End what goes on."""
        for task in list(self._tasks):
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    def take(self, data: bytes | str) -> None:
        """Take bytes of Tidegate's."""
        self.waiting.put_nowait(json.loads(data))

    async def send(self, tree: Any) -> None:
        """Send a message."""
        raise NotImplementedError


def routing(tree: Any) -> dict[str, str]:
    """Return the headers of a request of 2026-07-28 (streamable HTTP, standard request headers)."""
    params = tree.get("params", {})
    version = params.get("_meta", {}).get(VERSION_KEY)
    if version is None or "id" not in tree:
        return {}
    named = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
    name = params.get(named.get(tree["method"], "taskId"))
    headers = {"mcp_protocol_version": version, "mcp_method": tree["method"]}
    return headers if name is None else {**headers, "mcp_name": name}


class HttpPlayer(Client):
    """A client of streamable HTTP; it opens the server's own stream when it is initialized."""

    def __init__(self, running: Front) -> None:
        super().__init__()
        self._running = running
        self._headers: dict[str, str] = {}

    async def send(self, tree: Any) -> None:
        sent = asyncio.Event()
        self.spawn(self._post(tree, sent))
        if "id" not in tree or "method" not in tree:
            await sent.wait()

    async def _post(self, tree: Any, sent: asyncio.Event) -> None:
        async with self._running.stream("POST", tree, **(self._headers or routing(tree))) as events:
            response = events.response
            if response.headers.get("content-type") == "text/event-stream":
                while (found := await events.next()) is not None:
                    self._learn(tree, found, response.headers.get("mcp-session-id"))
                    self.waiting.put_nowait(found)
            else:
                body = await response.aread()
                if body:
                    self._learn(tree, json.loads(body), response.headers.get("mcp-session-id"))
                    self.take(body)
        if tree.get("method") == "notifications/initialized" and response.status_code == 202:
            await self._listen()
        sent.set()

    def _learn(self, tree: Any, found: Any, session: str | None) -> None:
        if tree.get("method") == "initialize" and "result" in found and session is not None:
            self._headers = {"mcp_session_id": session, "mcp_protocol_version": found["result"]["protocolVersion"]}

    async def _listen(self) -> None:
        opened = asyncio.Event()

        async def read() -> None:
            async with self._running.stream("GET", **self._headers) as events:
                opened.set()
                while (found := await events.next()) is not None:
                    self.waiting.put_nowait(found)

        self.spawn(read())
        await opened.wait()


class SsePlayer(Client):
    """A client of HTTP+SSE."""

    def __init__(self, running: Front) -> None:
        super().__init__()
        self._running = running
        self._endpoint: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.spawn(self._read())

    async def _read(self) -> None:
        async with self._running.stream("GET", url=f"{self._running.url}/servers/server/sse") as events:
            self._endpoint.set_result((await events.fields())["data"])
            while (found := await events.next()) is not None:
                self.waiting.put_nowait(found)

    async def send(self, tree: Any) -> None:
        answer = await self._running.post(tree, url=f"{self._running.url}{await self._endpoint}")
        assert answer.status_code == 202


class StdioPlayer(Client):
    """A client that has Tidegate's standard input and output."""

    def __init__(self, core: Core) -> None:
        super().__init__()
        self._core = core
        self._http = HttpClient()
        self._fds = [*os.pipe(), *os.pipe()]
        self._end = StdioEnd(stdin=self._fds[0], stdout=self._fds[3])
        self._duplex: Duplex | None = None

    async def start(self) -> None:
        """Begin to serve it."""
        upstream, _ = new_upstream(self._core, "server", Principal(), self._http, shared=False)
        relay = Relay(self._core, self._core.now.settings.server("server"), upstream, Principal())
        await self._end.start()
        self._duplex = Duplex(relay, self._end.send)
        reader = asyncio.StreamReader(limit=2**24)
        file = os.fdopen(self._fds[2], "rb", 0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), file
        )

        async def lines() -> None:
            try:
                while line := await reader.readline():
                    self.take(line)
            finally:
                transport.close()

        self.spawn(lines())
        self.spawn(_read(self._end, relay, self._duplex))

    async def send(self, tree: Any) -> None:
        os.write(self._fds[1], encoded(tree) + b"\n")

    async def close(self) -> None:
        os.close(self._fds[1])
        await super().close()
        assert self._duplex is not None
        await self._duplex.close()
        await self._end.close()
        await self._http.close()
        os.close(self._fds[0])
        os.close(self._fds[3])


@asynccontextmanager
async def playing(kind: str, running: Front) -> AsyncIterator[Client]:
    """Run a client of one transport, ``http``, ``sse`` or ``stdio``, until the block ends."""
    player: Client
    if kind == "http":
        player = HttpPlayer(running)
    elif kind == "sse":
        player = SsePlayer(running)
    else:
        player = stdio = StdioPlayer(running.core)
        await stdio.start()
    try:
        yield player
    finally:
        await player.close()
