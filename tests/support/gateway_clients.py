"""Clients of the gateway over HTTP, of both eras, that speak raw JSON-RPC: with a session, and without."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

from support.rig import new_id
from support.web import Front
from tidegate.gateway.eras import CAPABILITIES_KEY
from tidegate.methods import VERSION_KEY

Era = Literal["legacy", "modern"]
ERAS: tuple[Era, ...] = ("legacy", "modern")
LEGACY, MODERN = "2025-11-25", "2026-07-28"


class GatewayClient:
    """One client.

    Attributes:
        capabilities: what it declares.
        began: the result of `initialize` or `server/discover`.
    """

    def __init__(self, front: Front, era: Era, path: str = "", token: str = "") -> None:
        self.front = front
        self.era = era
        self.url = f"{front.url}{path}/mcp"
        self.headers: dict[str, str] = {"authorization": f"Bearer {token}"} if token else {}
        self.capabilities: dict[str, Any] = {}
        self.began: dict[str, Any] = {}

    async def begin(self, version: str = LEGACY) -> "GatewayClient":
        """Introduce itself."""
        if self.era == "modern":
            self.began = await self.ask("server/discover")
            return self
        params = {"protocolVersion": version, "capabilities": self.capabilities}
        tree = {"id": 0, "method": "initialize", "params": {**params, "clientInfo": {"name": "c", "version": "1"}}}
        response = await self.front.post(tree, self.headers, self.url)
        self.began = response.json()["result"]
        self.headers["mcp-session-id"] = response.headers["mcp-session-id"]
        await self.front.post({"method": "notifications/initialized"}, self.headers, self.url)
        return self

    async def post(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request; return the whole reply."""
        params, headers = dict(params or {}), dict(self.headers)
        if self.era == "modern":
            params["_meta"] = {VERSION_KEY: MODERN, CAPABILITIES_KEY: self.capabilities}
            headers |= {"mcp-protocol-version": MODERN, "mcp-method": method}
            if "name" in params:
                headers["mcp-name"] = params["name"]
        response = await self.front.post({"id": new_id(), "method": method, "params": params}, headers, self.url)
        if response.headers["content-type"].startswith("text/event-stream"):
            said = [json.loads(line[5:]) for line in response.text.splitlines() if line.startswith("data:")]
            return next(each for each in said if "result" in each or "error" in each)
        reply: dict[str, Any] = response.json()
        return reply

    async def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request; return its result."""
        reply = await self.post(method, params)
        assert "result" in reply, reply
        result: dict[str, Any] = reply["result"]
        return result

    async def tools(self) -> dict[str, dict[str, Any]]:
        """The tools that it sees, by name."""
        return {tool["name"]: tool for tool in (await self.ask("tools/list"))["tools"]}

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool; return the result."""
        return await self.ask("tools/call", {"name": tool, "arguments": arguments})

    async def said(self, tool: str, **arguments: Any) -> Any:
        """Call a tool that goes well; return the JSON value that its text is."""
        result = await self.call(tool, **arguments)
        assert not result.get("isError"), result
        return json.loads(result["content"][0]["text"])

    async def complains(self, tool: str, **arguments: Any) -> str:
        """Call a tool that doesn't go well; return what its result says."""
        result = await self.call(tool, **arguments)
        assert result["isError"], result
        text: str = result["content"][0]["text"]
        return text

    async def refused(self, tool: str, **arguments: Any) -> str:
        """Call a tool that can't be called; return the error's message."""
        reply = await self.post("tools/call", {"name": tool, "arguments": arguments})
        assert "error" in reply, reply
        text: str = reply["error"]["message"]
        return text

    @asynccontextmanager
    async def told(self) -> AsyncIterator[Any]:
        """Listen to what it is told of changed lists, until the block ends; yields the stream of events."""
        if self.era == "legacy":
            headers = {name.replace("-", "_"): value for name, value in self.headers.items()}
            async with self.front.stream("GET", url=self.url, **headers) as events:
                yield events
            return
        wanted = {"toolsListChanged": True, "promptsListChanged": True}
        meta = {VERSION_KEY: MODERN, CAPABILITIES_KEY: self.capabilities}
        tree = {
            "id": new_id(),
            "method": "subscriptions/listen",
            "params": {"notifications": wanted, "_meta": meta},
        }
        headers = {"mcp_protocol_version": MODERN, "mcp_method": "subscriptions/listen"}
        authorization = {key: value for key, value in self.headers.items() if key == "authorization"}
        async with self.front.stream("POST", tree, self.url, **headers, **authorization) as events:
            assert (await events.next())["method"] == "notifications/subscriptions/acknowledged"
            yield events
