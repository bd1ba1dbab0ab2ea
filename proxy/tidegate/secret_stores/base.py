"""What every store of secrets is, and what it gives: a value that doesn't show itself."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, NoReturn, Protocol, runtime_checkable

from tidegate.settings_types import SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection

MOST = 64 * 1024
"""Bytes of the longest secret."""


class StoreError(SettingsError):
    """A store can't be used; the text is one sentence, without a value.

    Attributes:
        down: whether it is well set up, and can't be reached.
    """


class Secret:
    """A secret text. It shows itself to :meth:`reveal` alone: not when printed, formatted, logged or pickled.

    Args:
        value: the text.

    Raises:
        StoreError: where it is empty, too long, or can't be given to a program.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if not value:
            raise StoreError("a secret has at least one character")
        if "\0" in value:
            raise StoreError("a secret has no NUL character, because no program could be given it")
        try:
            size = len(value.encode())
        except UnicodeEncodeError:
            raise StoreError("a secret is text in UTF-8") from None
        if size > MOST:
            raise StoreError(f"a secret has at most {MOST} bytes")
        self._value = value

    @classmethod
    def of_bytes(cls, data: bytes) -> Secret:
        """Return the secret that a file or a stream holds; one line end at its end isn't part of it.

        Raises:
            StoreError: where it is none.
        """
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise StoreError("a secret is text in UTF-8") from None
        return cls(text[:-2] if text.endswith("\r\n") else text.removesuffix("\n"))

    def reveal(self) -> str:
        """Return the text."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(hashlib.sha256(self._value.encode()).digest())

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret isn't pickled")


class Store(Protocol):
    """Where secrets are kept."""

    def get(self, name: str) -> Secret | None:
        """Return a secret, or ``None`` where there is none of that name.

        Raises:
            StoreError: where that can't be said.
        """
        ...

    def names(self) -> Collection[str] | None:
        """Return the names of all secrets; ``None`` where the store can't tell.

        Raises:
            StoreError: where the store can't be asked.
        """
        ...


@runtime_checkable
class WritableStore(Store, Protocol):
    """A store that can be written to."""

    def set(self, name: str, value: Secret) -> None:
        """Keep a secret under a name, in place of the one that it had.

        Raises:
            StoreError: where that isn't done.
        """
        ...

    def remove(self, name: str) -> bool:
        """Forget a secret; return whether there was one.

        Raises:
            StoreError: where that isn't done.
        """
        ...
