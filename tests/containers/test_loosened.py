"""What settings loosen is loosened in the container, and nothing else; who its processes are is what was asked for."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import docker
import pytest

from ends.containers import NAME, boxes, container, there
from ends.programs import receive
from support.images import Images
from tidegate.ends.docker import ContainerPipe
from tidegate.ends.pipe import PipeError
from tidegate.loosening import loosened
from tidegate.settings import ServerSettings

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    with closing(docker.from_env()) as made:
        yield made


LOOK = """
import ctypes, json, os, subprocess
def attempt(what):
    try:
        what()
    except OSError as error:
        return error.errno
    return 'done'
def run(folder):
    with open(folder + '/program', 'w') as file:
        file.write('#!/bin/sh\\n')
    os.chmod(folder + '/program', 0o755)
    subprocess.run([folder + '/program'], check=True)
def chown():
    open('/tmp/mine', 'w')
    os.chown('/tmp/mine', 5, 5)
libc = ctypes.CDLL(None)
size = lambda path: (lambda found: found.f_blocks * found.f_frsize)(os.statvfs(path))
print(json.dumps({
    'ids': [os.getuid(), os.getgid(), os.getgroups()],
    'folder': os.getcwd(),
    'root': attempt(lambda: open('/written', 'w')),
    'work': attempt(lambda: run('/work')),
    'tmp': attempt(lambda: run('/tmp')),
    'var': attempt(lambda: run('/var')),
    'sizes': [size('/work'), size('/dev/shm'), size('/tmp')],
    'chown': attempt(chown),
    'ptrace': libc.ptrace(0, 0, 0, 0),
}), flush=True)
"""
CLOSED = {"root": 30, "var": 30, "tmp": 13, "chown": 1, "ptrace": -1}


async def looked(images: Images, **settings: Any) -> dict[str, Any]:
    async with container(images.base, LOOK, **settings) as pipe:
        found: dict[str, Any] = await receive(pipe)
    return found


async def test_nothing_is_loose_by_itself(images: Images) -> None:
    found = await looked(images, tmpfs=("/work",))
    assert found["ids"] == [65534, 65534, [65534]]
    assert {name: found[name] for name in CLOSED} == CLOSED
    assert found["work"] == 13
    assert found["sizes"] == [16 << 20, 1 << 20, 16 << 20]


async def test_each_key_loosens_what_it_says(images: Images) -> None:
    loose: dict[str, Any] = {"tmpfs": ("/work:size=2m,exec",), "shm": "3m", "workdir": "/work", "seccomp": "engine"}
    found = await looked(images, user="root", capabilities=("CHOWN",), read_only=False, **loose)
    assert found["ids"][:2] == [0, 0]
    assert found == found | {"folder": "/work", "root": "done", "work": "done", "chown": "done", "ptrace": 0}
    assert found["tmp"] == 13
    assert found["sizes"] == [2 << 20, 3 << 20, 16 << 20]


async def test_folders_in_memory_belong_to_the_user(images: Images) -> None:
    found = await looked(images, user="1000:1001", tmpfs=("/var:exec", "/work:exec"))
    assert found["ids"] == [1000, 1001, [1001]]
    assert [found["work"], found["var"]] == ["done", "done"]  # the image has one of them, as root's


async def test_limits_are_those_of_the_settings(images: Images, client: docker.DockerClient) -> None:
    async with container(images.hostile, args=("floods",), memory="64m", cpus=0.5, pids=16) as pipe:
        host = client.api.inspect_container(pipe.container)["HostConfig"]
    assert [host[name] for name in ("Memory", "MemorySwap", "NanoCpus", "PidsLimit")] == [
        64 << 20,
        64 << 20,
        5 * 10**8,
        16,
    ]


@pytest.mark.parametrize(
    ("user", "sentence"),
    [
        ("toor", "test can't be started: the image's user toor is root, which is to be called so: user = \"root\"."),
        ("somebody", "test can't be started: the image has no user somebody."),
    ],
)
async def test_a_name_of_roots_and_one_of_nobody_start_nothing(
    images: Images, client: docker.DockerClient, user: str, sentence: str
) -> None:
    before = {volume.id for volume in client.volumes.list()}
    pipe = ContainerPipe(NAME, boxes(image=images.hostile, user=user))
    with pytest.raises(PipeError) as caught:
        await pipe.start()
    await pipe.close()
    assert str(caught.value) == sentence
    assert not there(client, pipe.container)
    assert {volume.id for volume in client.volumes.list()} - before == set()


def writable(folder: Path) -> None:
    folder.chmod(0o755)
    (folder / "given").mkdir()
    (folder / "given").chmod(0o777)


def owner(path: Path) -> int:
    return path.stat().st_uid


async def test_a_mount_that_may_be_written_to_is(images: Images, tmp_path: Path) -> None:
    writable(tmp_path)
    program = "open('/given/new', 'w').write('x'); print('[1]', flush=True)"
    mount = f"{tmp_path}/given:/given:rw"
    async with container(images.base, program, mounts=(mount,)) as pipe:
        assert await receive(pipe) == [1]
        server = ServerSettings(image=images.base, mounts=(mount,))
        assert loosened(server) == [f"it can write to {tmp_path}/given of the host"]
    assert owner(tmp_path / "given" / "new") == 65534
