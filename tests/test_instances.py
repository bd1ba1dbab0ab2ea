"""One server behind one pipe: what it says finds the request it belongs to, and what belongs to none its own stream."""

import asyncio
from typing import Any

import pytest

from support.clock import fast
from support.pipes import HTTP, STDIO, MemoryPipe, Rig, relaying, told
from support.web import until, within
from tidegate.ends.pipe import PipeError
from tidegate.instances import Instance
from tidegate.methods import MODERN, SUBSCRIPTION_KEY, VERSION_KEY
from tidegate.piped import SETTLE
from tidegate.upstream import Unavailable
from tidegate.wire import Limits, Rejected

META = {VERSION_KEY: MODERN}


def call(identity: Any, **meta: Any) -> dict[str, Any]:
    return {"id": identity, "method": "tools/call", "params": {"name": "add", "_meta": {**META, **meta}}}


def listen(identity: Any) -> dict[str, Any]:
    return {"id": identity, "method": "subscriptions/listen", "params": {"_meta": META, "notifications": {}}}


async def drained(rig: Rig) -> list[Any]:
    rig.pipe.end()
    return [message async for message in rig.own()]


async def test_a_log_message_belongs_to_the_request_the_server_got_last() -> None:
    async with relaying() as rig:
        subscription = rig.ask(listen("l"))
        listening = await rig.pipe.next()
        asked = [rig.ask(call(name)) for name in ("a", "b")]
        got = [await rig.pipe.next() for _ in asked]
        rig.pipe.say({"method": "notifications/message", "params": {"data": "for b"}})
        rig.pipe.result(got[1], "b")
        rig.pipe.say({"method": "notifications/message", "params": {"data": "for a"}})
        rig.pipe.result(got[0], "a")
        rig.pipe.say({"method": "notifications/message", "params": {"data": "for nobody"}})
        assert [len(await task) for task in asked] == [2, 2]
        rig.pipe.result(listening, {})
        assert len(await subscription) == 1, "a subscription gets what is tagged as its own, and nothing else"
        assert [message["params"]["data"] for message in await drained(rig)] == ["for nobody"]


async def test_a_list_change_belongs_to_no_request() -> None:
    async with relaying() as rig:
        asked = rig.ask(call("a"))
        got = await rig.pipe.next()
        rig.pipe.say({"method": "notifications/tools/list_changed"})
        rig.pipe.result(got, "a")
        assert len(await asked) == 1
        assert [message["method"] for message in await drained(rig)] == ["notifications/tools/list_changed"]


async def test_a_tag_nobody_has_belongs_to_no_request() -> None:
    async with relaying(shared=True) as rig:
        asked = rig.ask(call("a"), HTTP)
        got = await rig.pipe.next()
        rig.pipe.say({"method": "notifications/message", "params": {"_meta": {SUBSCRIPTION_KEY: "other"}}})
        rig.pipe.say({"method": "notifications/progress", "params": {"progressToken": "other", "progress": 1}})
        rig.pipe.result(got, "a")
        assert len(await asked) == 1


@pytest.mark.parametrize("code", [-32601, -32602, -32020, -32021, -32022, -32603, 5])
async def test_an_error_has_the_http_status_of_its_era(code: int) -> None:
    expected = {-32601: 404, -32602: 400, -32020: 400, -32021: 400, -32022: 400}.get(code, 200)
    for meta, status in ((META, expected), ({}, 200)):
        async with relaying() as rig:
            asking = asyncio.create_task(rig.accept({"id": 1, "method": "x/y", "params": {"_meta": meta}}, HTTP))
            await rig.pipe.next()
            rig.pipe.say({"id": 1, "error": {"code": code, "message": "m"}})
            assert (await asking).status == status


def test_a_slow_answer_becomes_a_stream_that_can_be_kept_alive() -> None:
    async def slow() -> None:
        async with relaying(call_timeout=600.0) as rig:
            asking = asyncio.create_task(rig.relay.accept(b'{"jsonrpc":"2.0","id":1,"method":"x/y"}', HTTP))
            loop = asyncio.get_running_loop()
            begun = loop.time()
            reply = await asking
            assert SETTLE <= loop.time() - begun < SETTLE + 5
            assert reply.events is not None
            rig.pipe.result({"id": 1}, "late but well")
            assert (await told(reply))[0]["result"] == "late but well"

    fast(slow())


def test_a_stream_that_falls_silent_is_overdue() -> None:
    async def silent() -> None:
        async with relaying(call_timeout=600.0) as rig:
            loop = asyncio.get_running_loop()
            reply = await rig.relay.accept(b'{"jsonrpc":"2.0","id":1,"method":"x/y"}', HTTP)
            begun = loop.time()
            assert reply.events is not None
            out = [item async for item in reply.events]
            assert 585 < loop.time() - begun < 605
            assert b'"overdue"' in (out[0].data or b"")

    fast(silent())


def test_a_subscription_may_be_silent_for_hours() -> None:
    async def quiet() -> None:
        async with relaying(call_timeout=600.0) as rig:
            asking = asyncio.create_task(
                rig.relay.accept(b'{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen"}', HTTP)
            )
            reply = await asking
            assert reply.events is not None
            reading = asyncio.ensure_future(anext(reply.events))
            await asyncio.sleep(7200)  # sleep: two hours of a clock that jumps
            assert not reading.done()
            rig.pipe.result({"id": 1}, {})
            assert b'"result"' in ((await reading).data or b"")

    fast(quiet())


async def test_a_reply_that_nobody_waits_for_any_more_may_be_had_from_the_servers_own_stream() -> None:
    """A client of 2025-11-25 whose connection broke asks for its answer on the stream it resumes."""
    async with relaying() as rig:
        asking = asyncio.create_task(rig.accept({"id": 7, "method": "tools/call", "params": {"name": "a"}}, HTTP))
        got = await rig.pipe.next()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        rig.pipe.result(got, "late")
        own = rig.own()
        assert await within(anext(own)) == {"jsonrpc": "2.0", "id": 7, "result": "late"}
        assert len(rig.relay.requests) == 0
        await own.aclose()  # type: ignore[attr-defined]  # an async generator


async def test_the_own_stream_is_resumed_after_the_event_seen_last() -> None:
    async with relaying() as rig:
        for number in range(5):
            rig.pipe.say({"method": "notifications/message", "params": {"data": number}})
        reply = await rig.relay.listen(None, STDIO)
        assert reply.events is not None
        got = [await within(anext(reply.events)) for _ in range(4)]
        await reply.events.aclose()
        again = await rig.relay.listen(got[1].id, STDIO)
        assert again.events is not None
        assert [(await within(anext(again.events))).id for _ in range(3)] == ["3", "4", "5"]
        await again.events.aclose()


async def test_a_server_that_cant_start_is_unavailable() -> None:
    class Broken(MemoryPipe):
        async def start(self) -> None:
            raise PipeError("It can't be started: no such file.")

    async def refused(_refused: Rejected) -> None: ...

    instance = Instance(Broken(), Limits, None, str, refused)
    with pytest.raises(Unavailable, match="no such file"):
        await instance.start()
    await instance.close()


async def test_a_closed_instance_has_closed_its_pipe_and_ended_who_waited() -> None:
    async with relaying() as rig:
        asked = rig.ask(call("a"))
        await rig.pipe.next()
        await rig.instance.close()
        await rig.instance.close()
        assert rig.pipe.closed
        assert (await asked)[0]["error"]["data"]["code"] == "unavailable"
        assert rig.instance.gone.is_set()
        assert rig.instance.idle


async def test_a_flood_on_one_answer_waits_for_its_reader_and_loses_nothing() -> None:
    async with relaying() as rig:
        asking = asyncio.create_task(rig.accept(call("a", progressToken="p"), HTTP))
        got = await rig.pipe.next()
        for number in range(6000):
            rig.pipe.say({"method": "notifications/progress", "params": {"progressToken": "p", "progress": number}})
        rig.pipe.result(got, "done")
        reply = await asking
        await until(lambda: rig.pipe._said.qsize() < 6000)
        found = await told(reply)
        assert [message["params"]["progress"] for message in found[:-1]] == list(range(6000))
        assert found[-1]["result"] == "done"


async def test_a_flood_on_a_shared_instance_costs_the_flooded_client_alone() -> None:
    async with relaying(shared=True) as rig:
        slow = asyncio.create_task(rig.accept(call("slow", progressToken="p"), HTTP))
        got = await rig.pipe.next()
        token = got["params"]["_meta"]["progressToken"]
        for number in range(6000):
            rig.pipe.say({"method": "notifications/progress", "params": {"progressToken": token, "progress": number}})
        other = rig.ask(call("quick"), HTTP)
        rig.pipe.result(await rig.pipe.next(), "quick")
        assert (await other)[0]["result"] == "quick"
        found = await told(await slow)
        assert found[-1]["error"]["data"]["code"] == "unavailable"
        assert "too slowly" in found[-1]["error"]["message"]
