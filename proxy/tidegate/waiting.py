"""One request that waits on an instance for its reply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate import correlate
from tidegate.mailbox import Mailbox
from tidegate.message import Message
from tidegate.upstream import Arrived, Unavailable
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable


def closes(item: Arrived | None) -> bool:
    """Whether a message is the last one of an answer."""
    return isinstance(item, Rejected) or (isinstance(item, Message) and item.is_reply)


class Waiting:
    """One request that waits on an instance for its reply."""

    __slots__ = ("cancelled", "mailbox", "own", "released", "request", "silent")

    def __init__(self, request: Message, own: Mailbox) -> None:
        self.request = request
        self.mailbox = Mailbox()
        self.own = own  # the server's own stream, as its sender reads it
        self.cancelled = False  # its reply may still come, but needn't
        self.silent = False  # its reader has gone; what still comes goes to the server's own stream
        self.released: Callable[[], None] | None = None  # told when a reply has come that nobody reads any more

    async def reply(self, timeout: float) -> Arrived:  # noqa: ASYNC109 - of each event, as a mailbox has it
        """Return the reply, or why it was refused; what comes before it goes to the server's own stream.

        Raises:
            Unavailable: where none comes, or not in time.
        """
        while True:
            try:
                item = (await self.mailbox.get(timeout)).data
            except TimeoutError:
                raise Unavailable("The server didn't answer in time.", "overdue") from None
            if item is not None and closes(item):
                return item
            if isinstance(item, Message) and correlate.token_of(item) is None:
                self.own.put_latest(item)
