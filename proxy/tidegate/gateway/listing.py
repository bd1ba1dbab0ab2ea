"""The lists of many servers as one: tools, prompts, resources, templates and tasks, page by page."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from tidegate import methods
from tidegate.gateway import eras
from tidegate.gateway.catalogue import MAX_BYTES, IncompleteError, distinct, walk
from tidegate.gateway.own_requests import Refused
from tidegate.upstream import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tidegate.flow import Flow
    from tidegate.gateway.front import Front
    from tidegate.gateway.peers import Peer
    from tidegate.message import Message

log = structlog.get_logger("tidegate.gateway")

MISSING_KEY = "io.tidegate/missing"
"""The member of a list's ``_meta`` that says which servers it is without, and why."""

_NO_METHOD = -32601


class Listing(NamedTuple):
    """A method that lists.

    Attributes:
        member: the member of its result with the items.
        kind: ``tools``, ``prompts``, ``resources`` or ``tasks``: the capability of servers that have such a list.
    """

    member: str
    kind: str


LISTS = {
    "tools/list": Listing("tools", "tools"),
    "prompts/list": Listing("prompts", "prompts"),
    "resources/list": Listing("resources", "resources"),
    "resources/templates/list": Listing("resourceTemplates", "resources"),
    "tasks/list": Listing("tasks", "tasks"),
}
"""The methods that list, and what."""


_IDENTITY = {"tools": "name", "prompts": "name", "resources": "uri", "resourceTemplates": "uriTemplate"}


class Tools:
    """The definitions of tools by the names that clients know; as much of a mapping as its readers need."""

    def __init__(self, front: Front) -> None:
        self._front = front

    def get(self, shown: str) -> Mapping[str, Any] | None:
        """Return a tool's definition as last listed; ``None`` where it isn't known."""
        found = self._front.names["tools"].meant(shown)
        peer = self._front.peers.get(found[0]) if found is not None else None
        return peer.relay.tools.get(found[1]) if peer is not None and found is not None else None


class Lists:
    """The lists that one front's servers make together.

    Args:
        front: the front.

    Attributes:
        fresh: of which kinds the names and URIs are known as they are now.
    """

    def __init__(self, front: Front) -> None:
        self._front = front
        self.fresh: set[str] = set()
        self._reported: list[str] = []

    async def whole(self, method: str, meta: Mapping[str, Any]) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """List what all servers have.

        Args:
            method: which list.
            meta: the ``_meta`` of the client's request.

        Returns:
            The items, in a stable order and by the names that clients know; and why servers are missing, or not whole.
        """
        member, kind = LISTS[method]
        servers, names = tuple(self._front.prefixes), self._front.names
        found = await asyncio.gather(*(self.of(server, method, meta) for server in servers))
        for server, (items, _) in zip(servers, found, strict=True):
            if items is not None and server in self._front.prefixes:
                self._learn(server, member, items)
        self._report()
        lacking = {server for server, (items, why) in zip(servers, found, strict=True) if items is None and why}
        if kind == "resources":
            self._front.owners.unsure = frozenset(lacking)
        # The templates are asked for after the resources; and what was settled meanwhile has more to be learnt.
        if method != "resources/list" and not lacking and names is self._front.names:
            self.fresh.add(kind)
        problems = {server: why for server, (_, why) in zip(servers, found, strict=True) if why}
        made = [self._shown(server, kind, items or ()) for server, (items, _) in zip(servers, found, strict=True)]
        return [item for items in made for item in items], problems

    def _report(self) -> None:
        """Say in the log which names clash or can't be shown, each time that others do."""
        problems = [said for names in self._front.names.values() for said in names.problems()]
        if problems != self._reported:
            self._reported = problems
            for said in problems:
                log.warning("a name is not as its server has it", reason=said)

    def _learn(self, server: str, member: str, items: list[dict[str, Any]]) -> None:
        """Take over which names or URIs a server has."""
        front = self._front
        if member == "tools" or member == "prompts":  # noqa: PLR1714 - a type checker sees more in it
            front.names[member].update(server, [name for item in items if isinstance(name := item.get("name"), str)])
        elif member == "resources":
            front.owners.update(server, uris=[uri for item in items if isinstance(uri := item.get("uri"), str)])
        elif member == "resourceTemplates":
            texts = [text for item in items if isinstance(text := item.get("uriTemplate"), str)]
            front.owners.update(server, templates=texts)
        elif member == "tasks":  # one may have been begun in another session, or before Tidegate was started
            for item in items:
                front.tasks.saw(server, {"task": item})

    def _shown(self, server: str, kind: str, items: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
        """Return a server's items as clients know them: those that they may know, by their names for them."""
        names = self._front.names.get(kind)
        if names is None:
            return items
        out = []
        for item in items:
            name = item.get("name")
            if not isinstance(name, str) or (kind == "tools" and not self._front.serves(server, name)):
                continue
            shown = names.shown(server, name)
            if shown is not None:
                out.append(item if shown == name else {**item, "name": shown})
        return out

    async def of(self, server: str, method: str, meta: Mapping[str, Any]) -> tuple[list[dict[str, Any]] | None, str]:
        """Return what one server lists, and what is wrong with it."""
        front, (member, kind) = self._front, LISTS[method]
        settings = front.core.now.settings.gateway
        try:
            async with asyncio.timeout(settings.patience):
                peer = await front.peer(server, meta)
                if not peer.can(kind):
                    return None, ""

                async def fetch(cursor: str | None) -> tuple[dict[str, Any], int]:
                    page, size = await peer.page(method, cursor, meta)
                    return _shown(page, peer), size

                most = max(MAX_BYTES, front.core.now.settings.proxy.max_message_bytes)
                items = await walk(fetch, member, max_items=settings.max_items, max_bytes=most)
                return _distinct(items, member), ""
        except IncompleteError as incomplete:
            log.warning("a list is not whole", server=server, method=method, reason=str(incomplete))
            return _distinct(incomplete.items, member), str(incomplete)
        except Refused as refusal:
            return (None, "") if refusal.code == _NO_METHOD else (None, front.lacking(server, str(refusal)))
        except Unavailable as failure:
            return None, front.lacking(server, str(failure))
        except TimeoutError:
            return None, front.lacking(server, f"The server didn't answer within {settings.patience:g} seconds.")

    def _owner(self, method: str) -> tuple[str, str, str, str]:
        """Return whose cursors of a list are good."""
        front = self._front
        return front.principal.name, front.profile, front.flows.session_id, method

    def close(self) -> None:
        """Let go of the lists that the clients were paging through."""
        for method in LISTS:
            self._front.shared.pages.forget(self._owner(method))

    async def page(self, message: Message, flow: Flow) -> dict[str, Any]:
        """Return the result of a judged request for a list.

        Args:
            message: the request.
            flow: its flow.

        Raises:
            Rejected: for a cursor that was none of the gateway's.
        """
        front, method = self._front, message.method or ""
        params = message.tree.get("params")
        cursor = params.get("cursor") if isinstance(params, dict) else None
        owner = self._owner(method)
        problems: dict[str, str] = {}
        if cursor is None:
            if method == "tools/list":
                items, problems = await front.offers.listed(message, flow)
            else:
                items, problems = await self.whole(method, message.meta)
            page, following = front.shared.pages.first(owner, items)
        else:
            page, following = front.shared.pages.next(owner, cursor if isinstance(cursor, str) else "")
        result: dict[str, Any] = {LISTS[method].member: page}
        if following is not None:
            result["nextCursor"] = following
        if problems:
            result["_meta"] = missing(problems)
        return result


def _shown(page: dict[str, Any], peer: Peer) -> dict[str, Any]:
    """Return a page of a legacy server's tools as a modern client gets it: without how they stand to tasks."""
    tools = page.get("tools")
    if not peer.modern or methods.is_modern(peer.server_version) or type(tools) is not list:
        return page
    return {**page, "tools": [eras.untasked(tool) for tool in tools]}


def _distinct(items: list[dict[str, Any]], member: str) -> list[dict[str, Any]]:
    """Return the items of one server without those that stand twice."""
    return items if member == "tasks" else distinct(items, _IDENTITY[member])


def missing(problems: Mapping[str, str]) -> dict[str, Any]:
    """Return the ``_meta`` that says which servers a result is without, and why."""
    return {MISSING_KEY: [{"server": server, "reason": why} for server, why in problems.items()]}
