"""Which server a request is for, and what that server calls what the request is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegate.wire import Rejected

if TYPE_CHECKING:
    from tidegate.gateway.front import Front
    from tidegate.gateway.peers import Peer
    from tidegate.message import Message

_NAMED = {"tools/call": "tools", "prompts/get": "prompts"}
_BY_URI = frozenset(("resources/read", "resources/subscribe", "resources/unsubscribe"))
_TASKS = frozenset(("tasks/get", "tasks/result", "tasks/cancel", "tasks/update"))


class Aim:
    """Finds the servers that one front's requests are for.

    Args:
        front: the front.
    """

    def __init__(self, front: Front) -> None:
        self._front = front

    async def whose(self, message: Message) -> tuple[Peer, Message] | None:
        """Return whose a request is, and the request with the server's own name for what it is about.

        ``None`` where it is for no single server.

        Raises:
            Rejected: where it names what isn't there.
            AmbiguousError: where it names what several servers have.
            Unavailable: where the server can't be reached.
        """
        front = self._front
        method, params = message.method or "", message.tree.get("params")
        params = params if type(params) is dict else {}
        if method in _NAMED:
            server, own = await self._meant(_NAMED[method], params.get("name"), message)
            peer = front.found(server, message.meta) or await front.peer(server, message.meta)
            if front.offers.searches and method == "tools/call" and peer.relay.flows.tools.lacks(own):
                await front.lists.of(server, "tools/list", message.meta)  # who searches needn't have listed it
            return peer, message if own == params["name"] else message.rewired(at={"/params/name": own})
        if method in _BY_URI:
            return await front.peer(await self.owner(params.get("uri"), message), message.meta), message
        if method == "completion/complete":
            return await self._completed(message, params.get("ref"))
        if method in _TASKS:
            whose = front.tasks.whose(params.get("taskId"))
            if not whose or whose not in front.prefixes:
                raise Rejected("unknown", "There is no such task.", id=message.id)
            return await front.peer(whose, message.meta), message
        return None

    async def _meant(self, kind: str, shown: Any, message: Message) -> tuple[str, str]:
        front = self._front
        names = front.names[kind]
        found = names.meant(shown) if isinstance(shown, str) else None
        if found is None and isinstance(shown, str) and kind not in front.lists.fresh:
            await front.lists.whole(f"{kind}/list", message.meta)
            found = names.meant(shown)
        if found is None or (kind == "tools" and not front.serves(*found)):
            raise Rejected("unknown", f"There is no such {kind[:-1]}.", id=message.id)
        return found

    async def owner(self, uri: Any, message: Message, *, template: bool = False) -> str:
        """Return whose resource a URI is, or a URI template.

        Raises:
            Rejected: where it is nobody's.
            AmbiguousError: where it is several servers'.
        """
        front = self._front
        if not isinstance(uri, str):
            raise Rejected("unknown", "The request names no resource.", id=message.id)
        if len(front.prefixes) == 1:
            return next(iter(front.prefixes))
        if "resources" not in front.lists.fresh:
            for what in ("resources/list", "resources/templates/list"):
                await front.lists.whole(what, message.meta)
        found = (front.owners.template_owner if template else front.owners.owner)(uri)
        if found is None:
            raise Rejected("unknown", "There is no such resource.", id=message.id)
        return found

    async def _completed(self, message: Message, ref: Any) -> tuple[Peer, Message]:
        front = self._front
        ref = ref if type(ref) is dict else {}
        if ref.get("type") == "ref/prompt":
            server, own = await self._meant("prompts", ref.get("name"), message)
            peer = await front.peer(server, message.meta)
            return peer, message if own == ref["name"] else message.rewired(at={"/params/ref/name": own})
        server = await self.owner(ref.get("uri"), message, template=True)
        return await front.peer(server, message.meta), message
