"""The ways to a server, each through the whole pipeline: over HTTP to a Tidegate that runs, or through a relay here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from tidegate.ends.http_client import HttpUpstream
from tidegate.relay import Relay
from tidegate.servers import new_upstream
from tidegate.upstream import Answer, Context
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from tidegate.ends.http1 import HttpClient
    from tidegate.flow import Principal
    from tidegate.flows import Core
    from tidegate.message import Message
    from tidegate.settings import ProxySettings
    from tidegate.streams import Out, Reply
    from tidegate.upstream import Event


class Said:
    """What came back for a message: at most one body, or a stream.

    Attributes:
        status: the HTTP status, or its counterpart.
        body: the one JSON text of the answer, if it is one.
        events: the messages of the answer, if it is a stream.
    """

    __slots__ = ("body", "events", "status")

    def __init__(self, answer: Answer | Reply) -> None:
        body = answer.body
        if isinstance(body, Rejected):
            raise body
        assert body is None or isinstance(body, bytes)
        self.status = answer.status
        self.body: bytes | None = body
        self.events: AsyncGenerator[Event, None] | AsyncGenerator[Out, None] | None = answer.events


class Way(Protocol):
    """A way to one server, for one session, or for all requests of a client without sessions."""

    async def send(self, message: Message, tool: Mapping[str, Any] | None) -> Said:
        """Send a message.

        Args:
            message: the message.
            tool: the definition of the tool that it calls, where that is known.

        Raises:
            Unavailable: where the server can't be reached.
            Rejected: where the message can't be sent as it is, or the answer is too long.
        """
        ...

    async def listen(self, last_event_id: str | None) -> Said:
        """Open the stream on which the server speaks by itself.

        Raises:
            Unavailable: where the server can't be reached.
        """
        ...

    def negotiated(self, version: str) -> None:
        """Note the version that ``initialize`` has agreed on."""
        ...

    async def close(self) -> None:
        """End the session, and put all away that belongs to it."""
        ...


class HttpWay:
    """To a Tidegate that runs.

    Args:
        url: the address of the server there.
        headers: headers of every request.
        client: the connections.
        proxy: deadlines and limits.
    """

    def __init__(self, url: str, headers: dict[str, str], client: HttpClient, proxy: ProxySettings) -> None:
        self._upstream = HttpUpstream(url, headers, client, lambda: proxy)

    async def send(self, message: Message, tool: Mapping[str, Any] | None) -> Said:
        """Send a message; see :meth:`Way.send`."""
        return Said(await self._upstream.send(message, Context(tool=tool)))

    async def listen(self, last_event_id: str | None) -> Said:
        """Open the server's own stream; see :meth:`Way.listen`."""
        return Said(await self._upstream.listen(last_event_id, Context()))

    def negotiated(self, version: str) -> None:
        """Note the version, which all further requests name."""
        self._upstream.negotiated(version)

    async def close(self) -> None:
        """End the session."""
        await self._upstream.close()


class RelayWay:
    """Through a relay of this process, to a server that is started or reached here.

    Args:
        core: what relays share.
        name: the server's name in the settings.
        principal: whose messages these are.
        client: the connections to servers that are reached over HTTP.
        modern: whether the client has no sessions (2026-07-28).

    Raises:
        Unavailable: where the server can't be had.
    """

    def __init__(self, core: Core, name: str, principal: Principal, client: HttpClient, *, modern: bool) -> None:
        upstream, _ = new_upstream(core, name, principal, client)
        self._relay = Relay(core, core.now.settings.server(name), upstream, principal, stateless=modern)

    async def send(self, message: Message, tool: Mapping[str, Any] | None) -> Said:
        """Have a message judged and sent; see :meth:`Way.send`."""
        return Said(await self._relay.accept(message.encoded, Context(tool=tool)))

    async def listen(self, last_event_id: str | None) -> Said:
        """Open the server's own stream; see :meth:`Way.listen`."""
        return Said(await self._relay.listen(last_event_id, Context()))

    def negotiated(self, version: str) -> None:
        """The relay has seen it."""

    async def close(self) -> None:
        """End the session, and the server with it."""
        await self._relay.close()
