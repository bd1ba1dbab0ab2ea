"""Finding tools at the gateway instead of listing them, and calling what was found.

A client that searches sees two tools in place of hundreds. What it finds are the servers' own definitions, as they were
judged when they were listed. To clients with sessions the tools found last are listed too, so that they can ask
their users about each, as for any tool.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate import values, wire
from tidegate.gateway import own_tools
from tidegate.gateway.listing import missing
from tidegate.gateway.ranking import Index
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tidegate.gateway.front import Front
    from tidegate.message import Message

FRESH = 60.0
"""Seconds for which a list is searched that no server says has changed; what may be seen of it may have changed."""

AGAIN = 5.0
"""Seconds for which it is searched where it lacks a server's tools."""

MOST_SHOWN = 20
"""Tools that are listed to a client because it found them; the one found longest ago makes room."""

_WEIGHTS = (3.0, 2.0, 1.0, 1.0)  # of names, titles, descriptions, and names of arguments
_AT_ONCE = 500  # tools that are put into an index before others get a turn
_TOLD = ("name", "title", "description", "inputSchema", "annotations")
_MOST_PROPERTIES = 200


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Searched:
    """Tools and an index of them; of one principal's sessions, those that see the same tools have the same.

    Attributes:
        items: the tools' definitions, by the names that clients know.
        ranked: the index of them, in the same order.
    """

    items: list[dict[str, Any]]
    ranked: Index


class _Known(NamedTuple):
    tools: Searched
    problems: dict[str, str]
    until: float


class Search:
    """What one front's clients search in.

    Args:
        front: the front.
    """

    def __init__(self, front: Front) -> None:
        self._front = front
        self._known: _Known | None = None
        self._building = asyncio.Lock()
        self._shown: OrderedDict[str, None] = OrderedDict()

    def forget(self) -> None:
        """Forget what was listed: it may be another's now."""
        self._known = None

    # -- finding ----------------------------------------------------------------------------------------

    async def find(self, arguments: Mapping[str, Any], meta: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a search finds, and how much there is to be searched in.

        Args:
            arguments: those of ``find-tool``, checked.
            meta: the ``_meta`` of the client's request.
        """
        known = await self._current(meta)
        best = known.tools.ranked.best(arguments["query"], arguments.get("limit", own_tools.FOUND))
        found = [known.tools.items[number] for number in best]
        said: dict[str, Any] = {
            "tools": [{key: item[key] for key in _TOLD if key in item} for item in found],
            "searched": len(known.tools.items),
        }
        if not found:
            said["hint"] = f"Nothing fits. Try other words, or the name of a server: {self._servers()}."
        if known.problems:
            said.update(missing(known.problems))
        await self._show([item["name"] for item in found])
        return said

    def _servers(self) -> str:
        return ", ".join(self._front.prefixes) or "there is none"

    async def _current(self, meta: Mapping[str, Any]) -> _Known:
        """Return all tools, listed anew where they may have changed."""
        async with self._building:
            known = self._known
            if known is None or "tools" not in self._front.lists.fresh or known.until < time.monotonic():
                items, problems = await self._front.lists.whole("tools/list", meta)
                until = time.monotonic() + (AGAIN if problems else FRESH)
                known = self._known = _Known(await self._searched(items), problems, until)
            return known

    async def _searched(self, items: list[dict[str, Any]]) -> Searched:
        """Return tools to be searched in: those of another session of the principal, where they are the same."""
        shared = self._front.shared.searched
        key = self._front.principal.name, hashlib.sha256(values.encode(items)).digest()
        found = shared.get(key)
        if found is None:
            found = shared[key] = Searched(items, await _indexed(items))
        return found

    # -- what is listed ---------------------------------------------------------------------------------

    async def shown(self, meta: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the tools that are listed to the client because it found them, in the order of all."""
        if not self._shown:
            return []
        known = await self._current(meta)
        return [item for item in known.tools.items if item["name"] in self._shown]

    async def _show(self, names: Iterable[str]) -> None:
        """List these tools too from now on, to a client with a session; it is told, if it didn't see them before."""
        if self._front.modern:  # a list of 2026-07-28 is the same for all, whoever has searched for what
            return
        before = set(self._shown)
        for name in names:
            self._shown[name] = None
            self._shown.move_to_end(name)
        while len(self._shown) > MOST_SHOWN:
            self._shown.popitem(last=False)
        if self._shown.keys() != before:
            await self._front.notify(["tools"])

    # -- calling ----------------------------------------------------------------------------------------

    async def called(self, message: Message) -> Message:
        """Return the call that a ``call-tool`` stands for, still unjudged, as if the client had made it by itself.

        What the gateway is asked is judged here: to call something of a name. The arguments are judged with the call
        itself, once, in front of the server that they are for.

        Raises:
            Denied: where an interceptor stops it.
            Mistake: where the arguments make no sense.
            Rejected: where there is no such tool.
        """
        given = own_tools.checked(own_tools.CALL_TOOL, message.tree["params"].get("arguments"))
        asked, _ = await self._front.judged(_envelope(message, given["name"]))
        name = _name_in(asked)
        if name is None or name in self._front.offers.names:
            reason = f"{own_tools.CALL_TOOL} is for tools that {own_tools.FIND_TOOL} finds; call others themselves."
            raise Rejected("unknown", reason, id=message.id)
        return message.rewired(at={"/params/name": name, "/params/arguments": given.get("arguments", {})})


def _envelope(message: Message, name: str) -> Message:
    params: dict[str, Any] = {"name": own_tools.CALL_TOOL, "arguments": {"name": name}}
    if message.meta:
        params["_meta"] = message.meta
    tree = {"jsonrpc": "2.0", "id": message.id, "method": "tools/call", "params": params}
    return wire.classify(tree, "client")


def _name_in(asked: Message) -> str | None:
    """Return the name in a judged ``call-tool``; ``None`` where an interceptor made something else of it."""
    params = asked.tree.get("params")
    arguments = params.get("arguments") if type(params) is dict and params.get("name") == own_tools.CALL_TOOL else None
    name = arguments.get("name") if type(arguments) is dict else None
    return name if type(name) is str else None


async def _indexed(items: list[dict[str, Any]]) -> Index:
    index = Index(_WEIGHTS)
    for number, item in enumerate(items, 1):
        schema = item.get("inputSchema")
        properties = schema.get("properties") if type(schema) is dict else None
        names = list(properties)[:_MOST_PROPERTIES] if type(properties) is dict else ()
        fields = (item["name"], _text(item.get("title")), _text(item.get("description")), " ".join(names))
        index.add(item["name"], fields)
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
    return index


def _text(value: Any) -> str:
    return value if type(value) is str else ""
