"""How long a server that refuses connections is waited for: one that answered before may just be starting again.

No input or output, and no clock of its own.
"""

from __future__ import annotations

PATIENCE = 10.0
"""Seconds from the first refusal on; after that nobody waits until the server answers again."""

_FIRST, _LONGEST = 0.05, 0.5  # seconds between two tries


class Away:
    """What is known of one server that may be away for a moment.

    Args:
        patience: how long it is waited for, in seconds.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._answered = False
        self._since: float | None = None  # when it refused first, if it hasn't answered since

    def answered(self) -> None:
        """Note that the server is there."""
        self._answered = True
        self._since = None

    def pause(self, now: float, tries: int) -> float | None:
        """Return how many seconds there are to the next try after a refusal; ``None`` where none is worth while.

        Args:
            now: the time.
            tries: how many there were of whoever asks.
        """
        if not self._answered:
            return None
        self._since = now if self._since is None else self._since
        left = self._since + self._patience - now
        return min(_FIRST * 2.0 ** min(tries, 10), _LONGEST, left) if left > 0 else None
