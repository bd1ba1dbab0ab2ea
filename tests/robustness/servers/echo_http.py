"""An MCP server over HTTP for load: it echoes, in both eras, and can write down every message it got.

`echo_http.py READY [LOG]`: writes its address to READY once it serves, and appends each body to LOG, a line each.
"""

import asyncio
import os
import secrets
import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import orjson
import uvicorn

LEGACY, MODERN = "2025-11-25", "2026-07-28"
TOOLS = [{"name": "echo", "description": "Says it again.", "inputSchema": {"type": "object"}}]

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Server:
    """The server: its sessions and where it writes what it got."""

    def __init__(self, log: str | None) -> None:
        self.sessions: set[str] = set()
        self.log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT) if log else None

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        headers = {key: value.decode() for key, value in scope["headers"]}
        session = headers.get(b"mcp-session-id")
        if scope["method"] == "DELETE":
            known = session in self.sessions
            self.sessions.discard(session or "")
            await answer(send, 200 if known else 404, b"")
        elif scope["method"] != "POST":
            await answer(send, 405, b"")
        else:
            await self.post(await whole(receive), session, send)

    async def post(self, body: bytes, session: str | None, send: Send) -> None:
        if self.log is not None:
            os.write(self.log, body + b"\n")
        message = orjson.loads(body)
        if message.get("method") == "initialize":
            made = secrets.token_hex(8)
            self.sessions.add(made)
            await answer(send, 200, reply(message), made)
        elif session is not None and session not in self.sessions:
            await answer(send, 404, b"")
        elif "id" in message and "method" in message:
            await answer(send, 200, reply(message, session))
        else:
            await answer(send, 202, b"")


def reply(message: Any, session: str | None = None) -> bytes:
    """Return the reply to a request; the session it came in says who was asked."""
    params = message.get("params", {})
    result: dict[str, Any] = {}
    match message["method"]:
        case "initialize":
            info = {"name": "echo", "version": "1"}
            result = {"protocolVersion": LEGACY, "capabilities": {"tools": {}}, "serverInfo": info}
        case "tools/list":
            result = {"tools": TOOLS}
        case "tools/call":
            text = params["arguments"]["text"]
            result = {"content": [{"type": "text", "text": text}], "_meta": {"session": session}}
        case "server/discover":
            result = {"supportedVersions": [MODERN], "capabilities": {"tools": {}}}
    return orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result})


async def whole(receive: Receive) -> bytes:
    """Return the whole body of a request."""
    parts = []
    more = True
    while more:
        part = await receive()
        parts.append(part.get("body", b""))
        more = part.get("more_body", False)
    return b"".join(parts)


async def answer(send: Send, status: int, body: bytes, session: str | None = None) -> None:
    """Send an answer."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if session:
        headers.append((b"mcp-session-id", session.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def main(ready: str, log: str | None = None) -> None:
    """Serve until a signal comes."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named: then asyncio sets TCP_NODELAY
    sock.bind(("127.0.0.1", 0))
    config = uvicorn.Config(Server(log), lifespan="off", log_config=None, access_log=False, timeout_keep_alive=600)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    announce(Path(ready), f"http://127.0.0.1:{sock.getsockname()[1]}/mcp")
    await serving


def announce(ready: Path, url: str) -> None:
    """Write the address to a file that comes into being whole."""
    partial = ready.with_suffix(".partial")
    partial.write_text(url)
    partial.replace(ready)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
