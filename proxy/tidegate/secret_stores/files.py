"""The store ``file``: one file of all secrets, that its owner alone can read; and what its encrypted kin share."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from tidegate.secret_stores import owner_only
from tidegate.secret_stores.base import Secret, StoreError
from tidegate.settings_types import Model

if TYPE_CHECKING:
    from collections.abc import Collection


def default_folder() -> Path:
    """Return the folder for what is the user's own: ``$XDG_DATA_HOME/tidegate``."""
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "share") / "tidegate"


class OneFile:
    """All secrets in one file; :meth:`_open` and :meth:`_seal` say how it is written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, name: str) -> Secret | None:
        """Return a secret."""
        value = self._all(owner_only.read(self._path)).get(name)
        return None if value is None else Secret(value)

    def names(self) -> Collection[str]:
        """Return the names of all secrets."""
        return sorted(self._all(owner_only.read(self._path)))

    def set(self, name: str, value: Secret) -> None:
        """Keep a secret."""
        self._prepare()
        owner_only.change(self._path, lambda old: self._seal(_text(self._all(old) | {name: value.reveal()})))

    def remove(self, name: str) -> bool:
        """Forget a secret; return whether there was one."""
        if name not in self.names():
            return False
        owner_only.change(self._path, lambda old: self._seal(_text(_without(self._all(old), name))))
        return True

    def _all(self, data: bytes | None) -> dict[str, str]:
        if data is None:
            return {}
        try:
            tree: Any = json.loads(self._open(data))
        except (ValueError, RecursionError):
            tree = None
        if not isinstance(tree, dict) or not all(isinstance(value, str) for value in tree.values()):
            raise StoreError(f"{self._path} holds no secrets: it is no JSON object of strings")
        return tree

    def _prepare(self) -> None:
        """Make what is needed to write, before the file's folder is locked."""

    def _open(self, data: bytes) -> bytes:
        raise NotImplementedError

    def _seal(self, text: bytes) -> bytes:
        raise NotImplementedError


def _text(secrets: dict[str, str]) -> bytes:
    return json.dumps(secrets, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"


def _without(secrets: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in secrets.items() if key != name}


class FileStore(OneFile):
    """The store ``file``: a JSON object of all secrets, protected by its mode alone."""

    class Config(Model):
        """Settings of ``file``: a file that its owner alone may read, refused where others may."""

        path: str | None = Field(
            None, description="The file; by default `tidegate/secrets.json` in `$XDG_DATA_HOME` or `~/.local/share`."
        )

    def __init__(self, config: Config, folder: Path) -> None:
        super().__init__(folder / config.path if config.path else default_folder() / "secrets.json")

    def _open(self, data: bytes) -> bytes:
        return data

    def _seal(self, text: bytes) -> bytes:
        return text
