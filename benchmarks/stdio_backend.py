"""An MCP echo server over stdio: the standard library only, one JSON-RPC message a line.

`python benchmarks/stdio_backend.py [--modern] [TOOLS]`. With `--modern` it speaks 2026-07-28, and else 2025-11-25;
it has as many tools as it is told, one by default. It reads blocks, not lines, and answers a block of requests with
one write, so that under load it costs as little as a Python process can.
"""

import json
import os
import sys
from typing import Any

VERSION, MODERN = "2025-11-25", "2026-07-28"
ECHO = {
    "name": "echo",
    "description": "Answer with the text it is given.",
    "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
}
BLOCK = 1 << 16
IS_MODERN = "--modern" in sys.argv
COUNT = next((int(word) for word in sys.argv[1:] if word.isdigit()), 1)
TOOLS = [ECHO, *({**ECHO, "name": f"echo_{number}"} for number in range(1, COUNT))]
COMPLETE: dict[str, Any] = {"resultType": "complete"} if IS_MODERN else {}
KEPT: dict[str, Any] = {**COMPLETE, "ttlMs": 0, "cacheScope": "private"} if IS_MODERN else {}


def answer(line: bytes) -> bytes:
    """The reply to one line, with its newline; nothing for a notification."""
    message: dict[str, Any] = json.loads(line)
    if "id" not in message:
        return b""
    params = message.get("params", {})
    reply: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"]}
    match message["method"]:
        case "tools/call":
            text = params["arguments"]["text"]
            reply["result"] = {"content": [{"type": "text", "text": text}], "isError": False, **COMPLETE}
        case "tools/list":
            reply["result"] = {"tools": TOOLS, **KEPT}
        case "server/discover" if IS_MODERN:
            reply["result"] = {"supportedVersions": [MODERN], "capabilities": {"tools": {}}, **KEPT}
        case "initialize" if not IS_MODERN:
            reply["result"] = {
                "protocolVersion": VERSION,
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "benchmark-stdio-echo", "version": "1"},
            }
        case "ping":
            reply["result"] = {}
        case _:
            reply["error"] = {"code": -32601, "message": "Method not found"}
    return json.dumps(reply).encode() + b"\n"


def write(data: bytes) -> None:
    """Write all of `data` to standard output: a pipe may take it in pieces."""
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def main() -> None:
    """Answer until standard input ends."""
    pending: list[bytes] = []
    while block := os.read(0, BLOCK):
        pending.append(block)
        if b"\n" not in block:
            continue
        *lines, rest = b"".join(pending).split(b"\n")
        pending = [rest] if rest else []
        if replies := b"".join(answer(line) for line in lines if line.strip()):
            write(replies)


if __name__ == "__main__":
    main()
