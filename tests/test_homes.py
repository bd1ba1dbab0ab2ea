"""Sessions and their instances: replaced where they end, told again what they knew, shared by those who may share."""

import asyncio
from pathlib import Path

import pytest

from support.mortal import CI, DEV, QUICK, house, modern, mortal
from support.pipes import HTTP, STDIO
from support.rig import Witness, encoded
from support.uncollected import uncollected
from support.web import until, within
from tidegate.breaker import Pauses
from tidegate.homes import Home
from tidegate.instances import Instance
from tidegate.pool import Pace


async def test_a_call_that_its_server_dies_of_fails_at_once_and_the_next_one_goes_to_a_new_server() -> None:
    async with house() as it:
        talk = await it.begun()
        before = (await talk.recall())["pid"]
        failed = await talk.call("die")
        assert failed["error"]["data"]["code"] == "unavailable"
        assert "ended with exit code 3" in failed["error"]["message"]
        assert failed["error"]["message"].endswith("is gone; the next call goes to a new one.")
        after = await talk.recall()
        assert after["pid"] != before
        assert after["calls"] == 1
        assert talk.live


async def test_a_new_server_is_told_what_the_old_one_knew_in_the_same_messages_and_order() -> None:
    async with house() as it:
        talk = await it.begun(roots={})
        await talk.say({"id": 2, "method": "logging/setLevel", "params": {"level": "debug"}})
        await talk.say({"id": 3, "method": "logging/setLevel", "params": {"level": "error"}})
        for number, uri in enumerate(("a:1", "a:2", "a:1")):
            method = "resources/unsubscribe" if number == 2 else "resources/subscribe"
            await talk.say({"id": 4 + number, "method": method, "params": {"uri": uri}})
        knew = (await talk.recall())["told"]
        await talk.call("die")
        assert (await talk.recall())["told"] == [knew[0], knew[1], knew[3], knew[5]]


async def test_the_replies_to_what_is_told_again_reach_nobody() -> None:
    witness = Witness()
    async with house(witness.entry()) as it:
        talk = await it.begun()
        await talk.call("die")
        judged = len(witness.decided)
        said = await talk.say({"id": 9, "method": "tools/call", "params": {"name": "recall", "arguments": {}}})
        assert len(said) == 1
        assert [message.method for message in witness.decided[judged:]] == ["tools/call", "tools/call"]
    notes = [record.note for record in witness.recorded if record.event == "instance"]
    assert "told again what the session had told it, in 2 messages" in notes


async def test_a_session_ends_where_the_new_server_speaks_another_version(tmp_path: Path) -> None:
    agreed = tmp_path / "version"
    agreed.write_text("2025-11-25")
    async with house(server=mortal(str(agreed))) as it:
        talk = await it.begun()
        agreed.write_text("2025-06-18")
        await talk.call("die")
        assert "another protocol version" in (await talk.call())["error"]["message"]
        assert not talk.live


async def test_a_server_that_refuses_to_begin_anew_is_tried_again(tmp_path: Path) -> None:
    agreed = tmp_path / "version"
    agreed.write_text("2025-11-25")
    async with house(server=mortal(str(agreed))) as it:
        talk = await it.begun()
        agreed.write_text("none")
        await talk.call("die")
        assert "refuses to begin the session anew" in (await talk.call())["error"]["message"]
        agreed.write_text("2025-11-25")
        assert (await talk.recall())["calls"] == 1
        assert talk.live


async def test_all_calls_that_a_server_dies_of_fail_and_each_once() -> None:
    async with house() as it:
        talk = await it.begun()
        pending = [asyncio.create_task(talk.call("mute")) for _ in range(5)]
        await until(lambda: len(talk.relay.requests) == 5)
        failed = [await talk.call("die"), *await asyncio.gather(*pending)]
        assert all("exit code 3" in each["error"]["message"] for each in failed)
        assert len(talk.relay.requests) == 0


async def test_a_session_whose_servers_end_again_and_again_is_told_when_it_is_tried_again() -> None:
    slow = Pace(early=60.0, pauses=Pauses(first=0.001, opens=3, longest=60.0))
    async with house(pace=slow) as it:
        talk, other = await it.begun(), await it.begun()
        for _ in range(3):
            assert "exit code 3" in (await talk.call("die"))["error"]["message"]
        said = (await talk.call())["error"]["message"]
        assert said.endswith("exit code 3. It fails again and again, and is tried again in 1 second.")
        assert (await other.recall())["calls"] == 1, "others needn't suffer"


async def test_a_hanging_server_is_found_out_by_a_late_call_and_replaced() -> None:
    async with house(server=mortal(call_timeout=0.2), pace=QUICK) as it:
        talk = await it.begun()
        assert (await talk.call("hang"))["error"]["data"]["code"] == "overdue"
        before = it.pids
        await until(lambda: not it.pids)
        assert (await talk.recall())["pid"] not in before


async def test_a_server_that_is_late_but_lives_stays() -> None:
    async with house(server=mortal(call_timeout=0.2)) as it:
        talk = await it.begun()
        before = it.pids
        assert (await talk.call("mute"))["error"]["data"]["code"] == "overdue"
        assert (await talk.recall())["pid"] in before


@pytest.mark.requirement("instances-apart")
async def test_a_reply_to_what_an_ended_server_asked_goes_to_nobody() -> None:
    async with house() as it:
        talk = await it.begun()
        asking = asyncio.create_task(talk.say(_call(7, "ask")))
        await until(lambda: len(talk.relay.asked) == 1)
        [running] = it.sessions.fleet.pool("server").running
        running.instance.fail("It was ended.")
        assert "It was ended." in (await asking)[-1]["error"]["message"]
        await talk.recall()
        [refused] = await talk.say({"id": 1, "result": {}})
        assert refused["error"]["data"]["code"] == "unsolicited"
        assert all(method != "" for method, _ in (await talk.recall())["told"])


# -- idle ---------------------------------------------------------------------------------------------------------


async def test_an_idle_instance_is_stopped_and_comes_back_with_the_next_call() -> None:
    async with house(server=mortal(idle_timeout=0.1)) as it:
        talk = await it.begun()
        knew = await talk.recall()
        await until(lambda: not it.pids)
        assert talk.live
        after = await talk.recall()
        assert after["pid"] != knew["pid"]
        assert after["told"] == knew["told"]


async def test_an_instance_that_was_asked_for_updates_is_not_idle() -> None:
    async with house(server=mortal(idle_timeout=0.1)) as it:
        talk, quiet = await it.begun(), await it.begun()
        await talk.say({"id": 2, "method": "resources/subscribe", "params": {"uri": "a:1"}})
        assert (await quiet.recall())["pid"]
        await until(lambda: len(it.pids) == 1)
        assert (await talk.recall())["calls"] == 1


async def test_an_idle_instance_that_does_not_answer_a_ping_is_ended(tmp_path: Path) -> None:
    eager = Pace(ping_every=0.05, ping_within=0.2, early=0.0)
    async with house(server=mortal(), pace=eager) as it:
        talk = await it.begun()
        await talk.recall()
        [running] = it.sessions.fleet.pool("server").running
        stopping = asyncio.create_task(talk.call("hang"))
        await until(lambda: not running.instance.idle)
        stopping.cancel()
        await asyncio.wait((stopping,))
        running.instance.forget(next(iter(running.instance.awaited)).request)
        await until(lambda: not it.pids)
        assert (await talk.recall())["calls"] == 1


async def test_sessions_whose_clients_vanished_free_their_instances() -> None:
    async with house(proxy={"idle_timeout": 1.5}) as it:
        for _ in range(3):
            await it.begun()
        assert len(it.pids) == 3
        await until(lambda: not it.pids and len(it.sessions) == 0)


# -- shared -------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("instances-apart")
@pytest.mark.parametrize(("share", "apart"), [("session", 4), ("principal", 2), ("all", 1), ("call", 4)])
async def test_sessions_share_an_instance_as_the_settings_say(share: str, apart: int) -> None:
    async with house(server=mortal(share=share)) as it:
        talks = [await it.begun(principal) for principal in (CI, CI, DEV, DEV)]
        for talk in talks:
            await talk.say({"id": 1, "method": "tools/list"})
        assert len(it.pids) == apart


async def test_a_session_that_shares_is_told_what_the_server_told_the_first_one_and_that_is_judged() -> None:
    witness = Witness()
    async with house(witness.entry(), server=mortal(share="principal")) as it:
        first, second = it.session(), it.session()
        one, two = await first.begin("a"), await second.begin("b")
        assert (one["id"], two["id"]) == ("a", "b")
        assert one["result"] == two["result"]
        told = (await second.recall())["told"]
        assert [method for method, _ in told] == ["initialize", "notifications/initialized"]
    begun = [message.kind for message in witness.decided if message.method == "initialize"]
    assert begun == ["request", "result", "request", "result"]


async def test_sessions_that_begin_at_once_begin_one_server() -> None:
    async with house(server=mortal(share="principal")) as it:
        talks = [it.session() for _ in range(8)]
        said = await asyncio.gather(*(talk.begin(number) for number, talk in enumerate(talks)))
        assert [each["id"] for each in said] == list(range(8))
        assert len({each["result"]["by"] for each in said}) == 1


async def test_a_session_that_opens_differently_has_another_instance() -> None:
    async with house(server=mortal(share="all")) as it:
        one, two, three = await it.begun(), await it.begun(sampling={}), await it.begun()
        pids = [(await talk.recall())["pid"] for talk in (one, two, three)]
        assert pids[0] == pids[2] != pids[1]


@pytest.mark.requirement("instances-apart")
async def test_calls_of_sessions_that_share_meet_under_the_same_ids_and_each_gets_its_own_answer() -> None:
    async with house(server=mortal(share="all")) as it:
        talks = [await it.begun(principal) for principal in (CI, DEV)]
        said = await asyncio.gather(*(talk.call("recall", 5, _meta={"progressToken": 5}) for talk in talks))
        assert [each["id"] for each in said] == [5, 5]


async def test_what_a_shared_server_says_by_itself_reaches_all_who_share_it() -> None:
    async with house(server=mortal(share="principal")) as it:
        talks = [await it.begun() for _ in range(3)]
        other = await it.begun(DEV)
        await talks[0].call("change")
        for talk in talks:
            reply = await talk.relay.listen(None, HTTP)
            assert reply.events is not None
            assert b"list_changed" in ((await within(anext(reply.events))).data or b"")
            await reply.events.aclose()
        assert not other.session.source.own._events  # type: ignore[union-attr]  # it has one


@pytest.mark.requirement("instances-apart")
async def test_what_a_shared_server_asks_goes_to_the_client_it_works_for() -> None:
    async with house(server=mortal(share="all")) as it:
        one, two = await it.begun(CI), await it.begun(DEV)
        reply = await two.relay.accept(_bytes(_call(3, "ask")), HTTP)
        assert reply.events is not None
        asked = (await within(anext(reply.events))).data
        assert asked is not None
        assert b"sampling/createMessage" in asked
        [refused] = await one.say({"id": 1, "result": {"from": "one"}})
        assert refused["error"]["data"]["code"] == "unsolicited"
        [refused] = await one.say({"method": "notifications/progress", "params": {"progressToken": 1, "progress": 1}})
        assert refused["error"]["data"]["code"] == "unsolicited"
        await two.say({"method": "notifications/progress", "params": {"progressToken": 1, "progress": 1}})
        await two.say({"id": 1, "result": {"from": "two"}})
        answer = (await within(anext(reply.events))).data
        assert answer is not None
        assert b'"from":"two"' in answer
        assert b"progressToken" in answer
        assert b'"from":"one"' not in answer


@pytest.mark.requirement("instances-apart")
async def test_a_session_that_shares_cancels_its_own_calls_only() -> None:
    async with house(server=mortal(share="all")) as it:
        one, two = await it.begun(CI), await it.begun(DEV)
        waiting = asyncio.create_task(two.call("mute", 1))
        await until(lambda: len(two.relay.requests) == 1)
        [running] = it.sessions.fleet.pool("server").running
        await until(lambda: not running.instance.idle)
        minted = next(iter(running.instance.awaited)).request.id
        await one.say({"method": "notifications/cancelled", "params": {"requestId": minted}})
        await two.say({"method": "notifications/cancelled", "params": {"requestId": 1}})
        cancelled = [params["requestId"] for method, params in (await one.recall())["told"][2:]]
        assert cancelled[0] != minted
        assert cancelled[1] == minted
        waiting.cancel()
        await asyncio.wait((waiting,))


async def test_a_shared_server_that_died_is_begun_again_once_for_all() -> None:
    async with house(server=mortal(share="principal")) as it:
        one, two = await it.begun(), await it.begun()
        await one.call("die")
        first, second = await asyncio.gather(one.recall(), two.recall())
        assert first["pid"] == second["pid"]
        assert [method for method, _ in second["told"]] == ["initialize", "notifications/initialized"]


async def test_a_shared_instance_ends_with_its_last_session() -> None:
    async with house(server=mortal(share="principal")) as it:
        one, two = await it.begun(), await it.begun()
        await one.leave()
        assert (await two.recall())["calls"] == 1
        await two.leave()
        assert not it.pids
        assert not it.sessions.fleet.homes


async def test_a_client_that_leaves_while_it_begins_a_shared_server_spoils_it_for_nobody(tmp_path: Path) -> None:
    agreed = tmp_path / "version"
    agreed.write_text("silent")
    async with house(server=mortal(str(agreed), share="principal")) as it:
        one, two = it.session(), it.session()
        beginning = asyncio.create_task(one.begin())
        await until(lambda: [running for running in it.sessions.fleet.pool("server").running if running.instance.calls])
        agreed.write_text("2025-11-25")
        beginning.cancel()
        await asyncio.wait((beginning,))
        assert "result" in await two.begin()


async def test_a_message_before_the_session_has_begun_starts_nothing_that_is_shared() -> None:
    async with house(server=mortal(share="principal")) as it:
        talk = it.session()
        assert "send initialize first" in (await talk.call())["error"]["message"]
        assert not it.pids


async def test_clients_without_sessions_share_per_principal_or_all() -> None:
    for share, apart in (("session", 2), ("principal", 2), ("all", 1)):
        async with house(server=mortal(share=share)) as it:
            for principal in (CI, DEV, CI):
                [said] = await it.stateless(principal).say(modern())
                assert "result" in said
            assert len(it.pids) == apart


async def test_a_client_that_begins_twice_on_one_stream_begins_twice_at_the_server() -> None:
    async with house() as it:
        talk = await it.begun()
        await talk.begin(1)
        assert [method for method, _ in (await talk.recall())["told"]].count("initialize") == 2
        await talk.call("die")
        assert [method for method, _ in (await talk.recall())["told"]].count("initialize") == 1
        assert await talk.say({"method": "notifications/x"}, STDIO) == []


async def test_an_ended_session_is_forgotten_without_the_collector() -> None:
    async with house() as it:
        with uncollected(Home, Instance) as left:
            talk = await it.begun()
            await talk.recall()
            assert left() == 2
            await talk.leave()
            del talk
            await until(lambda: not left())


def _call(identity: int, name: str) -> dict[str, object]:
    return {"id": identity, "method": "tools/call", "params": {"name": name, "arguments": {}}}


def _bytes(tree: dict[str, object]) -> bytes:
    return encoded(tree)
