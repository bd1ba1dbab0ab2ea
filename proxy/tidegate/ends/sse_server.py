"""Clients of HTTP+SSE (MCP 2024-11-05): one stream down, and a path to post to."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from tidegate import endpoints
from tidegate.duplex import Duplex
from tidegate.ends import sse
from tidegate.streams import Out
from tidegate.verdict import error_bytes

if TYPE_CHECKING:
    from tidegate.ends.asgi import Request
    from tidegate.flow import Principal
    from tidegate.flows import Core
    from tidegate.sessions import Sessions
    from tidegate.streams import Outs

MAX_QUEUED = 16  # messages, of any size, that a client hasn't read; the server behind waits from then on


class SseClients:
    """The clients that are connected by HTTP+SSE."""

    def __init__(self, core: Core, sessions: Sessions) -> None:
        self.core = core
        self.sessions = sessions
        self._open: dict[tuple[str, str], tuple[Principal, Duplex]] = {}

    async def serve(self, request: Request, name: str, principal: Principal, end: str) -> None:
        """Serve one request to an endpoint's ``sse`` or ``messages``."""
        if end == "sse" and request.method == "GET":
            await self._stream(request, name, principal)
        elif end == "messages" and request.method == "POST":
            await self._post(request, name, principal)
        else:
            await request.respond(405, None, {"allow": "GET" if end == "sse" else "POST"})

    async def _stream(self, request: Request, name: str, principal: Principal) -> None:
        session_id = secrets.token_urlsafe(24)
        queue: asyncio.Queue[bytes] = asyncio.Queue(MAX_QUEUED)
        entry = self.sessions.new(name, principal)
        self.sessions.register(name, entry, session_id)
        duplex = Duplex(entry.relay, queue.put)
        self._open[name, session_id] = (principal, duplex)
        path = f"{endpoints.path(name)}/messages?session_id={session_id}"
        try:
            with entry:
                first = sse.encode(path.encode(), event="endpoint")
                await request.stream(200, self._events(queue), {}, entry.relay.over, first=first)
        finally:
            del self._open[name, session_id]
            await duplex.close()
            await self.sessions.drop(name, session_id)

    @staticmethod
    async def _events(queue: asyncio.Queue[bytes]) -> Outs:
        while True:
            yield Out(await queue.get())

    async def _post(self, request: Request, name: str, principal: Principal) -> None:
        given = parse_qs(request.query.decode("latin-1")).get("session_id", [""])[0]
        owner, duplex = self._open.get((name, given), (None, None))
        over = self.sessions.find(name, given, principal) is None  # its server has ended, or was changed by a reload
        if over or duplex is None or owner is None or owner.name != principal.name:
            await request.respond(404, error_bytes("invalid", "There is no such session."))
            return
        proxy = self.core.now.settings.proxy
        data = await request.body(proxy.max_message_bytes, proxy.client_timeout)
        await request.respond(202)
        await duplex.accept(data)
