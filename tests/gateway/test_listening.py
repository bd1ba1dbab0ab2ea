"""Clients with sessions that have servers of 2026-07-28 tell of changes: one stream after another, and none lost."""

import asyncio

from support.gateways import gateway
from support.pipes import is_denied
from support.toys import Toy
from support.web import Exchange, until
from tidegate import methods

UPDATED = "notifications/resources/updated"


class Choosy(Toy):
    """A server that will not tell of one of its resources."""

    def __init__(self, name: str) -> None:
        resources = [{"uri": uri, "name": uri} for uri in ("a:1", "a:2")]
        answers = {"subscriptions/listen": self._chooses}
        super().__init__(name, version=methods.MODERN, answers=answers, resources=resources)

    async def _chooses(self, exchange: Exchange) -> None:
        wanted = exchange.json["params"]["notifications"]
        if "a:2" in wanted.get("resourceSubscriptions", ()):
            await self.error(exchange, -32603)
        else:
            await self._subscribed(exchange, exchange.json)

    async def updated(self, uri: str) -> None:
        """Say that a resource has changed."""
        tag = {methods.SUBSCRIPTION_KEY: self.asked("subscriptions/listen")[-1]["id"]}
        await self.say({"method": UPDATED, "params": {"uri": uri, "_meta": tag}})


async def test_a_subscription_that_is_refused_ends_none_that_there_was() -> None:
    toy = Choosy("one")
    async with gateway(toys=[toy]) as made:
        talk = await made.session()
        await talk.ask("resources/subscribe", uri="a:1")
        assert is_denied(await talk.ask("resources/subscribe", uri="a:2"), "unavailable")
        await toy.updated("a:1")
        assert (await talk.told(UPDATED))["params"]["uri"] == "a:1"


async def test_of_two_subscriptions_at_once_the_one_that_is_refused_costs_the_other_nothing() -> None:
    toy = Choosy("one")
    async with gateway(toys=[toy]) as made:
        talk = await made.session()
        await talk.listed("resources")
        first, second = await asyncio.gather(*(talk.ask("resources/subscribe", uri=uri) for uri in ("a:1", "a:2")))
        assert ("result" in first, "result" in second) == (True, False)
        wanted = [
            each["params"]["notifications"]["resourceSubscriptions"] for each in toy.asked("subscriptions/listen")
        ]
        assert wanted == [["a:1"], ["a:1", "a:2"]]
        await until(lambda: len(toy.streams) == 1)
        await toy.updated("a:1")
        assert (await talk.told(UPDATED))["params"]["uri"] == "a:1"
