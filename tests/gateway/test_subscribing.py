"""One stream of what many servers tell of changes, for clients of 2026-07-28."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from support.gateways import CI, DEV, Gateway, Talk, gateway, said
from support.pipes import is_denied
from support.rig import Witness, entry
from support.toys import Toy
from support.web import Exchange, until, within
from tidegate import Decision, Flow, methods
from tidegate.gateway.subscribing import _MOST

MODERN = methods.MODERN
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
UPDATED = "notifications/resources/updated"


class Stream:
    """What a subscription tells."""

    def __init__(self, talk: Talk, events: AsyncIterator[Any]) -> None:
        self.talk = talk
        self._events = events

    async def next(self) -> Any:
        return await within(anext(self._events))

    async def told(self, method: str) -> Any:
        while (found := await self.next())["method"] != method:
            pass
        return found

    async def rest(self) -> list[Any]:
        return [each async for each in self._events]


@asynccontextmanager
async def listening(talk: Talk, identity: Any = 5, **wanted: Any) -> AsyncIterator[Stream]:
    """Listen until the block ends, as a client that then closes the stream."""
    reply = await talk.accept(talk.request("subscriptions/listen", identity, notifications=wanted))
    assert reply.events is not None, reply.body
    events = talk.streamed(reply)
    async with contextlib.aclosing(reply.events):
        yield Stream(talk, events)


async def changed(toy: Toy, kind: str = "tools") -> None:
    """Have a server say that a list has changed, in the words of its version."""
    tree: dict[str, Any] = {"method": f"notifications/{kind}/list_changed"}
    if toy.modern:
        tree["params"] = {"_meta": {methods.SUBSCRIPTION_KEY: toy.asked("subscriptions/listen")[-1]["id"]}}
    await toy.say(tree)


async def test_changes_of_all_servers_of_both_eras_come_on_one_stream_with_the_clients_own_id() -> None:
    old, new = Toy("old", "a"), Toy("new", "b", version=MODERN)
    async with gateway(toys=[old, new]) as made, listening(made.stateless(), "mine", toolsListChanged=True) as stream:
        first = await stream.next()
        assert first["method"] == ACKNOWLEDGED
        assert first["params"]["notifications"] == {"toolsListChanged": True}
        assert first["params"]["_meta"][methods.SUBSCRIPTION_KEY] == "mine"
        await until(lambda: old.streams and new.streams)
        for toy in (old, new):
            await changed(toy)
            told = await stream.next()
            assert told["method"] == "notifications/tools/list_changed"
            assert told["params"]["_meta"][methods.SUBSCRIPTION_KEY] == "mine"


async def test_only_what_was_asked_for_and_can_be_served_is_acknowledged_and_told() -> None:
    old, new = Toy("old", "a", prompts=[]), Toy("new", "b", version=MODERN)
    wanted = {"promptsListChanged": True, "resourcesListChanged": True, "toolsListChanged": False}
    async with gateway(toys=[old, new]) as made, listening(made.stateless(), **wanted) as stream:
        assert (await stream.next())["params"]["notifications"] == {"promptsListChanged": True}
        await until(lambda: old.streams)
        assert new.asked("subscriptions/listen") == [], "it has nothing of what is wanted"
        await changed(old, "tools")
        await changed(old, "prompts")
        assert (await stream.next())["method"] == "notifications/prompts/list_changed"


async def test_changes_of_a_resource_are_asked_of_the_server_that_has_it() -> None:
    def resource(uri: str) -> dict[str, Any]:
        return {"uri": uri, "name": uri}

    old, new = Toy("old", resources=[resource("a:1")]), Toy("new", resources=[resource("b:1")], version=MODERN)
    async with gateway(toys=[old, new]) as made:
        talk = made.stateless()
        async with listening(talk, resourceSubscriptions=["a:1", "b:1"]) as stream:
            assert set((await stream.next())["params"]["notifications"]["resourceSubscriptions"]) == {"a:1", "b:1"}
            await until(lambda: old.streams and new.streams)
            assert [tree["params"]["uri"] for tree in old.asked("resources/subscribe")] == ["a:1"]
            wanted = new.asked("subscriptions/listen")[0]["params"]["notifications"]
            assert wanted["resourceSubscriptions"] == ["b:1"]
            await old.say({"method": "notifications/resources/updated", "params": {"uri": "c:1"}})
            await old.say({"method": "notifications/resources/updated", "params": {"uri": "a:1"}})
            told = await stream.next()
            assert (told["method"], told["params"]["uri"]) == ("notifications/resources/updated", "a:1")
        await until(lambda: old.asked("resources/unsubscribe"))
        reply = await talk.ask("subscriptions/listen", notifications={"resourceSubscriptions": ["c:1"]})
        assert is_denied(reply, "unknown")


async def test_too_many_resources_are_refused() -> None:
    async with gateway(toys=[Toy("one", resources=[])]) as made:
        uris = [f"a:{n}" for n in range(1025)]
        reply = await made.stateless().ask("subscriptions/listen", notifications={"resourceSubscriptions": uris})
        assert is_denied(reply, "limit")


@pytest.mark.parametrize("version", [methods.V2025_11, MODERN])
async def test_a_server_that_was_lost_is_listened_to_again_and_the_client_told_that_its_lists_may_differ(
    version: str,
) -> None:
    toy = Toy("one", "a", version=version)
    async with gateway(toys=[toy]) as made, listening(made.stateless(), toolsListChanged=True) as stream:
        await stream.next()
        await until(lambda: toy.streams)
        toy.down = True
        for exchange in list(toy.streams):
            exchange.die()
        await until(lambda: not toy.streams)
        toy.down = False
        if version == MODERN:
            assert (await stream.next())["method"] == "notifications/tools/list_changed"
        await until(lambda: toy.streams)
        await changed(toy)
        assert (await stream.told("notifications/tools/list_changed"))["params"]["_meta"]


@pytest.mark.requirement("principals-apart")
async def test_subscriptions_of_one_principal_are_told_nothing_of_anothers() -> None:
    toy = Toy("one", "a", version=MODERN)
    async with (
        gateway(toys=[toy]) as made,
        listening(made.stateless(CI), 1, toolsListChanged=True) as ci,
        listening(made.stateless(DEV), 1, toolsListChanged=True) as dev,
    ):
        await ci.next()
        await dev.next()
        await until(lambda: len(toy.streams) == 2)
        tag = {"_meta": {methods.SUBSCRIPTION_KEY: 1}}
        await toy.streams[0].event({"jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": tag})
        heard = [asyncio.create_task(stream.next()) for stream in (ci, dev)]
        done, waiting = await asyncio.wait(heard, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == 1
        await toy.streams[1].event({"jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": tag})
        await within(waiting.pop())


async def test_a_subscription_ends_with_a_result_when_the_gateway_stops() -> None:
    toy = Toy("one", "a")
    async with gateway(toys=[toy]) as made, listening(made.stateless(), 9, toolsListChanged=True) as stream:
        await stream.next()
        closing = asyncio.create_task(made.sessions.close())
        (last,) = await within(stream.rest())
        assert (last["id"], last["result"]["resultType"]) == (9, "complete")
        await closing


async def test_a_server_that_floods_notices_costs_a_bounded_number_of_them_and_no_call() -> None:
    loud, calm = Toy("loud", "a"), Toy("calm", "b")
    async with gateway(toys=[loud, calm]) as made, listening(made.stateless(), toolsListChanged=True) as stream:
        await stream.next()
        await until(lambda: loud.streams)
        for _ in range(3000):
            await changed(loud)
        assert said(await made.stateless().call("calm__b")) == "calm: b {}"
        assert (await stream.next())["method"] == "notifications/tools/list_changed"


async def test_of_a_flood_that_is_told_slowly_the_oldest_go_and_nothing_of_another_server_goes_with_them() -> None:
    def resource(name: str) -> Toy:
        able = {"tools": {}, "resources": {"subscribe": True}}
        return Toy(name, "a", resources=[{"uri": f"file:///{name}", "name": name}], capabilities=able)

    def update(name: str, number: int) -> dict[str, Any]:
        return {"method": UPDATED, "params": {"uri": f"file:///{name}", "n": number}}

    going, told = asyncio.Event(), list[int]()

    async def observe(decision: Decision, flow: Flow) -> None:
        tree = decision.message.tree if decision.message is not None else {}
        if tree.get("method") == UPDATED and tree["params"]["uri"] == "file:///loud":
            if flow.server.name == "loud":
                told.append(tree["params"]["n"])
            else:
                await going.wait()

    loud, calm, last = resource("loud"), resource("calm"), 1 + _MOST + 100
    wanted = {"resourceSubscriptions": ["file:///loud", "file:///calm"]}
    slow = entry({"deadline": 60}, observe=observe)
    async with gateway(slow, toys=[loud, calm]) as made, listening(made.stateless(), **wanted) as stream:
        await stream.next()
        await until(lambda: all(toy.streams and toy.asked("resources/subscribe") for toy in (loud, calm)))
        for number in range(last + 1):
            await loud.say(update("loud", number))
        await until(lambda: told and told[-1] == last)
        await calm.say(update("calm", 0))
        assert (await stream.told(UPDATED))["params"]["uri"] == "file:///calm"
        going.set()
        heard = list[int]()
        while not heard or heard[-1] != last:
            heard.append((await stream.told(UPDATED))["params"]["n"])
        assert heard[-_MOST:] == list(range(last + 1 - _MOST, last + 1))
        assert heard[:-_MOST] in ([], [0])  # the one that was being told meanwhile


@pytest.mark.requirement("judged-is-sent")
async def test_each_message_of_a_subscription_has_a_record_of_what_is_sent() -> None:
    witness = Witness()
    old, new = Toy("old", "a"), Toy("new", "b", version=MODERN)
    async with gateway(witness.entry(), toys=[old, new]) as made:
        talk = made.stateless()
        async with listening(talk, toolsListChanged=True) as stream:
            await stream.next()
            await until(lambda: old.streams and new.streams)
            for toy in (old, new):
                await changed(toy)
                await stream.next()
        recorded = {each.message.encoded for each in witness.recorded if each.message is not None and each.allowed}
        assert len(talk.sent) == 3
        assert set(talk.sent) <= recorded


async def test_nothing_of_a_subscription_is_left_when_its_client_has_gone() -> None:
    toys = [Toy("old", "a"), Toy("new", "b", version=MODERN)]
    async with gateway(toys=toys) as made:
        before = asyncio.all_tasks()
        for _ in range(5):
            async with listening(made.stateless(), toolsListChanged=True) as stream:
                await stream.next()
                await until(lambda: all(toy.streams for toy in toys))
            await until(lambda: not toys[1].streams)
        left = {task.get_name() for task in asyncio.all_tasks() - before}
        assert "gateway listen" not in left
        assert made_subscriptions(made) == 0


async def test_servers_are_asked_what_they_have_all_at_once() -> None:
    asked = asyncio.Event()

    async def waits(exchange: Exchange) -> None:
        await asked.wait()
        await one.result(exchange, {"supportedVersions": [MODERN], "capabilities": one.able()})

    async def lets_go(exchange: Exchange) -> None:
        asked.set()
        await two.result(exchange, {"supportedVersions": [MODERN], "capabilities": two.able()})

    one = Toy("one", "a", version=MODERN, answers={"server/discover": waits})
    two = Toy("two", "b", version=MODERN, answers={"server/discover": lets_go})
    wanted = {"toolsListChanged": True, "promptsListChanged": True}
    async with gateway(toys=[one, two], gateway={"patience": 2}) as made, listening(made.stateless(), **wanted) as told:
        assert (await told.next())["params"]["notifications"] == {"toolsListChanged": True}, "nobody was given up"


async def test_a_resource_that_a_server_with_sessions_will_not_tell_of_costs_nothing_but_its_own_notices() -> None:
    async def only_one(exchange: Exchange) -> None:
        if exchange.json["params"]["uri"] == "a:2":
            await toy.error(exchange, -32603)
        else:
            await exchange.result({})

    resources = [{"uri": uri, "name": uri} for uri in ("a:1", "a:2", "a:3")]
    toy = Toy("one", resources=resources, answers={"resources/subscribe": only_one})
    async with gateway(toys=[toy]) as made:
        wanted = {"resourcesListChanged": True, "resourceSubscriptions": ["a:1", "a:2", "a:3"]}
        async with listening(made.stateless(), **wanted) as stream:
            await stream.next()
            await until(lambda: toy.streams and len(toy.asked("resources/subscribe")) == 3)
            await toy.say({"method": "notifications/resources/updated", "params": {"uri": "a:3"}})
            assert (await stream.next())["params"]["uri"] == "a:3"
            await changed(toy, "resources")
            assert (await stream.next())["method"] == "notifications/resources/list_changed"
        await until(lambda: len(toy.asked("resources/unsubscribe")) == 2)
        assert [each["params"]["uri"] for each in toy.asked("resources/unsubscribe")] == ["a:1", "a:3"]


async def test_a_server_that_will_not_tell_now_is_asked_again() -> None:
    async def refuses(exchange: Exchange) -> None:
        del toy.answers["subscriptions/listen"]
        await toy.error(exchange, -32603)

    toy = Toy("one", "a", version=MODERN, answers={"subscriptions/listen": refuses})
    async with gateway(toys=[toy]) as made, listening(made.stateless(), toolsListChanged=True) as stream:
        await stream.next()
        await until(lambda: toy.streams)
        await changed(toy)
        assert (await stream.next())["method"] == "notifications/tools/list_changed"


def made_subscriptions(made: Gateway) -> int:
    """Return how many subscriptions a principal's front has."""
    count: int = len(made.stateless().front.subscriptions)  # type: ignore[attr-defined]  # it is one without sessions
    return count
