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
from matrix.names import META, MODERN, VERSIONS
from matrix.servers import Place, Record
from support.played_servers import BRIDGE
from support.rig import encoded
from support.web import Exchange, ScriptedServer

TRANSPORTS = {**dict.fromkeys(VERSIONS, ("stdio", "http")), "2024-11-05": ("stdio", "sse")}
LINE = 2**22
_NAMED = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    **dict.fromkeys(("tasks/get", "tasks/update", "tasks/cancel"), "taskId"),
}


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


class _Kept:
    """A stream whose events can be asked for again by their ids (2025-03-26 to 2025-11-25, resumability).

    Args:
        name: what the ids begin with.
    """

    def __init__(self, name: str) -> None:
        self.at = 0  # how many of its events were written
        self._name = name
        self._trees: list[Any] = []
        self._over = False
        self._news = asyncio.Event()

    async def say(self, tree: Any, *, last: bool = False) -> None:
        self._trees.append(tree)
        self._over = last
        self._news.set()

    def after(self, identity: str) -> int:
        """How many events come before what follows one."""
        return int(identity.rpartition("-")[2])

    async def write(self, exchange: Exchange, at: int) -> None:
        """Write what there is from some place on, and what comes, until it is over or nobody reads it."""
        gone = asyncio.ensure_future(exchange.gone.wait())
        try:
            while not exchange.gone.is_set():
                for tree in self._trees[at:]:
                    at += 1
                    await exchange.event(tree, id=f"{self._name}-{at}")
                    self.at = max(self.at, at)
                if self._over:
                    return
                self._news.clear()
                news = asyncio.ensure_future(self._news.wait())
                await asyncio.wait((gone, news), return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
        finally:
            gone.cancel()


class _Post:
    """The answer to a message that came by POST: a stream, where something is said before it.

    Args:
        exchange: the request.
        headers: more headers of the answer.
        kept: what remembers its events, where they have ids.
    """

    def __init__(self, exchange: Exchange, headers: dict[str, str], kept: _Kept | None) -> None:
        self._exchange = exchange
        self._headers = headers
        self._kept = kept
        self._begun = False
        self._answered = False
        self._writing: asyncio.Task[None] | None = None

    async def say(self, tree: Any) -> None:
        if not self._begun:
            self._begun = True
            await self._exchange.stream(headers=self._headers)
            if self._kept is not None:
                self._writing = asyncio.create_task(self._kept.write(self._exchange, 0))
        await (self._exchange.event(tree) if self._kept is None else self._kept.say(tree))

    async def answer(self, tree: Any, status: int = 200) -> None:
        self._answered = True
        if not self._begun:
            await self._exchange.reply(tree, status, self._headers)
        elif self._kept is None:
            await self._exchange.event(tree)
        else:
            await self._kept.say(tree, last=True)

    async def ended(self) -> None:
        """End without an answer, where there was none: a cancelled request has none."""
        if not self._begun and not self._answered:
            await self._exchange.stream()
        if self._writing is not None and not self._answered:
            self._writing.cancel()
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)


class HttpPlace(Place):
    """A server of streamable HTTP."""

    def __init__(self, name: str, version: str, record: Record) -> None:
        super().__init__(name, version, record, "http")
        self._server = ScriptedServer(self._serve)
        self._sessions: dict[str, tuple[LegacySession, _Kept]] = {}
        self._streams: dict[str, _Kept] = {}
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
        for named in ("mcp-session-id", "last-event-id"):
            if named in exchange.headers:
                self.foreign(f"the header {named}, which 2026-07-28 has not")
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
        identity, own = f"{self.name}-{next(self._numbers)}", _Kept("own")
        session = LegacySession(self, own.say)
        self._sessions[identity] = (session, own)
        await self._posted(exchange, session, tree, {"mcp-session-id": identity})

    async def _listened(self, exchange: Exchange, own: _Kept) -> None:
        last = exchange.headers.get("last-event-id", "")
        kept = self._streams.get(last.rpartition("-")[0], own)
        await exchange.stream()
        await exchange.raw(b": here\n\n")
        await kept.write(exchange, kept.after(last) if last else kept.at)

    async def _posted(self, exchange: Exchange, session: Any, tree: Any, headers: dict[str, str]) -> None:
        if isinstance(tree, list):
            self.foreign("a batch")
            await exchange.reply(status=400)
            return
        accept = exchange.headers.get("accept", "")
        if "application/json" not in accept or "text/event-stream" not in accept:
            self.foreign(f"Accept is {accept!r}")
        name = f"s{next(self._numbers)}"
        kept = None if self.version == MODERN else self._streams.setdefault(name, _Kept(name))
        post = _Post(exchange, headers, kept)
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
