"""Clients of every transport, played by the test: they send, and are asked for the next message they get."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from support.played_servers import Waiting
from support.rig import encoded
from support.web import Front
from tidegate.duplex import Duplex
from tidegate.ends.http1 import HttpClient
from tidegate.ends.stdio import StdioEnd
from tidegate.flow import Principal
from tidegate.flows import Core
from tidegate.methods import VERSION_KEY
from tidegate.relay import Relay
from tidegate.serve_stdio import _read
from tidegate.servers import new_upstream


class Client(Waiting):
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
        upstream, _ = new_upstream(self._core, "server", Principal(), self._http)
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
