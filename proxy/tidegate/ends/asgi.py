"""The little of HTTP that Tidegate's servers need, straight on ASGI: requests in, whole answers or streams out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidegate.ends import direct, http_headers, sse
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from tidegate.streams import Outs

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

KEEP_ALIVE = 15.0  # seconds of silence on a stream until a comment is sent, so that nobody takes it for dead
SLOWEST = 16 * 1024  # bytes a second at which a request's body gets on
COMMENT = b":\r\n\r\n"
JSON = (b"content-type", b"application/json")
_JSON = ("content-type", "application/json")
STREAM = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)


class Gone(Exception):  # noqa: N818 - it says what happened
    """The client closed the connection."""


class Refused(Rejected):
    """A request that is refused with an HTTP status of its own.

    Attributes:
        status: the status.
    """

    def __init__(self, status: int, code: str, reason: str, *, size: int = 0) -> None:
        super().__init__(code, reason, size=size)
        self.status = status


@dataclass(slots=True)
class Request:
    """One HTTP request.

    Attributes:
        method: ``GET``, ``POST``, ...
        path: its path, percent-decoded.
        query: its query string, as sent.
        headers: by lower-case name, white space around values trimmed.
        receive: ASGI's own.
        send: ASGI's own.
        cycle: where the connection offers it, a way past the two (``direct.py``).
        streaming: whether its answer is a stream, which has a watch of its own.
    """

    method: str
    path: str
    query: bytes
    headers: dict[str, str]
    receive: Receive
    send: Send
    cycle: RequestResponseCycle | None = None
    streaming: bool = False

    @property
    def has_params(self) -> bool:
        """Whether it may have ``Mcp-Param-*`` headers; a name with that in its middle counts too."""
        return http_headers.PARAM_PREFIX in "\n".join(self.headers)  # a fourth of the time that a loop takes

    @classmethod
    def of(cls, scope: Scope, receive: Receive, send: Send) -> Request:
        """Return a request of whose head nothing is read but its first line."""
        return cls(scope["method"], scope["path"], scope["query_string"], {}, receive, send, direct.take(scope))

    def read(self, scope: Scope) -> None:
        """Read the rest of the head.

        Raises:
            Rejected: where a header stands twice that must not.
        """
        self.headers = http_headers.collect(scope["headers"])

    async def body(self, most: int, patience: float) -> bytes:
        """Return the whole body.

        Args:
            most: how many bytes it may have.
            patience: how long it may take, in seconds; each 16 KiB that come give it one more.

        Raises:
            Rejected: where it is longer than ``most`` bytes, or doesn't come.
            Gone: where the client closed the connection.
        """
        length = self.headers.get("content-length", "")
        if length.isdigit() and len(length) < 19 and int(length) > most:
            raise Rejected("limit", f"The message is longer than {most} bytes.", size=int(length))
        whole = direct.body(self.cycle) if self.cycle is not None else None
        if whole is not None:
            if len(whole) > most:
                raise Rejected("limit", f"The message is longer than {most} bytes.", size=len(whole))
            return whole
        parts: list[bytes] = []
        size, more = 0, True
        try:
            async with asyncio.timeout(patience) as clock:
                while more:
                    part = await self.receive()
                    if part["type"] == "http.disconnect":
                        raise Gone
                    parts.append(part.get("body", b""))
                    size += len(parts[-1])
                    if size > most:
                        raise Rejected("limit", f"The message is longer than {most} bytes.", size=size)
                    more = part.get("more_body", False)
                    if more:
                        clock.reschedule((clock.when() or 0.0) + len(parts[-1]) / SLOWEST)
        except TimeoutError:
            raise Refused(408, "parse", "The rest of the body didn't come in time.", size=size) from None
        return parts[0] if len(parts) == 1 else b"".join(parts)

    @property
    def left(self) -> bool:
        """Whether the client is known to have closed the connection."""
        return self.cycle is not None and self.cycle.disconnected

    async def gone(self) -> None:
        """Wait until the client closes the connection; the body must have been read."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def respond(self, status: int, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> None:
        """Send a whole answer, of JSON where it has a body."""
        given = headers.items() if headers else ()
        if self.cycle is not None:
            said = (_JSON, *given) if body else given
            if direct.respond(self.cycle, status, said, body or b""):
                return
        head = [(b"content-length", b"%d" % len(body or b""))]
        if body:
            head.append(JSON)
        head += [(key.encode("latin-1"), value.encode("latin-1")) for key, value in given]
        await self.send({"type": "http.response.start", "status": status, "headers": head})
        await self.send({"type": "http.response.body", "body": body or b""})

    async def stream(
        self, status: int, events: Outs, headers: Mapping[str, str], over: asyncio.Event, *, first: bytes = b""
    ) -> None:
        """Send a stream of server-sent events, each as soon as it is there, with comments in between.

        When the client closes the connection, or ``over`` is set, ``events`` is closed.
        """
        if self.cycle is not None and direct.lost(self.cycle):
            await events.aclose()
            return
        head = [*STREAM, *((key.encode("latin-1"), value.encode("latin-1")) for key, value in headers.items())]
        self.streaming = True
        watch = asyncio.create_task(self._watch(asyncio.current_task(), over), name="stream watch")
        try:
            async with contextlib.aclosing(events):
                await self.send({"type": "http.response.start", "status": status, "headers": head})
                if first:
                    await self._part(first)
                async for out in events:
                    await self._part(sse.encode(out.data or b"", id=out.id, retry=out.retry))
        except asyncio.CancelledError:
            if not watch.done() or watch.cancelled():
                raise  # neither the client nor its session: Tidegate itself is ending
            if not over.is_set():
                return
        finally:
            watch.cancel()
        await self.send({"type": "http.response.body", "body": b""})

    async def _part(self, data: bytes) -> None:
        await self.send({"type": "http.response.body", "body": data, "more_body": True})

    async def _watch(self, reader: asyncio.Task[Any] | None, over: asyncio.Event) -> None:
        """Keep the stream alive; when the client has gone, or its session is over, stop who reads it."""
        ends = [asyncio.create_task(self.gone()), asyncio.create_task(over.wait())]
        try:
            while not (await asyncio.wait(ends, timeout=KEEP_ALIVE, return_when=asyncio.FIRST_COMPLETED))[0]:
                await self._part(COMMENT)
        finally:
            for end in ends:
                end.cancel()
        if reader is not None:
            reader.cancel()


async def unless_gone(request: Request, work: Awaitable[None], after: float = 0.05) -> None:
    """Do work, and give it up when the client closes the connection meanwhile.

    Watching costs a task, so it begins only when the work takes longer than ``after`` seconds.
    """
    current = asyncio.current_task()
    watching: list[asyncio.Task[None]] = []

    async def watch() -> None:
        await request.gone()
        if current is not None and not request.streaming:  # a second cancellation would disturb what the first began
            current.cancel()

    def begin() -> None:
        watching.append(asyncio.create_task(watch(), name="request watch"))

    timer = asyncio.get_running_loop().call_later(after, begin)
    try:
        await work
    except asyncio.CancelledError:
        if not any(task.done() and not task.cancelled() for task in watching):
            raise
        raise Gone from None
    finally:
        timer.cancel()
        for task in watching:
            task.cancel()
