"""An MCP echo server as bare as can be: raw ASGI, no SDK, both eras on one URL.

`python -m benchmarks.backend --ready-file PATH`. A request that carries
`_meta["io.modelcontextprotocol/protocolVersion"]` is answered as 2026-07-28 has it (stateless), any
other as 2025-11-25 has it (a session id at `initialize`). It is the far end of every measurement, so it
does no more than an answer needs.
"""

import uuid
from typing import Any

import orjson
from benchmarks.serving import Receive, Scope, Send, arguments, lifespan, read_body, serve

LEGACY = "2025-11-25"
MODERN = "2026-07-28"
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
SERVER = {"name": "benchmark-echo", "version": "1"}
ECHO = {
    "name": "echo",
    "description": "Answer with the text it is given.",
    "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
}
Json = dict[str, Any]


def result_of(method: str, params: Json, *, modern: bool) -> Json | None:
    """The result for a request, or None for a method this server doesn't have."""
    if method == "tools/call":
        text = params.get("arguments", {}).get("text", "")
        result: Json = {"content": [{"type": "text", "text": text}], "isError": False}
    elif method == "tools/list":
        result = {"tools": [ECHO]} | ({"ttlMs": 60_000, "cacheScope": "public"} if modern else {})
    elif method == "server/discover" and modern:
        result = {
            "supportedVersions": [MODERN, LEGACY],
            "capabilities": {"tools": {}},
            "ttlMs": 3_600_000,
            "cacheScope": "public",
            "_meta": {"io.modelcontextprotocol/serverInfo": SERVER},
        }
    elif method == "initialize" and not modern:
        asked = params.get("protocolVersion", LEGACY)
        version = min(asked, LEGACY)
        result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": SERVER}
    elif method == "ping" and not modern:
        result = {}
    else:
        return None
    if modern:
        result["resultType"] = "complete"
    return result


async def respond(send: Send, status: int, reply: Json | None = None, session: str | None = None) -> None:
    """Send one whole HTTP answer."""
    body = b"" if reply is None else orjson.dumps(reply)
    headers = [(b"content-length", b"%d" % len(body))]
    if body:
        headers.append((b"content-type", b"application/json"))
    if session:
        headers.append((b"mcp-session-id", session.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    if scope["method"] != "POST":
        await respond(send, 200 if scope["method"] == "DELETE" else 405)
        return
    message = orjson.loads(await read_body(receive))
    if "id" not in message or "method" not in message:
        await respond(send, 202)
        return
    params = message.get("params") or {}
    modern = VERSION_KEY in (params.get("_meta") or {})
    result = result_of(message["method"], params, modern=modern)
    reply: Json = {"jsonrpc": "2.0", "id": message["id"]}
    if result is None:
        error = {"code": -32601, "message": "Method not found"}
        await respond(send, 404 if modern else 200, reply | {"error": error})
        return
    reply["result"] = result
    session = uuid.uuid4().hex if message["method"] == "initialize" else None
    await respond(send, 200, reply, session)


if __name__ == "__main__":
    serve(app, arguments("A bare MCP echo server over HTTP.").parse_args().ready_file)
