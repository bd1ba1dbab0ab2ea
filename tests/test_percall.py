"""An instance for every call: no call meets another's, and what servers ask is told apart."""

import asyncio
import json
import time
from typing import Any

import pytest

from support.mortal import CI, Talk, house, modern, mortal
from support.pipes import HTTP
from support.rig import Witness, encoded
from support.web import until, within
from tidegate.instances import Instance
from tidegate.percall import MAX_ASKED, Asks
from tidegate.testing import notification, request, result_of

CALL = mortal(share="call")


def asking(name: str, identity: int) -> dict[str, Any]:
    return {"id": identity, "method": "tools/call", "params": {"name": name, "arguments": {}}}


async def ask(talk: Talk, identity: int) -> tuple[Any, Any]:
    """Call a tool that asks the client something; return the stream of its answer, and what was asked."""
    reply = await talk.relay.accept(encoded(asking("ask", identity)), HTTP)
    assert reply.events is not None
    asked = (await within(anext(reply.events))).data
    return reply.events, json.loads(asked or b"")


async def rest(events: Any) -> Any:
    return [json.loads(out.data) async for out in events][-1]


async def test_each_call_has_a_server_of_its_own_that_knows_of_its_session_only_how_it_began() -> None:
    async with house(server=CALL) as it:
        talk = await it.begun(roots={})
        await talk.say({"id": 2, "method": "logging/setLevel", "params": {"level": "debug"}})
        await talk.say({"id": 3, "method": "resources/subscribe", "params": {"uri": "a:1"}})
        knew = [await talk.recall() for _ in range(3)]
        assert len({each["pid"] for each in knew}) == 3
        assert all(each["calls"] == 1 for each in knew)
        methods = [method for method, _ in knew[2]["told"]]
        assert methods == ["initialize", "notifications/initialized", "logging/setLevel"]
        await until(lambda: len(it.pids) == 1)


async def test_what_isnt_a_call_goes_to_the_sessions_own_server() -> None:
    async with house(server=CALL) as it:
        talk = await it.begun()
        said = [(await talk.say({"id": number, "method": "tools/list"}))[0] for number in range(3)]
        assert len({each["result"]["by"] for each in said}) == 1
        assert (await talk.recall())["pid"] != said[0]["result"]["by"]


async def test_calls_at_once_have_servers_of_their_own() -> None:
    async with house(server=CALL) as it:
        talk = await it.begun()
        said = await asyncio.gather(*(talk.recall() for _ in range(6)))
        assert len({each["pid"] for each in said}) == 6


async def test_a_call_that_kills_its_server_costs_nobody_else_anything() -> None:
    async with house(server=CALL) as it:
        talk = await it.begun()
        pending = asyncio.create_task(talk.call("mute", 1))
        failed = await talk.call("die")
        assert "exit code 3" in failed["error"]["message"]
        assert (await talk.recall())["calls"] == 1
        assert not pending.done()
        pending.cancel()
        await asyncio.wait((pending,))


@pytest.mark.requirement("instances-apart")
async def test_what_the_servers_of_two_calls_ask_is_told_apart_though_both_count_from_one() -> None:
    witness = Witness()
    async with house(witness.entry(), server=CALL) as it:
        talk = await it.begun()
        (one, first), (two, second) = await ask(talk, 1), await ask(talk, 2)
        assert first["id"] != second["id"]
        token = second["params"]["_meta"]["progressToken"]
        await talk.say({"method": "notifications/progress", "params": {"progressToken": token, "progress": 1}})
        await talk.say({"id": second["id"], "result": {"to": "two"}})
        await talk.say({"id": first["id"], "result": {"to": "one"}})
        heard = [(await rest(events))["result"]["heard"] for events in (one, two)]
        assert heard[0] == [{"jsonrpc": "2.0", "id": 1, "result": {"to": "one"}}]
        assert heard[1][0]["params"] == {"progressToken": 1, "progress": 1}
        assert heard[1][1] == {"jsonrpc": "2.0", "id": 1, "result": {"to": "two"}}
    judged = [message.encoded for message in witness.decided if message.kind == "result" and message.sender == "client"]
    assert [json.loads(data)["id"] for data in judged] == [1, 1], "what is judged is what is sent"


async def test_a_reply_to_a_server_that_has_gone_reaches_no_other() -> None:
    async with house(server=CALL) as it:
        talk = await it.begun()
        events, asked = await ask(talk, 1)
        [running] = [one for one in it.sessions.fleet.pool("server").running if one.user is None]
        running.instance.fail("It was ended.")
        assert "It was ended." in (await rest(events))["error"]["message"]
        assert await talk.say({"id": asked["id"], "result": {}}) == []
        assert (await talk.recall())["calls"] == 1


@pytest.mark.parametrize("whole", [False, True])
async def test_a_call_is_cancelled_where_it_runs(whole: bool) -> None:  # noqa: FBT001 - pytest's
    async with house(server=CALL) as it:
        talk = await it.begun()
        waiting = asyncio.create_task(talk.call("mute", 7))
        pool = it.sessions.fleet.pool("server")
        await until(lambda: [one for one in pool.running if one.user is None and one.instance.calls == 3])
        [running] = [one for one in pool.running if one.user is None]
        if whole:
            waiting.cancel()
            await asyncio.wait((waiting,))
        await talk.say({"method": "notifications/cancelled", "params": {"requestId": 7}})
        assert (running.instance.calls, running.instance.gone.is_set()) == (4, False)
        await talk.leave()
        assert running.done.is_set()
        waiting.cancel()
        await asyncio.wait((waiting,))


async def test_an_answer_whose_client_left_may_still_be_had_and_its_server_ends_then() -> None:
    async with house(server=CALL) as it:
        talk = await it.begun()
        events, asked = await ask(talk, 4)
        await events.aclose()
        [running] = [one for one in it.sessions.fleet.pool("server").running if one.user is None]
        assert running.instance.ended is None
        await talk.say({"id": asked["id"], "result": {}})
        own = await talk.relay.listen(None, HTTP)
        assert own.events is not None
        assert json.loads((await within(anext(own.events))).data or b"")["id"] == 4
        await until(running.done.is_set)
        await own.events.aclose()


async def test_a_client_without_sessions_that_leaves_ends_its_call() -> None:
    async with house(server=CALL) as it:
        talk = it.stateless()
        waiting = asyncio.create_task(talk.say(modern("mute")))
        await until(lambda: [one for one in it.sessions.fleet.pool("server").running if one.instance.calls])
        waiting.cancel()
        await asyncio.wait((waiting,))
        await until(lambda: not it.pids)


async def test_a_call_nobody_answers_gives_its_server_back_in_the_end() -> None:
    async with house(server=mortal(share="call", call_timeout=0.3)) as it:
        talk = await it.begun()
        assert (await talk.call("mute"))["error"]["data"]["code"] == "overdue"
        await until(lambda: len(it.pids) == 1)


async def test_a_call_with_instances_kept_ready_waits_for_no_start() -> None:
    async with house(server=mortal(share="call", warm=2)) as it:
        it.sessions.fleet.fill()
        await until(lambda: it.states().count("ready") == 2)
        talk = await it.begun()
        took = []
        for _ in range(5):
            await until(lambda: it.states().count("ready") == 2)
            begun = time.monotonic()
            await talk.recall()
            took.append(time.monotonic() - begun)
        assert min(took) < 0.05
        assert talk.principal is CI


# -- what servers ask, by itself -----------------------------------------------------------------------------------


def instance() -> Instance:
    """Return something that is an instance, and nothing more."""
    return Instance.__new__(Instance)


def test_a_minted_id_has_the_type_of_the_servers_own() -> None:
    asks, one = Asks(), instance()
    one.remap = None
    for identity in (1, "one"):
        minted = asks.over(one)(request("roots/list", id=identity, sender="server"))
        assert type(minted.id) is type(identity)
        back, to = asks.outward(result_of(minted, {}))
        assert back.id == identity
        assert to is one


def test_a_servers_cancelling_is_about_its_own_request() -> None:
    asks, one, two = Asks(), instance(), instance()
    one.remap = two.remap = None
    asked = [asks.over(each)(request("roots/list", id=1, sender="server")) for each in (one, two)]
    gone = notification("notifications/cancelled", {"requestId": 1}, sender="server")
    assert [asks.over(each)(gone).get("/params/requestId") for each in (one, two)] == [each.id for each in asked]
    unknown = notification("notifications/cancelled", {"requestId": 2}, sender="server")
    assert asks.over(one)(unknown) is unknown


def test_what_is_asked_and_never_answered_is_bounded_and_goes_with_its_server() -> None:
    asks, one, two = Asks(), instance(), instance()
    one.remap = two.remap = None
    first = asks.over(one)(request("roots/list", {"_meta": {"progressToken": 1}}, id=1, sender="server"))
    for number in range(MAX_ASKED):
        last = asks.over(two)(request("roots/list", id=number, sender="server"))
    assert asks.outward(result_of(first, {}))[1] is None
    asks.forget(two)
    assert asks.outward(result_of(last, {}))[1] is None
    assert not asks._open
    assert not asks._tokens
