"""A server of streamable HTTP as a pipe: each message goes by POST, and what comes back in whatever way is one stream.

For a server that is run here and whose HTTP nobody else sees. Source: streamable HTTP transport of the Model Context
Protocol, 2025-03-26 to 2026-07-28.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from tidegate import methods, wire
from tidegate.correlate import cancelled_id, key_of
from tidegate.ends import http_headers
from tidegate.ends.buffers import Gate, Inbox
from tidegate.ends.http1 import HttpError, Target, TooLong
from tidegate.ends.http_client import ACCEPT, SAFE_TO_REPEAT
from tidegate.ends.pipe import Overlong, PipeError
from tidegate.ends.sse import Parser
from tidegate.verdict import error_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.correlate import Key
    from tidegate.ends.http1 import HttpClient, Response
    from tidegate.message import Message

_VISIBLE = re.compile(r"[!-~]{1,1024}")
_GOODBYE = 2.0  # seconds a server may take to end its session
_SETTLE = 0.5  # seconds between a connection's end and the news that the server has ended
_PAUSE, _LONGEST_PAUSE = 1.0, 30.0  # seconds until the server's own stream is asked for again
_RECEIPT = 64 * 1024  # bytes of an answer to what is no request that are read


class _Refused(Exception):  # noqa: N818 - it says what was done
    """A request has no answer that can be used; the text is a sentence."""

    def __init__(self, text: str, code: str = "unavailable") -> None:
        super().__init__(text)
        self.code = code


class StreamablePipe:
    """A server of streamable HTTP as a pipe.

    What can't be used as an answer to a request stands for the server as an error of Tidegate's own. A session that the
    server doesn't know any more has ended the pipe.

    Args:
        url: the server's endpoint.
        client: the connections.
        limits: the limits in force.
        connect: seconds that making a connection may take.
        patience: seconds the server may take to accept what is no request.
    """

    def __init__(
        self,
        url: str,
        client: HttpClient,
        limits: Callable[[], wire.Limits],
        *,
        connect: float = 30.0,
        patience: float = 60.0,
    ) -> None:
        self._target = Target(url)
        self._client = client
        self._limits = limits
        self._connect = connect
        self._patience = patience
        self._inbox = Inbox()
        self._gate = Gate()
        self._inbox.source = self._gate
        self._session: str | None = None
        self._version: str | None = None
        self._open: dict[Key, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening: asyncio.Task[None] | None = None
        self._error: str | None = None
        self._over = asyncio.Event()

    async def start(self) -> None:
        """There is nothing to do: the first message makes the first connection."""

    async def send(self, data: bytes) -> None:
        """POST one JSON text; returns when it is on its way, or, for what is no request, accepted.

        Raises:
            PipeError: where the server has ended, or can't be reached.
        """
        if self._error is not None:
            raise PipeError(self._error)
        try:
            message = wire.parse(data, "client", self._limits())
            headers = self._headers(message)
        except wire.Rejected as rejected:
            raise PipeError(f"A message can't be sent by HTTP: {rejected.reason}") from None
        if message.method == "notifications/cancelled" and self._give_up(message):
            return
        patience = None if message.kind == "request" else self._patience
        response = await self._begin("POST", headers, data, patience)
        if message.kind == "request" and message.id is not None:
            key = key_of(message.id)
            task = self._spawn(self._answered(message, headers, response))
            self._open[key] = task
            task.add_done_callback(lambda _: self._open.pop(key, None))
        else:
            await self._accepted(message, response)

    async def receive(self) -> bytes:
        """Return the next JSON text; see :meth:`tidegate.ends.pipe.Pipe.receive`."""
        return await self._inbox.get()

    def fail(self, reason: str) -> None:
        """End it, because the server behind the address has ended."""
        self._error = self._error or reason
        self._inbox.end(self._error)
        self._over.set()

    async def close(self) -> None:
        """End the session, and all connections of it."""
        well = self._error is None
        self.fail("The connection to the server was closed.")
        self._inbox.close("The connection to the server was closed.")
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if well and self._session is not None:
            with suppress(HttpError, TimeoutError):
                async with asyncio.timeout(_GOODBYE):
                    response = await self._client.request(
                        "DELETE", self._target, self._headers(None).items(), None, connect=_GOODBYE, patience=_GOODBYE
                    )
                response.close()

    @property
    def pid(self) -> int | None:
        """None: the server is behind an address."""
        return None

    def stderr_tail(self) -> str:
        """Return nothing: what the server writes isn't seen here."""
        return ""

    # -- requests ---------------------------------------------------------------------------------------

    def _headers(self, message: Message | None) -> dict[str, str]:
        headers = {"accept": ACCEPT}
        if message is not None:
            headers |= {"content-type": "application/json"} | http_headers.derive(message, None, ())
        if self._session is not None:
            headers[http_headers.SESSION] = self._session
        if self._version is not None:
            headers.setdefault(http_headers.VERSION, self._version)
        return headers

    def _spawn(self, work: object) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work, name="http exchange")  # type: ignore[arg-type]  # coroutines
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _begin(self, method: str, headers: dict[str, str], data: bytes, patience: float | None) -> Response:
        try:
            return await self._client.begin(
                method, self._target, headers.items(), data, connect=self._connect, patience=patience
            )
        except HttpError as error:
            await self._settled()
            raise PipeError(self._error or str(error)) from None

    async def _settled(self) -> None:
        """Give the news that the server has ended, and how, the time to come."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_SETTLE):
                await self._over.wait()

    def _give_up(self, cancelled: Message) -> bool:
        """Whether a request was cancelled as 2026-07-28 says it: by closing the stream of its answer."""
        if self._version is not None:
            return False
        identity = cancelled_id(cancelled)
        task = self._open.get(key_of(identity)) if identity is not None else None
        if task is not None:
            task.cancel()
        return methods.is_modern(methods.version_in(cancelled)) or task is not None

    async def _accepted(self, message: Message, response: Response) -> None:
        """See that what is no request is accepted."""
        try:
            await response.head
            if response.status == 404 and self._session is not None:
                self.fail("The server has ended its session.")
                return
            await response.read(_RECEIPT)  # it means nothing, but a connection that was read can be used again
        except TooLong:
            return
        except HttpError as error:
            await self._settled()
            raise PipeError(self._error or str(error)) from None
        finally:
            response.close()
        if message.method == "notifications/initialized" and self._listening is None:
            self._listening = self._spawn(self._listen())

    # -- answers ----------------------------------------------------------------------------------------

    async def _answered(self, request: Message, headers: dict[str, str], response: Response) -> None:
        """Take the answer to a request, or say why there is none."""
        try:
            try:
                await response.head
            except HttpError as error:
                if not (error.stale and request.method in SAFE_TO_REPEAT):
                    raise
                response = await self._begin("POST", headers, request.encoded, None)
                await response.head
            await self._take(request, response)
        except _Refused as refused:
            self._say(request, str(refused), refused.code)
        except HttpError as error:
            await self._settled()
            self._say(request, str(error), "overdue" if error.late else "unavailable")
        except PipeError as error:
            self.fail(str(error))
        finally:
            response.close()

    def _say(self, request: Message, sentence: str, code: str) -> None:
        self._inbox.put([error_bytes(code, sentence, request.id)])

    async def _take(self, request: Message, response: Response) -> None:
        """Take an answer whose head is in.

        Raises:
            _Refused: where it isn't one.
            HttpError: where it doesn't come.
        """
        if 300 <= response.status < 400:
            raise _Refused("The server answered with a redirect, which isn't followed.")
        if "content-encoding" in response.headers:
            raise _Refused("The server compressed its answer without being asked to.")
        if response.status == 404 and self._session is not None:
            self.fail("The server has ended its session.")
            return
        if request.method == "initialize":
            self._note_session(response)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "text/event-stream" and response.status < 300:
            await self._stream(request, response)
            return
        most = self._limits().max_bytes
        try:
            body = await response.read(most)
        except TooLong:
            raise _Refused(f"The message is longer than {most} bytes.", "limit") from None
        if kind != "application/json" or (response.status >= 300 and not self._answers(request, body)):
            raise _Refused(f"The server answered with HTTP status {response.status}, and with no message.")
        self._note_version(request, body)
        await self._gate.open.wait()
        self._inbox.put([body])

    async def _stream(self, request: Message, response: Response) -> None:
        parser = Parser(self._limits().max_bytes)
        async for part in response.parts():
            for event in parser.feed(part):
                if isinstance(event, Overlong):
                    raise _Refused(f"The message is longer than {self._limits().max_bytes} bytes.", "limit")
                if event.event != "message" or not event.data or event.data.isspace():
                    continue
                self._note_version(request, event.data)
                self._inbox.put([event.data])
                if self._answers(request, event.data):
                    return
            await self._gate.open.wait()
        raise _Refused("The server ended its answer before it was whole.")

    def _answers(self, request: Message, data: bytes) -> bool:
        """Whether a message is the reply to a request."""
        try:
            batch = self._version == methods.BATCHING
            found = wire.parse_many(data, "server", self._limits(), batch=batch)
        except wire.Rejected as rejected:
            found = [rejected]
        assert request.id is not None
        for one in found if isinstance(found, list) else [found]:
            replies = isinstance(one, wire.Rejected) or one.is_reply
            if replies and one.id is not None and key_of(one.id) == key_of(request.id):
                return True
        return False

    def _note_session(self, response: Response) -> None:
        session = response.headers.get(http_headers.SESSION)
        if session is not None and not _VISIBLE.fullmatch(session):
            raise _Refused("The server named its session by what is no visible ASCII.")
        self._session = session

    def _note_version(self, request: Message, data: bytes) -> None:
        if request.method != "initialize":
            return
        with suppress(wire.Rejected):
            result = wire.parse(data, "server", self._limits()).tree.get("result")
            version = result.get("protocolVersion") if isinstance(result, dict) else None
            self._version = version if version in methods.VERSIONS else None

    # -- what the server says by itself -----------------------------------------------------------------

    async def _listen(self) -> None:
        """Take what the server says by itself, as long as it has a stream for that."""
        pause, last = _PAUSE, ""
        while True:
            headers = self._headers(None) | {"accept": "text/event-stream"}
            if _VISIBLE.fullmatch(last):
                headers[http_headers.LAST_EVENT] = last
            with suppress(HttpError):
                response = await self._client.request(
                    "GET", self._target, headers.items(), None, connect=self._connect, patience=None
                )
                try:
                    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
                    if response.status != 200 or kind != "text/event-stream" or "content-encoding" in response.headers:
                        return
                    parser = Parser(self._limits().max_bytes)
                    async for part in response.parts():
                        for event in parser.feed(part):
                            if isinstance(event, Overlong):
                                self._inbox.put([event])
                            elif event.event == "message" and event.data and not event.data.isspace():
                                self._inbox.put([event.data])
                                pause = _PAUSE
                        last = parser.last_id
                        await self._gate.open.wait()
                finally:
                    response.close()
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
