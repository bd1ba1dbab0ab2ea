"""A load client for MCP over HTTP: raw sockets on uvloop, and every echo is checked.

`python -m benchmarks.load http://127.0.0.1:PORT/mcp --pid PID` prints one JSON line of `Figures`. As a
library: `measure()`, or `sequential()` and `concurrent()` by themselves.
"""

import argparse
import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Self, TypeVar, cast
from urllib.parse import urlsplit

import httptools
import orjson
import psutil
import uvloop

LEGACY = "2025-11-25"
MODERN = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "benchmark", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
SMALL = "hello"
BIG = "x" * 102_400
PATIENCE = 60.0  # seconds beyond a phase's own length until it counts as hung
Json = dict[str, Any]
T = TypeVar("T")


class WrongAnswerError(Exception):
    """An answer that isn't the echo of what was sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer: its status, the headers this client needs, and its body."""

    status: int
    kind: str
    session: str | None
    body: bytes

    def message(self) -> Json:
        """The JSON-RPC reply in the body, be it JSON or the last event of an SSE stream."""
        body = self.body
        if "event-stream" in self.kind:
            events = body.replace(b"\r\n", b"\n").split(b"\n\n")
            datas = [
                b"\n".join(line[5:].lstrip() for line in event.split(b"\n") if line.startswith(b"data:"))
                for event in events
            ]
            body = next(data for data in reversed(datas) if data)
        reply: Json = orjson.loads(body)
        return reply


class Connection(asyncio.Protocol):
    """One keep-alive HTTP/1.1 connection with one request in flight."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.waiting: asyncio.Future[Answer] | None = None
        self.parser = httptools.HttpResponseParser(self)
        self.on_message_begin()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's don't derive from asyncio's

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_exception(exc or ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            if self.waiting is not None and not self.waiting.done():
                self.waiting.set_exception(error)

    def on_message_begin(self) -> None:
        self.kind = ""
        self.session: str | None = None
        self.chunks: list[bytes] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"content-type":
            self.kind = value.decode("latin-1")
        elif name == b"mcp-session-id":
            self.session = value.decode("latin-1").strip()

    def on_body(self, body: bytes) -> None:
        self.chunks.append(body)

    def on_message_complete(self) -> None:
        if self.waiting is not None and not self.waiting.done():
            status = self.parser.get_status_code()
            self.waiting.set_result(Answer(status, self.kind, self.session, b"".join(self.chunks)))

    async def ask(self, head: bytes, body: bytes) -> Answer:
        """Send one request; its answer, once it is whole."""
        assert self.transport is not None
        self.waiting = asyncio.get_running_loop().create_future()
        self.transport.write(head + body)
        return await self.waiting


class Session:
    """One client of an MCP server, on one connection. Use it as an async context manager."""

    def __init__(self, url: str, *, modern: bool = False) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        self.modern = modern
        self.count = 0
        self.fixed = (
            f"Host: {self.host}:{self.port}\r\nContent-Type: application/json\r\n"
            "Accept: application/json, text/event-stream\r\n"
        )
        self.line = f" {parts.path or '/'} HTTP/1.1\r\n"
        self.connection = Connection()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self.connection, self.host, self.port)
        if self.modern:
            self.fixed += f"MCP-Protocol-Version: {MODERN}\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\n"
            return self
        client = {"name": "benchmark", "version": "1"}
        params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": client}
        answer = await self.post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
        if answer.status != 200 or "result" not in answer.message():
            raise WrongAnswerError(f"initialize: status {answer.status}: {answer.body[:200]!r}")
        self.fixed += f"MCP-Protocol-Version: {answer.message()['result']['protocolVersion']}\r\n"
        if answer.session:
            self.fixed += f"Mcp-Session-Id: {answer.session}\r\n"
        await self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return self

    async def __aexit__(self, *_: object) -> None:
        transport = self.connection.transport
        if transport is None:
            return
        if not self.modern:
            await self.connection.ask(f"DELETE{self.line}{self.fixed}\r\n".encode(), b"")
        transport.close()

    async def post(self, message: Json) -> Answer:
        """Send one message; the HTTP answer to it."""
        body = orjson.dumps(message)
        head = f"POST{self.line}{self.fixed}Content-Length: {len(body)}\r\n\r\n"
        return await self.connection.ask(head.encode(), body)

    async def ask(self, method: str) -> Json:
        """Send a request without parameters; its result. Raises WrongAnswerError."""
        self.count += 1
        message: Json = {"jsonrpc": "2.0", "id": self.count, "method": method, "params": {}}
        if self.modern:
            message["params"]["_meta"] = META
            self.fixed = self.fixed.replace("Mcp-Method: tools/call\r\nMcp-Name: echo\r\n", f"Mcp-Method: {method}\r\n")
        answer = await self.post(message)
        reply = answer.message()
        if answer.status != 200 or reply.get("id") != self.count or "result" not in reply:
            raise WrongAnswerError(f"{method}: status {answer.status}: {answer.body[:200]!r}")
        result: Json = reply["result"]
        return result

    async def echo(self, text: str) -> float:
        """Call the echo tool and check its answer; seconds it took. Raises WrongAnswerError."""
        self.count += 1
        params: Json = {"name": "echo", "arguments": {"text": text}}
        if self.modern:
            params["_meta"] = META
        message = {"jsonrpc": "2.0", "id": self.count, "method": "tools/call", "params": params}
        began = time.perf_counter()
        answer = await self.post(message)
        took = time.perf_counter() - began
        if answer.status != 200:
            raise WrongAnswerError(f"status {answer.status}: {answer.body[:200]!r}")
        reply = answer.message()
        result = reply.get("result", {})
        content = result.get("content") or [{}]
        if reply.get("id") != self.count or result.get("isError") or content[0].get("text") != text:
            raise WrongAnswerError(f"not the echo: {answer.body[:200]!r}")
        return took


@dataclass(frozen=True, slots=True)
class Tree:
    """A process with its descendants, as the operating system counts them."""

    pid: int

    def _members(self) -> list[psutil.Process]:
        root = psutil.Process(self.pid)
        return [root, *root.children(recursive=True)]

    def _each(self, look: Callable[[psutil.Process], float]) -> Iterator[float]:
        for member in self._members():
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
                yield look(member)

    def cpu_seconds(self) -> float:
        """User and system time of the tree so far."""
        return sum(self._each(lambda member: sum(member.cpu_times()[:2])))

    def rss_mb(self) -> float:
        """Resident memory of the tree, in MB (10^6 bytes)."""
        return sum(self._each(lambda member: float(member.memory_info().rss))) / 1e6

    def own_rss_mb(self) -> float:
        """Resident memory of the process alone, in MB."""
        return float(psutil.Process(self.pid).memory_info().rss) / 1e6


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to measure: calls one after another, 100 KB calls, sessions and seconds side by side."""

    sequential: int = 500
    big: int = 100
    sessions: int = 16
    seconds: float = 8.0
    warm: int = 100
    modern: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of one target. Times in ms, memory in MB; `cpu_us` is per request, of the tree."""

    seq_p50: float
    seq_p99: float
    big_p50: float
    big_p99: float
    rps: float
    conc_p50: float
    conc_p99: float
    cpu_us: float | None
    rss_mb: float | None
    own_rss_mb: float | None
    calls: int


def percentile(seconds: list[float], share: float) -> float:
    """The value below which `share` of the values lie, in milliseconds."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e3


async def sequential(url: str, plan: Plan) -> tuple[list[float], list[float]]:
    """Seconds of each small call and of each 100 KB call, one after another on one session."""
    async with asyncio.timeout(PATIENCE), Session(url, modern=plan.modern) as session:
        for _ in range(plan.warm):
            await session.echo(SMALL)
        small = [await session.echo(SMALL) for _ in range(plan.sequential)]
        big = [await session.echo(BIG) for _ in range(plan.big)]
    return small, big


async def concurrent(
    url: str, plan: Plan, *, calls: int | None = None, at_end: Callable[[float], None] | None = None
) -> tuple[list[float], float]:
    """Seconds of each call, and of all: `plan.sessions` sessions call for `plan.seconds`, or `calls` times.

    `at_end(elapsed)` is called while the sessions are still open.
    """
    limit = float("inf") if calls is None else calls
    patience = PATIENCE + (plan.seconds if calls is None else calls / 100)
    times: list[float] = []
    sessions = [Session(url, modern=plan.modern) for _ in range(plan.sessions)]
    async with asyncio.timeout(patience), _Opened(sessions):
        began = time.perf_counter()
        end = began + plan.seconds if calls is None else float("inf")

        async def work(session: Session) -> None:
            while len(times) < limit and time.perf_counter() < end:
                times.append(await session.echo(SMALL))

        try:
            async with asyncio.TaskGroup() as group:
                for session in sessions:
                    group.create_task(work(session))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None  # they fail alike: the first one says it
        elapsed = time.perf_counter() - began
        if at_end:
            at_end(elapsed)
    return times, elapsed


class _Opened:
    """Sessions opened one after another, and all closed at the end."""

    def __init__(self, sessions: list[Session]) -> None:
        self.sessions = sessions

    async def __aenter__(self) -> None:
        for session in self.sessions:
            await session.__aenter__()

    async def __aexit__(self, *_: object) -> None:
        for session in self.sessions:
            await session.__aexit__()


async def measure(url: str, plan: Plan, pid: int | None = None) -> Figures:
    """Measure one target. `pid` is its process, whose tree's CPU time and memory are read."""
    tree = None if pid is None else Tree(pid)
    small, big = await sequential(url, plan)
    before = tree.cpu_seconds() if tree else 0.0
    seen: dict[str, float] = {}

    def look(_elapsed: float) -> None:
        if tree:
            seen.update(cpu=tree.cpu_seconds() - before, rss=tree.rss_mb(), own=tree.own_rss_mb())

    times, elapsed = await concurrent(url, plan, at_end=look)
    return Figures(
        seq_p50=percentile(small, 0.5),
        seq_p99=percentile(small, 0.99),
        big_p50=percentile(big, 0.5),
        big_p99=percentile(big, 0.99),
        rps=len(times) / elapsed,
        conc_p50=percentile(times, 0.5),
        conc_p99=percentile(times, 0.99),
        cpu_us=seen["cpu"] / len(times) * 1e6 if tree else None,
        rss_mb=seen.get("rss"),
        own_rss_mb=seen.get("own"),
        calls=len(small) + len(big) + len(times),
    )


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure one MCP endpoint with an echo tool.")
    parser.add_argument("url")
    parser.add_argument("--pid", type=int, help="the target's process, for CPU time and memory")
    parser.add_argument("--modern", action="store_true", help="speak 2026-07-28 instead of 2025-11-25")
    parser.add_argument("--sessions", type=int, default=Plan().sessions)
    parser.add_argument("--seconds", type=float, default=Plan().seconds)
    options = parser.parse_args()
    plan = Plan(sessions=options.sessions, seconds=options.seconds, modern=options.modern)
    figures = run(measure(options.url, plan, options.pid))
    rounded = {key: value and round(value, 3) for key, value in asdict(figures).items()}
    print(orjson.dumps(rounded).decode())


if __name__ == "__main__":
    main()
