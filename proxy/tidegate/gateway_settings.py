"""``[gateway]``, ``[profiles.NAME]`` and prefixes: which servers one endpoint serves, and by which names."""

from __future__ import annotations

import fnmatch
import functools
import re
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from tidegate.settings_types import Count, Flag, Model, Seconds

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from tidegate.server_settings import ServerSettings
    from tidegate.settings import Settings

SERVER = "gateway"
"""The name that records have for what the gateway itself answers; no server of the settings may be called so."""

KEYS = frozenset(("prefix", "on_demand", "description"))
"""The settings of a server that the gateway alone heeds: where they change, the server goes on as it is."""

Clash = Literal["prefix", "first", "hide"]


class GatewaySettings(Model):
    """``[gateway]``: the one endpoint in front of all servers, and of each profile's."""

    clash: Clash = Field(
        "prefix",
        description="What becomes of a name that two servers' tools or prompts would have: with `prefix`, all of them "
        "get `SERVER__` in front; with `first`, the first server of the settings keeps it and the others "
        "get that; with `hide`, none of them is served.",
    )
    page: Count = Field(500, ge=1, le=100_000, description="Items of one page of a list.")
    patience: Seconds = Field(
        10.0, description="Seconds that lists and `initialize` wait for a server; then they go without it, and say so."
    )
    search: Flag = Field(
        default=False,
        description="Whether clients see tools to search with, in place of all the servers' tools. See "
        "[tool search](../how-to/tool-search.md).",
    )
    dynamic: Flag = Field(
        default=False,
        description="Whether clients have tools by which a session adds servers that are `on_demand`. Where it is "
        "off, the gateway doesn't serve these. See [dynamic servers](../how-to/dynamic-servers.md).",
    )
    max_items: Count = Field(
        10_000,
        ge=1,
        le=1_000_000,
        description="Items of one list of one server; of a longer one, that many are served.",
    )


class ProfileSettings(Model):
    """``[profiles.NAME]``: some servers, and some of their tools, at an endpoint of their own."""

    servers: tuple[str, ...] = Field(min_length=1, description="Names of servers.")
    tools: tuple[str, ...] | None = Field(
        None, description="Globs `SERVER/NAME` of the tools to serve, as in `files/read_*`; all by default."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in self.servers:
            if self.servers.count(name) > 1:
                raise ValueError(f"servers names {name!r} twice")
        for glob in self.tools or ():
            server, _, name = glob.partition("/")
            if not server or not name:
                raise ValueError(f"tools: {glob!r} is not SERVER/NAME, like files/read_*")
            if not _matching(server, self.servers):
                raise ValueError(f"tools: {glob!r} is for none of the profile's servers")
        return self

    def serves(self, server: str, tool: str) -> bool:
        """Whether a tool, by its server's own name for it, is among those of the profile."""
        if server not in self.servers:
            return False
        if self.tools is None:
            return True
        pattern = self._patterns.get(server)
        return pattern is not None and pattern.match(tool) is not None

    @functools.cached_property
    def _patterns(self) -> dict[str, re.Pattern[str]]:
        """The globs of tools by server, compiled; a server without any isn't in it."""
        globs = [glob.partition("/") for glob in self.tools or ()]
        found = {
            server: [fnmatch.translate(name) for place, _, name in globs if fnmatch.fnmatchcase(server, place)]
            for server in self.servers
        }
        return {server: re.compile("|".join(patterns)) for server, patterns in found.items() if patterns}


def _matching(glob: str, names: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, glob) for name in names)


def check(settings: Settings) -> None:
    """See that prefixes, profiles and tokens fit the servers and each other.

    Raises:
        ValueError: where they don't.
    """
    if SERVER in settings.servers:
        raise ValueError(f"servers.{SERVER}: that name is the gateway's own, in records; give the server another")
    owners: dict[str, str] = {}
    for name, server in settings.servers.items():
        prefix = prefix_of(name, server)
        if prefix and owners.setdefault(prefix, name) != name:
            raise ValueError(f"servers.{name}.prefix: {owners[prefix]} has the prefix {prefix!r} already")
    for name, profile in settings.profiles.items():
        for server_name in profile.servers:
            if server_name not in settings.servers:
                raise ValueError(f"profiles.{name}.servers: {_missing(server_name, settings.servers)}")
    for token in settings.auth.tokens:
        if token.profile is not None and token.profile not in settings.profiles:
            raise ValueError(f"auth.tokens: profile of {token.name!r}: {_missing(token.profile, settings.profiles)}")


def _missing(name: str, have: Iterable[str]) -> str:
    return f"there is no {name!r} (there are: {', '.join(have) or 'none'})"


def prefix_of(name: str, server: ServerSettings) -> str:
    """Return what stands before the names of a server's tools and prompts; ``""`` for nothing."""
    return f"{name}__" if server.prefix is None else server.prefix


def prefixes(settings: Settings, profile: str = "", added: Container[str] = ()) -> dict[str, str]:
    """Return the prefixes of the servers that an endpoint serves, by name, in the order of the settings.

    Args:
        settings: the settings.
        profile: the profile; ``""`` for the endpoint of all servers.
        added: the names of servers that are served though they are so on demand only.

    Raises:
        KeyError: where there is no such profile.
    """
    chosen = settings.profiles[profile].servers if profile else settings.servers
    return {
        name: prefix_of(name, server)
        for name, server in settings.servers.items()
        if name in chosen and (not server.on_demand or name in added)
    }


def catalog(settings: Settings, profile: str = "") -> list[str]:
    """Return the names of the servers that a session may add at an endpoint, in the order of the settings.

    There are none where that is switched off, or there is no such profile any more.
    """
    chosen = settings.profiles.get(profile) if profile else None
    if not settings.gateway.dynamic or (profile and chosen is None):
        return []
    servers = settings.servers.items()
    return [name for name, server in servers if server.on_demand and (chosen is None or name in chosen.servers)]


def same(before: ServerSettings | None, after: ServerSettings | None) -> bool:
    """Whether a server's settings are the same in all that concerns the server itself."""
    if before is None or after is None or before == after:
        return before is after or before == after
    return before.model_dump(exclude=set(KEYS)) == after.model_dump(exclude=set(KEYS))


def changed(before: Settings, after: Settings) -> set[str]:
    """Return which endpoints serve something else now: names of profiles, and ``""`` for that of all servers.

    One whose servers changed is among them only where their names, prefixes or order did.
    """
    rules = before.gateway != after.gateway
    out = set()
    for profile in ("", *before.profiles, *after.profiles):
        other = rules or (profile != "" and before.profiles.get(profile) != after.profiles.get(profile))
        if other or [*prefixes(before, profile).items()] != [*prefixes(after, profile).items()]:
            out.add(profile)
    return out
