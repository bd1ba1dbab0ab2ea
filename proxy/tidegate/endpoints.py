"""The endpoints on ``listen``: one for each server, one of the gateway, and one for each profile of it.

An endpoint is told from others by a text: a server's name, or ``/`` and the name of a profile, which no server can be
called; ``/`` alone is the gateway to all servers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidegate.settings import Settings

ENDS = frozenset(("mcp", "sse", "messages"))
"""The last parts of paths: streamable HTTP, and the two of HTTP+SSE."""


def gateway(profile: str = "") -> str:
    """Return the endpoint of the gateway, or of one of its profiles."""
    return f"/{profile}"


def is_gateway(endpoint: str) -> bool:
    """Whether an endpoint is one of the gateway's."""
    return endpoint.startswith("/")


def profile(endpoint: str) -> str:
    """Return the profile of an endpoint of the gateway's; ``""`` for all servers."""
    return endpoint[1:]


def exists(endpoint: str, settings: Settings) -> bool:
    """Whether the settings have an endpoint."""
    if is_gateway(endpoint):
        return endpoint == gateway() or profile(endpoint) in settings.profiles
    return endpoint in settings.servers


def named(endpoint: str) -> str:
    """Return an endpoint as a sentence calls it."""
    if not is_gateway(endpoint):
        return f"server {endpoint!r}"
    return f"profile {profile(endpoint)!r}" if profile(endpoint) else "gateway"


def path(endpoint: str) -> str:
    """Return what an endpoint's paths begin with."""
    if not is_gateway(endpoint):
        return f"/servers/{endpoint}"
    return f"/profiles/{profile(endpoint)}" if profile(endpoint) else ""


def parsed(path: str, settings: Settings) -> tuple[str, str]:
    """Return endpoint and end that a path names; ``""`` for both where there is nothing at it."""
    parts = path.split("/")
    if len(parts) == 4 and parts[0] == "" and parts[1] == "servers" and parts[2] in settings.servers:
        return parts[2], parts[3]
    if len(parts) == 2 and parts[0] == "" and parts[1] in ENDS:
        return gateway(), parts[1]
    if len(parts) == 4 and parts[0] == "" and parts[1] == "profiles" and parts[2] in settings.profiles:
        return gateway(parts[2]), parts[3]
    return "", ""


def open_to(endpoint: str, bound: str) -> str:
    """Return the endpoint that a principal gets who is bound to a profile; ``""`` where it gets none there.

    Args:
        endpoint: what it asks for.
        bound: the profile; ``""`` for a principal who is bound to none.
    """
    if not bound or endpoint == gateway(bound):
        return endpoint
    return gateway(bound) if endpoint == gateway() else ""
