"""The launcher: the process that holds the engine's socket, and starts and stops configured containers for others.

Tidegate starts one for itself where a server runs in a container (``python -I -m tidegate.containers FILE``,
with a socket as standard input), or connects to one that runs in another container (``tidegate launcher``). It reads
the settings file itself: who asks it can name a server, and can't say what is started. All that was started for a
peer is stopped when the peer has gone.

The operations: ``start {server, instance, settings, secrets}`` (answered with a descriptor, with one more where the
server has a port, and two more where the answer says ``direct``; later followed by an ``ended`` event), ``stop
{instance}``, ``recorded {instance, n, ok}`` (for an ``egress`` event; it has no answer), ``usage {}``, ``image
{server}``, ``reload {}``; and once, for a launcher that reads no file, ``configure {settings, folder}``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidegate import settings as settings_module
from tidegate import sockets
from tidegate.channel import Channel
from tidegate.containers.boxes import fingerprint
from tidegate.containers.engine import Engine
from tidegate.containers.running import Containers
from tidegate.containers.usage import usage
from tidegate.ends.pipe import PipeError
from tidegate.secret_stores import memory
from tidegate.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.settings import Settings

log = logging.getLogger("tidegate.launcher")

_INSTANCE = re.compile(r"[0-9a-f]{12}")
_MOST = 1000  # containers of one peer
_ANEW = 60.0  # seconds between two looks for what others left


class Configured:
    """The settings in force: those of a file, or those that the first message gives, for good.

    Args:
        path: the file; None for settings that are given.

    Raises:
        SettingsError: where the file isn't well.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._given = path is not None
        self.now = settings_module.load(path) if path is not None else settings_module.Settings()

    def reload(self) -> None:
        """Read the file again.

        Raises:
            SettingsError: where it isn't well; then nothing changes.
        """
        if self._path is not None:
            self.now = settings_module.load(self._path)

    def give(self, tree: dict[str, Any], folder: Path) -> None:
        """Take settings that are no file's; once.

        Raises:
            SettingsError: where they aren't well, or there are some.
        """
        if self._given:
            raise SettingsError("The launcher has its settings already.")
        self.now = settings_module.build(tree, folder=folder)
        self._given = True


class Peer:
    """One process that has containers started.

    Args:
        connection: the socket to it.
        engine: where its containers run.
        configured: the settings in force.
        gone: told once, when it has gone and nothing of its is left to be seen to.
    """

    def __init__(
        self, connection: socket.socket, engine: Engine, configured: Configured, gone: Callable[[Peer], None]
    ) -> None:
        self._engine = engine
        self._configured = configured
        self._gone = gone
        self._containers = Containers(engine, lambda: configured.now, self._tell)
        self._tasks: set[asyncio.Task[None]] = set()
        self._channel = Channel(connection, self._take, self._lost)

    async def close(self) -> None:
        """Stop all that it had started."""
        self._channel.close()
        for task in list(self._tasks):
            task.cancel()
        await self._containers.close()

    def _lost(self) -> None:
        self._spawn(self._end())

    async def _end(self) -> None:
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()
        await self._containers.close()
        self._gone(self)

    def _tell(self, told: dict[str, Any]) -> None:
        self._channel.send(told)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work, name="launcher operation")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _take(self, message: dict[str, Any], descriptors: list[int]) -> None:
        for descriptor in descriptors:
            socket.close(descriptor)  # nobody was to send any
        match message:
            case {"op": "recorded", "instance": str(instance), "n": int(number), "ok": bool(ok)}:
                self._containers.answer(instance, number, ok=ok)
                return
        self._spawn(self._answer(message))

    async def _answer(self, message: dict[str, Any]) -> None:
        number = message.get("id")
        try:
            match message:
                case {"op": "start", "server": str(), "instance": str(), "settings": str()}:
                    await self._start(number, message)
                    return
                case {"op": "stop", "instance": str(instance)}:
                    await self._containers.stop(instance)
                    said: dict[str, Any] = {}
                case {"op": "usage"}:
                    said = {"usage": await usage(self._engine, self._containers.names())}
                case {"op": "image", "server": str(server)}:
                    said = {"image": await self._containers.look(server)}
                case {"op": "configure", "settings": dict(tree), "folder": str(folder)}:
                    self._configured.give(tree, Path(folder))
                    said = {}
                case {"op": "reload"}:
                    self._configured.reload()
                    said = {}
                case _:
                    said = {"error": "The launcher doesn't know that operation."}
        except (PipeError, SettingsError) as error:
            said = {"error": str(error)}
        self._channel.send({"id": number, **said})

    async def _start(self, number: object, asked: dict[str, str]) -> None:
        server, instance, known = asked["server"], asked["instance"], asked["settings"]
        found = self._configured.now.servers.get(server)
        if found is None or fingerprint(found) != known:
            raise PipeError(f"The launcher has other settings of {server!r}: have both read the same file again.")
        if not _INSTANCE.fullmatch(instance):
            raise PipeError("An instance has twelve hexadecimal digits.")
        if len(self._containers) >= _MOST:
            raise PipeError(f"More than {_MOST} containers run.")
        box = await self._containers.start(server, instance, str(asked.get("secrets", "")))
        given = [each.detach() for each in (box.streams, box.port) if each is not None]
        given += box.direct or ()
        self._channel.send({"id": number, "direct": box.direct is not None}, *given)
        for each in given:
            os.close(each)
        box.ended.add_done_callback(
            lambda ended: self._channel.send({"event": "ended", "instance": instance, "code": ended.result()})
        )


class Launcher:
    """All peers of one launcher.

    Args:
        configured: the settings in force.
        engine: the container engine; the one that the environment names, by default.
    """

    def __init__(self, configured: Configured, engine: Engine | None = None) -> None:
        self.idle = asyncio.Event()
        self._configured = configured
        self._engine = engine or Engine()
        self._peers: set[Peer] = set()

    def add(self, connection: socket.socket) -> None:
        """Serve a peer until it goes."""
        self.idle.clear()
        self._peers.add(Peer(connection, self._engine, self._configured, self._left))

    def accept(self, listener: socket.socket, users: frozenset[int]) -> None:
        """Serve the next peer that connects, if it is of one of some users."""
        connection = sockets.accepted(listener, users)
        if connection is not None:
            self.add(connection)

    def _left(self, peer: Peer) -> None:
        self._peers.discard(peer)
        if not self._peers:
            self.idle.set()

    async def reap(self) -> None:
        """Remove what killed launchers left, now and from time to time."""
        while True:
            await asyncio.to_thread(memory.sweep)
            try:
                await self._engine.reap()
            except PipeError as error:
                log.warning("Containers of an earlier Tidegate can't be looked for: %s", error)
            await asyncio.sleep(_ANEW)

    async def close(self) -> None:
        """Stop everything."""
        await asyncio.gather(*(peer.close() for peer in self._peers))
        self._engine.close()


async def serve_parent(path: str) -> None:
    """Serve the process that this one's standard input is a socket to, until it has gone.

    Args:
        path: the settings file, or ``-`` where the first message gives the settings (``configure``).
    """
    launcher = Launcher(Configured(None if path == "-" else Path(path)))
    launcher.add(socket.socket(fileno=0))
    await _until(launcher, launcher.idle)


async def serve_socket(path: Path, listen: Path, allowed: frozenset[int] = frozenset()) -> None:
    """Serve who connects to a UNIX socket and is of an allowed user, until SIGTERM or SIGINT.

    Args:
        path: the settings file.
        listen: the socket's path.
        allowed: the ids of users that may connect beside this process' own and root; the kernel says who connects.

    Raises:
        SettingsError: where the file isn't well.
        OSError: where it can't be listened on.
    """
    configured = Configured(path)
    launcher = Launcher(configured)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with sockets.listening(listen, 0o666 if allowed else 0o600) as listener:
        loop.add_reader(listener.fileno(), launcher.accept, listener, allowed | {os.geteuid(), 0})
        log.info("The launcher is ready at %s for: %s.", listen, ", ".join(_images(configured.now)) or "no server")
        try:
            await _until(launcher, stop)
        finally:
            loop.remove_reader(listener.fileno())
            os.unlink(listen)  # noqa: PTH108 - the last thing done, and ruff takes pathlib's for slow


async def _until(launcher: Launcher, end: asyncio.Event) -> None:
    reaping = asyncio.create_task(launcher.reap(), name="reaper")
    try:
        await end.wait()
    finally:
        reaping.cancel()
        await asyncio.wait([reaping])
        await launcher.close()


def _images(settings: Settings) -> list[str]:
    return sorted(name for name, server in settings.servers.items() if server.image is not None)


class _Lines(logging.Formatter):
    """Log lines as ``tidegate.logs`` writes them in JSON; structlog would be a seventh of this process' memory."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a line: of an exception only its class, because its text may quote what it shouldn't."""
        line = {"event": record.getMessage().partition("\n")[0], "level": record.levelname.lower()}
        if record.exc_info is not None and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        return json.dumps(line | {"logger": record.name, "timestamp": stamp})


def main() -> None:
    """Run as the child of the process that faces clients."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends with its parent, once all is stopped
    asyncio.run(serve_parent(sys.argv[1]))
