"""The audit interceptor: one hash-chained record for every decision, written before the message goes on.

The record is described in ``docs/reference/audit-record.md``; ``tidegate audit`` verifies, shows and follows logs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tidegate import hook
from tidegate_audit.record import Recorder
from tidegate_audit.writer import Options, Writer, acquire, release

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tidegate import Decision, Flow, Proxy


class Audit:
    """Writes the audit log."""

    class Config(BaseModel):
        """The settings of ``use = "audit"``."""

        model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

        path: Path = Field(Path("audit.jsonl"), description="The file; relative paths start at the settings' folder.")
        durability: Literal["buffered", "fsync"] = Field(
            "buffered",
            description="`buffered`: a record outlives a crash of Tidegate, and of the machine after `fsync_interval`. "
            "`fsync`: a message goes on when its record is on disk.",
        )
        fsync_interval: Annotated[float, Field(ge=0.01, le=60, allow_inf_nan=False)] = Field(
            1.0, description="Seconds between two fsyncs, at most; 0.01 to 60."
        )
        rotate_bytes: int = Field(
            64 * 1024 * 1024, ge=0, description="Bytes from which on a new file is begun; 0 for never."
        )
        keep: int = Field(0, ge=0, description="How many older files are kept; 0 for all.")

    def __init__(self, config: Config) -> None:
        self._config = config
        self._recorder = Recorder()
        self._waits = config.durability == "fsync"
        self._writer: Writer | None = None

    @hook
    def startup(self, proxy: Proxy) -> None:
        """Open the log, and repair what a crash left.

        Raises:
            LogError: where it can't be used.
            OSError: where the note of a repair can't be written.
        """
        config = self._config
        options = Options(config.fsync_interval, config.rotate_bytes, config.keep)
        self._writer = acquire(proxy.folder / config.path, options)

    @hook
    def observe(self, decision: Decision, flow: Flow) -> Coroutine[Any, Any, None] | None:
        """Write the record of a decision.

        Returns:
            ``None`` once it is with the operating system; with ``durability = "fsync"`` what to await until it
            is on disk. Not an ``async def``, because that alone costs as much as writing does.

        Raises:
            OSError: where it can't be written.
            RuntimeError: before ``startup``.
        """
        writer = self._writer
        if writer is None:
            raise RuntimeError("the audit log is not open")
        seq = writer.append(self._recorder.record(decision, flow))
        return writer.durable(seq) if self._waits else None

    @hook
    def shutdown(self) -> None:
        """Fsync and close the log."""
        writer, self._writer = self._writer, None
        if writer is not None:
            release(writer)
