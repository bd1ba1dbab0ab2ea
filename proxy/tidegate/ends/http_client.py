"""A remote server that speaks streamable HTTP, as a relay's upstream.

One connection pool serves all relays. Headers of the client's go on only as far as the protocol needs them;
tokens for Tidegate never do. Redirects are not followed, answers are not decompressed: a server that insists on
either is refused.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from tidegate import methods
from tidegate.ends import http_headers, http_rules
from tidegate.ends.away import Away
from tidegate.ends.http1 import HttpError, Target, TooLong
from tidegate.ends.pipe import Overlong
from tidegate.ends.sse import Parser
from tidegate.upstream import Answer, Context, Event, Events, Unavailable, primed
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tidegate.correlate import Open
    from tidegate.ends.http1 import HttpClient, Response
    from tidegate.message import Message
    from tidegate.settings import ProxySettings

KEPT = (http_headers.SESSION, "www-authenticate", "retry-after", "allow")
"""Headers of an answer that go on to the client."""

ACCEPT = "application/json, text/event-stream"
"""What an answer to a POST may be."""

_GOODBYE = 2.0  # seconds a server may take to end a session that Tidegate kept
_LISTS = tuple(name for name in methods.METHODS if name.endswith("/list"))
SAFE_TO_REPEAT = frozenset((*_LISTS, "initialize", "server/discover", "ping", "completion/complete", "resources/read"))
"""Methods of requests that do no harm when they are sent twice."""

_WORTH_WAITING = frozenset(("tools/call", "prompts/get", "resources/read", "completion/complete"))
"""What waits for a server that may be starting again. Lists don't: they go without it."""


class _Refused(Unavailable):
    """Nobody listens at the server's address, so nothing was sent."""


class HttpUpstream:
    """A remote server over streamable HTTP (MCP 2025-03-26 to 2026-07-28), for one relay.

    Args:
        url: the server's endpoint.
        headers: headers of the settings, sent with every request.
        client: the connections.
        proxy: the settings in force, asked for each request.
    """

    ordered = apart = False
    cancels = False
    late = False
    ended = False

    def __init__(
        self, url: str, headers: dict[str, str], client: HttpClient, proxy: Callable[[], ProxySettings]
    ) -> None:
        self._target = Target(url)
        self._headers = headers
        self._client = client
        self._proxy = proxy
        self._session_id: str | None = None
        self._version: str | None = None
        self._closed = False
        self._open: set[Response] = set()
        self._away = Away()

    def outward(self, message: Message) -> Message:
        """Every exchange has a connection of its own, so ids stay as they are."""
        return message

    def aimed(self, message: Message, about: Open | None) -> tuple[Message, object]:  # noqa: ARG002 - the protocol's
        """As above, and all goes to the one address."""
        return message, None

    def forget(self, message: Message) -> None:
        """Nothing was mapped."""

    def _headers_for(self, message: Message | None, context: Context) -> dict[str, str]:
        headers = dict(self._headers)
        accept = context.headers.get("accept", "") if context.http else ACCEPT
        headers["accept"] = accept or "*/*"
        if message is not None:
            headers["content-type"] = "application/json"
            routed = http_headers.derive(message, context.headers if context.http else None, context.params)
            headers.update(routed)
            if context.tool is not None and methods.is_modern(routed.get(http_headers.VERSION)):
                wanted = http_rules.wanted_params(message, context.tool)
                headers.update({name: http_headers.encode(said) for name, said in wanted.items() if said is not None})
        if context.http:
            said = context.headers
            if http_headers.SESSION in said:
                self._session_id = headers[http_headers.SESSION] = said[http_headers.SESSION]
                self._version = said.get(http_headers.VERSION)
            if http_headers.LAST_EVENT in said:
                headers[http_headers.LAST_EVENT] = said[http_headers.LAST_EVENT]
            if message is None and http_headers.VERSION in said:
                headers[http_headers.VERSION] = said[http_headers.VERSION]
        else:
            self._add_session(headers, message)
        return headers

    def _add_session(self, headers: dict[str, str], message: Message | None) -> None:
        """What Tidegate sends of itself, or for a client that speaks no HTTP, is in the session too.

        But ``initialize`` begins another (2025-11-25, streamable HTTP, session management).
        """
        if message is not None and message.method == "initialize" and message.kind == "request":
            self._session_id = self._version = None
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
        self._check_open()
        headers = self._headers_for(message, context)
        endless = message.method == "subscriptions/listen"
        again = message.kind == "request" and message.method in SAFE_TO_REPEAT
        send = partial(self._request, "POST", headers, message.encoded, endless=endless, again=again)
        response = await (self._awaited(send) if message.method in _WORTH_WAITING else send())
        answer = await self._answer(response)
        if not context.http:
            self._remember(message, answer)
        return answer

    async def _awaited(self, send: Callable[[], Awaitable[Response]]) -> Response:
        """Send a request; where the server refuses connections, again until it takes them or was waited for enough.

        Raises:
            Unavailable: where it can't be reached.
        """
        tries = 0
        while True:
            try:
                return await send()
            except _Refused:
                pause = self._away.pause(asyncio.get_running_loop().time(), tries)
                if pause is None:
                    raise
            await asyncio.sleep(pause)
            self._check_open()
            tries += 1

    async def _request(
        self, method: str, headers: dict[str, str], body: bytes | None = None, *, endless: bool, again: bool = False
    ) -> Response:
        """Send a request; once more where a kept connection was closed and repeating does no harm."""
        proxy = self._proxy()
        patience = None if endless else proxy.call_timeout
        try:
            response = await self._client.begin(
                method, self._target, headers.items(), body, connect=proxy.start_timeout, patience=patience
            )
            await self._head(response, last=method == "DELETE")
        except HttpError as error:
            if error.refused:
                raise _Refused(str(error)) from None
            if error.stale and again:
                return await self._request(method, headers, body, endless=endless)
            raise _unavailable(error) from None
        except ValueError:
            raise Unavailable("A header of the settings can't be sent: it isn't plain text.") from None
        self._away.answered()
        return response

    async def _head(self, response: Response, *, last: bool) -> None:
        """Wait for the head of an answer, which is given up when this is closed."""
        self._open.add(response)
        if self._closed and not last:
            response.close()
        try:
            await response.head
        except BaseException:
            self._give_up(response)
            raise

    def _give_up(self, response: Response) -> None:
        self._open.discard(response)
        response.close()

    async def _answer(self, response: Response) -> Answer:
        said = response.headers
        answer = Answer(response.status, {name: said[name] for name in KEPT if name in said})
        if 300 <= response.status < 400:
            self._give_up(response)
            raise Unavailable("The server answered with a redirect, which isn't followed.")
        if "content-encoding" in said:
            self._give_up(response)
            raise Unavailable("The server compressed its answer without being asked to.")
        kind = said.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "text/event-stream":
            answer.events = await primed(self._events(response))
            return answer
        body = await self._body(response)
        if body and (kind == "application/json" or response.status < 400):
            answer.body = body
        return answer

    async def _body(self, response: Response) -> bytes | Rejected:
        most = self._proxy().max_message_bytes
        try:
            return await response.read(most)
        except TooLong:
            return Rejected("limit", f"The message is longer than {most} bytes.", size=most + 1)
        except HttpError as error:
            raise _unavailable(error) from None
        finally:
            self._give_up(response)

    async def _events(self, response: Response) -> Events:
        most = self._proxy().max_message_bytes
        parser = Parser(max_bytes=most)
        try:
            yield Event(None)  # for primed()
            async for part in response.parts():
                for event in parser.feed(part):
                    if isinstance(event, Overlong):
                        reason = f"The message is longer than {most} bytes."
                        yield Event(Rejected("limit", reason, size=event.size))
                    elif event.event in (None, "message"):
                        yield Event(event.data or None, event.id, event.retry)
        except HttpError as error:
            raise _unavailable(error) from None
        finally:
            self._give_up(response)

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
        self._check_open()
        headers = self._headers_for(None, context)
        if last_event_id is not None:
            headers[http_headers.LAST_EVENT] = last_event_id
        response = await self._request("GET", headers, endless=True, again=True)
        return await self._answer(response)

    async def end(self, context: Context) -> Answer:
        """End the session by DELETE.

        Raises:
            Unavailable: where the server can't be reached.
        """
        headers = self._headers_for(None, context)
        response = await self._request("DELETE", headers, endless=False, again=True)
        answer = await self._answer(response)
        if answer.events is not None:
            await answer.events.aclose()
        self._session_id = None
        return answer

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("The connection to the server was closed.")

    async def close(self) -> None:
        """Send nothing any more, give up what is open, and end the session, if the client hasn't done so."""
        self._closed = True
        for open_one in list(self._open):
            self._give_up(open_one)
        if self._session_id is not None:
            headers = self._headers_for(None, Context())
            self._session_id = None
            try:
                async with asyncio.timeout(_GOODBYE):
                    response = await self._request("DELETE", headers, endless=False)
                self._give_up(response)
            except (Unavailable, TimeoutError):
                return  # a server that has gone knows already


def _unavailable(error: HttpError) -> Unavailable:
    return Unavailable(str(error), "overdue" if error.late else "unavailable")
