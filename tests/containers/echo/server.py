"""A tiny MCP server over stdio, of the standard library alone: for tests of transports and containers.

Knows initialize, ping, tools/list and tools/call of one tool, `echo`. Anything else, server/discover too, is
answered with "method not found", as a server of the legacy era does. Ends with exit code 0 with its input.
"""

import json
import sys
from typing import Any

VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
ECHO = {
    "name": "echo",
    "description": "Says back the text it is given.",
    "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
}


def result(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """Return the result of one request, or None for a method this server doesn't have."""
    match method:
        case "initialize":
            asked = params.get("protocolVersion")
            return {
                "protocolVersion": asked if asked in VERSIONS else VERSIONS[0],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "echo", "version": "1"},
            }
        case "ping":
            return {}
        case "tools/list":
            return {"tools": [ECHO]}
        case "tools/call" if params.get("name") == "echo":
            text = str(params.get("arguments", {}).get("text", ""))
            return {"content": [{"type": "text", "text": text}]}
        case "tools/call":
            return {"content": [{"type": "text", "text": "no such tool"}], "isError": True}
        case _:
            return None


def main() -> None:
    """Answer each line of standard input with one line on standard output."""
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "id" not in message or "method" not in message:
            continue  # a notification, or a reply: nothing to answer
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"]}
        found = result(message["method"], message.get("params", {}))
        if found is None:
            reply["error"] = {"code": -32601, "message": "Method not found"}
        else:
            reply["result"] = found
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
