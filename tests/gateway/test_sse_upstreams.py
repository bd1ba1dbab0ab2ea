"""Calls over a server of HTTP+SSE (2024-11-05) when either side leaves: each has an answer, and nothing is left."""

import asyncio
from typing import Any

import pytest

from support.gateways import CI, HTTP, Gateway, Talk, gateway
from support.pipes import is_denied
from support.rig import new_id
from support.web import Exchange, ScriptedServer, until, within
from tidegate import methods
from tidegate.gateway.legacy_peer import LegacyPeer

GATEWAY, OWN = "/", "old"
MANY = 5


class Server(ScriptedServer):
    """A server of HTTP+SSE that begins sessions, and works on calls without ever answering one.

    Attributes:
        streams: the event streams that are open.
        calls: the calls that it got.
        cancelled: the ids of those that were cancelled.
    """

    def __init__(self) -> None:
        super().__init__(self._serve_one)
        self.streams: list[Exchange] = []
        self.calls: list[Any] = []
        self.cancelled: list[Any] = []

    async def _serve_one(self, exchange: Exchange) -> None:
        if exchange.method == "GET":
            await exchange.stream()
            await exchange.raw(b"event: endpoint\ndata: /messages\n\n")
            self.streams.append(exchange)
            await exchange.gone.wait()
            self.streams.remove(exchange)
            return
        tree = exchange.json
        await exchange.reply(status=202)
        match tree.get("method"):
            case "tools/call":
                self.calls.append(tree)
            case "notifications/cancelled":
                self.cancelled.append(tree["params"]["requestId"])
            case "initialize":
                said = {"name": "old", "version": "1"}
                result = {"protocolVersion": methods.V2024, "capabilities": {"tools": {}}, "serverInfo": said}
                await self._answer(tree, result=result)
            case "tools/list":
                await self._answer(tree, result={"tools": [{"name": "add", "inputSchema": {"type": "object"}}]})
            case _ if "id" in tree:
                await self._answer(tree, error={"code": -32601, "message": "No."})

    async def _answer(self, tree: Any, **said: Any) -> None:
        await self.streams[-1].event({"jsonrpc": "2.0", "id": tree["id"], **said}, event="message")


def in_front_of(server: Server) -> Any:
    """The gateway, and the server's own address."""
    return gateway(toys=[], servers={OWN: {"url": server.url, "transport": "sse"}})


async def session(made: Gateway, where: str, version: str = methods.V2024) -> Talk:
    """Begin a session at the gateway or at the server's own address."""
    if where == GATEWAY:
        return await made.session(version=version)
    talk = Talk(made.sessions.new(where, CI), version=version)
    info = {"name": "client", "version": "1"}
    await talk.ask("initialize", protocolVersion=version, capabilities={}, clientInfo=info)
    talk.identity = made.sessions.register(where, talk.entry)
    await talk.tell("notifications/initialized")
    return talk


async def calling(talk: Talk, server: Server, where: str) -> dict[Any, asyncio.Task[Any]]:
    """Have calls worked on; return them by their ids."""
    name = "old__add" if where == GATEWAY else "add"
    ids = [new_id() for _ in range(MANY)]
    tasks = {identity: asyncio.create_task(talk.ask("tools/call", identity, name=name)) for identity in ids}
    await until(lambda: len(server.calls) == MANY)
    return tasks


async def answered(tasks: dict[Any, asyncio.Task[Any]]) -> None:
    """See that each call has an error as its answer."""
    for identity, task in tasks.items():
        reply = await within(task)
        assert reply["id"] == identity
        assert is_denied(reply, "unavailable")


@pytest.mark.parametrize("where", [GATEWAY, OWN])
async def test_calls_of_a_session_whose_server_leaves_are_answered_and_the_next_one_begins_anew(where: str) -> None:
    async with Server() as server, in_front_of(server) as made:
        talk = await session(made, where)
        tasks = await calling(talk, server, where)
        for stream in list(server.streams):
            stream.die()
        await answered(tasks)
        assert not talk.entry.relay.waiting
        server.calls.clear()
        tasks = await calling(talk, server, where)
        assert len(server.streams) == 1
        await made.sessions.drop(where, talk.identity)
        await answered(tasks)


@pytest.mark.parametrize("where", [GATEWAY, OWN])
async def test_calls_of_a_session_that_its_client_ends_are_answered_and_the_servers_stream_is_closed(
    where: str,
) -> None:
    async with Server() as server, in_front_of(server) as made:
        talk = await session(made, where)
        tasks = await calling(talk, server, where)
        await made.sessions.drop(where, talk.identity)
        await answered(tasks)
        await until(lambda: not server.streams)
        assert not talk.entry.relay.waiting
        await until(lambda: made.sessions.fleet.listed() == [])


async def test_calls_of_clients_without_sessions_are_answered_when_the_server_leaves() -> None:
    async with Server() as server, in_front_of(server) as made:
        talk = made.stateless()
        tasks = await calling(talk, server, GATEWAY)
        for stream in list(server.streams):
            stream.die()
        await answered(tasks)
        peer = await talk.front.peer(OWN, talk.meta()["_meta"])
        assert isinstance(peer, LegacyPeer)
        assert (peer._calls, peer.relay.waiting) == ({}, False)


async def test_a_call_whose_client_without_a_session_leaves_is_cancelled_at_the_server() -> None:
    async with Server() as server, in_front_of(server) as made:
        talk = made.stateless()
        tree = talk.request("tools/call", 7, name="old__add", arguments={})
        task = asyncio.create_task(talk.accept(tree, HTTP))
        await until(lambda: server.calls)
        task.cancel()
        await asyncio.wait((task,))
        await until(lambda: server.cancelled)
        assert server.cancelled == [server.calls[0]["id"]]
        peer = await talk.front.peer(OWN, talk.meta()["_meta"])
        assert isinstance(peer, LegacyPeer)
        assert peer._calls == {}
