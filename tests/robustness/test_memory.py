"""Twenty thousand calls take no more memory than five thousand."""

import asyncio
from pathlib import Path

import pytest

from robustness.running import echo_upstream, stdio_server
from robustness.talking import Peer
from robustness.watching import MB, descriptors, memory
from support.proxy import running_tidegate

pytestmark = pytest.mark.slow

CLIENTS = 10
FIRST, ALL = 5_000, 20_000
GROWTH = 5 * MB


async def test_twenty_thousand_calls_take_no_more_memory_than_five_thousand(tmp_path: Path) -> None:
    async with (
        echo_upstream(tmp_path) as url,
        running_tidegate({"echo": {"url": url}, "odd": stdio_server()}, folder=tmp_path) as tidegate,
    ):

        async def client(number: int, calls: int) -> None:
            """One of both eras, before a server over HTTP or on stdio; a new one every 250 calls."""
            server, legacy = ("echo", "odd")[number % 2], number % 4 < 2
            for begun in range(0, calls, 250):
                async with Peer(tidegate.endpoint(server)) as peer:
                    if legacy:
                        await peer.begin()
                    for count in range(250):
                        assert await peer.echo(f"{number}/{begun + count}") == f"{number}/{begun + count}"
                    if legacy:
                        await peer.end()

        await asyncio.gather(*(client(number, FIRST // CLIENTS) for number in range(CLIENTS)))
        before, open_then = memory(tidegate.pid), descriptors(tidegate.pid)
        await asyncio.gather(*(client(number, (ALL - FIRST) // CLIENTS) for number in range(CLIENTS)))
        assert memory(tidegate.pid) - before < GROWTH
        assert descriptors(tidegate.pid) <= open_then + 4
