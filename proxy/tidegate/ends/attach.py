"""A container's streams, on a connection that carries all three.

Source: Docker Engine API, "Attach to a container", stream format.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.ends.buffers import Outbox

_FRAME = struct.Struct(">BxxxI")  # stream, three zeros, size
_STDOUT, _STDERR = 1, 2


class Attached(asyncio.Protocol):
    """A container's standard input, output and error.

    Args:
        stdout: takes what it writes to its standard output.
        stderr: takes what it writes to its standard error.
        lost: told when the connection has ended.
        outbox: whose writers wait while too much is queued.

    Attributes:
        transport: the connection, once it is made.
    """

    def __init__(
        self,
        stdout: Callable[[bytes], None],
        stderr: Callable[[bytes], None],
        lost: Callable[[], None],
        outbox: Outbox,
    ) -> None:
        self.transport: asyncio.Transport | None = None
        self.pause_writing = outbox.pause  # type: ignore[method-assign]  # it is the owner's business alone
        self.resume_writing = outbox.resume  # type: ignore[method-assign]  # as above
        self._lost = lost
        self._takes = {_STDOUT: stdout, _STDERR: stderr}
        self._take = stdout
        self._left = 0  # bytes of the present frame that haven't come
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of asyncio's

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Say that it is over, and let go of whom it is told to, who holds this."""
        self._lost()
        self._takes.clear()
        self._take = self._lost = _nobody

    def data_received(self, data: bytes) -> None:
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
                    self.transport.abort()
                    return
                self._take = self._takes[stream]


def _nobody(*_: bytes) -> None:
    """Take nothing."""
