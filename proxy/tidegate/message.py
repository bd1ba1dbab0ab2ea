"""One JSON-RPC 2.0 message, frozen: what interceptors see, and what is encoded when it goes on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tidegate import values
from tidegate.quick import quick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.values import Leaf

Kind = Literal["request", "notification", "result", "error"]
Sender = Literal["client", "server"]
Id = str | int

BODY: dict[Kind, str] = {"request": "params", "notification": "params", "result": "result", "error": "error"}
"""Per kind, the member that holds its body (JSON-RPC 2.0, sections 4 and 5)."""

ENVELOPE = frozenset(("jsonrpc", "id", "method", "params", "result", "error"))
"""The members that JSON-RPC 2.0 defines; all others are :attr:`Message.extra`."""


class Edit(NamedTuple):
    """What a transform or a redaction changed: where, and why. Never what stood there."""

    pointer: str
    label: str


@quick
@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """One JSON-RPC message.

    Attributes:
        kind: ``request``, ``notification``, ``result`` or ``error``.
        sender: who sent it, ``client`` or ``server``.
        id: its id, a string or an integer; ``None`` for a notification, and for an error that answers
            no request in particular.
        method: its method; for a reply, that of the request it answers (``None`` where there is none).
        tree: the whole message as it was parsed, plain and not frozen, for who reads all of it and has to be
            quick. It is shared with everybody else: never change it.
        edits: what was changed since it was received.
    """

    kind: Kind
    sender: Sender
    id: Id | None
    method: str | None
    tree: dict[str, Any] = field(repr=False)
    edits: tuple[Edit, ...] = ()
    _encoded: bytes | None = field(default=None, repr=False)
    _body: Any = field(default=None, repr=False)
    _digest: str | None = field(default=None, repr=False)
    _meta: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def body(self) -> Any:
        """Its params, result or error, deeply frozen; ``None`` where it has none."""
        if self._body is None:
            frozen = values.freeze(self.tree.get(BODY[self.kind]))
            object.__setattr__(self, "_body", frozen)
        return self._body

    @property
    def meta(self) -> dict[str, Any]:
        """The plain ``_meta`` of its params or result, the core's own; empty where there is none."""
        if self._meta is None:
            body = self.tree.get("result" if self.kind == "result" else "params")
            found = body.get("_meta") if type(body) is dict else None
            object.__setattr__(self, "_meta", found if type(found) is dict else {})
        return self._meta  # type: ignore[return-value]  # set in the line above

    @property
    def extra(self) -> dict[str, Any]:
        """Its top-level members that JSON-RPC doesn't define, deeply frozen."""
        members = {key: value for key, value in self.tree.items() if key not in ENVELOPE}
        return values.FrozenDict(values.freeze(members))

    @property
    def encoded(self) -> bytes:
        """Its canonical encoding: exactly the bytes that go out. UTF-8 JSON, no white space."""
        if self._encoded is None:
            object.__setattr__(self, "_encoded", values.encode(self.tree))
        return self._encoded  # type: ignore[return-value]  # set in the line above

    @property
    def digest(self) -> str:
        """The SHA-256 of :attr:`encoded`, 64 hexadecimal digits."""
        if self._digest is None:
            object.__setattr__(self, "_digest", hashlib.sha256(self.encoded).hexdigest())
        return self._digest  # type: ignore[return-value]  # set in the line above

    @property
    def is_reply(self) -> bool:
        """Whether it answers a request."""
        return self.kind == "result" or self.kind == "error"  # noqa: PLR1714 - twice as fast, and asked often

    def strings(self, below: str | None = None) -> Iterator[Leaf]:
        """Yield every string of the whole message, keys too, with its JSON Pointer.

        Pointers start at the message itself (``/params/arguments/path``). A string that holds JSON text is
        yielded itself and then leaf by leaf, its inner pointers behind the token ``~2``.

        Args:
            below: only those of one member of the message, such as ``params``; none where it isn't there.

        Raises:
            TooDeep: where JSON texts are nested too deep to be opened. Let it pass: the message is denied then.
        """
        if below is None:
            return values.strings(self.tree)
        return values.strings(self.tree.get(below), f"/{values.escape(below)}")

    def get(self, pointer: str) -> Any:
        """Return the part that a JSON Pointer names, deeply frozen.

        Raises:
            PointerError: where it leads nowhere.
        """
        return values.freeze(values.resolve(self.tree, pointer))

    def replace(self, pointer: str, value: Any, *, label: str) -> Message:
        """Return a copy with one part replaced.

        Args:
            pointer: which part, by JSON Pointer from the message's root. Only parts of the body and of
                extra members can be replaced: what a message is, and what it answers, is fixed.
            value: its new value, any JSON value.
            label: why, for the audit record; never anything of the old value.

        Raises:
            PointerError: where the pointer leads nowhere, or to ``jsonrpc``, ``id`` or ``method``.
            TypeError: where ``value`` is not a JSON value.
        """
        tokens = values.split(pointer)
        if not tokens or tokens[0] in ("jsonrpc", "id", "method"):
            raise values.PointerError("only parts of params, result, error or an extra member are replaceable")
        tree = values.replaced(self.tree, tokens, values.thaw(value))
        return Message(self.kind, self.sender, self.id, self.method, tree, (*self.edits, Edit(pointer, label)))

    def answering(self, method: str | None) -> Message:
        """Return this reply, told the method of the request it answers."""
        return Message(
            self.kind,
            self.sender,
            self.id,
            method,
            self.tree,
            self.edits,
            self._encoded,
            self._body,
            self._digest,
        )

    def rewired(self, **parts: Any) -> Message:
        """Return a copy in another id space: the core's way to map ids and tokens *before* judging.

        Args:
            parts: JSON Pointers' values by keyword: ``id`` for the id, and ``at`` for a dict of pointer to
                value (progress tokens, request ids and subscription ids).
        """
        tree = self.tree
        for pointer, value in parts.get("at", {}).items():
            tree = values.replaced(tree, values.split(pointer), value)
        new_id = parts.get("id", self.id)
        if new_id is not self.id:
            tree = {**tree, "id": new_id}
        return Message(self.kind, self.sender, new_id, self.method, tree, self.edits)
