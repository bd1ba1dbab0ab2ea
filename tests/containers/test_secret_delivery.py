"""Containers are given their secrets so that the engine knows none of them: looked for wherever they could stand."""

import asyncio
import json
import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker
import pytest

from ends.containers import NAME, STARTING
from support import leaks
from support.images import Images
from tidegate import settings
from tidegate.containers import secret_delivery
from tidegate.containers.engine import Engine
from tidegate.containers.own_secrets import OwnSecrets
from tidegate.containers.running import Containers
from tidegate.containers.secret_delivery import FOLDER, Delivery, Image, prepare, spelled
from tidegate.ends.docker import ContainerPipe
from tidegate.ends.pipe import PipeError
from tidegate.loosening import loosened
from tidegate.secret_stores import Secret
from tidegate.secret_stores.resolving import read
from tidegate.settings import ServerSettings, Settings

IMAGE = f"sha256:{1:064x}"
MARKER = f"v4lue-{os.urandom(8).hex()}"  # no other worker's
ODD = f"{MARKER}-\\n'\"`$(id) %s %b \t ümläut\n\nsecond line\n"
DOCKER = pytest.mark.docker
BEGUN = time.time()
LAW = pytest.mark.requirement("secrets-stay-in")

# Says what it was given, where and how, then what came to its standard input first.
TELLS = """
import json, os, stat, sys
told = {"env": {k: v for k, v in os.environ.items() if k.startswith(("API_KEY", "tidegate"))}, "files": {}}
for name in os.listdir("/run/secrets") if os.path.isdir("/run/secrets") else []:
    found = os.stat(f"/run/secrets/{name}")
    told["files"][name] = [open(f"/run/secrets/{name}").read(), stat.S_IMODE(found.st_mode), found.st_uid]
told["umask"], told["line"], told["args"] = os.umask(0), sys.stdin.readline(), sys.argv[1:]
print(json.dumps(told), flush=True)
sys.stdin.read()
"""


def built(image: str, how: str | None = None, *, program: str = TELLS, **more: Any) -> Settings:
    server = {"image": image, "args": ["python", "-I", "-c", program, "a b", "$(c)"], **more}
    server["secrets"] = {"API_KEY": "secret:files-key"}
    if how is not None:
        server["secrets_as"] = how
    return settings.build(
        {"secrets": {"stores": [{"use": "env"}]}, "servers": {NAME: server}}, folder=Path("/nonexistent")
    )


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TIDEGATE_SECRET_FILES_KEY", ODD)
    return ODD


async def told(pipe: ContainerPipe) -> dict[str, Any]:
    async with asyncio.timeout(STARTING):
        await pipe.start()
        await pipe.send(b'{"first":1}')
        found: dict[str, Any] = json.loads(await pipe.receive())
    assert (found["line"], found["umask"], found["args"]) == ('{"first":1}\n', 0o022, ["a b", "$(c)"])
    return found


def engine_folder(client: docker.DockerClient) -> Path:
    return Path(client.info()["DockerRootDir"])


def leaked(client: docker.DockerClient, container: str) -> list[str]:
    """Where the value stands that it mustn't, this process' own environment aside."""
    found = [f"/proc/{pid}" for pid in leaks.processes(MARKER) if pid != os.getpid()]
    found += [str(path) for path in leaks.files([engine_folder(client)], MARKER, since=BEGUN)]
    if MARKER in json.dumps(client.api.inspect_container(container)):
        found.append("docker inspect")
    if MARKER in leaks.printed("ps", "axe"):
        found.append("ps axe")
    return found


@DOCKER
@LAW
@pytest.mark.parametrize("shell", [True, False], ids=["shell", "no-shell"])
async def test_as_a_file_a_secret_is_in_the_memory_of_its_container_alone(
    images: Images, client: docker.DockerClient, stored: str, *, shell: bool
) -> None:
    its = built(images.base if shell else images.no_shell)
    pipe = ContainerPipe(NAME, Containers(Engine(), lambda: its))
    try:
        found = await told(pipe)
        mode = 0o600 if shell else 0o400 if os.geteuid() == 0 else 0o444
        assert found["files"]["API_KEY"][:2] == [stored, mode]
        assert found["files"]["API_KEY"][2] == (65534 if shell or os.geteuid() == 0 else os.geteuid())
        assert found["env"] == {"API_KEY_FILE": "/run/secrets/API_KEY"}
        os.environ.pop("TIDEGATE_SECRET_FILES_KEY")  # so that only what shouldn't be is found
        assert leaked(client, pipe.container) == []
        assert leaks.files([Path("/dev/shm"), Path("/run")], MARKER) == []
    finally:
        await pipe.close()


@DOCKER
@LAW
async def test_as_a_variable_a_secret_is_in_the_environment_of_its_server_alone(
    images: Images, client: docker.DockerClient, stored: str
) -> None:
    its = built(images.base, "env")
    pipe = ContainerPipe(NAME, Containers(Engine(), lambda: its))
    try:
        found = await told(pipe)
        assert found["env"] == {"API_KEY": stored}
        assert found["files"] == {}
        mine = {process["PID"] for process in _processes(client, pipe.container) if process["CMD"].startswith("python")}
        where = {place for place in leaked(client, pipe.container) if place != "ps axe"}
        assert where == {f"/proc/{pid}" for pid in mine}
    finally:
        await pipe.close()


def _processes(client: docker.DockerClient, container: str) -> list[dict[str, str]]:
    top = client.api.top(container)
    return [dict(zip(top["Titles"], row, strict=True)) for row in top["Processes"]]


@DOCKER
@LAW
async def test_a_plain_variable_is_seen_by_everybody_and_that_is_said(
    images: Images, client: docker.DockerClient, stored: str
) -> None:
    its = built(images.base, "plain-env")
    pipe = ContainerPipe(NAME, Containers(Engine(), lambda: its))
    try:
        assert (await told(pipe))["env"] == {"API_KEY": stored}
        said = ["its secrets are plain variables, which docker inspect shows: API_KEY"]
        assert loosened(its.servers[NAME]) == said
        assert "docker inspect" in leaked(client, pipe.container)
    finally:
        await pipe.close()


@DOCKER
@LAW
async def test_without_a_shell_a_variable_is_refused_because_it_would_be_seen(images: Images, stored: str) -> None:
    its = built(images.no_shell, "env")
    pipe = ContainerPipe(NAME, Containers(Engine(), lambda: its))
    with pytest.raises(PipeError) as caught:
        await pipe.start()
    await pipe.close()
    assert "its image has no /bin/sh, so variables would be seen in docker inspect" in str(caught.value)


@DOCKER
async def test_the_images_own_entrypoint_and_command_are_kept(images: Images, stored: str) -> None:
    tree = {"image": images.echo, "secrets": {"API_KEY": "secret:files-key"}}
    its = settings.build({"secrets": {"stores": [{"use": "env"}]}, "servers": {NAME: tree}}, folder=Path())
    pipe = ContainerPipe(NAME, Containers(Engine(), lambda: its))
    try:
        async with asyncio.timeout(STARTING):
            await pipe.start()
            await pipe.send(b'{"jsonrpc":"2.0","id":1,"method":"ping"}')
            assert json.loads(await pipe.receive()) == {"jsonrpc": "2.0", "id": 1, "result": {}}
    finally:
        await pipe.close()


@DOCKER
@LAW
async def test_a_server_that_ends_before_it_takes_its_secrets_leaves_nothing(
    images: Images, client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_SECRET_FILES_KEY", MARKER * 2000)
    for image in (images.base, images.no_shell):
        its = built(image, args=["/no/such/program"])
        pipe = ContainerPipe(NAME, Containers(Engine(), lambda its=its: its))  # type: ignore[misc]  # bound at once
        async with asyncio.timeout(STARTING):
            with suppress(PipeError):  # the engine's or the shell's refusal: either is the end
                await pipe.start()
            with pytest.raises(PipeError):
                await pipe.receive()
            await pipe.close()
        assert leaks.files([Path("/dev/shm"), Path("/run")], MARKER) == []


@DOCKER
@LAW
async def test_a_container_gets_the_secrets_that_are_looked_for_in_its_traffic_or_none(
    images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_SECRET_FILES_KEY", "the first one")
    its = built(images.base)
    known = read(its).digest(its.servers[NAME])
    boxes = Containers(Engine(), lambda: its)
    monkeypatch.setenv("TIDEGATE_SECRET_FILES_KEY", "the second one")
    pipe = ContainerPipe(NAME, boxes, digest=known)
    with pytest.raises(PipeError, match="its secrets have changed; reload Tidegate"):
        await pipe.start()
    await pipe.close()
    pipe = ContainerPipe(NAME, boxes, digest=read(its).digest(its.servers[NAME]))
    try:
        assert (await told(pipe))["files"]["API_KEY"][0] == "the second one"
    finally:
        await pipe.close()


async def test_what_is_kept_is_given_while_it_is_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_SECRET_FILES_KEY", "the first one")
    its = built(IMAGE)
    own = OwnSecrets(lambda: its)
    known = read(its).digest(its.servers[NAME])
    assert await own.given(NAME, known) == {"API_KEY": Secret("the first one")}
    monkeypatch.setenv("TIDEGATE_SECRET_FILES_KEY", "the second one")
    assert await own.given(NAME, known) == {"API_KEY": Secret("the first one")}
    assert await own.given(NAME, read(its).digest(its.servers[NAME])) == {"API_KEY": Secret("the second one")}
    monkeypatch.delenv("TIDEGATE_SECRET_FILES_KEY")
    with pytest.raises(PipeError, match="the secret files-key is not set: run `tidegate secret set files-key`"):
        await own.given(NAME, None)


# -- without an engine ------------------------------------------------------------------------------------------------

SHELLED = Image(("/entry", "point"), ("cmd",), shell=True)


def server(**more: Any) -> ServerSettings:
    return ServerSettings(image=IMAGE, secrets={"API_KEY": "secret:a", "B": "secret:b"}, **more)


GIVEN = {"API_KEY": Secret(MARKER), "B": Secret("another")}


@LAW
def test_what_the_engine_is_told_holds_no_value() -> None:
    for how in ("file", "env"):
        made = prepare(server(secrets_as=how), GIVEN, SHELLED, "65534:65534")
        assert made.entrypoint is not None
        assert made.entrypoint[0] == "/bin/sh"
        assert made.command == ["/entry", "point", "cmd"]
        assert made.preface == spelled(GIVEN["API_KEY"]) + spelled(GIVEN["B"])
        assert MARKER not in repr(made)
        assert MARKER not in f"{made.entrypoint}{made.command}{made.environment}{made.tmpfs}{made.mounts}"
    assert prepare(server(), GIVEN, SHELLED, "65534:65534").tmpfs == {
        FOLDER: "rw,noexec,nosuid,nodev,size=8m,mode=0700,uid=65534,gid=65534"
    }
    assert prepare(server(), GIVEN, SHELLED, "app").tmpfs == {FOLDER: "rw,noexec,nosuid,nodev,size=8m,mode=1777"}
    assert prepare(server(args=("x",)), GIVEN, SHELLED, "1").command == ["/entry", "point", "x"]


def test_a_program_that_nobody_names_is_a_mistake() -> None:
    with pytest.raises(PipeError, match="says no program to run, so args must"):
        prepare(server(), GIVEN, Image((), (), shell=True), "1")


def test_a_server_without_secrets_is_created_as_ever() -> None:
    assert prepare(ServerSettings(image=IMAGE), {}, SHELLED, "1") == Delivery()
    assert loosened(ServerSettings(image=IMAGE)) == loosened(server()) == []


def test_values_are_spelled_in_octal_on_one_line() -> None:
    assert spelled(Secret("a\n\\ü")) == b"\\0141\\0012\\0134\\0303\\0274\n"


def test_what_inspect_says_of_an_image_is_understood() -> None:
    assert Image.of({"Config": {"Entrypoint": None, "Cmd": ["a"]}}, shell=False) == Image((), ("a",), shell=False)
    assert Image.of({}, shell=True) == Image((), (), shell=True)


SHELLS = {
    "sh": ["sh"],
    "dash": ["dash"],
    "bash": ["bash"],
    "bash as sh": ["bash", "--posix"],
    "busybox": ["busybox", "sh"],
}


@LAW
@pytest.mark.parametrize("shell", SHELLS)
def test_the_lines_of_shell_mean_the_same_to_every_shell(shell: str) -> None:
    """To those that are here: what they read byte by byte, what `printf` is, and what they leave of their input."""
    command = SHELLS[shell]
    if shutil.which(command[0]) is None:
        pytest.skip(f"platform: there is no {command[0]}")
    given = {"API_KEY": Secret(ODD), "B": Secret("x" * 4000)}
    program = "import json, os, sys; print(json.dumps([dict(os.environ), sys.stdin.read()]))"
    image = Image(("python3", "-c", program), (), shell=True)
    made = prepare(server(secrets_as="env"), given, image, "1")
    assert made.entrypoint is not None
    assert made.command is not None
    done = subprocess.run(
        [*command, *made.entrypoint[1:], *made.command],
        input=made.preface + b"the first message\n",
        capture_output=True, check=True, timeout=60, env={"PATH": os.environ["PATH"], "tidegate_value": "of the image"},
    )  # fmt: skip
    environment, rest = json.loads(done.stdout)
    assert (environment["API_KEY"], environment["B"], rest) == (ODD, "x" * 4000, "the first message\n")
    assert not {name for name in environment if name.startswith("tidegate_")}


@LAW
def test_lines_that_do_not_get_their_values_end_without_starting_anything() -> None:
    made = prepare(server(secrets_as="env"), GIVEN, SHELLED, "1")
    assert made.entrypoint is not None
    command = ["sh", *made.entrypoint[1:], "echo", "started"]
    done = subprocess.run(command, input=b"\\0141\n", capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (secret_delivery.REFUSED, b"")
