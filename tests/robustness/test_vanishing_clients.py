"""Clients that go away without a word: what ran for them ends, and nothing of it is left."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from robustness.running import raise_limit, stdio_server
from robustness.talking import Peer, head_of, others_go_on
from robustness.watching import MB, descendants, descriptors, running, until
from support.proxy import RunningTidegate, running_tidegate

SESSIONS, KINDS = 40, 8
IDLE = 1.0  # the idle_timeout, and the call_timeout too
KEEPER = 1  # of the processes below Tidegate

Vanish = Callable[[Peer], Awaitable[None]]


async def deletes(peer: Peer) -> None:
    assert (await peer.end()).status == 200
    await (await peer.drop()).close()


async def closes(peer: Peer) -> None:
    await (await peer.drop()).close()


async def resets_amid_a_call(peer: Peer) -> None:
    line = await peer.drop()
    await line.send(peer.bytes_of(peer.call_of("hang")))
    line.reset()


async def half_closes_amid_a_call(peer: Peer) -> None:
    line = await peer.drop()
    await line.send(peer.bytes_of(peer.call_of("hang")))
    line.half_close()
    await line.ended()
    await line.close()


async def resets_amid_a_body(peer: Peer) -> None:
    line = await peer.drop()
    await line.send(head_of("POST", peer.path, peer.headers({}), 1000) + b'{"jsonrpc":')
    line.reset()


async def half_closes_amid_a_body(peer: Peer) -> None:
    line = await peer.drop()
    await line.send(head_of("POST", peer.path, peer.headers({}), 1000) + b'{"jsonrpc":')
    line.half_close()
    await line.ended()
    await line.close()


async def resets_amid_a_streamed_answer(peer: Peer) -> None:
    line = await peer.drop()
    await line.send(peer.bytes_of(peer.call_of("flood", of="messages", size=1000, bytes=2 * MB, text="done")))
    await line.reader.readuntil(b"data: ")
    line.reset()


async def resets_its_own_stream(peer: Peer) -> None:
    stream = await peer.listen()
    await (await peer.drop()).close()
    stream.reset()


VANISH: list[Vanish] = [
    deletes,
    closes,
    resets_amid_a_call,
    half_closes_amid_a_call,
    resets_amid_a_body,
    half_closes_amid_a_body,
    resets_amid_a_streamed_answer,
    resets_its_own_stream,
]


@pytest.mark.requirement("no-orphans")
async def test_forty_sessions_that_vanish_in_every_way_leave_no_process_and_no_descriptor(tmp_path: Path) -> None:
    raise_limit()
    servers = {"odd": stdio_server(str(tmp_path)), "calm": stdio_server()}
    async with running_tidegate(servers, folder=tmp_path, idle_timeout=IDLE, call_timeout=IDLE) as tidegate:
        before = descriptors(tidegate.pid)
        async with others_go_on(tidegate.endpoint("calm")):
            await _begin_and_vanish(tidegate, tmp_path)
        await until(lambda: len(descendants(tidegate.pid)) <= KEEPER, "the end of all servers")
        await until(lambda: descriptors(tidegate.pid) <= before + 4, "the return of the descriptors")


async def _begin_and_vanish(tidegate: RunningTidegate, mark: Path) -> None:
    peers = [Peer(tidegate.endpoint("odd")) for _ in range(SESSIONS)]
    await asyncio.gather(*(peer.begin() for peer in peers))
    started = running("stdio.py", str(mark))
    assert len(started) == SESSIONS
    await asyncio.gather(*(VANISH[number % KINDS](peer) for number, peer in enumerate(peers)))
    await until(lambda: not running("stdio.py", str(mark)), "the end of the sessions' servers")


async def test_a_client_that_goes_while_it_begins_leaves_nothing(tmp_path: Path) -> None:
    servers = {"odd": stdio_server(str(tmp_path)), "dumb": {"command": ["sleep", "3600"]}}
    async with running_tidegate(servers, folder=tmp_path, idle_timeout=IDLE, call_timeout=IDLE) as tidegate:
        before = descriptors(tidegate.pid)
        for server in ("odd", "dumb"):
            peer = Peer(tidegate.endpoint(server))
            for _ in range(5):
                line = await peer.drop()
                await line.send(peer.bytes_of(peer.request("initialize", {"protocolVersion": "2025-11-25"})))
                line.reset()
        await until(lambda: _starts(tidegate) == 10, "the start of all servers")
        await until(lambda: len(descendants(tidegate.pid)) <= KEEPER, "the end of all servers")
        await until(lambda: descriptors(tidegate.pid) <= before + 4, "the return of the descriptors")


def _starts(tidegate: RunningTidegate) -> int:
    return sum("started in" in str(record["reason"]) for record in tidegate.records())


@pytest.mark.parametrize("how", ["reset", "half-close", "close"])
async def test_a_stateless_client_that_goes_away_cancels_its_call_and_no_other(tmp_path: Path, how: str) -> None:
    log = tmp_path / "got.jsonl"
    async with running_tidegate({"odd": stdio_server("--log", str(log))}, folder=tmp_path) as tidegate:
        endpoint = tidegate.endpoint("odd")
        async with Peer(endpoint) as goes, Peer(endpoint) as stays:
            line = await goes.drop()
            await line.send(goes.bytes_of(goes.call_of("hang", 1)))
            await until(lambda: log.exists() and "hang" in log.read_text(), "the call's arrival")
            [asked] = [json.loads(each)["id"] for each in log.read_text().splitlines()]
            answered = asyncio.create_task(stays.echo("still here", 1))
            if how == "reset":
                line.reset()
            elif how == "half-close":
                line.half_close()
            else:
                line.writer.close()
            await until(lambda: "cancelled" in log.read_text(), "the cancellation")
            assert await answered == "still here"
            cancelled = [json.loads(each) for each in log.read_text().splitlines() if "cancelled" in each]
            assert [message["params"]["requestId"] for message in cancelled] == [asked]
            await line.close()
