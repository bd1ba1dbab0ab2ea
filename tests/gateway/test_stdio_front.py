"""The gateway on one stream of standard input and output: as the first request says."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support.gateways import CAPABILITIES, CI, names, said
from support.pipes import is_denied
from support.proxy import tidegate, write_settings
from support.rig import encoded, running_core
from support.toys import LEGACY, Toy, text
from support.web import PATIENCE, Exchange, until, within
from tidegate import methods
from tidegate.duplex import Duplex
from tidegate.ends.http1 import HttpClient
from tidegate.gateway.stdio_front import StdioFront
from tidegate.sessions import Sessions

MODERN = methods.MODERN
META = {"_meta": {methods.VERSION_KEY: MODERN, CAPABILITIES: {}}}
INITIALIZE = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}


class Stdio:
    """A client on standard input and output, as the duplex in front of it sees it."""

    def __init__(self, front: StdioFront) -> None:
        self.front = front
        self._got: asyncio.Queue[Any] = asyncio.Queue()
        self.duplex = Duplex(front, self._take)

    async def _take(self, data: bytes) -> None:
        self._got.put_nowait(json.loads(data))

    async def send(self, identity: Any, method: str, **params: Any) -> None:
        tree: dict[str, Any] = {"method": method, "params": params}
        await within(self.duplex.accept(encoded(tree if identity is None else {**tree, "id": identity})))

    async def next(self) -> Any:
        return await within(self._got.get())

    async def reply(self, identity: Any) -> Any:
        while (found := await self.next()).get("id") != identity or "method" in found:
            pass
        return found

    async def ask(self, identity: Any, method: str, **params: Any) -> Any:
        await self.send(identity, method, **params)
        return await self.reply(identity)

    async def begin(self) -> Any:
        reply = await self.ask(0, "initialize", **INITIALIZE)
        await self.send(None, "notifications/initialized")
        return reply


@asynccontextmanager
async def stdio(*toys: Toy, profile: str = "", **tree: Any) -> AsyncIterator[Stdio]:
    async with contextlib.AsyncExitStack() as stack:
        for toy in toys:
            await stack.enter_async_context(toy)
        servers = {toy.name: toy.settings for toy in toys}
        core = await stack.enter_async_context(running_core(servers=servers, **tree))
        client = HttpClient()
        stack.push_async_callback(client.close)
        sessions = Sessions(core, client)
        stack.push_async_callback(sessions.close)
        made = Stdio(StdioFront(sessions.shared, profile, CI))
        stack.push_async_callback(made.front.close)
        stack.push_async_callback(made.duplex.close)
        yield made


async def test_a_client_that_initializes_has_a_session_and_is_told_what_servers_say_by_themselves() -> None:
    one, two = Toy("one", "add"), Toy("two", "sub", version=MODERN)
    async with stdio(one, two) as client:
        assert (await client.begin())["result"]["protocolVersion"] == LEGACY
        assert names(await client.ask(1, "tools/list")) == ["one__add", "two__sub"]
        assert said(await client.ask(2, "tools/call", name="two__sub", arguments={})) == "two: sub {}"
        await one.say({"method": "notifications/message", "params": {"level": "info", "data": "hello"}})
        while (found := await client.next()).get("method") != "notifications/message":
            pass
        assert found["params"]["data"] == "hello"


async def test_a_client_that_says_its_version_in_each_request_needs_no_session() -> None:
    one, two = Toy("one", "add"), Toy("two", "sub", version=MODERN)
    async with stdio(one, two) as client:
        assert (await client.ask("a", "server/discover", **META))["result"]["supportedVersions"] == [MODERN]
        assert said(await client.ask("b", "tools/call", name="one__add", arguments={}, **META)) == "one: add {}"
        assert client.front.version == MODERN


async def test_a_first_request_of_neither_kind_is_told_to_begin_and_the_client_may() -> None:
    async with stdio(Toy("one", "add")) as client:
        assert is_denied(await client.ask(1, "tools/list"), "invalid")
        assert "result" in await client.ask(2, "initialize", **INITIALIZE)


@pytest.mark.parametrize("modern", [False, True])
async def test_a_slow_call_holds_up_no_other_and_is_cancelled_at_its_server(modern: bool) -> None:  # noqa: FBT001 - pytest passes by name
    async def never(exchange: Exchange) -> None:
        await exchange.gone.wait()

    meta = META if modern else {}
    one, two = Toy("one", "work", answers={"tools/call": never}), Toy("two", "sub")
    async with stdio(one, two) as client:
        if not modern:
            await client.begin()
        await client.send(5, "tools/call", name="one__work", arguments={}, **meta)
        await until(lambda: one.asked("tools/call"))
        assert said(await client.ask(6, "tools/call", name="two__sub", arguments={}, **meta)) == "two: sub {}"
        await client.send(None, "notifications/cancelled", requestId=5)
        await until(lambda: one.asked("notifications/cancelled"))
        assert two.asked("notifications/cancelled") == []


async def test_a_subscription_on_stdio_is_ended_by_its_cancellation() -> None:
    one = Toy("one", "add", version=MODERN)
    async with stdio(one) as client:
        await client.send(5, "subscriptions/listen", notifications={"toolsListChanged": True}, **META)
        assert (await client.next())["method"] == "notifications/subscriptions/acknowledged"
        await until(lambda: one.streams)
        await client.send(None, "notifications/cancelled", requestId=5)
        await until(lambda: not one.streams)
        assert said(await client.ask(6, "tools/call", name="one__add", arguments={}, **META)) == "one: add {}"


async def test_a_profile_is_all_that_its_client_gets() -> None:
    toys = Toy("one", "add", "sub"), Toy("two", "mul")
    async with stdio(*toys, profile="work", profiles={"work": {"servers": ["one"], "tools": ["one/add"]}}) as client:
        await client.begin()
        assert names(await client.ask(1, "tools/list")) == ["one__add"]
        assert is_denied(await client.ask(2, "tools/call", name="two__mul", arguments={}), "unknown")
        assert toys[1].got == []


async def test_bytes_that_are_no_message_are_answered_and_end_nothing() -> None:
    async with stdio(Toy("one", "add")) as client:
        for odd in (b"nonsense", b"{}", b"[]", b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":"x"}'):
            await within(client.duplex.accept(odd))
            assert "error" in await client.next()
        assert "result" in await client.begin()


async def test_progress_comes_before_the_answer_in_the_order_in_which_the_server_told_it() -> None:
    async def work(exchange: Exchange) -> None:
        await exchange.stream()
        token = exchange.json["params"]["_meta"]["progressToken"]
        for step in range(5):
            params = {"progressToken": token, "progress": step}
            await exchange.event({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
        await exchange.event({"jsonrpc": "2.0", "id": exchange.json["id"], "result": text("done")})

    async with stdio(Toy("one", "work", answers={"tools/call": work})) as client:
        await client.begin()
        await client.send(1, "tools/call", name="one__work", arguments={}, _meta={"progressToken": "t"})
        told = [await client.next() for _ in range(6)]
        assert [each["params"]["progress"] for each in told[:5]] == list(range(5))
        assert told[5]["id"] == 1


async def test_tidegate_run_stdio_serves_all_servers_and_ends_with_its_input(tmp_path: Path) -> None:
    async with Toy("one", "add") as one, Toy("two", "sub") as two:
        servers = {toy.name: toy.settings for toy in (one, two)}
        settings = write_settings(tmp_path / "tidegate.toml", servers, [], {"listen": "127.0.0.1:0"})
        process = await asyncio.create_subprocess_exec(
            *tidegate("run", "--stdio", settings, python=sys.executable),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(os.environ),
        )
        assert process.stdin is not None
        assert process.stdout is not None
        for tree in (
            {"id": 0, "method": "initialize", "params": INITIALIZE},
            {"method": "notifications/initialized"},
            {"id": 1, "method": "tools/list", "params": {}},
        ):
            process.stdin.write(encoded(tree) + b"\n")
        async with asyncio.timeout(PATIENCE * 3):
            while (found := json.loads(await process.stdout.readline())).get("id") != 1:
                pass
            assert names(found) == ["one__add", "two__sub"]
            process.stdin.close()
            assert await process.wait() == 0
