"""A way past ASGI's messages for the usual request: its body has come whole, and its answer goes out whole.

ASGI takes a body and gives an answer in at least three awaited messages, which cost as much as judging does
(``benchmarks/README.md``). uvicorn's cycle of one request and its answer holds both, so they are taken from it and
given to it directly. Where anything is unusual, nothing is done here, and ASGI's messages are used.
"""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping
    from typing import Any

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

EXTENSION = "tidegate"
"""The name of the ASGI extension under which the connection offers its cycle."""


def offer(cycle: RequestResponseCycle) -> None:
    """Put a cycle into the scope of its request."""
    cycle.scope["extensions"] = {EXTENSION: cycle}  # type: ignore[dict-item]  # ASGI wants dicts there; it is our own


def take(scope: MutableMapping[str, Any]) -> RequestResponseCycle | None:
    """Take the cycle of a request out of its scope; ``None`` where the server offers none.

    Left there, each would hold the other, and a finished request would stay until the collector comes by.
    """
    taken: RequestResponseCycle | None = scope.get("extensions", {}).pop(EXTENSION, None)
    return taken


def body(cycle: RequestResponseCycle) -> bytes | None:
    """Return the body of a request, if it has come whole; else ``None``, and nothing was done."""
    if cycle.more_body or cycle.disconnected or cycle.response_complete:
        return None
    data = bytes(cycle.body)
    cycle.body = bytearray()
    cycle.message_event.clear()  # the next thing to wait for is the end of the connection
    cycle.flow.resume_reading()
    return data


def lost(cycle: RequestResponseCycle) -> bool:
    """Whether the connection is lost. uvicorn hears of that a moment later, or never, and would write to it."""
    if cycle.transport.is_closing():
        cycle.disconnected = True
    return cycle.disconnected


def respond(cycle: RequestResponseCycle, status: int, headers: Iterable[tuple[str, str]], data: bytes) -> bool:
    """Send a whole answer; return whether it was done.

    Args:
        cycle: the request's.
        status: the HTTP status.
        headers: all headers but Content-Length.
        data: the body, which may be empty.
    """
    if lost(cycle):
        return True  # nobody is there to be told
    if cycle.response_started or cycle.flow.write_paused or cycle.scope["method"] == "HEAD":
        return False
    head = _head(status, tuple(headers), cycle.keep_alive)
    if head is None:
        return False
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(data), data))
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True


@lru_cache(256)
def _head(status: int, headers: tuple[tuple[str, str], ...], keep_alive: bool) -> bytes | None:  # noqa: FBT001 - private
    """Return the head of an answer but for its length; ``None`` where a line break in it is uvicorn's to refuse."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n", *(f"{name}: {value}\r\n" for name, value in headers)]
    if not keep_alive:
        lines.append("connection: close\r\n")
    head = "".join(lines)
    return head.encode("latin-1") if head.count("\n") == len(lines) else None
