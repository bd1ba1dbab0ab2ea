"""A relay whose client sees the server's messages with another face, put on before they are judged."""

import json
from typing import Any

import pytest

from support.pipes import HTTP, STDIO, call, denying, gathered, is_denied, relaying
from support.rig import Witness
from tidegate import Message
from tidegate.correlate import Open
from tidegate.message import Id
from tidegate.wire import Rejected

LEGACY = "2025-11-25"


class Face:
    """Other ids, a mark in each result, and no word of what the client isn't to hear."""

    modern = False

    def identity(self, asked: Id) -> Id:
        return f"of-the-client-{asked}"

    def reply(self, message: Message, entry: Open | None) -> Message:
        if message.kind != "result":
            return message.rewired(id=self.identity(message.id or 0))
        assert entry is not None
        return message.rewired(id=self.identity(message.id or 0), at={"/result/seen": entry.request.method})

    def spoken(self, message: Message, about: Open | None) -> Message | None:
        if message.method == "notifications/private":
            return None
        if message.method == "notifications/odd":
            raise Rejected("unsolicited", "Not this one.")
        if message.method == "notifications/progress" and about is not None:
            return message.rewired(at={"/params/about": self.identity(about.request.id or 0)})
        return message


async def asked_for(rig: Any, witness: Witness, *said: dict[str, Any]) -> list[Any]:
    """Have a call answered with some messages; return what the client gets, each of which must have been judged."""
    asked = rig.ask(call(7, arguments={}, _meta={"progressToken": "t"}))
    got = await rig.pipe.next()
    for tree in said:
        rig.pipe.say(tree)
    rig.pipe.result(got, {"content": [], "seen": ""})
    found: list[Any] = await asked
    judged = [json.loads(each.message.encoded) for each in witness.recorded if each.message is not None]
    assert all(each in judged for each in found)
    return found


async def test_a_reply_is_judged_with_the_clients_face_on() -> None:
    witness = Witness()
    async with relaying(witness.entry(), version=LEGACY) as rig:
        rig.relay.face = Face()
        (found,) = await asked_for(rig, witness)
        assert found["id"] == "of-the-client-7"
        assert found["result"]["seen"] == "tools/call"


async def test_what_the_server_says_of_a_request_is_changed_dropped_or_refused_before_it_is_judged() -> None:
    witness = Witness()
    progress = {"method": "notifications/progress", "params": {"progressToken": "t", "progress": 1, "about": ""}}
    async with relaying(witness.entry(), version=LEGACY) as rig:
        rig.relay.face = Face()
        private, odd = {"method": "notifications/private", "params": {}}, {"method": "notifications/odd", "params": {}}
        found = await asked_for(rig, witness, progress, private, odd)
        assert found[0]["params"]["about"] == "of-the-client-7"
        assert [each.get("method") for each in found] == ["notifications/progress", None]
        assert await gathered(rig) == []
        methods = [message.method for message in witness.decided]
        assert "notifications/private" not in methods
        assert "notifications/odd" not in methods
        assert len(witness.verdicts("rejected")) == 1


@pytest.mark.parametrize("context", [STDIO, HTTP], ids=["stdio", "http"])
async def test_a_denial_has_the_id_that_the_client_knows(context: Any) -> None:
    for kind in ("request", "result"):
        async with relaying(denying("tools/call", kind=kind), version=LEGACY, proxy={"deny_as": "error"}) as rig:
            rig.relay.face = Face()
            asked = rig.ask(call(7), context)
            if kind == "result":
                rig.pipe.result(await rig.pipe.next(), {"content": [], "seen": ""})
            (found,) = await asked
            assert is_denied(found)
            assert found["id"] == "of-the-client-7"


async def test_an_answer_that_is_none_and_a_server_that_ends_are_told_by_the_id_that_the_client_knows() -> None:
    async with relaying(version=LEGACY) as rig:
        rig.relay.face = Face()
        asked = rig.ask(call(7))
        await rig.pipe.next()
        rig.pipe.end()
        (found,) = await asked
        assert (found["id"], is_denied(found, "unavailable")) == ("of-the-client-7", True)


async def test_without_a_face_the_client_sees_what_came() -> None:
    async with relaying(version=LEGACY) as rig:
        asked = rig.ask(call(7))
        rig.pipe.result(await rig.pipe.next(), {"content": []})
        assert await asked == [{"jsonrpc": "2.0", "id": 7, "result": {"content": []}}]
