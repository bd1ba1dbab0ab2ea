"""Which requests are open in which direction. No input or output: a table and its rules.

JSON-RPC 2.0 says that a reply carries the id of its request; MCP adds progress tokens, cancellation and
subscription ids. A reply that answers no open request, or answers one twice, is refused; so is a request
whose id is already in use by the same sender.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate import methods, values
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from tidegate.message import Id, Message

MAX_OPEN = 10_000
MAX_ANSWERED = 64

Key = tuple[type, "Id"]  # 1 and "1" are different ids


def key_of(identity: Id) -> Key:
    """Return what tells an id from all others: its type and itself."""
    return (type(identity), identity)


@dataclass(slots=True)
class Open:
    """A request that waits for its reply.

    Attributes:
        request: the request as it was judged.
        flow_id: the flow that its reply belongs to.
        owner: the driver's own; it is never looked into here.
        token: the progress token it asks to be kept informed under.
        cancelled: whether its sender has cancelled it; its reply may still come.
        replayable: whether its reply may be delivered again, as a resumed stream does (2025-11-25, streamable
            HTTP, resumability); then it is remembered for a while after it was answered.
        sent: the id by which the other side knows it, where ids are mapped.
    """

    request: Message
    flow_id: str
    owner: Any = None
    token: Id | None = None
    cancelled: bool = False
    replayable: bool = False
    sent: Id | None = None


@dataclass(slots=True)
class Table:
    """The open requests of one direction of one conversation."""

    _open: dict[Key, Open] = field(default_factory=dict)
    _tokens: dict[Key, Key] = field(default_factory=dict)
    _answered: OrderedDict[Key, Open] = field(default_factory=OrderedDict)

    def __len__(self) -> int:
        return len(self._open)

    @property
    def waiting(self) -> bool:
        """Whether any reply is waited for: not those of cancelled requests."""
        return any(not entry.cancelled for entry in self._open.values())

    def open(self, request: Message, flow_id: str, owner: Any = None) -> Open:
        """Note a request. Where too many are open, cancelled ones make room: nobody waits for their replies.

        Raises:
            Rejected: where its id is in use, without the id, because that is another's; or too many are open.
        """
        assert request.id is not None
        key = key_of(request.id)
        if key in self._open:
            raise Rejected("unsolicited", "A request with this id is already open.")
        if len(self._open) >= MAX_OPEN:
            for entry in [entry for entry in self._open.values() if entry.cancelled]:
                self.drop(entry.request.id)
        if len(self._open) >= MAX_OPEN:
            raise Rejected("limit", f"More than {MAX_OPEN} requests are open.", id=request.id)
        token = progress_token(request)
        entry = self._open[key] = Open(request, flow_id, owner, token)
        if self._answered:
            self._answered.pop(key, None)
        if token is not None:
            self._tokens[key_of(token)] = key
        return entry

    def find(self, identity: Id) -> Open | None:
        """Return the open request of an id, or ``None``."""
        return self._open.get(key_of(identity))

    def answer(self, reply: Message, *, again: bool = False) -> tuple[Message, Open]:
        """Match a reply to its request, which is then closed.

        Args:
            reply: a result or an error, with an id.
            again: whether it comes from a stream that repeats what was sent before.

        Returns:
            The reply, told its method, and the request's entry.

        Raises:
            Rejected: where no such request is open.
        """
        entry = None
        if reply.id is not None:
            key = key_of(reply.id)
            entry = self._close(key)
            if entry is None and again:
                entry = self._answered.get(key)
        if entry is None:
            raise Rejected("unsolicited", "The reply answers no open request.")
        return reply.answering(entry.request.method), entry

    def _close(self, key: Key) -> Open | None:
        entry = self._open.pop(key, None)
        if entry is None:
            return None
        if entry.token is not None and self._tokens.get(key_of(entry.token)) == key:  # not another's by now
            del self._tokens[key_of(entry.token)]
        if entry.replayable:
            self._answered[key] = entry
            while len(self._answered) > MAX_ANSWERED:
                self._answered.popitem(last=False)
        return entry

    def drop(self, identity: Id | None) -> Open | None:
        """Close a request that will get no reply; return its entry, or ``None`` where it isn't open."""
        return self._close(key_of(identity)) if identity is not None else None

    def cancel(self, notification: Message) -> Open | None:
        """Note a ``notifications/cancelled``; return the request's entry, or ``None`` where it isn't open."""
        wanted = cancelled_id(notification)
        entry = self.find(wanted) if wanted is not None else None
        if entry is not None:
            entry.cancelled = True
        return entry

    def progress(self, notification: Message, *, again: bool = False) -> Open | None:
        """Return the request that a ``notifications/progress`` is about, or ``None``.

        Args:
            notification: the notification.
            again: whether it comes from a stream that repeats what was sent before.
        """
        token = token_of(notification)
        if token is None:
            return None
        wanted = key_of(token)
        if wanted in self._tokens:
            return self._open.get(self._tokens[wanted])
        known = reversed(self._answered.values()) if again else ()
        return next((entry for entry in known if entry.token is not None and key_of(entry.token) == wanted), None)

    def clear(self) -> None:
        """Forget everything: whoever would have answered, or was to be answered, is gone."""
        self._open.clear()
        self._tokens.clear()
        self._answered.clear()

    def entries(self) -> list[Open]:
        """Return all open requests, oldest first."""
        return list(self._open.values())


def _as_id(value: Any) -> Id | None:
    return value if type(value) is str or type(value) is int else None


def _member(message: Message, name: str) -> Id | None:
    params = message.tree.get("params")
    return _as_id(params.get(name)) if isinstance(params, dict) else None


def progress_token(request: Message) -> Id | None:
    """Return the progress token that a request asks to be kept informed under, or ``None``."""
    return _as_id(request.meta.get("progressToken"))


def token_of(notification: Message) -> Id | None:
    """Return the progress token that a ``notifications/progress`` is about, or ``None``."""
    return _member(notification, "progressToken") if notification.method == "notifications/progress" else None


def cancelled_id(notification: Message) -> Id | None:
    """Return the id of the request that a ``notifications/cancelled`` is about, or ``None``."""
    return _member(notification, "requestId")


def subscription_id(message: Message) -> Id | None:
    """Return the id of the ``subscriptions/listen`` request a message belongs to (2026-07-28), or ``None``."""
    return _as_id(message.meta.get(methods.SUBSCRIPTION_KEY))


class Exchange(NamedTuple):
    """One request of a client's, and where its reply may come from.

    Attributes:
        entry: the request, as the table has it.
        table: the table.
        asked: the id by which the client knows it.
        sent: the id by which the server knows it.
    """

    entry: Open
    table: Table
    asked: Id
    sent: Id

    @property
    def open(self) -> bool:
        """Whether it still waits for its reply."""
        return self.table.find(self.asked) is self.entry

    def drop(self) -> None:
        """Wait for its reply no more."""
        self.table.drop(self.asked)


class Remap:
    """Gives the requests of many clients ids of their own on one shared instance, and undoes it.

    Ids and progress tokens are mapped *before* a message is judged, in both directions, so that what is judged
    is what is sent. A minted id has the type of the client's own.
    """

    def __init__(self) -> None:
        self._last = 0
        self._ids: dict[Key, tuple[Id, Key | None]] = {}  # minted -> the client's own, and the minted token
        self._tokens: dict[Key, tuple[Id, Key]] = {}  # minted -> the client's own, and the minted id

    def mint(self, like: Id) -> Id:
        """Return an id that was never used on this connection, of the same type."""
        self._last += 1
        return self._last if isinstance(like, int) else f"t{self._last}"

    def outward(self, request: Message) -> Message:
        """Return a client's request with minted id and progress token."""
        assert request.id is not None
        minted = self.mint(request.id)
        at: dict[str, Any] = {}
        token, token_key = progress_token(request), None
        if token is not None:
            at["/params/_meta/progressToken"] = minted_token = self.mint(token)
            token_key = key_of(minted_token)
            self._tokens[token_key] = (token, key_of(minted))
        self._ids[key_of(minted)] = (request.id, token_key)
        return request.rewired(id=minted, at=at)

    def inward(self, message: Message) -> Message:
        """Return a server's message with the client's own ids and tokens; unknown ones stay as they are.

        A message is about one request. What it says of another one, of which its reader knows nothing, stays too.
        """
        token, tag = token_of(message), subscription_id(message)
        known = self._tokens.get(key_of(token)) if token is not None else None
        if message.is_reply:
            about = key_of(message.id) if message.id is not None else None
        elif token is not None:
            about = known[1] if known is not None else None
        else:
            about = key_of(tag) if tag is not None else None
        if about is None or about not in self._ids:
            return message
        own = self._ids[about][0]
        at: dict[str, Any] = {}
        if known is not None:
            at["/params/progressToken"] = known[0]
        if tag is not None and key_of(tag) == about:
            where = "result" if message.kind == "result" else "params"
            at[f"/{where}/_meta/{values.escape(methods.SUBSCRIPTION_KEY)}"] = own
        return message.rewired(at=at, **({"id": own} if message.is_reply else {}))

    def forget(self, request: Message) -> None:
        """Forget a request, given with its minted id, that is closed."""
        assert request.id is not None
        _, token = self._ids.pop(key_of(request.id), (None, None))
        if token is not None:
            self._tokens.pop(token, None)
