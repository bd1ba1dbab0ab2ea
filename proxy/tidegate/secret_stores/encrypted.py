"""The store ``encrypted``: one file of all secrets, encrypted with Fernet."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Self

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import Field, model_validator

from tidegate.secret_stores import keys, owner_only
from tidegate.secret_stores.base import Secret, StoreError
from tidegate.secret_stores.files import OneFile, default_folder
from tidegate.settings_types import Model

if TYPE_CHECKING:
    from pathlib import Path

_SCRYPT = {"length": 32, "n": 2**16, "r": 8, "p": 1}  # 64 MiB and a fifth of a second for each try
_SALT = 16
_SALTED = b"tidegate-scrypt:"  # stands, with the salt, before what is encrypted with a passphrase


class EncryptedStore(OneFile):
    """The store ``encrypted``: the same file, encrypted with Fernet (AES-128-CBC and HMAC-SHA256)."""

    class Config(Model):
        """Settings of ``encrypted``: a file encrypted with Fernet. Its key comes from elsewhere."""

        path: str | None = Field(
            None, description="The file; by default `tidegate/secrets.fernet` in `$XDG_DATA_HOME` or `~/.local/share`."
        )
        key: str | None = Field(
            None,
            description="Where the key is: `file:PATH` (made by the first `tidegate secret set`), `env:NAME` or "
            "`keyring:NAME`.",
        )
        passphrase: str | None = Field(
            None,
            description="In place of a key, where a passphrase is: the same, or `prompt`, which asks on the terminal.",
        )

        @model_validator(mode="after")
        def _check(self) -> Self:
            if (self.key is None) == (self.passphrase is None):
                raise ValueError("an encrypted store has either key or passphrase")
            keys.check(self.key or self.passphrase or "", prompt=self.passphrase is not None)
            return self

    def __init__(self, config: Config, folder: Path) -> None:
        super().__init__(folder / config.path if config.path else default_folder() / "secrets.fernet")
        self._config = config
        self._folder = folder
        self._passphrase: Secret | None = None
        self._fernets: dict[bytes, Fernet] = {}  # by salt: to make a key of a passphrase takes long on purpose

    def _open(self, data: bytes) -> bytes:
        try:
            if self._config.passphrase is None:
                return self._keyed().decrypt(data.strip())
            if not data.startswith(_SALTED):
                raise StoreError(f"{self._path} isn't encrypted with a passphrase")
            salt, _, token = data.removeprefix(_SALTED).partition(b":")
            return self._salted(base64.urlsafe_b64decode(salt)).decrypt(token.strip())
        except (InvalidToken, ValueError):
            raise StoreError(f"{self._path} can't be decrypted: the key is another, or the file is damaged") from None

    def _seal(self, text: bytes) -> bytes:
        if self._config.passphrase is None:
            return self._keyed().encrypt(text) + b"\n"
        salt = next(iter(self._fernets), None) or os.urandom(_SALT)
        return _SALTED + base64.urlsafe_b64encode(salt) + b":" + self._salted(salt).encrypt(text) + b"\n"

    def _prepare(self) -> None:
        said = self._config.key or ""
        if said.startswith("file:"):
            owner_only.make(self._folder / said.removeprefix("file:"), Fernet.generate_key() + b"\n")

    def _keyed(self) -> Fernet:
        said = self._config.key or ""
        try:
            return Fernet(keys.read(said, self._folder).reveal())
        except ValueError:
            raise StoreError(
                f"{said} is no key of 32 bytes in base64; `tidegate secret set` makes one in a file that isn't there"
            ) from None

    def _salted(self, salt: bytes) -> Fernet:
        if salt not in self._fernets:
            if self._passphrase is None:
                self._passphrase = keys.read(self._config.passphrase or "", self._folder)
            key = Scrypt(salt=salt, **_SCRYPT).derive(self._passphrase.reveal().encode())
            self._fernets[salt] = Fernet(base64.urlsafe_b64encode(key))
        return self._fernets[salt]
