"""When something that failed may be tried again: with growing pauses, then not at all for a while, then once.

No input or output, and no clock of its own: whoever asks says what time it is.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True)
class Pauses:
    """How long the pauses are, in seconds.

    Attributes:
        first: the one after the first failure; each further one is twice as long. What failed together counts as one.
        longest: what none is longer than.
        opens: how many failures in a row open the breaker, so that callers aren't kept waiting any more.
        probe: how long one that is tried may take to show whether it is well.
    """

    first: float = 0.25
    longest: float = 60.0
    opens: int = 5
    probe: float = 30.0


class Open(Exception):  # noqa: N818 - it is a state of the breaker
    """Nothing may be tried now.

    Attributes:
        seconds: after how many whole seconds it may; 0 while another is trying it.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(self.when(seconds))
        self.seconds = seconds

    @staticmethod
    def when(seconds: int) -> str:
        """Return when it is tried again, as a sentence."""
        if seconds == 0:
            return "It fails again and again, and is being tried again now."
        return f"It fails again and again, and is tried again in {seconds} second{'s' if seconds > 1 else ''}."


class Breaker:
    """Counts failures in a row, and says when the next try may be.

    Closed, it asks for a pause at most. Open, it refuses until the pause is over, and then lets one try: whether that
    is well decides for all.

    Args:
        pauses: how long the pauses are.
    """

    def __init__(self, pauses: Pauses) -> None:
        self._pauses = pauses
        self._failures = 0
        self._rounds = 0  # of failures that knew of the ones before
        self._last = 0.0  # when the last round failed
        self._again = 0.0
        self._probing = 0.0  # until when one that is being tried is waited for

    @property
    def failures(self) -> int:
        """How many failures there were in a row."""
        return self._failures

    @property
    def is_open(self) -> bool:
        """Whether tries are refused, but for one at a time."""
        return self._failures >= self._pauses.opens

    def pause(self, now: float) -> float:
        """Return how many seconds there are until the next try may be."""
        return max(self._again - now, self._probing - now, 0.0)

    def admit(self, now: float) -> float:
        """Return how many seconds to wait before trying.

        Raises:
            Open: where nothing may be tried now.
        """
        pause = max(self._again - now, 0.0)
        if not self.is_open:
            return pause
        if pause > 0:
            raise Open(ceil(pause))
        if now < self._probing:
            raise Open(0)
        self._probing = now + self._pauses.probe
        return 0.0

    def succeeded(self) -> None:
        """Note that what was tried is well."""
        self._failures = self._rounds = 0
        self._last = self._again = self._probing = 0.0

    def failed(self, now: float, admitted: float | None = None) -> None:
        """Note that what was tried failed.

        Args:
            now: when.
            admitted: when it was admitted, where others are tried at the same time: after one outage, the pause isn't
                the longer the more of them there were.
        """
        self._failures += 1
        if admitted is not None and admitted < self._last:
            return
        pause = min(self._pauses.first * 2.0 ** min(self._rounds, 30), self._pauses.longest)
        self._rounds += 1
        self._last = now
        self._again = now + pause * random.uniform(0.75, 1.25)  # noqa: S311 - so that many don't try at the same moment
        self._probing = 0.0

    def withdrawn(self) -> None:
        """Note that what was to be tried was not, for reasons of whoever wanted it."""
        self._probing = 0.0
