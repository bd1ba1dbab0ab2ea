"""A client of the tests' own, on bare sockets, so that it can misbehave too: HTTP/1.1, and MCP of both eras."""

import asyncio
import itertools
import json
import socket
import statistics
import struct
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from robustness.watching import until

SECONDS = 30.0  # until an answer counts as never coming
USUAL, LONGEST = 0.25, 5.0  # seconds a call may take beside whatever is tried: half of all calls, and each
LEGACY, MODERN = "2025-11-25", "2026-07-28"
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
_LINE = 16 * 1024 * 1024  # the longest event

_numbers = itertools.count(1)


class Head(NamedTuple):
    """The beginning of an HTTP answer; names of headers in lower case."""

    status: int
    headers: dict[str, str]


class Answer(NamedTuple):
    """A whole HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def tree(self) -> Any:
        """Its body as JSON."""
        return json.loads(self.body)


class Closed(Exception):  # noqa: N818 - it says what happened
    """The other side closed the connection before its answer was whole."""


def head_of(method: str, path: str, headers: Mapping[str, str], length: int | None = None) -> bytes:
    """Return the head of a request."""
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", *(f"{key}: {value}" for key, value in headers.items())]
    if length is not None:
        lines.append(f"content-length: {length}")
    return "\r\n".join([*lines, "", ""]).encode()


class Line:
    """One connection to a server, as raw as it is wanted."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, url: str, *, room: int | None = None) -> Self:
        """Connect to the host and port of a URL.

        Args:
            url: the URL.
            room: bytes of the socket's receive buffer, for a reader that shall be slow to take anything.
        """
        parts = urlsplit(url)
        sock = socket.socket()
        sock.settimeout(0)
        if room is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (parts.hostname, parts.port))
            return cls(*await asyncio.open_connection(sock=sock, limit=room or _LINE))
        except BaseException:
            sock.close()
            raise

    async def send(self, data: bytes) -> None:
        """Send bytes; what the other side doesn't take is not waited for any longer than it lives."""
        self.writer.write(data)
        async with asyncio.timeout(SECONDS):
            await self.writer.drain()

    async def head(self, seconds: float = SECONDS) -> Head:
        """Read the head of an answer.

        Raises:
            Closed: where there is none.
        """
        try:
            async with asyncio.timeout(seconds):
                text = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            raise Closed from None
        first, *lines = text.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines if line)
        return Head(int(first.split(" ")[1]), {key.lower(): value.strip() for key, _, value in pairs})

    async def chunks(self, seconds: float = SECONDS) -> AsyncIterator[bytes]:
        """Read the chunks of a body; each may take that long.

        Raises:
            Closed: where it is cut.
        """
        try:
            while True:
                async with asyncio.timeout(seconds):
                    size = int(await self.reader.readuntil(b"\r\n"), 16)
                    data = await self.reader.readexactly(size + 2)
                if not size:
                    return
                yield data[:-2]
        except (asyncio.IncompleteReadError, ConnectionError):
            raise Closed from None

    async def answer(self, seconds: float = SECONDS) -> Answer:
        """Read a whole answer.

        Raises:
            Closed: where it is cut.
        """
        head = await self.head(seconds)
        if "chunked" in head.headers.get("transfer-encoding", ""):
            return Answer(*head, b"".join([chunk async for chunk in self.chunks(seconds)]))
        try:
            async with asyncio.timeout(seconds):
                body = await self.reader.readexactly(int(head.headers.get("content-length", 0)))
        except (asyncio.IncompleteReadError, ConnectionError):
            raise Closed from None
        return Answer(*head, body)

    async def events(self, seconds: float = SECONDS) -> AsyncIterator[Any]:
        """Read the messages of an answer that is a stream of events; its head has been read."""
        rest = b""
        async for chunk in self.chunks(seconds):
            *blocks, rest = (rest + chunk).replace(b"\r\n", b"\n").split(b"\n\n")
            for block in blocks:
                data = b"\n".join(line[5:].strip() for line in block.split(b"\n") if line.startswith(b"data:"))
                if data:
                    yield json.loads(data)

    async def ended(self, seconds: float = SECONDS) -> bytes:
        """Wait until the other side closes the connection; return what came before."""
        try:
            async with asyncio.timeout(seconds):
                return await self.reader.read()
        except ConnectionError:
            return b""

    async def heard(self, silence: float) -> bytes:
        """Return what comes until the other side closes the connection, or is silent for that long."""
        got = b""
        with suppress(ConnectionError, TimeoutError):
            while True:
                async with asyncio.timeout(silence):
                    data = await self.reader.read(65536)
                if not data:
                    break
                got += data
        return got

    async def close(self) -> None:
        """Close the connection as one should."""
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            return

    def half_close(self) -> None:
        """Say that nothing more will be sent."""
        self.writer.write_eof()

    def reset(self) -> None:
        """Close the connection by a RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[Line]:
    """Connect to a server until the block ends."""
    line = await Line.to(url)
    try:
        yield line
    finally:
        await line.close()


class Peer:
    """An MCP client on one connection: of 2025-11-25 once it has begun a session, else of 2026-07-28.

    Args:
        url: the endpoint.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.path = urlsplit(url).path
        self.session: str | None = None
        self._line: Line | None = None

    async def line(self) -> Line:
        """Return its connection, made when there is none."""
        if self._line is not None and self._line.reader.at_eof():
            await self._line.close()
            self._line = None
        if self._line is None:
            self._line = await Line.to(self.url)
        return self._line

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._line is not None:
            await self._line.close()

    def request(self, method: str, params: dict[str, Any], number: object = None) -> dict[str, Any]:
        """Return a request, with what its era wants in it."""
        if self.session is None and method != "initialize":
            keys = {"protocolVersion": MODERN, "clientCapabilities": {}}
            meta = {f"io.modelcontextprotocol/{key}": value for key, value in keys.items()}
            params = {**params, "_meta": {**meta, **params.get("_meta", {})}}
        identity = next(_numbers) if number is None else number
        return {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}

    def bytes_of(self, tree: Any) -> bytes:
        """Return the whole HTTP request for a message."""
        body = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
        return head_of("POST", self.path, self.headers(tree), len(body)) + body

    def headers(self, tree: Any) -> dict[str, str]:
        """Return the headers for a message."""
        if self.session is not None:
            return {**JSON, "mcp-session-id": self.session, "mcp-protocol-version": LEGACY}
        method = tree.get("method") if isinstance(tree, dict) else None
        if method is None or method == "initialize":
            return JSON
        headers = {**JSON, "mcp-protocol-version": MODERN, "mcp-method": method}
        name = tree["params"].get("name")
        return {**headers, "mcp-name": name} if name else headers

    async def post(self, tree: Any, seconds: float = SECONDS) -> Answer:
        """Send a message, or bytes that are none, and return the whole answer."""
        line = await self.line()
        await line.send(self.bytes_of(tree))
        return await line.answer(seconds)

    async def ask(self, tree: dict[str, Any], seconds: float = SECONDS) -> Any:
        """Send a request and return the message that answers it, whether it comes alone or in a stream."""
        line = await self.line()
        await line.send(self.bytes_of(tree))
        head = await line.head(seconds)
        if head.headers.get("content-type") != "text/event-stream":
            body = await line.reader.readexactly(int(head.headers["content-length"]))
            self.session = head.headers.get("mcp-session-id", self.session)
            return json.loads(body)
        self.session = head.headers.get("mcp-session-id", self.session)
        async for message in line.events(seconds):
            if message.get("id") == tree["id"] and "method" not in message:
                await (await self.drop()).close()  # what else may come on that stream is of no interest
                return message
        return None

    async def begin(self) -> Self:
        """Begin a session of 2025-11-25."""
        params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "robust", "version": "1"}}
        told = await self.ask(self.request("initialize", params))
        assert told["result"]["protocolVersion"] == LEGACY, told
        assert self.session is not None
        done = await self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert done.status == 202, done
        return self

    def call_of(self, tool: str, number: object = None, **arguments: Any) -> dict[str, Any]:
        """Return a `tools/call`."""
        return self.request("tools/call", {"name": tool, "arguments": arguments}, number)

    async def call(self, tool: str, number: object = None, seconds: float = SECONDS, **arguments: Any) -> Any:
        """Call a tool and return the message that answers it."""
        return await self.ask(self.call_of(tool, number, **arguments), seconds)

    async def echo(self, text: str, number: object = None) -> str:
        """Have the server say a text, and return what it said."""
        told = await self.call("echo", number, text=text)
        assert "result" in told, told
        return str(told["result"]["content"][0]["text"])

    async def end(self) -> Answer:
        """End the session by DELETE."""
        line = await self.line()
        assert self.session is not None
        await line.send(head_of("DELETE", self.path, {"mcp-session-id": self.session}))
        return await line.answer()

    async def listen(self) -> Line:
        """Open the session's own stream on a connection of its own."""
        assert self.session is not None
        line = await Line.to(self.url)
        await line.send(head_of("GET", self.path, {"mcp-session-id": self.session, "accept": "text/event-stream"}))
        head = await line.head()
        assert head.status == 200, head
        return line

    async def drop(self) -> Line:
        """Give its connection away, to be misused; a new one is made when it is needed."""
        line = await self.line()
        self._line = None
        return line


@asynccontextmanager
async def session(url: str) -> AsyncIterator[Peer]:
    """A session of 2025-11-25, ended at the end if it still can be."""
    async with Peer(url) as peer:
        await peer.begin()
        yield peer
        assert (await peer.end()).status in (200, 404)


@asynccontextmanager
async def others_go_on(url: str) -> AsyncIterator[None]:
    """Call an echo all the time beside a block, and see that its calls take no longer than they should."""
    taken: list[float] = []
    done = asyncio.Event()

    async def call() -> None:
        async with Peer(url) as peer:
            assert await peer.echo("first") == "first"  # it may have to start the server
            while not done.is_set():
                begun = time.monotonic()
                assert await peer.echo(f"call {len(taken)}") == f"call {len(taken)}"
                taken.append(time.monotonic() - begun)

    task = asyncio.create_task(call())
    try:
        yield
        await until(lambda: len(taken) > 20 or task.done(), "21 calls of others")
    finally:
        done.set()
        await task
    usual, longest = statistics.median(taken), max(taken)
    assert usual < USUAL, f"half of {len(taken)} calls beside it took {usual:.3f} s or more"
    assert longest < LONGEST, f"the slowest of {len(taken)} calls beside it took {longest:.3f} s"
