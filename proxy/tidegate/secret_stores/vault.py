"""The store ``vault``: HashiCorp Vault or OpenBao, KV version 2. An extra: ``pip install 'tidegate[vault]'``.

Source: the HTTP API of Vault's KV secrets engine, version 2. What Vault answers is never repeated: it may hold values.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlsplit

import httpx
from pydantic import Field, model_validator

from tidegate.secret_stores import keys
from tidegate.secret_stores.base import Secret, StoreError
from tidegate.settings_types import Model, Seconds, is_loopback

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_PLACE = "{name}"
_TRIES = 3  # to write where somebody else writes too


class VaultStore:
    """The store ``vault``: one entry of KV version 2 for each secret, or one for all of them."""

    class Config(Model):
        """Settings of ``vault``: a Vault or OpenBao server, by a token that may read and perhaps write."""

        address: str = Field(description="Its address, `https://HOST:PORT`; plain `http` on this machine only.")
        token: str = Field(description="Where the token is: `env:VAULT_TOKEN`, `file:PATH` or `keyring:NAME`.")
        mount: str = Field("secret", description="Where the KV engine is mounted.")
        path: str = Field(
            "tidegate/{name}",
            description="The entry of a secret. Without `{name}` in it, one entry has all of them, each as the field "
            "of its name.",
        )
        field: str = Field("value", description="The field of an entry that holds the secret.")
        namespace: str | None = Field(None, description="The namespace, for Vault Enterprise and OpenBao.")
        ca: str | None = Field(
            None, description="A file of the certificate authorities to trust, in place of the usual."
        )
        timeout: Seconds = Field(5.0, description="Seconds an answer may take.")

        @model_validator(mode="after")
        def _check(self) -> Self:
            keys.check(self.token)
            parts = urlsplit(self.address)
            if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
                raise ValueError("address is https://HOST:PORT")
            if parts.scheme == "http" and not is_loopback(parts.hostname):
                raise ValueError("address is https: over http everyone on the way would read the secrets")
            return self

    def __init__(self, config: Config, folder: Path) -> None:
        self._config = config
        self._folder = folder
        self._address = config.address.rstrip("/")

    def get(self, name: str) -> Secret | None:
        """Return a secret."""
        fields, _ = self._entry(name)
        value = fields.get(self._field(name))
        if value is None:
            return None
        if not isinstance(value, str):
            raise StoreError(f"the entry of {name} in Vault has no text in its field {self._field(name)}")
        return Secret(value)

    def names(self) -> Collection[str] | None:
        """Return the names of all secrets, where they can be listed."""
        before, found, after = self._config.path.partition(_PLACE)
        if not found:
            return sorted(self._entry("")[0])
        if after or (before and not before.endswith("/")):
            return None
        answer = self._ask("GET", "metadata", before.rstrip("/"), params={"list": "true"})
        listed = {} if answer is None else answer.get("data")
        names = listed.get("keys", []) if isinstance(listed, dict) else []
        return sorted(name for name in names if isinstance(name, str) and not name.endswith("/"))

    def set(self, name: str, value: Secret) -> None:
        """Keep a secret; other fields of its entry stay."""
        self._edit(name, lambda fields: fields | {self._field(name): value.reveal()})

    def remove(self, name: str) -> bool:
        """Forget a secret, all its versions; where its entry has other fields, those stay."""
        fields, _ = self._entry(name)
        if self._field(name) not in fields:
            return False
        if len(fields) == 1:
            self._ask("DELETE", "metadata", self._path(name))
        else:
            self._edit(name, lambda old: {key: item for key, item in old.items() if key != self._field(name)})
        return True

    def _edit(self, name: str, edit: Any) -> None:
        for _ in range(_TRIES):
            fields, version = self._entry(name)
            body = {"data": edit(fields), "options": {"cas": version}}
            if self._ask("POST", "data", self._path(name), json=body, contested=True) is not None:
                return
        raise StoreError(f"the entry of {name} in Vault is being written by others: try again", down=True)

    def _entry(self, name: str) -> tuple[dict[str, Any], int]:
        """Return the fields of an entry and its version; none and its last version where it was deleted."""
        answer = self._ask("GET", "data", self._path(name), gone=True)
        if answer is None:
            return {}, 0
        data = answer.get("data")
        inner = data.get("data") if isinstance(data, dict) else None
        about = data.get("metadata") if isinstance(data, dict) else None
        version = about.get("version") if isinstance(about, dict) else None
        if not isinstance(version, int) or not isinstance(inner, dict | None):
            raise StoreError(f"what Vault has at {self._config.mount} isn't a KV engine of version 2")
        return inner or {}, version

    def _path(self, name: str) -> str:
        return self._config.path.replace(_PLACE, name)

    def _field(self, name: str) -> str:
        return self._config.field if _PLACE in self._config.path else name

    def _ask(
        self, method: str, kind: str, path: str, *, gone: bool = False, contested: bool = False, **more: Any
    ) -> Any:
        """Ask Vault; return the tree of its answer, or ``None`` where there is nothing at the path.

        Args:
            method: of HTTP.
            kind: ``data`` or ``metadata``.
            path: the entry's.
            gone: whether the answer about an entry whose newest version was deleted is wanted too.
            contested: whether ``None`` stands for somebody else's having written first.
            more: what httpx is given besides.

        Raises:
            StoreError: where it can't be reached, refuses, or answers what can't be used.
        """
        token = keys.read(self._config.token, self._folder).reveal().strip()
        headers = {"X-Vault-Token": token, "X-Vault-Request": "true"}
        if self._config.namespace is not None:
            headers["X-Vault-Namespace"] = self._config.namespace
        url = f"{self._address}/v1/{quote(self._config.mount)}/{kind}/{quote(path)}"
        try:
            trusted = ssl.create_default_context(
                cafile=str(self._folder / self._config.ca) if self._config.ca else None
            )
            with httpx.Client(verify=trusted, trust_env=False, timeout=self._config.timeout) as client:
                answer = client.request(method, url, headers=headers, **more)
        except (OSError, ssl.SSLError) as error:
            raise StoreError(f"the certificates in {self._config.ca} can't be read: {error.strerror}") from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise StoreError(f"Vault can't be reached at {self._address} ({type(error).__name__})", down=True) from None
        return self._judged(answer, gone=gone, contested=contested)

    def _judged(self, answer: httpx.Response, *, gone: bool, contested: bool) -> Any:
        try:
            tree = answer.json() if answer.content else {}
        except (ValueError, RecursionError):
            tree = None
        if not isinstance(tree, dict):
            raise StoreError(
                f"Vault at {self._address} doesn't answer with JSON (HTTP {answer.status_code})", down=True
            )
        if answer.is_success:
            return tree
        if answer.status_code == 404:
            if tree.get("errors"):  # an entry that isn't there has none
                raise StoreError(f"Vault at {self._address} has no KV engine at {self._config.mount}")
            return tree if gone and "data" in tree else None
        if answer.status_code == 400 and contested and "check-and-set" in str(tree.get("errors")):
            return None
        if answer.status_code in (401, 403):
            raise StoreError(f"Vault at {self._address} refuses the token, or the token may not do this")
        down = answer.status_code >= 500 or answer.status_code == 429
        raise StoreError(f"Vault at {self._address} answers with HTTP {answer.status_code}", down=down)
