"""The secrets of servers in containers, as the launcher reads them: for one server its own, when it is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.ends.pipe import PipeError
from tidegate.secret_stores.resolving import resolve
from tidegate.settings_types import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.secret_stores.base import Secret
    from tidegate.secret_stores.resolving import Resolved
    from tidegate.settings import Settings


class OwnSecrets:
    """Reads the secrets of servers, and keeps them while they are those that whoever asks for a start knows.

    Args:
        settings: the settings in force.
    """

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._kept: dict[str, tuple[Settings, Resolved]] = {}

    async def given(self, name: str, known: str | None) -> dict[str, Secret]:
        """Return the secrets of a server, by the names of variables.

        Args:
            name: the server's.
            known: what :meth:`tidegate.secret_stores.resolving.Resolved.digest` says where they are looked for in
                traffic: what isn't known there isn't given to anybody. None where nobody looks.

        Raises:
            PipeError: where they aren't to be had, or are others by now.
        """
        settings = self._settings()
        server = settings.servers[name]
        if not server.secrets:
            return {}
        try:
            of, secrets = self._kept.get(name, (None, None))
            if secrets is None or of is not settings or known is None or secrets.digest(server) != known:
                secrets = await resolve(settings, (name,))
                self._kept[name] = settings, secrets
            if known is not None and secrets.digest(server) != known:
                raise PipeError(f"{name} can't be started: its secrets have changed; reload Tidegate (SIGHUP).")
            return secrets.given(server)
        except SettingsError as error:
            self._kept.pop(name, None)
            raise PipeError(f"{name} can't be started: {error}.") from None
