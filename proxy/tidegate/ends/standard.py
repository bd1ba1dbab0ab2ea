"""A server's standard streams by the descriptors of pipes: as transports of the event loop's."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.ends.buffers import Outbox


async def reading(descriptor: int, take: Callable[[bytes], None], ended: Callable[[], None]) -> asyncio.ReadTransport:
    """Return a transport that hands on what comes from a pipe.

    Args:
        descriptor: the pipe's, closed with the transport, or where there can't be one.
        take: takes what comes.
        ended: told when nothing more comes.
    """
    file = os.fdopen(descriptor, "rb", 0)
    try:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: _Reading(take, ended), file)
    except BaseException:
        file.close()
        raise
    return transport


async def writing(descriptor: int, outbox: Outbox, lost: Callable[[], None]) -> asyncio.WriteTransport:
    """Return a transport that writes to a pipe; the outbox isn't opened yet.

    Args:
        descriptor: the pipe's, closed with the transport, or where there can't be one.
        outbox: whose writers wait while too much is queued.
        lost: told when nobody reads any more, or the transport is closed.
    """
    file = os.fdopen(descriptor, "wb", 0)
    try:
        transport, _ = await asyncio.get_running_loop().connect_write_pipe(lambda: _Writing(outbox, lost), file)
    except BaseException:
        file.close()
        raise
    return transport


class _Reading(asyncio.Protocol):
    """Hands on what comes."""

    def __init__(self, take: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        self._ended = ended
        self.data_received = take  # type: ignore[method-assign, assignment]  # one call less for every read

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._ended()


class _Writing(asyncio.BaseProtocol):
    """Hands on when to wait."""

    def __init__(self, outbox: Outbox, lost: Callable[[], None]) -> None:
        self.pause_writing = outbox.pause  # type: ignore[method-assign]  # it is the outbox' business alone
        self.resume_writing = outbox.resume  # type: ignore[method-assign]  # as above
        self._lost = lost

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._lost()
