"""Where the keys and tokens of stores are: ``file:PATH``, ``env:NAME``, ``keyring:NAME``, or asked for."""

from __future__ import annotations

import getpass
import os
import sys
from typing import TYPE_CHECKING

from tidegate.secret_stores import owner_only
from tidegate.secret_stores.base import Secret, StoreError

if TYPE_CHECKING:
    from pathlib import Path

_KINDS = ("file:", "env:", "keyring:")
PROMPT = "prompt"


def check(said: str, *, prompt: bool = False) -> None:
    """See that a setting says where a key is.

    Raises:
        ValueError: where it doesn't; without what it says, which may be the key itself.
    """
    if prompt and said == PROMPT:
        return
    if not any(said.startswith(kind) and len(said) > len(kind) for kind in _KINDS):
        kinds = "file:PATH, env:NAME, keyring:NAME" + (f" or {PROMPT}" if prompt else "")
        raise ValueError(f"a key stands elsewhere, and never in the settings: {kinds}")


def read(said: str, folder: Path) -> Secret:
    """Return a key.

    Args:
        said: where it is.
        folder: where a relative path starts from.

    Raises:
        StoreError: where it isn't there, or others can read it.
    """
    kind, _, name = said.partition(":")
    if kind == "env":
        found = os.environ.get(name)
        if not found:
            raise StoreError(f"the environment variable {name} is not set")
        return Secret(found)
    if kind == "keyring":
        from tidegate.secret_stores.keyrings import KeyringStore  # noqa: PLC0415 - only where one is used

        value = KeyringStore(KeyringStore.Config(), folder).get(name)
        if value is None:
            raise StoreError(f"the keyring has no {name} under the service tidegate")
        return value
    if kind == PROMPT:
        return _asked()
    data = owner_only.read(folder / name)
    if data is None:
        raise StoreError(f"{folder / name} isn't there")
    return Secret.of_bytes(data)


def _asked() -> Secret:
    if not sys.stdin.isatty():
        raise StoreError("the passphrase can't be asked for: standard input is no terminal")
    return Secret(getpass.getpass("Passphrase of the secrets: "))
