"""Clients with one stream for everything: what keeps its order, and answers that come over broken streams."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from support.gateways import gateway
from support.pipes import call, denying, is_denied, relaying
from support.polite import CALL, INITIALIZE, LEGACY, SESSION, polite
from support.rig import Entry, Witness, encoded, running_core
from support.toys import Toy
from support.web import Exchange, ScriptedServer, until, within
from tidegate import endpoints
from tidegate.conversation import Conversation
from tidegate.duplex import Duplex
from tidegate.ends.http1 import HttpClient
from tidegate.ends.pipe import PipeError
from tidegate.flow import Principal
from tidegate.methods import BATCHING
from tidegate.relay import Relay
from tidegate.servers import new_upstream


class Client:
    """The stream of a client: what is written to it waits to be read."""

    def __init__(self, relay: Conversation) -> None:
        self.duplex = Duplex(relay, self._write)
        self.gone = False
        self._waiting: asyncio.Queue[Any] = asyncio.Queue()

    async def _write(self, data: bytes) -> None:
        if self.gone:
            raise PipeError("The client has gone.")
        self._waiting.put_nowait(json.loads(data))

    async def say(self, tree: Any) -> None:
        await within(self.duplex.accept(tree if isinstance(tree, bytes) else encoded(tree)))

    async def next(self) -> Any:
        return await within(self._waiting.get())

    @property
    def quiet(self) -> bool:
        return self._waiting.empty()


@asynccontextmanager
async def before(server: ScriptedServer, *entries: Entry) -> AsyncIterator[Client]:
    """Put a client with one stream before a server of streamable HTTP."""
    async with running_core(*entries, servers={"server": {"url": server.url}}) as core:
        http = HttpClient()
        upstream, _ = new_upstream(core, "server", Principal(), http)
        client = Client(Relay(core, core.now.settings.server("server"), upstream, Principal()))
        try:
            yield client
        finally:
            await client.duplex.close()
            await http.close()


# -- before a server with one stream ------------------------------------------------------------------------------


async def test_messages_reach_the_server_in_the_order_they_came() -> None:
    async with relaying() as rig:
        client = Client(rig.relay)
        for number in range(50):
            await client.say(call(number) if number % 2 else {"method": "notifications/x", "params": {"n": number}})
        got = [await rig.pipe.next() for _ in range(50)]
        assert [tree.get("id", tree["params"].get("n")) for tree in got] == list(range(50))
        await client.duplex.close()


async def test_answers_come_when_they_come() -> None:
    async with relaying() as rig:
        client = Client(rig.relay)
        for number in (1, 2):
            await client.say(call(number))
        got = [await rig.pipe.next() for _ in range(2)]
        for request in reversed(got):
            rig.pipe.result(request, request["id"])
        assert [(await client.next())["id"] for _ in range(2)] == [2, 1]
        await client.duplex.close()


async def test_what_the_server_says_by_itself_comes_on_the_same_stream() -> None:
    async with relaying() as rig:
        client = Client(rig.relay)
        await client.say({"method": "notifications/initialized"})
        rig.pipe.say({"method": "notifications/tools/list_changed"})
        assert (await client.next())["method"] == "notifications/tools/list_changed"
        await client.duplex.close()


async def test_what_is_refused_or_denied_is_answered_and_what_has_no_answer_has_none() -> None:
    async with relaying(denying("tools/call", "notifications/x"), proxy={"deny_as": "error"}) as rig:
        client = Client(rig.relay)
        await client.say(b"{")
        assert is_denied(await client.next(), "parse")
        await client.say(call(1))
        assert is_denied(await client.next())
        await client.say({"method": "notifications/x"})
        await client.say({"id": 9, "result": {}})
        answer = await client.next()
        assert (answer["id"], is_denied(answer, "unsolicited")) == (None, True)
        assert client.quiet
        assert rig.pipe.got == []
        await client.duplex.close()


async def test_a_batch_is_answered_without_holding_up_what_comes_after_it() -> None:
    async with relaying(version=BATCHING) as rig:
        client = Client(rig.relay)
        batch = [{"jsonrpc": "2.0", **call(number)} for number in (1, 2)]
        await client.say(json.dumps(batch).encode())
        await client.say(call(3))
        got = {request["id"]: request for request in [await rig.pipe.next() for _ in range(3)]}
        rig.pipe.result(got[3], "three")
        assert (await client.next())["id"] == 3
        for number in (1, 2):
            rig.pipe.result(got[number], number)
        answers: list[Any] = []
        while len(answers) < 2:
            answer = await client.next()
            answers += answer if isinstance(answer, list) else [answer]
        assert {answer["id"]: answer["result"] for answer in answers} == {1: 1, 2: 2}
        await client.duplex.close()


async def test_a_client_of_the_gateway_that_begins_in_a_batch_hears_what_the_servers_say_by_themselves() -> None:
    toy = Toy("one", "add", version=BATCHING)
    async with gateway(toys=[toy]) as made:
        client = Client(made.sessions.new(endpoints.gateway(""), Principal()).relay)
        await client.say({**INITIALIZE, "params": {**INITIALIZE["params"], "protocolVersion": BATCHING}})
        assert (await client.next())["result"]["protocolVersion"] == BATCHING
        await client.say(json.dumps([{"jsonrpc": "2.0", "method": "notifications/initialized"}]).encode())
        await toy.say({"method": "notifications/tools/list_changed"})
        assert (await client.next())["method"] == "notifications/tools/list_changed"
        await client.duplex.close()


async def test_draining_waits_for_answers_and_not_for_the_servers_own_stream() -> None:
    async with relaying() as rig:
        client = Client(rig.relay)
        await client.say(call(1))
        got = await rig.pipe.next()
        draining = asyncio.create_task(client.duplex.drained())
        await asyncio.sleep(0)
        assert not draining.done()
        rig.pipe.result(got, "done")
        await within(draining)
        assert (await client.next())["result"] == "done"
        await client.duplex.close()


async def test_a_client_that_takes_nothing_any_more_harms_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    async with relaying() as rig:
        client = Client(rig.relay)
        await client.say(call(1))
        client.gone = True
        rig.pipe.result(await rig.pipe.next(), "for nobody")
        rig.pipe.say({"method": "notifications/tools/list_changed"})
        await until(lambda: not client.duplex._tasks)
        with pytest.raises(PipeError):
            await client.say(b"{")
        await client.duplex.close()
    assert "Traceback" not in "".join(capsys.readouterr())


async def test_closing_closes_the_relay_and_everything_that_waits() -> None:
    async with relaying() as rig:
        client = Client(rig.relay)
        await client.say(call(1))
        await client.duplex.close()
        assert rig.relay.over.is_set()
        assert rig.pipe.closed
        assert client.quiet


# -- before a server of streamable HTTP -----------------------------------------------------------------------------


async def test_a_session_and_its_version_are_kept_for_the_client() -> None:
    async with ScriptedServer(polite) as server, before(server) as client:
        await client.say(INITIALIZE)
        assert (await client.next())["result"]["protocolVersion"] == LEGACY
        await client.say({"method": "notifications/initialized"})
        await client.say(CALL)
        said = (await client.next())["result"]["said"]
        assert (said["mcp-session-id"], said["mcp-protocol-version"]) == (SESSION, LEGACY)
        await client.duplex.close()
        await until(lambda: server.got[-1].method == "DELETE")
        assert server.got[-1].headers["mcp-session-id"] == SESSION


async def test_a_slow_answer_does_not_hold_up_another_request_or_its_cancellation() -> None:
    cancelled = asyncio.Event()

    async def slow(exchange: Exchange) -> None:
        message = exchange.json
        if message.get("id") == 1:
            await within(cancelled.wait())
            await exchange.result("late")
        elif "id" not in message:
            cancelled.set()
            await exchange.reply(status=202)
        else:
            await exchange.result("quick")

    async with ScriptedServer(slow) as server, before(server) as client:
        await client.say(call(1))
        await client.say(call(2))
        assert (await client.next())["result"] == "quick"
        await client.say({"method": "notifications/cancelled", "params": {"requestId": 1}})
        assert (await client.next())["result"] == "late"


async def test_a_stream_that_the_server_closes_is_resumed_where_it_ended() -> None:
    asked: list[str | None] = []

    async def polling(exchange: Exchange) -> None:
        if exchange.method == "GET":
            asked.append(exchange.headers.get("last-event-id"))
            await exchange.stream()
            await exchange.event(
                {"jsonrpc": "2.0", "id": 1, "result": "at last"} if len(asked) == 2 else b"",
                id=f"e{len(asked)}",
                retry="1",
            )
        else:
            await exchange.stream()
            await exchange.event(b"", id="e0", retry="1")

    witness = Witness()
    async with ScriptedServer(polling) as server, before(server, witness.entry()) as client:
        await client.say(call(1))
        assert (await client.next())["result"] == "at last"
    assert asked == ["e0", "e1"]
    assert witness.verdicts()[-1] == ("result", "tools/call", "allow")


@pytest.mark.parametrize("status", [404, 405, 500])
async def test_a_request_whose_stream_cant_be_resumed_is_answered_with_an_error(status: int) -> None:
    async def breaking(exchange: Exchange) -> None:
        if exchange.method == "GET":
            await exchange.reply(status=status)
            return
        await exchange.stream()
        await exchange.event(b"", id="e0", retry="1")

    witness = Witness()
    async with ScriptedServer(breaking) as server, before(server, witness.entry()) as client:
        await client.say(call("x"))
        answer = await client.next()
        assert answer["id"] == "x"
        assert is_denied(answer, "unavailable")
    assert (None, "unavailable", "deny") in witness.verdicts("rejected")


async def test_a_server_without_a_stream_of_its_own_is_asked_for_one_once() -> None:
    async with ScriptedServer(polite) as server, before(server) as client:
        await client.say(INITIALIZE)
        await client.next()
        for _ in range(3):
            await client.say({"method": "notifications/initialized"})
        await until(lambda: "GET" in [exchange.method for exchange in server.got])
        await client.say(CALL)
        await client.next()
        assert [exchange.method for exchange in server.got].count("GET") == 1


async def test_the_servers_own_stream_is_opened_again_where_it_ended() -> None:
    asked: list[str | None] = []

    async def closing(exchange: Exchange) -> None:
        if exchange.method != "GET":
            await polite(exchange)
            return
        asked.append(exchange.headers.get("last-event-id"))
        await exchange.stream()
        note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": len(asked)}}
        await exchange.event(note, id=f"e{len(asked)}", retry="1")
        if len(asked) == 3:
            await exchange.gone.wait()

    async with ScriptedServer(closing) as server, before(server) as client:
        await client.say(INITIALIZE)
        await client.next()
        await client.say({"method": "notifications/initialized"})
        assert [(await client.next())["params"]["data"] for _ in range(3)] == [1, 2, 3]
    assert asked == [None, "e1", "e2"]
