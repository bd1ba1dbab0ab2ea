"""Tidegate as the HTTP server of a server that knows only stdio, which several clients share."""

from typing import Any

import httpx
import pytest

from conformance.reference import STDIO_COMMAND
from support.proxy import running_tidegate

MODERN = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
ACCEPT = "application/json, text/event-stream"


async def ask(client: httpx.AsyncClient, url: str, method: str, params: dict[str, Any]) -> httpx.Response:
    headers = {"accept": ACCEPT, "mcp-protocol-version": MODERN, "mcp-method": method}
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return await client.post(url, json=message, headers=headers)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/list", {}),
        (
            "initialize",
            {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}},
        ),
        ("ping", {}),
    ],
)
async def test_what_one_client_sends_cannot_turn_a_shared_server_to_another_era(
    method: str, params: dict[str, Any]
) -> None:
    async with (
        running_tidegate({"reference": {"command": STDIO_COMMAND, "sandbox": "none"}}) as proxy,
        httpx.AsyncClient(timeout=30) as client,
    ):
        url = proxy.endpoint("reference")
        await ask(client, url, method, params)  # as if of 2026-07-28, but without its _meta
        answer = await ask(client, url, "tools/list", {"_meta": META})
    assert "result" in answer.json(), answer.text
