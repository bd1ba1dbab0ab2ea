"""Keyed fingerprints: equal values look equal, and nothing of a value can be told from one without the key."""

from __future__ import annotations

import hmac
import os
import re
import secrets
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

DIGITS = 16
"""Hexadecimal digits of a fingerprint."""

SHORT = 4
"""How many of them stand in a marker."""

_KEY = re.compile(r"[0-9a-f]{64}\s*")


class Fingerprints:
    """Makes fingerprints with one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, value: str) -> str:
        """Return the fingerprint of a value: the first digits of its HMAC-SHA-256 (RFC 2104)."""
        return hmac.digest(self._key, value.encode("utf-8", "surrogatepass"), "sha256").hex()[:DIGITS]


def with_key_of(path: Path) -> Fingerprints:
    """Return what makes fingerprints with the key in a file, which is made, for its owner alone, where it is missing.

    Raises:
        ValueError: where the file holds no key, or can't be read or made; one sentence.
    """
    try:
        if not path.exists():
            _make(path)
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the key of the fingerprints, {path}, can't be used: {error}") from None
    if _KEY.fullmatch(text) is None:
        raise ValueError(f"{path} holds no key of fingerprints: 64 hexadecimal digits")
    return Fingerprints(bytes.fromhex(text.strip()))


def _make(path: Path) -> None:
    """Make a file with a new key, whole at once: many wraps may start at the same time, and share it."""
    draft, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # for its owner alone
    try:
        with os.fdopen(draft, "w") as file:
            file.write(f"{secrets.token_hex(32)}\n")
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        os.unlink(name)  # noqa: PTH108 - beside the call that makes it


def ephemeral() -> Fingerprints:
    """Return what makes fingerprints with a key that nobody will ever know."""
    return Fingerprints(secrets.token_bytes(32))
