"""The audit interceptor: one hash-chained record for every decision, written before the message goes on.

The record is described in ``docs/reference/audit-record.md``; ``tidegate audit`` verifies, shows and follows logs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tidegate import hook
from tidegate_audit.group import Group
from tidegate_audit.writer import Options, acquire, release

if TYPE_CHECKING:
    import asyncio

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
        self._group: Group | None = None

    @hook
    def startup(self, proxy: Proxy) -> None:
        """Open the log, and repair what a crash left.

        Raises:
            LogError: where it can't be used.
            OSError: where the note of a repair can't be written.
        """
        config = self._config
        options = Options(config.fsync_interval, config.rotate_bytes, config.keep)
        self._group = Group(acquire(proxy.folder / config.path, options), fsync=config.durability == "fsync")

    @hook
    def observe(self, decision: Decision, flow: Flow) -> asyncio.Future[None] | None:
        """Write the record of a decision.

        Returns:
            What to await until the record is with the operating system or, with ``durability = "fsync"``, on
            disk; it raises ``OSError`` where that fails. ``None`` where it is there already.

        Raises:
            OSError: where it can't be written.
            RuntimeError: before ``startup``.
        """
        if self._group is None:
            raise RuntimeError("the audit log is not open")
        return self._group.add(decision, flow)

    @hook
    def shutdown(self) -> None:
        """Write what is left, fsync and close the log."""
        group, self._group = self._group, None
        if group is not None:
            group.flush()
            release(group.writer)
