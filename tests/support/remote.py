"""A remote server that follows a script, and Tidegate's upstream in front of it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from support.web import Exchange, ScriptedServer, within
from tidegate import Message
from tidegate.ends.http1 import HttpClient
from tidegate.ends.http_client import HttpUpstream
from tidegate.secret_stores.resolving import Resolved
from tidegate.settings import ProxySettings, ServerSettings
from tidegate.testing import request
from tidegate.upstream import Answer, Context, Event, Unavailable

Handler = Callable[[Exchange], Awaitable[None]]

STDIO = Context()
CALL = request("tools/call", {"name": "add", "arguments": {"a": 1}})


def http(**headers: str) -> Context:
    """Return the context of a client that speaks HTTP."""
    return Context(http=True, headers={name.replace("_", "-"): value for name, value in headers.items()})


class Remote:
    """A server that follows a script, and the upstream in front of it."""

    def __init__(self, server: ScriptedServer, upstream: HttpUpstream, client: HttpClient) -> None:
        self.server = server
        self.upstream = upstream
        self.client = client

    async def send(self, message: Message = CALL, context: Context = STDIO) -> Answer:
        answer: Answer = await within(self.upstream.send(message, context))
        return answer

    async def unavailable(self, message: Message = CALL) -> Unavailable:
        with pytest.raises(Unavailable) as caught:
            await self.send(message)
        return caught.value

    @property
    def methods(self) -> list[str]:
        return [exchange.method for exchange in self.server.got]


@asynccontextmanager
async def remote(
    handler: Handler, *, headers: Mapping[str, str] | None = None, path: str = "", **proxy: Any
) -> AsyncIterator[Remote]:
    async with ScriptedServer(handler) as server:
        client = HttpClient()
        configured = ServerSettings(url=server.url + path, headers=dict(headers or {}))
        settings = ProxySettings(**proxy)
        upstream = HttpUpstream(
            configured.url or "", configured.resolved_headers(Resolved().get), client, lambda: settings
        )
        try:
            yield Remote(server, upstream, client)
        finally:
            await client.close()


async def ok(exchange: Exchange) -> None:
    """Answer a message with an empty result, and all else with nothing."""
    await (exchange.result({}) if exchange.body else exchange.reply(status=202))


async def silent(exchange: Exchange) -> None:
    """Wait until the other side gives up."""
    await within(exchange.gone.wait())


async def gathered(answer: Answer) -> list[Event]:
    assert answer.events is not None
    return [event async for event in answer.events]
