"""Servers over HTTP whose lists, answers and health the test says, at any time."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self

from support.web import PATIENCE, Exchange, ScriptedServer
from tidegate import methods

LEGACY = methods.V2025_11

Answering = Callable[[Exchange], Awaitable[None]]


def tool(name: str, **more: Any) -> dict[str, Any]:
    """Return a tool's definition."""
    return {"name": name, "inputSchema": {"type": "object"}, **more}


class Toy:
    """A server over HTTP whose lists, answers and health the test may change at any time.

    Attributes:
        lists: what it lists: ``tools``, ``prompts``, ``resources`` and ``resourceTemplates``.
        answers: what it does for a method other than the usual.
        down: whether it hangs up on whoever asks it something.
        got: the messages it got, in order.
        raw: their bytes.
    """

    def __init__(
        self,
        name: str,
        *tools: str,
        version: str = LEGACY,
        answers: Mapping[str, Answering] | None = None,
        settings: Mapping[str, Any] | None = None,
        capabilities: Mapping[str, Any] | None = None,
        **lists: list[Any],
    ) -> None:
        self.name = name
        self.version = version
        self.lists: dict[str, list[Any]] = {"tools": [tool(each) for each in tools], **lists}
        self.answers = dict(answers or {})
        self.more = dict(settings or {})
        self.capabilities = capabilities
        self.instructions = ""
        self.down = False
        self.got: list[Any] = []
        self.raw: list[bytes] = []
        self.streams: list[Exchange] = []
        self._server = ScriptedServer(self._serve)

    @property
    def modern(self) -> bool:
        """Whether it is one of 2026-07-28."""
        return self.version == methods.MODERN

    @property
    def settings(self) -> dict[str, Any]:
        """Its members of the settings."""
        return {"url": self._server.url, **self.more}

    def asked(self, method: str) -> list[Any]:
        """Return the messages of a method that it got."""
        return [tree for tree in self.got if tree.get("method") == method]

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._server.__aexit__(*exc)

    async def say(self, tree: Any) -> None:
        """Say something on its own stream."""
        async with asyncio.timeout(PATIENCE):
            while not self.streams:  # noqa: ASYNC110 - nobody announces that the gateway has come to listen
                await asyncio.sleep(0)
        await self.streams[-1].event({"jsonrpc": "2.0", **tree})

    # -- what it answers --------------------------------------------------------------------------------

    async def _serve(self, exchange: Exchange) -> None:
        if self.down:
            exchange.die()
        elif exchange.method == "GET":
            await self.answers.get("GET", self._listened)(exchange)
        elif exchange.method == "DELETE":
            await exchange.reply(status=200)
        else:
            tree = exchange.json
            self.got.append(tree)
            self.raw.append(exchange.body)
            answer = self.answers.get(tree.get("method", "reply"))
            if answer is not None:
                await answer(exchange)
            elif "id" not in tree or "method" not in tree:
                await exchange.reply(status=202)
            else:
                await self._usual(exchange, tree)

    async def _listened(self, exchange: Exchange) -> None:
        if self.modern:
            await exchange.reply(status=405)
            return
        await exchange.stream()
        await exchange.raw(b": here\n\n")
        self.streams.append(exchange)
        await exchange.gone.wait()
        self.streams.remove(exchange)

    async def _usual(self, exchange: Exchange, tree: Any) -> None:
        method, params = tree["method"], tree.get("params", {})
        if method == "initialize" and "mcp-session-id" in exchange.headers:
            await exchange.reply(status=404)  # as servers do that look for the session first
        elif method == ("initialize" if self.modern else "server/discover"):
            await self.error(exchange, -32601)
        elif method == "initialize":
            agreed = min(self.version, params.get("protocolVersion", self.version))
            said = {"protocolVersion": agreed, "capabilities": self.able(), "serverInfo": self.info()}
            said |= {"instructions": self.instructions} if self.instructions else {}
            await exchange.result(said, **{"mcp-session-id": f"of-{self.name}"})
        elif method == "server/discover":
            said = {"supportedVersions": [methods.MODERN], "capabilities": self.able()}
            said |= {"instructions": self.instructions} if self.instructions else {}
            await self.result(exchange, said)
        elif method == "subscriptions/listen":
            await self._subscribed(exchange, tree)
        else:
            await self._listed(exchange, method, params)

    async def _listed(self, exchange: Exchange, method: str, params: Any) -> None:
        member = {"resources/templates/list": "resourceTemplates"}.get(method, method.partition("/")[0])
        kind = {"tools/call": "tools", "prompts/get": "prompts"}.get(method)
        if kind is not None and params.get("name") not in [item.get("name") for item in self.lists.get(kind, [])]:
            await self.error(exchange, -32602)
        elif method.endswith("/list"):
            await self.result(exchange, {member: self.lists.get(member, [])})
        elif method == "tools/call":
            await self.result(exchange, text(f"{self.name}: {params['name']} {json.dumps(params.get('arguments'))}"))
        elif method == "prompts/get":
            said = {"role": "user", "content": {"type": "text", "text": f"{self.name}: {params['name']}"}}
            await self.result(exchange, {"messages": [said]})
        elif method == "resources/read":
            await self.result(exchange, {"contents": [{"uri": params["uri"], "text": f"of {self.name}"}]})
        elif method == "completion/complete":
            await self.result(exchange, {"completion": {"values": [self.name]}})
        else:
            await self.result(exchange, {})

    async def _subscribed(self, exchange: Exchange, tree: Any) -> None:
        await exchange.stream()
        tag = {methods.SUBSCRIPTION_KEY: tree["id"]}
        params = {"notifications": tree["params"]["notifications"], "_meta": tag}
        await exchange.event({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": params})
        self.streams.append(exchange)
        await exchange.gone.wait()
        self.streams.remove(exchange)

    def able(self) -> dict[str, Any]:
        """Return its capabilities: by default those that its lists show."""
        if self.capabilities is not None:
            return dict(self.capabilities)
        kinds = {"resources" if kind == "resourceTemplates" else kind for kind in self.lists}
        return {kind: {"listChanged": True} for kind in sorted(kinds)}

    def info(self) -> dict[str, Any]:
        """Return what it says it is."""
        return {"name": self.name, "version": "1"}

    async def result(self, exchange: Exchange, result: dict[str, Any]) -> None:
        """Answer with a result of its version."""
        hints: dict[str, Any] = {}
        if self.modern:
            hints = {"resultType": "complete"}
            if exchange.json["method"].endswith(("/list", "discover", "read")):
                hints |= {"ttlMs": 60_000, "cacheScope": "public"}
        await exchange.result({**result, **hints})

    async def error(self, exchange: Exchange, code: int) -> None:
        """Answer with an error."""
        status = {-32601: 404, -32602: 400}.get(code, 200) if self.modern else 200
        tree = {"jsonrpc": "2.0", "id": exchange.json["id"], "error": {"code": code, "message": "No."}}
        await exchange.reply(tree, status=status)


def text(said: str) -> dict[str, Any]:
    """Return the result of a call."""
    return {"content": [{"type": "text", "text": said}]}
