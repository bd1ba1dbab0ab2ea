"""Servers on stdio that say too much: it takes no memory, and keeps nobody waiting but who asked for it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from robustness.running import stdio_server
from robustness.talking import Peer, others_go_on, session
from robustness.watching import MB, Peak
from support.proxy import RunningTidegate, running_tidegate

pytestmark = [pytest.mark.slow, pytest.mark.asyncio]


@pytest_asyncio.fixture
async def tidegate() -> AsyncIterator[RunningTidegate]:
    """One for each test: when what a flood took is given back to the system is up to the allocator."""
    async with running_tidegate({"odd": stdio_server(), "calm": stdio_server()}) as running:
        yield running


@pytest.mark.parametrize(
    ("kind", "size", "volume"),
    [
        ("messages", 100_000, 200 * MB),
        ("messages", 100, 2 * MB),
        ("replies", 100_000, 200 * MB),
        ("replies", 100, 5 * MB),
        ("garbage", 1000, 50 * MB),
        ("garbage", 1, 2 * MB),
    ],
)
async def test_a_flood_takes_no_memory_and_keeps_nobody_else_waiting(
    tidegate: RunningTidegate, kind: str, size: int, volume: int
) -> None:
    async with (
        session(tidegate.endpoint("odd")) as peer,
        Peak(tidegate.pid) as peak,
        others_go_on(tidegate.endpoint("calm")),
    ):
        told = await peer.call("flood", of=kind, size=size, bytes=volume, text="done")
        assert told["result"]["content"][0]["text"] == "done"
    assert peak.grown < 96 * MB


async def test_on_a_shared_server_a_client_that_is_flooded_is_cut_off_and_the_others_go_on(
    tidegate: RunningTidegate,
) -> None:
    calm = tidegate.endpoint("calm")
    async with Peer(tidegate.endpoint("odd")) as peer, Peak(tidegate.pid) as peak, others_go_on(calm):
        told = await peer.call("flood", of="messages", size=100_000, bytes=200 * MB, text="done")
        assert "result" in told or "reads too slowly" in told["error"]["message"]
    assert peak.grown < 96 * MB


async def test_a_flood_of_standard_error_takes_no_memory_and_blocks_nothing(tidegate: RunningTidegate) -> None:
    async with (
        session(tidegate.endpoint("odd")) as peer,
        Peak(tidegate.pid) as peak,
        others_go_on(tidegate.endpoint("calm")),
    ):
        told = await peer.call("complain", bytes=200 * MB, text="done")
        assert told["result"]["content"][0]["text"] == "done"
    assert peak.grown < 10 * MB


async def test_a_line_of_ten_megabytes_is_refused_and_the_next_one_taken(tidegate: RunningTidegate) -> None:
    async with session(tidegate.endpoint("odd")) as peer, Peak(tidegate.pid) as peak:
        told = await peer.call("long_line", bytes=10 * MB, text="done")
        assert "longer than 4194304 bytes" in told["error"]["message"]
        assert await peer.echo("next") == "next"
    assert peak.grown < 20 * MB


async def test_requests_of_a_server_that_nobody_answers_end_at_a_limit(tidegate: RunningTidegate) -> None:
    async with (
        session(tidegate.endpoint("odd")) as peer,
        Peak(tidegate.pid) as peak,
        others_go_on(tidegate.endpoint("calm")),
    ):
        told = await peer.call("ask_back", count=12_000, text="done")
        assert told["result"]["content"][0]["text"] == "done", "what it asks too much is refused, not who called it"
        assert any("10000 requests are open" in (record["reason"] or "") for record in tidegate.records())
        assert await peer.echo("next") == "next"
    assert peak.grown < 60 * MB
