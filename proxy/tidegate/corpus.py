"""One real-looking body per method of MCP: the material of :func:`tidegate.testing.samples`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegate import methods

if TYPE_CHECKING:
    from tidegate.methods import Method

URI = "file:///notes/today.md"
TASK = "task-7f3a"

_TEXT = {"type": "text", "text": "It is half past nine."}
_TASK = {
    "taskId": TASK,
    "status": "working",
    "createdAt": "2026-07-28T09:30:00Z",
    "lastUpdatedAt": "2026-07-28T09:30:05Z",
    "ttl": 60_000,
}
_ASKED = {"action": "accept", "content": {"city": "Utrecht"}}
_CLIENT = {"name": "sample-client", "version": "1.0.0"}
_SERVER = {"name": "sample-server", "version": "1.0.0"}

_PARAMS: dict[str, dict[str, Any]] = {
    "initialize": {"capabilities": {"roots": {"listChanged": True}}, "clientInfo": _CLIENT},
    "tools/list": {"cursor": "page-2"},
    "tools/call": {"name": "get_time", "arguments": {"timezone": "Europe/Amsterdam"}},
    "prompts/list": {},
    "prompts/get": {"name": "summary", "arguments": {"style": "short"}},
    "resources/list": {},
    "resources/templates/list": {},
    "resources/read": {"uri": URI},
    "resources/subscribe": {"uri": URI},
    "resources/unsubscribe": {"uri": URI},
    "completion/complete": {
        "ref": {"type": "ref/prompt", "name": "summary"},
        "argument": {"name": "style", "value": "sh"},
    },
    "subscriptions/listen": {"notifications": {"toolsListChanged": True, "resourceSubscriptions": [URI]}},
    "logging/setLevel": {"level": "info"},
    "tasks/get": {"taskId": TASK},
    "tasks/cancel": {"taskId": TASK},
    "tasks/result": {"taskId": TASK},
    "tasks/update": {"taskId": TASK, "inputResponses": {"city": _ASKED}},
    "sampling/createMessage": {"messages": [{"role": "user", "content": _TEXT}], "maxTokens": 100},
    "elicitation/create": {
        "message": "Which city?",
        "requestedSchema": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
    "notifications/cancelled": {"requestId": 1, "reason": "no longer needed"},
    "notifications/progress": {"progressToken": "p-1", "progress": 0.5, "total": 1.0, "message": "half way"},
    "notifications/message": {"level": "info", "logger": "sample", "data": {"said": "started"}},
    "notifications/resources/updated": {"uri": URI},
    "notifications/subscriptions/acknowledged": {"notifications": {"toolsListChanged": True}},
    "notifications/elicitation/complete": {"elicitationId": "e-1"},
    "notifications/tasks/status": _TASK,
    "notifications/tasks": _TASK,
}

_RESULTS: dict[str, dict[str, Any]] = {
    "initialize": {"capabilities": {"tools": {"listChanged": True}}, "serverInfo": _SERVER},
    "server/discover": {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "instructions": "Ask."},
    "tools/list": {
        "tools": [{"name": "get_time", "description": "Tells the time.", "inputSchema": {"type": "object"}}],
        "nextCursor": "page-3",
    },
    "tools/call": {"content": [_TEXT], "structuredContent": {"time": "09:30"}, "isError": False},
    "prompts/list": {"prompts": [{"name": "summary", "arguments": [{"name": "style", "required": False}]}]},
    "prompts/get": {"messages": [{"role": "user", "content": _TEXT}]},
    "resources/list": {"resources": [{"uri": URI, "name": "today", "mimeType": "text/markdown"}]},
    "resources/templates/list": {"resourceTemplates": [{"uriTemplate": "file:///notes/{day}.md", "name": "note"}]},
    "resources/read": {"contents": [{"uri": URI, "mimeType": "text/markdown", "text": "# Today"}]},
    "completion/complete": {"completion": {"values": ["short"], "total": 1, "hasMore": False}},
    "tasks/get": _TASK,
    "tasks/list": {"tasks": [_TASK]},
    "tasks/cancel": {**_TASK, "status": "cancelled"},
    "tasks/result": {"content": [_TEXT]},
    "sampling/createMessage": {"role": "assistant", "content": _TEXT, "model": "sample-model"},
    "elicitation/create": _ASKED,
    "roots/list": {"roots": [{"uri": "file:///home/sample", "name": "home"}]},
}

_CACHED = frozenset(
    (
        "server/discover",
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "resources/read",
    )
)


def params(method: Method, version: str) -> dict[str, Any]:
    """Return the params of a method in a version; empty where it has none."""
    said = _PARAMS.get(method.name, {})
    if method.name == "initialize":
        return {"protocolVersion": version, **said}
    if method.request and methods.is_modern(version):  # required there (MCP 2026-07-28, base protocol, _meta)
        capabilities = methods.META + "clientCapabilities"
        return {"_meta": {methods.VERSION_KEY: version, methods.CLIENT_KEY: _CLIENT, capabilities: {}}, **said}
    return said


def result(method: Method, version: str) -> dict[str, Any]:
    """Return the result of a method in a version; empty where it has none."""
    said = _RESULTS.get(method.name, {})
    if method.name == "initialize":
        return {"protocolVersion": version, **said}
    if methods.is_modern(version):
        kept = {"ttlMs": 0, "cacheScope": "public"} if method.name in _CACHED else {}
        return {"resultType": "complete", **said, **kept}
    return said
