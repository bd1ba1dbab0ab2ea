"""What ``tidegate ps`` and ``servers`` ask of a Tidegate that runs: over a UNIX socket that is its user's alone.

The operations: ``ps {}``, ``logs {server}``, ``restart {server}``, ``stop {server}``. See ``channel.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from tidegate import defaults, sockets
from tidegate.channel import Channel
from tidegate.ends.pipe import PipeError
from tidegate.processes import usage
from tidegate.settings import SettingsError
from tidegate.upstream import Unavailable

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncGenerator

    from tidegate.fleet import Fleet, Listed
    from tidegate.flows import Core
    from tidegate.settings import Settings

log = structlog.get_logger("tidegate.control")

_LONGEST = 100  # bytes of a UNIX socket's path, which the system limits to a few more
_DIGITS = 12  # of an instance at the end of its container's name


def path_of(settings: Settings, file: Path | None) -> Path:
    """Return where the Tidegate of some settings listens for commands.

    It is ``[proxy] control``; by default a socket in ``tidegate`` in ``$XDG_RUNTIME_DIR``, or in this user's folder for
    state, whose name depends on the path of the settings file.

    Raises:
        SettingsError: where there is no folder for it.
    """
    if settings.proxy.control is not None:
        return settings.folder / settings.proxy.control
    named = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = Path(named) / "tidegate" if named.startswith("/") else defaults.state_folder() / "run"
    digest = hashlib.sha256(str(file.resolve() if file is not None else "").encode()).hexdigest()
    path = folder / f"{digest[:16]}.sock"
    if len(os.fsencode(path)) > _LONGEST:
        raise SettingsError(f"the path {path} is too long for a UNIX socket; name another as proxy.control")
    return path


class Control:
    """Answers commands about the instances of one Tidegate.

    Args:
        core: what all relays share.
        fleet: the instances.
    """

    def __init__(self, core: Core, fleet: Fleet) -> None:
        self._core = core
        self._fleet = fleet
        self._channels: set[Channel] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def serving(self, file: Path | None) -> AsyncGenerator[None, None]:
        """Take commands from here until the block ends; where that can't be, a line in the log says so."""
        try:
            path = path_of(self._core.now.settings, file)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            listener = sockets.listening(path)
        except (OSError, SettingsError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            log.warning("tidegate ps and servers won't reach this Tidegate", reason=reason)
            yield
            return
        loop = asyncio.get_running_loop()
        loop.add_reader(listener.fileno(), self._accept, listener)
        try:
            yield
        finally:
            loop.remove_reader(listener.fileno())
            listener.close()
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108 - not worth a thread
            for channel in self._channels:
                channel.close()
            for task in self._tasks:
                task.cancel()

    def _accept(self, listener: socket.socket) -> None:
        connection = sockets.accepted(listener, frozenset({os.geteuid(), 0}))
        if connection is None:
            return
        self._channels.add(_Commander(connection, self).channel)

    def lost(self, channel: Channel) -> None:
        """Forget who has gone."""
        self._channels.discard(channel)

    def take(self, channel: Channel, message: dict[str, Any]) -> None:
        """Take a command."""
        task = asyncio.create_task(self._answer(channel, message), name="command")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, channel: Channel, message: dict[str, Any]) -> None:
        try:
            match message:
                case {"op": "ps"}:
                    said: dict[str, Any] = {"instances": await self.instances(), "stopped": sorted(self._fleet.stopped)}
                case {"op": "logs", "server": str(name)}:
                    said = {"logs": self._fleet.logs(name)}
                case {"op": "restart", "server": str(name)}:
                    said = {"ended": await self._fleet.restart(name)}
                case {"op": "stop", "server": str(name)}:
                    said = {"ended": await self._fleet.stop(name)}
                case _:
                    said = {"error": "this Tidegate doesn't know that command"}
        except Unavailable as error:
            said = {"error": str(error)}
        channel.send({"id": message.get("id"), **said})

    async def instances(self) -> list[dict[str, Any]]:
        """Return what runs, with what it uses: ``memory`` in bytes, ``cpu_ns`` since its start, ``pids``."""
        used: dict[str, dict[str, int]] = {}
        if self._core.boxes is not None:
            try:
                used = await self._core.boxes.usage()
            except PipeError as error:
                log.warning("what containers use isn't known", reason=str(error))
        return [self._shown(listed, used) for listed in self._fleet.listed()]

    def _shown(self, listed: Listed, used: dict[str, dict[str, int]]) -> dict[str, Any]:
        found = used.get(listed.container[-_DIGITS:]) if listed.container else None
        if found is None and listed.pid is not None:
            found = usage(listed.pid)
        server = self._core.now.settings.servers.get(listed.server)
        kind = server.kind if server is not None else ""
        return listed._asdict() | {"kind": kind, "memory": None, "cpu_ns": None, "pids": None} | (found or {})


class _Commander:
    """A connection of somebody who gives commands."""

    def __init__(self, connection: socket.socket, control: Control) -> None:
        self._control = control
        self.channel: Channel = Channel(connection, self._take, self._lost)

    def _take(self, message: dict[str, Any], descriptors: list[int]) -> None:
        for descriptor in descriptors:
            os.close(descriptor)  # nobody was to send any
        self._control.take(self.channel, message)

    def _lost(self) -> None:
        self._control.lost(self.channel)
