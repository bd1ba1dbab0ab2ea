"""What ``[proxy] admin`` serves: whether Tidegate lives, and whether it can take clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate import values
from tidegate.ends.asgi import Request
from tidegate.wire import Rejected

if TYPE_CHECKING:
    import asyncio

    from tidegate.ends.asgi import Receive, Scope, Send
    from tidegate.flows import Core
    from tidegate.sessions import Sessions


class Admin:
    """The ASGI application on ``admin``: ``/healthz`` and ``/readyz``."""

    def __init__(self, core: Core, sessions: Sessions, stopping: asyncio.Event) -> None:
        self._core = core
        self._sessions = sessions
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3)."""
        if scope["type"] != "http":
            return
        request = Request.of(scope, receive, send)
        try:
            request.read(scope)
        except Rejected:
            request.path = ""
        if request.path == "/healthz":
            await request.respond(200, values.encode({"status": "ok"}))
        elif request.path == "/readyz":
            ready = not self._stopping.is_set()
            said = {"status": "ready" if ready else "stopping", "sessions": len(self._sessions)}
            await request.respond(200 if ready else 503, values.encode(said))
        else:
            await request.respond(404, values.encode({"status": "not found", "paths": ["/healthz", "/readyz"]}))
