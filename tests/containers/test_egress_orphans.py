"""What is left of a network and a sidecar when Tidegate is killed: nothing, or nothing after the next start."""

import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import docker
import psutil
import pytest

from containers.test_egress import left
from ends.programs import PATIENCE, gone, until
from support.images import Images
from tidegate.containers.engine import Engine

pytestmark = [pytest.mark.docker, pytest.mark.requirement("no-orphans")]

# Starts a container with egress as Tidegate does, says its name and its keeper, and waits.
PARENT = """
import asyncio, sys
from pathlib import Path
from tidegate.containers.engine import Engine
from tidegate.containers.running import Containers
from tidegate.ends.docker import ContainerPipe
from tidegate.ends.launcher import keeper
from tidegate.settings import build

async def main():
    program = "print('[1]', flush=True); import time; time.sleep(1000)"
    server = {"image": sys.argv[1], "args": ("python", "-c", program), "egress": ["api.test:443"]}
    settings = build({"proxy": {"egress_image": sys.argv[1]}, "servers": {"orphan": server}}, folder=Path())
    pipe = ContainerPipe("orphan", Containers(Engine(), lambda: settings))
    await pipe.start()
    await pipe.receive()
    print(pipe.container, keeper.pid, flush=True)
    await asyncio.sleep(1000)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    with closing(docker.from_env()) as made:
        yield made


@contextmanager
def parent(image: str) -> Iterator[tuple[psutil.Popen, str, psutil.Process]]:
    """Run such a Tidegate; yield it, its container's name, and its keeper."""
    process = psutil.Popen([sys.executable, "-c", PARENT, image], stdout=-1, text=True)
    try:
        name, helper = process.stdout.readline().split()
        yield process, name, psutil.Process(int(helper))
    finally:
        if process.is_running():
            process.kill()
        process.wait()
        process.stdout.close()


async def test_a_sidecar_and_a_network_of_a_killed_tidegate_are_removed(
    images: Images, client: docker.DockerClient
) -> None:
    with parent(images.base) as (process, name, helper):
        assert len(left(client, name, f"{name}-egress")) == 3
        process.send_signal(signal.SIGKILL)
        assert not await gone([helper], PATIENCE)
        await until(lambda: not left(client, name, f"{name}-egress"))


async def test_those_that_outlived_tidegate_and_its_keeper_are_removed_at_the_next_start(
    images: Images, client: docker.DockerClient
) -> None:
    with parent(images.base) as (process, name, helper):
        process.send_signal(signal.SIGSTOP)  # it must not start another keeper
        helper.kill()
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not await gone([helper], PATIENCE)
        engine = Engine()
        await engine.reap()
        await engine.reap()  # a network that was still in use goes the second time
        engine.close()
        await until(lambda: not left(client, name, f"{name}-egress"))
