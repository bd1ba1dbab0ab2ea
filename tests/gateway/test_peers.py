"""One server as one client of the gateway reaches it: what each hears of the other, and what follows when it ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from support.gateways import Gateway, gateway, said
from support.mortal import mortal
from support.pipes import is_denied
from support.rig import Witness, entry
from support.toys import LEGACY, Toy, text
from support.web import Exchange, until, within
from tidegate import Deny, Message, methods
from tidegate.gateway.own_requests import OWN, is_own, request

both = pytest.mark.parametrize("version", [LEGACY, methods.MODERN])


def asks(identity: Any, method: str = "sampling/createMessage", **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}


@asynccontextmanager
async def asking(*entries: Any, identities: tuple[Any, Any] = (1, 1)) -> AsyncIterator[tuple[Gateway, list[Toy]]]:
    """Two servers that ask the client something in the middle of a call, and answer with what they heard."""

    def server(name: str, identity: Any) -> Toy:
        heard: asyncio.Queue[Any] = asyncio.Queue()

        async def call(exchange: Exchange) -> None:
            await exchange.stream()
            await exchange.event(asks(identity, messages=[], maxTokens=1, _meta={"progressToken": 7}))
            found = await within(heard.get())
            result = text(json.dumps({"by": name, "heard": found}))
            await exchange.event({"jsonrpc": "2.0", "id": exchange.json["id"], "result": result})

        async def reply(exchange: Exchange) -> None:
            await exchange.reply(status=202)
            heard.put_nowait(exchange.json)

        return Toy(name, "work", answers={"tools/call": call, "reply": reply})

    toys = [server(name, identity) for name, identity in zip(("one", "two"), identities, strict=True)]
    async with gateway(*entries, toys=toys) as made:
        yield made, toys


@pytest.mark.parametrize("identities", [(1, 1), ("a", "a"), (1, "1")])
async def test_questions_of_two_servers_with_the_same_id_are_told_apart(identities: tuple[Any, Any]) -> None:
    async with asking(identities=identities) as (made, _):
        talk = await made.session(declared={"sampling": {}})
        replies = [
            await talk.accept(talk.request("tools/call", at, name=f"{name}__work"))
            for at, name in enumerate(("one", "two"), 1)
        ]
        streams = [talk.streamed(reply) for reply in replies]
        questions = [await within(anext(stream)) for stream in streams]
        assert questions[0]["id"] != questions[1]["id"]
        tokens = [question["params"]["_meta"]["progressToken"] for question in questions]
        assert tokens[0] != tokens[1]
        for at in (1, 0):
            answer = {"role": "assistant", "model": f"m{at}", "content": {"type": "text", "text": "x"}}
            await talk.send({"id": questions[at]["id"], "result": answer})
        for at, stream in enumerate(streams):
            told = json.loads(said(await within(anext(stream))))
            assert told["by"] == ("one", "two")[at]
            assert told["heard"]["id"] == identities[at]
            assert type(told["heard"]["id"]) is type(identities[at])
            assert told["heard"]["result"]["model"] == f"m{at}"
            await stream.aclose()  # type: ignore[attr-defined]  # it is a generator


async def test_an_answer_to_what_nobody_asked_and_a_second_one_reach_no_server() -> None:
    async with asking() as (made, toys):
        talk = await made.session(declared={"sampling": {}})
        for odd in (1, 2, "g1", 900):
            (reply,) = await talk.send({"id": odd, "result": {}})
            assert is_denied(reply, "unsolicited")
        reply = await talk.accept(talk.request("tools/call", 1, name="one__work"))
        stream = talk.streamed(reply)
        question = await within(anext(stream))
        answer = {"role": "assistant", "model": "m", "content": {"type": "text", "text": "x"}}
        assert await talk.send({"id": question["id"], "result": answer}) == []
        assert is_denied((await talk.send({"id": question["id"], "result": answer}))[0], "unsolicited")
        await within(anext(stream))
        assert [len([tree for tree in toy.got if "method" not in tree]) for toy in toys] == [1, 0]
        await stream.aclose()  # type: ignore[attr-defined]  # it is a generator


async def test_a_server_whose_questions_are_denied_takes_no_other_servers_place() -> None:
    """A flood of questions that the client never sees leaves those that it has to answer."""
    flooded = asyncio.Event()

    async def flood(exchange: Exchange) -> None:
        await exchange.stream()
        for number in range(1100):
            await exchange.event(asks(number, "roots/list"))
        await exchange.event({"jsonrpc": "2.0", "id": exchange.json["id"], "result": text("flooded")})
        flooded.set()

    def decide(message: Message, flow: Any, _: Any) -> Deny | None:
        return Deny("No roots.") if message.method == "roots/list" and flow.server.name == "loud" else None

    loud = Toy("loud", "work", answers={"tools/call": flood})
    calm = Toy("calm", "work")

    async def call(exchange: Exchange) -> None:
        await exchange.stream()
        await exchange.event(asks(1, "roots/list"))
        await flooded.wait()
        heard = await within(answers.get())
        await exchange.event({"jsonrpc": "2.0", "id": exchange.json["id"], "result": text(str(heard["id"]))})

    async def reply(exchange: Exchange) -> None:
        await exchange.reply(status=202)
        answers.put_nowait(exchange.json)

    answers: asyncio.Queue[Any] = asyncio.Queue()
    calm.answers = {"tools/call": call, "reply": reply}
    async with gateway(entry(decide=decide), toys=[loud, calm]) as made:
        talk = await made.session(declared={"roots": {}})
        stream = talk.streamed(await talk.accept(talk.request("tools/call", 1, name="calm__work")))
        question = await within(anext(stream))
        assert said(await talk.call("loud__work")) == "flooded"
        assert await talk.send({"id": question["id"], "result": {"roots": []}}) == []
        assert said(await within(anext(stream))) == "1"
        await stream.aclose()  # type: ignore[attr-defined]  # it is a generator


# -- servers that end -------------------------------------------------------------------------------------------------


async def test_a_process_that_crashes_is_started_again_by_the_next_call_and_the_client_told_of_lists() -> None:
    async with gateway(toys=[Toy("well", "add")], servers={"m": mortal()}) as made:
        talk = await made.session()
        listening = asyncio.create_task(talk.own())
        await asyncio.sleep(0)
        first = (await talk.call("m__echo"))["result"]["pid"]
        assert is_denied(await talk.call("m__die"), "unavailable")
        assert said(await talk.call("well__add")) == "well: add {}"
        assert (await talk.call("m__echo"))["result"]["pid"] != first
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_a_server_that_speaks_another_version_after_a_restart_is_begun_with_anew(tmp_path: Path) -> None:
    agreed = tmp_path / "version"
    agreed.write_text("2025-11-25")
    async with gateway(toys=[], servers={"m": mortal(str(agreed))}) as made:
        talk = await made.session()
        assert "result" in await talk.call("m__echo")
        agreed.write_text("2025-06-18")
        assert is_denied(await talk.call("m__die"), "unavailable")
        for _ in range(3):
            reply = await talk.call("m__echo")
            if "result" in reply:
                break
        assert "result" in reply
        assert [told[0] for told in reply["result"]["told"]] == ["initialize", "notifications/initialized"]


@pytest.mark.parametrize("status", [404, 400])
@pytest.mark.parametrize("method", ["tools/call", "tools/list"])
async def test_a_remote_session_that_the_server_has_lost_is_begun_anew_and_the_request_sent_again(
    method: str, status: int
) -> None:
    lost: list[bool] = []

    async def forgetful(exchange: Exchange) -> None:
        if lost:
            lost.clear()
            error = {"code": -32000, "message": "Bad Request: No valid session ID provided"}
            tree = {"jsonrpc": "2.0", "id": None, "error": error}
            await exchange.reply(tree if status == 400 else None, status=status)
        else:
            await exchange.result({**text("fine"), "tools": toy.lists["tools"]})

    toy = Toy("one", "add", answers={method: forgetful})
    async with gateway(toys=[toy]) as made:
        for talk in (await made.session(), made.stateless()):
            await talk.call("one__add")
            before = len(toy.asked("initialize"))
            lost.append(True)
            reply = await talk.ask(method, name="one__add")
            assert reply["result"].get("tools") or said(reply) == "fine"
            assert len(toy.asked("initialize")) == before + 1


async def test_many_who_see_at_once_that_a_session_is_lost_begin_one_together() -> None:
    lost: set[str] = set()

    async def forgetful(exchange: Exchange) -> None:
        name = exchange.json["params"]["arguments"]["n"]
        if len(lost) < 5:
            lost.add(name)
            await until(lambda: len(lost) == 5)
            await exchange.reply(status=404)
        else:
            await exchange.result(text(name))

    toy = Toy("one", "add", answers={"tools/call": forgetful})
    async with gateway(toys=[toy]) as made:
        for talk in (await made.session(), made.stateless()):
            lost.clear()
            before = len(toy.asked("initialize"))
            replies = await asyncio.gather(*(talk.call("one__add", n=str(number)) for number in range(5)))
            assert [said(reply) for reply in replies] == list("01234")
            assert len(toy.asked("initialize")) <= before + 2  # the second client's own first one is counted too


async def test_a_request_that_a_server_refuses_again_and_again_is_sent_twice_and_then_refused() -> None:
    async def refusing(exchange: Exchange) -> None:
        error = {"code": -32000, "message": "Bad Request: No valid session ID provided"}
        await exchange.reply({"jsonrpc": "2.0", "id": exchange.json["id"], "error": error}, status=400)

    toy = Toy("one", "add", answers={"tools/call": refusing})
    async with gateway(toys=[toy]) as made:
        for talk in (await made.session(), made.stateless()):
            before = len(toy.asked("tools/call"))
            assert "error" in await talk.call("one__add")
            assert len(toy.asked("tools/call")) == before + 2


async def test_a_client_that_listens_is_told_when_a_remote_server_is_back() -> None:
    toy = Toy("one", "add")
    async with gateway(toys=[toy]) as made:
        talk = await made.session()
        listening = asyncio.create_task(talk.told("notifications/tools/list_changed"))
        await until(lambda: toy.streams)
        toy.down = True
        for exchange in list(toy.streams):
            exchange.die()
        await until(lambda: len([each for each in toy._server.got if each.method == "GET"]) > 1)
        toy.down = False
        await within(listening)


# -- odd servers ------------------------------------------------------------------------------------------------------


def batching(*, streamed: bool) -> Toy:
    """Return a server of 2025-03-26 that answers with a batch, in which there is also something broken."""

    async def batched(exchange: Exchange) -> None:
        tools = [{"name": "add", "inputSchema": {"type": "object"}}]
        reply = {"jsonrpc": "2.0", "id": exchange.json["id"], "result": {"tools": tools, **text("in a batch")}}
        log = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}
        broken = {"jsonrpc": "2.0", "id": "nobody's", "result": 1, "error": 2}
        batch = [reply, 7, log, broken, {"jsonrpc": "2.0", "id": 99, "result": "of nothing"}, log]
        if streamed:
            await exchange.stream()
            await exchange.event(batch)
        else:
            await exchange.reply(batch)

    return Toy("one", "add", version="2025-03-26", answers={"tools/list": batched, "tools/call": batched})


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
async def test_a_batch_of_a_servers_is_taken_apart_and_what_is_broken_in_it_costs_nothing_else(
    *, streamed: bool
) -> None:
    witness = Witness()
    async with gateway(witness.entry(), toys=[batching(streamed=streamed)]) as made:
        for talk in (await made.session(version="2025-03-26"), await made.session(), made.stateless()):
            assert await talk.listed() == ["one__add"]
            witness.recorded.clear()
            got = await talk.send(talk.request("tools/call", 5, name="one__add"))
            logged = [] if talk.modern else ["notifications/message"] * 2  # a modern client asks for logs, or gets none
            assert [each.get("method") for each in got] == [*logged, None]
            assert (got[-1]["id"], said(got[-1])) == (5, "in a batch")
            assert len(witness.verdicts("rejected")) == 3


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
async def test_a_broken_answer_in_a_batch_ends_its_request_with_an_error_and_the_rest_arrives(
    *, streamed: bool
) -> None:
    async def batched(exchange: Exchange) -> None:
        log = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}
        batch = [{"jsonrpc": "2.0", "id": exchange.json["id"], "result": 1, "error": 2}, log]
        if streamed:
            await exchange.stream()
            await exchange.event(batch)
        else:
            await exchange.reply(batch)

    toy = Toy("one", "add", version="2025-03-26", answers={"tools/call": batched})
    async with gateway(toys=[toy]) as made:
        talk = await made.session()
        got = await talk.send(talk.request("tools/call", 5, name="one__add"))
        assert sorted((each.get("method", ""), "error" in each) for each in got) == [
            ("", True),
            ("notifications/message", False),
        ]


@both
async def test_a_reply_that_is_none_and_one_that_answers_another_are_errors_and_the_next_call_works(
    version: str,
) -> None:
    odd: list[bytes] = [
        b"",
        b"nonsense",
        b'{"jsonrpc":"2.0","id":"other","result":{}}',
        b"[]",
        b'{"jsonrpc":"2.0","id":null,"result":{}}',
        b'{"jsonrpc":"2.0","method":"notifications/message","params":{}}',
    ]

    async def call(exchange: Exchange) -> None:
        if odd:
            await exchange.reply(raw=odd.pop())
        else:
            await toy.result(exchange, text("fine"))

    toy = Toy("one", "add", version=version, answers={"tools/call": call})
    async with gateway(toys=[toy]) as made:
        talk = await made.client(version)
        for _ in range(len(odd)):
            with capture_logs():
                assert "error" in await talk.call("one__add")
        assert said(await talk.call("one__add")) == "fine"


async def test_what_the_gateway_asks_a_server_is_judged_under_that_server() -> None:
    witness = Witness()
    async with gateway(witness.entry(), toys=[Toy("one", "add"), Toy("two", "b", version=methods.MODERN)]) as made:
        await (await made.session()).listed()
        await made.stateless().listed()
        asked = {
            (flow.server.name, message.method)
            for flow, message in zip(witness.flows, witness.decided, strict=True)
            if message.kind == "request" and is_own(message.id)
        }
        assert {
            ("one", "initialize"),
            ("one", "tools/list"),
            ("two", "server/discover"),
            ("two", "tools/list"),
        } <= asked
        assert all(server != "gateway" for server, _ in asked)


def test_ids_of_the_gateways_own_requests_are_its_own() -> None:
    first, second = request("ping"), request("ping", {})
    assert first.id != second.id
    assert is_own(first.id)
    assert len(OWN) > 20
    assert not any(is_own(odd) for odd in (1, "1", None, "tidegate-1"))
