"""Bytes from one connection to another, and what a connection begins with."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from tidegate.egress import heads, hello

if TYPE_CHECKING:
    from tidegate.egress.heads import Head

CHUNK = 64 * 1024
ALERT = b"\x15\x03\x01\x00\x02\x02\x31"
"""What TLS says to who may not connect: a fatal alert, access_denied (RFC 8446, section 6)."""


class Limits(NamedTuple):
    """How long things may take.

    Attributes:
        begun: seconds for the head of a request, or the first message of TLS.
        idle: seconds a connection may carry nothing until it is cut.
    """

    begun: float = 10.0
    idle: float = 600.0


class Refused(Exception):  # noqa: N818 - it says what was done
    """A connection that may not be; the text says why.

    Attributes:
        address: the address that may not be connected to, which is for the record and not for who asked.
    """

    def __init__(self, reason: str, address: str = "") -> None:
        super().__init__(reason)
        self.address = address


class Inlet:
    """What comes from a connection; what was looked at is still there to be taken.

    Args:
        reader: the connection's.
        begun: seconds for what it begins with.

    Attributes:
        buffer: what has come and wasn't taken.
    """

    def __init__(self, reader: asyncio.StreamReader, begun: float = Limits().begun) -> None:
        self.buffer = b""
        self._begun = begun
        self._reader = reader

    async def more(self) -> bool:
        """Wait for more; whether there is any."""
        data = await self._reader.read(CHUNK)
        self.buffer += data
        return bool(data)

    async def take(self, most: int = CHUNK) -> bytes:
        """Return what comes next, b"" at the end."""
        if not self.buffer and not await self.more():
            return b""
        data, self.buffer = self.buffer[:most], self.buffer[most:]
        return data

    async def head(self) -> Head:
        """Take the head of a request.

        Raises:
            Refused: where it isn't well formed, too long, or late.
        """
        async with _in_time(self._begun):
            while True:
                head, end, rest = self.buffer.partition(heads.END)
                if len(head) > heads.LONGEST:
                    raise Refused("the head of the request is too long")
                if end:
                    self.buffer = rest
                    break
                if not await self.more():
                    raise Refused("the head of the request is not all there")
        try:
            return heads.parse(head + end)
        except ValueError as error:
            raise Refused(str(error)) from None

    async def opening(self) -> str | Head | None:
        """Return the name that TLS begins with, the head of a request of HTTP (taken), or None for anything else.

        Raises:
            Refused: for TLS or HTTP that isn't well formed, or late.
        """
        while not self.buffer:
            if not await self.more():
                return None
        async with _in_time(self._begun):
            if hello.is_tls(self.buffer):
                return await self._server_name()
            while (http := heads.is_http(self.buffer)) is None:
                if not await self.more():
                    return None
        return await self.head() if http else None

    async def _server_name(self) -> str | None:
        while True:
            try:
                return hello.server_name(self.buffer)
            except hello.Incomplete:
                if not await self.more():
                    raise Refused("the ClientHello is not all there") from None
                if len(self.buffer) > hello.LONGEST:
                    raise Refused("the ClientHello is too long") from None
                if not hello.is_tls(self.buffer[:2]):
                    return None
            except ValueError as error:
                raise Refused(str(error)) from None


class _in_time:  # noqa: N801 - used like a function
    """A time limit on what a connection begins with."""

    def __init__(self, seconds: float) -> None:
        self._limit = asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()

    async def __aexit__(self, *given: object) -> None:
        try:
            await self._limit.__aexit__(*given)  # type: ignore[arg-type]  # passed on as they came
        except TimeoutError:
            raise Refused("what the connection begins with took too long") from None


class Way:
    """A connection to the outside.

    Args:
        reader: what comes back.
        writer: what goes out.
        idle: seconds it may carry nothing.

    Attributes:
        sent: bytes that went out.
        received: bytes that came back.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, idle: float) -> None:
        self._idle = idle
        self.sent = self.received = 0
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Send bytes out."""
        self.sent += len(data)
        self._writer.write(data)
        await self._writer.drain()

    async def forward(self, inlet: Inlet, limit: asyncio.Timeout, most: int | None = None) -> None:
        """Send what comes from the inside: all until its end, or so many bytes."""
        while most is None or most > 0:
            data = await inlet.take(CHUNK if most is None else min(most, CHUNK))
            if not data:
                break
            self._touch(limit)
            await self.send(data)
            if most is not None:
                most -= len(data)
        if most is None:
            with suppress(OSError):
                self._writer.write_eof()

    async def answer(self, writer: asyncio.StreamWriter, limit: asyncio.Timeout) -> None:
        """Hand what comes back to the inside, until its end."""
        while data := await self._reader.read(CHUNK):
            self._touch(limit)
            self.received += len(data)
            writer.write(data)
            await writer.drain()

    def close(self) -> None:
        """Close it."""
        self._writer.close()

    def _touch(self, limit: asyncio.Timeout) -> None:
        """Start the time of idleness anew."""
        if not limit.expired():
            limit.reschedule(asyncio.get_running_loop().time() + self._idle)
