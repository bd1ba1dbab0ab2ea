"""The audit interceptor: one hash-chained record for every decision, written before the message goes on.

The record is described in ``docs/reference/audit-record.md``; ``tidegate audit`` verifies, shows and follows logs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tidegate import hook
from tidegate_audit.group import Group
from tidegate_audit.record import event
from tidegate_audit.writer import Options, acquire, release

if TYPE_CHECKING:
    import asyncio

    from tidegate import Decision, Flow, Proxy
    from tidegate_audit.recording import Recording


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
        record: bool = Field(
            default=False,
            description="Whether what policies saw of each message is kept too, encrypted, to judge it again with "
            "another policy.",
        )
        record_path: Path = Field(
            Path("audit.recording"), description="The file for that; `rotate_bytes` and `keep` count for it as well."
        )
        record_key: str | None = Field(
            None,
            description="The key for that: a file that `tidegate audit record-key` made, or `env:NAME`; never the "
            "key itself.",
        )

        @model_validator(mode="after")
        def _check(self) -> Self:
            if self.record and self.record_key is None:
                raise ValueError("record needs record_key: a file that `tidegate audit record-key` made, or env:NAME")
            return self

    def __init__(self, config: Config) -> None:
        self._config = config
        self._group: Group | None = None
        self._recording: Recording | None = None

    @hook
    def startup(self, proxy: Proxy) -> None:
        """Open the log, and repair what a crash left; open the recording, if there is one.

        Raises:
            LogError: where one of them can't be used.
            OSError: where the note of a repair can't be written.
        """
        config = self._config
        if config.record and config.record_key is not None:
            # Only here: it takes a while to import, and few record.
            from tidegate_audit.recording import Recording, read_key  # noqa: PLC0415 - as said above

            key = read_key(config.record_key, proxy.folder)
            self._recording = Recording(proxy.folder / config.record_path, key, config.rotate_bytes, config.keep)
        options = Options(config.fsync_interval, config.rotate_bytes, config.keep)
        self._group = Group(acquire(proxy.folder / config.path, options), fsync=config.durability == "fsync")

    @hook
    def observe(self, decision: Decision, flow: Flow) -> asyncio.Future[None] | None:
        """Write the record of a decision.

        Returns:
            What to await until the record is with the operating system or, with ``durability = "fsync"``, on
            disk; it raises ``OSError`` where that fails. ``None`` where it is there already.

        Raises:
            OSError: where it can't be written, or what is kept of the message can't.
            RuntimeError: before ``startup``.
        """
        if self._group is None:
            raise RuntimeError("the audit log is not open")
        written = self._group.add(decision, flow)
        if self._recording is not None and decision.notes:
            try:
                self._recording.write(decision)
            except BaseException:  # a full disk, or an interceptor that can't say what it kept
                self._unrecorded(self._group, decision, written)
                raise
        return written

    @staticmethod
    def _unrecorded(group: Group, decision: Decision, written: asyncio.Future[None] | None) -> None:
        """Say in the log what became of a message whose recording failed."""
        if written is not None:
            group.flush()
            written.add_done_callback(lambda done: done.exception())  # nobody waits for it any more
        group.writer.append(event(f"the recording of decision {decision.id} failed: denied, where audit is required"))

    @hook
    def shutdown(self) -> None:
        """Write what is left, fsync and close the log."""
        group, self._group = self._group, None
        if group is not None:
            group.flush()
            release(group.writer)
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.close()
