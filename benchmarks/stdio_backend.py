"""An MCP echo server over stdio: the standard library only, one JSON-RPC message a line.

`python benchmarks/stdio_backend.py`. It reads blocks, not lines, and answers a block of requests with
one write, so that under load it costs as little as a Python process can.
"""

import json
import os
from typing import Any

VERSION = "2025-11-25"
ECHO = {
    "name": "echo",
    "description": "Answer with the text it is given.",
    "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
}
BLOCK = 1 << 16


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
            reply["result"] = {"content": [{"type": "text", "text": text}], "isError": False}
        case "tools/list":
            reply["result"] = {"tools": [ECHO]}
        case "initialize":
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
