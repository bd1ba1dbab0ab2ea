"""Servers that a session at the gateway is without: they are tried again, and the client is told when one is back."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import structlog

from tidegate import methods
from tidegate.gateway.replies import cancelled
from tidegate.upstream import Unavailable

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tidegate.gateway.session_front import SessionFront

log = structlog.get_logger("tidegate.gateway")

_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)  # seconds until a missing server is tried again


class Recovery:
    """Tries the missing servers of one session again, and tells its client what that changes.

    Args:
        front: the session.
    """

    def __init__(self, front: SessionFront) -> None:
        self._front = front
        self._wanted: dict[str, asyncio.Task[None]] = {}
        self._back: dict[str, tuple[float, int]] = {}  # when a server came back last, and after how many tries
        self._notices: set[asyncio.Task[None]] = set()

    def want(self, name: str) -> None:
        """Try a server again until it is back; then the client is told."""
        if name not in self._wanted and not self._front.over.is_set():
            task = self._wanted[name] = asyncio.create_task(self._recover(name), name="gateway recovery")
            task.add_done_callback(lambda _: self._wanted.pop(name, None))

    async def _recover(self, name: str) -> None:
        now = asyncio.get_running_loop().time()
        back, tries = self._back.get(name, (now, 0))  # one that says it is well and isn't is asked ever less often
        tries = tries if now - back < 2 * _PAUSES[-1] else 0
        for pause in itertools.chain(_PAUSES[tries:], itertools.repeat(_PAUSES[-1])):
            tries += 1
            await asyncio.sleep(pause)
            if name not in self._front.prefixes or self._front.over.is_set():
                return
            try:
                peer = await self._front.peer(name, {})
                await peer.alive()
            except Unavailable:
                continue
            log.info("a server is back", server=name)
            self._back[name] = asyncio.get_running_loop().time(), min(tries, len(_PAUSES) - 1)
            await self._front.announce([kind for kind in methods.NOTICED if peer.can(kind)])
            return

    def tell(self, kinds: list[str]) -> None:
        """Tell the client, without waiting for it, that lists have changed."""
        if not self._front.over.is_set():
            self._meanwhile(self._front.announce(kinds))

    def _meanwhile(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._notices.add(task)
        task.add_done_callback(self._notices.discard)

    async def close(self) -> None:
        """Try nothing any more."""
        await cancelled([*self._wanted.values(), *self._notices])
