"""Clients that send slowly, or never read: each is cut off in time and told, where it can be; others notice nothing."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest
import pytest_asyncio

from robustness.running import stdio_server
from robustness.talking import JSON, MODERN, Answer, Closed, Line, Peer, head_of, others_go_on
from robustness.watching import LOOK, MB, Peak, descriptors, until
from support.proxy import RunningTidegate, running_tidegate

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PATIENCE = 2.0
CUT_WITHIN = PATIENCE + 4.0  # seconds: Tidegate looks once a second, and this machine may be busy
HEAD = {**JSON, "mcp-protocol-version": MODERN}

Slow = Callable[[Line, str], Awaitable[bytes]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tidegate() -> AsyncIterator[RunningTidegate]:
    async with running_tidegate({"odd": stdio_server()}, client_timeout=PATIENCE) as running:
        yield running


async def drip(line: Line, data: bytes) -> None:
    """Send bytes one by one, for as long as they are taken."""
    with suppress(ConnectionError):
        for byte in data:
            await line.send(bytes((byte,)))
            await asyncio.sleep(LOOK)  # sleep: slowness is what is tried here


async def nothing(line: Line, path: str) -> bytes:
    return await line.ended(CUT_WITHIN)


async def a_head_that_never_ends(line: Line, path: str) -> bytes:
    await line.send(head_of("POST", path, HEAD)[:-2])
    dripping = asyncio.create_task(drip(line, b"x-more: 0\r\n" * 1000))
    try:
        return await line.ended(CUT_WITHIN)
    finally:
        dripping.cancel()


async def empty_lines(line: Line, path: str) -> bytes:
    dripping = asyncio.create_task(drip(line, b"\r\n" * 1000))
    try:
        return await line.ended(CUT_WITHIN)
    finally:
        dripping.cancel()


async def a_body_that_never_comes(line: Line, path: str) -> bytes:
    await line.send(head_of("POST", path, HEAD, 1000))
    return await line.ended(2 * CUT_WITHIN)


async def a_body_in_drops(line: Line, path: str) -> bytes:
    await line.send(head_of("POST", path, HEAD, 100_000))
    return await told_then_cut(line, b" " * 100_000)


async def trailers_that_never_end(line: Line, path: str) -> bytes:
    await line.send(head_of("POST", path, {**HEAD, "transfer-encoding": "chunked"}) + b"2\r\n{}\r\n0\r\n")
    return await told_then_cut(line, b"x-more: 0\r\n" * 1000)


async def told_then_cut(line: Line, drops: bytes) -> bytes:
    """Go on sending drops; return the answer that comes in between."""
    dripping = asyncio.create_task(drip(line, drops))
    try:
        answer = await line.answer(CUT_WITHIN)
        await line.ended(CUT_WITHIN)
    finally:
        dripping.cancel()
    return b"HTTP/1.1 %d " % answer.status


@pytest.mark.parametrize(
    ("slow", "status"),
    [
        (nothing, None),
        (empty_lines, 408),
        (a_head_that_never_ends, 408),
        (a_body_that_never_comes, 408),
        (a_body_in_drops, 408),
        (trailers_that_never_end, 408),
    ],
)
async def test_a_client_that_sends_too_slowly_is_told_and_cut_off_and_others_go_on(
    tidegate: RunningTidegate, slow: Slow, status: int | None
) -> None:
    before = descriptors(tidegate.pid)
    async with others_go_on(tidegate.endpoint("odd")):
        lines = [await Line.to(tidegate.url) for _ in range(20)]
        ends = await asyncio.gather(*(slow(line, "/servers/odd/mcp") for line in lines))
        for line in lines:
            await line.close()
    for told in ends:
        assert told.startswith(b"HTTP/1.1 %d " % status if status else b""), told
    await until(lambda: descriptors(tidegate.pid) <= before + 6, "the descriptors' return")


async def test_what_came_of_a_slow_body_is_in_the_audit_log(tidegate: RunningTidegate) -> None:
    before = len(tidegate.records())
    line = await Line.to(tidegate.url)
    await a_body_that_never_comes(line, "/servers/odd/mcp")
    await line.close()
    [record] = [record for record in tidegate.records()[before:] if record["kind"] == "rejected"]
    assert record["verdict"] == "deny"
    assert "didn't come" in record["reason"]


async def test_a_connection_kept_for_the_next_call_isnt_cut_while_it_is_idle(tidegate: RunningTidegate) -> None:
    async with Peer(tidegate.endpoint("odd")) as peer, Peer(tidegate.endpoint("odd")) as slow:
        await peer.echo("one")
        line = await peer.line()
        await a_body_that_never_comes(await slow.line(), "/servers/odd/mcp")  # more than its patience goes by
        assert await peer.echo("two") == "two"
        assert await peer.line() is line


@pytest.mark.parametrize("what", [b"x-more: 0\r\n", b"x: " + b"x" * 1000, b"\r\n"])
async def test_a_head_without_end_is_refused_before_it_takes_memory(tidegate: RunningTidegate, what: bytes) -> None:
    async with Peak(tidegate.pid) as peak, others_go_on(tidegate.endpoint("odd")):
        line = await Line.to(tidegate.url)
        if what != b"\r\n":
            await line.send(head_of("POST", "/servers/odd/mcp", HEAD)[:-2])
        told = b""
        with suppress(ConnectionError, TimeoutError):
            for _ in range(50):
                await line.send(what * (MB // len(what)))
        told = await line.ended(CUT_WITHIN)
        await line.close()
    assert told.startswith(b"HTTP/1.1 431 ") or not told  # a RST may overtake the answer
    assert peak.grown < 10 * MB


async def test_trailers_are_no_headers(tidegate: RunningTidegate) -> None:
    async with Peer(tidegate.endpoint("odd")) as peer:
        await peer.begin()
        session, peer.session = peer.session, None
        body = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
        head = head_of("POST", peer.path, {**JSON, "transfer-encoding": "chunked"})
        line = await peer.line()
        await line.send(
            b"%b%x\r\n%b\r\n0\r\nmcp-session-id: %b\r\n\r\n" % (head, len(body), body, str(session).encode())
        )
        answer = await line.answer()
        assert answer.status == 400
        assert "session id is missing" in answer.tree["error"]["message"]


async def flooding(peer: Peer, size: int) -> Line:
    """Ask for a flood on a connection that takes little; return that connection, its answer unread."""
    line = await Line.to(peer.url, room=4096)
    call = peer.call_of("flood", text="done", of="messages", bytes=size, size=2000)
    await line.send(peer.bytes_of(call))
    return line


async def test_a_client_that_never_reads_its_stream_is_cut_off_and_others_go_on(tidegate: RunningTidegate) -> None:
    async with Peer(tidegate.endpoint("odd")) as peer:
        await peer.begin()
        async with Peak(tidegate.pid) as peak, others_go_on(tidegate.endpoint("odd")):
            line = await flooding(peer, 60 * MB)
            head = await line.head()
            assert head.headers["content-type"] == "text/event-stream"
            await until(lambda: "too slow to read" in tidegate.told(), "the cut of the client that doesn't read")
            with pytest.raises(Closed):
                async for _ in line.events():
                    pass
            await line.close()
        assert peak.grown < 64 * MB
        assert await peer.echo("still there") == "still there"


async def test_a_client_of_http_with_sse_that_never_reads_is_cut_off_and_others_go_on(
    tidegate: RunningTidegate,
) -> None:
    async with Peer(tidegate.endpoint("odd")) as peer, Peak(tidegate.pid) as peak:
        stream = await Line.to(tidegate.url, room=4096)
        await stream.send(head_of("GET", "/servers/odd/sse", {"accept": "text/event-stream"}))
        told = await stream.reader.readuntil(b"\n\n")
        path = told.rpartition(b"data: ")[2].strip().decode()
        start = peer.request("initialize", {"protocolVersion": "2024-11-05"})
        flood = peer.call_of("flood", text="done", of="messages", bytes=400 * MB, size=500_000)
        async with others_go_on(tidegate.endpoint("odd")):
            for tree in (start, flood):
                body = json.dumps(tree).encode()
                line = await peer.line()
                await line.send(head_of("POST", path, JSON, len(body)) + body)
                assert (await line.answer()).status == 202
            before = len(tidegate.stderr.read_text())
            await until(lambda: "too slow to read" in tidegate.stderr.read_text()[before:], "the cut of the client")
        await stream.close()
    assert peak.grown < 100 * MB


async def test_an_answer_that_is_taken_slowly_but_steadily_arrives_whole(tidegate: RunningTidegate) -> None:
    async with Peer(tidegate.endpoint("odd")) as peer:
        call = peer.call_of("echo", text="x" * MB)
        line = await Line.to(peer.url, room=4096)
        await line.send(peer.bytes_of(call))
        head = await line.head()
        got = bytearray()
        begun = time.monotonic()
        while len(got) < int(head.headers["content-length"]):
            got += await line.reader.read(4096)
            if time.monotonic() < begun + 2 * PATIENCE:
                await asyncio.sleep(LOOK)  # sleep: slowness is what is tried here
        await line.close()
        assert Answer(*head, bytes(got)).tree["result"]["content"][0]["text"] == "x" * MB
