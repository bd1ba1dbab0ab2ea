"""Where clients connect: streamable HTTP of all versions and HTTP+SSE, as one ASGI application.

``/servers/NAME/mcp`` is streamable HTTP, ``/servers/NAME/sse`` is HTTP+SSE of 2024-11-05; both as if the client
talked to that server. ``/mcp`` and ``/sse`` are the gateway to all servers, ``/profiles/NAME/mcp`` and ``…/sse`` to
those of a profile. Before anything is read, Host, Origin and token are checked.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog

from tidegate import endpoints, gateway_settings, methods, wire
from tidegate.ends import http_headers, http_rules
from tidegate.ends.asgi import Gone, Refused, Request, unless_gone
from tidegate.flow import Flow, Principal, Server
from tidegate.settings import is_loopback, split_address
from tidegate.upstream import Context, Unavailable
from tidegate.verdict import Deny, error_bytes
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tidegate.conversation import Conversation
    from tidegate.ends.asgi import Receive, Scope, Send
    from tidegate.ends.sse_server import SseClients
    from tidegate.flows import Core
    from tidegate.message import Message
    from tidegate.sessions import Entry, Sessions
    from tidegate.settings import ProxySettings
    from tidegate.streams import Reply

log = structlog.get_logger("tidegate.http")

ANONYMOUS = Principal()
_JSON, _STREAM = "application/json", "text/event-stream"
_STATUS = {"limit": 413, "method": 404}  # of refused messages; of all others, 400
_REMEMBERED = 256  # values of Host and Origin, and of Accept, whose reading is remembered


class App:
    """The ASGI application on ``listen``."""

    def __init__(self, core: Core, sessions: Sessions, sse_clients: SseClients) -> None:
        self.core = core
        self.sessions = sessions
        self.sse_clients = sse_clients
        self._welcome: set[tuple[str, str | None]] = set()  # Host and Origin that were checked before
        self._welcome_to: ProxySettings | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3)."""
        if scope["type"] != "http":
            return  # lifespan is switched off, and there are no WebSockets
        request = Request.of(scope, receive, send)
        try:
            request.read(scope)
            await self._chosen(request)
        except Gone:
            return
        except Rejected as refused:
            await self._refused(request, refused)
        except Unavailable as failure:
            await request.respond(503, error_bytes(failure.code, str(failure)))

    def _chosen(self, request: Request) -> Coroutine[Any, Any, None]:
        """Return what serves a request, to be awaited: not awaited here, because each level costs at each await."""
        name, end = self._route(request.path)
        stopped = self._guard(request)
        if stopped is not None:
            return self._login_refused(request, *stopped, name)
        principal = self._principal(request)
        if principal is None:
            deny = Deny("A valid token is needed: send it as 'Authorization: Bearer TOKEN'.", code="unauthorized")
            return self._login_refused(request, 401, deny, name)
        if principal.profile and name:
            name = endpoints.open_to(name, principal.profile)
            if not name:
                deny = Deny("The token is for the endpoint of its profile only.", code="unauthorized", rule="profile")
                return self._login_refused(request, 403, deny, "")
        if end == "mcp":
            return self._mcp(request, name, principal)
        if end in ("sse", "messages"):
            return self.sse_clients.serve(request, name, principal, end)
        return request.respond(404, error_bytes("invalid", "There is nothing at this path."))

    async def _refused(self, request: Request, refused: Rejected) -> None:
        """Record a request that is refused before it is known whose session it is about, and answer it."""
        name, _ = self._route(request.path)
        server = self._server(name)
        pipeline = self.core.now.pipeline
        deny = Deny(refused.reason, code=refused.code, rule="wire")
        await pipeline.note("rejected", Flow(pipeline.new_id(), server), deny, size=refused.size)
        await request.respond(_status_of(refused), error_bytes(refused.code, refused.reason))

    def _route(self, path: str) -> tuple[str, str]:
        """Return endpoint and end that a path names; ``""`` for what isn't there."""
        return endpoints.parsed(path, self.core.now.settings)

    def _server(self, name: str) -> Server:
        """Return what records call an endpoint's server."""
        if not name:
            return Server("")
        return (
            Server(gateway_settings.SERVER, "remote")
            if endpoints.is_gateway(name)
            else self.core.now.settings.server(name)
        )

    # -- who may come in --------------------------------------------------------------------------------

    def _guard(self, request: Request) -> tuple[int, Deny] | None:
        """Check Host and Origin, against rebinding of names (MCP 2025-11-25, transports, security warning)."""
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        proxy = self.core.now.settings.proxy
        if self._welcome_to is not proxy:  # a reload may have changed them
            self._welcome_to = proxy
            self._welcome.clear()
        if (host, origin) in self._welcome:
            return None
        local = is_loopback(split_address(proxy.listen)[0])
        known = host in proxy.allowed_hosts or host.rpartition(":")[0] in proxy.allowed_hosts
        if (local or proxy.allowed_hosts) and not known and not (local and _is_local(f"//{host}")):
            return 421, Deny("The Host header names another host.", code="origin", rule="host")
        accepted = origin is None or origin in proxy.allowed_origins or (local and _is_local(origin))
        if not accepted:
            return 403, Deny("Requests from this origin are not accepted.", code="origin", rule="origin")
        if len(self._welcome) < _REMEMBERED:
            self._welcome.add((host, origin))
        return None

    def _principal(self, request: Request) -> Principal | None:
        auth = self.core.now.settings.auth
        if not auth.tokens:
            return ANONYMOUS
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return auth.principal(token.strip()) if scheme.lower() == "bearer" and token.strip() else None

    async def _login_refused(self, request: Request, status: int, deny: Deny, name: str) -> None:
        server = self._server(name)
        pipeline = self.core.now.pipeline
        await pipeline.note("login", Flow(pipeline.new_id(), server), deny)
        headers = {"www-authenticate": 'Bearer realm="tidegate"'} if status == 401 else {}
        await request.respond(status, error_bytes(deny.code, deny.reason), headers)

    # -- streamable HTTP --------------------------------------------------------------------------------

    async def _mcp(self, request: Request, name: str, principal: Principal) -> None:
        if request.method not in ("POST", "GET", "DELETE"):
            await request.respond(405, None, {"allow": "POST, GET, DELETE"})
            return
        try:
            if request.method == "POST":
                await self._post(request, name, principal)
                return
            http_headers.check_plain(request.headers)
            if request.method == "GET":
                await self._get(request, name, principal)
            else:
                await self._delete(request, name, principal)
        except Rejected as refused:
            entry = self.sessions.stateless(name, principal)
            reply = await entry.relay.refuse(refused)
            await request.respond(_status_of(refused), reply.body)

    async def _post(self, request: Request, name: str, principal: Principal) -> None:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != _JSON:
            raise Refused(415, "invalid", "Content-Type must be application/json.")
        proxy = self.core.now.settings.proxy
        data = await request.body(proxy.max_message_bytes, proxy.client_timeout)
        session_id = request.headers.get(http_headers.SESSION)
        known = self.sessions.find(name, session_id, principal) if session_id else None
        if known is not None and known.relay.version == methods.BATCHING and data.lstrip()[:1] == b"[":
            http_headers.check_plain(request.headers)
            with known as relay:
                await self._write(request, relay, await relay.accept(data, self._context(request)))
            return
        message = wire.parse(data, "client", self.core.now.settings.proxy.limits)
        http_headers.check_plain(request.headers, message.id)
        http_headers.check(message, request.headers)
        if methods.is_modern(_version(message, request)):
            request.headers.pop(http_headers.SESSION, None)  # 2026-07-28 has none: such a header is ignored
            await self._modern(request, self.sessions.stateless(name, principal), message)
        elif message.method == "initialize" and message.kind == "request":
            await self._initialize(request, name, principal, message)
        elif known is not None:
            with known as relay:
                await self._write(request, relay, await relay.take(message, self._context(request, message)))
        elif session_id:
            await request.respond(404, error_bytes("invalid", "There is no such session.", message.id))
        else:
            await self._sessionless(request, name, principal, message)

    async def _modern(self, request: Request, entry: Entry, message: Message) -> None:
        if entry.relay.hosted:  # the server behind speaks no HTTP, so its checks are ours
            name = http_headers.routed_name(message) or ""
            http_rules.check(message, request.headers, entry.relay.tools.get(name))
        context = self._context(request, message)

        async def work() -> None:
            await self._write(request, relay, await relay.take(message, context))

        with entry as relay:
            await unless_gone(request, work())

    async def _sessionless(self, request: Request, name: str, principal: Principal, message: Message) -> None:
        """A message of an old version without a session: only a server that speaks HTTP may know what to do."""
        entry = self.sessions.stateless(name, principal)
        if entry.relay.hosted:
            reason = "The session id is missing: begin with initialize, and send Mcp-Session-Id from then on."
            raise Rejected("invalid", reason, id=message.id)
        with entry as relay:
            await self._write(request, relay, await relay.take(message, self._context(request, message)))

    async def _initialize(self, request: Request, name: str, principal: Principal, message: Message) -> None:
        """Begin a session: under the server's own id, or under one of ours where the server speaks no HTTP."""
        entry = self.sessions.new(name, principal)
        request.headers.pop(http_headers.SESSION, None)
        session_id, left = None, False
        try:
            with entry as relay:
                reply = await relay.take(message, self._context(request, message))
                given = reply.headers.get(http_headers.SESSION)
                if (relay.version or reply.events is not None) and (given or relay.hosted):
                    session_id = self.sessions.register(name, entry, given)
                    reply.headers[http_headers.SESSION] = session_id
                left = request.left  # then nobody learns the session's id
                await self._write(request, relay, reply)
        finally:
            if session_id is None:
                await self.sessions.give_up(entry)
            elif left or not entry.relay.version:  # a stream that ended without a good reply
                await self.sessions.drop(name, session_id)

    async def _get(self, request: Request, name: str, principal: Principal) -> None:
        if _STREAM not in request.headers.get("accept", ""):
            await request.respond(406, error_bytes("invalid", "Accept must list text/event-stream."))
            return
        entry = await self._entry(request, name, principal)
        if entry is None:
            return
        with entry as relay:
            reply = await relay.listen(request.headers.get(http_headers.LAST_EVENT), self._context(request))
            await self._write(request, relay, reply)

    async def _delete(self, request: Request, name: str, principal: Principal) -> None:
        entry = await self._entry(request, name, principal)
        if entry is None:
            return
        with entry as relay:
            answer = await relay.end(self._context(request))
        if answer.status < 400:
            await self.sessions.drop(name, relay.flows.session_id)
        await request.respond(answer.status, None, answer.headers)

    async def _entry(self, request: Request, name: str, principal: Principal) -> Entry | None:
        """Return the session that a GET or DELETE is about; where there is none, answer it."""
        session_id = request.headers.get(http_headers.SESSION)
        if session_id is not None and not methods.is_modern(request.headers.get(http_headers.VERSION)):
            entry = self.sessions.find(name, session_id, principal)
            if entry is None:
                await request.respond(404, error_bytes("invalid", "There is no such session."))
            return entry
        entry = self.sessions.stateless(name, principal)
        if entry.relay.hosted:
            await request.respond(405, None, {"allow": "POST"})
            return None
        return entry

    def _context(self, request: Request, message: Message | None = None) -> Context:
        headers = request.headers
        headers["accept"] = _accepted(headers.get("accept", ""))
        params = http_headers.params(message, headers) if message is not None and request.has_params else ()
        return Context(http=True, headers=headers, params=params)

    async def _write(self, request: Request, relay: Conversation, reply: Reply) -> None:
        if reply.events is None:
            await request.respond(reply.status, reply.body, reply.headers)
        else:
            await request.stream(reply.status, reply.events, reply.headers, relay.over)


@lru_cache(_REMEMBERED)
def _accepted(accept: str) -> str:
    """Return an Accept header in words of our own, in the client's order."""
    found = sorted((accept.index(kind), kind) for kind in (_JSON, _STREAM, "*/*") if kind in accept)
    return ", ".join(kind for _, kind in found)


def _is_local(url: str) -> bool:
    """Whether a URL's host is an address or name of this machine that no name service gives to others."""
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False


def _version(message: Message, request: Request) -> str | None:
    """Return the version of one message: what its body says, or else its header (2026-07-28, versioning)."""
    said = methods.version_in(message) if message.method != "initialize" else None
    return said or request.headers.get(http_headers.VERSION)


def _status_of(refused: Rejected) -> int:
    return refused.status if isinstance(refused, Refused) else _STATUS.get(refused.code, 400)
