"""A client that starts Tidegate itself, and talks to it on standard input and output."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from support.proxy import tidegate
from support.rig import encoded
from support.toys import LEGACY
from support.web import PATIENCE

INITIALIZE = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}


class Client:
    """A client that has started Tidegate.

    Attributes:
        process: Tidegate.
    """

    def __init__(self, process: Process) -> None:
        self.process = process
        self._last = 0

    async def send(self, **tree: Any) -> None:
        """Send a message."""
        assert self.process.stdin is not None
        self.process.stdin.write(encoded(tree) + b"\n")
        await self.process.stdin.drain()

    async def next(self) -> Any:
        """Return the next message."""
        assert self.process.stdout is not None
        async with asyncio.timeout(3 * PATIENCE):
            return json.loads(await self.process.stdout.readline())

    async def told(self, method: str) -> None:
        """Wait for a message of a method."""
        while (await self.next()).get("method") != method:
            pass

    async def logged(self, event: str) -> Any:
        """Return the next line of the log about something."""
        assert self.process.stderr is not None
        async with asyncio.timeout(3 * PATIENCE):
            while (line := json.loads(await self.process.stderr.readline()))["event"] != event:
                pass
        return line

    async def ask(self, method: str, **params: Any) -> Any:
        """Send a request; return its reply."""
        self._last += 1
        await self.send(id=self._last, method=method, params=params)
        while (found := await self.next()).get("id") != self._last:
            pass
        return found


@asynccontextmanager
async def started(*arguments: str | Path) -> AsyncIterator[Client]:
    """Start ``tidegate`` on standard input and output, and begin a session; at the end its input is closed."""
    command = tidegate(*arguments, python=sys.executable)
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=dict(os.environ))
    client = Client(process)
    try:
        assert "result" in await client.ask("initialize", **INITIALIZE)
        await client.send(method="notifications/initialized")
        yield client
        if process.returncode is None:
            assert process.stdin is not None
            process.stdin.close()
            assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
