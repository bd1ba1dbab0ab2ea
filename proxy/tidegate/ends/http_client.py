"""A remote server that speaks streamable HTTP, as a relay's upstream.

One connection pool serves all relays. Headers of the client's go on only as far as the protocol needs them;
tokens for Tidegate never do. Redirects are not followed, answers are not decompressed: a server that insists on
either is refused.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp

from tidegate import methods
from tidegate.ends import http_headers
from tidegate.ends.pipe import Overlong
from tidegate.ends.sse import Parser
from tidegate.upstream import Answer, Context, Event, Events, Unavailable
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.message import Message
    from tidegate.settings import ProxySettings

KEPT = frozenset((http_headers.SESSION, "www-authenticate", "retry-after", "allow"))
"""Headers of an answer that go on to the client."""

_ACCEPT = "application/json, text/event-stream"
_SAFE_TO_REPEAT = frozenset(("initialize", "server/discover", "ping", "completion/complete", "resources/read"))
_FAILURES = (aiohttp.ClientError, ConnectionError, TimeoutError)


def new_pool() -> aiohttp.ClientSession:
    """Return the connection pool that all remote servers share."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30.0, ttl_dns_cache=60),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept-Encoding", "Accept"),
        trust_env=False,
    )


class HttpUpstream:
    """A remote server over streamable HTTP (MCP 2025-03-26 to 2026-07-28), for one relay.

    Args:
        url: the server's endpoint.
        headers: headers of the settings, sent with every request.
        pool: the connection pool.
        proxy: the settings in force, asked for each request.
    """

    ordered = False
    cancels = False
    late = False

    def __init__(
        self, url: str, headers: dict[str, str], pool: aiohttp.ClientSession, proxy: Callable[[], ProxySettings]
    ) -> None:
        self._url = url
        self._headers = headers
        self._pool = pool
        self._proxy = proxy
        self._session_id: str | None = None
        self._version: str | None = None

    def outward(self, message: Message) -> Message:
        """Every exchange has a connection of its own, so ids stay as they are."""
        return message

    def forget(self, message: Message) -> None:
        """Nothing was mapped."""

    def _headers_for(self, message: Message | None, context: Context) -> dict[str, str]:
        headers = dict(self._headers)
        accept = context.headers.get("accept", "") if context.http else _ACCEPT
        headers["Accept"] = accept or "*/*"
        if message is not None:
            headers["Content-Type"] = "application/json"
            routed = http_headers.derive(message, context.headers if context.http else None, context.params)
            headers.update(routed)
        if context.http:
            for name in (http_headers.SESSION, http_headers.LAST_EVENT):
                if name in context.headers:
                    headers[name] = context.headers[name]
            if message is None and http_headers.VERSION in context.headers:
                headers[http_headers.VERSION] = context.headers[http_headers.VERSION]
        else:
            self._add_session(headers, message)
        return headers

    def _add_session(self, headers: dict[str, str], message: Message | None) -> None:
        """For a client that speaks no HTTP, Tidegate keeps session and version (2025-11-25, streamable HTTP)."""
        if self._session_id is not None:
            headers[http_headers.SESSION] = self._session_id
        if self._version is not None and (message is None or http_headers.VERSION not in headers):
            headers[http_headers.VERSION] = self._version

    async def send(self, message: Message, context: Context) -> Answer:
        """Send a judged message by POST.

        Raises:
            Unavailable: where the server can't be reached.
            Rejected: where its routing headers became ambiguous.
        """
        headers = self._headers_for(message, context)
        endless = message.method == "subscriptions/listen"
        response = await self._post(message, headers, self._timeout(endless=endless))
        answer = await self._answer(response)
        if not context.http:
            self._remember(message, answer)
        return answer

    def _timeout(self, *, endless: bool) -> aiohttp.ClientTimeout:
        proxy = self._proxy()
        return aiohttp.ClientTimeout(
            total=None, sock_connect=proxy.start_timeout, sock_read=None if endless else proxy.call_timeout
        )

    async def _post(
        self, message: Message, headers: dict[str, str], limits: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        """Send, and once more where a kept connection turned out to be closed and repeating does no harm."""
        try:
            return await self._request("POST", headers, limits, message.encoded)
        except aiohttp.ServerDisconnectedError:
            name = message.method or ""
            if name not in _SAFE_TO_REPEAT and not name.endswith("/list"):
                raise Unavailable("The server closed the connection before it answered.") from None
            return await self._request("POST", headers, limits, message.encoded, last=True)

    async def _request(
        self,
        method: str,
        headers: dict[str, str],
        limits: aiohttp.ClientTimeout,
        data: bytes | None = None,
        *,
        last: bool = False,
    ) -> aiohttp.ClientResponse:
        try:
            return await self._pool.request(
                method, self._url, data=data, headers=headers, timeout=limits, allow_redirects=False
            )
        except aiohttp.ServerDisconnectedError:
            if not last:
                raise
            raise Unavailable("The server closed the connection before it answered.") from None
        except aiohttp.ServerTimeoutError as error:
            overdue = not isinstance(error, aiohttp.ConnectionTimeoutError)
            code = "overdue" if overdue else "unavailable"
            raise Unavailable("The server didn't answer in time.", code) from None
        except _FAILURES as error:
            raise Unavailable(f"The server can't be reached ({type(error).__name__}).") from None

    async def _answer(self, response: aiohttp.ClientResponse) -> Answer:
        kept = {name: value for key, value in response.headers.items() if (name := key.lower()) in KEPT}
        answer = Answer(response.status, kept)
        if 300 <= response.status < 400:
            response.close()
            raise Unavailable("The server answered with a redirect, which isn't followed.")
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if "Content-Encoding" in response.headers:
            response.close()
            raise Unavailable("The server compressed its answer without being asked to.")
        if kind == "text/event-stream":
            answer.events = self._events(response)
            return answer
        body = await self._body(response)
        if body and (kind == "application/json" or response.status < 400):
            answer.body = body
        return answer

    async def _body(self, response: aiohttp.ClientResponse) -> bytes | Rejected:
        most = self._proxy().max_message_bytes
        try:
            if response.content_length is not None and response.content_length <= most:
                data = await response.read()
            else:
                data = await self._bounded(response, most)
        except _FAILURES as error:
            raise Unavailable(f"The server's answer broke off ({type(error).__name__}).") from None
        except BaseException:
            response.close()
            raise
        if len(data) > most:
            return Rejected("limit", f"The message is longer than {most} bytes.", size=len(data))
        return data

    @staticmethod
    async def _bounded(response: aiohttp.ClientResponse, most: int) -> bytes:
        parts, size = [], 0
        async for part in response.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > most:
                response.close()
                break
        return b"".join(parts)

    async def _events(self, response: aiohttp.ClientResponse) -> Events:
        most = self._proxy().max_message_bytes
        parser = Parser(max_bytes=most)
        try:
            async for part in response.content.iter_any():
                for event in parser.feed(part):
                    if isinstance(event, Overlong):
                        reason = f"The message is longer than {most} bytes."
                        yield Event(Rejected("limit", reason, size=event.size))
                    elif event.event in (None, "message"):
                        yield Event(event.data or None, event.id, event.retry)
        except TimeoutError:
            raise Unavailable("The server was silent for too long.", "overdue") from None
        except _FAILURES as error:
            raise Unavailable(f"The server's answer broke off ({type(error).__name__}).") from None
        finally:
            response.close()

    def _remember(self, message: Message, answer: Answer) -> None:
        if message.method != "initialize" or answer.status >= 400:
            return
        self._session_id = answer.headers.get(http_headers.SESSION)

    def negotiated(self, version: str) -> None:
        """Note the version of the session, which later requests of a client without HTTP name in a header."""
        if not methods.is_modern(version):
            self._version = version

    async def listen(self, last_event_id: str | None, context: Context) -> Answer:
        """Open the server's own stream by GET.

        Raises:
            Unavailable: where the server can't be reached.
        """
        headers = self._headers_for(None, context)
        if last_event_id is not None:
            headers[http_headers.LAST_EVENT] = last_event_id
        response = await self._request("GET", headers, self._timeout(endless=True), last=True)
        return await self._answer(response)

    async def end(self, context: Context) -> Answer:
        """End the session by DELETE.

        Raises:
            Unavailable: where the server can't be reached.
        """
        headers = self._headers_for(None, context)
        response = await self._request("DELETE", headers, self._timeout(endless=False), last=True)
        answer = await self._answer(response)
        if answer.events is not None:
            await answer.events.aclose()
        return answer

    async def close(self) -> None:
        """End the session that Tidegate kept for a client without HTTP."""
        if self._session_id is not None:
            session, self._session_id = self._session_id, None
            headers = {**self._headers, http_headers.SESSION: session}
            with_timeout = aiohttp.ClientTimeout(total=2.0)
            try:
                response = await self._request("DELETE", headers, with_timeout, last=True)
                response.close()
            except (Unavailable, asyncio.CancelledError):
                return
