"""The requests that wait on an instance for their replies, and which of them a message of the server's is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate import correlate
from tidegate.correlate import key_of
from tidegate.mailbox import Mailbox
from tidegate.message import Message
from tidegate.upstream import Arrived, Unavailable
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tidegate.correlate import Key
    from tidegate.message import Id

LISTEN = "subscriptions/listen"


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


class Awaited:
    """The requests that wait on one instance."""

    def __init__(self) -> None:
        self._open: dict[Key, Waiting] = {}
        self._tokens: dict[Key, Waiting] = {}

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(self._open.values())

    def add(self, request: Message, own: Mailbox) -> Waiting:
        """Note that a request is sent, whose sender reads there what the server says by itself."""
        assert request.id is not None
        waiting = self._open[key_of(request.id)] = Waiting(request, own)
        token = correlate.progress_token(request)
        if token is not None:
            self._tokens[key_of(token)] = waiting
        return waiting

    def cancelled(self, notification: Message) -> None:
        """Note that a request's reply needn't come any more."""
        wanted = correlate.cancelled_id(notification)
        waiting = self._open.get(key_of(wanted)) if wanted is not None else None
        if waiting is not None:
            waiting.cancelled = True

    def forget(self, request: Message) -> None:
        """Stop waiting for a reply."""
        _drop(self._open, request.id, request)
        _drop(self._tokens, correlate.progress_token(request), request)

    def end(self, failure: Unavailable) -> None:
        """Tell everyone who waits that the server has ended."""
        for waiting in self:
            waiting.mailbox.end(failure)
            if waiting.released is not None:
                waiting.released()
        self._open.clear()
        self._tokens.clear()

    def about(self, item: Message | Rejected) -> Waiting | None:
        """Return the request that a message of the server's is about, as far as that can be told."""
        if isinstance(item, Rejected) and item.call:
            return None
        if isinstance(item, Rejected) or item.is_reply:
            if item.id is not None:
                return self._open.get(key_of(item.id))
            due = [one for one in self if not one.cancelled and one.request.method != LISTEN]
            due = due or list(self)
            return due[0] if len(due) == 1 else None
        token = correlate.token_of(item)
        if token is not None:
            return self._tokens.get(key_of(token))
        tag = correlate.subscription_id(item)
        if tag is not None:
            return self._open.get(key_of(tag))
        return self._latest() if item.kind == "request" or item.method == "notifications/message" else None

    def _latest(self) -> Waiting | None:
        """A request or log message of the server's is taken to belong to the request it got last."""
        for waiting in reversed(self._open.values()):
            if waiting.request.method != LISTEN and not waiting.silent:
                return waiting
        return None


def _drop(table: dict[Key, Waiting], identity: Id | None, request: Message) -> None:
    """Take a request out of a table, unless another has its id or token by now."""
    if identity is not None and key_of(identity) in table and table[key_of(identity)].request is request:
        del table[key_of(identity)]
