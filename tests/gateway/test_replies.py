"""Replies of relays as the gateway passes them on: bodies, streams, and what their events are called."""

import asyncio
import contextlib
from typing import Any

import pytest

from tidegate import wire
from tidegate.gateway.replies import bare, cancelled, condensed, streamed
from tidegate.streams import Out, Outs, Reply
from tidegate.upstream import Context, primed


def out(tree: dict[str, Any], **more: Any) -> Out:
    message = wire.classify({"jsonrpc": "2.0", **tree}, "server")
    return Out(message.encoded, message=message, **more)


RESULT = out({"id": 1, "result": {}})
NOTICE = out({"method": "notifications/message", "params": {}})


async def _outs(*said: Out, closed: list[bool]) -> Outs:
    try:
        yield Out(None)
        for each in said:
            yield each
    finally:
        closed.append(True)


async def stream(*said: Out) -> tuple[Outs, list[bool]]:
    closed: list[bool] = []
    return await primed(_outs(*said, closed=closed)), closed


async def read(reply: Reply) -> list[Out]:
    assert reply.events is not None
    return [each async for each in reply.events]


async def test_status_and_headers_of_a_servers_connection_are_its_own() -> None:
    body = await bare(Reply(201, {"mcp-session-id": "of-the-server"}, RESULT.data, message=RESULT.message))
    assert (body.status, body.headers, body.body, body.message) == (200, {}, RESULT.data, RESULT.message)
    nothing = await bare(Reply(404, {"x": "y"}))
    assert (nothing.status, nothing.headers, nothing.body) == (404, {}, None)
    events, _ = await stream(RESULT)
    assert (await bare(Reply(203, {"x": "y"}, events=events))).headers == {}


async def test_ids_of_events_say_whose_they_are_or_are_left_out() -> None:
    said = [out({"method": "notifications/message"}, id="7"), Out(None, "8", 100), RESULT]
    events, _ = await stream(*said)
    assert [(each.id, each.retry) for each in await read(await bare(Reply(events=events), "one"))] == [
        ("one/7", None),
        ("one/8", 100),
        (None, None),
    ]
    events, _ = await stream(*said)
    assert [(each.data, each.id) for each in await read(await bare(Reply(events=events)))] == [
        (said[0].data, None),
        (RESULT.data, None),
    ]


async def test_a_stream_that_its_reader_leaves_is_closed_at_its_source() -> None:
    for passed in (lambda reply: bare(reply, "one"), bare):
        events, closed = await stream(NOTICE, RESULT)
        reply = await passed(Reply(events=events))
        assert reply.events is not None
        await anext(reply.events)
        await reply.events.aclose()
        assert closed == [True]
    events, closed = await stream(NOTICE, RESULT)
    reply = await condensed(events, Context(http=True))
    assert reply.events is not None
    await anext(reply.events)
    await reply.events.aclose()
    assert closed == [True]


async def test_a_stream_whose_first_message_is_its_last_becomes_a_body_for_a_client_of_http() -> None:
    events, closed = await stream(Out(None, "1"), RESULT)
    reply = await condensed(events, Context(http=True))
    assert (reply.body, reply.message, reply.events) == (RESULT.data, RESULT.message, None)
    assert closed == [True]
    events, _ = await stream(RESULT)
    assert [each.data for each in await read(await condensed(events, Context()))] == [RESULT.data]


async def test_a_stream_with_more_stays_one_and_one_with_nothing_says_nothing() -> None:
    events, _ = await stream(NOTICE, RESULT)
    assert await read(await condensed(events, Context(http=True))) == [NOTICE, RESULT]
    events, _ = await stream()
    assert (await condensed(events, Context(http=True))).status == 202


async def test_bytes_that_are_no_message_of_a_server_end_a_stream_as_a_reply_does() -> None:
    events, _ = await stream(Out(b"{}"), NOTICE)
    assert (await condensed(events, Context(http=True))).body == b"{}"


@pytest.mark.parametrize(
    ("accept", "becomes"),
    [("text/event-stream, application/json", True), ("application/json, text/event-stream", False), ("", False)],
)
async def test_a_body_is_a_stream_for_who_prefers_streams(accept: str, becomes: bool) -> None:  # noqa: FBT001 - pytest passes by name
    reply = Reply(body=RESULT.data, message=RESULT.message)
    found = await streamed(reply, Context(http=True, headers={"accept": accept}))
    assert (found.events is not None) is becomes
    if becomes:
        assert await read(found) == [RESULT]
    assert await streamed(Reply(404, body=b"{}"), Context(http=True, headers={"accept": accept})) is not found


async def test_tasks_that_are_cancelled_have_ended_when_that_is_said() -> None:
    ended: list[int] = []

    async def work(number: int) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        ended.append(number)

    tasks = [asyncio.create_task(work(number)) for number in range(3)]
    await asyncio.sleep(0)
    await cancelled(tasks)
    assert sorted(ended) == [0, 1, 2]
    await cancelled([])
