"""Load from all sides: clients of both eras that call a server over HTTP and one on stdio, until it is enough."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from robustness.talking import Closed, Peer
from support.proxy import RunningTidegate

_numbers = itertools.count(1)


class Load:
    """Clients that call without a pause. What breaks off is begun anew, for as long as the block runs.

    Attributes:
        answered: how many calls had their answer.
    """

    def __init__(self, tidegate: RunningTidegate) -> None:
        self.answered = 0
        self._tidegate = tidegate

    def has_answered(self, count: int) -> bool:
        """Whether so many calls had their answer."""
        return self.answered >= count

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Load"]:
        """Keep calling while the block runs."""
        ways = [("echo", True), ("echo", True), ("echo", False), ("echo", False), ("odd", True), ("odd", False)]
        tasks = [asyncio.create_task(self._client(server, legacy=legacy)) for server, legacy in ways]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for task in tasks:
                if not task.cancelled():
                    task.result()

    async def _client(self, server: str, *, legacy: bool) -> None:
        while True:
            with suppress(ConnectionError, Closed, asyncio.IncompleteReadError, Refused):
                async with Peer(self._tidegate.endpoint(server)) as peer:
                    await self._calls(peer, legacy=legacy)
            await asyncio.sleep(0)

    async def _calls(self, peer: Peer, *, legacy: bool) -> None:
        if legacy:
            try:
                await peer.begin()
            except (AssertionError, KeyError):
                raise Refused from None
        for _ in range(30):
            text = f"call {next(_numbers)}"
            told = await peer.call("echo", text=text)
            if not told or "error" in told:
                raise Refused
            assert told["result"]["content"][0]["text"] == text
            self.answered += 1
        if legacy:
            await peer.end()


class Refused(Exception):  # noqa: N818 - it says what happened
    """An error came instead of an answer."""
