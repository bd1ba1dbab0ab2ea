"""Names of tools and prompts at the gateway: which one each server's has, and which is meant by one.

Names are unique at each server, not among them. So each server has a prefix, and what would have the same name all the
same is told apart by the rule of the settings, whatever the order in which servers list. The law: what ``shown``
returns, ``meant`` takes back to the same server and name, and no two have the same.

The way out of a clash is the server's name and two underscores in front of the tool's own name. Two of those are never
the same: a server's name has no two underscores and doesn't end in one, so the first two are where it ends.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tidegate.gateway_settings import Clash

Meant = tuple[str, str]
"""A server, and its own name of a tool or prompt."""

LONGEST = 128
"""Characters of the longest name there may be (MCP 2025-11-25, tool names)."""

MOST_PROBLEMS = 50
"""How many problems are told one by one; a last sentence says how many more there are."""

_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,128}")  # as the specification has tools' names
_FREE = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,128}")  # prompts' may be of any characters that show


class Names:
    """The names of all tools, or of all prompts, of the servers behind one endpoint.

    A name is never shown where it is longer than :data:`LONGEST` characters with its prefix. Neither is a tool's that
    has other characters than letters, digits, ``_``, ``-`` and ``.``: clients refuse a whole list for one such name,
    and the other servers' tools with it. Prompts' names may have any but control characters.

    Args:
        kind: what has the names.
        prefixes: what stands before the names of each server, in the order of the settings.
        clash: what becomes of those who would have the same name.
        reserved: names that are the gateway's own, so that no server's can have them, whatever the rule.
    """

    def __init__(
        self,
        kind: Literal["tool", "prompt"],
        prefixes: Mapping[str, str],
        clash: Clash = "prefix",
        reserved: Iterable[str] = (),
    ) -> None:
        self._kind = kind
        self._prefixes = dict(prefixes)
        self._clash = clash
        self._reserved = frozenset(reserved)
        self._fits = (_PLAIN if kind == "tool" else _FREE).fullmatch
        self._listed: dict[str, tuple[str, ...]] = {}
        by_length = sorted((item for item in prefixes.items() if item[1]), key=lambda item: -len(item[1]))
        self._by_length = [(prefix, server) for server, prefix in by_length]
        bare = [server for server, prefix in prefixes.items() if not prefix]
        self._bare = bare[0] if len(bare) == 1 else None
        self._settled = True
        self._shown: dict[str, dict[str, str | None]] = {}
        self._meant: dict[str, Meant | None] = {}
        self._clashes: dict[str, list[Meant]] = {}

    def update(self, server: str, names: Iterable[str] | None) -> None:
        """Take over which names a server has, as it listed them last.

        Args:
            server: the server; one that has no prefix here is none of this endpoint's.
            names: its own names, or ``None`` where it isn't there any more. A server that is only down keeps what it
                has: otherwise its names would come to mean another's for that long.

        Raises:
            KeyError: for a server that is none of this endpoint's.
        """
        if server not in self._prefixes:
            raise KeyError(server)
        new = None if names is None else tuple(dict.fromkeys(names))
        if new == self._listed.get(server):
            return
        if new is None:
            del self._listed[server]
        else:
            self._listed[server] = new
        self._settled = False

    def shown(self, server: str, name: str) -> str | None:
        """Return the name by which clients know a server's tool or prompt; ``None`` where it has none.

        One that isn't listed has one too, if it can be told whose it is.
        """
        self._settle()
        try:
            return self._shown[server][name]
        except KeyError:
            pass
        if server not in self._prefixes:
            return None
        for candidate in (self._prefixes[server] + name, f"{server}__{name}"):
            if self._fits(candidate) and self.meant(candidate) == (server, name):
                return candidate
        return None

    def meant(self, shown: str) -> Meant | None:
        """Return whose tool or prompt is meant by a name of a client's, and its own name; ``None`` where none is.

        A name of what isn't listed is that of the server with the longest prefix that fits, or else of the only one
        without a prefix. One that several would have is nobody's.
        """
        self._settle()
        try:
            return self._meant[shown]
        except KeyError:
            pass
        if shown in self._reserved or not self._fits(shown):
            return None
        for prefix, server in self._by_length:
            if shown.startswith(prefix) and len(shown) > len(prefix):
                return self._unlisted(server, shown[len(prefix) :])
        return None if self._bare is None else self._unlisted(self._bare, shown)

    def _unlisted(self, server: str, name: str) -> Meant | None:
        """Return a server and name, unless it has that name listed, and so is known by another."""
        return None if name in self._shown.get(server, ()) else (server, name)

    def problems(self) -> list[str]:
        """Return a sentence for each clash and each name that isn't served; the names in them are servers' words."""
        self._settle()
        said = [self._clash_said(shown, those) for shown, those in self._clashes.items()]
        told = {meant for those in self._clashes.values() for meant in those}
        for server, names in self._shown.items():
            for name, shown in names.items():
                if shown is None and (server, name) not in told:
                    said.append(self._unfit_said(server, name))
        more = len(said) - MOST_PROBLEMS
        return said if more <= 0 else [*said[:MOST_PROBLEMS], f"There are {more} more such {self._kind}s."]

    def _clash_said(self, shown: str, those: list[Meant]) -> str:
        become = [self._shown[server][name] for server, name in those]
        servers = _and(list(dict.fromkeys(server for server, _ in those)))
        kept = _and([_quoted(name) for name in become if name is not None])
        if not kept and shown not in self._reserved:
            return f"The {self._kind} {_quoted(shown)} isn't served: {servers} would all have it."
        if shown in self._reserved:
            become_of = f"is {kept} here" if kept else "isn't served"
            return f"The name {_quoted(shown)} is the gateway's own: the {self._kind} of {servers} {become_of}."
        lost = _and([server for (server, _), name in zip(those, become, strict=True) if name is None])
        return f"The name {_quoted(shown)} would be that of {self._kind}s of {servers}: they are {kept}" + (
            f", and that of {lost} isn't served." if lost else "."
        )

    def _unfit_said(self, server: str, name: str) -> str:
        whole = self._prefixes[server] + name
        if not name:
            why = "its name is empty"
        elif len(whole) > LONGEST:
            why = f"its name is longer than {LONGEST} characters with its prefix"
        else:
            why = "its name has characters that none may have"
        return f"The {self._kind} {_quoted(name)} of {server} isn't served: {why}."

    def _settle(self) -> None:
        """Give every listed name the one that clients know it by."""
        if self._settled:
            return
        self._settled = True
        self._shown, self._meant, self._clashes = {}, {}, {}
        fits, taken = self._fits, self._meant.setdefault
        for server, prefix in self._prefixes.items():
            shown = self._shown[server] = dict.fromkeys(self._listed.get(server, ()))
            for name in shown:
                wanted = prefix + name
                if name and fits(wanted):
                    shown[name] = wanted
                    meant = (server, name)
                    if wanted in self._reserved:
                        self._clashes.setdefault(wanted, []).append(meant)
                        continue
                    first = taken(wanted, meant)
                    if first is not meant and first is not None:
                        self._clashes.setdefault(wanted, [first]).append(meant)
        if self._clash == "first":
            self._settle_first()
        else:
            self._settle_alike()

    def _settle_alike(self) -> None:
        """Settle clashes so that all who want the same are treated alike: each gets its server's name, or none."""
        moving = dict(self._clashes)
        given: dict[str, Meant] = {}
        waiting = list(moving)
        for wanted in waiting:  # grows: what one moves to may be what another has, which then has to move too
            self._meant[wanted] = None
            for server, name in moving[wanted]:
                full = f"{server}__{name}"
                if self._clash == "hide" or not self._fits(full):
                    self._shown[server][name] = None
                    continue
                self._shown[server][name] = full
                given[full] = (server, name)
                other = self._meant.get(full)
                if other is not None and full not in moving:
                    moving[full] = [other]
                    waiting.append(full)
                    self._clashes[full] = [other, (server, name)]
        self._meant.update(given)

    def _settle_first(self) -> None:
        """Settle clashes so that the first server of the settings keeps what others want too."""
        for wanted, those in self._clashes.items():
            for server, name in those if wanted in self._reserved else those[1:]:
                full = f"{server}__{name}"
                free = self._fits(full) and full not in self._meant
                self._shown[server][name] = full if free else None
                if free:
                    self._meant[full] = (server, name)


def _quoted(name: str) -> str:
    """Return a server's word as it may stand in a sentence of one line."""
    shown = ascii(name[:64])
    return shown if len(name) <= 64 else f"{shown}…"


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
