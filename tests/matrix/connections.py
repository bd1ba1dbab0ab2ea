"""The transports of the matrix's clients: streamable HTTP, HTTP+SSE and stdio."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from matrix.clients import Client
from matrix.names import VERSIONS
from support.played_clients import routing
from support.proxy import tidegate
from support.rig import encoded
from support.web import JSON

LINE = 2**22


async def events(response: httpx.Response) -> AsyncIterator[tuple[str, str, str]]:
    """The kind, data and id of each event of a stream; the id is empty, where it has none."""
    kind, data, identity = "message", list[str](), ""
    async for line in response.aiter_lines():
        name, _, value = line.partition(":")
        if not line:
            if data:
                yield kind, "\n".join(data), identity
            kind, data, identity = "message", [], ""
        elif name == "data":
            data.append(value.removeprefix(" "))
        elif name == "event":
            kind = value.strip()
        elif name == "id":
            identity = value.strip()


class HttpClient(Client):
    """A client of streamable HTTP, of either era."""

    transport = "http"

    def __init__(self, version: str, url: str) -> None:
        super().__init__(version)
        self._url = f"{url}/mcp"
        self._http = httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=None))
        self._headers: dict[str, str] = {}
        self._posts: dict[Any, asyncio.Task[Any]] = {}
        self._own: asyncio.Task[Any] | None = None
        self.statuses: dict[Any, int] = {}

    async def post(self, tree: Any) -> None:
        identity = tree.get("id") if isinstance(tree, dict) and "method" in tree else None
        if identity is not None:
            task = asyncio.current_task()
            assert task is not None
            self._posts[identity] = task
        try:
            await self._posted(tree, identity)
        finally:
            self._posts.pop(identity, None)

    async def _posted(self, tree: Any, identity: Any) -> None:
        more = {name.replace("_", "-"): value for name, value in routing(tree).items()} if self.modern else {}
        headers = {**JSON, **self._headers, **more}
        async with self._http.stream("POST", self._url, content=json.dumps(tree), headers=headers) as response:
            if identity is not None:
                self.statuses[identity] = response.status_code
            elif response.status_code != 202 and not isinstance(tree, list):
                self.foreign.append(f"HTTP status {response.status_code} for {tree.get('method', 'a reply')}")
            if self.modern and "mcp-session-id" in response.headers:
                self.foreign.append("a session id, which 2026-07-28 has not")
            if tree.get("method") == "initialize" if isinstance(tree, dict) else False:
                self._headers["mcp-session-id"] = response.headers["mcp-session-id"]
                if self.version >= "2025-06-18":
                    self._headers["mcp-protocol-version"] = self.version
            if response.headers.get("content-type", "").startswith("text/event-stream"):
                await self._read(response, identity)
            else:
                body = await response.aread()
                if body:
                    self.take(json.loads(body))

    async def _read(self, response: httpx.Response, about: Any) -> None:
        async for _, data, identity in events(response):
            if identity:
                self.ids.setdefault(about, []).append(identity)
            if identity and self.modern:
                self.foreign.append("an event id, which 2026-07-28 has not")
            self.take(json.loads(data))

    async def listen(self) -> None:
        self._own = await self.resume()

    async def resume(self, last: str = "", about: Any = None) -> asyncio.Task[Any]:
        """Open a stream by GET: its own, or what came after an event of a stream that broke; return who reads it."""
        opened = asyncio.Event()
        again = {"last-event-id": last} if last else {}

        async def read() -> None:
            headers = {"accept": "text/event-stream", **self._headers, **again}
            async with self._http.stream("GET", self._url, headers=headers) as response:
                assert response.status_code == 200
                opened.set()
                await self._read(response, about)

        reading = self.spawn(read())
        await opened.wait()
        return reading

    async def break_own(self) -> None:
        """Lose the stream of what belongs to no request."""
        assert self._own is not None
        await _lost(self._own)

    async def break_off(self, tree: Any) -> str:
        """Lose the stream of a request's answer; return the id of the last event that came."""
        await _lost(self._posts[tree["id"]])
        return self.ids[tree["id"]][-1]

    async def come_back(self, last: str) -> None:
        """Open its own stream again, from an event on."""
        self._own = await self.resume(last)

    async def cancel(self, tree: Any) -> None:
        if not self.modern:
            await super().cancel(tree)
        else:
            await self.cancel_stream(tree, self._posts[tree["id"]])

    async def cancel_stream(self, tree: Any, stream: asyncio.Task[Any]) -> None:
        """Close the stream, which cancels."""
        stream.cancel()
        await asyncio.gather(stream, return_exceptions=True)
        self._replies.pop(tree["id"], None)

    async def close(self) -> bool:
        await super().close()
        if "mcp-session-id" in self._headers:
            answer = await self._http.delete(self._url, headers=self._headers)
            assert answer.status_code == 200
        await self._http.aclose()
        return True


async def _lost(stream: asyncio.Task[Any]) -> None:
    stream.cancel()
    await asyncio.gather(stream, return_exceptions=True)


class SseClient(Client):
    """A client of HTTP+SSE (2024-11-05)."""

    transport = "sse"

    def __init__(self, version: str, url: str) -> None:
        super().__init__(version)
        self._url = url
        self._endpoint = ""
        self._http = httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=None))

    async def connect(self) -> None:
        told = asyncio.Event()

        async def read() -> None:
            async with self._http.stream(
                "GET", f"{self._url}/sse", headers={"accept": "text/event-stream"}
            ) as response:
                async for kind, data, identity in events(response):
                    if identity:
                        self.ids.setdefault(None, []).append(identity)
                    if kind == "endpoint":
                        self._endpoint = data
                        told.set()
                    else:
                        self.take(json.loads(data))

        self.spawn(read())
        await told.wait()

    async def post(self, tree: Any) -> None:
        answer = await self._http.post(f"{self._url}{self._endpoint}", content=json.dumps(tree), headers=JSON)
        if answer.status_code != 202:
            self.foreign.append(f"HTTP status {answer.status_code} for {tree.get('method', 'a reply')}")

    async def close(self) -> bool:
        await super().close()
        await self._http.aclose()
        return True


class StdioClient(Client):
    """A client that has started `tidegate run --stdio`."""

    transport = "stdio"

    def __init__(self, version: str, settings: Path, errors: Path) -> None:
        super().__init__(version)
        self._settings = settings
        self._errors = errors
        self._process: asyncio.subprocess.Process | None = None

    async def connect(self) -> None:
        with self._errors.open("wb") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *tidegate("run", self._settings, "--stdio"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                limit=LINE,
            )
        self.spawn(self._read())

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self.take(json.loads(line))

    async def post(self, tree: Any) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(encoded(tree) + b"\n")
        await self._process.stdin.drain()

    async def cancel(self, tree: Any) -> None:
        await super().cancel(tree)
        self._replies.pop(tree["id"], None)

    async def cancel_stream(self, tree: Any, stream: asyncio.Task[Any]) -> None:
        """Cancel a request for a stream, as this transport does."""
        await stream
        await self.cancel(tree)

    async def close(self) -> bool:
        well = True
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            try:
                async with asyncio.timeout(10):
                    well = await self._process.wait() == 0
            except TimeoutError:
                well = False
                self._process.kill()
                await self._process.wait()
        return await super().close() and well


def all_clients(url: str, settings: Mapping[str, Path], folder: Path) -> list[Client]:
    """One client of each version and transport."""
    out: list[Client] = [SseClient(VERSIONS[0], url), *(HttpClient(version, url) for version in VERSIONS[1:])]
    return [*out, *(StdioClient(version, settings[version], folder / f"{version}.txt") for version in VERSIONS)]
