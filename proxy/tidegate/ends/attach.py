"""Connections to a container engine that stay open: a container's streams, and the wait for its end.

Source: Docker Engine API, "Attach to a container" and "Wait for a container". Both are plain HTTP whose connection
is then used otherwise, which no HTTP client offers to an event loop.
"""

from __future__ import annotations

import asyncio
import re
import struct
from typing import TYPE_CHECKING, cast

from tidegate.ends.pipe import PipeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.ends.buffers import Outbox

_HEAD_END = b"\r\n\r\n"
_MAX_HEAD = 64 * 1024
_FRAME = struct.Struct(">BxxxI")  # stream, three zeros, size
_STDOUT, _STDERR = 1, 2
_STATUS_CODE = re.compile(rb'"StatusCode":\s*(-?[0-9]{1,10})\s*[,}]')
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[ \r]")


class _Opened(asyncio.Protocol):
    """A request whose answer has no end for now.

    Attributes:
        head: done when the engine has agreed; a :class:`PipeError` if it hasn't.
        transport: the connection, once it is made.
    """

    def __init__(self, path: str, headers: str = "") -> None:
        self.head: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self._request = f"POST {path} HTTP/1.1\r\nHost: docker\r\n{headers}Content-Length: 0\r\n\r\n".encode()
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of asyncio's
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Take the head of the answer, and then what comes after it."""
        if self.head.done():
            self.took(data)
            return
        self._buffer += data
        head, end, rest = self._buffer.partition(_HEAD_END)
        if end:
            self._buffer = b""
            status = _STATUS_LINE.match(head)
            if status is not None and status[1] in (b"101", b"200"):
                self.head.set_result(None)
                self.took(rest)
            else:
                self._fail("The Docker engine refused a connection to a container.")
        elif len(self._buffer) > _MAX_HEAD:
            self._fail("The Docker engine's answer is not HTTP.")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Say that it is over."""
        self._fail("The Docker engine closed a connection to a container.")
        self.ended()

    def took(self, data: bytes) -> None:
        """Take what comes after the head."""
        raise NotImplementedError

    def ended(self) -> None:
        """Take the end of the connection."""
        raise NotImplementedError

    def _fail(self, reason: str) -> None:
        if not self.head.done():
            self.head.set_exception(PipeError(reason))
            self.head.exception()  # seen: who waited for it may have gone
            if self.transport is not None:
                self.transport.abort()


class Attached(_Opened):
    """A container's standard input, output and error.

    Args:
        name: the container's.
        stdout: takes what it writes to its standard output.
        stderr: takes what it writes to its standard error.
        lost: told when the connection has ended.
        outbox: whose writers wait while too much is queued.
    """

    def __init__(
        self,
        name: str,
        stdout: Callable[[bytes], None],
        stderr: Callable[[bytes], None],
        lost: Callable[[], None],
        outbox: Outbox,
    ) -> None:
        path = f"/containers/{name}/attach?stream=1&stdin=1&stdout=1&stderr=1"
        super().__init__(path, "Connection: Upgrade\r\nUpgrade: tcp\r\n")
        self.ended = lost  # type: ignore[method-assign]  # it is the owner's business alone
        self.pause_writing = outbox.pause  # type: ignore[method-assign]  # as above
        self.resume_writing = outbox.resume  # type: ignore[method-assign]  # as above
        self._takes = {_STDOUT: stdout, _STDERR: stderr}
        self._take = stdout
        self._left = 0  # bytes of the present frame that haven't come

    def took(self, data: bytes) -> None:
        """Tell the streams apart; a frame need not be whole to be passed on."""
        data = self._buffer + data if self._buffer else data
        self._buffer = b""
        at = 0
        while at < len(data):
            if self._left:
                part = data[at : at + self._left]
                at += len(part)
                self._left -= len(part)
                self._take(part)
            elif len(data) - at < _FRAME.size:
                self._buffer = data[at:]
                return
            else:
                stream, self._left = _FRAME.unpack_from(data, at)
                at += _FRAME.size
                if stream not in self._takes:
                    assert self.transport is not None
                    self.transport.abort()  # it isn't what it should be, so nothing of it can be trusted
                    return
                self._take = self._takes[stream]


class Removal(_Opened):
    """The wait for a container's end and removal.

    Attributes:
        status: its exit code once it is removed; None where the engine didn't say.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"/containers/{name}/wait?condition=removed", "Connection: close\r\n")
        self.status: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    def took(self, data: bytes) -> None:
        """Look for the exit code, which is all there is."""
        self._buffer = (self._buffer + data)[-_MAX_HEAD:]
        found = _STATUS_CODE.search(self._buffer)
        if found is not None and not self.status.done():
            self.status.set_result(int(found[1]))

    def ended(self) -> None:
        """Give up."""
        if not self.status.done():
            self.status.set_result(None)
