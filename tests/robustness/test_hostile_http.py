"""Servers over HTTP that do what they shouldn't: whoever asked gets an answer or a clear error, and others go on."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from robustness.running import Asked, Script, Scripted, chunk, event, http, said, stream_head
from robustness.talking import Peer, others_go_on
from robustness.watching import MB, Peak, descriptors, until
from support.proxy import RunningTidegate, running_tidegate

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SILENCE = 2.0  # the call_timeout of all these
Writer = asyncio.StreamWriter


def answer(asked: Asked) -> bytes:
    """Return the ordinary answer to a call."""
    return http(json.dumps(said(asked, asked.tree["params"]["arguments"].get("text", ""))))


def raw(data: bytes, *, close: bool = False) -> Script:
    """Write bytes, whatever was asked."""

    async def script(_asked: Asked, writer: Writer) -> None:
        writer.write(data)
        if close:
            await writer.drain()
            writer.close()

    return script


def endless(head: bytes, again: bytes) -> Script:
    """Write a beginning, and then the same for ever."""

    async def script(_asked: Asked, writer: Writer) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(0)

    return script


def stream(*parts: Any, end: bool = True) -> Script:
    """Write a stream of events; a part that is a function makes one of what was asked."""

    async def script(asked: Asked, writer: Writer) -> None:
        writer.write(stream_head())
        for part in parts:
            writer.write(part(asked) if callable(part) else part)
            await writer.drain()
        if end:
            writer.write(chunk(b""))
        else:
            await until(writer.transport.is_closing, "the end of the connection")

    return script


async def echo(asked: Asked, writer: Writer) -> None:
    writer.write(answer(asked))


async def split(asked: Asked, writer: Writer) -> None:
    """Send a second answer behind the first: the next one who asks over this connection must not get it."""
    again = {**asked.tree, "params": {"arguments": {"text": "somebody else's"}}}
    writer.write(answer(asked) + answer(Asked(asked.method, asked.headers, json.dumps(again).encode())))


async def split_later(asked: Asked, writer: Writer) -> None:
    writer.write(answer(asked))
    await writer.drain()
    writer.write(answer(asked))


async def closes_silently(asked: Asked, writer: Writer) -> None:
    writer.write(answer(asked))
    await writer.drain()
    writer.close()


async def resets(_asked: Asked, writer: Writer) -> None:
    writer.transport.abort()


async def never(_asked: Asked, writer: Writer) -> None:
    await until(writer.transport.is_closing, "the end of the connection")


async def half_an_event(asked: Asked, writer: Writer) -> None:
    writer.write(stream_head() + event(said(asked, "x"))[:40])
    await writer.drain()
    writer.close()


def notification(size: int) -> bytes:
    params = {"level": "info", "data": "x" * size}
    return event({"jsonrpc": "2.0", "method": "notifications/message", "params": params})


def reply(asked: Asked) -> bytes:
    return event(said(asked, "done"))


def other_id(asked: Asked) -> bytes:
    return event({**said(asked, "another's"), "id": 10_000_000 + asked.tree["id"]})


def long_body(asked: Asked) -> bytes:
    return chunk(b"data: " + json.dumps(said(asked, "x" * 5 * MB)).encode() + b"\n\n")


OK_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
CHUNKED = OK_HEAD + b"transfer-encoding: chunked\r\n\r\n"
# What each must come to: a part of the error's message.
BROKEN: dict[str, tuple[Script, str]] = {
    "cut amid the body": (
        raw(OK_HEAD + b'content-length: 1000\r\n\r\n{"jsonrpc"', close=True),
        "before its answer was",
    ),
    "cut amid a chunk": (raw(CHUNKED + b"64\r\n{", close=True), "before its answer was whole"),
    "cut amid the head": (raw(b"HTTP/1.1 200 OK\r\ncontent-", close=True), "before its answer was whole"),
    "reset": (resets, "before its answer was whole"),
    "a length that is too short": (raw(OK_HEAD + b'content-length: 5\r\n\r\n{"jsonrpc":"2.0"}'), "not a JSON text"),
    "a length that is too long": (raw(OK_HEAD + b"content-length: 50\r\n\r\n{}"), "didn't answer in time"),
    "a length that is none": (raw(OK_HEAD + b"content-length: ten\r\n\r\n{}"), "not HTTP"),
    "two lengths": (raw(OK_HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}"), "not HTTP"),
    "a length and chunks": (raw(CHUNKED[:-2] + b"content-length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n"), "not HTTP"),
    "a chunk's size that is none": (raw(CHUNKED + b"xyz\r\n{}\r\n"), "not HTTP"),
    "no HTTP at all": (raw(b"hello\r\n\r\n"), "not HTTP"),
    "binary": (raw(bytes(range(256)) * 4), "not HTTP"),
    "a control character in a header": (raw(OK_HEAD + b"x: a\0b\r\ncontent-length: 2\r\n\r\n{}"), "not HTTP"),
    "a head without end": (endless(OK_HEAD, b"x-more: 0\r\n" * 100), "head of the server's answer is too long"),
    "a header without end": (endless(OK_HEAD + b"x: ", b"x" * 1000), "head of the server's answer is too long"),
    "provisional answers without end": (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 50), "too long"),
    "trailers without end": (endless(CHUNKED + b"2\r\n{}\r\n0\r\n", b"x-more: 0\r\n" * 100), "too long"),
    "a trailer without end": (endless(CHUNKED + b"2\r\n{}\r\n0\r\nx: ", b"x" * 1000), "too long"),
    "a chunk's extension without end": (endless(CHUNKED + b"2;x=", b"x" * 1000), "too long"),
    "a body without end": (endless(CHUNKED, chunk(b" " * 10_000)), "longer than 4194304 bytes"),
    "a body until the end of the connection that has none": (endless(OK_HEAD + b"\r\n", b" " * 10_000), "longer than"),
    "a length of a petabyte": (endless(OK_HEAD + b"content-length: %d\r\n\r\n" % 10**15, b" " * 10_000), "longer than"),
    "a redirect": (raw(http(b"", status="307 Temporary Redirect", location="http://127.0.0.1:1/")), "redirect"),
    "compressed": (raw(http(gzip.compress(b"{}"), content_encoding="gzip")), "compressed its answer"),
    "an error page": (
        raw(http("<h1>Oops</h1>", status="500 Oops", kind="text/html")),
        "HTTP status 500 and no message",
    ),
    "a page": (raw(http("<h1>Hello</h1>", kind="text/html")), "not a JSON text"),
    "no content": (raw(b"HTTP/1.1 204 No Content\r\n\r\n"), "HTTP status 204 and no message"),
    "only accepted": (raw(http(b"", status="202 Accepted")), "HTTP status 202 and no message"),
    "nothing": (raw(http(b"")), "HTTP status 200 and no message"),
    "a key twice": (raw(http('{"jsonrpc":"2.0","id":1,"id":2,"result":{}}')), "A key stands twice"),
    "NaN": (raw(http('{"jsonrpc":"2.0","id":1,"result":{"a":NaN}}')), "not a JSON text"),
    "another's answer": (raw(http('{"jsonrpc":"2.0","id":"another\'s","result":{}}')), "no reply to the request"),
    "a notification": (raw(http('{"jsonrpc":"2.0","method":"x"}')), "no reply to the request"),
    "silence": (never, "didn't answer in time"),
    "a stream without events": (stream(), "without a reply"),
    "a stream without a reply": (stream(notification(10), notification(10)), "without a reply"),
    "a stream of comments": (stream(chunk(b": still here\n\n") * 100), "without a reply"),
    "a stream with another's reply": (stream(other_id), "without a reply"),
    "a stream that is silent": (stream(notification(10), end=False), "didn't answer in time"),
    "a stream that is cut": (half_an_event, "before its answer was whole"),
    "a stream that is not UTF-8": (stream(chunk(b"data: \xff\xfe\n\n"), reply), "not a JSON text"),
    "a stream with a long reply": (stream(long_body), "longer than 4194304 bytes"),
    "an event without end": (endless(stream_head() + chunk(b"data: "), chunk(b"x" * 10_000)), "longer than 4194304"),
}
GOOD: dict[str, Script] = {
    "echo": echo,
    "split": split,
    "split later": split_later,
    "a stream that replies twice": stream(reply, reply),
    "a stream that goes on after its reply": stream(reply, notification(10), other_id),
    "a stream that floods": stream(*[notification(100_000)] * 700, reply),
    "a stream of five thousand events": stream(notification(10) * 5000, reply),
    "a stream in single bytes": stream(lambda asked: b"".join(chunk(bytes((byte,))) for byte in _bare(asked))),
    "a stream with fields nobody knows": stream(
        chunk(b"\xef\xbb\xbffoo: bar\nretry: x\nevent: other\ndata: {}\n\n"), reply
    ),
    "a stream that ends unasked": stream(reply, end=False),
}


def _bare(asked: Asked) -> bytes:
    return b"data: " + json.dumps(said(asked, "done")).encode() + b"\r\n\r\n"


class Once:
    """Answers all but the second request of a connection: that one it takes, and closes."""

    def __init__(self) -> None:
        self.seen: set[Writer] = set()

    async def __call__(self, asked: Asked, writer: Writer) -> None:
        if writer in self.seen:
            writer.transport.abort()
        else:
            self.seen.add(writer)
            writer.write(answer(asked))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Scripted]:
    scripts: dict[str, Script] = {
        **GOOD,
        "closes silently": closes_silently,
        "once": Once(),
        **{name: script for name, (script, _) in BROKEN.items()},
    }
    async with Scripted(scripts).serving() as serving:
        yield serving


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tidegate(server: Scripted) -> AsyncIterator[RunningTidegate]:
    async with running_tidegate({"odd": {"url": server.url}}, call_timeout=SILENCE) as running:
        yield running


@pytest.mark.parametrize("what", BROKEN)
async def test_an_answer_that_is_none_is_a_clear_error_and_others_go_on(
    tidegate: RunningTidegate, server: Scripted, what: str
) -> None:
    endpoint = tidegate.endpoint("odd")
    async with Peak(tidegate.pid) as peak, others_go_on(endpoint), Peer(endpoint) as peer:
        begun = time.monotonic()
        told = await peer.call(what, seconds=SILENCE + 10)
        assert BROKEN[what][1] in told["error"]["message"]
        assert time.monotonic() - begun < SILENCE + 3
        assert len(server.calls[what]) == 1  # a call is never repeated
    assert peak.grown < 40 * MB


@pytest.mark.parametrize("what", GOOD)
async def test_a_good_answer_with_bad_manners_arrives_and_the_next_one_is_right_too(
    tidegate: RunningTidegate, what: str
) -> None:
    endpoint = tidegate.endpoint("odd")
    async with Peak(tidegate.pid) as peak, others_go_on(endpoint), Peer(endpoint) as peer:
        for number in range(3):
            told = await peer.call(what, 5, text="done")
            assert told["result"]["content"][0]["text"] == "done"
            assert await peer.echo(f"next {number}", 5) == f"next {number}"
    assert peak.grown < 40 * MB


async def test_a_kept_connection_that_the_server_closes_meanwhile_is_not_used_again(tidegate: RunningTidegate) -> None:
    async with Peer(tidegate.endpoint("odd")) as peer:
        assert await peer.echo("first") == "first"
        before = descriptors(tidegate.pid)
        for number in range(5):
            told = await peer.call("closes silently", text="done")
            assert told["result"]["content"][0]["text"] == "done"
            await until(lambda: descriptors(tidegate.pid) < before, "the end of the connection")
            assert await peer.echo(f"next {number}") == f"next {number}"


async def test_a_call_is_not_repeated_where_a_kept_connection_turns_out_to_be_closed_but_a_list_is(
    tidegate: RunningTidegate, server: Scripted
) -> None:
    async with Peer(tidegate.endpoint("odd")) as peer:
        told = [await peer.call("once", text="done") for _ in range(20)]
        lost = sum("error" in message for message in told)
        assert 0 < lost < len(told)
        assert len(server.calls["once"]) == len(told)  # each arrived once, and not one was repeated
        for message in told:
            if "error" in message:
                assert "before its answer was whole" in message["error"]["message"]


async def test_a_list_is_asked_for_again_where_a_kept_connection_turns_out_to_be_closed() -> None:
    lists = 0
    again: set[Writer] = set()

    async def odd_lists(asked: Asked, writer: Writer) -> None:
        nonlocal lists
        if asked.tree["method"] != "tools/list":
            return writer.write(answer(asked))
        lists += 1
        if writer in again:
            return writer.transport.abort()
        again.add(writer)
        return writer.write(http(json.dumps({"jsonrpc": "2.0", "id": asked.tree["id"], "result": {"tools": []}})))

    async with (
        Scripted({"echo": echo}, other=odd_lists).serving() as server,
        running_tidegate({"odd": {"url": server.url}}) as tidegate,
        Peer(tidegate.endpoint("odd")) as peer,
    ):
        for _ in range(5):
            told = await peer.ask(peer.request("tools/list", {}))
            assert told["result"]["tools"] == []
        assert lists > 5


async def test_a_stream_that_never_ends_ends_with_its_client(tidegate: RunningTidegate, server: Scripted) -> None:
    async with Peer(tidegate.endpoint("odd")) as peer:
        before = descriptors(tidegate.pid)
        lines = []
        for _ in range(20):
            line = await peer.drop()
            await line.send(peer.bytes_of(peer.call_of("a stream that is silent")))
            head = await line.head()
            assert head.headers["content-type"] == "text/event-stream"
            lines.append(line)
        for line in lines:
            line.reset()
        await until(lambda: descriptors(tidegate.pid) <= before + 2, "the end of the streams")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/mcp", "http://nowhere.invalid/mcp", "https://127.0.0.1:{port}/mcp"]
)
async def test_a_server_that_cannot_be_reached_is_a_clear_error(server: Scripted, url: str) -> None:
    there = url.format(port=server.url.rpartition(":")[2].partition("/")[0])
    servers = {"none": {"url": there}}
    async with running_tidegate(servers, start_timeout=1) as running, Peer(running.endpoint("none")) as peer:
        told = await peer.call("echo", text="x")
        assert "can't be reached" in told["error"]["message"]
        again = await peer.ask(peer.request("initialize", {}))
        assert again["error"]["code"] == told["error"]["code"]
