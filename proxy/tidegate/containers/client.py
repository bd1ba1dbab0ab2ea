"""The launcher as the process that faces clients sees it: it can ask for configured containers, and nothing else."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from tidegate.channel import Channel
from tidegate.containers.boxes import Box, fingerprint
from tidegate.ends.pipe import PipeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.settings import Settings

log = structlog.get_logger("tidegate.containers")

_LAST = 20.0  # seconds a launcher has for its end, once its peer has gone
_SECONDS = 120.0  # for an answer: an image may have to be looked at, and a queue be waited for


class LauncherClient:
    """A launcher, started when first needed and again should it end; see :class:`tidegate.containers.boxes.Boxes`.

    Args:
        settings: the settings in force.
        path: the file that they are of; None where they are of none, and are told to the launcher.
        event: takes what the launcher says by itself, but for ends.
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        path: Path | None = None,
        event: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._path = path
        self._event = event
        self._connection: _Connection | None = None
        self._connecting = asyncio.Lock()
        self._closed = False

    async def start(self, server: str, instance: str, secrets: str | None = None) -> Box:
        """Start a container; see :meth:`tidegate.containers.boxes.Boxes.start`."""
        found = self._settings().servers[server]
        connection = await self._connected()
        ended = connection.watch(instance)
        try:
            answer, descriptors = await connection.ask(
                {
                    "op": "start",
                    "server": server,
                    "instance": instance,
                    "settings": fingerprint(found),
                    "secrets": secrets or "",
                }
            )
        except BaseException:
            connection.unwatch(instance)
            raise
        direct = (descriptors.pop(-2), descriptors.pop(-1)) if answer.get("direct") else None
        streams, *port = [socket.socket(fileno=each) for each in descriptors]
        return Box(streams, ended, port[0] if port else None, direct)

    async def stop(self, instance: str) -> None:
        """Kill and remove a container; see :meth:`tidegate.containers.boxes.Boxes.stop`."""
        if self._connection is not None:  # without one, there is no container either
            await self._connection.ask({"op": "stop", "instance": instance})

    def recorded(self, instance: str, number: int, *, ok: bool) -> None:
        """Answer an ``egress`` event: whether what it tells of is recorded."""
        if self._connection is not None:
            self._connection.tell({"op": "recorded", "instance": instance, "n": number, "ok": ok})

    async def usage(self) -> dict[str, dict[str, int]]:
        """Return what the running containers use, by instance; see :func:`tidegate.containers.usage.usage`.

        Raises:
            PipeError: where the launcher can't be asked.
        """
        if self._connection is None:
            return {}
        answer, _ = await self._connection.ask({"op": "usage"})
        used: dict[str, dict[str, int]] = answer["usage"]
        return used

    async def image(self, server: str) -> dict[str, Any]:
        """Return what there is to say about a server's image; see :meth:`tidegate.containers.trust.Trust.look`.

        Raises:
            PipeError: where the launcher can't be asked.
        """
        answer, _ = await (await self._connected()).ask({"op": "image", "server": server})
        found: dict[str, Any] = answer["image"]
        return found

    async def prepare(self) -> None:
        """Start the launcher, if it doesn't run; it removes at once what an earlier, killed one has left.

        Raises:
            PipeError: where it can't be started or reached.
        """
        await self._connected()

    async def reload(self) -> None:
        """Have the launcher read the settings file again.

        Raises:
            PipeError: where it can't be asked, or finds the settings not well.
        """
        if self._connection is not None:
            await self._connection.ask({"op": "reload"})

    async def close(self) -> None:
        """Let go of the launcher, which stops all that was started by it."""
        self._closed = True
        async with self._connecting:
            if self._connection is not None:
                await self._connection.close()
                self._connection = None

    async def _connected(self) -> _Connection:
        async with self._connecting:
            if self._closed:
                raise PipeError("Tidegate is stopping.")
            if self._connection is None or self._connection.lost:
                if self._connection is not None:
                    await self._connection.close()
                address = self._settings().proxy.launcher
                self._connection = await (self._reach(address) if address else self._spawn())
            return self._connection

    async def _reach(self, address: str) -> _Connection:
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(0)
        try:
            await asyncio.get_running_loop().sock_connect(made, address)
        except OSError as error:
            made.close()
            raise PipeError(f"The launcher can't be reached at {address}: {error.strerror}.") from None
        return _Connection(made, None, self._event)

    async def _spawn(self) -> _Connection:
        ours, theirs = socket.socketpair()
        program = [
            sys.executable,
            "-I",
            "-m",
            "tidegate.containers",
            str(self._path.resolve()) if self._path else "-",
        ]
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *program, stdin=theirs.fileno(), stdout=asyncio.subprocess.DEVNULL, start_new_session=True, cwd="/"
                )
        except BaseException as error:
            ours.close()
            if isinstance(error, OSError):
                raise PipeError(f"The launcher can't be started: {error.strerror}.") from None
            raise
        connection = _Connection(ours, process, self._event)
        if self._path is None:
            settings = self._settings()
            tree = settings.model_dump(mode="json", exclude_unset=True)
            try:
                await connection.ask({"op": "configure", "settings": tree, "folder": str(Path.cwd() / settings.folder)})
            except BaseException:
                await connection.close()
                raise
        return connection


class _Connection:
    """A connection to a launcher, and who waits for an answer.

    Attributes:
        lost: whether the launcher has gone.
    """

    def __init__(
        self,
        connection: socket.socket,
        process: asyncio.subprocess.Process | None,
        event: Callable[[dict[str, Any]], None],
    ) -> None:
        self.lost = False
        self._process = process
        self._event = event
        self._numbers = itertools.count()
        self._asked: dict[int, asyncio.Future[tuple[dict[str, Any], list[int]]]] = {}
        self._ended: dict[str, asyncio.Future[int | None]] = {}
        self._channel = Channel(connection, self._take, self._gone)

    def watch(self, instance: str) -> asyncio.Future[int | None]:
        """Return what is done when the container of an instance has ended."""
        ended = self._ended[instance] = asyncio.get_running_loop().create_future()
        return ended

    def unwatch(self, instance: str) -> None:
        """Forget about an instance that didn't start."""
        self._ended.pop(instance, None)

    def tell(self, message: dict[str, Any]) -> None:
        """Say what has no answer."""
        if not self.lost:
            self._channel.send(message)

    async def ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
        """Ask, and return the answer and the descriptors that came with it.

        Raises:
            PipeError: with the launcher's sentence, or where it doesn't answer.
        """
        if self.lost:
            raise PipeError("The launcher has ended.")
        number = next(self._numbers)
        asked = self._asked[number] = asyncio.get_running_loop().create_future()
        self._channel.send({"id": number, **request})
        try:
            async with asyncio.timeout(_SECONDS):
                answer, descriptors = await asked
        except TimeoutError:
            raise PipeError("The launcher doesn't answer in time.") from None
        except asyncio.CancelledError:
            if asked.done() and not asked.cancelled() and asked.exception() is None:
                for descriptor in asked.result()[1]:
                    os.close(descriptor)
            raise
        finally:
            del self._asked[number]
        if "error" in answer:
            raise PipeError(answer["error"])
        return answer, descriptors

    async def close(self) -> None:
        """Let go of it, and see it out where it is our own."""
        self._channel.close()
        self._gone()
        if self._process is not None:
            try:
                async with asyncio.timeout(_LAST):
                    await self._process.wait()
            except TimeoutError:  # its keeper removes what it has started
                log.warning("the launcher did not end in time and was killed")
                with suppress(ProcessLookupError):
                    self._process.kill()
                await self._process.wait()

    def _take(self, message: dict[str, Any], descriptors: list[int]) -> None:
        asked = self._asked.get(message.get("id", -1))
        if asked is not None and not asked.done():
            asked.set_result((message, descriptors))
            return
        for descriptor in descriptors:  # whoever asked has given up
            os.close(descriptor)
        if message.get("event") == "ended":
            ended = self._ended.pop(message["instance"], None)
            if ended is not None and not ended.done():
                ended.set_result(message["code"])
        elif "event" in message:
            self._event(message)

    def _gone(self) -> None:
        """The launcher has gone, and with it all containers: its keeper sees to that."""
        if self.lost:
            return
        self.lost = True
        for asked in self._asked.values():
            if not asked.done():
                asked.set_exception(PipeError("The launcher has ended."))
        for ended in self._ended.values():
            if not ended.done():
                ended.set_result(None)
        self._ended.clear()
