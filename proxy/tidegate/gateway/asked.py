"""What servers ask one client: each counts its requests by itself, so they get ids of the gateway's own.

Ids and progress tokens are mapped before a message is judged, in both directions.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from tidegate import correlate
from tidegate.correlate import key_of
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from tidegate.correlate import Key
    from tidegate.message import Id, Message

P = TypeVar("P")

MAX_ASKED = 1024  # requests of servers that are open with one client; the oldest of who has most make room


class _Question(NamedTuple, Generic[P]):
    peer: P
    own: Id  # the server's id
    token: tuple[Key, Id] | None  # the minted token's key, and the server's token


class Asked(Generic[P]):
    """The open requests of servers to one client."""

    def __init__(self) -> None:
        self._last = 0
        self._open: dict[Key, _Question[P]] = {}
        self._tokens: dict[Key, Key] = {}

    def __len__(self) -> int:
        return len(self._open)

    def mint(self, peer: P, request: Message) -> Message:
        """Return a server's request with an id, and a progress token, that no other has."""
        assert request.id is not None
        while len(self._open) >= MAX_ASKED:
            self._make_room()
        minted, token = self._new(request.id), correlate.progress_token(request)
        at: dict[str, Any] = {}
        known = None
        if token is not None:
            at["/params/_meta/progressToken"] = new = self._new(token)
            known = (key_of(new), token)
            self._tokens[known[0]] = key_of(minted)
        self._open[key_of(minted)] = _Question(peer, request.id, known)
        return request.rewired(id=minted, at=at)

    def _make_room(self) -> None:
        """Forget the oldest question of the server that has most of them, so that none costs another its own."""
        counts = Counter(id(question.peer) for question in self._open.values())
        ((most, _),) = counts.most_common(1)
        self._close(next(key for key, question in self._open.items() if id(question.peer) == most))

    def _new(self, like: Id) -> Id:
        self._last += 1
        return self._last if isinstance(like, int) else f"g{self._last}"

    def _close(self, key: Key) -> _Question[P] | None:
        found = self._open.pop(key, None)
        if found is not None and found.token is not None:
            self._tokens.pop(found.token[0], None)
        return found

    def answered(self, reply: Message) -> tuple[P, Message]:
        """Return whom a client's reply is for, and the reply with that server's own id; the question is closed.

        Raises:
            Rejected: where nobody has asked.
        """
        found = self._close(key_of(reply.id)) if reply.id is not None else None
        if found is None:
            raise Rejected("unsolicited", "The reply answers no open request.")
        return found.peer, reply.rewired(id=found.own)

    def progress(self, notification: Message) -> tuple[P, Message]:
        """Return whom a client's progress is for, and the notification with that server's own token.

        Raises:
            Rejected: where nobody has asked for it.
        """
        token = correlate.token_of(notification)
        about = self._tokens.get(key_of(token)) if token is not None else None
        found = self._open.get(about) if about is not None else None
        if found is None or found.token is None:
            raise Rejected("unsolicited", "The notification doesn't say whose request it is about.")
        return found.peer, notification.rewired(at={"/params/progressToken": found.token[1]})

    def cancelled(self, peer: P, notification: Message) -> Message | None:
        """Return a server's cancellation of its request, with the id that the client knows; ``None`` for none."""
        wanted = correlate.cancelled_id(notification)
        for key, question in self._open.items():
            if question.peer is peer and wanted is not None and key_of(question.own) == key_of(wanted):
                return notification.rewired(at={"/params/requestId": key[1]})
        return None

    def forget(self, peer: P) -> None:
        """Forget what a server had asked that has gone."""
        for key in [key for key, question in self._open.items() if question.peer is peer]:
            self._close(key)
