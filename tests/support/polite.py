"""What tests of HTTP say, and a polite server that speaks both eras and answers everything with JSON."""

import hashlib
from typing import Any

from support.web import Exchange, Front
from tidegate.methods import MODERN, VERSION_KEY

LEGACY = "2025-11-25"
INITIALIZE: dict[str, Any] = {
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}},
}
CALL: dict[str, Any] = {"id": 1, "method": "tools/call", "params": {"name": "add", "arguments": {}}}
META = {VERSION_KEY: MODERN, "io.modelcontextprotocol/clientCapabilities": {}}
MODERN_CALL: dict[str, Any] = {
    "id": 1,
    "method": "tools/call",
    "params": {"name": "add", "arguments": {}, "_meta": META},
}
SESSION = "upstream-session-1"


async def polite(exchange: Exchange) -> None:
    """A server that speaks both eras and answers everything with JSON."""
    if exchange.method != "POST":
        await exchange.reply(status=200 if exchange.method == "DELETE" else 405)
        return
    message = exchange.json
    if message.get("method") == "initialize":
        result = {"protocolVersion": LEGACY, "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}
        await exchange.result(result, **{"mcp-session-id": SESSION})
    elif "id" not in message:
        await exchange.reply(status=202)
    else:
        await exchange.result({"content": [], "said": exchange.headers})


async def begun(running: Front, **headers: str) -> dict[str, str]:
    """Begin a legacy session; return the headers that belong to it."""
    answer = await running.post(INITIALIZE, headers)
    assert answer.status_code == 200, answer.text
    return {**headers, "mcp-session-id": answer.headers["mcp-session-id"], "mcp-protocol-version": LEGACY}


TOKENS = {"ci": "token-of-ci", "dev": "token-of-dev"}
AUTH = {
    "tokens": [{"name": name, "sha256": hashlib.sha256(text.encode()).hexdigest()} for name, text in TOKENS.items()]
}
