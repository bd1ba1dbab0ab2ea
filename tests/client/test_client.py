"""The client, over a way that the test plays: what it takes for an answer, and what it says by itself."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest

from tidegate.client.answers import Broken, Refused
from tidegate.client.client import Client
from tidegate.client.ways import Said
from tidegate.message import Message
from tidegate.streams import Out, Reply
from tidegate.upstream import Unavailable

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "s"}}


def encoded(tree: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **tree}).encode()


class Played:
    """A way whose answers are the test's: for each method what its reply is."""

    def __init__(self, answers: Mapping[str, Callable[[Any], Reply]], resumed: Reply | None = None) -> None:
        self.answers = answers
        self.resumed = resumed
        self.got: list[Any] = []
        self.closed = 0

    async def send(self, message: Message, tool: Mapping[str, Any] | None) -> Said:
        assert tool is None
        tree = json.loads(message.encoded)
        self.got.append(tree)
        if message.method == "initialize" and "initialize" not in self.answers:
            return Said(Reply(body=encoded({"id": tree["id"], "result": HELLO})))
        answer = self.answers.get(message.method or "")
        return Said(answer(tree) if answer is not None else Reply(202))

    async def listen(self, last_event_id: str | None) -> Said:
        self.got.append(last_event_id)
        return Said(self.resumed or Reply(405))

    def negotiated(self, version: str) -> None:
        self.got.append(version)

    async def close(self) -> None:
        self.closed += 1


def stream(*events: Out) -> Reply:
    async def said() -> Any:
        for event in events:
            yield event

    return Reply(events=said())


async def begun(way: Played) -> Client:
    client = Client(lambda _: way)
    await client.begin()
    return client


async def test_an_answer_that_breaks_off_is_resumed_where_it_stopped() -> None:
    rest = stream(Out(encoded({"id": 2, "result": {"x": None}})))
    way = Played({"ping": lambda _: stream(Out(None, "7", 0))}, rest)
    client = await begun(way)
    assert await client.request("ping", {}) == {"x": None}
    assert way.got[-1] == "7"


async def test_an_answer_that_breaks_off_for_good_is_no_answer() -> None:
    client = await begun(Played({"ping": lambda _: stream(Out(encoded({"id": 9, "result": {}})))}))
    with pytest.raises(Unavailable, match="broke off"):
        await client.request("ping", {})


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(body=b"[]"), "no message"),
        (Reply(body=b"x"), "no JSON"),
        (Reply(404), "HTTP status 404 and no message"),
        (Reply(body=encoded({"method": "x"})), "no reply"),
        (Reply(body=encoded({"id": 2, "result": []})), "no object"),
    ],
)
async def test_what_is_no_answer_is_said_to_be_none(reply: Reply, told: str) -> None:
    client = await begun(Played({"ping": lambda _: reply}))
    with pytest.raises(Broken, match=told):
        await client.request("ping", {})


async def test_a_denial_of_the_beginning_is_no_reason_to_try_the_other_era() -> None:
    error = {"code": -31403, "message": "No.", "data": {"code": "denied", "rule": "r"}}
    way = Played({"initialize": lambda tree: Reply(body=encoded({"id": tree["id"], "error": error}))})
    with pytest.raises(Refused, match=r"No\."):
        await Client(lambda _: way).begin()
    assert [tree["method"] for tree in way.got] == ["initialize"]


async def test_where_neither_era_is_spoken_the_first_answer_counts() -> None:
    def no(tree: Any) -> Reply:
        return Reply(body=encoded({"id": tree["id"], "error": {"code": -1, "message": tree["method"]}}))

    way = Played({"initialize": no, "server/discover": no})
    with pytest.raises(Refused, match="initialize"):
        await Client(lambda _: way).begin()
    assert way.closed == 1


async def test_a_cancelled_request_is_said_to_be_while_it_is_open() -> None:
    asked, over = asyncio.Event(), asyncio.Event()

    async def forever() -> AsyncIterator[Out]:
        asked.set()
        try:
            await asyncio.Event().wait()
            yield Out(None)
        finally:
            over.set()

    way = Played({"tools/call": lambda _: Reply(events=forever())})  # type: ignore[arg-type]  # it is a generator
    client = await begun(way)
    task = asyncio.create_task(client.request("tools/call", {}))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert way.got[-1]["method"] == "notifications/cancelled"
    assert way.got[-1]["params"]["requestId"] == 2
    assert over.is_set()


async def test_only_definitions_are_listed_and_the_rest_is_told_of() -> None:
    items = [{"name": "a"}, 1, {"title": "b"}]
    way = Played({"tools/list": lambda tree: Reply(body=encoded({"id": tree["id"], "result": {"tools": items}}))})
    listing = await (await begun(way)).listed("tools/list", "tools")
    assert listing.items == [{"name": "a"}]
    assert listing.trouble == "2 entries of its list are no definitions"
