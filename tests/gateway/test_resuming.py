"""Answers whose streams a server of 2025-11-25 ends early: clients without sessions have them all the same."""

from typing import Any

import pytest

from support.gateways import gateway
from support.pipes import is_denied
from support.rig import new_id
from support.web import Exchange, ScriptedServer
from tidegate import methods
from tidegate.gateway.legacy_peer import LegacyPeer

TOOL = {"name": "add", "inputSchema": {"type": "object"}}


class Server(ScriptedServer):
    """A server with sessions that ends the stream of each answer but the first, and has the rest at the next one.

    Attributes:
        goes_on: whether it has; or else it knows no such stream.
        asked: the ids of events from which it was asked to go on.
    """

    def __init__(self) -> None:
        super().__init__(self._serve_one)
        self.goes_on = True
        self.asked: list[str] = []
        self._owed: dict[str, Any] = {}

    async def _serve_one(self, exchange: Exchange) -> None:
        if exchange.method == "GET":
            await self._went_on(exchange)
            return
        tree = exchange.json
        match tree.get("method"):
            case "initialize":
                said = {"name": "old", "version": "1"}
                result = {"protocolVersion": methods.V2025_11, "capabilities": {"tools": {}}, "serverInfo": said}
                await exchange.result(result, **{"mcp-session-id": "s"})
            case "tools/list":
                await self._ended_early(exchange, {"tools": [TOOL]})
            case "tools/call":
                await self._ended_early(exchange, {"content": [{"type": "text", "text": "3"}]})
            case _ if "id" in tree:
                await exchange.reply({"jsonrpc": "2.0", "id": tree["id"], "error": {"code": -32601, "message": "No."}})
            case _:
                await exchange.reply(status=202)

    async def _ended_early(self, exchange: Exchange, result: Any) -> None:
        identity = f"event-{len(self._owed)}"
        self._owed[identity] = {"jsonrpc": "2.0", "id": exchange.json["id"], "result": result}
        await exchange.stream()
        await exchange.raw(f"id: {identity}\nretry: 10\ndata:\n\n".encode())

    async def _went_on(self, exchange: Exchange) -> None:
        last = exchange.headers.get("last-event-id")
        if last is None or not self.goes_on:
            await exchange.reply(status=405)
            return
        self.asked.append(last)
        await exchange.stream()
        await exchange.event(self._owed[last])


@pytest.mark.parametrize("goes_on", [True, False])
async def test_an_answer_whose_stream_the_server_ends_early_is_asked_for_or_given_up(*, goes_on: bool) -> None:
    async with Server() as server, gateway(toys=[], servers={"old": {"url": server.url}}) as made:
        talk = made.stateless()
        listed = await talk.ask("tools/list", new_id())
        assert [tool["name"] for tool in listed["result"]["tools"]] == ["old__add"]
        server.goes_on = goes_on
        identity = new_id()
        reply = await talk.ask("tools/call", identity, name="old__add", arguments={})
        assert reply["id"] == identity
        if goes_on:
            assert reply["result"]["content"] == [{"type": "text", "text": "3"}]
            assert len(server.asked) == len(set(server.asked)) == 2
        else:
            assert is_denied(reply, "unavailable")
        peer = await talk.front.peer("old", talk.meta()["_meta"])
        assert isinstance(peer, LegacyPeer)
        assert (peer._calls, peer.relay.waiting) == ({}, False)
