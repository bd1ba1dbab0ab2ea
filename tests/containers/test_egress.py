"""What a container reaches through its sidecar, and what it doesn't: real containers, and servers outside."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import NotFound

from containers.attempts import EXPECTED, PROGRAM, SHUT
from containers.outside import HTTP, TCP, TLS, outside
from ends.programs import until
from support.certificates import Authority
from support.images import Images
from tidegate.containers import lease
from tidegate.containers.engine import OWNER, Engine
from tidegate.containers.running import Containers
from tidegate.ends import keeper as keeper_program
from tidegate.ends.docker import ContainerPipe
from tidegate.ends.pipe import PipeError
from tidegate.loosening import loosened
from tidegate.settings import ServerSettings, build

pytestmark = pytest.mark.docker

STARTING = 90.0
ENGINE = Engine()  # one, so that the probe is made once


@dataclass
class World:
    """What is there for the tests of this module.

    Attributes:
        settings: the settings of two servers, ``one`` and ``two``.
        found: what came of each attempt.
        told: what the sidecars told.
        asked: the names that the name server outside was asked for.
        made: what the engine said of the server's container, its sidecar and their network while they ran.
        left: the containers and networks of it that the engine still had afterwards.
    """

    found: dict[str, str]
    told: list[dict[str, Any]]
    asked: list[str]
    made: dict[str, Any]
    left: list[str] = field(default_factory=list)


def containers(
    images: Images, told: list[dict[str, Any]], proxy: dict[str, Any], *, records: bool = True, **servers: Any
) -> Containers:
    settings = build({"proxy": {"egress_image": images.base, **proxy}, "servers": servers}, folder=Path("/nonexistent"))

    def tell(event: dict[str, Any]) -> None:
        told.append(event)
        made.answer(event["instance"], event["n"], ok=records)

    made = Containers(ENGINE, lambda: settings, tell)
    return made


def server(images: Images, program: str, *egress: str, **more: Any) -> dict[str, Any]:
    return {"image": images.base, "args": ["python", "-I", "-c", program], "egress": egress, **more}


def addresses(client: docker.DockerClient, name: str) -> dict[str, str]:
    networks = client.api.inspect_container(name)["NetworkSettings"]["Networks"]
    return {network: place["IPAddress"] for network, place in networks.items()}


def left(client: docker.DockerClient, *names: str) -> list[str]:
    """Return which containers and networks the engine still has."""
    found = []
    for name in names:
        for kind in (client.containers, client.networks):
            try:
                kind.get(name)
            except NotFound:
                continue
            found.append(name)
    return found


async def explored(client: docker.DockerClient, images: Images, place: str, authority: str) -> World:
    told: list[dict[str, Any]] = []
    names = ("api.test", "other.test", "*.wild.test", "private.test")
    rules = [f"{name}:{TLS}" for name in names]
    rules += [f"api.test:{HTTP}", f"api.test:{TCP}", f"host.test:{HTTP}", "metadata.test:80"]
    rules += [f"{place}:{port}" for port in (TLS, HTTP, TCP)]
    hang = server(images, "import sys; sys.stdin.read()", "api.test:1")
    two = server(images, PROGRAM, *rules)
    boxes = containers(images, told, {"egress_dns": [place]}, one=hang, two=two)
    first, second = ContainerPipe("one", boxes, grace=0.1), ContainerPipe("two", boxes, grace=0.1)
    try:
        async with asyncio.timeout(STARTING):
            await asyncio.gather(first.start(), second.start())
            names_of = {each: f"{each.container}-egress" for each in (first, second)}
            aside = addresses(client, names_of[first])
            other = {
                "sidecar": aside[names_of[first]],
                "bridge": aside["bridge"],
                "server": addresses(client, first.container)[names_of[first]],
                "name": first.container,
            }
            question = {"outside": place, "other": other, "authority": authority}
            await second.send(json.dumps(question).encode())
            found = json.loads(await second.receive())
            made = {
                "server": client.api.inspect_container(second.container),
                "sidecar": client.api.inspect_container(names_of[second]),
                "network": client.api.inspect_network(names_of[second]),
            }
    finally:
        async with asyncio.timeout(STARTING):
            await asyncio.gather(first.close(), second.close())
    there = left(client, *(name for each in (first, second) for name in (each.container, f"{each.container}-egress")))
    return World(found, told, [], made, there)


@pytest.fixture(scope="module")
def world(images: Images, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """All the attempts, made once."""
    folder = tmp_path_factory.mktemp("egress")
    authority = Authority(folder, "authority")
    with (
        closing(docker.from_env()) as client,
        outside(client, images.base, authority.signed("api.test")) as (place, name),
    ):
        made = asyncio.run(explored(client, images, place, authority.certificate.read_text()))
        lines = client.containers.get(name).logs().decode().splitlines()
        made.asked = [line.removeprefix("asked ") for line in lines if line.startswith("asked ")]
        yield made


@pytest.mark.parametrize("attempt", EXPECTED)
def test_a_container_reaches_what_its_egress_says_and_nothing_else(world: World, attempt: str) -> None:
    assert world.found[attempt].startswith(EXPECTED[attempt]), world.found[attempt]


def test_every_attempt_is_in_the_table(world: World) -> None:
    assert set(world.found) == set(EXPECTED)


def test_no_other_name_is_ever_looked_up_outside(world: World) -> None:
    allowed = {"api.test", "other.test", "a.wild.test", "private.test", "metadata.test", "host.test"}
    assert {name for name in world.asked if name.endswith(".test")} <= allowed


def test_what_was_allowed_and_refused_is_told_with_host_port_address_and_bytes(world: World) -> None:
    def told(verdict: str, host: str) -> list[dict[str, Any]]:
        return [each for each in world.told if (each["verdict"], each["host"]) == (verdict, host)]

    assert {each["how"] for each in told("allow", "api.test")} == {"proxy", "name"}
    assert {each["address"] for each in told("allow", "other.test")} <= {
        each["address"] for each in told("allow", "api.test")
    }
    assert all(each["received"] > 0 for each in told("closed", "other.test"))
    assert {each["address"] for each in told("deny", "metadata.test")} == {"169.254.169.254"}
    assert told("deny", "evil.test")
    assert {each["how"] for each in told("deny", "c2vjcmv0.evil.test") + told("deny", "c2VjcmV0.evil.test")} == {"dns"}
    assert {each["server"] for each in world.told} == {"two"}


def test_both_containers_are_hardened_and_the_host_has_no_address_on_their_network(world: World) -> None:
    network = world.made["network"]
    assert network["Internal"]
    assert network["Options"]["com.docker.network.bridge.inhibit_ipv4"] == "true"
    assert len(network["Containers"]) == 2
    assert not network["EnableIPv6"]
    for name in ("server", "sidecar"):
        host, config = world.made[name]["HostConfig"], world.made[name]["Config"]
        assert config["User"] == "65534:65534"
        assert (host["ReadonlyRootfs"], host["CapDrop"]) == (True, ["ALL"])
        assert host["SecurityOpt"][0] == "no-new-privileges"
        assert host["SecurityOpt"][1].startswith("seccomp={")
        assert host["PidsLimit"]
        assert host["Memory"]
        assert not host["Binds"]
        assert OWNER in config["Labels"]
    assert OWNER in network["Labels"]
    assert list(world.made["server"]["NetworkSettings"]["Networks"]) == [network["Name"]]


@pytest.mark.requirement("no-orphans")
def test_nothing_is_left_of_them(world: World) -> None:
    assert world.left == []


@pytest.mark.requirement("no-audit-no-traffic")
async def test_a_container_whose_records_cant_be_written_reaches_nothing(images: Images) -> None:
    program = "import json, os, socket\n"
    program += "host, _, port = os.environ['HTTPS_PROXY'].removeprefix('http://').partition(':')\n"
    program += "made = socket.create_connection((host, int(port)), 10)\n"
    program += "made.sendall(b'CONNECT 192.0.2.7:80 HTTP/1.1\\r\\n\\r\\n')\n"
    program += "print(json.dumps(made.recv(1000).decode()), flush=True)"
    told: list[dict[str, Any]] = []
    boxes = containers(images, told, {}, records=False, one=server(images, program, "192.0.2.7:80"))
    pipe = ContainerPipe("one", boxes, grace=0.1)
    async with asyncio.timeout(STARTING):
        await pipe.start()
        said = json.loads(await pipe.receive())
        await pipe.close()
    assert said.startswith(SHUT)
    assert said.endswith("the record of it could not be written.")
    assert [each["verdict"] for each in told[:2]] == ["allow", "deny"]


HANG = "import sys\nprint('[1]', flush=True)\nsys.stdin.read()"


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    with closing(docker.from_env()) as made:
        yield made


@pytest.mark.requirement("no-orphans")
async def test_a_sidecar_that_ends_takes_its_container_with_it(images: Images, client: docker.DockerClient) -> None:
    boxes = containers(images, [], {}, one=server(images, HANG, "api.test:443"))
    pipe = ContainerPipe("one", boxes, grace=0.1)
    async with asyncio.timeout(STARTING):
        await pipe.start()
        await pipe.receive()
        client.api.kill(f"{pipe.container}-egress")
        with pytest.raises(PipeError):
            await pipe.receive()
        await pipe.close()
        await until(lambda: len(boxes) == 0)
    assert left(client, pipe.container, f"{pipe.container}-egress") == []


@pytest.mark.requirement("no-orphans")
async def test_a_start_that_is_given_up_leaves_nothing(images: Images, client: docker.DockerClient) -> None:
    boxes = containers(images, [], {}, one=server(images, HANG, "api.test:443"))
    pipe = ContainerPipe("one", boxes, grace=0.1)
    starting = asyncio.create_task(pipe.start())
    async with asyncio.timeout(STARTING):
        await until(lambda: bool(client.networks.list(names=[f"{pipe.container}-egress"])))
        starting.cancel()
        await asyncio.wait([starting])
        await pipe.close()
        await until(lambda: len(boxes) == 0)
    assert left(client, pipe.container, f"{pipe.container}-egress") == []


async def test_without_the_sidecars_image_it_is_said_how_to_make_it(
    images: Images, client: docker.DockerClient
) -> None:
    boxes = containers(images, [], {"egress_image": "tidegate-test/none:1"}, one=server(images, HANG, "api.test:443"))
    pipe = ContainerPipe("one", boxes, grace=0.1)
    async with asyncio.timeout(STARTING):
        with pytest.raises(
            PipeError, match=r"^one can't be started: its egress needs the image tidegate-test/none:1.*\.$"
        ):
            await pipe.start()
        await pipe.close()
        await until(lambda: len(boxes) == 0)
    assert left(client, pipe.container, f"{pipe.container}-egress") == []


async def test_proxy_variables_that_the_settings_give_are_left_alone(images: Images) -> None:
    program = "import json, os; print(json.dumps({n: v for n, v in os.environ.items() if 'proxy' in n.lower()}))"
    own = server(images, program, "api.test:443", env={"HTTP_PROXY": "http://mine:1", "no_proxy": "*"})
    pipe = ContainerPipe("one", containers(images, [], {}, one=own), grace=0.1)
    async with asyncio.timeout(STARTING):
        await pipe.start()
        shown = json.loads(await pipe.receive())
        await pipe.close()
    assert set(shown) == {"HTTP_PROXY", "no_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}
    assert (shown["HTTP_PROXY"], shown["no_proxy"]) == ("http://mine:1", "*")


async def test_unrestricted_has_to_be_spelled_out_and_is_told(images: Images, client: docker.DockerClient) -> None:
    own = server(images, HANG) | {"egress": "unrestricted"}
    pipe = ContainerPipe("one", containers(images, [], {}, one=own), grace=0.1)
    async with asyncio.timeout(STARTING):
        await pipe.start()
        assert list(addresses(client, pipe.container)) == ["bridge"]
        await pipe.close()
    assert "unrestricted" in loosened(ServerSettings.model_validate(own))[0]
    assert loosened(ServerSettings.model_validate(own | {"egress": ["api.test:443"]})) == []


@pytest.mark.requirement("no-orphans")
async def test_networks_of_a_tidegate_that_died_are_removed(client: docker.DockerClient) -> None:
    here = lease.this_process()
    dead = str(here._replace(pid=2**22 + 1, born="1"))
    names = ("tidegate-test-egress-kept", "tidegate-test-egress-gone")
    for name, owner in zip(names, (str(here), dead), strict=True):
        client.networks.create(name, internal=True, labels={OWNER: owner})
    try:
        await ENGINE.reap()
        assert left(client, *names) == [names[0]]
        reached = ENGINE.reached
        assert keeper_program.remove_network(reached, names[0])
        assert keeper_program.remove_network(reached, names[0])  # gone is gone
        assert left(client, names[0]) == []
    finally:
        for name in left(client, *names):
            client.networks.get(name).remove()
