"""A server with sessions, for a client with a session (2024-11-05 to 2025-11-25), of whatever version each is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tidegate import methods
from tidegate.gateway import asking
from tidegate.gateway.older import older_answer, older_reply, older_request
from tidegate.gateway.own_requests import Refused, is_own, notification
from tidegate.gateway.peers import PLAIN, WHOLE, Peer
from tidegate.gateway.replies import bare

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.correlate import Open
    from tidegate.gateway.host import Host
    from tidegate.message import Message
    from tidegate.relay import Relay
    from tidegate.streams import Reply
    from tidegate.upstream import Context


class SessionPeer(Peer):
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
        said = initialize.get("capabilities")
        self._declared: dict[str, Any] = said if isinstance(said, dict) else {}
        self._older = False
        self._kept: dict[str, Message] = {}  # what a session begun anew is told again
        self._renewed = asyncio.Event()

    async def begin(self) -> None:
        """Begin a session, as the client began its own.

        Raises:
            Unavailable: where the server can't be reached.
            Refused: where it has no ``initialize``.
        """
        result = await self.ask("initialize", {**self._initialize, "protocolVersion": self.host.version})
        self.introduced(result)
        self.server_version = self.relay.version
        self._older = self.host.version < self.server_version
        await self.relay.take(notification("notifications/initialized"), PLAIN)

    async def take(self, message: Message, context: Context) -> Reply:
        """Send a request of the client's; see :meth:`Peer.sent`."""
        context = WHOLE if context.http else PLAIN
        reply = await self.sent(message, context)
        if message.method == "resources/subscribe":
            self._kept[message.tree["params"]["uri"]] = message
        elif message.method == "resources/unsubscribe":
            self._kept.pop(message.tree["params"]["uri"], None)
        return await bare(reply, self.name)

    async def asked(self, message: Message) -> Message:
        """Send a request of the gateway's own; remember at which level the server is to log."""
        if message.method == "logging/setLevel":
            self._kept[""] = message
        return await super().asked(message)

    async def renew(self) -> bool:
        """Begin another session, and tell the server again what it was to remember.

        Raises:
            Unavailable: where the server can't be reached.
            Refused: where it has no sessions any more.
        """
        await self.begin()
        for kept in list(self._kept.values()):
            await self.remind(kept.method or "", kept.tree.get("params"))
        self._renewed.set()
        return True

    async def pump(self) -> None:
        """Take what the server says by itself, in this session and in those that follow it."""
        while True:
            self._renewed.clear()
            reading = asyncio.create_task(super().pump(), name="gateway pump of one session")
            try:
                await self._renewed.wait()  # the old session's stream may still be open, but nothing comes of it
            finally:
                reading.cancel()
                await asyncio.wait((reading,))

    def reply(self, message: Message, entry: Open | None) -> Message:
        """Return a reply as the client is to see it: in its own version's words."""
        if entry is None or is_own(entry.request.id):
            return message
        self.host.heard(self, message)
        if self._older:
            return older_reply(message, method=entry.request.method or "", version=self.host.version)
        return message

    async def answer(self, reply: Message) -> None:
        """Pass on the client's answer to a question, as the server's version says it."""
        await super().answer(answer_for(self.relay, reply))

    def spoken(self, message: Message, about: Open | None) -> Message | None:
        """Return what the server says, in the client's own version's words, with ids that no other's message has."""
        super().spoken(message, about)
        if message.kind == "request":
            lacking = None
            if message.method in asking.ASKED:
                lacking = asking.undeclared(message, self._declared, self.host.version)
            elif not methods.may_send("server", message.method or "", self.host.version):
                lacking = {}
            if lacking is None:
                return self.host.asked.mint(self, older_request(message, version=self.host.version))
            self.later(self.relay.take(asking.refusal(message, lacking), PLAIN))
            return None
        if not methods.may_send("server", message.method or "", self.host.version):
            return None
        if message.method == "notifications/cancelled":
            return self.host.asked.cancelled(self, message)
        if message.method is not None and message.method.endswith("/list_changed"):
            self.host.changed(self, message.method)
        return message


def answer_for(relay: Relay, reply: Message) -> Message:
    """Return a client's answer to a question of a server's in words of the version that the server speaks."""
    asked = relay.asked.find(reply.id) if reply.id is not None else None
    method = asked.request.method if asked is not None else None
    return older_answer(reply, method=method or "", version=relay.version)


async def begun(peer: Peer) -> Peer | None:
    """Begin with a server; ``None`` where it doesn't speak this era.

    Raises:
        Unavailable: where it can't be reached.
    """
    try:
        await peer.begin()
    except Refused:
        await peer.close()
        return None
    except BaseException:
        await peer.close()
        raise
    return peer
