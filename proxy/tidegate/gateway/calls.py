"""Requests of clients without sessions that a server with sessions works on, or holds until it has its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegate.gateway import eras
from tidegate.percall import CALL

if TYPE_CHECKING:
    from tidegate.correlate import Key
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


class Calls(dict["Key", Call]):
    """The requests that one server works on, or holds, by the ids by which it knows them."""

    @property
    def level(self) -> str:
        """The lowest level of logging that any of them asked for; one of them has."""
        levels: list[str] = [call.level for call in self.values() if call.level in eras.LEVELS]
        return min(levels, key=eras.LEVELS.index)

    def unsure(self, call: Call | None, *, apart: bool) -> bool:
        """Whether what comes over the one stream for everything may be about another request than it came with.

        Args:
            call: the request that it came with.
            apart: whether each ``tools/call`` is worked on by an instance that does nothing else.
        """
        if apart and call is not None and call.asked.method == CALL:
            return False
        return sum(one.events is None for one in self.values() if not (apart and one.asked.method == CALL)) > 1


def wants(level: Any, message: Message) -> bool:
    """Whether a request that asked for a level of logging asked for a message of the log."""
    params = message.tree.get("params")
    said = params.get("level") if isinstance(params, dict) else None
    return level in eras.LEVELS and said in eras.LEVELS and eras.LEVELS.index(said) >= eras.LEVELS.index(level)
