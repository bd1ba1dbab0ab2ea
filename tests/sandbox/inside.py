"""Runs programs in the sandbox as Tidegate starts them, and gets the JSON value that each prints."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ends.programs import PATIENCE, receive
from tidegate.box_settings import Bind
from tidegate.ends.process import ProcessPipe
from tidegate.sandbox.bubblewrap import Box

HOME = Path.home()
PLAIN = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable


def writable(folder: Path) -> Box:
    """A sandbox that may write to a folder."""
    return Box(folder, (Bind(str(folder), str(folder), writable=True),))


@asynccontextmanager
async def inside(
    command: Sequence[str], box: Box | None = None, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> AsyncIterator[ProcessPipe]:
    pipe = ProcessPipe(command, env, cwd, grace=0.5, box=box or Box())
    try:
        async with asyncio.timeout(PATIENCE):
            await pipe.start()
        yield pipe
    finally:
        async with asyncio.timeout(PATIENCE):
            await pipe.close()


async def said(source: str, *words: str, box: Box | None = None, **more: Any) -> Any:
    """What a Python program in the sandbox prints first. It isn't shown what its words name, as arguments would be."""
    told = f"import sys\nsys.argv[1:] = {words!r}\n{source}"
    async with inside([sys.executable, "-I", "-c", told], box, **more) as pipe:
        return await receive(pipe)
