"""The stores ``env`` and ``docker``: secrets that whoever runs Tidegate has given it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from pydantic import Field

from tidegate.secret_stores.base import MOST, Secret, StoreError
from tidegate.settings_types import Model

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

PREFIX = "TIDEGATE_SECRET_"
"""What the names of variables begin with that are secrets. No server gets those of its starter."""


class EnvironmentStore:
    """The store ``env``: variables of Tidegate's own environment, ``TIDEGATE_SECRET_NAME``."""

    class Config(Model):
        """Settings of ``env``: variables called `TIDEGATE_SECRET_` and the name in capitals, '-' and '.' as '_'."""

    def __init__(self, config: Config, folder: Path) -> None:
        pass

    def get(self, name: str) -> Secret | None:
        """Return a secret."""
        value = os.environ.get(PREFIX + re.sub(r"[.-]", "_", name).upper())
        return Secret(value) if value else None

    def names(self) -> None:
        """Nobody can tell from a variable how its name was written."""


class FolderStore:
    """The store ``docker``: a file for each secret, as Docker and Swarm mount them."""

    class Config(Model):
        """Settings of ``docker``: a folder with a file for each secret, as Docker, Swarm and Kubernetes mount them."""

        path: str = Field("/run/secrets", description="The folder.")

    def __init__(self, config: Config, folder: Path) -> None:
        self._folder = folder / config.path

    def get(self, name: str) -> Secret | None:
        """Return a secret."""
        path = self._folder / name
        try:
            # Kubernetes' files are links, within the folder.
            if not path.resolve(strict=True).is_relative_to(self._folder.resolve()):
                raise StoreError(f"{path} leads out of its folder")
            with path.open("rb") as file:
                data = file.read(MOST + 3)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
            raise StoreError(
                f"{path} can't be read: {getattr(error, 'strerror', None) or 'its links lead nowhere'}"
            ) from None
        return Secret.of_bytes(data)

    def names(self) -> Collection[str]:
        """Return the names of all secrets."""
        try:
            return sorted(path.name for path in self._folder.iterdir() if path.is_file() and path.name[0] != ".")
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise StoreError(f"{self._folder} can't be read: {error.strerror}") from None
