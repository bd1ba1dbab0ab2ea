"""Connections to a container engine that stay open: a container's streams, and the wait for its end.

Source: Docker Engine API, "Attach to a container" and "Wait for a container". Both are plain HTTP whose connection
is then used otherwise, which no HTTP client offers.
"""

from __future__ import annotations

import asyncio
import re
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from tidegate.ends.pipe import PipeError

if TYPE_CHECKING:
    from tidegate.containers.engine import Engine

_HEAD_END = b"\r\n\r\n"
_MAX_HEAD = 64 * 1024
_CHUNK = 256 * 1024
_CONNECT_SECONDS = 30.0
_STATUS_CODE = re.compile(rb'"StatusCode":\s*(-?[0-9]{1,10})\s*[,}]')
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[ \r]")
_AGREED = (b"101", b"200")

_bridges: set[asyncio.Task[None]] = set()  # a task that nobody keeps may be lost


async def attach(engine: Engine, container: str, *, error_only: bool = False) -> socket.socket:
    """Return a connection that carries a container's standard input, output and error; before it is started.

    Args:
        engine: where it is.
        container: its name.
        error_only: whether it is to carry its standard error alone.

    Raises:
        PipeError: where the engine refuses, or can't be reached.
    """
    others = "" if error_only else "&stdin=1&stdout=1"
    path = f"/containers/{container}/attach?stream=1{others}&stderr=1"
    request = _request(path, "Connection: Upgrade\r\nUpgrade: tcp\r\n")
    if engine.context is not None:
        return await _bridged(engine, request)
    return await engine.starting(lambda _: _handshake(engine.socket(_CONNECT_SECONDS), request))


def _request(path: str, headers: str) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: docker\r\n{headers}Content-Length: 0\r\n\r\n".encode()


def _handshake(connection: socket.socket, request: bytes) -> socket.socket:
    """Send a request and take the head of its answer, and not one byte more; in a thread."""
    try:
        connection.sendall(request)
        head = bytearray()
        while not head.endswith(_HEAD_END) and len(head) < _MAX_HEAD:
            byte = connection.recv(1)
            if not byte:
                break
            head += byte
        _check(bytes(head))
    except BaseException:
        connection.close()
        raise
    return connection


def _check(head: bytes) -> None:
    status = _STATUS_LINE.match(head)
    if status is None or not head.endswith(_HEAD_END):
        raise PipeError("The Docker engine's answer is not HTTP.")
    if status[1] not in _AGREED:
        raise PipeError("The Docker engine refused a connection to a container.")


async def _bridged(engine: Engine, request: bytes) -> socket.socket:
    """Return one end of a pair of sockets whose other end is tied to a connection over TLS."""
    async with asyncio.timeout(_CONNECT_SECONDS):
        reader, writer = await engine.streams()
        try:
            writer.write(request)
            _check(await reader.readuntil(_HEAD_END))
            ours, theirs = socket.socketpair()
            near, back = await asyncio.open_unix_connection(sock=ours)
        except BaseException as error:
            writer.transport.abort()
            if isinstance(error, (asyncio.IncompleteReadError, asyncio.LimitOverrunError)):
                raise PipeError("The Docker engine's answer is not HTTP.") from None
            raise

    async def tie() -> None:
        # TLS has no way to end one direction, so the end of either direction ends both.
        ways = [asyncio.create_task(_copy(reader, back)), asyncio.create_task(_copy(near, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            writer.transport.abort()
            back.close()

    task = asyncio.create_task(tie(), name="container streams over TLS")
    _bridges.add(task)
    task.add_done_callback(_bridges.discard)
    return theirs


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(_CHUNK):
            sink.write(data)
            await sink.drain()


class Removal(asyncio.Protocol):
    """The wait for a container's end and removal: a request whose answer has no end for now.

    Attributes:
        head: done when the engine has agreed; a :class:`PipeError` if it hasn't.
        status: the container's exit code once it is removed; None where the engine didn't say.
        transport: the connection, once it is made.
    """

    def __init__(self, container: str) -> None:
        loop = asyncio.get_running_loop()
        self.head: asyncio.Future[None] = loop.create_future()
        self.status: asyncio.Future[int | None] = loop.create_future()
        self.transport: asyncio.Transport | None = None
        self._request = _request(f"/containers/{container}/wait?condition=removed", "Connection: close\r\n")
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of asyncio's
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Take the head of the answer, and then look for the exit code, which is all there is."""
        self._buffer = (self._buffer + data)[-_MAX_HEAD:]
        if not self.head.done():
            head, end, rest = self._buffer.partition(_HEAD_END)
            if not end and len(head) < _MAX_HEAD:
                return
            self._buffer = rest
            try:
                _check(head + end)
            except PipeError as error:
                self._fail(error)
                return
            self.head.set_result(None)
        found = _STATUS_CODE.search(self._buffer)
        if found is not None and not self.status.done():
            self.status.set_result(int(found[1]))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Give up."""
        self._fail(PipeError("The Docker engine closed a connection to a container."))
        if not self.status.done():
            self.status.set_result(None)

    def _fail(self, error: PipeError) -> None:
        if not self.head.done():
            self.head.set_exception(error)
            self.head.exception()  # seen: who waited for it may have gone
            if self.transport is not None:
                self.transport.abort()
