"""A container's standard input and output as pipes of Tidegate's own, so that no byte of them passes the engine.

An engine copies each byte of a container's streams twice, in itself and in the container's shim, which costs more CPU
than all that Tidegate does to a message. Here a folder in this machine's memory holds two named pipes and is mounted
into the container, read-only; a few lines of the image's shell open them and become its program. When they are open the
folder is removed, so nobody can open them anew. That needs an engine that sees this machine's files, and a shell in the
image.

A container's end closes its pipes, whatever the engine says or doesn't.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from docker.types import Mount

from tidegate.box_settings import Bind, Tmpfs
from tidegate.containers.secret_delivery import REFUSED, SHELL, Delivery, Image, known_shell, look_for_shell, program
from tidegate.ends.pipe import PipeError
from tidegate.secret_stores.memory import MemoryFolder

if TYPE_CHECKING:
    from docker import APIClient

    from tidegate.containers.engine import Engine
    from tidegate.server_settings import ServerSettings

FOLDER = "/run/tidegate"
"""Where the pipes are in the container, until they are open."""

_SECONDS = 20.0  # for the shell's lines to have opened the pipes
_AGAIN = 600.0  # seconds until what didn't work is tried again
_INPUT, _OUTPUT = "in", "out"
# "command" keeps a shell from ending at once where a redirection fails. The empty line says that both are open.
_OPENING = f"""command exec <{FOLDER}/{_INPUT} >{FOLDER}/{_OUTPUT} || exit {REFUSED}
echo || exit {REFUSED}
"""
_OPEN = b"\n"
_NO_SHELL = f"its image has no {SHELL}"
_KILLED = (None, 137, 143)  # exit codes that say nothing about the pipes


class NotDirect(PipeError):  # noqa: N818 - it says what can't be
    """A container can't have pipes of Tidegate's own.

    Attributes:
        why: a clause.
        lasting: whether the same is to be expected the next time.
    """

    def __init__(self, why: str, *, lasting: bool = True) -> None:
        super().__init__(f"It can't have pipes of Tidegate's own: {why}.")
        self.why = why
        self.lasting = lasting


class Direct:
    """The pipes of one container.

    Args:
        seconds: how long the container may take to open them, once it has started.
    """

    def __init__(self, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._folder = _Pipes("streams")
        self._image = ""
        self._input: int | None = None  # to be written to
        self._output: int | None = None  # to be read
        self._kept: int | None = None  # keeps the input open until the container has it

    def prepare(self, client: APIClient, server: ServerSettings, delivery: Delivery) -> Delivery:
        """Make the pipes; return what the container is created with for them, and for its secrets. In a thread.

        Args:
            client: the engine.
            server: its server's settings.
            delivery: what is done for its secrets.

        Raises:
            NotDirect: where it can't have pipes.
            PipeError: where nobody says what it runs.
        """
        if _is_covered(server):
            raise NotDirect(f"its settings mount something at {FOLDER}")
        inspected = client.inspect_image(server.image)  # type: ignore[no-untyped-call]  # docker-py's stubs
        self._image = str(inspected["Id"])
        shell = known_shell(self._image) is not False  # :meth:`check` looks where nobody has
        if not shell:
            raise NotDirect(_NO_SHELL)
        wrapped = wrap(delivery, server, Image.of(inspected, shell=shell))
        try:
            self._folder.make()
        except PipeError as error:
            raise NotDirect(str(error).rstrip(".")) from None
        self._kept, self._input, self._output = self._folder.opened()
        mount = Mount(FOLDER, str(self._folder.pipes), type="bind", read_only=True, propagation="rprivate")
        return replace(wrapped, mounts=[*wrapped.mounts, mount])

    def check(self, client: APIClient, container: str) -> None:
        """See that a container has a shell, once it is created. In a thread.

        Raises:
            NotDirect: where it hasn't.
        """
        if known_shell(self._image) is None and not look_for_shell(client, self._image, container):
            raise NotDirect(_NO_SHELL)

    async def tell(self, data: bytes) -> None:
        """Write what comes before all else to the container's standard input.

        Raises:
            OSError: where it has ended.
        """
        assert self._input is not None
        descriptor, loop, left = self._input, asyncio.get_running_loop(), memoryview(data)
        while left:
            try:
                left = left[os.write(descriptor, left) :]
            except BlockingIOError:
                writable = loop.create_future()
                loop.add_writer(descriptor, _done, writable)
                try:
                    await writable
                finally:
                    loop.remove_writer(descriptor)

    async def opened(self, ended: asyncio.Future[int | None]) -> None:
        """Wait until the container has opened both; nobody can open them from then on.

        Args:
            ended: its exit code, once it has ended.

        Raises:
            NotDirect: where it doesn't.
        """
        assert self._output is not None
        loop = asyncio.get_running_loop()
        readable = loop.create_future()
        loop.add_reader(self._output, _done, readable)
        waited: set[asyncio.Future[int | None]] = {readable, ended}
        try:
            await asyncio.wait(waited, timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            loop.remove_reader(self._output)
        said = b""
        with suppress(BlockingIOError):
            said = os.read(self._output, len(_OPEN))
        if said == _OPEN:
            _close(self._kept)
            self._kept = None
            self._folder.remove()
            return
        if readable.done() and not ended.done():
            await asyncio.wait([ended], timeout=1.0)  # it ended with them; how, is heard in a moment
        code = ended.result() if ended.done() else 0
        raise NotDirect("its shell didn't open them", lasting=code not in _KILLED)

    def take(self) -> tuple[int, int]:
        """Return the descriptors to write to and to read from, once they are open; the caller's to close."""
        assert self._input is not None
        assert self._output is not None
        found = self._input, self._output
        self._input = self._output = None
        return found

    def close(self) -> None:
        """Let go of what wasn't taken."""
        for descriptor in (self._kept, self._input, self._output):
            _close(descriptor)
        self._kept = self._input = self._output = None
        self._folder.remove()


class _Pipes(MemoryFolder):
    """A folder whose parent is this user's alone, with two named pipes.

    Whoever is in the container may open them, as whichever user; nobody else gets into the parent.
    """

    @property
    def pipes(self) -> Path:
        return self.folder / "pipes"

    def fill(self) -> None:
        self.pipes.mkdir()
        for name, mode in ((_INPUT, 0o644), (_OUTPUT, 0o622)):
            os.mkfifo(self.pipes / name, 0o600)
            (self.pipes / name).chmod(mode)
        self.pipes.chmod(0o755)

    def opened(self) -> tuple[int, int, int]:
        """Open our sides, without waiting for others: the input for both directions, for writing, and the output."""
        made: list[int] = []
        flags = os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            for name, mode in ((_INPUT, os.O_RDWR), (_INPUT, os.O_WRONLY), (_OUTPUT, os.O_RDONLY)):
                made.append(os.open(self.pipes / name, mode | flags))
        except OSError as error:
            for descriptor in made:
                os.close(descriptor)
            raise NotDirect(f"they can't be opened ({error.strerror})", lasting=False) from None
        kept, to_input, from_output = made
        return kept, to_input, from_output


def wrap(delivery: Delivery, server: ServerSettings, image: Image) -> Delivery:
    """Return what a container is created with so that it opens its pipes before all else.

    Args:
        delivery: what is done for its secrets.
        server: its server's settings.
        image: its image, which has a shell.

    Raises:
        PipeError: where nobody says what it runs.
    """
    if delivery.entrypoint is None:
        script, command = 'exec "$@"\n', program(server, image)
    else:
        script, command = delivery.entrypoint[2], delivery.command or []
    return replace(delivery, entrypoint=[SHELL, "-c", _OPENING + script, "tidegate"], command=command)


def _is_covered(server: ServerSettings) -> bool:
    """Whether the settings have something else where the pipes would be."""
    place = PurePosixPath(FOLDER)
    binds = [PurePosixPath(Bind.read(mount).target) for mount in server.mounts]
    folders = [PurePosixPath(Tmpfs.read(entry).path) for entry in server.tmpfs]
    within = any(target.is_relative_to(place) for target in binds + folders)
    return within or any(place.is_relative_to(target) for target in binds)  # the engine would write into those


@dataclass(frozen=True, slots=True)
class _Failed:
    until: float
    why: str


class Ways:
    """Which way the streams of containers take, by their settings and by what has failed before.

    Args:
        engine: where they run.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._failed: dict[tuple[str | None, ...], _Failed] = {}

    def of(self, server: ServerSettings) -> tuple[bool, ...]:
        """Return for each way to be tried, in turn, whether it is direct."""
        if server.port is not None or server.streams == "engine":
            return (False,)
        if server.streams == "direct":
            return (True,)
        failed = self._failed.get(self._kind(server))
        barred = failed is not None and time.monotonic() < failed.until
        if barred or server.runtime is not None or "unix" not in self._engine.reached:
            return (False,)
        return (True, False)

    def failed(self, server: ServerSettings, failure: NotDirect) -> bool:
        """Remember that a container couldn't have pipes, and could do without; whether that is news."""
        if not failure.lasting:
            return False
        kind = self._kind(server)
        news = kind not in self._failed
        self._failed[kind] = _Failed(time.monotonic() + _AGAIN, failure.why)
        return news

    @staticmethod
    def _kind(server: ServerSettings) -> tuple[str | None, ...]:
        return (server.image, server.user, *server.mounts, *server.tmpfs)


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)
