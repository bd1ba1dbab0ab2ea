"""Keyrings for tests: ordinary backends of `keyring`, which the store is told to use by name."""

from typing import ClassVar

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError


class Memory(KeyringBackend):
    """Keeps passwords in this process."""

    priority: ClassVar[float] = -1  # never chosen by itself
    kept: ClassVar[dict[tuple[str, str], str]] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError(username)


class Locked(Memory):
    """Nobody unlocks it; and it says so with what it was asked to keep."""

    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        raise KeyringLocked(password)


class Broken(Memory):
    """It fails as programs do, and says what it shouldn't."""

    def set_password(self, service: str, username: str, password: str) -> None:
        raise RuntimeError(password)
