"""The store ``age``: a file of all secrets, encrypted with age. An extra: ``pip install 'tidegate[age]'``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import pyrage
from pydantic import Field, model_validator

from tidegate.secret_stores import keys, owner_only
from tidegate.secret_stores.base import StoreError
from tidegate.secret_stores.files import OneFile, default_folder
from tidegate.settings_types import Model

if TYPE_CHECKING:
    from pathlib import Path


class AgeStore(OneFile):
    """The store ``age``: the JSON object of the store ``file``, encrypted to an identity and to other recipients."""

    class Config(Model):
        """Settings of ``age``: a file encrypted with age, which the program `age` reads and writes too."""

        path: str | None = Field(
            None, description="The file; by default `tidegate/secrets.age` in `$XDG_DATA_HOME` or `~/.local/share`."
        )
        identity: str = Field(
            description="Where the identity is, `AGE-SECRET-KEY-…`: `file:PATH` (made by the first `tidegate secret "
            "set`), `env:NAME` or `keyring:NAME`."
        )
        recipients: tuple[str, ...] = Field((), description="Others who can decrypt the file: `age1…`.")

        @model_validator(mode="after")
        def _check(self) -> Self:
            keys.check(self.identity)
            for recipient in self.recipients:
                try:
                    pyrage.x25519.Recipient.from_str(recipient)
                except pyrage.RecipientError:
                    raise ValueError("a recipient is age1 and 58 more letters and digits") from None
            return self

    def __init__(self, config: Config, folder: Path) -> None:
        super().__init__(folder / config.path if config.path else default_folder() / "secrets.age")
        self._config = config
        self._folder = folder

    def _open(self, data: bytes) -> bytes:
        try:
            return bytes(pyrage.decrypt(data, [self._identity()]))
        except pyrage.DecryptError:
            raise StoreError(f"{self._path} can't be decrypted: it is for others, or damaged") from None

    def _seal(self, text: bytes) -> bytes:
        mine = self._identity().to_public()
        others = [pyrage.x25519.Recipient.from_str(recipient) for recipient in self._config.recipients]
        return bytes(pyrage.encrypt(text, [mine, *others]))

    def _prepare(self) -> None:
        said = self._config.identity
        if said.startswith("file:"):
            made = f"{pyrage.x25519.Identity.generate()}\n"
            owner_only.make(self._folder / said.removeprefix("file:"), made.encode())

    def _identity(self) -> pyrage.x25519.Identity:
        said = self._config.identity
        lines = keys.read(said, self._folder).reveal().splitlines()
        for line in lines:  # age-keygen writes comments before it
            if line.startswith("AGE-SECRET-KEY-"):
                try:
                    return pyrage.x25519.Identity.from_str(line.strip())
                except pyrage.IdentityError:
                    break
        raise StoreError(f"{said} is no identity of age: AGE-SECRET-KEY- and 59 more letters and digits")
