"""What the robustness tests run beside Tidegate: the echo over HTTP, the odd server on stdio, scripted HTTP servers."""

import asyncio
import json
import resource
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from robustness.talking import LEGACY
from robustness.watching import until
from support.proxy import RunningTidegate, audit_to, tidegate, write_settings

SERVERS = Path(__file__).parent / "servers"
START_SECONDS = 30.0


def stdio_server(*words: str, **settings: Any) -> dict[str, Any]:
    """The settings of the odd server on stdio; `words` change what it does from its start on.

    It has no sandbox, as it tells who it is by process IDs of this machine, and writes notes to the test's folder.
    """
    command = [sys.executable, "-S", "-E", str(SERVERS / "stdio.py"), *words]
    return {"command": command, "sandbox": "none", **settings}


def raise_limit() -> None:
    """Let this process, and what it starts, open as many descriptors as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


@asynccontextmanager
async def echo_upstream(folder: Path, log: Path | None = None) -> AsyncIterator[str]:
    """Run the echo over HTTP, a process of its own, until the block ends; what comes is its address."""
    ready = folder / "echo.ready"
    ready.unlink(missing_ok=True)
    words = [str(ready), *([str(log)] if log else [])]
    process = await asyncio.create_subprocess_exec(sys.executable, str(SERVERS / "echo_http.py"), *words)
    try:
        await until(lambda: ready.exists() or process.returncode is not None, "the echo's start", START_SECONDS)
        yield ready.read_text()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@dataclass(frozen=True)
class Asked:
    """One HTTP request as a scripted server got it."""

    method: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def tree(self) -> Any:
        """Its body as JSON."""
        return json.loads(self.body)


Script = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


def http(body: bytes | str, *, status: str = "200 OK", kind: str = "application/json", **headers: str) -> bytes:
    """Return an ordinary answer; `_` in a header's name stands for a hyphen."""
    data = body.encode() if isinstance(body, str) else body
    given = {"content-type": kind, "content-length": str(len(data)), **headers}
    lines = [f"HTTP/1.1 {status}", *(f"{key.replace('_', '-')}: {value}" for key, value in given.items())]
    return "\r\n".join([*lines, "", ""]).encode() + data


def stream_head() -> bytes:
    """Return the head of an answer that is a stream of events, chunked."""
    return b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """Return one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(tree: Any) -> bytes:
    """Return one event, as a chunk."""
    return chunk(b"data: " + json.dumps(tree).encode() + b"\n\n")


def said(asked: Asked, text: str) -> dict[str, Any]:
    """Return the reply to a call."""
    return {"jsonrpc": "2.0", "id": asked.tree["id"], "result": {"content": [{"type": "text", "text": text}]}}


class Scripted:
    """An HTTP server in this process whose answers to `tools/call` are the scripts of the tools' names.

    Attributes:
        url: its endpoint.
        calls: the calls it got, by tool.

    Args:
        scripts: what is done for each tool.
        other: what is done for all else but `initialize`; by default it is answered emptily.
    """

    def __init__(self, scripts: Mapping[str, Script], other: Script | None = None) -> None:
        self.url = ""
        self.calls: dict[str, list[Asked]] = {}
        self._scripts = scripts
        self._other = other
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Scripted"]:
        """Serve on an ephemeral port of 127.0.0.1 until the block ends."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=16 * 1024 * 1024)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while not writer.is_closing():
                    await self._answer(await _asked(reader), writer)
                    await writer.drain()
        finally:
            writer.transport.abort()

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.method != "POST":
            writer.write(http(b"", status="405 Method Not Allowed"))
            return
        match asked.tree.get("method"):
            case "initialize":
                info = {"name": "scripted", "version": "1"}
                agreed = {"protocolVersion": LEGACY, "capabilities": {"tools": {}}, "serverInfo": info}
                told = {"jsonrpc": "2.0", "id": asked.tree["id"], "result": agreed}
                writer.write(http(json.dumps(told), mcp_session_id="scripted"))
            case "tools/call":
                name = asked.tree["params"]["name"]
                self.calls.setdefault(name, []).append(asked)
                await self._scripts[name](asked, writer)
            case _ if self._other is not None:
                await self._other(asked, writer)
            case _ if "id" in asked.tree:
                writer.write(http(json.dumps({"jsonrpc": "2.0", "id": asked.tree["id"], "result": {}})))
            case _:
                writer.write(http(b"", status="202 Accepted"))


async def _asked(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    headers = {key.lower(): value.strip() for key, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(first.split(" ")[0], headers, body)


class Place(NamedTuple):
    """Where one Tidegate after the other runs: with the same settings, and the same audit log."""

    folder: Path
    settings: Path
    audit: Path


def place_of(folder: Path, servers: Mapping[str, Mapping[str, Any]]) -> Place:
    """Write the settings for these servers."""
    audit = folder / "audit.jsonl"
    listen = {"listen": "127.0.0.1:0"}
    return Place(folder, write_settings(folder / "tidegate.toml", servers, [audit_to(audit)], listen), audit)


@asynccontextmanager
async def started(place: Place) -> AsyncIterator[tuple[RunningTidegate, asyncio.subprocess.Process]]:
    """Start a Tidegate that the block ends somehow; what it left is killed."""
    ready, stderr = place.folder / "ready.json", place.folder / "stderr.txt"
    ready.unlink(missing_ok=True)
    with stderr.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *tidegate("run", place.settings, "--ready-file", ready), stdout=errors, stderr=errors, cwd=place.folder
        )
    try:
        await until(lambda: ready.exists() or process.returncode is not None, "Tidegate's start")
        assert process.returncode is None, stderr.read_text()[-4000:]
        url = json.loads(ready.read_text())["listen"]
        yield RunningTidegate(url, None, process.pid, place.settings, place.audit, stderr), process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
