"""A server as a container over stdio, hardened, reached through the engine's API.

The container has no network, no capabilities, no way to gain privileges, a read-only file system, and bounds on all it
can use. It is removed when the pipe is closed, when it ends, by the keeper when Tidegate is gone, and by the next start
of Tidegate if all else failed.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docker.types import LogConfig, Mount, Ulimit

from tidegate.ends import lease
from tidegate.ends.attach import Attached, Removal
from tidegate.ends.buffers import MAX_BYTES, QUEUED, Ending, Inbox, Lines, Outbox, Tail
from tidegate.ends.engine import OWNER, Refused, engine
from tidegate.ends.launcher import keeper
from tidegate.ends.pipe import PipeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import docker

    from tidegate.ends.engine import Engine
    from tidegate.settings import ServerSettings

INSTANCE, SERVER = "io.tidegate.instance", "io.tidegate.server"
"""The labels that name a container's instance and its server in the settings."""

_USER = "65534:65534"
_MEBIBYTE = 1024 * 1024
_MEMORY = 256 * _MEBIBYTE
_KILLED = 137  # the exit code of a container that was killed
_CONFIRMED = 15.0  # seconds for a removal to be confirmed
_TRIES = 3

_background: set[asyncio.Task[None]] = set()  # removals nobody waits for; a task that isn't kept may be lost


class ContainerPipe:
    """A container as a pipe.

    Args:
        name: the server's name in the settings.
        server: its settings: image, arguments, environment, mounts.
        folder: where relative paths of mounts start from.
        max_bytes: how long one JSON text may be.
        engine_: the container engine; the environment's where it's None.
        grace: seconds it has to end after its standard input has ended.
    """

    def __init__(  # noqa: PLR0913 - the last three have defaults that fit everyone but tests
        self,
        name: str,
        server: ServerSettings,
        *,
        folder: Path,
        max_bytes: int = MAX_BYTES,
        engine_: Engine | None = None,
        grace: float = 2.0,
    ) -> None:
        self._server = server
        self._engine = engine_ or engine()
        self._grace = grace
        self.container = f"tidegate-{name}-{secrets.token_hex(6)}"
        self._options = _options(name, self.container, server, folder)
        self._lines = Lines(max_bytes)
        self._inbox = Inbox()
        self._outbox = Outbox()
        self._tail = Tail()
        self._ending = Ending(name, self._inbox, self._outbox)
        self._name = name
        self._making: asyncio.Future[Any] | None = None
        self._attached: Attached | None = None
        self._ended: Removal | None = None
        self._flooded = asyncio.Event()
        self._unwanted = 0  # bytes that came after the pipe was closed
        self._closed = False
        self._removing: asyncio.Task[None] | None = None
        self._closing = asyncio.Lock()

    async def start(self) -> None:
        """Create, attach and start the container; see :meth:`tidegate.ends.pipe.Pipe.start`."""
        try:
            await self._engine.reap_once()
            keeper.note_container(self._engine.reached, self.container)
            self._making = asyncio.ensure_future(self._engine.starting(self._create))
            await asyncio.shield(self._making)
            await self._attach()
            await self._engine.starting(lambda client: client.start(self.container))
        except Refused as refusal:
            self._remove_later()
            raise PipeError(f"{self._name} can't be started: {refusal.told}.") from None
        except BaseException:
            self._remove_later()
            raise

    def _create(self, client: docker.APIClient) -> None:
        try:
            client.create_container(
                host_config=client.create_host_config(**_hardened(), mounts=list(_mounts(self._options))),
                **_arguments(self._options),
            )
        except Refused:
            raise

    async def _attach(self) -> None:
        """Connect to the container's streams and its end, both before it starts, so that nothing is missed."""
        attached = Attached(self.container, self._take, self._tail.feed, self._output_ended, self._outbox)
        self._attached = attached
        await self._engine.connect(lambda: attached)
        await attached.head
        assert attached.transport is not None
        self._inbox.source = attached.transport
        self._outbox.open(attached.transport)
        ended = self._ended = Removal(self.container)
        await self._engine.connect(lambda: ended)
        await ended.head
        ended.status.add_done_callback(self._exited)
