"""How the engine is found, and what is said where it isn't."""

import asyncio
import gc
import socket
from contextlib import closing
from functools import partial
from pathlib import Path

import docker
import pytest

from ends.containers import NAME, boxes
from ends.programs import PATIENCE
from tidegate.containers.engine import Engine, Refused
from tidegate.ends.docker import ContainerPipe
from tidegate.ends.keeper import remove_container
from tidegate.ends.pipe import PipeError


@pytest.mark.parametrize(
    ("address", "reached"),
    [
        ("unix:///run/other.sock", {"unix": "/run/other.sock"}),
        ("tcp://127.0.0.1:2375", {"host": "127.0.0.1", "port": 2375, "tls": None}),
        ("http://engine.example:80", {"host": "engine.example", "port": 80, "tls": None}),
    ],
)
def test_an_address_says_how_the_engine_is_reached(address: str, reached: dict[str, object]) -> None:
    assert Engine(address).reached == reached


def test_the_environment_names_the_engine_and_its_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://engine.example:2376")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", "/certificates")
    files = {name: f"/certificates/{name}.pem" for name in ("ca", "cert", "key")}
    assert Engine().reached == {"host": "engine.example", "port": 2376, "tls": files}


def test_without_a_word_it_is_the_usual_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_TLS_VERIFY", raising=False)
    assert Engine().reached == {"unix": "/var/run/docker.sock"}


@pytest.mark.parametrize("address", ["ssh://somewhere", "npipe:////./pipe/docker_engine", "what is this"])
def test_an_address_of_another_kind_is_told_in_one_sentence(address: str) -> None:
    with pytest.raises(PipeError, match=r"address .* is"):
        _ = Engine(address).reached


@pytest.mark.parametrize("address", ["unix:///nonexistent/docker.sock", "tcp://127.0.0.1:1", "ssh://somewhere"])
async def test_an_engine_that_isnt_there_is_told_in_one_sentence(address: str) -> None:
    pipe = ContainerPipe(NAME, boxes(Engine(address), image=f"sha256:{'0' * 64}"))
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(PipeError, match=r"^The Docker engine") as error:
            await pipe.start()
        await pipe.close()
    assert address in str(error.value)
    assert "\n" not in str(error.value)


async def test_calls_leave_no_socket_open_where_nobody_listens_any_more(tmp_path: Path) -> None:
    """The tests end with an error for one that is collected while it is open."""
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
    engine = Engine(f"unix://{path}")
    for _ in range(3):
        with pytest.raises(PipeError, match="can't be reached"):
            await engine.starting(lambda client: client.info())
    engine.close()
    del engine
    gc.collect()


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.docker
async def test_all_calls_share_their_connections() -> None:
    engine = Engine()
    with closing(engine):
        await engine.starting(lambda client: client.info())
        before = open_descriptors()
        for number in range(20):
            with pytest.raises(Refused, match="No such container"):
                await engine.starting(partial(docker.APIClient.inspect_container, container=f"none-{number}"))
        assert open_descriptors() <= before + 4  # one for each thread


def test_the_keeper_goes_on_where_there_is_no_engine() -> None:
    assert not remove_container({"unix": "/nonexistent/docker.sock"}, "any")
    assert not remove_container({"host": "127.0.0.1", "port": 1, "tls": None}, "any")
    files = {name: f"/nonexistent/{name}.pem" for name in ("ca", "cert", "key")}
    assert not remove_container({"host": "127.0.0.1", "port": 1, "tls": files}, "any")
