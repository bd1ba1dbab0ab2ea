"""What the gateway itself offers beside the servers' tools: tools of its own, where the settings switch them on.

A call of one is judged like any call, as one of the server ``gateway``, and their definitions like any server's list.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from tidegate import values, wire
from tidegate.gateway import own_tools
from tidegate.gateway.on_demand import OnDemand
from tidegate.gateway.own_tools import Mistake
from tidegate.gateway.searching import Search
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from tidegate.flow import Flow
    from tidegate.gateway.front import Front
    from tidegate.message import Message
    from tidegate.streams import Reply
    from tidegate.upstream import Context

_ANNOTATED = "2025-03-26"  # the first version in which tools have annotations
_CHANGES = {"listChanged": True}


class Offers:
    """The gateway's own tools, for one front's clients.

    Args:
        front: the front.

    Attributes:
        names: what they are called, those that are switched on; no server's tool can be called so.
        searches: whether clients search for the servers' tools instead of having them listed.
        on_demand: the servers that clients have added.
    """

    def __init__(self, front: Front) -> None:
        self._front = front
        self._search = Search(front)
        self.on_demand = OnDemand(front)
        self.names: tuple[str, ...] = ()
        self.searches = False

    def settle(self) -> None:
        """Take over which of them are switched on."""
        gateway = self._front.core.now.settings.gateway
        self.searches = gateway.search
        self.names = (own_tools.SEARCH if gateway.search else ()) + (own_tools.DYNAMIC if gateway.dynamic else ())
        self.on_demand.settle()
        self._search.forget()
        defined = self._front.flows.tools
        defined.clear()
        defined.learn([own_tools.DEFINITIONS[name] for name in self.names])

    @property
    def capabilities(self) -> list[dict[str, Any]]:
        """What the gateway can do by itself: none or one of a server's capabilities, to be merged with the others'.

        A server that is added later may have prompts and resources, and clients ask for none that weren't declared.
        """
        if not self.names:
            return []
        own: dict[str, Any] = {"tools": _CHANGES}
        return [{**own, "prompts": _CHANGES, "resources": _CHANGES} if own_tools.ADD_SERVER in self.names else own]

    @property
    def instructions(self) -> list[tuple[str, str]]:
        """What models are told, beside what servers say."""
        said = []
        if self.searches:
            said.append(f"Most tools are not listed. Find them with {own_tools.FIND_TOOL}.")
        if own_tools.ADD_SERVER in self.names:
            said.append(f"Find more servers with {own_tools.FIND_SERVER} and add them with {own_tools.ADD_SERVER}.")
        return [("gateway", " ".join(said))] if said else []

    # -- lists ------------------------------------------------------------------------------------------

    async def listed(self, message: Message, flow: Flow) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """Return the tools that a client sees, and why servers' are missing.

        Args:
            message: the request, judged.
            flow: its flow.
        """
        own = await self._own(message, flow) if self.names else []
        if self.searches:
            return own + await self._search.shown(message.meta), {}
        items, problems = await self._front.lists.whole("tools/list", message.meta)
        return own + items, problems

    async def _own(self, message: Message, flow: Flow) -> list[dict[str, Any]]:
        """Return the definitions of the gateway's own tools, judged as a server's list is."""
        tools = [own_tools.DEFINITIONS[name] for name in self.names]
        if self._front.version < _ANNOTATED:
            tools = [{key: value for key, value in tool.items() if key != "annotations"} for tool in tools]
        tree = {"jsonrpc": "2.0", "id": message.id, "result": self._front.dressed({"tools": tools})}
        reply = wire.classify(tree, "server").answering(message.method)
        decision = await self._front.core.now.pipeline.judge(reply, dataclasses.replace(flow, request=message))
        if not decision.allowed or decision.message is None:
            return []
        result = decision.message.tree.get("result")
        kept = result.get("tools") if type(result) is dict else None
        return [item for item in kept if type(item) is dict] if type(kept) is list else []

    # -- calls ------------------------------------------------------------------------------------------

    def mine(self, message: Message) -> bool:
        """Whether a request is a call of one of the gateway's own tools."""
        return bool(self.names) and message.method == "tools/call" and _called(message) in self.names

    async def take(self, message: Message, context: Context) -> Reply:
        """Answer a call of one of the gateway's own tools.

        Raises:
            Denied: where an interceptor stops it.
            Rejected: where it calls what isn't there.
            Unavailable: where the server of what it calls can't be reached.
        """
        front, flow = self._front, None
        try:
            if _called(message) == own_tools.CALL_TOOL:
                found = await front.aim.whose(await self._search.called(message))
                assert found is not None  # a call is for a server
                peer, sent = found
                return await peer.take(sent, context)
            message, flow = await front.judged(message)
            said = await self._done(message)
        except Mistake as mistake:
            if flow is None:
                message, flow = await front.judged(message)
            result: dict[str, Any] = {"content": [{"type": "text", "text": str(mistake)}], "isError": True}
        else:
            result = {"content": [{"type": "text", "text": values.encode(said).decode()}]}
        if front.modern:
            result["resultType"] = "complete"
        return await front.result(message, flow, result)

    async def _done(self, message: Message) -> dict[str, Any]:
        name = _called(message)
        if name not in self.names or name == own_tools.CALL_TOOL:  # an interceptor has made another call of it
            raise Rejected("unknown", "There is no such tool.", id=message.id)
        arguments = own_tools.checked(name, message.tree["params"].get("arguments"))
        if name == own_tools.FIND_TOOL:
            return await self._search.find(arguments, message.meta)
        if name == own_tools.FIND_SERVER:
            return self.on_demand.find(arguments)
        if name == own_tools.ADD_SERVER:
            return await self.on_demand.add(arguments, message.meta)
        if name == own_tools.REMOVE_SERVER:
            return await self.on_demand.remove(arguments)
        return self.on_demand.list()


def _called(message: Message) -> str:
    params = message.tree.get("params")
    name = params.get("name") if type(params) is dict else None
    return name if type(name) is str else ""
