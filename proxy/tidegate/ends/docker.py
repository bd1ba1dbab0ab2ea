"""A server as a container over stdio, hardened, reached through the engine's API.

The container has no network, no capabilities and no way to gain privileges; its file system is read-only, and all it
can use is bounded. It is removed when it ends, when the pipe is closed, by the keeper when Tidegate is gone, and at the
next start of Tidegate should all that have failed.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from typing import TYPE_CHECKING, Any

from docker.types import LogConfig, Mount, Ulimit

from tidegate.ends import lease
from tidegate.ends.attach import Attached, Removal
from tidegate.ends.buffers import MAX_BYTES, QUEUED, Ending, Inbox, Lines, Outbox, Tail
from tidegate.ends.engine import OWNER, Refused, engine
from tidegate.ends.launcher import keeper
from tidegate.ends.pipe import PipeError

if TYPE_CHECKING:
    from pathlib import Path

    import docker

    from tidegate.ends.engine import Engine
    from tidegate.settings import ServerSettings

INSTANCE, SERVER = "io.tidegate.instance", "io.tidegate.server"
"""The labels that name a container's instance, and its server in the settings."""

_MEBIBYTE = 1024 * 1024
_MEMORY = 256 * _MEBIBYTE
_USER = "65534:65534"  # nobody, on all the usual systems
_KILLED = 137  # the exit code of a container that got a SIGKILL
_CONFIRMED = 15.0  # seconds for a removal to be confirmed
_TRIES = 3

_removals: set[asyncio.Task[None]] = set()  # a task that nobody keeps may be lost


class ContainerPipe:
    """A container as a pipe.

    Args:
        name: the server's name in the settings.
        server: its settings: image, arguments, environment, mounts.
        folder: where the relative paths of mounts start from.
        max_bytes: how long one JSON text may be.
        grace: seconds the container has to end after its standard input has ended.
        where: the container engine; the environment's where it's None.

    Attributes:
        container: the container's name.
    """

    def __init__(
        self,
        name: str,
        server: ServerSettings,
        *,
        folder: Path,
        max_bytes: int = MAX_BYTES,
        grace: float = 2.0,
        where: Engine | None = None,
    ) -> None:
        self.container = f"tidegate-{name}-{secrets.token_hex(6)}"
        self._name = name
        self._server = server
        self._folder = folder
        self._grace = grace
        self._engine = where or engine()
        self._lines = Lines(max_bytes)
        self._inbox = Inbox()
        self._outbox = Outbox()
        self._tail = Tail()
        self._ending = Ending(name, self._inbox, self._outbox)
        self._making: asyncio.Future[None] | None = None
        self._attached: Attached | None = None
        self._ended: Removal | None = None
        self._closed = False
        self._unwanted = 0  # bytes that came after the pipe was closed
        self._flooding = asyncio.Event()
        self._closing = asyncio.Lock()
        self._removing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Create, attach and start the container; see :meth:`tidegate.ends.pipe.Pipe.start`."""
        mounts = [bind(mount, self._folder) for mount in self._server.mounts]
        try:
            await self._engine.reap_once()
            keeper.note_container(self._engine.reached, self.container)
            self._making = asyncio.ensure_future(self._engine.starting(lambda client: self._create(client, mounts)))
            await asyncio.shield(self._making)
            await self._attach()
            await self._engine.starting(lambda client: client.start(self.container))
        except Refused as refusal:
            self._remove()
            if refusal.status == 404 and self._attached is None:
                image = self._server.image
                raise PipeError(f"{self._name} can't be started: get its image with docker pull {image}.") from None
            raise PipeError(f"{self._name} can't be started: {refusal.told}.") from None
        except BaseException:
            self._remove()
            raise

    def _create(self, client: docker.APIClient, mounts: list[Mount]) -> None:
        labels = {OWNER: str(lease.this_process()), INSTANCE: self.container, SERVER: self._name}
        client.create_container(
            self._server.image,
            list(self._server.args) or None,
            name=self.container,
            user=_USER,
            stdin_open=True,
            environment={"HOME": "/tmp"} | self._server.env,  # noqa: S108 - the only folder it can write to
            labels=labels,
            host_config=client.create_host_config(mounts=mounts, **hardened()),
        )

    async def _attach(self) -> None:
        """Connect to the container's streams and its end; both before it starts, so that nothing is missed."""
        attached = self._attached = Attached(
            self.container, self._take, self._tail.feed, self._output_ended, self._outbox
        )
        await self._engine.connect(lambda: attached)
        await attached.head
        assert attached.transport is not None
        self._inbox.source = attached.transport
        self._outbox.open(attached.transport)
        ended = self._ended = Removal(self.container)
        await self._engine.connect(lambda: ended)
        await ended.head
        ended.status.add_done_callback(self._exited)

    async def send(self, data: bytes) -> None:
        """Send one JSON text; see :meth:`tidegate.ends.pipe.Pipe.send`."""
        await self._outbox.put(data)

    async def receive(self) -> bytes:
        """Return the next JSON text; see :meth:`tidegate.ends.pipe.Pipe.receive`."""
        return await self._inbox.get()

    async def close(self) -> None:
        """End the container: end of input, and if that isn't enough, by force; at once if it floods us."""
        async with self._closing:
            if not self._closed:
                self._closed = True
                flooding = self._inbox.paused
                reason = f"{self._name} was closed."
                self._outbox.end(reason)
                self._inbox.close(reason)
                try:
                    if not flooding:
                        await self._end_politely()
                finally:
                    self._remove()
            if self._removing is not None:
                await asyncio.wait([self._removing], timeout=_TRIES * _CONFIRMED)

    async def _end_politely(self) -> None:
        transport = self._attached.transport if self._attached is not None else None
        if self._removing is not None or self._ended is None or transport is None or transport.is_closing():
            return
        if not transport.can_write_eof():
            return  # TLS has no way to end one direction, so it would wait for nothing
        transport.write_eof()
        flooding = asyncio.create_task(self._flooding.wait())
        waited: set[asyncio.Future[Any]] = {self._ended.status, flooding}
        try:
            await asyncio.wait(waited, timeout=self._grace, return_when=asyncio.FIRST_COMPLETED)
        finally:
            flooding.cancel()

    @property
    def pid(self) -> int | None:
        """None: processes in a container are the engine's."""
        return None

    def stderr_tail(self) -> str:
        """Return the last lines of the container's standard error."""
        return self._tail.text()

    def _take(self, data: bytes) -> None:
        if self._closed:
            self._unwanted += len(data)
            if self._unwanted > QUEUED:
                self._flooding.set()
        else:
            self._inbox.put(self._lines.feed(data))

    def _output_ended(self) -> None:
        self._inbox.put(self._lines.finish())
        self._ending.output_ended()

    def _exited(self, status: asyncio.Future[int | None]) -> None:
        code = status.result()
        if code is None:
            self._ending.exited("ended")
        elif code == _KILLED:
            self._ending.exited("was killed, by its limit on memory as a rule")
        else:
            self._ending.exited(f"ended with exit code {code}")
        if code is not None and not self._closed:
            keeper.forget_container(self.container)

    def _remove(self) -> None:
        """Remove the container for certain, in the background; whoever wants to can wait for it."""
        self._ending.cancel()
        self._outbox.end(f"{self._name} was closed.")
        self._inbox.close(f"{self._name} was closed.")
        # First of all this connection: the engine can't kill a container whose output nobody takes from it.
        if self._attached is not None and self._attached.transport is not None:
            self._attached.transport.abort()
        if self._removing is None:
            self._removing = asyncio.create_task(self._removed(), name="container removal")
            _removals.add(self._removing)
            self._removing.add_done_callback(_removals.discard)

    async def _removed(self) -> None:
        try:
            if self._making is None or await self._is_gone():
                keeper.forget_container(self.container)  # else the keeper will see to it
        finally:
            if self._ended is not None and self._ended.transport is not None:
                self._ended.transport.abort()

    async def _is_gone(self) -> bool:
        assert self._making is not None
        await asyncio.wait([self._making])  # a creation that was given up may still happen
        if not self._making.cancelled():
            self._making.exception()  # seen
        for _ in range(_TRIES):
            if self._ended is not None and self._ended.status.done() and self._ended.status.result() is not None:
                return True
            try:
                await self._engine.remove(self.container)
            except PipeError:
                continue
            if self._ended is not None:
                await asyncio.wait([self._ended.status], timeout=_CONFIRMED)
            return True
        return False


def hardened() -> dict[str, Any]:
    """Return what every container of Tidegate's is held to, as arguments of docker-py's ``create_host_config``."""
    return {
        "network_mode": "none",
        "read_only": True,
        "tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=16m"},  # noqa: S108 - the container's
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "pids_limit": 128,
        "mem_limit": _MEMORY,
        "memswap_limit": _MEMORY,  # the same: no swap
        "nano_cpus": 1_000_000_000,
        "init": True,
        "ipc_mode": "private",
        "shm_size": _MEBIBYTE,
        "ulimits": [Ulimit(name="nofile", soft=1024, hard=1024), Ulimit(name="core", soft=0, hard=0)],
        "oom_score_adj": 500,
        "log_config": LogConfig(type=LogConfig.types.NONE),  # others copy all a server says to the disk
        "auto_remove": True,
    }


def bind(mount: str, folder: Path) -> Mount:
    """Return the mount that ``HOST:CONTAINER[:ro|rw]`` describes; read-only unless it says otherwise.

    Args:
        mount: the description.
        folder: where a relative host path starts from.

    Raises:
        PipeError: where it is not of that form.
    """
    host, _, rest = mount.partition(":")
    target, _, mode = rest.partition(":")
    if not host or not target.startswith("/") or mode not in ("", "ro", "rw"):
        raise PipeError(f"The mount {mount} is not of the form HOST:CONTAINER[:ro|rw].")
    source = os.path.abspath(folder / host)  # noqa: PTH100 - Path.resolve would follow links, which is the engine's to do
    return Mount(target, source, type="bind", read_only=mode != "rw")
