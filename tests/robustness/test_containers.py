"""Containers as servers: however Tidegate ends, none of them outlives it."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import docker
import pytest

from robustness.running import place_of, started
from robustness.talking import Peer
from robustness.watching import all_gone, descendants, until
from support.images import Images

pytestmark = [pytest.mark.docker, pytest.mark.slow]

GONE = 30.0  # seconds until the engine has removed what the keeper wants removed


@pytest.fixture
def engine() -> Iterator[docker.DockerClient]:
    with closing(docker.from_env()) as made:
        yield made


def containers(engine: docker.DockerClient, server: str) -> list[str]:
    """Return the names of the containers of a server."""
    label = f"io.tidegate.server={server}"
    return [str(found["Names"][0]) for found in engine.api.containers(all=True, filters={"label": label})]


@pytest.mark.requirement("no-orphans")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_tidegate_that_ends_leaves_no_container(
    tmp_path: Path, images: Images, engine: docker.DockerClient, number: signal.Signals
) -> None:
    server = f"robust-{uuid4().hex[:12]}"  # tests that run beside this one have containers too
    place = place_of(tmp_path, {server: {"image": images.echo}})
    async with started(place) as (tidegate, process), Peer(tidegate.endpoint(server)) as peer:
        await peer.begin()
        assert await peer.echo("from a container") == "from a container"
        assert len(containers(engine, server)) == 1
        below = descendants(process.pid)
        os.kill(process.pid, number)
        assert await process.wait() == (0 if number == signal.SIGTERM else -signal.SIGKILL)
    await until(lambda: not containers(engine, server), "the end of the containers", GONE)
    await all_gone(below, GONE)
