"""Transports that both event loops serve differently are tested under both: asyncio's own, and Tidegate's."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing

import docker
import pytest
import uvloop

BOTH = (
    "test_docker",
    "test_docker_end",
    "test_keeper",
    "test_process",
    "test_process_end",
    "test_sse_client",
    "test_stdio",
)


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.path.stem in BOTH:
        return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}


@pytest.fixture(scope="session")
def client() -> Iterator[docker.DockerClient]:
    """The engine, as a bystander sees it."""
    with closing(docker.from_env()) as made:
        yield made
