"""Deadlines for what is awaited, at the price of one dictionary entry each.

A timer for each would cost more than a judgement (``benchmarks/README.md``), and nearly none of them would ever fire.
So one timer per event loop looks through all that is awaited, every :data:`TICK` seconds while there is anything.
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

TICK = 0.02
"""Seconds between two looks, and so how late the end of a deadline may be noticed."""


class Deadlines:
    """The deadlines of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._until: dict[asyncio.Future[Any], int] = {}
        self._ticking = False

    def watch(self, future: asyncio.Future[Any], until: int) -> None:
        """Cancel a future if it is still watched then.

        Args:
            future: what is awaited, no task: its ``cancel`` takes effect at once.
            until: when, by ``time.perf_counter_ns``.
        """
        self._until[future] = until
        if not self._ticking:
            self._ticking = True
            self.loop.call_later(TICK, self._tick)

    def forget(self, future: asyncio.Future[Any]) -> None:
        """Stop watching it."""
        self._until.pop(future, None)

    def _tick(self) -> None:
        now = perf_counter_ns()
        for future in [future for future, until in self._until.items() if until <= now]:
            del self._until[future]
            future.cancel()
        self._ticking = bool(self._until)
        if self._ticking:
            self.loop.call_later(TICK, self._tick)


_last: Deadlines | None = None


def of(future: asyncio.Future[Any]) -> Deadlines:
    """Return the deadlines of a future's event loop."""
    global _last  # noqa: PLW0603 - nearly always there is but one event loop
    loop = future.get_loop()
    if _last is None or _last.loop is not loop:
        _last = Deadlines(loop)
    return _last
