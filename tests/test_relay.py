"""What crosses between a client and a server: all of it judged, matched to its request, and never to another's."""

import asyncio
import json
from typing import Any

import pytest

from support.pipes import HTTP, STDIO, call, denying, gathered, is_denied, relaying, told
from support.rig import Witness, entry
from support.web import within
from tidegate import Deny, Hold, Message, Redact
from tidegate.methods import MODERN, VERSION_KEY

LEGACY = "2025-11-25"
META = {VERSION_KEY: MODERN}


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
