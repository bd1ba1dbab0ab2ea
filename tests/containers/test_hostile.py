"""A server that means harm is contained: whatever it tries, in a container as Tidegate makes it by default."""

import asyncio
import ctypes
import json
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from ipaddress import ip_network
from pathlib import Path

import docker
import psutil
import pytest

from containers.hostile.everything import ATTEMPTS, ENDINGS
from ends.containers import HANG, STARTING, container, there
from ends.programs import receive
from support.images import Images
from tidegate.containers import direct

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

ATTEMPTING = 240.0
ENDED = 10.0  # seconds for a removal on a busy machine; on an idle one it takes less than half a second
KEY = 0x7469_6465
_IPC_CREAT, _IPC_RMID = 0o1000, 0


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    with closing(docker.from_env()) as made:
        yield made


@pytest.fixture(scope="module")
def told(images: Images, client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """How each attempt ended: in one container, beside another one with a secret, on a host that offers things."""
    value = secrets.token_hex(16)
    file = tmp_path_factory.mktemp("host") / f"secret-{value}"
    file.write_text(value)
    with ExitStack() as held:
        listener = held.enter_context(socket.create_server(("0.0.0.0", 0)))
        abstract = held.enter_context(socket.socket(socket.AF_UNIX))
        abstract.bind(f"\0tidegate-test-{value}")
        abstract.listen()
        libc = ctypes.CDLL(None)
        segment = libc.shmget(KEY, 4096, _IPC_CREAT | 0o666)
        held.callback(libc.shmctl, segment, _IPC_RMID, None)
        about = {
            "environment": value,
            "file": str(file),
            "abstract": f"tidegate-test-{value}",
            "shm_key": KEY,
            "gateway": _gateway(client.networks.get("bridge").attrs["IPAM"]["Config"][0]),
            "port": listener.getsockname()[1],
        }
        return asyncio.run(_attempted(images, json.dumps(about), value))


def _gateway(network: dict[str, str]) -> str:
    """The host's own address in a network; an engine that was never started anew doesn't say it of its first one."""
    return network.get("Gateway") or str(next(ip_network(network["Subnet"]).hosts()))


async def _attempted(images: Images, about: str, secret: str) -> dict[str, str]:
    async with (
        container(images.base, HANG, env={"SECRET": secret}),
        container(images.hostile, args=(about,)) as pipe,
        asyncio.timeout(ATTEMPTING),
    ):
        found: dict[str, str] = json.loads(await pipe.receive())
        return found


@pytest.mark.parametrize("name", ATTEMPTS)
def test_an_attempt_is_contained(name: str, told: dict[str, str]) -> None:
    assert told[name] in ATTEMPTS[name].outcomes


def test_nothing_was_left_untried(told: dict[str, str]) -> None:
    assert told.keys() == ATTEMPTS.keys()
    assert len(ATTEMPTS) + len(ENDINGS) >= 40


@pytest.mark.parametrize("name", ENDINGS)
async def test_a_server_that_will_not_end_is_gone_at_once(
    name: str, images: Images, client: docker.DockerClient
) -> None:
    marker = secrets.token_hex(8)
    async with container(images.hostile, args=(name, marker)) as pipe:
        assert await receive(pipe) == [1]
        begun = time.monotonic()
        async with asyncio.timeout(STARTING):
            await pipe.close()
        assert time.monotonic() - begun < ENDED
        assert not there(client, pipe.container)
    assert not [process for process in psutil.process_iter(["cmdline"]) if marker in (process.info["cmdline"] or ())]


async def test_what_an_image_declares_of_itself_leaves_nothing_on_the_host(
    images: Images, client: docker.DockerClient
) -> None:
    before = {volume.id for volume in client.volumes.list()}
    async with container(images.hostile, args=("closes_streams",), user="nobody") as pipe:
        assert await receive(pipe) == [1]
        shown = client.api.inspect_container(pipe.container)
        others = [mount for mount in shown["Mounts"] if mount["Type"] != "tmpfs"]
        assert [(mount["Destination"], mount["RW"]) for mount in others] == [(direct.FOLDER, False)]
        assert {volume.id for volume in client.volumes.list()} - before == set()
        assert shown["Config"]["Healthcheck"]["Test"] == ["NONE"]
        assert shown["NetworkSettings"]["Ports"] == {}
        assert shown["Config"]["User"] == "65534:65534"  # that of the name, in numbers
    assert {volume.id for volume in client.volumes.list()} - before == set()


def test_the_attempts_know_the_machine_they_are_made_on() -> None:
    """The numbers of system calls are those of x86-64 and of 64-bit Arm."""
    assert os.uname().machine in ("x86_64", "aarch64")
    assert Path("/proc/self/status").exists()
