"""A server as a local process: JSON texts as lines on its standard input and output.

Source: the stdio transport of the Model Context Protocol. The process is started by the keeper (``keeper.py``), so
it can't outlive Tidegate.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate.ends.buffers import MAX_BYTES, Ending, Inbox, Lines, Outbox, Tail
from tidegate.ends.launcher import launch
from tidegate.ends.pipe import PipeError
from tidegate.ends.standard import reading, writing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tidegate.ends.launcher import Child
    from tidegate.sandbox.bubblewrap import Box
    from tidegate.secret_stores.handing import ProcessSecrets

INHERITED = ("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER", "LANG", "TMPDIR")
"""What a server gets of Tidegate's environment, besides ``LC_*``: nothing that could be a secret."""

_GONE = 15.0  # seconds for the keeper to have killed everything
_EARLY = 30.0  # seconds in which the end of a server in a sandbox may be the sandbox' doing
_SIGNALLED = 128  # what a signal's number is added to


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a server: the inherited variables, and the given ones."""
    kept = {name: value for name, value in os.environ.items() if name in INHERITED or name.startswith("LC_")}
    return kept | dict(given)


class ProcessPipe:
    """A local process as a pipe.

    Args:
        command: the program, looked for in PATH, and its arguments.
        env: what its environment has besides :data:`INHERITED`.
        cwd: its working folder; Tidegate's own where it's None.
        max_bytes: how long one JSON text may be.
        grace: seconds it has to end after its standard input has ended, and again after SIGTERM.
        box: the sandbox it runs in; none where it's None.
        secrets: what it is given besides, and how.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - all that a process is started with
        self,
        command: Sequence[str],
        env: Mapping[str, str] | None = None,
        cwd: Path | str | None = None,
        max_bytes: int = MAX_BYTES,
        grace: float = 2.0,
        box: Box | None = None,
        secrets: ProcessSecrets | None = None,
    ) -> None:
        self._secrets = secrets
        self._command = list(command)
        self._env = dict(env or {})
        self._cwd = None if cwd is None else str(cwd)
        self._grace = grace
        self._box = box
        self._name = Path(self._command[0]).name or self._command[0]
        self._lines = Lines(max_bytes)
        self._inbox = Inbox()
        self._outbox = Outbox()
        self._tail = Tail()
        self._child: Child | None = None
        self._readers: list[asyncio.BaseTransport] = []
        self._stdin: asyncio.WriteTransport | None = None
        self._ending = Ending(self._name, self._inbox, self._outbox)
        self._closing = asyncio.Lock()
        self._closed = False
        self._begun = 0.0

    async def start(self) -> None:
        """Start the process; see :meth:`tidegate.ends.pipe.Pipe.start`."""
        pipes: list[int] = []
        try:
            for _ in range(3):
                pipes += os.pipe()
            stdin, to_stdin, from_stdout, stdout, from_stderr, stderr = pipes
            stdio = (stdin, stdout, stderr)
            given = self._secrets.make() if self._secrets is not None else {}
            if self._box is None:
                self._child = await launch(self._command, environment(self._env | given), self._cwd, stdio)
            else:
                self._child = await self._launch_in(self._box, given, stdio)
            self._begun = time.monotonic()
            for descriptor in stdio:
                os.close(descriptor)
                pipes.remove(descriptor)
            self._child.exited.add_done_callback(self._exited)
            await self._connect(to_stdin, from_stdout, from_stderr, pipes)
        except OSError as error:
            self._abort()
            raise PipeError(f"{self._name} can't be started: {error.strerror}.") from None
        except BaseException:
            self._abort()
            raise
        finally:
            for descriptor in pipes:
                os.close(descriptor)

    async def _launch_in(self, box: Box, given: dict[str, str], stdio: tuple[int, int, int]) -> Child:
        from tidegate.sandbox import bubblewrap  # noqa: PLC0415 - what isn't used isn't loaded

        def plan() -> bubblewrap.Plan:
            if (reason := bubblewrap.reason()) is not None:
                raise bubblewrap.Unusable(f"bubblewrap isn't usable, {reason}")
            shown = self._secrets.folder if self._secrets is not None else None
            return box.plan(self._command, environment(self._env | given), self._cwd, shown)

        try:
            planned = await asyncio.to_thread(plan)
            with bubblewrap.opened(planned) as (command, descriptors):
                return await launch(command, {}, "/", (*stdio, *descriptors), boxed=True)
        except bubblewrap.Unusable as error:
            raise PipeError(f"{self._name} can't be started in a sandbox: {error}.") from None
        except FileNotFoundError:
            raise PipeError(f"{self._name} can't be started: no such program.") from None
        except PermissionError:
            raise PipeError(f"{self._name} can't be started: it can't be executed (permission denied).") from None

    async def _connect(self, to_stdin: int, from_stdout: int, from_stderr: int, pipes: list[int]) -> None:
        """Make transports of our ends of the process' pipes; each leaves ``pipes`` when its transport owns it."""
        pipes.remove(to_stdin)
        self._stdin = await writing(to_stdin, self._outbox, self._input_lost)
        self._outbox.open(self._stdin)
        pipes.remove(from_stdout)
        stdout = self._inbox.source = await reading(from_stdout, self._take, self._stdout_ended)
        self._readers.append(stdout)
        pipes.remove(from_stderr)
        self._readers.append(await reading(from_stderr, self._tail.feed, lambda: None))

    async def send(self, data: bytes) -> None:
        """Send one JSON text; see :meth:`tidegate.ends.pipe.Pipe.send`."""
        await self._outbox.put(data)

    async def receive(self) -> bytes:
        """Return the next JSON text; see :meth:`tidegate.ends.pipe.Pipe.receive`."""
        return await self._inbox.get()

    async def close(self) -> None:
        """End the process and all it started: end of input, then SIGTERM, then SIGKILL."""
        async with self._closing:
            if self._closed:
                return
            self._closed = True
            reason = f"{self._name} was closed."
            self._outbox.end(reason)
            self._inbox.close(reason)
            try:
                if self._child is not None:
                    await self._end(self._child)
            finally:
                self._abort()

    async def _end(self, child: Child) -> None:
        if self._stdin is not None:
            self._stdin.close()
        if not await _within(self._grace, child.exited):
            child.terminate()
            await _within(self._grace, child.exited)
        child.kill()
        await _within(_GONE, child.gone)

    def _abort(self) -> None:
        """End everything at once, without waiting for it."""
        self._ending.cancel()
        if self._secrets is not None:
            self._secrets.remove()
        if self._stdin is not None:
            self._stdin.abort()  # closing it would wait for the process to read what is queued
        for transport in self._readers:
            transport.close()
        if self._child is not None:
            self._child.abandon()

    @property
    def pid(self) -> int | None:
        """The server's process ID, once started."""
        return self._child.pid if self._child is not None else None

    def stderr_tail(self) -> str:
        """Return the last lines of the process' standard error."""
        return self._tail.text()

    def _take(self, data: bytes) -> None:
        self._inbox.put(self._lines.feed(data))

    def _input_lost(self) -> None:
        self._stdin = None
        if not self._closed:
            self._ending.input_ended()

    def _stdout_ended(self) -> None:
        self._inbox.put(self._lines.finish())
        self._ending.output_ended()

    def _exited(self, status: asyncio.Future[int]) -> None:
        if self._box is None:
            self._ending.exited(words(status.result()))
            return
        said = boxed_words(status.result())
        early = time.monotonic() - self._begun < _EARLY
        self._ending.exited(f"{said}; {self._box.hint}" if early and status.result() else said)


def words(status: int) -> str:
    """Return in words how a process ended: with an exit code, or by a signal whose number is negative here."""
    if status >= 0:
        return f"ended with exit code {status}"
    with suppress(ValueError):
        return f"was ended by {signal.Signals(-status).name}"
    return f"was ended by signal {-status}"


def boxed_words(status: int) -> str:
    """Return the same for a server in a sandbox, which tells of a signal as a shell does."""
    return words(_SIGNALLED - status if status > _SIGNALLED else status)


async def _within(seconds: float, future: asyncio.Future[int] | asyncio.Future[None]) -> bool:
    """Wait for a future at most so long; whether it is done."""
    await asyncio.wait([future], timeout=seconds)
    return future.done()
