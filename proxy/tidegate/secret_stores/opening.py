"""From settings to stores: found by entry points, configured, and asked in their order."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from tidegate.secret_settings import StoreSettings
from tidegate.secret_stores.base import Store, StoreError, WritableStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tidegate.secret_settings import SecretsSettings
    from tidegate.secret_stores.base import Secret

T = TypeVar("T")

GROUP = "tidegate.secret_stores"
_DEFAULT = (StoreSettings(use="file"),)
_EXTRAS = ("age", "keyring", "vault")


class Opened(NamedTuple):
    """A store of the settings, and what it is called there."""

    name: str
    store: Store


class Stores:
    """The stores of the settings, in their order.

    Args:
        settings: the settings.
        folder: the folder that relative paths start from.

    Raises:
        StoreError: where one isn't installed, or its settings aren't well.
    """

    def __init__(self, settings: SecretsSettings, folder: Path) -> None:
        self.opened = [Opened(entry.called, _open(entry, folder)) for entry in settings.stores or _DEFAULT]

    def find(self, name: str) -> tuple[Secret, str] | None:
        """Return a secret and the name of the store that has it, the first one that does.

        Raises:
            StoreError: where a store can't say whether it has it; those after it aren't asked.
        """
        for called, store in self.opened:
            value = _asked(called, store.get, name)
            if value is not None:
                return value, called
        return None

    def names(self) -> dict[str, str]:
        """Return the names of the secrets that can be listed, each with the store that gives it.

        Raises:
            StoreError: where a store can't be asked.
        """
        found: dict[str, str] = {}
        for called, store in self.opened:
            for name in _asked(called, store.names) or ():
                found.setdefault(name, called)
        return found

    def writable(self, asked: str | None) -> tuple[str, WritableStore]:
        """Return the store that is asked for, or the first that can be written to; with its name.

        Raises:
            StoreError: where there is none.
        """
        if asked is not None and asked not in [called for called, _ in self.opened]:
            raise StoreError(f"there is no store {asked!r} in [secrets]; there are {self._said()}")
        for called, store in self.opened:
            if asked in (None, called) and isinstance(store, WritableStore):
                return called, store
        if asked is not None:
            raise StoreError(f"the store {asked!r} can't be written to")
        raise StoreError(f"none of the stores in [secrets] can be written to; there are {self._said()}")

    def set(self, name: str, value: Secret, asked: str | None = None) -> str:
        """Keep a secret; return the name of the store it is in.

        Raises:
            StoreError: where that isn't done.
        """
        called, store = self.writable(asked)
        _asked(called, store.set, name, value)
        return called

    def remove(self, name: str, asked: str | None = None) -> str | None:
        """Forget a secret; return the name of the store it was in, or ``None`` where there was none.

        Raises:
            StoreError: where that isn't done.
        """
        called, store = self.writable(asked)
        return called if _asked(called, store.remove, name) else None

    def _said(self) -> str:
        return ", ".join(called for called, _ in self.opened)


def _asked(called: str, ask: Callable[..., T], *given: Any) -> T:
    """Call a store's method.

    Raises:
        StoreError: whatever it raised; but for a StoreError's, no text of it goes on, which may hold a value.
    """
    try:
        return ask(*given)
    except StoreError as error:
        raise _named(called, error) from None
    except Exception as error:  # noqa: BLE001 - a store may be anybody's code, and raise anything
        raise StoreError(f"the secret store {called!r} failed ({type(error).__name__})", down=True) from None


def _named(called: str, error: StoreError) -> StoreError:
    return StoreError(f"the secret store {called!r}: {error}", down=error.down)


def _open(entry: StoreSettings, folder: Path) -> Store:
    points = metadata.entry_points(group=GROUP)
    found = next((point for point in points if point.name == entry.use), None)
    if found is None:
        known = ", ".join(sorted({point.name for point in points}))
        raise StoreError(f"secrets.stores: {entry.use!r} is not installed; there are {known}")
    try:
        cls: Any = found.load()
    except ImportError as error:
        how = f": pip install 'tidegate[{entry.use}]'" if entry.use in _EXTRAS else ""
        said = f"secrets.stores: {entry.use!r} can't be imported ({error.name or 'it'} is missing){how}"
        raise StoreError(said, down=True) from None
    config: type[BaseModel] = cls.Config
    try:
        made: Store = _asked(entry.called, cls, config.model_validate(entry.config), folder)
    except ValidationError as error:
        raise StoreError(f"secrets.stores: {entry.called!r}: {_sentence(error)}") from None
    return made


def _sentence(error: ValidationError) -> str:
    from tidegate.settings import sentence  # noqa: PLC0415 - which imports this package's settings

    return sentence(error)
