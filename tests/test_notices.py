"""Lists that an interceptor makes others: clients are told where they listen, and where their server may tell them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from support.gateways import CI, DEV, HTTP, gateway
from support.pipes import Rig, call, relaying
from support.rig import Entry, Witness, entry
from support.toys import Toy
from support.web import until, within
from tidegate import methods
from tidegate.methods import MODERN, SUBSCRIPTION_KEY, VERSION_KEY
from tidegate.streams import Out, Outs

LEGACY = methods.V2025_11
Tell = Callable[[str, list[str]], None]


class Changing:
    """An interceptor that is told to say that lists have changed."""

    def __init__(self) -> None:
        self.tell: Tell = lambda _server, _kinds: None

    def entry(self) -> Entry:
        return entry(startup=self._begin)

    def _begin(self, proxy: Any) -> None:
        self.tell = proxy.lists_changed


@asynccontextmanager
async def before(*entries: Entry, able: dict[str, Any]) -> AsyncIterator[tuple[Rig, Tell]]:
    """A session with a server that has said what it can."""
    changing = Changing()
    async with relaying(changing.entry(), *entries) as rig:
        rig.relay.core.changes.hear(rig.relay.lists_changed)
        asked = rig.ask({"id": 0, "method": "initialize", "params": {"protocolVersion": LEGACY}})
        result = {"protocolVersion": LEGACY, "capabilities": able}
        rig.pipe.result(await rig.pipe.next(), result)
        await asked
        yield rig, changing.tell


async def test_a_client_hears_of_the_lists_whose_changes_its_server_tells_and_of_no_others() -> None:
    witness = Witness()
    able = {"tools": {"listChanged": True}, "prompts": {"listChanged": False}, "resources": {}}
    async with before(witness.entry(), able=able) as (rig, tell):
        reading = asyncio.ensure_future(anext(rig.own()))
        await until(lambda: rig.relay.notices._open)
        tell("another", ["tools"])
        tell("server", ["prompts", "resources", "odd", "tools"])
        assert await within(reading) == {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
        assert [verdict for verdict in witness.verdicts() if verdict[0] == "notification"] == [
            ("notification", "notifications/tools/list_changed", "allow")
        ]


async def test_what_is_told_twice_before_it_is_read_is_heard_once_and_what_the_server_says_is_heard_too() -> None:
    async with before(able={"tools": {"listChanged": True}}) as (rig, tell):
        own = rig.own()
        reading = asyncio.ensure_future(anext(own))
        await until(lambda: rig.relay.notices._open)
        tell("server", ["tools"])
        tell("server", ["tools"])
        rig.pipe.say({"method": "notifications/resources/list_changed"})
        said = [await within(reading), await within(anext(own))]
        assert sorted(each["method"] for each in said) == [
            "notifications/resources/list_changed",
            "notifications/tools/list_changed",
        ]
        rig.pipe.end()
        assert [each async for each in own] == []


async def test_a_client_without_a_session_hears_what_was_acknowledged_under_its_own_id() -> None:
    changing = Changing()
    meta = {VERSION_KEY: MODERN}
    async with relaying(changing.entry(), shared=True) as rig:
        rig.relay.core.changes.hear(rig.relay.lists_changed)
        wanted = {"toolsListChanged": True, "promptsListChanged": True}
        params = {"_meta": meta, "notifications": wanted}
        asked = rig.ask({"id": "mine", "method": "subscriptions/listen", "params": params})
        got = await rig.pipe.next()
        tag = {SUBSCRIPTION_KEY: got["id"]}
        agreed = {"notifications": {"toolsListChanged": True}, "_meta": tag}
        rig.pipe.say({"method": "notifications/subscriptions/acknowledged", "params": agreed})
        other = rig.ask(call("other", _meta=meta))
        rig.pipe.result(await rig.pipe.next(), {"content": []})  # what came before it is read
        await other
        changing.tell("server", ["tools", "prompts"])
        rig.pipe.result(got, {"resultType": "complete", "_meta": tag})
        acknowledged, changed, result = await asked
        assert acknowledged["method"] == "notifications/subscriptions/acknowledged"
        assert changed["method"] == "notifications/tools/list_changed"
        assert changed["params"]["_meta"] == {SUBSCRIPTION_KEY: "mine"}
        assert result["id"] == "mine"


async def test_a_stream_that_is_closed_leaves_nothing_behind() -> None:
    async with before(able={"tools": {"listChanged": True}}) as (rig, _):
        closed = []

        async def endless() -> Outs:
            try:
                yield Out(b"1")
                await asyncio.Event().wait()
            finally:
                closed.append(True)

        stream = rig.relay.notices.among(endless())
        assert [await anext(stream), await anext(stream)] == [Out(None), Out(b"1")]
        reading = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait((reading,))
        await stream.aclose()
        assert (closed, rig.relay.notices._open) == ([True], set())


@pytest.mark.parametrize("version", [LEGACY, MODERN])
async def test_clients_of_the_gateway_hear_it_where_they_are_served_that_server(version: str) -> None:
    changing = Changing()
    toys = [Toy("one", "add"), Toy("two", "add")]
    profiles = {"rest": {"servers": ["two"]}}
    async with gateway(changing.entry(), toys=toys, profiles=profiles) as made:
        talks = [await made.client(version, CI), await made.client(version, DEV, "rest")]
        if version == MODERN:
            wanted = {"toolsListChanged": True}
            replies = [
                await talk.accept(talk.request("subscriptions/listen", 7, notifications=wanted)) for talk in talks
            ]
            streams = [talk.streamed(reply) for talk, reply in zip(talks, replies, strict=True)]
            for stream in streams:
                await within(anext(stream))
        for talk in talks:
            await talk.listed()
        changing.tell("one", ["tools"])
        assert "tools" not in talks[0].front.lists.fresh
        assert "tools" in talks[1].front.lists.fresh
        heard = await (within(anext(streams[0])) if version == MODERN else talks[0].own())
        assert heard["method"] == "notifications/tools/list_changed"
        if version == MODERN:
            for reply in replies:
                assert reply.events is not None
                await reply.events.aclose()


async def test_a_client_at_a_servers_own_address_hears_it_too() -> None:
    changing = Changing()
    toy = Toy("one", "add")
    async with gateway(changing.entry(), toys=[toy]) as made:
        entry_of_it = made.sessions.new("one", CI)
        params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
        with entry_of_it as relay:
            tree = b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":%s}'
            await relay.accept(tree % str(params).replace("'", '"').encode(), HTTP)
            made.sessions.register("one", entry_of_it)
            reply = await relay.listen(None, HTTP)
        assert reply.events is not None
        reading = asyncio.ensure_future(anext(reply.events))
        changing.tell("one", ["tools"])
        out = await within(reading)  # it is the first that is written
        assert out.message is not None
        assert out.message.method == "notifications/tools/list_changed"
        await reply.events.aclose()
