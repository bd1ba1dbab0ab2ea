"""A remote server of HTTP+SSE as a pipe: what it says comes on one event stream, what it is told goes by POST.

Source: the HTTP with SSE transport of the Model Context Protocol, 2024-11-05.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from tidegate.ends.buffers import MAX_BYTES, Gate, Inbox
from tidegate.ends.http1 import HttpError, Target, TooLong
from tidegate.ends.pipe import Overlong, PipeError
from tidegate.ends.sse import Parser

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.ends.http1 import HttpClient, Response

_VISIBLE = re.compile(r"https?://[!-~]+")
_RECEIPT = 64 * 1024  # bytes of an answer to a POST that are read


class SsePipe:
    """A remote server of HTTP+SSE as a pipe. When its stream ends the pipe has ended: its session went with it.

    Args:
        url: the address of its event stream.
        headers: sent with every request.
        client: the connections.
        max_bytes: how long one JSON text may be.
        connect: seconds that making a connection may take.
        patience: seconds the server may take to accept a message.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        client: HttpClient,
        max_bytes: int = MAX_BYTES,
        *,
        connect: float = 30.0,
        patience: float = 60.0,
    ) -> None:
        self._url = url
        self._headers = dict(headers)
        self._client = client
        self._connect = connect
        self._patience = patience
        self._parser = Parser(max_bytes)
        self._inbox = Inbox()
        self._gate = Gate()
        self._inbox.source = self._gate
        self._endpoint: Target | None = None
        self._stream: Response | None = None
        self._reader: asyncio.Task[None] | None = None
        self._error: str | None = None

    async def start(self) -> None:
        """Open the event stream, and wait to be told where to POST; see :meth:`tidegate.ends.pipe.Pipe.start`."""
        headers = {**self._headers, "accept": "text/event-stream", "cache-control": "no-cache"}
        self._stream = await self._request("GET", Target(self._url), headers, None)
        try:
            self._check_stream(self._stream)
            told: asyncio.Future[Target] = asyncio.get_running_loop().create_future()
            self._reader = asyncio.create_task(self._read(self._stream, told), name="event stream reader")
            self._endpoint = await told
        except BaseException:
            self._abort()
            raise

    async def send(self, data: bytes) -> None:
        """POST one JSON text; returns when the server has accepted it. See :meth:`tidegate.ends.pipe.Pipe.send`."""
        if self._error is not None:
            raise PipeError(self._error)
        if self._endpoint is None:
            raise PipeError("The connection is not open.")
        headers = {**self._headers, "content-type": "application/json"}
        response = await self._request("POST", self._endpoint, headers, data)
        try:
            if not 200 <= response.status < 300:
                raise PipeError(f"The server refused a message with HTTP status {response.status}.")
            await response.read(_RECEIPT)  # it means nothing, but a connection that was read can be used again
        except (HttpError, TooLong):
            return  # accepted all the same
        finally:
            response.close()

    async def receive(self) -> bytes:
        """Return the next JSON text; see :meth:`tidegate.ends.pipe.Pipe.receive`."""
        return await self._inbox.get()

    def fail(self, reason: str) -> None:
        """End it, because the server behind the address has ended."""
        self._error = self._error or reason
        self._inbox.end(self._error)

    async def close(self) -> None:
        """Close the event stream, which ends the session."""
        self._error = "The connection to the server was closed."
        self._inbox.close(self._error)
        reader = self._reader
        self._abort()
        if reader is not None:
            await asyncio.wait([reader])

    @property
    def pid(self) -> int | None:
        """None: the server is elsewhere."""
        return None

    def stderr_tail(self) -> str:
        """Return nothing: a remote server's standard error is not ours to see."""
        return ""

    def _abort(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
        if self._stream is not None:
            self._stream.close()

    async def _request(self, method: str, target: Target, headers: dict[str, str], body: bytes | None) -> Response:
        patience = None if body is None else self._patience
        try:
            return await self._client.request(
                method, target, headers.items(), body, connect=self._connect, patience=patience
            )
        except HttpError as error:
            raise PipeError(str(error)) from None
        except ValueError:
            raise PipeError("A header for the server can't be sent: it isn't plain text.") from None

    @staticmethod
    def _check_stream(response: Response) -> None:
        if response.status != 200:
            raise PipeError(f"The server answered with HTTP status {response.status}, not with an event stream.")
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "text/event-stream" or "content-encoding" in response.headers:
            raise PipeError("The server answered with something else than a plain event stream.")

    async def _read(self, response: Response, told: asyncio.Future[Target]) -> None:
        reason = "The server ended its event stream."
        try:
            async for part in response.parts():
                for event in self._parser.feed(part):
                    if isinstance(event, Overlong):
                        self._inbox.put([event])
                    elif event.event == "endpoint":
                        if not told.done():
                            told.set_result(self._target(event.data))
                    elif event.event == "message" and not event.data.isspace() and event.data:
                        self._inbox.put([event.data])
                await self._gate.open.wait()
        except HttpError as error:
            reason = str(error)
        except PipeError as error:
            reason = str(error)
        finally:
            response.close()
            self._error = self._error or reason
            self._inbox.end(self._error)
            if not told.done():
                told.set_exception(PipeError(self._error))
                told.exception()  # seen: who waited for it may have gone

    def _target(self, data: bytes) -> Target:
        """Return where to POST.

        Raises:
            PipeError: where that is at another origin: what goes there is meant for this server alone.
        """
        try:
            url = urljoin(self._url, data.decode().strip())
            target = Target(url)
        except ValueError:
            url = ""
        if not _VISIBLE.fullmatch(url):
            raise PipeError("The server named an endpoint that is no HTTP address.")
        if target.origin != Target(self._url).origin:
            raise PipeError("The server named an endpoint at another origin than its own.")
        return target
