"""The store ``keyring``: the keyring of the operating system. An extra: ``pip install 'tidegate[keyring]'``."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import keyring
from keyring import errors
from keyring.backends import fail, null
from keyring.core import load_keyring
from pydantic import Field

from tidegate.secret_stores.base import Secret, StoreError
from tidegate.settings_types import Model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keyring.backend import KeyringBackend

_RECOMMENDED = 1  # the least priority of a backend that keyring itself calls recommended


class KeyringStore:
    """The store ``keyring``."""

    class Config(Model):
        """Settings of ``keyring``: what the operating system keeps for the user."""

        service: str = Field("tidegate", description="What the keyring calls the program whose secrets they are.")
        backend: str | None = Field(
            None,
            description="The keyring's class, such as `keyring.backends.SecretService.Keyring`; by default the "
            "best there is.",
        )

    def __init__(self, config: Config, folder: Path) -> None:  # noqa: ARG002 - every store is given one
        self._service = config.service
        self._named = config.backend
        self._found: KeyringBackend | None = None

    def get(self, name: str) -> Secret | None:
        """Return a secret."""
        with _asking():
            value = self._backend().get_password(self._service, name)
        return None if value is None else Secret(value)

    def names(self) -> None:
        """Keyrings have no list that can be asked for."""

    def set(self, name: str, value: Secret) -> None:
        """Keep a secret."""
        with _asking():
            self._backend().set_password(self._service, name, value.reveal())

    def remove(self, name: str) -> bool:
        """Forget a secret; return whether there was one."""
        with _asking():
            if self._backend().get_password(self._service, name) is None:
                return False
            self._backend().delete_password(self._service, name)
        return True

    def _backend(self) -> KeyringBackend:
        if self._found is None:
            self._found = self._chosen()
        return self._found

    def _chosen(self) -> KeyringBackend:
        if self._named is not None:
            try:
                return load_keyring(self._named)
            except (ImportError, AttributeError, ValueError):
                raise StoreError(f"{self._named} is no keyring that is installed") from None
        found = keyring.get_keyring()
        if isinstance(found, fail.Keyring | null.Keyring) or found.priority < _RECOMMENDED:
            raise StoreError(
                "there is no keyring that can be used: none runs, or it is locked for this user", down=True
            )
        return found


@contextmanager
def _asking() -> Iterator[None]:
    """Turn what keyrings raise into sentences; their own texts are nobody's promise."""
    try:
        yield
    except errors.KeyringLocked:
        raise StoreError("the keyring is locked: unlock it, and try again", down=True) from None
    except (errors.KeyringError, errors.NoKeyringError, RuntimeError, OSError) as error:
        raise StoreError(f"the keyring can't be used ({type(error).__name__})", down=True) from None
