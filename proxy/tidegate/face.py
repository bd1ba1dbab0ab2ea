"""How the messages of a server look to a client that isn't to see them as they came: ids, and protocol versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tidegate.correlate import Open
    from tidegate.message import Id, Message


class Face(Protocol):
    """Changes the messages of one relay's server after the relay has correlated and before it judges them.

    So what is judged is what the client is sent. The gateway is who needs one.

    Attributes:
        modern: whether the client speaks 2026-07-28, so that results have a ``resultType``.
    """

    modern: bool

    def identity(self, asked: Id) -> Id:
        """Return the id by which the client knows a request, of which the relay knows another."""
        ...

    def reply(self, message: Message, entry: Open | None) -> Message:
        """Return a reply as the client is to see it; ``entry`` is the request that it answers."""
        ...

    def spoken(self, message: Message, about: Open | None) -> Message | None:
        """Return a request or notification as the client is to see it, or ``None`` where it isn't for it at all.

        Args:
            message: the message.
            about: the request of the client's that it is about, where it is about one.
        """
        ...
