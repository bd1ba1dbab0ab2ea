"""The HTTP server's side of a client's connection, for clients that send or read too slowly, or without end.

uvicorn limits neither the size of a request's head nor the time it may take, and waits for ever for a client that
doesn't read. Here each connection knows since when it is its client's turn, and is asked once a second.
Sources: RFC 9110, 6.5.1 (trailers are no headers) and 15.5.9 (408); RFC 6585, section 5 (431); RFC 9112, 9.6
(closing in two steps, because a client that is still sending would be reset before it has read why).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any

import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tidegate.ends import direct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

log = structlog.get_logger("tidegate.http")

MAX_HEAD = 64 * 1024  # bytes of a request that are no body, one after the other
LINGER = 2.0  # seconds in which a client that was cut off can read why
_TOO_LARGE = b"431 Request Header Fields Too Large"
_TOO_SLOW = b"408 Request Timeout"


class ClientConnection(HttpToolsProtocol):
    """One connection of a client's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._since: float | None = None  # since when the rest of a request is waited for, and nothing else
        self._full_since: float | None = None  # since when the client takes nothing of what waits for it
        self._head_bytes = 0  # that came since the last of a body, or of a whole request
        self._in_body = False
        self._open = 0  # requests that are not answered yet
        self._over = False  # whether it was cut off, and what still comes is dropped

    def check(self, now: float, patience: float) -> None:
        """Cut it off where its client was too slow.

        Args:
            now: the event loop's time.
            patience: how long it may take, in seconds.
        """
        if self._over:
            if now - (self._since or 0.0) > LINGER:
                self.transport.abort()
        elif self._full_since is not None:
            if now - self._full_since > patience:
                log.warning("client cut off", reason="it is too slow to read what it asked for")
                self.transport.abort()
        elif self._since is None:
            if self.transport.is_closing():
                self._since = now  # what was written last isn't taken
        elif now - self._since > patience:
            self._cut(_TOO_SLOW)

    def _cut(self, status: bytes) -> None:
        """Close it; say why, unless nothing was asked, or the request has its answer."""
        log.warning("client cut off", reason=status.decode())
        if self._head_bytes and not self._in_body and not self._open and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 %b\r\nconnection: close\r\ncontent-length: 0\r\n\r\n" % status)
            self.transport.write_eof()
            self._over, self._since = True, self.loop.time()
        else:
            self.transport.abort()

    # asyncio's events

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Wait for the first request."""
        super().connection_made(transport)
        self._since = self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Take bytes, as long as they get on."""
        if self._over:
            return
        if self._since is None and not self._open:
            self._since = self.loop.time()
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > MAX_HEAD:
            self._cut(_TOO_LARGE)

    def pause_writing(self) -> None:
        """The client doesn't take what waits for it."""
        self._full_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client has taken most of it."""
        self._full_since = None
        super().resume_writing()

    # llhttp's events

    def on_headers_complete(self) -> None:
        """The head is in, so what is waited for now is the application's business."""
        super().on_headers_complete()
        self.headers = deque(maxlen=0)  # type: ignore[assignment]  # where trailers go: the scope has the headers
        self._since, self._head_bytes, self._in_body = None, 0, True
        self._open += 1
        direct.offer(self.cycle)

    def on_body(self, body: bytes) -> None:
        """The body gets on."""
        self._head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        super().on_message_complete()
        self._head_bytes, self._in_body = 0, False

    def on_response_complete(self) -> None:
        """The answer is written; what is still to come of the request, or has come of the next, may not dawdle."""
        self._open -= 1
        super().on_response_complete()
        self._since = self.loop.time() if self._in_body or self._head_bytes else None


class ClientServer(uvicorn.Server):
    """A server of such connections. It leaves signals to Tidegate.

    Args:
        config: uvicorn's, with :class:`ClientConnection` as its protocol.
        patience: how long a client may take, in seconds; asked each time, because a reload may change it.
    """

    def __init__(self, config: uvicorn.Config, patience: Callable[[], float]) -> None:
        super().__init__(config)
        self._patience = patience

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Look once a second, which is every tenth tick, for clients that are too slow."""
        if counter % 10 == 0:
            now, patience = asyncio.get_running_loop().time(), self._patience()
            for connection in list(self.server_state.connections):
                assert isinstance(connection, ClientConnection)
                connection.check(now, patience)
        return await super().on_tick(counter)
