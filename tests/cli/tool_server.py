"""A server over stdio for the tests of `tools` and `ping`: of one era, with pages, and with odd ways on request.

Arguments: `legacy` or `modern`, then `pages`, `loop`, `number` or `forever` for the cursors of its list, then a file
that is written when a call is cancelled.
"""

import json
import sys
from pathlib import Path
from typing import Any

ERA, CURSORS, MARK = sys.argv[1:4]
HOSTILE = "Does \x1b[31mred\x1b[0m and \u202eevil\u202c things.\n\nMore."
SCHEMA = {
    "type": "object",
    "properties": {
        "zone": {"$ref": "#/$defs/Zone"},
        "count": {"type": "integer", "minimum": 1, "default": 3, "description": "How many."},
        "tags": {"type": "array", "items": {"type": "string"}},
        "deep": {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]},
    },
    "required": ["zone"],
    "$defs": {"Zone": {"enum": ["utc", "local"], "description": "Which zone."}},
}
TOOLS = [
    {"name": "echo", "description": HOSTILE, "inputSchema": SCHEMA, "annotations": {"readOnlyHint": True}, "odd": [1]},
    {"name": "wipe", "inputSchema": {"type": "object"}, "annotations": {"destructiveHint": True}},
    *({"name": name, "inputSchema": {"type": "object"}} for name in ("fail", "ask", "slow", "hold")),
]


def write(tree: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **tree}) + "\n")
    sys.stdout.flush()


def page(cursor: str) -> dict[str, Any]:
    number = int(cursor or 0)
    found: dict[str, Any] = {"tools": TOOLS[number * 2 : number * 2 + 2] or TOOLS[-1:]}
    after: dict[str, Any] = {
        "pages": str(number + 1) if number < 2 else "",
        "loop": str((number + 1) % 2),
        "number": 7,
        "forever": str(number + 1),
    }
    return found | {"nextCursor": after[CURSORS]}


def called(identity: Any, params: dict[str, Any]) -> dict[str, Any] | None:
    name, token = params["name"], params["_meta"].get("progressToken")
    text: Any = params.get("arguments")
    if name == "echo":
        write({"method": "notifications/progress", "params": {"progressToken": token, "progress": 1, "total": 2}})
        write({"method": "notifications/message", "params": {"level": "info", "data": "at \x1b[1mwork"}})
    elif name == "ask":
        write({"id": "q", "method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1}})
        text = json.loads(sys.stdin.readline())
    elif name == "slow":
        write({"method": "notifications/progress", "params": {"progressToken": token, "progress": 1}})
        if json.loads(sys.stdin.readline()).get("params", {}).get("requestId") == identity:
            Path(MARK).write_text("cancelled")
        return None
    said = [{"type": "text", "text": json.dumps(text)}, {"type": "image", "data": "aGVsbG8=", "mimeType": "image/png"}]
    found: dict[str, Any] = {"content": said, "isError": name == "fail", "odd": {"kept": None}}
    return found | ({"resultType": "input_required"} if name == "hold" else {})


def answer(identity: Any, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    who, can = {"name": "played", "version": "7"}, {"tools": {"listChanged": True}}
    if method == "tools/list":
        return page(params.get("cursor", ""))
    if method == "tools/call":
        return called(identity, params)
    if (ERA, method) == ("legacy", "ping"):
        return {}
    if (ERA, method) == ("legacy", "initialize"):
        return {"protocolVersion": "2025-11-25", "capabilities": can, "serverInfo": who}
    if (ERA, method) == ("modern", "server/discover"):
        meta = {"io.modelcontextprotocol/serverInfo": who}
        return {
            "supportedVersions": ["2026-07-28"],
            "capabilities": can,
            "_meta": meta,
            "ttlMs": 0,
            "cacheScope": "private",
        }
    write({"id": identity, "error": {"code": -32601, "message": f"no {method}"}})
    return None


for line in sys.stdin:
    message = json.loads(line)
    if "method" in message and "id" in message:
        result = answer(message["id"], message["method"], message.get("params", {}))
        if result is not None:
            write({"id": message["id"], "result": ({"resultType": "complete"} if ERA == "modern" else {}) | result})
