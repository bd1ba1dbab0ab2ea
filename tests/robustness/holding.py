"""Sessions with a call that is never answered, so that there is always one to fail; and load in all of them."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

from robustness.talking import Peer

STARTING = 90.0  # seconds until what takes long on a busy machine counts as never happening
LOOK = 0.1  # seconds between two calls that may fail


class Holder:
    """One session with a call that is never answered, for as long as its server lives, and short ones beside it.

    Attributes:
        container: what it runs in.
        failed: when the pending call failed, by the monotonic clock.
    """

    def __init__(self, url: str) -> None:
        self.container = ""
        self.failed = 0.0
        self._peer, self._pending = Peer(url), Peer(url)
        self._holding: asyncio.Task[Any] | None = None
        self._one = asyncio.Lock()  # a connection carries one call at a time

    async def begin(self) -> None:
        """Begin the session, and the call that stays."""
        await self._peer.begin()
        self._pending.session = self._peer.session
        await self.hold()

    async def hold(self) -> None:
        """Begin the call that stays, in the container that is there."""
        async with self._one:
            told = await self._peer.call("who", seconds=STARTING)
        self.container = told["result"]["content"][0]["text"]
        self._holding = asyncio.create_task(self._held())

    async def _held(self) -> Any:
        try:
            return await self._pending.call("hold", seconds=STARTING)
        finally:
            self.failed = time.monotonic()

    async def broken(self) -> str:
        """Wait until the pending call fails; return why."""
        assert self._holding is not None
        told = await self._holding
        assert "error" in told, told
        return str(told["error"]["message"])

    @property
    def pending(self) -> bool:
        """Whether its call hasn't failed."""
        return self._holding is not None and not self._holding.done()

    async def said(self, text: str) -> str | None:
        """Have the server say something; None where it did, else why it didn't."""
        async with self._one:
            told = await self._peer.call("echo", seconds=STARTING, text=text)
        if "error" in told:
            return str(told["error"]["message"])
        assert told["result"]["content"][0]["text"] == text
        return None

    async def close(self) -> None:
        """End the session."""
        async with self._one:
            await self._peer.end()
        await self.drop()

    @asynccontextmanager
    async def dropped(self) -> AsyncIterator[Self]:
        """End with the block, whatever is left of it."""
        try:
            yield self
        finally:
            await self.drop()

    async def drop(self) -> None:
        """Close its connections, once its call has ended."""
        if self._holding is not None:
            await asyncio.wait([self._holding])
            self._holding.exception()  # seen
        for peer in (self._peer, self._pending):
            await peer.__aexit__()


@asynccontextmanager
async def holders(url: str, count: int) -> AsyncIterator[list[Holder]]:
    """So many sessions, each with a call that stays."""
    made = [Holder(url) for _ in range(count)]
    try:
        await asyncio.gather(*(holder.begin() for holder in made))
        yield made
    finally:
        await asyncio.gather(*(holder.close() for holder in made), return_exceptions=True)


class Load:
    """Four clients that call in all sessions without a pause, until the block ends.

    Attributes:
        answered, failed: how many calls had their answer, and how many an error.
    """

    def __init__(self, sessions: list[Holder]) -> None:
        self.answered = self.failed = 0
        self._sessions = sessions
        self._done = False

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._call(number)) for number in range(4)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._done = True  # a call that is cancelled would leave its answer to the next one
        await asyncio.gather(*self._tasks)

    async def _call(self, number: int) -> None:
        chance = random.Random(number)
        while not self._done:
            if await chance.choice(self._sessions).said("load") is None:
                self.answered += 1
            else:
                self.failed += 1
                await asyncio.sleep(0)


async def succeeding(holder: Holder) -> float:
    """Call until it works; return when it did."""
    deadline = time.monotonic() + STARTING
    while (why := await holder.said("once more")) is not None:
        assert time.monotonic() < deadline, why
        await asyncio.sleep(LOOK)  # sleep: that a server is there again can't be awaited
    return time.monotonic()
