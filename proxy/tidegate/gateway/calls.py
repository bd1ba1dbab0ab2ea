"""Requests of clients without sessions that a server with sessions works on, or holds until it has its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegate.gateway import eras

if TYPE_CHECKING:
    from tidegate.message import Id, Message
    from tidegate.streams import Outs


class Call:
    """One request of a client's that the server works on.

    Attributes:
        asked: the client's request, as it came last.
        sent: the id by which the server knows it.
        events: what the server still has to say, while it is held.
        questions: what the server wants to know, by key, while it is held.
        rounds: how often the client was asked.
    """

    __slots__ = ("asked", "events", "level", "questions", "rounds", "sent")

    def __init__(self, asked: Message, sent: Id) -> None:
        self.asked = asked
        self.sent = sent
        self.level = asked.meta.get(eras.LEVEL_KEY)
        self.events: Outs | None = None
        self.questions: dict[str, Message] = {}
        self.rounds = 0


def wants(level: Any, message: Message) -> bool:
    """Whether a request that asked for a level of logging asked for a message of the log."""
    params = message.tree.get("params")
    said = params.get("level") if isinstance(params, dict) else None
    return level in eras.LEVELS and said in eras.LEVELS and eras.LEVELS.index(said) >= eras.LEVELS.index(level)
