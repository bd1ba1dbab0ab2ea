"""HTTP on loopback for the tests of the core: Tidegate's own end in this process, and servers that follow a script."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

from support.rig import Entry, loaded
from tidegate import serve, workers
from tidegate.admin import Admin
from tidegate.ends.http1 import HttpClient
from tidegate.ends.http_server import App
from tidegate.ends.sse_server import SseClients
from tidegate.flows import Core, Runtime
from tidegate.session import MemoryStore
from tidegate.sessions import Sessions

PATIENCE = 10.0  # seconds any wait of a test may take
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


def within(work: Awaitable[Any], seconds: float = PATIENCE) -> Awaitable[Any]:
    """Wait for something, but not forever."""
    return asyncio.wait_for(work, seconds)


# -- a server that follows a script -----------------------------------------------------------------------------


@dataclass
class Exchange:
    """One HTTP request that the scripted server got, and the means to answer it.

    Attributes:
        method: ``GET``, ``POST``, ...
        path: its path and query.
        headers: by lower-case name; values of one that stands twice are joined.
        body: its body.
        gone: set when the other side has closed the connection.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    writer: asyncio.StreamWriter
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    keep: bool = True

    @property
    def json(self) -> Any:
        """The body's JSON value."""
        return json.loads(self.body)

    async def reply(
        self, tree: Any = None, status: int = 200, headers: Mapping[str, str] | None = None, raw: bytes | None = None
    ) -> None:
        """Answer with one body: JSON, or raw bytes, or none."""
        body = raw if raw is not None else b"" if tree is None else json.dumps(tree).encode()
        head = {"content-type": "application/json", **(headers or {}), "content-length": str(len(body))}
        await self._head(status, head)
        self.writer.write(body)
        await self.writer.drain()

    async def result(self, result: Any, **headers: str) -> None:
        """Answer the JSON-RPC request of the body with a result."""
        await self.reply({"jsonrpc": "2.0", "id": self.json["id"], "result": result}, headers=headers)

    async def stream(self, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Begin a stream of events."""
        await self._head(status, {"content-type": "text/event-stream", **(headers or {}), "connection": "close"})
        self.keep = False

    async def event(self, tree: Any, **fields: str) -> None:
        """Send one event of a stream."""
        data = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
        lines = [f"{name}: {value}\n".encode() for name, value in fields.items()]
        self.writer.write(b"".join([*lines, b"data: ", data, b"\n\n"]))
        await self.writer.drain()

    async def event_of(self, data: bytes) -> None:
        """Send one event of bytes."""
        await self.event(data)

    async def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    def die(self) -> None:
        """Close the connection at once, whatever was promised."""
        self.keep = False
        self.writer.transport.abort()

    async def _head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self.writer.write("\r\n".join(lines).encode("latin-1"))


Handler = Callable[[Exchange], Awaitable[None]]


class ScriptedServer:
    """A server on loopback whose answers are a function of the tests'.

    Attributes:
        got: all requests, in order.
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.got: list[Exchange] = []
        self.errors: list[BaseException] = []

    @property
    def url(self) -> str:
        """Its address, with a path."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/mcp"

    @property
    def messages(self) -> list[Any]:
        """The JSON-RPC messages it got by POST, in order."""
        return [exchange.json for exchange in self.got if exchange.method == "POST"]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.errors:
            raise self.errors[0]

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, path, _ = head[0].split(" ")
                headers: dict[str, str] = {}
                for line in filter(None, head[1:]):
                    name, _, value = line.partition(":")
                    key = name.lower()
                    headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                exchange = Exchange(method, path, headers, body, writer)
                self.got.append(exchange)
                watch = asyncio.create_task(self._watch(reader, exchange))
                try:
                    await self._handler(exchange)
                finally:
                    watch.cancel()
                    await asyncio.gather(watch, return_exceptions=True)
                if not exchange.keep or exchange.gone.is_set():
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        except AssertionError as error:
            self.errors.append(error)
        finally:
            writer.transport.abort()

    @staticmethod
    async def _watch(reader: asyncio.StreamReader, exchange: Exchange) -> None:
        """Notice that the other side has gone while an answer is being made; it sends nothing else meanwhile."""
        while not reader.at_eof() and reader.exception() is None:
            waiter = asyncio.get_running_loop().create_future()
            reader._waiter = waiter  # type: ignore[attr-defined]  # to wait without reading: streams have no other way
            try:
                await waiter
            except ConnectionError:
                break  # it was reset
            finally:
                reader._waiter = None  # type: ignore[attr-defined]  # as above
            if not reader.at_eof() and reader._buffer:  # type: ignore[attr-defined]  # the next request is here
                return
        exchange.gone.set()


# -- Tidegate's HTTP end, in this process -------------------------------------------------------------------------


@dataclass
class Front:
    """Tidegate's HTTP end.

    Attributes:
        url: its address.
        core: what it shares.
        sessions: its open sessions.
        http: a client for it.
    """

    url: str
    admin: str
    core: Core
    sessions: Sessions
    http: httpx.AsyncClient
    stopping: asyncio.Event

    @property
    def mcp(self) -> str:
        """The endpoint of the one server."""
        return f"{self.url}/servers/server/mcp"

    async def post(self, tree: Any, headers: Mapping[str, str] | None = None, url: str = "") -> httpx.Response:
        """Post a JSON-RPC message, and read its whole answer."""
        if isinstance(tree, dict):
            tree = {"jsonrpc": "2.0", **tree}
        data = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
        return await self.http.post(url or self.mcp, content=data, headers={**JSON, **(headers or {})})

    @asynccontextmanager
    async def stream(
        self, method: str = "GET", tree: Any = None, url: str = "", **headers: str
    ) -> AsyncIterator["Events"]:
        """Open a stream of events: of a POST with a message, or of a GET."""
        content = None if tree is None else json.dumps({"jsonrpc": "2.0", **tree}).encode()
        sent = {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with self.http.stream(method, url or self.mcp, content=content, headers=sent) as response:
            yield Events(response)


class Events:
    """The events of an answer, one by one."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def fields(self) -> dict[str, str]:
        """Return the next event's fields, a comment as the field ``""``; of an ended stream none."""
        found: dict[str, str] = {}
        async with asyncio.timeout(PATIENCE):
            async for line in self._lines:
                if not line:
                    if found:
                        return found
                    continue
                name, _, value = line.partition(":")
                found[name] = value.removeprefix(" ")
        return found

    async def next(self) -> Any:
        """Return the next event's JSON value; ``None`` where the stream has ended."""
        while found := await self.fields():
            if found.get("data"):
                return json.loads(found["data"])
        return None

    async def rest(self) -> list[Any]:
        """Return all that still comes, until the stream ends."""
        out = []
        while (found := await self.next()) is not None:
            out.append(found)
        return out


@asynccontextmanager
async def _serving(apps: list[tuple[Any, socket.socket]], core: Core) -> AsyncIterator[None]:
    """Serve applications as Tidegate does, but stop at once."""
    servers = [serve._server(app, core) for app, _ in apps]
    for server, (_, sock) in zip(servers, apps, strict=True):
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        await server.startup(sockets=[sock])
    try:
        yield
    finally:
        for server in servers:
            for listener in server.servers:
                listener.close()
            for connection in list(server.server_state.connections):
                connection.transport.abort()
            if server.server_state.tasks:
                await asyncio.wait(list(server.server_state.tasks), timeout=PATIENCE)


@asynccontextmanager
async def front(*entries: Entry, server: Mapping[str, Any], ticking: bool = False, **tree: Any) -> AsyncIterator[Front]:
    """Serve Tidegate's HTTP end in front of one server, ``server``, until the block ends.

    Args:
        entries: the interceptors.
        server: the members of ``[servers.server]``.
        ticking: whether the HTTP server looks for slow clients, as it does in earnest; it takes longer to stop then.
        tree: the rest of the settings.
    """
    proxy = {"listen": "127.0.0.1:0", **tree.pop("proxy", {})}
    built, pipeline = loaded(entries, {"proxy": proxy, "servers": {"server": dict(server)}, **tree})
    await pipeline.start(built)
    core = Core(Runtime(built, pipeline), MemoryStore())
    client = HttpClient()
    sessions = Sessions(core, client)
    stopping = asyncio.Event()
    with contextlib.ExitStack() as sockets:
        listen, admin = (sockets.enter_context(serve._bind("127.0.0.1:0", "it")) for _ in range(2))
        apps = [
            (App(core, sessions, SseClients(core, sessions)), listen),
            (Admin(core, sessions, stopping), admin),
        ]
        async with (
            (serve._serving if ticking else _serving)(apps, core),
            httpx.AsyncClient(verify=False, timeout=PATIENCE, limits=httpx.Limits(max_connections=None)) as http,
        ):
            try:
                yield Front(serve._url(listen), serve._url(admin), core, sessions, http, stopping)
            finally:
                await http.aclose()
                await sessions.close()
        await client.close()
        await core.now.pipeline.stop()
        await workers.close()


async def until(holds: Callable[[], Any], seconds: float = PATIENCE) -> None:
    """Wait until something holds that nobody announces."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - there is no event for it, which is why this is here
            await asyncio.sleep(0.002)
