"""What the tests of containers share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import docker
from docker.errors import NotFound

from tidegate.containers.engine import Engine
from tidegate.containers.running import Containers
from tidegate.ends.docker import ContainerPipe
from tidegate.settings import build

STARTING = 60.0  # seconds a container may take on a busy machine

HANG = "import time\nprint('[1]', flush=True)\nwhile True: time.sleep(60)"

NAME = "test"


def boxes(engine: Engine | None = None, folder: Path = Path("/nonexistent"), **server: Any) -> Containers:
    """Return what starts the containers of one server, called as :data:`NAME` says, in this process."""
    settings = build({"servers": {NAME: server}}, folder=folder)
    return Containers(engine or Engine(), lambda: settings)


@asynccontextmanager
async def container(image: str, program: str = "", grace: float = 0.1, **settings: Any) -> AsyncIterator[ContainerPipe]:
    """Run a program of Python in a container; without one, what the image runs by itself."""
    args = ("python", "-I", "-c", program) if program else settings.pop("args", ())
    pipe = ContainerPipe(NAME, boxes(image=image, args=args, **settings), max_bytes=1_000_000, grace=grace)
    try:
        async with asyncio.timeout(STARTING):
            await pipe.start()
        yield pipe
    finally:
        async with asyncio.timeout(STARTING):
            await pipe.close()


def there(client: docker.DockerClient, name: str) -> bool:
    """Whether the engine still has a container."""
    try:
        client.containers.get(name)
    except NotFound:
        return False
    return True
