"""What crosses between a client and a server: all of it judged, matched to its request, and never to another's."""

import asyncio
import json
from typing import Any

import pytest

from support.pipes import HTTP, STDIO, Rig, relaying, told
from support.rig import Witness, entry
from support.web import until, within
from tidegate import Deny, Hold, Message, Redact
from tidegate.methods import BATCHING, MODERN, SUBSCRIPTION_KEY, VERSION_KEY

LEGACY = "2025-11-25"
META = {VERSION_KEY: MODERN}


def call(identity: Any = 1, name: str = "add", **params: Any) -> dict[str, Any]:
    return {"id": identity, "method": "tools/call", "params": {"name": name, **params}}


def denying(*wanted: str, kind: str = "") -> Any:
    """Return an interceptor that denies messages of some methods, of one kind if given."""

    def decide(message: Message, *_: Any) -> Deny | None:
        hit = message.method in wanted and kind in ("", message.kind)
        return Deny("Not this one.", rule="tests") if hit else None

    return entry(decide=decide)


def is_denied(message: Any, code: str = "denied") -> bool:
    return bool(message["error"]["data"]["code"] == code)


# -- requests and their replies -----------------------------------------------------------------------------------


@pytest.mark.parametrize("context", [STDIO, HTTP], ids=["stdio", "http"])
@pytest.mark.parametrize("shared", [False, True])
async def test_a_request_and_its_reply_cross(context: Any, shared: bool) -> None:  # noqa: FBT001 - pytest's
    witness = Witness()
    async with relaying(witness.entry(), shared=shared) as rig:
        asked = rig.ask(call("a-1", arguments={"x": [1, None]}, _meta=META), context)
        got = await rig.pipe.next()
        assert {**got, "id": 0} == {
            "jsonrpc": "2.0",
            "id": 0,
            "method": "tools/call",
            "params": call(arguments={"x": [1, None]}, _meta=META)["params"],
        }
        rig.pipe.result(got, {"content": [], "resultType": "complete"})
        assert await asked == [{"jsonrpc": "2.0", "id": "a-1", "result": {"content": [], "resultType": "complete"}}]
    assert witness.verdicts() == [("request", "tools/call", "allow"), ("result", "tools/call", "allow")]
    assert witness.flows[1].request is not None
    assert witness.flows[0].id == witness.flows[1].id


@pytest.mark.requirement("judged-is-sent")
async def test_what_is_sent_is_the_encoding_of_what_was_judged() -> None:
    sent: list[bytes] = []

    witness = Witness()

    def transform(message: Message, _flow: Any) -> Message | None:
        return message.replace("/params/arguments/x", "new", label="t") if message.kind == "request" else None

    def decide(message: Message, *_: Any) -> Redact | None:
        return Redact("/params/arguments/y", label="y") if message.kind == "request" else None

    async with relaying(entry(transform=transform), entry(decide=decide), witness.entry()) as rig:
        send = rig.pipe.send

        async def tapped(data: bytes) -> None:
            sent.append(data)
            await send(data)

        rig.pipe.send = tapped  # type: ignore[method-assign]  # the pipe is the test's own
        asked = rig.ask(
            b' { "params":{"arguments":{"y":"s","x":"old"},"name":"add"} ,"method":"tools/call","id":1,"jsonrpc":"2.0"}'
        )
        rig.pipe.result(await rig.pipe.next(), {})
        await asked
    request = witness.recorded[0].message
    assert request is not None
    assert sent == [request.encoded]
    assert sent == [
        b'{"params":{"arguments":{"y":"[redacted:y]","x":"new"},"name":"add"},"method":"tools/call","id":1,"jsonrpc":"2.0"}'
    ]


@pytest.mark.parametrize("deny_as", ["tool_result", "error"])
@pytest.mark.parametrize("modern", [False, True])
async def test_a_denied_tool_call_is_answered_as_the_settings_say_and_never_sent(deny_as: str, modern: bool) -> None:  # noqa: FBT001 - pytest's
    async with relaying(denying("tools/call"), proxy={"deny_as": deny_as}, shared=modern) as rig:
        (answer,) = await rig.ask(call("x", _meta=META) if modern else call("x"), HTTP)
        assert answer["id"] == "x"
        if deny_as == "error":
            assert is_denied(answer)
            assert answer["error"]["code"] == -31403
        else:
            assert answer["result"]["isError"] is True
            assert "Not this one." in answer["result"]["content"][0]["text"]
            assert answer["result"].get("resultType") == ("complete" if modern else None)
        assert rig.pipe.got == []


async def test_another_denied_request_is_always_answered_with_an_error() -> None:
    async with relaying(denying("resources/read")) as rig:
        (answer,) = await rig.ask({"id": 1, "method": "resources/read", "params": {"uri": "a:b"}})
        assert is_denied(answer)
        assert rig.pipe.got == []


async def test_a_held_request_is_not_sent() -> None:
    async with relaying(entry(decide=lambda *_: Hold("Ask somebody."))) as rig:
        (answer,) = await rig.ask({"id": 1, "method": "resources/read", "params": {"uri": "a:b"}})
        assert is_denied(answer, "held")
        assert rig.pipe.got == []


@pytest.mark.parametrize("reply", [{"result": {"secret": "s"}}, {"error": {"code": 1, "message": "s", "data": "s"}}])
async def test_a_denied_reply_becomes_an_error_that_holds_nothing_of_it(reply: dict[str, Any]) -> None:
    async with relaying(entry(decide=lambda message, *_: Deny("No.") if message.is_reply else None)) as rig:
        asked = rig.ask(call("x"))
        await rig.pipe.next()
        rig.pipe.say({"id": "x", **reply})
        (answer,) = await asked
        assert answer["id"] == "x"
        assert is_denied(answer)
        assert '"s"' not in json.dumps(answer)


async def test_an_id_that_is_in_use_is_refused_and_the_first_request_gets_its_reply() -> None:
    witness = Witness()
    async with relaying(witness.entry()) as rig:
        first = rig.ask(call(5, "one"))
        got = await rig.pipe.next()
        (refused,) = await rig.ask(call(5, "two"))
        assert is_denied(refused, "unsolicited")
        assert refused["id"] is None, "an error with this id would answer the first request"
        rig.pipe.result(got, {"said": "one"})
        assert (await first)[0]["result"] == {"said": "one"}
        assert len(rig.pipe.got) == 1
    assert (None, "unsolicited", "deny") in witness.verdicts("rejected")


async def test_ids_of_both_types_are_different_ids() -> None:
    async with relaying() as rig:
        asked = [rig.ask(call(identity, str(number))) for number, identity in enumerate((1, "1"))]
        got = [await rig.pipe.next() for _ in asked]
        for request in reversed(got):
            rig.pipe.result(request, {"said": request["params"]["name"]})
        assert [(await task)[0]["result"]["said"] for task in asked] == ["0", "1"]
        assert [(await task)[0]["id"] for task in asked] == [1, "1"]


# -- a server that misbehaves -------------------------------------------------------------------------------------


async def gathered(rig: Rig) -> list[Any]:
    """Return what the client gets on the server's own stream until the server has ended."""
    rig.pipe.end()
    return [message async for message in rig.own()]


@pytest.mark.parametrize("shared", [False, True])
async def test_a_second_reply_reaches_nobody(shared: bool) -> None:  # noqa: FBT001 - pytest's
    async with relaying(shared=shared) as rig:
        asked = rig.ask(call("a"))
        got = await rig.pipe.next()
        rig.pipe.result(got, 1)
        rig.pipe.result(got, 2)
        assert await asked == [{"jsonrpc": "2.0", "id": "a", "result": 1}]
        rig.pipe.result(got, 3)
        assert await gathered(rig) == []


@pytest.mark.parametrize("shared", [False, True])
async def test_a_reply_with_an_id_nobody_asked_under_reaches_nobody(shared: bool) -> None:  # noqa: FBT001 - pytest's
    witness = Witness()
    async with relaying(witness.entry(), shared=shared) as rig:
        one, two = rig.ask(call("a", "one")), rig.ask(call("b", "two"))
        got = [await rig.pipe.next(), await rig.pipe.next()]
        for identity in ("a" if shared else "c", 0, None, "t9", 99, str(got[0]["id"]) + "0"):
            rig.pipe.say({"id": identity, "error": {"code": 1, "message": "wrong"}})
        for request in got:
            rig.pipe.result(request, request["params"]["name"])
        assert [(await task)[0].get("result") for task in (one, two)] == ["one", "two"]
        left = [message for message in await gathered(rig) if message["id"] is not None]
        assert left == []


async def test_a_reply_of_another_requests_id_answers_that_request_alone() -> None:
    async with relaying() as rig:
        one, two = rig.ask(call(1, "one")), rig.ask(call(2, "two"))
        await rig.pipe.next()
        await rig.pipe.next()
        rig.pipe.say({"id": 2, "result": "for two"})
        assert (await two)[0]["result"] == "for two"
        assert not one.done()
        rig.pipe.say({"id": 1, "result": "for one"})
        assert (await one)[0]["result"] == "for one"


@pytest.mark.parametrize("context", [STDIO, HTTP], ids=["stdio", "http"])
async def test_a_server_that_answers_nothing_is_overdue(context: Any) -> None:
    witness = Witness()
    async with relaying(witness.entry(), call_timeout=0.1) as rig:
        (answer,) = await rig.ask(call("x"), context)
        assert answer["id"] == "x"
        assert is_denied(answer, "overdue")
        late = rig.pipe.got[0]
        rig.pipe.result(late, "too late")
        assert await gathered(rig) == []
    assert (None, "overdue", "deny") in witness.verdicts("rejected")


@pytest.mark.parametrize("context", [STDIO, HTTP], ids=["stdio", "http"])
async def test_a_server_that_dies_fails_what_is_open_and_what_comes(context: Any) -> None:
    async with relaying() as rig:
        asked = [rig.ask(call(number), context) for number in range(3)]
        for _ in asked:
            await rig.pipe.next()
        rig.pipe.end("The server ended with exit code 9.")
        for number, task in enumerate(asked):
            (answer,) = await task
            assert answer["id"] == number
            assert is_denied(answer, "unavailable")
            assert "exit code 9" in answer["error"]["message"]
        (answer,) = await rig.ask(call("later"), context)
        assert is_denied(answer, "unavailable")


GARBAGE = [
    b'{"jsonrpc":"2.0","id":"x","result":{"a":1,"a":2}}',
    b'{"jsonrpc":"2.0","id":"x","result":NaN}',
    b'{"jsonrpc":"2.0","id":"x","result":1,"error":{"code":1,"message":"m"}}',
    b'{"jsonrpc":"2.0","id":"x"}',
    b'{"jsonrpc":"2.0","id":"x","result":"\\ud800"}',
    b'{"id":"x","result":1}',
    b'{"jsonrpc":"2.0","id":"x","result":' + b"[" * 100 + b"]" * 100 + b"}",
    b'{"jsonrpc":"2.0","id":"x","error":{"code":"1","message":"m"}}',
]


@pytest.mark.parametrize("data", GARBAGE, ids=range(len(GARBAGE)))
@pytest.mark.parametrize("context", [STDIO, HTTP], ids=["stdio", "http"])
@pytest.mark.requirement("no-blind-spot")
async def test_a_malformed_reply_is_refused_and_recorded_and_its_sender_told(data: bytes, context: Any) -> None:
    witness = Witness()
    async with relaying(witness.entry()) as rig:
        other, asked = rig.ask(call("y")), rig.ask(call("x"), context)
        got = {request["id"]: request for request in (await rig.pipe.next(), await rig.pipe.next())}
        rig.pipe.say(data)
        (answer,) = await asked
        assert answer["id"] == "x"
        assert answer["error"]["data"]["code"] in ("ambiguous", "parse", "invalid", "limit")
        rig.pipe.result(got["y"], "well")
        assert (await other)[0]["result"] == "well"
    assert len(witness.verdicts("rejected")) == 1


@pytest.mark.parametrize("data", [b"Server listening...", b"", b"\xff\xfe", b"DEBUG {}", b"null"])
async def test_noise_between_messages_is_recorded_and_harms_nobody(data: bytes) -> None:
    witness = Witness()
    async with relaying(witness.entry()) as rig:
        asked = rig.ask(call("x"))
        got = await rig.pipe.next()
        rig.pipe.say(data)
        rig.pipe.result(got, "well")
        assert (await asked)[0]["result"] == "well"
        assert await gathered(rig) == []
    assert len(witness.verdicts("rejected")) == 1


async def test_a_malformed_request_of_the_servers_does_not_answer_the_clients_of_the_same_id() -> None:
    async with relaying() as rig:
        asked = rig.ask(call(5))
        got = await rig.pipe.next()
        rig.pipe.say(b'{"jsonrpc":"2.0","id":5,"method":"roots/list","params":[1]}')
        rig.pipe.say(b'{"jsonrpc":"2.0","id":5,"method":"roots/list","params":{"a":NaN}}')
        rig.pipe.result(got, "well")
        assert (await asked)[0].get("result") == "well"


@pytest.mark.parametrize(
    "data",
    [
        b'{"jsonrpc":"2.0","id":5,"result":{"a":NaN}}',
        b'{"jsonrpc":"2.0","id":5,"result":{},"error":{"code":1,"message":"m"}}',
        b'{"jsonrpc":"2.0","id":5,"error":{"code":"1","message":"m"}}',
        b'{"jsonrpc":"2.0","id":5,"result":{}}',
    ],
)
async def test_a_bad_reply_of_the_clients_is_not_answered_under_an_id_of_its_own(data: bytes) -> None:
    """The id is the server's: to the client, an error under it would answer its own request of that id."""
    async with relaying() as rig:
        asked = rig.ask(call(5))
        got = await rig.pipe.next()
        for answer in await rig.ask(data):
            assert answer["id"] is None
        rig.pipe.result(got, "well")
        assert (await asked)[0]["result"] == "well"
        assert len(rig.pipe.got) == 1


async def test_an_overlong_message_fails_the_one_request_that_waits() -> None:
    witness = Witness()
    async with relaying(witness.entry()) as rig:
        asked = rig.ask(call("x"))
        await rig.pipe.next()
        rig.pipe.too_long(10**7)
        (answer,) = await asked
        assert is_denied(answer, "limit")
    assert witness.verdicts("rejected") == [(None, "limit", "deny")]


async def test_a_server_that_floods_while_nobody_reads_costs_bounded_memory() -> None:
    async with relaying() as rig:
        note = {"method": "notifications/message", "params": {"data": "x" * 100}}
        for number in range(20_000):
            rig.pipe.say(note)
            if number % 1000 == 0:
                await asyncio.sleep(0)
        asked = rig.ask(call("x"))
        rig.pipe.result(await rig.pipe.next(), "well")
        assert (await asked)[-1]["result"] == "well"
        assert rig.instance.own.dropped > 0
        assert len(rig.instance.own._events) <= 4096


async def test_a_server_that_takes_nothing_any_more_has_ended() -> None:
    async with relaying(call_timeout=0.1) as rig:
        rig.pipe.held.clear()
        (answer,) = await rig.ask(call("x"))
        assert is_denied(answer, "overdue")
        (answer,) = await rig.ask(call("y"))
        assert is_denied(answer, "overdue")


@pytest.mark.parametrize("shared", [False, True])
async def test_a_client_that_goes_while_its_request_is_being_sent_leaves_nothing_behind(shared: bool) -> None:  # noqa: FBT001 - pytest's
    async with relaying(shared=shared) as rig:
        rig.pipe.held.clear()
        asked = rig.ask(call("x", _meta={**META, "progressToken": "p"}), HTTP)
        await until(lambda: rig.instance._waiting)
        asked.cancel()
        rig.pipe.held.set()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert rig.instance.idle
        assert rig.instance._tokens == {}
        if rig.source.remap is not None:
            assert (rig.source.remap._ids, rig.source.remap._tokens) == ({}, {})


# -- notifications, progress, cancellation ------------------------------------------------------------------------


async def test_a_denied_notification_goes_nowhere() -> None:
    async with relaying(denying("notifications/roots/list_changed", "notifications/message")) as rig:
        assert (await rig.accept({"method": "notifications/roots/list_changed"})).body is None
        await rig.accept({"method": "notifications/initialized"})
        assert [message["method"] for message in rig.pipe.got] == ["notifications/initialized"]
        rig.pipe.say({"method": "notifications/message", "params": {"data": "no"}})
        rig.pipe.say({"method": "notifications/tools/list_changed"})
        assert [message["method"] for message in await gathered(rig)] == ["notifications/tools/list_changed"]


@pytest.mark.parametrize("shared", [False, True])
async def test_progress_finds_its_request(shared: bool) -> None:  # noqa: FBT001 - pytest's
    witness = Witness()
    async with relaying(witness.entry(), shared=shared) as rig:
        asked = {
            name: rig.ask(call(name, _meta={**META, "progressToken": token}), HTTP)
            for name, token in (("a", 1), ("b", "1"))
        }
        got = {
            request["params"]["_meta"]["progressToken"]: request for request in [await rig.pipe.next() for _ in asked]
        }
        for token, request in got.items():
            assert isinstance(token, int) == (
                request["params"]["_meta"]["progressToken"] == token and type(token) is int
            )
            rig.pipe.say({"method": "notifications/progress", "params": {"progressToken": token, "progress": 1}})
            rig.pipe.result(request, "done")
        for name, token in (("a", 1), ("b", "1")):
            progress, result = await asked[name]
            assert (progress["params"]["progressToken"], result["id"]) == (token, name)
    flows = {
        flow.id
        for flow, message in zip(witness.flows, witness.decided, strict=True)
        if message.method == "notifications/progress"
    }
    assert flows == {flow.id for flow in witness.flows}


async def test_a_cancellation_crosses_and_a_late_reply_is_still_judged() -> None:
    witness = Witness()
    async with relaying(witness.entry(), call_timeout=0.2) as rig:
        asked = rig.ask(call(7))
        got = await rig.pipe.next()
        await rig.accept({"method": "notifications/cancelled", "params": {"requestId": 7}})
        assert (await rig.pipe.next())["params"] == {"requestId": 7}
        rig.pipe.result(got, "late")
        assert (await asked)[0]["result"] == "late"
    assert witness.verdicts() == [
        ("request", "tools/call", "allow"),
        ("notification", "notifications/cancelled", "allow"),
        ("result", "tools/call", "allow"),
    ]
    assert len({flow.id for flow in witness.flows}) == 1


async def test_a_cancelled_request_that_is_never_answered_ends_without_an_error() -> None:
    async with relaying(call_timeout=0.1) as rig:
        asked = rig.ask(call(7))
        await rig.pipe.next()
        await rig.accept({"method": "notifications/cancelled", "params": {"requestId": 7}})
        assert await asked == []
        assert len(rig.relay.requests) == 0


async def test_many_cancelled_requests_of_the_servers_do_not_use_up_the_table(caplog: pytest.LogCaptureFixture) -> None:
    async with relaying() as rig:
        own = rig.own()
        for number in range(12_000):
            rig.pipe.say({"id": number, "method": "roots/list"})
            rig.pipe.say({"method": "notifications/cancelled", "params": {"requestId": number}})
            assert (await within(anext(own)))["id"] == number
            assert (await within(anext(own)))["method"] == "notifications/cancelled"
        await own.aclose()  # type: ignore[attr-defined]  # an async generator


async def test_a_client_that_closes_a_modern_stream_cancels_upstream() -> None:
    witness = Witness()
    async with relaying(witness.entry(), shared=True) as rig:
        asking = asyncio.create_task(rig.accept(call("x", _meta={**META, "progressToken": "p"}), HTTP))
        got = await rig.pipe.next()
        rig.pipe.say(
            {"method": "notifications/progress", "params": {"progressToken": got["params"]["_meta"]["progressToken"]}}
        )
        reply = await asking
        assert reply.events is not None
        await anext(reply.events)
        await reply.events.aclose()
        assert (await rig.pipe.next())["params"]["requestId"] == got["id"]
        assert rig.instance.idle
        rig.pipe.result(got, "late")
        assert await gathered(rig) == []
    assert witness.verdicts()[-1] == ("notification", "notifications/cancelled", "allow")


async def test_a_client_cannot_cancel_anothers_request_on_a_shared_instance() -> None:
    async with relaying(shared=True) as rig:
        asked = rig.ask(call(1, _meta=META), HTTP)
        got = await rig.pipe.next()
        for identity in (1, got["id"]):
            (refused,) = await rig.ask({"method": "notifications/cancelled", "params": {"requestId": identity}}, HTTP)
            assert is_denied(refused, "unsolicited")
        rig.pipe.result(got, "well")
        assert (await asked)[0]["result"] == "well"
        assert len(rig.pipe.got) == 1


# -- what a server asks -------------------------------------------------------------------------------------------

ELICIT = {"id": "e", "method": "elicitation/create", "params": {"message": "?"}}


async def test_what_a_server_asks_is_answered_by_the_client_it_asked() -> None:
    witness = Witness()
    async with relaying(witness.entry()) as rig:
        rig.pipe.say(ELICIT)
        own = rig.own()
        assert await within(anext(own)) == {"jsonrpc": "2.0", **ELICIT}
        reply = await rig.accept({"id": "e", "result": {"action": "decline"}})
        assert (reply.status, reply.body) == (202, None)
        assert await rig.pipe.next() == {"jsonrpc": "2.0", "id": "e", "result": {"action": "decline"}}
        (again,) = await rig.ask({"id": "e", "result": {"action": "accept"}})
        assert is_denied(again, "unsolicited")
        await own.aclose()  # type: ignore[attr-defined]  # an async generator
    assert witness.verdicts() == [("request", "elicitation/create", "allow"), ("result", "elicitation/create", "allow")]


async def test_a_denied_request_of_the_servers_gets_an_error_back() -> None:
    async with relaying(denying("elicitation/create")) as rig:
        rig.pipe.say(ELICIT)
        rig.pipe.say({"method": "notifications/tools/list_changed"})
        own = rig.own()
        assert (await within(anext(own)))["method"] == "notifications/tools/list_changed"
        answer = await rig.pipe.next()
        assert answer["id"] == "e"
        assert is_denied(answer)
        (late,) = await rig.ask({"id": "e", "result": {}})
        assert is_denied(late, "unsolicited")
        await own.aclose()  # type: ignore[attr-defined]  # an async generator


@pytest.mark.parametrize(
    "reply", [{"result": {"action": "accept", "content": {"a": "s"}}}, {"error": {"code": 1, "message": "s"}}]
)
async def test_a_denied_reply_of_the_clients_is_an_error_to_the_server(reply: dict[str, Any]) -> None:
    async with relaying(entry(decide=lambda message, *_: Deny("No.") if message.is_reply else None)) as rig:
        rig.pipe.say(ELICIT)
        own = rig.own()
        await within(anext(own))
        await rig.accept({"id": "e", **reply})
        answer = await rig.pipe.next()
        assert answer["id"] == "e"
        assert is_denied(answer)
        assert '"s"' not in json.dumps(answer)
        await own.aclose()  # type: ignore[attr-defined]  # an async generator


async def test_a_server_may_use_an_id_that_the_client_uses_too() -> None:
    async with relaying() as rig:
        asked = rig.ask(call(1))
        got = await rig.pipe.next()
        rig.pipe.say({"id": 1, "method": "roots/list"})
        await until(lambda: len(rig.relay.asked))
        await rig.accept({"id": 1, "result": {"roots": []}})
        assert await rig.pipe.next() == {"jsonrpc": "2.0", "id": 1, "result": {"roots": []}}
        rig.pipe.result(got, "well")
        question, answer = await asked
        assert (question["method"], answer["result"]) == ("roots/list", "well")


# -- subscriptions (2026-07-28) ---------------------------------------------------------------------------------


async def test_what_belongs_to_a_subscription_comes_on_its_stream_under_the_clients_own_id() -> None:
    async with relaying(shared=True) as rig:
        listens = {
            identity: rig.ask(
                {"id": identity, "method": "subscriptions/listen", "params": {"_meta": META, "notifications": {}}}, HTTP
            )
            for identity in ("one", "two")
        }
        got = [await rig.pipe.next() for _ in listens]
        for request, name in zip(got, listens, strict=True):
            tag = {"_meta": {SUBSCRIPTION_KEY: request["id"]}}
            rig.pipe.say({"method": "notifications/subscriptions/acknowledged", "params": tag})
            rig.pipe.say({"method": "notifications/tools/list_changed", "params": {**tag, "name": name}})
        for request in got:
            rig.pipe.result(request, {"_meta": {SUBSCRIPTION_KEY: request["id"]}})
        for identity, task in listens.items():
            acknowledged, changed, result = await task
            assert changed["params"]["name"] == identity
            assert acknowledged["params"]["_meta"][SUBSCRIPTION_KEY] == identity
            assert (result["id"], result["result"]["_meta"][SUBSCRIPTION_KEY]) == (identity, identity)


# -- what later flows know ----------------------------------------------------------------------------------------


async def test_a_call_knows_the_definition_of_its_tool_until_the_list_changes() -> None:
    witness = Witness()
    tool = {"name": "add", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}}
    async with relaying(witness.entry()) as rig:
        own = rig.own()
        listed = rig.ask({"id": 1, "method": "tools/list", "params": {}})
        rig.pipe.result(await rig.pipe.next(), {"tools": [tool, {"name": 5}, None]})
        await listed
        for changed in (False, True):
            if changed:
                rig.pipe.say({"method": "notifications/tools/list_changed"})
                await within(anext(own))
            asked = rig.ask(call(2))
            rig.pipe.result(await rig.pipe.next(), {})
            await asked
        await own.aclose()  # type: ignore[attr-defined]  # an async generator
    known = [
        flow.tool
        for flow, message in zip(witness.flows, witness.decided, strict=True)
        if message.method == "tools/call"
    ]
    assert known == [tool, tool, None, None]


async def test_a_session_knows_what_initialize_said() -> None:
    witness = Witness()
    async with relaying(witness.entry()) as rig:
        said = {"protocolVersion": LEGACY, "clientInfo": {"name": "c", "version": "1"}, "capabilities": {}}
        asked = rig.ask({"id": 0, "method": "initialize", "params": said})
        rig.pipe.result(await rig.pipe.next(), {"protocolVersion": "2025-06-18"})
        await asked
        await rig.accept({"method": "notifications/initialized"})
    assert [flow.version for flow in witness.flows] == [LEGACY, LEGACY, "2025-06-18"]
    assert witness.flows[-1].client.name == "c"


@pytest.mark.requirement("judged-is-sent")
async def test_interceptors_are_told_the_target_of_the_message_as_it_goes_on() -> None:
    seen: list[tuple[str, ...]] = []

    def decide(_message: Message, flow: Any, _findings: Any) -> Deny | None:
        seen.append(tuple(target.name for target in flow.targets))
        return Deny("No.") if "forbidden" in seen[-1] else None

    def transform(message: Message, _flow: Any) -> Message | None:
        return message.replace("/params/name", "forbidden", label="renamed") if message.kind == "request" else None

    by_target = entry({"when": {"targets": ["forbidden"]}}, decide=lambda *_: Deny("No."))
    for denier in (entry(decide=decide), by_target):
        async with relaying(entry(transform=transform), denier) as rig:
            (answer,) = await rig.ask(call(1, "harmless"))
            assert answer["result"]["isError"]
            assert rig.pipe.got == []
    assert seen == [("forbidden",)]


# -- batches (2025-03-26) ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("context", [STDIO, HTTP], ids=["stdio", "http"])
async def test_each_member_of_a_batch_is_judged_by_itself(context: Any) -> None:
    witness = Witness()
    async with relaying(denying("resources/read"), witness.entry(), version=BATCHING) as rig:
        members = [
            call("a"),
            {"id": "b", "method": "resources/read", "params": {"uri": "u"}},
            {"method": "notifications/initialized"},
            call("c"),
        ]
        data = json.dumps([{"jsonrpc": "2.0", **member} for member in members]).encode()
        asked = rig.ask(data, context)
        for _ in range(3):
            got = await rig.pipe.next()
            if "id" in got:
                rig.pipe.result(got, "well")
        answers = [item for answer in await asked for item in (answer if isinstance(answer, list) else [answer])]
        assert {answer["id"]: "error" in answer for answer in answers} == {"a": False, "b": True, "c": False}
        assert sorted(message["method"] for message in rig.pipe.got) == [
            "notifications/initialized",
            "tools/call",
            "tools/call",
        ]
    assert len([item for item in witness.verdicts() if item[0] != "result"]) == 4


@pytest.mark.parametrize("version", ["", "2024-11-05", "2025-06-18", LEGACY])
async def test_a_batch_in_another_version_is_refused_whole(version: str) -> None:
    async with relaying(version=version) as rig:
        (answer,) = await rig.ask(json.dumps([{"jsonrpc": "2.0", **call()}]).encode())
        assert answer["error"]["data"]["code"] == "invalid"
        assert rig.pipe.got == []


async def test_each_member_of_a_servers_batch_is_judged_by_itself() -> None:
    async with relaying(denying("notifications/message"), version=BATCHING) as rig:
        asked = rig.ask(call("a"))
        got = await rig.pipe.next()
        members: list[dict[str, Any]] = [
            {"method": "notifications/message", "params": {"data": "no"}},
            {"method": "notifications/tools/list_changed"},
            {"id": got["id"], "result": "well"},
        ]
        rig.pipe.say(json.dumps([{"jsonrpc": "2.0", **member} for member in members]).encode())
        assert await asked == [{"jsonrpc": "2.0", "id": "a", "result": "well"}]
        assert [message["method"] for message in await gathered(rig)] == ["notifications/tools/list_changed"]


# -- the record -----------------------------------------------------------------------------------------------


@pytest.mark.requirement("no-audit-no-traffic")
async def test_where_nothing_can_be_recorded_nothing_crosses() -> None:
    failing = True

    def observe(*_: Any) -> None:
        if failing:
            raise OSError("disk full")

    async with relaying(entry({"required": True}, observe=observe)) as rig:
        (answer,) = await rig.ask(call("x"))
        assert "record" in json.dumps(answer)
        await rig.accept({"method": "notifications/initialized"})
        assert rig.pipe.got == []
        failing = False
        asked = rig.ask(call("y"))
        got = await rig.pipe.next()
        failing = True
        rig.pipe.result(got, "secret")
        (answer,) = await asked
        assert is_denied(answer, "unrecorded")
        assert answer["id"] == "y"
        rig.pipe.say({"method": "notifications/message", "params": {"data": "secret"}})
        assert await gathered(rig) == []


async def test_streams_that_were_never_read_leave_nothing_behind() -> None:
    """Whoever has an answer may lose its client before reading the first event of it."""
    async with relaying(shared=True) as rig:
        asking = asyncio.create_task(rig.accept(call("x", _meta={**META, "progressToken": "p"}), HTTP))
        got = await rig.pipe.next()
        rig.pipe.say(
            {"method": "notifications/progress", "params": {"progressToken": got["params"]["_meta"]["progressToken"]}}
        )
        reply = await asking
        assert reply.events is not None
        await reply.events.aclose()
        assert rig.instance.idle
        assert (await rig.pipe.next())["method"] == "notifications/cancelled"


async def test_a_closed_relay_answers_what_is_open() -> None:
    async with relaying() as rig:
        asked = rig.ask(call("x"))
        await rig.pipe.next()
        await rig.relay.close()
        await rig.relay.close()
        (answer,) = await asked
        assert is_denied(answer, "unavailable")
        assert rig.pipe.closed
        assert await told(await rig.accept(call("y"))) != []
