"""The secrets that the servers of the settings refer to, read from their stores once for each set of settings.

What isn't there stops the servers that need it, and no other.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from tidegate import secret_refs
from tidegate.secret_stores.base import Secret, StoreError
from tidegate.secret_stores.opening import Stores
from tidegate.settings_types import SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tidegate.server_settings import ServerSettings
    from tidegate.settings import Settings

_PATIENCE = 45.0  # seconds for all stores together; each of Tidegate's own bounds itself


class Resolved:
    """Secrets by name, and for those that aren't to be had the reason. Never shown: it has no values in its text.

    Args:
        found: the secrets, and the reasons.
    """

    def __init__(self, found: Mapping[str, Secret | StoreError] | None = None) -> None:
        self._found = dict(found or {})

    def __repr__(self) -> str:
        return f"Resolved({len(self._found)} secrets)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Resolved) and all(
            self._same(other, name) for name in self._found.keys() | other._found.keys()
        )

    __hash__ = None  # type: ignore[assignment]  # nothing is looked up by it

    def get(self, name: str) -> Secret:
        """Return a secret.

        Raises:
            SettingsError: where it isn't to be had, with the reason.
        """
        found = self._found.get(name)
        if found is None:
            raise SettingsError(f"the secret {name} is not set: run `tidegate secret set {name}`, then start or reload")
        if isinstance(found, StoreError):
            raise SettingsError(f"the secret {name} can't be read: {found}", down=found.down)
        return found

    def given(self, server: ServerSettings) -> dict[str, Secret]:
        """Return what a server is given, by the names of variables: its own, and no other's.

        Raises:
            SettingsError: where one isn't to be had.
        """
        return {variable: self.get(secret_refs.name_in(value)) for variable, value in server.secrets.items()}

    def lacks(self, server: ServerSettings) -> str | None:
        """Return the sentence on what a server lacks, or ``None``."""
        try:
            for name in secret_refs.names(server.secrets, server.headers):
                self.get(name)
        except SettingsError as error:
            return str(error)
        return None

    def changed(self, other: Resolved, server: ServerSettings) -> bool:
        """Whether a server would be given something else by the other."""
        return not all(self._same(other, name) for name in secret_refs.names(server.secrets, server.headers))

    def digest(self, server: ServerSettings) -> str:
        """Return a text that is the same for the same secrets of a server only, and says nothing of them.

        Raises:
            SettingsError: where one isn't to be had.
        """
        given = {variable: value.reveal() for variable, value in self.given(server).items()}
        return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest() if given else ""

    def values(self) -> tuple[str, ...]:
        """Return the texts of all secrets, which nobody else may learn."""
        return tuple(found.reveal() for found in self._found.values() if isinstance(found, Secret))

    @property
    def down(self) -> str | None:
        """The sentence on a store that can't be reached, or ``None``."""
        return next((str(item) for item in self._found.values() if isinstance(item, StoreError) and item.down), None)

    def _same(self, other: Resolved, name: str) -> bool:
        mine, theirs = self._found.get(name), other._found.get(name)
        if isinstance(mine, StoreError) and isinstance(theirs, StoreError):
            return str(mine) == str(theirs)
        return mine == theirs


def users(settings: Settings, servers: Collection[str] | None = None) -> dict[str, list[str]]:
    """Return the names of the secrets that servers refer to, each with the names of those servers.

    Args:
        settings: the settings.
        servers: the servers to look at; all, where it's None.
    """
    found: dict[str, list[str]] = {}
    for server, its in settings.servers.items():
        if servers is not None and server not in servers:
            continue
        for name in dict.fromkeys(secret_refs.names(its.secrets, its.headers)):
            found.setdefault(name, []).append(server)
    return found


def read(settings: Settings, servers: Collection[str] | None = None) -> Resolved:
    """Read the secrets that servers refer to. It may take seconds.

    Args:
        settings: the settings.
        servers: whose secrets; those of all, where it's None.

    Raises:
        StoreError: where a store isn't installed, or its settings aren't well.
    """
    names = users(settings, servers)
    if not names and not settings.secrets.stores:
        return Resolved()
    stores = Stores(settings.secrets, settings.folder)
    found: dict[str, Secret | StoreError] = {}
    for name in names:
        try:
            hit = stores.find(name)
        except StoreError as error:
            found[name] = error
        else:
            if hit is not None:
                found[name] = hit[0]
    return Resolved(found)


async def resolve(settings: Settings, servers: Collection[str] | None = None) -> Resolved:
    """Read the secrets that servers refer to, without holding up the event loop; see :func:`read`.

    Raises:
        StoreError: as :func:`read` does.
    """
    if not users(settings, servers) and not settings.secrets.stores:
        return Resolved()
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Resolved] = loop.create_future()

    def settle(result: Resolved | StoreError) -> None:
        if done.done():
            return
        if isinstance(result, StoreError):
            done.set_exception(result)
        else:
            done.set_result(result)

    def work() -> None:
        result: Resolved | StoreError = StoreError("the secret stores failed", down=True)
        try:
            result = read(settings, servers)
        except StoreError as error:
            result = error
        finally:
            with suppress(RuntimeError):  # the loop may have ended
                loop.call_soon_threadsafe(settle, result)

    # A thread of its own: one that hangs, as keyrings can, must hold up neither others nor the end of the process.
    threading.Thread(target=work, name="secret stores", daemon=True).start()
    try:
        async with asyncio.timeout(_PATIENCE):
            return await done
    except TimeoutError:
        late = StoreError("the secret stores don't answer in time", down=True)
        return Resolved(dict.fromkeys(users(settings, servers), late))
