"""A tiny MCP server over stdio: it says what it is told, who it is, and takes calls that it never answers.

Its text is given to a container's Python, so it is of the standard library alone. Tools: `echo` says a text, `who`
the container's id, and `hold` nothing, ever.
"""

import json
import socket
import sys
from typing import Any


def result(message: dict[str, Any]) -> dict[str, Any]:
    """Return what a message is answered with."""
    params = message.get("params", {})
    match message["method"]:
        case "initialize":
            info = {"name": "holding", "version": "1"}
            return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": info}
        case "tools/call":
            said = socket.gethostname() if params["name"] == "who" else params["arguments"]["text"]
            return {"content": [{"type": "text", "text": said}]}
        case _:
            return {}


for line in sys.stdin.buffer:
    asked = json.loads(line)
    if "id" in asked and "method" in asked and asked.get("params", {}).get("name") != "hold":
        told = {"jsonrpc": "2.0", "id": asked["id"], "result": result(asked)}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
