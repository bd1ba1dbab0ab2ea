"""Reversible redaction: what a model gets instead of a value, and how a server that may have it gets it back.

A handle is unguessable, belongs to one principal and one conversation, expires, and lives in memory only.
"""

from __future__ import annotations

import re
import secrets
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 10_000
"""Handles that are kept; beyond them the oldest go."""

MARK = "[redacted:sealed:"
"""How the marker of a sealed value begins."""

_HANDLE = re.compile(r"\[redacted:sealed:[a-z0-9-]{1,64}:([A-Za-z0-9_-]{22})\]")

Owner = tuple[str, str]
"""A principal's name, and the key of its conversation."""


class _Sealed(NamedTuple):
    owner: Owner
    fingerprint: str
    value: str
    until: float


class Vault:
    """The sealed values of all conversations."""

    def __init__(self, ttl: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Make an empty one.

        Args:
            ttl: seconds after which a handle is of no use any more.
            clock: the time, in seconds.
        """
        self._ttl = ttl
        self._clock = clock
        self._sealed: OrderedDict[str, _Sealed] = OrderedDict()  # by handle, the one sealed last at the end
        self._handles: dict[tuple[Owner, str], str] = {}  # by fingerprint

    def seal(self, owner: Owner, fingerprint: str, value: str) -> None:
        """Keep a value: under the handle it has, or a new one."""
        handle = self.handle(owner, fingerprint) or secrets.token_urlsafe(16)
        self._handles[owner, fingerprint] = handle
        self._sealed[handle] = _Sealed(owner, fingerprint, value, self._clock() + self._ttl)
        self._sealed.move_to_end(handle)
        self._sweep()

    def handle(self, owner: Owner, fingerprint: str) -> str | None:
        """Return the handle of a value that is sealed for an owner, if it is."""
        handle = self._handles.get((owner, fingerprint))
        return handle if handle is not None and self._open(owner, handle) is not None else None

    def has(self, handle: str) -> bool:
        """Whether there is a sealed value of a handle, whoever's it is."""
        return handle in self._sealed

    def restored(self, owner: Owner, text: str) -> str:
        """Return a text with the owner's handles in it replaced by their values; all others stay."""
        if MARK not in text:
            return text
        return _HANDLE.sub(lambda found: self._open(owner, found[1]) or found[0], text)

    def _open(self, owner: Owner, handle: str) -> str | None:
        sealed = self._sealed.get(handle)
        return sealed.value if sealed and sealed.owner == owner and sealed.until > self._clock() else None

    def _sweep(self) -> None:
        now = self._clock()
        while self._sealed:
            handle, sealed = next(iter(self._sealed.items()))
            if sealed.until > now and len(self._sealed) <= MOST:
                return
            del self._sealed[handle]
            if self._handles.get((sealed.owner, sealed.fingerprint)) == handle:
                del self._handles[sealed.owner, sealed.fingerprint]
