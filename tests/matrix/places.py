"""The transports of the matrix's servers: stdio, HTTP+SSE and streamable HTTP, strictly by the version."""

import asyncio
import contextlib
import itertools
import json
import sys
from collections.abc import Callable
from typing import Any, Self

from matrix.legacy_server import LegacySession
from matrix.modern_server import ModernServer
from matrix.servers import Place, Record
from matrix.vocabulary import META, MODERN, VERSIONS
from support.played_servers import BRIDGE
from support.rig import encoded
from support.web import Exchange, ScriptedServer

TRANSPORTS = {**dict.fromkeys(VERSIONS, ("stdio", "http")), "2024-11-05": ("stdio", "sse")}
LINE = 2**22
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


class _Pipe:
    """A stream for everything, which a request's answer shares."""

    def __init__(self, write: Any) -> None:
        self._write = write

    async def say(self, tree: Any) -> None:
        await self._write(encoded(tree))

    async def answer(self, tree: Any, status: int = 200) -> None:
        await self.say(tree)


class StdioPlace(Place):
    """A server over stdio: each process is a bridge to a session here."""

    def __init__(self, name: str, version: str, record: Record) -> None:
        super().__init__(name, version, record, "stdio")
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=LINE)
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

        pipe = _Pipe(write)
        session = ModernServer(self) if self.version == MODERN else LegacySession(self, pipe.say)
        try:
            with contextlib.suppress(ConnectionError):
                while line := await reader.readline():
                    tree = json.loads(line)
                    if isinstance(tree, list):
                        self.foreign("a batch")
                        continue
                    session.take(tree, pipe)
        finally:
            self.own.pop(session, None)
            for task in list(session.tasks.values()):
                task.cancel()


class _Post:
    """The answer to a message that came by POST: a stream, where something is said before it."""

    def __init__(self, exchange: Exchange, headers: dict[str, str]) -> None:
        self._exchange = exchange
        self._headers = headers
        self._begun = False
        self._answered = False

    async def say(self, tree: Any) -> None:
        if not self._begun:
            self._begun = True
            await self._exchange.stream(headers=self._headers)
        await self._exchange.event(tree)

    async def answer(self, tree: Any, status: int = 200) -> None:
        self._answered = True
        if self._begun:
            await self._exchange.event(tree)
        else:
            await self._exchange.reply(tree, status, self._headers)

    async def ended(self) -> None:
        """End without an answer, where there was none: a cancelled request has none."""
        if not self._begun and not self._answered:
            await self._exchange.stream()


class HttpPlace(Place):
    """A server of streamable HTTP."""

    def __init__(self, name: str, version: str, record: Record) -> None:
        super().__init__(name, version, record, "http")
        self._server = ScriptedServer(self._serve)
        self._sessions: dict[str, tuple[LegacySession, asyncio.Queue[Any]]] = {}
        self._numbers = itertools.count(1)

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        self.settings = {"url": self._server.url}
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._server.__aexit__(*exc)

    async def _serve(self, exchange: Exchange) -> None:
        if self.version == MODERN:
            await self._serve_modern(exchange)
        else:
            await self._serve_legacy(exchange)

    async def _serve_modern(self, exchange: Exchange) -> None:
        if exchange.method != "POST":
            if exchange.method == "GET":
                self.foreign("a GET, which 2026-07-28 has not")
            await exchange.reply(status=405)
            return
        tree = exchange.json
        if tree.get("method") != "initialize":
            self._check_routing(exchange, tree)
        await self._posted(exchange, ModernServer(self), tree, {})

    def _check_routing(self, exchange: Exchange, tree: Any) -> None:
        wanted = {"mcp-method": tree["method"], "mcp-protocol-version": MODERN} if "id" in tree else {}
        named = _NAMED.get(tree["method"])
        if named is not None:
            wanted["mcp-name"] = tree["params"][named]
        told = {name: exchange.headers.get(name) for name in wanted}
        if told != wanted:
            self.foreign(f"routing headers {told} in place of {wanted}")
        if "mcp-session-id" in exchange.headers:
            self.foreign("a session id, which 2026-07-28 has not")
        said = tree.get("params", {}).get("_meta", {}).get(f"{META}protocolVersion")
        if "id" in tree and said != MODERN:
            self.foreign(f"a request of version {said}")

    async def _serve_legacy(self, exchange: Exchange) -> None:
        identity = exchange.headers.get("mcp-session-id", "")
        known = self._sessions.get(identity)
        if exchange.method == "POST" and not identity:
            await self._begun(exchange)
            return
        if known is None:
            await exchange.reply(status=404)
            return
        session, own = known
        version = exchange.headers.get("mcp-protocol-version")
        if self.version >= "2025-06-18" and version != self.version:
            self.foreign(f"the header MCP-Protocol-Version is {version}")
        if exchange.method == "GET":
            await self._listened(exchange, own)
        elif exchange.method == "DELETE":
            self._sessions.pop(identity)
            self.own.pop(session, None)
            await exchange.reply(status=200)
        else:
            await self._posted(exchange, session, exchange.json, {})

    async def _begun(self, exchange: Exchange) -> None:
        tree = exchange.json
        if not isinstance(tree, dict) or tree.get("method") != "initialize":
            error = {"code": -32000, "message": "Bad Request: no session"}
            await exchange.reply({"jsonrpc": "2.0", "id": None, "error": error}, 400)
            return
        identity, own = f"{self.name}-{next(self._numbers)}", asyncio.Queue[Any]()
        session = LegacySession(self, own.put)
        self._sessions[identity] = (session, own)
        await self._posted(exchange, session, tree, {"mcp-session-id": identity})

    async def _listened(self, exchange: Exchange, own: asyncio.Queue[Any]) -> None:
        await exchange.stream()
        await exchange.raw(b": here\n\n")
        gone = asyncio.ensure_future(exchange.gone.wait())
        try:
            while not gone.done():
                waiting = asyncio.ensure_future(own.get())
                await asyncio.wait((gone, waiting), return_when=asyncio.FIRST_COMPLETED)
                if waiting.done():
                    await exchange.event(waiting.result())
                else:
                    waiting.cancel()
        finally:
            gone.cancel()

    async def _posted(self, exchange: Exchange, session: Any, tree: Any, headers: dict[str, str]) -> None:
        if isinstance(tree, list):
            self.foreign("a batch")
            await exchange.reply(status=400)
            return
        accept = exchange.headers.get("accept", "")
        if "application/json" not in accept or "text/event-stream" not in accept:
            self.foreign(f"Accept is {accept!r}")
        post = _Post(exchange, headers)
        task = session.take(tree, post)
        if task is None:
            await exchange.reply(status=202)
            return
        gone = asyncio.ensure_future(exchange.gone.wait())
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not task.done() and self.version == MODERN:  # closing the stream cancels, there alone
            task.cancel()
        if not exchange.gone.is_set():
            await asyncio.wait((task,))
            await post.ended()


class SsePlace(Place):
    """A server of HTTP+SSE (2024-11-05)."""

    def __init__(self, name: str, version: str, record: Record) -> None:
        super().__init__(name, version, record, "sse")
        self._server = ScriptedServer(self._serve)
        self._sessions: list[tuple[LegacySession, _Pipe]] = []

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        self.settings = {"url": self._server.url, "transport": "sse"}
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._server.__aexit__(*exc)

    async def _serve(self, exchange: Exchange) -> None:
        if exchange.method == "GET":
            pipe = _Pipe(exchange.event_of)
            session = LegacySession(self, pipe.say)
            self._sessions.append((session, pipe))
            await exchange.stream()
            await exchange.event(f"/messages?n={len(self._sessions) - 1}".encode(), event="endpoint")
            await exchange.gone.wait()
            self.own.pop(session, None)
            for task in list(session.tasks.values()):
                task.cancel()
            return
        session, pipe = self._sessions[int(exchange.path.rpartition("=")[2])]
        tree = exchange.json
        if isinstance(tree, list):
            self.foreign("a batch")
        else:
            session.take(tree, pipe)
        await exchange.reply(status=202)


_PLACES: dict[str, Callable[[str, str, Record], Any]] = {"stdio": StdioPlace, "http": HttpPlace, "sse": SsePlace}


def all_places(record: Record) -> list[Any]:
    """One server of each version and transport."""
    return [
        _PLACES[transport](f"s{version[:7].replace('-', '')}{transport}", version, record)
        for version in VERSIONS
        for transport in TRANSPORTS[version]
    ]
