"""A lean HTTP/1.1 client for one address: whole requests and answers, kept connections, one time limit for all of it.

A connection whose answer is late, or odd, is dropped: nothing that comes over it later can be taken for the answer of
another request. There are no redirects, no decompression and no proxies. What it measured against general clients
is in ``docs/dependencies.md``.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import httptools

MOST = 16 * 1024 * 1024  # bytes of an answer
AT_ONCE = 64  # connections to one address; more requests wait, within their time
IDLE = 4.0  # seconds a connection is kept without use


class UnreachableError(Exception):
    """There is no answer, and there won't be one; the text says why in a few words."""


class _StaleError(Exception):
    """A kept connection turned out to be closed before a byte of the answer came."""


class Reply(NamedTuple):
    """An answer."""

    status: int
    body: bytes


class _Connection(asyncio.Protocol):
    """One connection, and the one answer that is on its way over it."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.transport: asyncio.Transport | None = None
        self.used = False  # whether an answer came over it already
        self.since = 0.0  # when it became idle
        self._waiter: asyncio.Future[Reply] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._parts: list[bytes] = []
        self._size = 0  # bytes that came since the request

    def ask(self, data: bytes) -> asyncio.Future[Reply]:
        """Send a request."""
        assert self.transport is not None, "it is connected"
        self._parts, self._size = [], 0
        self._waiter = self.address.loop.create_future()
        self.transport.write(data)
        return self._waiter

    def drop(self, error: Exception | None = None) -> None:
        """Close it at once."""
        waiter, self._waiter = self._waiter, None
        if self.transport is not None:
            self.transport.abort()
            self.transport = None
        if waiter is not None and not waiter.done():
            if error is None:
                waiter.cancel()
            else:
                waiter.set_exception(error)

    # asyncio's events

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of asyncio's

    def data_received(self, data: bytes) -> None:
        """Parse what comes; what nobody asked for ends the connection."""
        if self._waiter is None:
            self.drop()
            return
        self._size += len(data)
        if self._size > MOST:
            self.drop(UnreachableError("its answer is too long"))
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserCallbackError):
            self.drop(UnreachableError("its answer is not HTTP"))

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is waited for."""
        self.transport = None
        self.address.forget(self)
        stale = self.used and not self._size
        why = _why(exc) if isinstance(exc, OSError) else "the connection was closed"
        self.drop(_StaleError() if stale else UnreachableError(why))

    # llhttp's events

    def on_message_begin(self) -> None:
        """Drop the connection where an answer begins that nobody asked for."""
        if self._waiter is None:
            self.drop()

    def on_body(self, data: bytes) -> None:
        """Keep a part of the body."""
        self._parts.append(data)

    def on_message_complete(self) -> None:
        """The answer is whole: the connection can be used again, if both sides want it."""
        status, waiter = self._parser.get_status_code(), self._waiter
        if status < 200 or waiter is None:  # a provisional answer, or one more than was asked for
            return
        self._waiter, self.used = None, True
        if self._parser.should_keep_alive():
            self.address.keep(self)
        else:
            self.drop()
        if not waiter.done():
            waiter.set_result(Reply(status, b"".join(self._parts)))


class Address:
    """One address, and the connections to it.

    Args:
        url: ``http://…``, ``https://…`` or ``unix:/path``.
        tls: what is trusted, for ``https``.
        token: a bearer token.

    Attributes:
        url: as it is shown to people.

    Raises:
        ValueError: where the address, or the token, can't be used.
    """

    def __init__(self, url: str, tls: ssl.SSLContext | None, token: str | None) -> None:
        self.url = url
        self.loop = asyncio.get_running_loop()
        self._socket = "/" + url.removeprefix("unix:").lstrip("/") if url.startswith("unix:") else None
        parts = urlsplit("http://localhost" if self._socket else url)
        if not parts.hostname or parts.username is not None or parts.query or parts.fragment:
            raise ValueError("an address is a scheme, a host, a port and perhaps a path; nothing else")
        self._tls = tls if parts.scheme == "https" else None
        self._host, self._port = parts.hostname, parts.port or (443 if self._tls else 80)
        lines = [f" HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-type: application/json\r\n"]
        if token is not None:
            if not token.isascii() or not token.isprintable() or " " in token or not token:
                raise ValueError("the token can't be sent in a header")
            lines.append(f"authorization: Bearer {token}\r\n")
        self._head = "".join(lines).encode("ascii")
        self._prefix = parts.path.rstrip("/").encode("ascii")
        self._idle: list[_Connection] = []
        self._all: set[_Connection] = set()
        self._room = asyncio.Semaphore(AT_ONCE)

    async def request(self, method: str, path: str, body: bytes, seconds: float) -> Reply:
        """Send a request, and return its answer.

        Args:
            method: ``GET``, ``POST``, ...
            path: path and query, as they are sent.
            body: the body.
            seconds: how long all of it may take.

        Raises:
            UnreachableError: where there is no answer.
            TimeoutError: where it is late.
        """
        data = b"%b %b%b%bcontent-length: %d\r\n\r\n%b" % (
            method.encode(),
            self._prefix,
            path.encode(),
            self._head,
            len(body),
            body,
        )
        async with asyncio.timeout(seconds), self._room:
            while (kept := self._kept()) is not None:
                try:
                    return await self._asked(kept, data)
                except _StaleError:
                    continue
            return await self._asked(await self._connect(), data)

    async def _asked(self, connection: _Connection, data: bytes) -> Reply:
        try:
            return await connection.ask(data)
        except asyncio.CancelledError:
            connection.drop()
            raise

    def _kept(self) -> _Connection | None:
        while self._idle:
            found = self._idle.pop()
            if found.transport is not None and not found.transport.is_closing():
                if self.loop.time() - found.since < IDLE:
                    return found
                found.drop()
        return None

    async def _connect(self) -> _Connection:
        connection = _Connection(self)
        try:
            if self._socket is not None:
                await self.loop.create_unix_connection(lambda: connection, self._socket)
            else:
                await self.loop.create_connection(lambda: connection, self._host, self._port, ssl=self._tls)
        except (OSError, UnicodeError) as error:  # errors of name resolution and of TLS are of this kind
            raise UnreachableError(_why(error)) from None
        if connection.transport is None:
            raise UnreachableError("the connection was closed")
        self._all.add(connection)
        return connection

    def keep(self, connection: _Connection) -> None:
        """Keep a connection for the next request."""
        connection.since = self.loop.time()
        self._idle.append(connection)

    def forget(self, connection: _Connection) -> None:
        """A connection was closed."""
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    async def close(self) -> None:
        """Close all connections."""
        for connection in list(self._all):
            connection.drop(UnreachableError("Tidegate is stopping"))
        await asyncio.sleep(0)  # lets the transports close


def _why(error: OSError | UnicodeError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or type(error).__name__}"
    return getattr(error, "strerror", None) or type(error).__name__
