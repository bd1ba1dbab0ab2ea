"""A real OPA server that a test starts, and treats badly; and a relay in front of it that makes it slow."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from support.opa import opa_path

PATIENCE = 20.0  # seconds for OPA to start, on a busy machine


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class OpaServer:
    """An OPA server.

    Args:
        args: what else it is started with: flags and files.
        unix: a path for a UNIX socket, instead of a port.
        scheme: ``http`` or ``https``.
    """

    def __init__(self, *args: str | Path, unix: Path | None = None, scheme: str = "http") -> None:
        self.port = 0 if unix else free_port()
        self.url = f"unix:{unix}" if unix else f"{scheme}://127.0.0.1:{self.port}"
        self._unix = unix
        self._args = args
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        address = f"unix://{self._unix}" if self._unix else f"127.0.0.1:{self.port}"
        self._process = subprocess.Popen(
            [
                str(opa_path()),
                "run",
                "--server",
                f"--addr={address}",
                "--log-level=error",
                "--skip-version-check",
                "--disable-telemetry",
                *map(str, self._args),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        ends = time.monotonic() + PATIENCE
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > ends:
                self.kill()
                raise RuntimeError("OPA does not start")
            time.sleep(0.01)

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX if self._unix else socket.AF_INET) as trying:
            return trying.connect_ex(str(self._unix) if self._unix else ("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """End it at once."""
        if self._process is None:
            return
        self.resume()
        self._process.kill()
        self._process.communicate(timeout=PATIENCE)
        self._process = None

    def pause(self) -> None:
        """Make it hang: the system still takes connections for it, and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGCONT)

    @contextmanager
    def hung(self) -> Iterator[None]:
        """Let it hang for a while."""
        self.pause()
        try:
            yield
        finally:
            self.resume()


class SlowRelay:
    """Passes bytes on to a port, and holds each answer back for a while.

    Attributes:
        delay: seconds that what the server says is held back.
        connections: how many were made.
        requests: how many parts of requests went through.
    """

    def __init__(self, port: int) -> None:
        self.delay = 0.0
        self.connections = 0
        self.requests = 0
        self.url = ""
        self._port = port

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection."""
        self.connections += 1
        to_server = await asyncio.open_connection("127.0.0.1", self._port)
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(
                self._pass(reader, to_server[1], slow=False), self._pass(to_server[0], writer, slow=True)
            )

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, slow: bool) -> None:
        try:
            while data := await reader.read(65_536):
                self.requests += not slow
                if slow and self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def slowed(port: int) -> AsyncIterator[SlowRelay]:
    """Run a relay in front of a port."""
    relay = SlowRelay(port)
    server = await asyncio.start_server(relay.take, "127.0.0.1", 0)
    relay.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield relay
    finally:
        server.close()
