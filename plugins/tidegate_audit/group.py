"""One write for all records that fall due in one turn of the event loop, where there are several.

Under load a write of its own for each costs more than all else that judges a message (``benchmarks/README.md``);
with one message at a time, waiting for the end of the turn does. So a group goes by what the last turns were like.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from tidegate_audit.record import Recorder
from tidegate_audit.writer import settle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tidegate import Decision, Flow
    from tidegate_audit.writer import Writer


_LONELY = 16  # turns in a row with but one record, after which records are written at once


class _Due(NamedTuple):
    decision: Decision
    flow: Flow
    written: asyncio.Future[None]


class Group:
    """Collects decisions, and writes their records together. For one event loop at a time."""

    def __init__(self, writer: Writer, *, fsync: bool) -> None:
        """Write to a log.

        Args:
            writer: the log's.
            fsync: whether a record counts as written when it is on disk, not before.
        """
        self.writer = writer
        self._fsync = fsync
        self._record = Recorder().record
        self._due: list[_Due] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn = 0  # records of this turn that were written at once
        self._lonely = 0  # turns since the last with several records

    def add(self, decision: Decision, flow: Flow) -> asyncio.Future[None] | None:
        """Have the record of a decision written.

        Returns:
            A future that is done when it is written, and raises where it isn't; ``None`` where it is written already.

        Raises:
            Exception: where it isn't written.
        """
        if self._due and self._loop is not None and not self._loop.is_closed():
            loop = self._loop
        elif self._lonely >= _LONELY and not self._fsync:
            self._at_once(decision, flow)
            return None
        else:
            loop = self._loop = asyncio.get_running_loop()
            loop.call_soon(self.flush)
        written: asyncio.Future[None] = loop.create_future()
        self._due.append(_Due(decision, flow, written))
        return written

    def _at_once(self, decision: Decision, flow: Flow) -> None:
        if not self._turn:
            asyncio.get_running_loop().call_soon(self._end_turn)
        self._turn += 1
        self.writer.append(self._record(decision, flow))

    def _end_turn(self) -> None:
        if self._turn > 1:
            self._lonely = 0
        self._turn = 0

    def flush(self) -> None:
        """Write what has been collected."""
        due, self._due = self._due, []
        self._lonely = self._lonely + 1 if len(due) < 2 else 0
        if due:
            self._write(due)

    def _write(self, due: Sequence[_Due]) -> None:
        try:
            last = self.writer.append(*[self._record(decision, flow) for decision, flow, _ in due])
        except Exception as error:  # noqa: BLE001 - whatever it is, it denies the message that it is about
            self._failed(due, error)
            return
        futures = [written for _, _, written in due]
        if self._fsync:
            self.writer.when_on_disk(last, futures)
        else:
            settle(futures)

    def _failed(self, due: Sequence[_Due], error: Exception) -> None:
        """Nothing was written: try each record by itself, so that one that can't be made stops no other message."""
        if len(due) == 1:
            settle([due[0].written], error)
        else:
            for one in due:
                self._write([one])
