"""A lean HTTP/1.1 client for the data path: llhttp's parser (httptools), kept connections, streamed bodies.

It does what a relay needs and no more: no redirects, no cookies, no decompression, no proxies. What it measured
against general clients is in ``docs/dependencies.md``. Source of the rules: RFC 9112.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache
from typing import cast
from urllib.parse import urlsplit

import httptools

from tidegate.ends.http_response import HttpError, Response, TooLong

MAX_HEAD = 64 * 1024  # bytes of an answer that are no body, one after the other: headers, trailers, marks of chunks
HIGH, LOW = 256 * 1024, 64 * 1024  # bytes of a body that wait to be read, at which reading pauses and resumes
IDLE = 4.0  # seconds a connection is kept without use: less than the 5 after which usual servers close it
SWEEP = 1.0  # seconds between two looks for what is late or idle

Headers = Iterable[tuple[str, str]]
Via = Callable[[Callable[[], "_Connection"]], Awaitable["_Connection"]]


class _Connection(asyncio.Protocol):
    """One connection, and the one answer that is on its way over it."""

    def __init__(self, origin: _Origin) -> None:
        self.origin = origin
        self.transport: asyncio.Transport | None = None
        self.response: Response | None = None
        self.used = 0  # answers that came over it
        self.heard = 0.0  # when something came last, or was sent
        self.patience: float | None = None  # seconds it may be silent; None for as long as it takes
        self._parser = httptools.HttpResponseParser(self)
        self._head_bytes = 0  # that came since the last of a body
        self._begun = False  # whether anything of the answer came
        self._in_head = True
        self._framed = False  # whether the body says itself where it ends (RFC 9112, section 6.3)
        self._paused = False

    @property
    def usable(self) -> bool:
        """Whether a request can be sent over it."""
        return self.transport is not None and not self.transport.is_closing()

    def send(self, data: bytes, patience: float | None) -> Response:
        """Send a request."""
        assert self.transport is not None
        self._head_bytes, self._begun, self._in_head, self._framed = 0, False, True, False
        self.patience, self.heard = patience, self.origin.loop.time()
        response = self.response = Response(self, self.origin.loop.create_future())
        self.transport.write(data)
        return response

    def flow(self, size: int) -> None:
        """Pause reading while too much waits to be read."""
        if self.transport is None:
            return
        if size > HIGH and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        elif size <= LOW and self._paused:
            self._paused = False
            self.transport.resume_reading()

    def fail(self, error: HttpError) -> None:
        """Close the connection, because what comes over it can't be used any more."""
        response, self.response = self.response, None
        if self.transport is not None:
            self.transport.abort()
        if response is not None:
            response.end(error)

    def check(self, now: float) -> None:
        """Close it where it has been silent, or idle, for too long."""
        silent = now - self.heard
        if self.response is None:
            if silent > IDLE and self.transport is not None:
                self.transport.close()
        elif self.patience is not None and silent > self.patience and not self._paused:
            self.fail(HttpError("The server didn't answer in time.", late=True))

    # asyncio's events

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of asyncio's

    def data_received(self, data: bytes) -> None:
        """Parse what comes; what nobody asked for closes the connection (answer splitting)."""
        if self.response is None:
            self.fail(HttpError("The server sent what nobody asked for."))
            return
        self.heard = self.origin.loop.time()
        self._begun = True
        self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserCallbackError):
            self.fail(HttpError("The server's answer is not HTTP."))
            return
        if self._head_bytes > MAX_HEAD:
            what = "The head of the server's answer" if self._in_head else "What goes with the server's answer"
            self.fail(HttpError(f"{what} is too long."))

    def connection_lost(self, exc: Exception | None) -> None:
        """End the answer: whole, where its body goes until the end of the connection; else it was cut."""
        self.transport = None
        self.origin.forget(self)
        response = self.response
        if response is None:
            return
        if not self._in_head and not self._framed and exc is None:
            self.response = None
            response.end(None)
        else:
            stale = self.used > 0 and not self._begun
            self.fail(HttpError("The server closed the connection before its answer was whole.", stale=stale))

    # llhttp's events

    def on_message_begin(self) -> None:
        """Refuse the beginning of what nobody asked for."""
        assert self.response is not None

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; trailers are none (RFC 9110, 6.5.1)."""
        assert self.response is not None
        if not self._in_head:
            return
        key, text = _lower(name), value.decode("latin-1").strip(" \t")
        if key in ("content-length", "transfer-encoding"):
            self._framed = True
        headers = self.response.headers
        headers[key] = f"{headers[key]}, {text}" if key in headers else text

    def on_headers_complete(self) -> None:
        """The head is in, unless it is a provisional one."""
        assert self.response is not None
        status = self._parser.get_status_code()
        if status < 200:
            self.response.headers.clear()
            return
        self.response.status = status
        if status in (204, 304):
            self._framed = True
        self._in_head = False
        if not self.response.head.done():
            self.response.head.set_result(None)

    def on_body(self, data: bytes) -> None:
        """Pass a part of the body on."""
        self._head_bytes = 0
        if self.response is not None:
            self.flow(self.response.put(data))

    def on_message_complete(self) -> None:
        """The answer is whole: the connection can be used again, if both sides want it."""
        response = self.response
        if self._in_head or response is None:
            return
        self.response = None
        self.used += 1
        self.flow(0)
        if self._framed and self._parser.should_keep_alive() and self.usable:
            self.origin.idle.append(self)
        elif self.transport is not None:
            self.transport.close()
        response.end(None)


class _Origin:
    """The connections to one scheme, host and port."""

    def __init__(self, client: HttpClient, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self.loop = client.loop
        self._via = client.via
        self.host = host
        self.port = port
        self.tls = tls
        self.idle: list[_Connection] = []
        self.all: set[_Connection] = set()

    async def connection(self, timeout: float) -> _Connection:  # noqa: ASYNC109 - armed only where a connection is made
        """Return a connection nobody uses.

        Raises:
            HttpError: where none can be made.
        """
        while self.idle:
            found = self.idle.pop()
            if found.usable and self.loop.time() - found.heard < IDLE:
                return found
        try:
            async with asyncio.timeout(timeout):
                made = await (self._via(lambda: _Connection(self)) if self._via is not None else self._connected())
        except TimeoutError:
            raise HttpError("The server can't be reached: no connection in time.") from None
        except OSError as error:  # errors of name resolution and of TLS are of this kind
            refused = isinstance(error, ConnectionRefusedError)
            raise HttpError(f"The server can't be reached: {_why(error)}.", refused=refused) from None
        self.all.add(made)
        return made

    async def _connected(self) -> _Connection:
        name = self.host if self.tls else None
        _, made = await self.loop.create_connection(
            lambda: _Connection(self), self.host, self.port, ssl=self.tls, server_hostname=name
        )
        return made

    def forget(self, connection: _Connection) -> None:
        """A connection was closed."""
        self.all.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    return error.strerror or type(error).__name__


class Target:
    """A URL to talk to, taken apart once.

    Attributes:
        origin: scheme, host and port.
        path: path and query.
    """

    __slots__ = ("host", "origin", "path", "port", "prefix", "tls")

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.tls = parts.scheme == "https"
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if self.tls else 80)
        self.origin = (self.tls, self.host, self.port)
        query = f"?{parts.query}" if parts.query else ""
        self.path = f"{parts.path or '/'}{query}"
        shown = f"[{self.host}]" if ":" in self.host else self.host
        host = shown if self.port == (443 if self.tls else 80) else f"{shown}:{self.port}"
        self.prefix = f" {self.path} HTTP/1.1\r\nhost: {host}\r\n"


@lru_cache(256)
def _lower(name: bytes) -> str:
    return name.decode("latin-1").lower()


@lru_cache(256)
def _head(method: str, prefix: str, headers: tuple[tuple[str, str], ...]) -> bytes:
    """Return the head of a request but for its length: the same for most requests of a session."""
    lines = [method, prefix, *(f"{name}: {value}\r\n" for name, value in headers)]
    head = "".join(lines)
    if head.count("\n") != len(lines) or head.count("\r") != len(lines) or "\0" in head:
        raise ValueError("a header holds a line break")
    return head.encode("latin-1")


class HttpClient:
    """All connections to remote servers, kept and shared by their origin.

    Args:
        via: makes a connection for a protocol, in the place of the event loop; for a client of one server.
    """

    def __init__(self, via: Via | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.via = via
        self._origins: dict[tuple[bool, str, int], _Origin] = {}
        self._tls: ssl.SSLContext | None = None
        self._sweeper = self.loop.call_later(SWEEP, self._sweep)

    async def request(
        self,
        method: str,
        target: Target,
        headers: Headers,
        body: bytes | None,
        *,
        connect: float,
        patience: float | None,
    ) -> Response:
        """Send a request, and return its answer once the head is in.

        Args:
            method: ``GET``, ``POST``, ...
            target: where to.
            headers: the headers, besides Host and Content-Length.
            body: the body.
            connect: how long making a connection may take, in seconds.
            patience: how long the server may be silent, in seconds; ``None`` for as long as it takes.

        Raises:
            HttpError: where it failed.
            ValueError: for a header that holds a line break or isn't Latin-1.
        """
        response = await self.begin(method, target, headers, body, connect=connect, patience=patience)
        try:
            await response.head
        except asyncio.CancelledError:
            response.close()
            raise
        return response

    async def begin(
        self,
        method: str,
        target: Target,
        headers: Headers,
        body: bytes | None,
        *,
        connect: float,
        patience: float | None,
    ) -> Response:
        """Send a request as :meth:`request` does, and return its answer before its head is in.

        Raises:
            HttpError: where no connection can be made.
            ValueError: for a header that holds a line break or isn't Latin-1.
        """
        head = _head(method, target.prefix, tuple(headers))
        data = head + b"\r\n" if body is None else b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body)
        origin = self._origins.get(target.origin) or self._origin(target)
        return (await origin.connection(connect)).send(data, patience)

    def _origin(self, target: Target) -> _Origin:
        if target.tls and self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        made = _Origin(self, target.host, target.port, self._tls if target.tls else None)
        return self._origins.setdefault(target.origin, made)

    def _sweep(self) -> None:
        now = self.loop.time()
        for origin in self._origins.values():
            for connection in list(origin.all):
                connection.check(now)
        self._sweeper = self.loop.call_later(SWEEP, self._sweep)

    def stop(self) -> None:
        """Close all connections; their transports close in a moment."""
        self._sweeper.cancel()
        for origin in self._origins.values():
            for connection in list(origin.all):
                connection.fail(HttpError("Tidegate is stopping."))

    async def close(self) -> None:
        """Close all connections."""
        self.stop()
        await asyncio.sleep(0)  # lets the transports close


__all__ = ["HttpClient", "HttpError", "Response", "Target", "TooLong"]
