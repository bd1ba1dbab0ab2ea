"""What the servers of one front need of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tidegate.gateway.asked import Asked
    from tidegate.gateway.peers import Peer
    from tidegate.mailbox import Mailbox
    from tidegate.message import Message


class Host(Protocol):
    """What peers need of the front that they belong to.

    Attributes:
        asked: what servers ask the client.
        version: the protocol version that the client speaks.
        own: the stream on which the client is told what belongs to no request; ``None`` where it has none.
    """

    asked: Asked[Peer]

    @property
    def own(self) -> Mailbox | None: ...  # noqa: D102 - above

    @property
    def version(self) -> str: ...  # noqa: D102 - above

    def heard(self, peer: Peer, reply: Message) -> None:
        """Note what a reply says of resources and tasks, so that later requests about them find their server."""
        ...

    def changed(self, peer: Peer, method: str) -> None:
        """Note that a server's lists have changed, or that it is back."""
        ...

    def anew(self, peer: Peer, kinds: list[str]) -> None:
        """Take over what a server can that began anew, and which lists it has won or lost by that."""
        ...

    def back(self, name: str) -> None:
        """Note that a server was away, and may have other lists now."""
        ...

    def has_tasks(self, peer: Peer) -> bool:
        """Whether a server has begun tasks for the client."""
        ...
