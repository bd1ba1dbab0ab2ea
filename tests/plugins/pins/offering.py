"""Servers' definitions, and the lists, handshakes and calls that the tests of `pins` are about."""

from typing import Any

from tidegate import Decision, Flow, Message
from tidegate.testing import Harness, flow, request, result_of

SERVER = "files"
LISTINGS = {
    "tools/list": ("tools", "name"),
    "prompts/list": ("prompts", "name"),
    "resources/list": ("resources", "uri"),
    "resources/templates/list": ("resourceTemplates", "uriTemplate"),
}


def tool(name: str = "read_file", **members: Any) -> dict[str, Any]:
    """A tool's definition."""
    return {
        "name": name,
        "description": "Reads one file of the project and gives its text.",
        "inputSchema": {
            "type": "object",
            "properties": {"path": {"type": "string", "description": "Path of the file."}},
            "required": ["path"],
        },
        "annotations": {"readOnlyHint": True},
        **members,
    }


def other(name: str, **members: Any) -> dict[str, Any]:
    """A tool that is no copy of another."""
    return tool(name, description=f"Does what only {name} can do in this project.", **members)


def listed(
    items: Any,
    method: str = "tools/list",
    *,
    cursor: str | None = None,
    following: str | None = None,
    principal: str = "anonymous",
    server: str = SERVER,
) -> tuple[Message, Flow]:
    """A list, or one page of one."""
    asked = request(method, {} if cursor is None else {"cursor": cursor})
    more = {} if following is None else {"nextCursor": following}
    reply = result_of(asked, {LISTINGS[method][0]: items, **more})
    return reply, flow(reply, server=server, request=asked, principal=principal)


def greeting(instructions: Any = None, method: str = "initialize") -> tuple[Message, Flow]:
    """A handshake's result."""
    asked = request(method, {})
    said = {} if instructions is None else {"instructions": instructions}
    reply = result_of(asked, {"protocolVersion": "2025-11-25", "capabilities": {}, **said})
    return reply, flow(reply, server=SERVER, request=asked)


def call(name: Any = "read_file", *, principal: str = "anonymous", server: str = SERVER) -> tuple[Message, Flow]:
    """A call of a tool."""
    message = request("tools/call", {"name": name, "arguments": {}})
    return message, flow(message, server=server, principal=principal)


def read(uri: str) -> tuple[Message, Flow]:
    """A request for a resource."""
    message = request("resources/read", {"uri": uri})
    return message, flow(message, server=SERVER)


def names(decision: Decision) -> list[str]:
    """The names in a list that goes on."""
    assert decision.allowed, decision.effects
    assert decision.message is not None
    member, key = LISTINGS[decision.message.method or ""]
    return [item[key] for item in decision.message.body[member]]


def rules(decision: Decision) -> list[str]:
    """What was found."""
    return [finding.rule for _, finding in decision.findings if finding.kind == "pin"]


async def show(h: Harness, *items: Any, method: str = "tools/list") -> list[str]:
    """Let a server list; return the names that go on."""
    return names(await h.judge(*listed(list(items), method)))
