"""What a session has told its server, so that a new instance can be told it again: the same judged messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from tidegate import methods
from tidegate.message import Message
from tidegate.upstream import Unavailable

if TYPE_CHECKING:
    from tidegate.instances import Instance
    from tidegate.mailbox import Mailbox
    from tidegate.upstream import Arrived

log = structlog.get_logger("tidegate.replay")

NOTED = frozenset(
    ("initialize", "notifications/initialized", "logging/setLevel", "resources/subscribe", "resources/unsubscribe")
)
"""The methods that a server remembers something of (2025-11-25, lifecycle, logging, resources)."""

MAX_SUBSCRIPTIONS = 1024  # remembered per session
MAX_BYTES = 1024 * 1024  # of what is remembered per session beside initialize


class Changed(Unavailable):
    """A new instance speaks another protocol version, so the session can't go on with it."""


class Memory:
    """What one session, or several that share an instance, has told the server.

    Attributes:
        initialize: the judged request that the server answered with a result.
        result: that result, as it came from the server.
        initialized: the judged notification that followed it.
    """

    def __init__(self) -> None:
        self.initialize: Message | None = None
        self.result: Message | None = None
        self.initialized: Message | None = None
        self._level: Message | None = None
        self._subscriptions: dict[str, Message] = {}

    @property
    def resident(self) -> bool:
        """Whether the server was asked to speak by itself, so that it is of use though nobody asks it anything."""
        return bool(self._subscriptions)

    def note(self, message: Message) -> None:
        """Note a judged message that is about to be sent."""
        if message.method == "resources/unsubscribe":
            self._subscriptions.pop(_uri(message), None)
        elif message.method != "initialize" and not self._has_room(message):
            log.warning("a new server will not be told this again: there is too much of it", method=message.method)
        elif message.method == "notifications/initialized":
            self.initialized = message
        elif message.method == "logging/setLevel":
            self._level = message
        elif message.method == "resources/subscribe" and _uri(message):
            self._subscriptions[_uri(message)] = message

    def _has_room(self, message: Message) -> bool:
        kept = [self.initialized, self._level, *self._subscriptions.values()]
        size = sum(len(each.encoded) for each in kept if each is not None)
        return size + len(message.encoded) <= MAX_BYTES and len(self._subscriptions) < MAX_SUBSCRIPTIONS

    def refused(self, message: Message) -> None:
        """Note that the server answered a message with an error, and so remembers nothing of it."""
        if self._level is message:
            self._level = None
        if self._subscriptions.get(_uri(message)) is message:
            del self._subscriptions[_uri(message)]

    def begun(self, initialize: Message, reply: Message) -> None:
        """Note that the server answered ``initialize`` with a result."""
        self.initialize, self.result = initialize, reply
        self.initialized = self._level = None
        self._subscriptions.clear()

    def to_tell(self, *, briefly: bool = False) -> list[Message]:
        """Return what a new instance must be told, in order; without subscriptions, if it is for one call only."""
        if self.initialize is None:
            return []
        said = [self.initialize, self.initialized, self._level, *(() if briefly else self._subscriptions.values())]
        return [message for message in said if message is not None]

    async def replay(
        self,
        instance: Instance,
        own: Mailbox,
        timeout: float,  # noqa: ASYNC109 - of each reply
        *,
        briefly: bool = False,
    ) -> int:
        """Tell a new instance what the old one knew; return how many messages.

        Its replies are read and dropped, but for what it says of itself, which is what counts from now on.

        Args:
            instance: the new instance.
            own: where goes what the server says meanwhile by itself.
            timeout: seconds it may take to answer each.
            briefly: whether it is for one call only.

        Raises:
            Unavailable: where it doesn't answer, or refuses ``initialize``.
            Changed: where it agrees on another protocol version than the old one.
        """
        told = self.to_tell(briefly=briefly)
        for message in told:
            waiting = await instance.send(message, timeout, own)
            if waiting is None:
                continue
            try:
                reply = await waiting.reply(timeout)
            finally:
                instance.forget(message)
            if message is self.initialize:
                said = self._checked(reply)
                self.result = self.result if briefly else said
        return len(told)

    def _checked(self, reply: Arrived) -> Message:
        if not isinstance(reply, Message) or reply.kind != "result":
            raise Unavailable("The server was started again, and refuses to begin the session anew.")
        assert self.result is not None
        before, after = (methods.version_in(said.answering("initialize")) for said in (self.result, reply))
        if before != after:
            raise Changed("The server was started again, and speaks another protocol version now: begin a new session.")
        return reply


def _uri(message: Message) -> str:
    """Return the URI that a message is about; ``""`` where it names none."""
    params = message.tree.get("params")
    uri = params.get("uri") if isinstance(params, dict) else None
    return uri if isinstance(uri, str) else ""
