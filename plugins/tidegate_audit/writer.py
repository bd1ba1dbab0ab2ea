"""The one writer of one log: appends records to the chain, rotates its file, and has it fsynced by a thread.

Records are written by one ``write`` to a file opened for appending, so they outlive the process from then on. The
thread fsyncs, so that they outlive the machine too. Everything is under one lock but the waiting for the disk.
"""

from __future__ import annotations

import asyncio
import os
import stat
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from tidegate_audit import chain, files, record, recover
from tidegate_audit.files import Head

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

log = structlog.get_logger("tidegate.audit")


class Options(NamedTuple):
    """How a log is kept.

    Attributes:
        fsync_interval: seconds between two fsyncs.
        rotate_bytes: the size from which on a file is rotated; 0 for never.
        keep: how many rotated files are kept; 0 for all.
    """

    fsync_interval: float = 1.0
    rotate_bytes: int = 0
    keep: int = 0


class _Waiter(NamedTuple):
    loop: asyncio.AbstractEventLoop
    futures: Sequence[asyncio.Future[None]]

    def tell(self, failure: OSError | None) -> None:
        try:
            self.loop.call_soon_threadsafe(settle, self.futures, failure)
        except RuntimeError:  # its event loop is closed: nobody waits any more
            return


def settle(futures: Iterable[asyncio.Future[None]], failure: Exception | None = None) -> None:
    """Tell who waits that it is done, or that it failed."""
    for future in futures:
        if future.done():
            continue
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(failure)


class Writer:
    """Writes one log. Safe to be used from several threads and event loops.

    Attributes:
        path: the file being written.
        options: how the log is kept; may be replaced while it runs.
    """

    def __init__(self, path: Path, options: Options) -> None:
        """Open a log and continue its chain.

        Raises:
            LogError: where it can't be used.
            OSError: where the note of a repair can't be written.
        """
        opened = recover.open_log(path)
        self.path = path
        self.options = options
        self._descriptor = opened.descriptor
        self._head_descriptor = opened.head_descriptor
        self._tip = (opened.head.seq, opened.head.hash)
        self._first = opened.head.first
        self._size = opened.size
        self._cut_at: int | None = None  # where to cut the file before the next record: a failed write's start
        self._synced = opened.head.seq
        self._failure: OSError | None = None
        self._old: list[int] = []  # files no longer written, still to be fsynced and closed
        self._waiters: list[_Waiter] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = False
        self._second, self._prefix = -1, ""
        try:
            for repair in opened.repairs:
                self.append(record.event(repair))
        except BaseException:
            os.close(self._descriptor)
            os.close(self._head_descriptor)
            raise
        self._thread = threading.Thread(target=self._run, name="tidegate-audit", daemon=True)
        self._thread.start()

    def append(self, *entries: dict[str, Any]) -> int:
        """Write records, all of them or none; return the number of the last once they are with the operating system.

        Args:
            entries: the records, all but ``hash``; ``seq``, ``time`` and ``prev`` are filled in. They go into one
                file, in one write.

        Raises:
            OSError: where they aren't written, or earlier ones could not be fsynced. The file is as before then.
            TypeError: for what JSON can't say.
        """
        with self._lock:
            if self._failure is not None:
                raise OSError(self._failure.errno, "the audit log can't be kept")
            seq, digest = self._tip
            lines, now = [], self._now()
            for entry in entries:
                seq += 1
                entry["seq"], entry["time"], entry["prev"] = seq, now, digest
                line, digest = chain.seal(entry)
                lines.append(line)
            self._put(b"".join(lines))
            self._tip = (seq, digest)
            return seq

    def _put(self, data: bytes) -> None:
        length = len(data)
        if self._cut_at is not None:
            os.ftruncate(self._descriptor, self._cut_at)
            self._cut_at = None
        if self._size and 0 < self.options.rotate_bytes < self._size + length:
            self._rotate()
        written = os.write(self._descriptor, data)
        if written != length:
            self._rest(data, written)
        self._size += length

    def when_on_disk(self, seq: int, futures: Sequence[asyncio.Future[None]]) -> None:
        """Settle futures of the running event loop when a record is on disk, or could not be brought there.

        All records written meanwhile share one fsync.
        """
        with self._lock:
            done = self._synced >= seq
            if not done:
                self._waiters.append(_Waiter(asyncio.get_running_loop(), futures))
        if done:
            settle(futures)
        else:
            self._wake.set()

    def close(self) -> None:
        """Fsync, unlock and close; waits for the disk."""
        self._closing = True
        self._wake.set()
        self._thread.join()
        self._sync()
        for descriptor in (*self._old, self._descriptor, self._head_descriptor):
            os.close(descriptor)

    def _now(self) -> str:
        """Return the time as RFC 3339 says it, in UTC, with microseconds."""
        now = time.time_ns() // 1000
        second = now // 1_000_000
        if second != self._second:
            self._second, self._prefix = second, time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
        return f"{self._prefix}{now % 1_000_000:06d}Z"

    def _rest(self, data: bytes, written: int) -> None:
        """Write the rest of what was taken in part; where it isn't taken, take the part back."""
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError:
            self._cut_at = os.fstat(self._descriptor).st_size - written
            os.ftruncate(self._descriptor, self._cut_at)
            self._cut_at = None
            raise

    def _rotate(self) -> None:
        mode = stat.S_IMODE(os.fstat(self._descriptor).st_mode)
        target = files.next_rotated(self.path)
        os.rename(self.path, target)  # noqa: PTH104 - beside the other calls that take descriptors
        try:
            fresh = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL, mode)
        except OSError:
            os.rename(target, self.path)  # noqa: PTH104 - as above
            raise
        os.fchmod(fresh, mode)
        self._turn_to(fresh, 0)

    def _turn_to(self, fresh: int, size: int) -> None:
        self._old.append(self._descriptor)
        self._descriptor, self._size = fresh, size

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait(self.options.fsync_interval)
            self._wake.clear()
            self._sync()

    def _sync(self) -> None:
        """Fsync what was written up to now, then write the head and tell who waits."""
        failure: OSError | None = None
        with self._lock:
            waiters, self._waiters = self._waiters, []
            try:
                self._follow_the_path()
            except OSError as error:
                failure = error
            old = tuple(self._old)
            descriptor, (seq, digest) = self._descriptor, self._tip
            idle = seq == self._synced and not old and self._failure is None
        try:
            if failure is None and not idle:
                self._to_disk(old, descriptor)
                os.pwrite(self._head_descriptor, Head(seq, self._first, digest).encode(), 0)
        except OSError as error:
            failure = error
        if failure is not None and self._failure is None:
            log.error("audit log not fsynced", path=str(self.path), error=os.strerror(failure.errno or 0))
        with self._lock:
            self._failure = failure
            if failure is None:
                self._synced, self._old = seq, self._old[len(old) :]
        for done in old if failure is None else ():
            os.close(done)
        told = failure and OSError(failure.errno, "the audit log could not be fsynced")
        for waiter in waiters:
            waiter.tell(told)

    def _follow_the_path(self) -> None:
        """Go on in a new file where somebody moved or removed the one being written; the chain goes on in it."""
        ours = os.fstat(self._descriptor)
        try:
            there = os.stat(self.path)  # noqa: PTH116 - beside fstat
        except FileNotFoundError:
            there = None
        if there is None or not os.path.samestat(ours, there):
            fresh = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, files.MODE)
            log.warning("audit log was moved away", path=str(self.path))
            self._turn_to(fresh, os.fstat(fresh).st_size)

    def _to_disk(self, old: tuple[int, ...], descriptor: int) -> None:
        for done in old:
            os.fsync(done)
        os.fsync(descriptor)
        if old:
            files.sync_folder(self.path)
            self._prune()

    def _prune(self) -> None:
        """Remove rotated files beyond those to keep; the head says first from where on the log is kept."""
        keep = self.options.keep
        older = [path for _, path in files.rotated(self.path)]
        if not keep or len(older) <= keep:
            return
        self._first = recover.first_of(older[-keep]) or self._first
        seq, _, digest = files.decode_head(os.pread(self._head_descriptor, 200, 0)) or Head(0, 1, chain.GENESIS)
        os.pwrite(self._head_descriptor, Head(seq, self._first, digest).encode(), 0)
        for path in older[:-keep]:
            path.unlink(missing_ok=True)


_open: dict[Path, tuple[Writer, int]] = {}
_opening = threading.Lock()


def acquire(path: Path, options: Options) -> Writer:
    """Return the writer of a log: one for all in this process that name the same file.

    Args:
        path: of the file being written; links are followed.
        options: how the log is kept; the newest count for all.

    Raises:
        LogError: where it can't be used.
        OSError: where the note of a repair can't be written.
    """
    real = path.resolve()
    with _opening:
        writer, users = _open.get(real) or (Writer(real, options), 0)
        writer.options = options
        _open[real] = (writer, users + 1)
        return writer


def release(writer: Writer) -> None:
    """Give a writer back; the last one to do so closes the log."""
    with _opening:
        _, users = _open[writer.path]
        if users > 1:
            _open[writer.path] = (writer, users - 1)
            return
        del _open[writer.path]
        writer.close()
