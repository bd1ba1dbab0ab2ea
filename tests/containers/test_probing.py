"""The probe of an engine's internal networks: passed where the host is out of reach, and failed where it isn't."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from secrets import token_hex

import docker
import pytest

from containers.test_egress import left
from support.images import Images
from tidegate.containers import probing
from tidegate.containers.engine import Engine
from tidegate.containers.sidecars import Network
from tidegate.egress import probe
from tidegate.ends.pipe import PipeError

pytestmark = pytest.mark.docker

PATIENCE = 90.0


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine()
    yield made
    made.close()


@pytest.mark.requirement("no-orphans")
async def test_this_engine_keeps_containers_from_the_host_and_is_tried_once(engine: Engine, images: Images) -> None:
    async with asyncio.timeout(PATIENCE):
        await probing.proven(engine, images.base)
        assert probing.proven(engine, images.base).done()
    with closing(docker.from_env()) as client:
        assert not client.networks.list(names=["tidegate-probe-"])


async def test_a_network_on_which_the_host_has_an_address_is_noticed(engine: Engine, images: Images) -> None:
    network = Network(f"tidegate-probe-{token_hex(6)}", shielded=False)
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(PipeError, match=r"reaches the host at .*inhibit_ipv4"):
            await probing.prove(engine, images.base, network)
    with closing(docker.from_env()) as client:
        assert left(client, network.name, f"{network.name}-host") == []


async def test_a_trial_that_fails_is_made_again(engine: Engine) -> None:
    async with asyncio.timeout(PATIENCE):
        for _ in range(2):
            task = probing.proven(engine, "tidegate-test/none:1")
            assert not task.done()
            with pytest.raises(PipeError, match=r"needs the image tidegate-test/none:1"):
                await task


def test_the_addresses_of_this_machine_are_found() -> None:
    found = probe.addresses()
    assert found
    assert not [address for address in found if address.startswith("127.") or address == "::1"]
