"""What ``tidegate ps`` and ``servers`` ask of a Tidegate that runs: over a UNIX socket that is its user's alone.

The operations: ``about {}``, ``ps {}``, ``logs {server}``, ``restart {server}``, ``stop {server}``. See ``channel.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from tidegate import sandbox, sockets
from tidegate.channel import Channel
from tidegate.ends.pipe import PipeError
from tidegate.processes import usage
from tidegate.settings import SettingsError
from tidegate.upstream import Unavailable

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncGenerator, Iterator

    from tidegate.fleet import Fleet, Listed
    from tidegate.flows import Core
    from tidegate.settings import Settings

log = structlog.get_logger("tidegate.control")

_LONGEST = 100  # bytes of a UNIX socket's path, which the system limits to a few more
_MOST_LOGS, _LEAST_LOG = 1024 * 1024, 512  # characters in an answer, and of one instance
_DIGITS = 12  # of an instance at the end of its container's name


def paths_of(settings: Settings, file: Path | None) -> list[Path]:
    """Return where the Tidegate of some settings may listen for commands, the likeliest place first.

    It is ``[proxy] control``; by default a socket whose name depends on the path of the settings file, in ``tidegate``
    in ``$XDG_RUNTIME_DIR``, or in the folder that logins have for that, or in this user's folder for state. A service
    and a login needn't have the same variables, so whoever looks for it looks in all of these.

    Raises:
        SettingsError: where there is none.
    """
    if settings.proxy.control is not None:
        paths = [settings.folder / settings.proxy.control]
    else:
        digest = hashlib.sha256(str(file.resolve() if file is not None else "").encode()).hexdigest()
        paths = [folder / f"{digest[:16]}.sock" for folder in _folders()]
    short = [path for path in paths if len(os.fsencode(path)) <= _LONGEST]
    if not short:
        told = f"the path {paths[0]} is too long for a UNIX socket" if paths else "there is no folder for its socket"
        raise SettingsError(f"proxy.control: {told}; name another one")
    return short


def _folders() -> Iterator[Path]:
    named = os.environ.get("XDG_RUNTIME_DIR", "")
    usual = Path(f"/run/user/{os.geteuid()}")
    for base in dict.fromkeys((Path(named) if named.startswith("/") else usual, usual)):
        if os.path.isdir(base):  # noqa: PTH112 - Path's raises where it may not look
            yield base / "tidegate"
    named = os.environ.get("XDG_STATE_HOME", "")
    with contextlib.suppress(RuntimeError):  # there is no home
        base = Path(named) if named.startswith("/") else Path.home() / ".local" / "state"
        yield base / "tidegate" / "run"


def _listening(paths: list[Path]) -> tuple[socket.socket, Path]:
    """Listen at the first of some places where that can be.

    Raises:
        OSError: where it can't be anywhere, or another Tidegate listens.
    """
    failed = OSError(errno.ENOENT, "there is no folder for its socket")
    for path in paths:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return sockets.listening(path), path
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise OSError(error.errno, f"another Tidegate of these settings listens on {path}") from None
            failed = OSError(error.errno, f"{path}: {error.strerror or error}")
    raise failed


class Control:
    """Answers commands about the instances of one Tidegate.

    Args:
        core: what all relays share.
        fleet: the instances.
        listen: the URL that clients connect to.
    """

    def __init__(self, core: Core, fleet: Fleet, listen: str = "") -> None:
        self._core = core
        self._fleet = fleet
        self._listen = listen
        self._channels: set[Channel] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def serving(self, file: Path | None) -> AsyncGenerator[None, None]:
        """Take commands from here until the block ends; where that can't be, a line in the log says so.

        Raises:
            SettingsError: where it can't be, and the settings say where it shall be.
        """
        settings = self._core.now.settings
        try:
            listener, path = _listening(paths_of(settings, file))
        except (OSError, SettingsError) as error:
            reason = str(error.strerror if isinstance(error, OSError) else error)
            if settings.proxy.control is not None:
                raise SettingsError(
                    reason if isinstance(error, SettingsError) else f"proxy.control: {reason}"
                ) from None
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
                case {"op": "about"}:
                    said: dict[str, Any] = {"listen": self._listen, "pid": os.getpid()}
                case {"op": "ps"}:
                    said = {"instances": await self.instances(), "stopped": sorted(self._fleet.stopped)}
                case {"op": "logs", "server": str(name)}:
                    self._check(name)
                    said = {"logs": _bounded(self._fleet.logs(name))}
                case {"op": "restart", "server": str(name)}:
                    self._check(name)
                    said = {"ended": await self._fleet.restart(name)}
                case {"op": "stop", "server": str(name)}:
                    self._check(name)
                    said = {"ended": await self._fleet.stop(name)}
                case _:
                    said = {"error": "this Tidegate doesn't know that command"}
        except Unavailable as error:
            said = {"error": str(error), "down": self._fleet.closed}
        channel.send({"id": message.get("id"), **said})

    def _check(self, name: str) -> None:
        """See that a server is one that has instances.

        Raises:
            Unavailable: where it isn't.
        """
        if self._fleet.pool(name).server.remote:
            raise Unavailable(f"The server {name!r} is remote: nothing of it runs here.")

    async def instances(self) -> list[dict[str, Any]]:
        """Return what runs, with what it uses: ``memory`` in bytes, ``cpu_ns`` since its start, ``pids``."""
        used: dict[str, dict[str, int]] = {}
        if self._core.boxes is not None:
            try:
                used = await self._core.boxes.usage()
            except PipeError as error:
                log.warning("what containers use isn't known", reason=str(error))
        return await asyncio.to_thread(self._shown, self._fleet.listed(), used)

    def _shown(self, found: list[Listed], used: dict[str, dict[str, int]]) -> list[dict[str, Any]]:
        servers = self._core.now.settings.servers
        shown = []
        for listed in found:
            uses = used.get(listed.container[-_DIGITS:]) if listed.container else None
            if uses is None and listed.pid is not None:
                uses = usage(listed.pid)
            server = servers.get(listed.server)
            more = {
                "kind": server.kind if server is not None else "",
                "isolation": sandbox.isolation(server) if server is not None else "",
            }
            shown.append(listed._asdict() | more | {"memory": None, "cpu_ns": None, "pids": None} | (uses or {}))
        return shown


def _bounded(logs: dict[str, str]) -> dict[str, str]:
    """Return what instances wrote, so that all of it stays below a size; each keeps the end of its own."""
    most = max(_LEAST_LOG, _MOST_LOGS // max(1, len(logs)))
    return {name: text if len(text) <= most else text[-most:].partition("\n")[2] for name, text in logs.items()}


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
