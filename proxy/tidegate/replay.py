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
        match message.method:
            case "notifications/initialized":
                self.initialized = message
            case "logging/setLevel":
                self._level = message
            case "resources/subscribe" | "resources/unsubscribe":
                params = message.tree.get("params")
                uri = params.get("uri") if isinstance(params, dict) else None
                if isinstance(uri, str):
                    self._subscribe(uri, message)

    def _subscribe(self, uri: str, message: Message) -> None:
        if message.method == "resources/unsubscribe":
            self._subscriptions.pop(uri, None)
        elif uri in self._subscriptions or len(self._subscriptions) < MAX_SUBSCRIPTIONS:
            self._subscriptions[uri] = message
        else:
            log.warning("a subscription is not remembered: there are too many", most=MAX_SUBSCRIPTIONS)

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
        """Tell a new instance what the old one knew; its replies are read and dropped. Return how many messages.

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
                self._check(reply)
        return len(told)

    def _check(self, reply: Arrived) -> None:
        if not isinstance(reply, Message) or reply.kind != "result":
            raise Unavailable("The server was started again, and refuses to begin the session anew.")
        assert self.result is not None
        before, after = (methods.version_in(said.answering("initialize")) for said in (self.result, reply))
        if before != after:
            raise Changed("The server was started again, and speaks another protocol version now: begin a new session.")
