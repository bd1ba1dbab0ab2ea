"""What the sidecar tells of its decisions, one JSON line each, and the word it waits for before it connects.

A line is ``{"n", "verdict": "allow" | "deny" | "closed", "how", "host", "port", "address", "reason", "sent",
"received", "omitted"}``; the answer to each, on standard input, is ``{"n", "ok"}``. A connection is made once its line
has been answered with ``"ok": true``: that its record is written.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_RECORDED = 10.0  # seconds for a record to be written
_MOST_UNANSWERED = 256
_BURST, _PER_SECOND = 40.0, 10.0  # refusals that are told one by one
_OPENINGS, _OPENINGS_PER_SECOND = 200.0, 50.0  # connections
_LATER = 1.0  # seconds until it is told how many weren't


class Bucket:
    """Lets so many through at once, and so many a second.

    Args:
        most: at once.
        rate: a second.
        now: the time in seconds.
    """

    def __init__(self, most: float, rate: float, now: Callable[[], float]) -> None:
        self._most, self._rate, self._now = most, rate, now
        self._left, self._at = most, now()

    def take(self) -> bool:
        """Whether one more may go through."""
        now = self._now()
        self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Records:
    """The sidecar's lines.

    Args:
        write: takes each line's bytes.
    """

    def __init__(self, write: Callable[[bytes], None]) -> None:
        loop = asyncio.get_running_loop()
        self._write = write
        self._number = 0
        self._unanswered: dict[int, asyncio.Future[bool] | None] = {}
        self._refusals = Bucket(_BURST, _PER_SECOND, loop.time)
        self._openings = Bucket(_OPENINGS, _OPENINGS_PER_SECOND, loop.time)
        self._omitted = 0
        self._timer: asyncio.TimerHandle | None = None

    async def allowed(self, event: dict[str, Any]) -> str:
        """Tell of a connection that is to be made; return why it must not be, or ""."""
        if not self._openings.take():
            return "more connections are begun in a second than are allowed"
        if len(self._unanswered) >= _MOST_UNANSWERED:
            return "too many records are still to be written"
        answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._tell({"verdict": "allow", **event}, answered)
        try:
            async with asyncio.timeout(_RECORDED):
                return "" if await answered else "the record of it could not be written"
        except TimeoutError:
            return "the record of it was not written in time"

    def refused(self, event: dict[str, Any]) -> None:
        """Tell of what was refused; where there is too much of it, how much more there was."""
        if len(self._unanswered) < _MOST_UNANSWERED and self._refusals.take():
            self._tell({"verdict": "deny", **event}, None)
            return
        self._omitted += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LATER, self._tell_omitted)

    def closed(self, event: dict[str, Any]) -> None:
        """Tell of the end of a connection."""
        self._tell({"verdict": "closed", **event}, None)

    def heard(self, line: bytes) -> None:
        """Take an answer."""
        said = json.loads(line)
        waiting = self._unanswered.pop(said["n"], None)
        if waiting is not None and not waiting.done():
            waiting.set_result(said["ok"] is True)

    def _tell_omitted(self) -> None:
        self._timer = None
        if len(self._unanswered) >= _MOST_UNANSWERED:
            self._timer = asyncio.get_running_loop().call_later(_LATER, self._tell_omitted)
            return
        omitted, self._omitted = self._omitted, 0
        self._tell({"verdict": "deny", "omitted": omitted, "reason": "too many to be recorded one by one"}, None)

    def _tell(self, event: dict[str, Any], answered: asyncio.Future[bool] | None) -> None:
        self._number += 1
        self._unanswered[self._number] = answered
        self._write(json.dumps({"n": self._number, **event}, separators=(",", ":")).encode() + b"\n")
