"""An event loop whose clock jumps to the next timer when nothing else is to be done, for what takes long in earnest."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

LOOK = 0.002  # seconds a loop waits for input before it takes it that none will come


class _Selector(selectors.DefaultSelector):
    """Waits for input for a moment only, and counts the rest of the wait as over."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None or timeout <= LOOK:
            return super().select(timeout)
        ready = super().select(LOOK)
        if not ready:
            self.skipped += timeout - LOOK
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._skipping = _Selector()
        super().__init__(self._skipping)

    def time(self) -> float:
        return super().time() + self._skipping.skipped


def fast(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end; hours of waiting take no time, as long as nothing waits for another process."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(work)
