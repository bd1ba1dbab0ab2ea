"""One OPA server: whether it is up, what looks after it, and the policy that it is given."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import structlog

from tidegate_policy import pushing
from tidegate_policy.http import UnreachableError
from tidegate_policy.sources import PolicyError

if TYPE_CHECKING:
    from tidegate_policy.http import Address
    from tidegate_policy.pushing import Pushed

log = structlog.get_logger("tidegate.policy")

REST = 0.1, 2.0  # seconds a server that is down is left alone before it is asked again: at first, and at most
HEALTH = 1.0  # seconds that a server has at least to say that it is well
TAKING = 10.0  # seconds to take a policy away; OPA compiles all that stays after each part of it

_used: Counter[tuple[str, str]] = Counter()  # by address and key: how many engines of this process use a policy there


class Server:
    """One server.

    Args:
        address: where it is.
        seconds: how long an evaluation may take.

    Attributes:
        address: where it is.
        up: whether it is asked.
        pushed: the policy that it is asked with, where it was given one.
    """

    def __init__(self, address: Address, seconds: float) -> None:
        self.address = address
        self.up = True
        self.pushed: Pushed | None = None
        self._seconds = max(seconds, HEALTH)
        self._looking: asyncio.Task[None] | None = None
        self._giving: asyncio.Task[None] | None = None

    async def alive(self) -> str:
        """Return why the server can't be used; "" where it can."""
        try:
            reply = await self.address.request("GET", "/health", b"", self._seconds)
        except UnreachableError as error:
            return str(error)
        except TimeoutError:
            return "it doesn't answer"
        return "" if reply.status < 500 else f"it says that it is not well (HTTP {reply.status})"

    def doubt(self) -> None:
        """See whether the server is still there; if it isn't, leave it alone until it is."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        rest = REST[0]
        while True:
            why = await self._restored() if not self.up else await self.alive()
            if not why:
                break
            if self.up:
                self.up = False
                log.error("the OPA server is down, messages are denied", address=self.address.url, why=why)
            await asyncio.sleep(rest)
            rest = min(rest * 2, REST[1])
        if not self.up:
            self.up = True
            log.info("the OPA server is back", address=self.address.url)

    async def _restored(self) -> str:
        """Return why the server can't be used, after it was down; give it the policy where it has lost it."""
        why = await self.alive()
        if why or self.pushed is None:
            return why
        try:
            if not await pushing.has(self.address, self.pushed, self._seconds):
                await self.give()
        except (UnreachableError, PolicyError) as error:
            return str(error)
        except TimeoutError:
            return "it doesn't answer"
        return ""

    async def give(self) -> None:
        """Give the policy to the server; those who ask for it at the same time wait for the same.

        Raises:
            PolicyError: where the server refuses it.
            UnreachableError: where it can't be reached.
            TimeoutError: where it doesn't answer.
        """
        if self.pushed is None:
            return
        if self._giving is None or self._giving.done():
            self._giving = asyncio.create_task(pushing.give(self.address, self.pushed))
            self._giving.add_done_callback(_seen)
        await asyncio.shield(self._giving)

    async def close(self) -> None:
        """Take the policy away, and close the connections."""
        for task in (self._looking, self._giving):
            if task is not None:
                task.cancel()
                await asyncio.wait((task,))
        if self.pushed is not None:
            await self.leave(self.pushed)
        await self.address.close()

    def use(self, pushed: Pushed) -> None:
        """From now on, the server is asked with a policy."""
        _used[self.address.url, pushed.key] += 1
        self.pushed = pushed

    async def leave(self, pushed: Pushed) -> None:
        """The server isn't asked with a policy any more."""
        _used[self.address.url, pushed.key] -= 1
        await self.clean(pushed)

    async def clean(self, pushed: Pushed) -> None:
        """Take a policy away that nobody uses; a server that is down has nothing to lose."""
        used = self.address.url, pushed.key
        if _used[used] > 0:
            return
        del _used[used]
        if self.up:
            try:
                async with asyncio.timeout(TAKING):
                    await pushing.take(self.address, pushed)
            except (UnreachableError, TimeoutError):
                log.warning("the policy was left in the OPA server", address=self.address.url, key=pushed.key)


def _seen(task: asyncio.Task[None]) -> None:
    """Look at how a task ended, where perhaps nobody waits for it any more."""
    if not task.cancelled():
        task.exception()
