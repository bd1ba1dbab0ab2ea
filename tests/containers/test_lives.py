"""Containers that come and go while their sessions stay."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest

from robustness.talking import session
from robustness.watching import until
from support.images import Images
from support.proxy import running_tidegate

pytestmark = pytest.mark.docker

SERVER = "lives-echo"


@pytest.fixture
def engine() -> Iterator[docker.DockerClient]:
    with closing(docker.from_env()) as made:
        yield made


def ours(engine: docker.DockerClient) -> list[str]:
    """Return the ids of the containers of these tests."""
    found = engine.api.containers(all=True, filters={"label": f"io.tidegate.server={SERVER}"})
    return [str(each["Id"]) for each in found]


async def test_a_session_outlives_its_container(tmp_path: Path, images: Images, engine: docker.DockerClient) -> None:
    servers = {SERVER: {"image": images.echo}}
    async with running_tidegate(servers, folder=tmp_path) as tidegate, session(tidegate.endpoint(SERVER)) as peer:
        assert await peer.echo("before") == "before"
        [before] = ours(engine)
        engine.api.kill(before)
        await until(lambda: before not in ours(engine), "the end of the container")
        assert await peer.echo("after") == "after"
        assert ours(engine) != [before]
    await until(lambda: not ours(engine), "the end of all containers")


async def test_each_call_has_a_container_that_was_ready_and_is_gone_after_it(
    tmp_path: Path, images: Images, engine: docker.DockerClient
) -> None:
    servers = {SERVER: {"image": images.echo, "share": "call", "warm": 1}}
    async with running_tidegate(servers, folder=tmp_path) as tidegate, session(tidegate.endpoint(SERVER)) as peer:
        for number in range(3):
            assert await peer.echo(f"call {number}") == f"call {number}"
        await until(lambda: len(ours(engine)) == 2, "the session's own container and the one that is ready")
        taken = [str(record["reason"]) for record in tidegate.records() if record["kind"] == "instance"]
        assert "taken from those kept ready" in taken
    await until(lambda: not ours(engine), "the end of all containers")
