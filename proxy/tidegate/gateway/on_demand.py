"""Servers that a session adds for itself, out of those that the settings have on demand.

Nothing that a client says is ever run: a server that can be added is an entry of the settings, checked and hardened as
any other, and its relay judges what goes to it and comes from it from the first message on.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tidegate import gateway_settings
from tidegate.gateway import own_tools
from tidegate.gateway.own_tools import Mistake
from tidegate.gateway.ranking import Index
from tidegate.upstream import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.gateway.front import Front

_KINDS = ("tools", "prompts", "resources")
_WEIGHTS = (3.0, 1.0)  # of names and descriptions
_MOST_NAMED = 50  # names of an added server's tools that are told


class OnDemand:
    """The servers that one front's clients have added.

    Args:
        front: the front.

    Attributes:
        added: their names.
    """

    def __init__(self, front: Front) -> None:
        self._front = front
        self._lock = asyncio.Lock()
        self._adding: set[asyncio.Task[dict[str, Any]]] = set()
        self.added: set[str] = set()

    def catalog(self) -> list[str]:
        """Return the names of the servers that may be added here, in the order of the settings."""
        return gateway_settings.catalog(self._front.core.now.settings, self._front.profile)

    def settle(self) -> None:
        """Take over what may be added now: what was added and may not be any more is let go of."""
        self.added.intersection_update(self.catalog())

    def _description(self, name: str) -> str:
        server = self._front.core.now.settings.servers.get(name)
        return server.description if server is not None else ""

    def find(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the servers that may be added and fit the words of a search; all of them where it has none."""
        names, query = self.catalog(), arguments.get("query")
        chosen = list(range(len(names)))[: own_tools.SERVERS_FOUND]
        if query is not None:
            index = Index(_WEIGHTS)
            for name in names:
                index.add(name, (name, self._description(name)))
            chosen = index.best(query, own_tools.SERVERS_FOUND)
        found = [
            {**self._told(names[number]), "added": names[number] in self.added, "prefix": self._prefix(names[number])}
            for number in chosen
        ]
        return {"servers": found, "searched": len(names)}

    def _told(self, name: str) -> dict[str, Any]:
        text = self._description(name)
        return {"name": name, "description": text} if text else {"name": name}

    def _prefix(self, name: str) -> str:
        return gateway_settings.prefix_of(name, self._front.core.now.settings.servers[name])

    def list(self) -> dict[str, Any]:
        """Return the servers that are served to the client now."""
        front = self._front
        return {
            "servers": [
                {**self._told(name), "added": name in self.added, "reached": name in front.peers}
                for name in front.prefixes
            ]
        }

    async def add(self, arguments: Mapping[str, Any], meta: Mapping[str, Any]) -> dict[str, Any]:
        """Add a server; return what it has. What was begun is done, whether its client waits for it or not.

        Args:
            arguments: those of ``add-server``, checked.
            meta: the ``_meta`` of the client's request.

        Raises:
            Mistake: where there is no such server, or it can't be reached.
        """
        task = asyncio.create_task(self._add(arguments["name"], meta), name="gateway add")
        self._adding.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[dict[str, Any]]) -> None:
        self._adding.discard(task)
        if not task.cancelled():
            task.exception()  # it was told, or there is nobody to be told

    async def _add(self, name: str, meta: Mapping[str, Any]) -> dict[str, Any]:
        front = self._front
        async with self._lock:
            if name in front.prefixes:
                return {"added": name, **await self._has(name, meta)}
            if name not in self.catalog():
                raise Mistake(f"There is no such server to be added; {own_tools.FIND_SERVER} finds those there are.")
            try:
                peer = await front.peer(name, meta)
            except Unavailable as failure:
                raise Mistake(f"The server can't be added now: {failure}") from None
            if name not in self.catalog():  # a reload has taken it away meanwhile
                await self._let_go(name)
                raise Mistake("The server can't be added any more: the settings were changed.")
            self.added.add(name)
            front.settle()
            said = {"added": name, **await self._has(name, meta)}
            if peer.instructions:
                said["instructions"] = peer.instructions
            await front.notify([kind for kind in _KINDS if peer.can(kind)])
            return said

    async def _has(self, name: str, meta: Mapping[str, Any]) -> dict[str, Any]:
        """Return how many tools a server has, and what the first of them are called here."""
        names = self._front.names["tools"]
        items, _ = await self._front.lists.whole("tools/list", meta)
        own = [shown for item in items if (names.meant(shown := item["name"]) or ("",))[0] == name]
        return {"tools": len(own), "names": own[:_MOST_NAMED]}

    async def remove(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Take away a server that was added.

        Raises:
            Mistake: where it wasn't.
        """
        name = arguments["name"]
        async with self._lock:
            if name not in self.added:
                raise Mistake(f"No such server was added; {own_tools.LIST_SERVERS} says which were.")
            self.added.discard(name)
            await self._let_go(name)
            return {"removed": name}

    async def _let_go(self, name: str) -> None:
        await self._front.reloaded({name})
