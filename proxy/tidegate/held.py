"""What the settings give to servers and nobody else may learn: secrets of the stores, keys, tokens and passwords.

Interceptors are told of it at their start, so that they find it wherever it turns up.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tidegate.settings_types import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.secret_stores.resolving import Resolved
    from tidegate.server_settings import ServerSettings
    from tidegate.settings import Settings

SHORTEST = 8
"""Characters of the shortest value that counts; shorter ones would be found in ordinary text."""

_TELLING = re.compile(
    r"(?i)(?:^|_)(?:api)?key(?:$|_)|token|secret|passw|passphrase|_pwd$|credential|(?:^|_)auth|private|cookie|(?:^|_)dsn"
    r"|connection_?string|signature|(?:^|_)pat$"
)
_NO_VALUE = re.compile(r"(?i)_(?:file|path|sock|socket|dir|home|type|address|manager|method|mode|name)$")  # where it is
_PLAIN_HEADERS = frozenset(("accept", "accept-language", "cache-control", "content-type", "origin", "user-agent"))


def held(settings: Settings, secrets: Resolved) -> tuple[str, ...]:
    """Return the secrets of all servers, and the secret values of their environments and headers, without doubles.

    A variable counts where its name says that it is a secret; a header counts unless it is one of a few that never are.

    Args:
        settings: the settings.
        secrets: what they refer to.
    """
    return tuple(dict.fromkeys(value for value in _values(settings, secrets) if len(value) >= SHORTEST))


def _values(settings: Settings, secrets: Resolved) -> Iterator[str]:
    for text in secrets.values():
        yield text
        yield text.strip()  # as a header has it, and a program that reads a line
    for server in settings.servers.values():
        for name, value in server.env.items():
            if _TELLING.search(name) and not _NO_VALUE.search(name):
                yield value
        for name, value in _headers(server, secrets).items():
            if name not in _PLAIN_HEADERS:
                scheme, _, token = value.partition(" ")
                yield token if scheme.lower() in ("bearer", "basic", "token") and token else value


def _headers(server: ServerSettings, secrets: Resolved) -> dict[str, str]:
    try:
        return server.resolved_headers(secrets.get)
    except SettingsError:  # of a secret that isn't there, so the server is sent nothing
        return {}
