"""How servers are reached, and in which era: what one client has to do with it stays with that client."""

import asyncio
from typing import Any

import pytest

from support.gateways import CI, DEV, Talk, gateway, said
from support.rig import Witness, entry
from support.toys import Toy
from support.web import Exchange
from tidegate import methods
from tidegate.message import Message
from tidegate.verdict import Deny

MODERN = methods.MODERN
CALL = "tools/call"


class Both(Toy):
    """A server of both eras, which says to a call by which one it came."""

    def __init__(self, name: str) -> None:
        answers = {"initialize": self._begins, "tools/call": self._called}
        super().__init__(name, "add", version=MODERN, answers=answers)

    async def _begins(self, exchange: Exchange) -> None:
        result = {"protocolVersion": methods.V2025_11, "capabilities": self.able(), "serverInfo": self.info()}
        await exchange.result(result, **{"mcp-session-id": "s"})

    async def _called(self, exchange: Exchange) -> None:
        meta = exchange.json["params"].get("_meta", {})
        era = "modern" if methods.VERSION_KEY in meta else "legacy"
        await self.result(exchange, {"content": [{"type": "text", "text": era}]})


async def test_a_client_that_may_not_ask_a_server_for_its_era_decides_it_for_no_other() -> None:
    def denies(message: Message, flow: Any, _findings: object) -> Deny | None:
        return Deny("No.") if message.method == "server/discover" and flow.principal.name == "ci" else None

    toy = Both("one")
    async with gateway(entry(decide=denies), toys=[toy]) as made:
        assert said(await made.stateless(CI).call("one__add")) == "legacy"
        assert said(await made.stateless(DEV).call("one__add")) == "modern"
        assert said(await made.stateless(CI).call("one__add")) == "legacy"
        assert len(toy.asked("initialize")) == 1


@pytest.mark.parametrize("first", [methods.V2025_11, MODERN])
async def test_a_server_of_both_eras_is_spoken_to_in_each_clients_own(first: str) -> None:
    async with gateway(toys=[Both("one")]) as made:
        for version in (first, methods.V2025_11, MODERN):
            talk = await made.client(version)
            assert said(await talk.call("one__add")) == ("modern" if version == MODERN else "legacy")


async def test_clients_that_say_they_are_different_ones_share_no_session_and_are_judged_by_their_own_names() -> None:
    toy = Toy("one", "add")
    witness = Witness()
    async with gateway(witness.entry(), toys=[toy]) as made:
        talk = made.stateless()
        for name in ("a", "b", "a"):
            client = {methods.CLIENT_KEY: {"name": name, "version": "1"}}
            await talk.ask("tools/call", name="one__add", arguments={}, _meta=client)
        assert [tree["params"]["clientInfo"]["name"] for tree in toy.asked("initialize")] == ["a", "b"]
        calls = zip(witness.decided, witness.flows, strict=True)
        said = [flow.client.name for message, flow in calls if (message.method, message.kind) == (CALL, "request")]
        assert said == ["a", "b", "a"]


async def test_ever_new_names_of_clients_keep_no_more_sessions_than_a_few() -> None:
    toy = Toy("one", "add")
    async with gateway(toys=[toy]) as made:
        talk = made.stateless()
        for number in range(12):
            client = {methods.CLIENT_KEY: {"name": str(number), "version": "1"}}
            await talk.ask("tools/call", name="one__add", arguments={}, _meta=client)
        assert len(made.sessions.shared.keepers) == 8


async def test_of_two_initialize_at_once_only_one_begins_the_session() -> None:
    async def thinks(message: Message, _flow: object, _findings: object) -> None:
        if message.method == "initialize":
            await asyncio.sleep(0)

    toy = Toy("one", "add")
    async with gateway(entry(decide=thinks), toys=[toy]) as made:
        talk = Talk(made.sessions.new("/", CI))
        tree = {"protocolVersion": methods.V2025_11, "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
        replies = await asyncio.gather(*(talk.ask("initialize", **tree) for _ in range(2)))
        assert sorted("result" in reply for reply in replies) == [False, True]
        assert len(toy.asked("initialize")) == 1


async def test_a_level_of_logging_that_a_server_refused_is_asked_for_again() -> None:
    async def refuses(exchange: Exchange) -> None:
        del toy.answers["logging/setLevel"]
        await toy.error(exchange, -32603)

    toy = Toy("one", "add", answers={"logging/setLevel": refuses}, capabilities={"tools": {}, "logging": {}})
    async with gateway(toys=[toy]) as made:
        talk = made.stateless()
        level = {"io.modelcontextprotocol/logLevel": "info"}
        for _ in range(3):
            reply = await talk.ask("tools/call", name="one__add", arguments={}, _meta=level)
            assert said(reply) == "one: add {}"
        assert [each["params"]["level"] for each in toy.asked("logging/setLevel")] == ["info", "info"]
