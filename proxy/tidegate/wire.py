"""Strict bytes to :class:`Message`, and back. What two parsers could read differently is refused.

The parser is jiter, held strict: duplicate keys, NaN, Infinity, invalid UTF-8 and lone surrogates are errors.
What it leaves open (numbers that overflow, limits, the shape of a JSON-RPC message) is checked here.
Sources: RFC 8259, RFC 7493 (I-JSON) and JSON-RPC 2.0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jiter

from tidegate import methods, values
from tidegate.message import ENVELOPE, Id, Kind, Message

if TYPE_CHECKING:
    from tidegate.message import Sender

MAX_BATCH = 1000
"""Messages of one batch; more are refused together."""

_SMALL = 16 * 1024  # bytes up to which counting brackets is quicker than a walk
_PARSER_DEPTH = 200  # jiter's own limit on nesting; max_depth can't be above it
_FOLDED_ENVELOPE = {name.casefold(): name for name in ENVELOPE}
_FOLDED_ROUTED = {name.casefold(): name for name in methods.ROUTED}
_FOLDED_INSIDE = {member: {name.casefold(): name for name in names} for member, names in methods.ROUTED_INSIDE.items()}
_LONE_ID = re.compile(rb'"id"\s*:\s*("[^"\\\x00-\x1f]{1,200}"|-?[0-9]{1,18})\s*[,}]')


@dataclass(frozen=True, slots=True)
class Limits:
    """What a message may measure; over any of these it is refused.

    Attributes:
        max_bytes: of its encoding as received, in bytes.
        max_depth: nested objects and arrays.
        max_members: members of objects and items of arrays, all together.
        max_string_bytes: one string, key or value, in bytes of UTF-8.
    """

    max_bytes: int = 4 * 1024 * 1024
    max_depth: int = 64
    max_members: int = 100_000
    max_string_bytes: int = 4 * 1024 * 1024


DEFAULT_LIMITS = Limits()


class Rejected(Exception):  # noqa: N818 - it is a verdict on bytes, and reads as one
    """Bytes that are no message. Holds nothing of them.

    Attributes:
        code: one of :data:`tidegate.verdict.CODES`.
        reason: one sentence that is safe to show to the sender.
        id: the id of the client's request that the bytes are, from a client, or answer, from a server, where that
            can be told without doubt; else ``None``. The ids of what a server asks are never among them: to the
            client, an error under one would answer a request of its own.
        call: whether the bytes are no reply but a request or notification, as far as can be seen.
        size: how many bytes were refused.
    """

    def __init__(self, code: str, reason: str, *, id: Id | None = None, size: int = 0) -> None:  # noqa: A002 - JSON-RPC's own word
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.id = id
        self.call = False
        self.size = size

    def about(self, identity: Id | None, sender: Sender, *, called: bool, replied: bool) -> Rejected:
        """Note which message was refused: its id, who sent it, and which members of a call or of a reply it has."""
        self.call = called and not replied
        self.id = identity if (self.call if sender == "client" else not called) else None
        return self


def parse(data: bytes, sender: Sender, limits: Limits = DEFAULT_LIMITS) -> Message:
    """Read one message.

    Args:
        data: one JSON text in UTF-8.
        sender: who sent it.
        limits: what it may measure.

    Raises:
        Rejected: where it is no message, is ambiguous, or is over a limit.
    """
    tree, encoded = _loaded(data, sender, limits)
    return _message(tree, data, sender, encoded)


def parse_many(
    data: bytes, sender: Sender, limits: Limits = DEFAULT_LIMITS, *, batch: bool = False
) -> Message | list[Message | Rejected]:
    """Read one message, or, where ``batch`` says that the version has them, an array of messages.

    Returns:
        The message; of an array its members, in their order. A member that is no message is refused by itself, and
        says nothing against the others (JSON-RPC 2.0, section 6).

    Raises:
        Rejected: as :func:`parse`; also for an empty array, for one where none may be sent, and for one with more than
            :data:`MAX_BATCH` members.
    """
    tree, encoded = _loaded(data, sender, limits)
    if not isinstance(tree, list):
        return _message(tree, data, sender, encoded)
    if not batch:
        raise Rejected("invalid", "Batches exist in protocol version 2025-03-26 only.", size=len(data))
    if not tree:
        raise Rejected("invalid", "An empty batch is no message.", size=len(data))
    if len(tree) > MAX_BATCH:
        raise Rejected("limit", f"The batch has more than {MAX_BATCH} messages.", size=len(data))
    return [_member(item, sender) for item in tree]


def _member(tree: Any, sender: Sender) -> Message | Rejected:
    """Read a member of a batch."""
    encoded = values.encode(tree)
    try:
        return _message(tree, encoded, sender, encoded)
    except Rejected as refused:
        return refused


def encode(message: Message) -> bytes:
    """Return the canonical encoding of a message: exactly what is sent, and what its digest covers."""
    return message.encoded


def load(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Any:
    """Parse a JSON text strictly and hold it to the limits.

    Raises:
        Rejected: with code ``parse``, ``ambiguous`` or ``limit``.
    """
    return _loaded(data, "client", limits)[0]


def _loaded(data: bytes, sender: Sender, limits: Limits) -> tuple[Any, bytes | None]:
    """Parse and hold to the limits; return the value and, where it came about on the way, its encoding."""
    size = len(data)
    if size > limits.max_bytes:
        raise Rejected("limit", f"The message is longer than {limits.max_bytes} bytes.", size=size)
    try:
        tree = jiter.from_json(data, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="keys")
    except ValueError as error:
        raise _seen(_refusal(str(error)), data, sender) from None
    if type(tree) is not dict and type(tree) is not list:
        return tree, None
    if size <= _SMALL:
        encoded = _plainly_small(tree, data, limits)
        if encoded is not None:
            return tree, encoded
    try:
        _measure(tree, limits, strings=size > limits.max_string_bytes)
    except Rejected as refused:
        raise _seen(refused, data, sender) from None
    return tree, None


def _plainly_small(tree: Any, data: bytes, limits: Limits) -> bytes | None:
    """Return the encoding of a message that can be seen, without a walk, to be within the limits; else ``None``.

    There are no more levels than opening brackets, and no more members than half its bytes. A number that
    overflowed is encoded as a ``null`` that the text didn't have; no other text loses one (an escape may add one,
    and then the walk tells).
    """
    size = len(data)
    small = size // 2 <= limits.max_members and size <= limits.max_string_bytes
    if not small or data.count(b"{") + data.count(b"[") > limits.max_depth:
        return None
    try:
        encoded = values.encode(tree)
    except ValueError:  # a number that overflowed beside an integer beyond 64 bits: the walk tells
        return None
    return encoded if encoded.count(b"null") == data.count(b"null") else None


def _refusal(text: str) -> Rejected:
    """Turn the parser's error into ours; its text may quote the message, so nothing of it is kept."""
    if text.startswith("Detected duplicate key"):
        return Rejected("ambiguous", "A key stands twice in the same object.")
    if text.startswith("recursion limit"):
        return Rejected("limit", f"The message is nested deeper than {_PARSER_DEPTH} levels.")
    return Rejected("parse", "The bytes are not a JSON text.")


def _seen(refused: Rejected, data: bytes, sender: Sender) -> Rejected:
    """Note what can be seen of refused bytes without parsing them."""
    refused.size = len(data)
    replied = b'"result"' in data or b'"error"' in data
    return refused.about(lone_id(data), sender, called=b'"method"' in data, replied=replied)


def lone_id(data: bytes) -> Id | None:
    """Return the id that refused bytes carry, if one and only one can be seen; to address the answer only."""
    if len(data) > DEFAULT_LIMITS.max_bytes:
        return None
    found = _LONE_ID.findall(data)
    if len(found) != 1 or data.count(b'"id"') != 1:
        return None
    try:
        value = jiter.from_json(found[0])
    except ValueError:
        return None
    return value if isinstance(value, str | int) else None


def _measure(tree: Any, limits: Limits, *, strings: bool) -> None:
    """Hold a parsed JSON value to the limits, and refuse numbers that overflowed."""
    members, depth, level = 0, 0, [tree]
    while level:
        depth += 1
        if depth > limits.max_depth:
            raise Rejected("limit", f"The message is nested deeper than {limits.max_depth} levels.")
        below: list[Any] = []
        for parent in level:
            members += len(parent)
            if members > limits.max_members:
                raise Rejected("limit", f"The message has more than {limits.max_members} members.")
            if strings:
                _measure_strings(parent, limits.max_string_bytes)
            for item in parent.values() if type(parent) is dict else parent:
                kind = type(item)
                if kind is dict or kind is list:
                    below.append(item)
                elif kind is float and item - item != 0.0:  # infinite: the text overflowed a double
                    raise Rejected("ambiguous", "A number is beyond the range of a double.")
        level = below


def _measure_strings(parent: Any, most: int) -> None:
    items = (*parent, *parent.values()) if type(parent) is dict else parent
    for item in items:
        if type(item) is str and len(item) * 4 > most and len(item.encode()) > most:
            raise Rejected("limit", f"A string of the message is longer than {most} bytes.")


def _message(tree: Any, data: bytes, sender: Sender, encoded: bytes | None = None) -> Message:
    try:
        return classify(tree, sender, encoded)
    except Rejected as refused:
        refused.size = len(data)
        if type(tree) is dict:
            identity = tree["id"] if _is_id(tree.get("id")) else None
            refused.about(identity, sender, called="method" in tree, replied="result" in tree or "error" in tree)
        raise


def classify(tree: Any, sender: Sender, encoded: bytes | None = None) -> Message:
    """Make a parsed JSON value a message.

    Args:
        tree: the value.
        sender: who sent it.
        encoded: its canonical encoding, where it is known already.

    Raises:
        Rejected: with code ``invalid`` where it is no JSON-RPC message, or ``ambiguous`` where it could be
            read as another one.
    """
    if type(tree) is not dict:
        raise Rejected("invalid", "A message is a JSON object.")
    if tree.get("jsonrpc") != "2.0":
        raise Rejected("invalid", 'The member "jsonrpc" must be "2.0".')
    if len(tree) > 3 or not tree.keys() <= ENVELOPE:
        _check_folded(tree, _FOLDED_ENVELOPE, "The message")
    method = tree.get("method")
    if "method" in tree:
        return _call(tree, method, sender, encoded)
    return _reply(tree, sender, encoded)


def _call(tree: dict[str, Any], method: Any, sender: Sender, encoded: bytes | None) -> Message:
    if "result" in tree or "error" in tree:
        raise Rejected("ambiguous", "The message is both a request and a reply.")
    if type(method) is not str:
        raise Rejected("invalid", 'The member "method" must be a string.')
    if "params" in tree:
        params = tree["params"]
        if type(params) is not dict:
            raise Rejected("invalid", 'The member "params" must be an object.')
        if method in methods.METHODS:
            _check_routed(params)
    if "id" not in tree:
        return Message("notification", sender, None, method, tree, (), encoded)
    if not _is_id(tree["id"]):
        raise Rejected("ambiguous", "The id must be a string or an integer.")
    return Message("request", sender, tree["id"], method, tree, (), encoded)


def _reply(tree: dict[str, Any], sender: Sender, encoded: bytes | None) -> Message:
    has_error = "error" in tree
    if has_error == ("result" in tree):
        reason = "both a result and an error" if has_error else "neither a request nor a reply"
        raise Rejected("ambiguous" if has_error else "invalid", f"The message is {reason}.")
    if "params" in tree:
        raise Rejected("ambiguous", 'A reply has no member "params".')
    kind: Kind = "error" if has_error else "result"
    identity = tree.get("id")
    if has_error:
        _check_error(tree["error"])
        if identity is None:  # the request could not be told (JSON-RPC 2.0, section 5)
            return Message(kind, sender, None, None, tree, (), encoded)
    if not _is_id(identity):
        raise Rejected("ambiguous", "The id must be a string or an integer.")
    return Message(kind, sender, identity, None, tree, (), encoded)


def _check_error(error: Any) -> None:
    if type(error) is not dict or type(error.get("code")) is not int or type(error.get("message")) is not str:
        raise Rejected("invalid", 'The member "error" must have an integer "code" and a string "message".')


def _is_id(value: Any) -> bool:
    return type(value) is str or type(value) is int


def _check_routed(params: dict[str, Any]) -> None:
    """Refuse twins, but for their case, of the members that say what a message of MCP is about."""
    _check_folded(params, _FOLDED_ROUTED, 'The object "params"')
    for member, folded in _FOLDED_INSIDE.items():
        inner = params.get(member)
        if type(inner) is dict:
            _check_folded(inner, folded, f'The object "{member}"')


def _check_folded(tree: dict[str, Any], folded: dict[str, str], what: str) -> None:
    """Refuse a key that equals a known one but for its case: parsers that ignore case would take it for it."""
    for key in tree:
        known = folded.get(key) or folded.get(key.casefold())
        if known is not None and known != key:
            raise Rejected("ambiguous", f"{what} has a member that differs from {known!r} in case only.")
