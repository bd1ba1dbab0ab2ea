"""Servers and clients that mean harm, in front of and behind the gateway: what one does stays with it."""

from typing import Any

import pytest

from support.rig import Witness
from support.toys import Toy, gateway, said, text
from support.web import Exchange, within
from tidegate import methods

MODERN = methods.MODERN
FORM = {"message": "Go on?", "requestedSchema": {"type": "object", "properties": {}}}


def asking(identity: Any, *, then: bool = False) -> Any:
    """Return what asks the client in the middle of a call, under an id; and answers the call, or never does."""

    async def ask(exchange: Exchange) -> None:
        await exchange.stream()
        await exchange.event({"jsonrpc": "2.0", "id": identity, "method": "elicitation/create", "params": FORM})
        if then:
            result = {**text("done"), "resultType": "complete"}
            await exchange.event({"jsonrpc": "2.0", "id": exchange.json["id"], "result": result})
        else:
            await exchange.gone.wait()

    return ask


@pytest.mark.parametrize("version", [methods.V2025_11, MODERN])
async def test_a_server_of_2026_07_28_that_sends_a_request_reaches_no_client_with_it(version: str) -> None:
    good, evil = Toy("good", "add"), Toy("evil", "add", version=MODERN)
    good.answers["tools/call"] = asking(7)
    evil.answers["tools/call"] = asking(1, then=True)  # 1 is the id by which a session's client knows the other's
    witness = Witness()
    async with gateway(witness.entry(), toys=[good, evil]) as made:
        talk = await made.client(version, declared={"elicitation": {}})
        reply = await talk.accept(talk.request("tools/call", 101, name="good__add", arguments={}))
        asked = await within(anext(talk.streamed(reply)))
        got = await talk.send(talk.request("tools/call", 102, name="evil__add", arguments={}))
        assert [each.get("method") for each in got] == [None]
        assert said(got[0]) == "done"
        assert asked.get("id") in (1, 101)
        assert (None, "method", "deny") in witness.verdicts("rejected")
