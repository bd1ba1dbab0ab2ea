"""Servers that listen in their container, by a whole Tidegate: reached by its clients, and by nobody else."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import docker
import psutil
import pytest

from robustness.talking import session
from robustness.watching import until as watched
from support.images import Images
from support.proxy import running_tidegate

pytestmark = pytest.mark.docker

SERVER = "listening-server"
PROGRAM = (Path(__file__).parent / "listening.py").read_text()
# Asks for something at every address that it may have a way to, and says where the server answered. Others may.
LOOK = """
import socket, sys
for address in sys.argv[1:]:
    try:
        with socket.create_connection((address, 8000), 2) as made:
            made.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
            if b"BaseHTTP" in made.recv(4096):
                print("reached", address)
    except OSError:
        pass
"""


@pytest.fixture
def engine() -> Iterator[docker.DockerClient]:
    with closing(docker.from_env()) as made:
        yield made


def ours(engine: docker.DockerClient) -> list[str]:
    """Return the names of the containers of these tests, sidecars too."""
    found = engine.api.containers(all=True, filters={"label": f"io.tidegate.server={SERVER}"})
    return [str(each["Names"][0]).lstrip("/") for each in found]


@pytest.mark.parametrize(("transport", "path"), [("streamable-http", "/mcp"), ("sse", "/sse")])
async def test_a_server_of_the_sdk_is_called_and_outlived(
    tmp_path: Path, images: Images, engine: docker.DockerClient, transport: str, path: str
) -> None:
    server = {"image": images.python_sdk, "args": [transport], "port": 8000, "transport": transport, "path": path}
    async with (
        running_tidegate(
            {SERVER: server | {"start_timeout": 90.0}}, folder=tmp_path, egress_image=images.base
        ) as tidegate,
        session(tidegate.endpoint(SERVER)) as peer,
    ):
        assert await peer.echo("before") == "before"
        [before] = [name for name in ours(engine) if not name.endswith("-port")]
        engine.api.kill(before)
        await watched(lambda: before not in ours(engine), "the end of the container")
        assert await peer.echo("after") == "after"
    await watched(lambda: not ours(engine), "the end of all containers")


def plain(images: Images, **more: object) -> dict[str, object]:
    return {"image": images.base, "args": ["python", "-I", "-c", PROGRAM, "plain", "8000"], "port": 8000, **more}


async def test_neither_the_host_nor_another_container_reaches_it(
    tmp_path: Path, images: Images, engine: docker.DockerClient
) -> None:
    servers = {SERVER: plain(images, egress=["api.test:443"])}
    async with (
        running_tidegate(servers, folder=tmp_path, egress_image=images.base) as tidegate,
        session(tidegate.endpoint(SERVER)) as peer,
    ):
        assert "api" in await peer.echo("api")
        [name] = [each for each in ours(engine) if not each.endswith(("-port", "-egress"))]
        told = engine.api.inspect_container(name)
        places = [place["IPAddress"] for place in told["NetworkSettings"]["Networks"].values()]
        assert len(places) == 1
        assert not told["NetworkSettings"]["Ports"]
        look = ["python", "-I", "-c", LOOK, *places, "172.17.0.1", "127.0.0.1"]
        here = await asyncio.create_subprocess_exec(sys.executable, *look[1:], stdout=asyncio.subprocess.PIPE)
        assert (await here.communicate())[0] == b""
        assert engine.containers.run(images.base, look, remove=True) == b""
        inside = engine.containers.run(images.base, look, remove=True, network_mode=f"container:{name}")
        assert inside.split() == [b"reached", places[0].encode(), b"reached", b"127.0.0.1"]  # so this can be seen


async def test_a_killed_tidegate_leaves_nothing(tmp_path: Path, images: Images, engine: docker.DockerClient) -> None:
    with suppress(AssertionError):  # it is killed, which isn't how it ends as a rule
        async with running_tidegate(
            {SERVER: plain(images, warm=1)}, folder=tmp_path, egress_image=images.base
        ) as tidegate:
            await watched(lambda: len(ours(engine)) == 2, "the server and its sidecar", 60)
            psutil.Process(tidegate.pid).send_signal(signal.SIGKILL)
            await watched(lambda: not ours(engine), "the end of all containers", 60)
    assert not ours(engine)


async def test_each_call_has_a_server_of_its_own_where_it_is_shared_so(
    tmp_path: Path, images: Images, engine: docker.DockerClient
) -> None:
    servers = {SERVER: plain(images, share="call", warm=1)}
    async with (
        running_tidegate(servers, folder=tmp_path, egress_image=images.base) as tidegate,
        session(tidegate.endpoint(SERVER)) as peer,
    ):
        for number in range(2):
            assert str(number) in await peer.echo(str(number))
    await watched(lambda: not ours(engine), "the end of all containers")
