"""The engine goes away and comes back: what was on it is told to be gone, what comes next works, nothing is left."""

import asyncio
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ends.containers import HANG, NAME, STARTING, boxes
from ends.programs import PATIENCE, receive, until
from support.images import Images
from support.private_engine import PrivateEngine, private_engine
from tidegate.containers.engine import Engine
from tidegate.ends.docker import ContainerPipe
from tidegate.ends.pipe import PipeError

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def private(images: Images) -> Iterator[PrivateEngine]:
    if shutil.which("unshare") is None or shutil.which("dockerd") is None:
        pytest.skip("platform: an engine of one's own needs Linux, and dockerd here")
    with private_engine(Path(tempfile.mkdtemp(prefix="tidegate-engine-"))) as engine:
        asyncio.run(until(engine.answers, seconds=STARTING))
        engine.load(images.base)
        yield engine


async def ending(pipe: ContainerPipe) -> str:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await pipe.receive()
            except PipeError as error:
                return str(error)


@pytest.mark.requirement("no-orphans")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_an_engine_that_goes_away_and_comes_back_is_survived(
    images: Images, private: PrivateEngine, number: signal.Signals
) -> None:
    engine = Engine(private.address)
    starter = boxes(engine, image=images.base, args=("python", "-I", "-c", HANG))
    pipe = ContainerPipe(NAME, starter, grace=0.1)
    async with asyncio.timeout(STARTING):
        await pipe.start()
        assert await receive(pipe) == [1]
    waiting = asyncio.create_task(ending(pipe))
    await asyncio.to_thread(private.stop, number)
    assert (await waiting).startswith(f"{NAME} ")
    with pytest.raises(PipeError, match=r"^The Docker engine can't be reached"):
        await ContainerPipe(NAME, starter).start()
    private.start()
    await until(private.answers, seconds=STARTING)
    async with asyncio.timeout(STARTING):
        after = ContainerPipe(NAME, starter, grace=0.1)
        await after.start()
        assert await receive(after) == [1]
        await until(lambda: private.containers() == [after.container], seconds=STARTING)
        await after.close()
        await pipe.close()
    assert private.containers() == []
    await starter.close()
    engine.close()
