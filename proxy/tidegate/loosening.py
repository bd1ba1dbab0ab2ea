"""What the settings of a server loosen: each hardened default that they give up, in a sentence about the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate import image_settings, sandbox, secret_settings, sharing
from tidegate.containers import hardening

if TYPE_CHECKING:
    from tidegate.server_settings import ServerSettings


def _egress(server: ServerSettings) -> list[str]:
    if server.image is None or server.egress != "unrestricted":
        return []
    return ["egress is unrestricted: it can connect to every host, this one and private ones too, without a record"]


_PARTS = (
    sandbox.loosened,
    hardening.loosened,
    image_settings.loosened,
    secret_settings.loosened,
    sharing.loosened,
    _egress,
)


def loosened(server: ServerSettings) -> list[str]:
    """Return a sentence for each default that a server's settings loosen; none for a server as it comes."""
    return [sentence for part in _PARTS for sentence in part(server)]
