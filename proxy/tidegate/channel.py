"""What the launcher and the process that faces clients say to each other: JSON lines, and descriptors with them.

A request is ``{"id", "op", ...}``, its answer ``{"id", ...}`` or ``{"id", "error": SENTENCE}``; what the launcher says
by itself has an ``event`` and no ``id``.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK = 64 * 1024
_MOST_DESCRIPTORS = 64  # that come with one read
_LONGEST = 4 * 1024 * 1024  # bytes of a line


class Channel:
    """One end of a UNIX stream socket.

    Args:
        connection: the socket; it is this channel's to close.
        take: takes a message and the descriptors that came with it, which are its to close. ``fds`` in the message
            says how many those are.
        lost: told once, when the other side has gone or says what it shouldn't; not when this side closes.
    """

    def __init__(
        self,
        connection: socket.socket,
        take: Callable[[dict[str, Any], list[int]], None],
        lost: Callable[[], None],
    ) -> None:
        self._socket = connection
        self._take = take
        self._lost = lost
        self._buffer = b""
        self._descriptors: deque[int] = deque()
        self._queue: deque[tuple[bytes, tuple[int, ...]]] = deque()
        self._closed = False
        connection.settimeout(0)
        asyncio.get_running_loop().add_reader(connection.fileno(), self._readable)

    def send(self, message: dict[str, Any], *descriptors: int) -> None:
        """Send a message, and descriptors that stay open here; does nothing once the channel is closed."""
        if self._closed:
            return
        line = json.dumps(message | {"fds": len(descriptors)}, separators=(",", ":")).encode() + b"\n"
        self._queue.append((line, tuple(os.dup(descriptor) for descriptor in descriptors)))
        if len(self._queue) == 1:
            self._writable()

    def close(self) -> None:
        """Close it; what is still queued isn't sent."""
        if self._closed:
            return
        self._closed = True
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._socket.fileno())
        loop.remove_writer(self._socket.fileno())
        self._socket.close()
        for descriptor in [*self._descriptors, *(each for _, given in self._queue for each in given)]:
            os.close(descriptor)
        self._descriptors.clear()
        self._queue.clear()

    def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._queue:
                line, descriptors = self._queue[0]
                sent = socket.send_fds(self._socket, [line], descriptors) if descriptors else self._socket.send(line)
                for descriptor in descriptors:
                    os.close(descriptor)
                if sent == len(line):
                    self._queue.popleft()
                else:
                    self._queue[0] = (line[sent:], ())
            loop.remove_writer(self._socket.fileno())
        except BlockingIOError:
            loop.add_writer(self._socket.fileno(), self._writable)
        except OSError:
            self._end()

    def _readable(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._socket, _CHUNK, _MOST_DESCRIPTORS)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)  # noqa: FBT003 - the function's own signature
        self._descriptors.extend(descriptors)
        if not data:
            self._end()
            return
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            if self._closed:
                return
            self._hear(line)
        if len(self._buffer) > _LONGEST:
            self._end()

    def _hear(self, line: bytes) -> None:
        message = None
        with suppress(ValueError, RecursionError):
            message = json.loads(line)
        given = message.get("fds") if isinstance(message, dict) else None
        if not isinstance(message, dict) or not isinstance(given, int) or not 0 <= given <= len(self._descriptors):
            self._end()
            return
        self._take(message, [self._descriptors.popleft() for _ in range(given)])

    def _end(self) -> None:
        if not self._closed:
            self.close()
            self._lost()
