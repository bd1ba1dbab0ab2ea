"""A server with sessions, for a client with one: both speak a version from 2024-11-05 to 2025-11-25."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegate.gateway import asking
from tidegate.gateway.older import older_reply
from tidegate.gateway.peers import PLAIN, WHOLE, WithSessions, is_own, notification
from tidegate.gateway.replies import bare

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.correlate import Open
    from tidegate.gateway.host import Host
    from tidegate.message import Message
    from tidegate.relay import Relay
    from tidegate.streams import Reply
    from tidegate.upstream import Context


class SessionPeer(WithSessions):
    """A server with sessions, for a client with a session (2024-11-05 to 2025-11-25).

    Args:
        host: the front that it belongs to.
        name: the server's name.
        relay: the relay in front of it.
        initialize: the client's ``params`` of ``initialize``, as they were judged.
    """

    def __init__(self, host: Host, name: str, relay: Relay, initialize: Mapping[str, Any]) -> None:
        super().__init__(host, name, relay)
        self._initialize = initialize
        declared = initialize.get("capabilities")
        self._declared: dict[str, Any] = declared if isinstance(declared, dict) else {}
        self._older = False

    async def begin(self) -> None:
        """Begin a session, as the client began its own.

        Raises:
            Unavailable: where the server can't be reached.
            Refused: where it has no ``initialize``.
        """
        result = await self.ask("initialize", {**self._initialize, "protocolVersion": self.host.version})
        said = result.get("capabilities")
        self.capabilities = said if isinstance(said, dict) else {}
        text = result.get("instructions")
        self.instructions = text if isinstance(text, str) else ""
        self.server_version = self.relay.version
        self._older = self.host.version < self.server_version
        await self.relay.take(notification("notifications/initialized"), PLAIN)

    async def take(self, message: Message, context: Context) -> Reply:
        """Send a request of the client's that is for this server; its names are the server's own already."""
        return await bare(await self.sent(message, WHOLE if context.http else PLAIN), self.name)

    def reply(self, message: Message, entry: Open | None) -> Message:
        """Return a reply as the client is to see it: in its own version's words."""
        if entry is None or is_own(entry.request.id):
            return message
        self.host.heard(self, message)
        if self._older:
            return older_reply(message, method=entry.request.method or "", version=self.host.version)
        return message

    def spoken(self, message: Message, about: Open | None) -> Message | None:
        """Return what the server says with ids that no other server's message has; see :meth:`Peer.spoken`."""
        super().spoken(message, about)
        if message.kind == "request":
            lacking = None
            if message.method in asking.ASKED:
                lacking = asking.undeclared(message, self._declared, self.host.version)
            if lacking is None:
                return self.host.asked.mint(self, message)
            self.later(self.relay.take(asking.refusal(message, lacking), PLAIN))
            return None
        if message.method == "notifications/cancelled":
            return self.host.asked.cancelled(self, message)
        if message.method is not None and message.method.endswith("/list_changed"):
            self.host.changed(self, message.method)
        return message
