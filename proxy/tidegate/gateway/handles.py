"""The handle of a held request: what a stateless client gives back to have it go on.

A modern client that is asked something comes back with the same request, the answers, and a ``requestState`` that it
can't read. Tidegate's says which held request is meant, and is worth something only to the principal, in the profile
and with the request that it was made for, until it expires, once.
Source: MCP 2026-07-28, multi round-trip requests, server requirements (integrity, principal, expiry, request, replay).
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
import hmac
import json
import secrets
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import orjson

from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.message import Message

PREFIX = "tidegate.1."
"""What Tidegate's own states start with; any other is a server's."""

HELD = 16
"""How many requests may be held for one principal, unless their keeper says otherwise."""

_TOKEN, _EXPIRY, _MARK, _SEAL = 16, 8, 16, 32
_SIZE = _TOKEN + _EXPIRY + 3 * _MARK + _SEAL
_ABOUT_RETRY = frozenset(("_meta", "inputResponses", "requestState"))

T = TypeVar("T")


class Refusal(enum.Enum):
    """Why a handle is worth nothing; each value is one sentence that is safe to show to the client."""

    FORGED = "The requestState is none that was given out."
    EXPIRED = "The requestState has expired."
    PRINCIPAL = "The requestState was given to somebody else."
    PROFILE = "The requestState belongs to another profile."
    REQUEST = "The requestState belongs to another request."
    GONE = "The requestState was used already, or what it stands for has ended."


def is_own(state: object) -> bool:
    """Whether a ``requestState`` is one of Tidegate's, or claims to be."""
    return type(state) is str and state.startswith(PREFIX)


def digest_of(request: Message) -> bytes:
    """Return a digest that a request and its retries share: of its method and params, whatever their order.

    ``_meta``, the answers and the state, in which retries differ, don't count.
    """
    params = request.tree.get("params")
    kept: Any = params
    if type(params) is dict:
        kept = {key: value for key, value in params.items() if key not in _ABOUT_RETRY}
    said = [request.method, kept or {}]
    try:
        text = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # integers beyond 64 bits, which orjson doesn't write
        text = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    return hashlib.sha256(text).digest()


class Handles:
    """Makes handles and checks them. It keeps nothing of them: the key does.

    Args:
        key: at least 32 random bytes that nobody else knows.
        ttl: how long a handle lasts, in seconds.
        clock: the time in seconds; the same one for all who share the key.
    """

    def __init__(self, key: bytes, ttl: float, clock: Callable[[], float]) -> None:
        assert len(key) >= 32
        self._key = key
        self.ttl = ttl
        self.clock = clock

    def new(self, principal: str, profile: str, digest: bytes) -> str:
        """Return a handle that nobody can guess.

        Args:
            principal: whose request is held.
            profile: by which profile it came; empty where there is none.
            digest: what :func:`digest_of` says of the request.
        """
        return self.issue(principal, profile, digest)[1]

    def issue(self, principal: str, profile: str, digest: bytes) -> tuple[str, str]:
        """Return a token and the handle that stands for it; see :meth:`new`."""
        token = secrets.token_bytes(_TOKEN)
        expiry = int((self.clock() + self.ttl) * 1000).to_bytes(_EXPIRY, "big")
        said = token + expiry + b"".join(self._marks(token, principal, profile, digest))
        return token.hex(), PREFIX + base64.urlsafe_b64encode(said + self._seal(said)).decode().rstrip("=")

    def check(self, state: object, principal: str, profile: str, digest: bytes) -> str | Refusal:
        """Return the token of what is held, 32 hexadecimal digits; or why the handle is worth nothing.

        Args:
            state: the ``requestState``, whatever it is.
            principal: who gives it back.
            profile: by which profile it comes.
            digest: what :func:`digest_of` says of the request it comes with.
        """
        raw = _decoded(state)
        if raw is None or not hmac.compare_digest(self._seal(raw[:-_SEAL]), raw[-_SEAL:]):
            return Refusal.FORGED
        token, expiry = raw[:_TOKEN], raw[_TOKEN : _TOKEN + _EXPIRY]
        if self.clock() * 1000 >= int.from_bytes(expiry, "big"):
            return Refusal.EXPIRED
        at = _TOKEN + _EXPIRY
        for mark, why in zip(self._marks(token, principal, profile, digest), _WHY, strict=True):
            if not hmac.compare_digest(mark, raw[at : at + _MARK]):
                return why
            at += _MARK
        return token.hex()

    def _seal(self, said: bytes) -> bytes:
        return hmac.digest(self._key, b"seal" + said, "sha256")

    def _marks(self, token: bytes, principal: str, profile: str, digest: bytes) -> list[bytes]:
        """Return what binds a handle; nobody can tell from it whose it is, or that two are of the same."""
        parts = (b"principal", principal.encode()), (b"profile", profile.encode()), (b"request", digest)
        return [hmac.digest(self._key, name + b":" + token + part, "sha256")[:_MARK] for name, part in parts]


_WHY = (Refusal.PRINCIPAL, Refusal.PROFILE, Refusal.REQUEST)


def _decoded(state: object) -> bytes | None:
    """Return the bytes of a handle in its one spelling; ``None`` for anything else."""
    if type(state) is not str or not state.startswith(PREFIX) or not state.isascii():
        return None
    text = state[len(PREFIX) :]
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except binascii.Error:
        return None
    spelt = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return raw if len(raw) == _SIZE and spelt == text else None


class _Entry(NamedTuple, Generic[T]):
    principal: str
    until: float
    thing: T


class Held(Generic[T]):
    """What is held, each taken once by its handle.

    Args:
        handles: makes and checks the handles.
        most: how many things may be held for one principal.
    """

    def __init__(self, handles: Handles, most: int = HELD) -> None:
        self._handles = handles
        self._most = most
        self._entries: OrderedDict[str, _Entry[T]] = OrderedDict()  # oldest first: all last as long
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, thing: T, principal: str, profile: str, digest: bytes) -> str:
        """Hold something and return its handle.

        Raises:
            Rejected: where too much is held for the principal.
        """
        if self._counts[principal] >= self._most:
            raise Rejected("limit", f"More than {self._most} requests wait for answers of this client.")
        until = self._handles.clock() + self._handles.ttl
        token, state = self._handles.issue(principal, profile, digest)
        self._entries[token] = _Entry(principal, until, thing)
        self._counts[principal] += 1
        return state

    def take(self, state: object, principal: str, profile: str, digest: bytes) -> T | Refusal:
        """Return what a handle stands for, which is not held any more then; or why it isn't given.

        A refused handle leaves what is held where it is: nobody can spoil another's.
        """
        token = self._handles.check(state, principal, profile, digest)
        if isinstance(token, Refusal):
            return token
        entry = self._forget(token)
        return Refusal.GONE if entry is None else entry.thing

    def drop(self, thing: T) -> None:
        """Hold something no more: it has ended. What isn't held is none of its business."""
        for token in [token for token, entry in self._entries.items() if entry.thing is thing]:
            self._forget(token)

    def expired(self) -> list[T]:
        """Hold no more what nobody came back for, and return it: it is to be ended."""
        now, gone = self._handles.clock(), list[T]()
        while self._entries:
            token, entry = next(iter(self._entries.items()))
            if entry.until > now:
                break
            self._forget(token)
            gone.append(entry.thing)
        return gone

    def _forget(self, token: str) -> _Entry[T] | None:
        entry = self._entries.pop(token, None)
        if entry is not None:
            self._counts[entry.principal] -= 1
            if not self._counts[entry.principal]:
                del self._counts[entry.principal]
        return entry
