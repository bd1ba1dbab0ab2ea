"""Chaos: containers killed and paused, the engine restarted, Tidegate killed, all of it under load.

The engine is the tests' own, so that it can be restarted, and all that is left on it counted.
"""

import asyncio
import logging
import os
import random
import shutil
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import docker
import psutil
import pytest

from robustness.holding import LOOK, STARTING, Holder, Load, holders, succeeding
from robustness.running import Place, started
from robustness.talking import Closed, Peer
from robustness.watching import alive, all_gone, descendants, until
from support.images import Images
from support.private_engine import PrivateEngine, private_engine
from support.proxy import RunningTidegate, audit_to, tidegate, write_settings

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(300)]

log = logging.getLogger(__name__)  # what was measured: --log-cli-level=INFO shows it

HOLDING = (Path(__file__).parent / "servers" / "holding.py").read_text()
SESSIONS, PAUSED = 50, 2
USUAL, LONGEST = 1.0, 5.0  # seconds until a pending call fails: half of all, and each on a machine that is busy
RECOVERED = 45.0  # seconds until half of the sessions work again with an engine that is back, on a machine that is busy
SERVERS = ("plain", "secret", "guarded")
WAYS = ("tidegate", "early", "launcher", "both", "all")  # who is killed, or when; each four times
AUDIT = ("audit.jsonl", "audit.jsonl.head", "audit.jsonl.torn")
KEPT = {*AUDIT, "ready.json", "stderr.txt", "temporary", "tidegate.toml"}
LEFT = 75.0  # seconds until nothing is left: the launcher looks for it at its start, and each minute


@pytest.fixture(scope="module")
def engine(images: Images) -> Iterator[PrivateEngine]:
    if shutil.which("unshare") is None or shutil.which("dockerd") is None:
        pytest.skip("platform: an engine of one's own needs Linux, and dockerd here")
    with private_engine(Path(tempfile.mkdtemp(prefix="tidegate-engine-")), bridge=True) as made:
        asyncio.run(until(made.answers, "the engine's start", STARTING))
        for image in (images.base, images.no_shell):
            made.load(image)
        yield made


@pytest.fixture
def client(engine: PrivateEngine) -> Iterator[docker.DockerClient]:
    with closing(docker.DockerClient(engine.address)) as made:
        yield made


@pytest.fixture
def folders(monkeypatch: pytest.MonkeyPatch, engine: PrivateEngine, tmp_path: Path) -> Iterator[list[Path]]:
    """The folders where Tidegate and what it starts put what isn't to stay."""
    in_memory = Path(tempfile.mkdtemp(prefix="tidegate-chaos-", dir="/dev/shm"))
    made = [in_memory, tmp_path / "temporary"]
    made[1].mkdir()
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(in_memory))
    monkeypatch.setenv("TMPDIR", str(made[1]))
    monkeypatch.setenv("TIDEGATE_SECRET_CHAOS_KEY", "a value that nobody guesses")
    yield made
    shutil.rmtree(in_memory)


def place_of(folder: Path, servers: dict[str, dict[str, Any]], **proxy: Any) -> Place:
    """Write the settings for these servers, which all run the holding one."""
    audit = folder / "audit.jsonl"
    given = {name: {"args": ["python", "-I", "-c", HOLDING], "memory": "64m", **its} for name, its in servers.items()}
    tables = {"secrets": {"stores": [{"use": "env"}]}}
    settings = folder / "tidegate.toml"
    write_settings(settings, given, [audit_to(audit)], {"listen": "127.0.0.1:0", **proxy}, tables)
    return Place(folder, settings, audit)


def told(what: str, seconds: Iterable[float]) -> str:
    """Return what was measured, for people."""
    ordered = sorted(seconds)
    return f"{what}: {len(ordered)} times, p50 {statistics.median(ordered):.3f} s, most {ordered[-1]:.3f} s"


def kill_by_engine(client: docker.DockerClient, container: str) -> float:
    """Have the engine kill a container; return when."""
    begun = time.monotonic()
    client.api.kill(container)
    return begun


def kill_inside(client: docker.DockerClient, container: str) -> float:
    """Kill the server below the container's first process; return when."""
    first = psutil.Process(client.api.inspect_container(container)["State"]["Pid"])
    (server,) = first.children()
    begun = time.monotonic()
    server.kill()
    return begun


class Times:
    """What was measured, in seconds."""

    def __init__(self) -> None:
        self.failing: list[float] = []
        self.working: list[float] = []
        self.hanging: list[float] = []


async def hurt(
    holder: Holder, kill: Callable[[docker.DockerClient, str], float], client: docker.DockerClient, times: Times
) -> None:
    """Kill a session's container; its call fails, and the next one works."""
    begun = await asyncio.to_thread(kill, client, holder.container)
    await holder.broken()
    times.failing.append(holder.failed - begun)
    begun = time.monotonic()
    assert (why := await holder.said("after")) is None, why
    times.working.append(time.monotonic() - begun)
    await holder.hold()


async def paused(holder: Holder, client: docker.DockerClient, times: Times) -> None:
    """Pause a session's container; its call passes its time, and then one works in a new container."""
    begun = time.monotonic()
    await asyncio.to_thread(client.api.pause, holder.container)
    await holder.broken()
    times.hanging.append(await succeeding(holder) - begun)


async def killed_at_random(sessions: list[Holder], client: docker.DockerClient, times: Times) -> None:
    """Kill 32 times, four at a time, by both ways."""
    chance = random.Random(5)
    for _ in range(8):
        victims = chance.sample(sessions, 4)
        await asyncio.gather(
            *(hurt(victim, chance.choice([kill_by_engine, kill_inside]), client, times) for victim in victims)
        )


def deaths(client: docker.DockerClient, sessions: list[Holder]) -> dict[Holder, float]:
    """Return what will say when the container of each session has ended."""
    loop, ended = asyncio.get_running_loop(), dict[Holder, float]()

    def note(holder: Holder, descriptor: int) -> None:
        ended[holder] = time.monotonic()
        loop.remove_reader(descriptor)
        os.close(descriptor)

    for holder in sessions:
        descriptor = os.pidfd_open(client.api.inspect_container(holder.container)["State"]["Pid"])
        loop.add_reader(descriptor, note, holder, descriptor)
    return ended


async def restarted_engine(engine: PrivateEngine, client: docker.DockerClient, sessions: list[Holder]) -> list[str]:
    """Restart the engine: all pending calls fail at once, calls meanwhile say why, and later ones work."""
    ended = deaths(client, sessions)
    begun = time.monotonic()
    stopping = asyncio.create_task(asyncio.to_thread(engine.stop))
    whys = set(await asyncio.gather(*(holder.broken() for holder in sessions)))
    await stopping
    stopped = time.monotonic()
    failing = [holder.failed - ended[holder] for holder in sessions]
    assert statistics.median(failing) < USUAL  # their pipes tell, long before the engine does
    assert max(failing) < LONGEST
    assert max(holder.failed for holder in sessions) - stopped < USUAL
    reasons = set(map(str, await asyncio.gather(*(holder.said("meanwhile") for holder in sessions))))
    assert "None" not in reasons
    assert any("can't be reached" in reason for reason in reasons), reasons
    engine.start()
    await until(engine.answers, "the engine's start", STARTING)
    there = time.monotonic()
    back = await asyncio.gather(*(succeeding(holder) for holder in sessions))
    assert statistics.median(back) - there < RECOVERED
    for holder in sessions:
        await holder.hold()
    return [
        f"the engine took {stopped - begun:.1f} s to stop and {there - stopped:.1f} s to start",
        told("engine restarted: from a container's end to the pending call's error", failing) + f", for {whys}",
        told("engine restarted: from its answer to a call that works", [at - there for at in back]),
    ]


@pytest.mark.requirement("no-orphans")
async def test_fifty_containers_under_load_survive_kills_pauses_and_a_restart_of_the_engine(
    tmp_path: Path, images: Images, engine: PrivateEngine, client: docker.DockerClient, folders: list[Path]
) -> None:
    image = {"image": images.base}
    place = place_of(tmp_path, {"held": image, "hangs": image | {"call_timeout": 2.0}}, start_timeout=STARTING)
    times = Times()
    begun = time.monotonic()
    async with started(place) as (one, process):
        async with holders(one.endpoint("held"), SESSIONS) as held, holders(one.endpoint("hangs"), PAUSED) as hanging:
            log.info("%s sessions began in %.1f s", SESSIONS + PAUSED, time.monotonic() - begun)
            async with Load(held) as load:
                pausing = asyncio.gather(*(paused(holder, client, times) for holder in hanging))
                await killed_at_random(held, client, times)
                await pausing
            log.info(told("killed: to the pending call's error", times.failing))
            log.info(told("killed: the next call", times.working))
            log.info(told("paused: to a call that works", times.hanging))
            log.info("beside it %s calls were answered, %s failed", load.answered, load.failed)
            log.info("load of the machine: %.1f", os.getloadavg()[0])
            assert statistics.median(times.failing) < USUAL
            assert max(times.failing) < LONGEST
            assert load.answered > 100
            async with Load(held):
                log.info("\n".join(await restarted_engine(engine, client, held)))
        await until(lambda: engine.containers() == [], "the end of all containers", LEFT)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


def marked() -> set[psutil.Process]:
    """Return the processes that this run of the tests has started, directly or not; see ``conftest.py``."""
    mark = os.environ["TIDEGATE_TEST_RUN"]
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("TIDEGATE_TEST_RUN") == mark:
                found.add(process)
    return found


def on(client: docker.DockerClient) -> list[str]:
    """Return the names of all that is on an engine, beside the networks that each has."""
    found = [str(container.name) for container in client.containers.list(all=True, ignore_removed=True)]
    found += [str(net.name) for net in client.networks.list() if net.name not in ("bridge", "host", "none")]
    return found + [str(volume.name) for volume in client.volumes.list()]


def below(*folders: Path) -> set[str]:
    """Return the names of all that is in some folders."""
    return {path.name for folder in folders for path in folder.rglob("*")}


def launchers(pid: int) -> set[psutil.Process]:
    """Return the launchers that a Tidegate has."""
    found = set()
    for process in descendants(pid):
        with suppress(psutil.Error):
            if "tidegate.containers" in process.cmdline():
                found.add(process)
    return found


def kill_together(victims: Iterable[psutil.Process]) -> None:
    """Kill processes at one instant: none of them can do anything about the end of another."""
    listed = list(victims)
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for process in listed:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)


async def coming_and_going(one: RunningTidegate, seed: int) -> None:
    """Begin sessions, call, and end them, for as long as there is somebody to answer."""
    chance = random.Random(seed)
    while True:
        with suppress(ConnectionError, Closed, asyncio.IncompleteReadError, AssertionError, KeyError):
            async with Peer(one.endpoint(chance.choice(SERVERS))) as peer:
                await peer.begin()
                for _ in range(chance.randint(1, 20)):
                    await peer.call("echo", text="something")
                await peer.end()
        await asyncio.sleep(0)


async def killed(place: Place, how: str, chance: random.Random, failing: list[float]) -> set[psutil.Process]:
    """Start Tidegate, and kill it in some way at some moment; return all processes that it had."""
    async with started(place) as (one, process), Holder(one.endpoint("plain")).dropped() as holder:
        tasks = [asyncio.create_task(coming_and_going(one, chance.randrange(1000))) for _ in range(3)]
        tasks.append(asyncio.create_task(holder.begin()))
        await until(lambda: launchers(process.pid), "the launcher")
        if how != "early":
            await asyncio.sleep(chance.uniform(0, 2))  # sleep: any moment is meant
        had = descendants(process.pid)
        if how == "launcher":
            await until(lambda: holder.pending, "a pending call", STARTING)
            begun = time.monotonic()
            kill_together(launchers(process.pid))
            await holder.broken()
            failing.append(holder.failed - begun)
            await asyncio.wait_for(succeeding(holder), STARTING)
            await holder.hold()
            had |= descendants(process.pid)
        victims = {psutil.Process(process.pid)}
        if how == "both":
            victims |= launchers(process.pid)
        elif how == "all":
            victims |= had
        pending, begun = holder.pending, time.monotonic()
        kill_together(victims)
        had |= descendants(process.pid)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await process.wait()
        if pending:
            with pytest.raises(Closed):
                await holder.broken()
            failing.append(holder.failed - begun)
    return had


async def beginning(peer: Peer) -> None:
    """Begin a session, and call in it, as soon as that works."""
    while True:
        with suppress(AssertionError, KeyError):
            await peer.begin()
            assert await peer.echo("here") == "here"
            return
        await asyncio.sleep(LOOK)  # sleep: as above


@pytest.mark.requirement("no-orphans")
@pytest.mark.requirement("no-audit-no-traffic")
async def test_killed_twenty_times_it_leaves_nothing_on_the_engine_in_proc_or_on_disk(
    tmp_path: Path, images: Images, engine: PrivateEngine, client: docker.DockerClient, folders: list[Path]
) -> None:
    secret: dict[str, Any] = {"image": images.no_shell, "secrets": {"API_KEY": "secret:chaos-key"}}
    guarded: dict[str, Any] = {"image": images.base, "egress": ["api.test:443"]}
    servers = {"plain": {"image": images.base}, "secret": secret, "guarded": guarded}
    place = place_of(tmp_path, servers, start_timeout=STARTING, egress_image=images.base)
    chance = random.Random(3)
    before = marked()
    had: set[psutil.Process] = set()
    left: list[int] = []
    secrets: list[int] = []
    failing: list[float] = []
    for how in WAYS * 4:
        had |= await killed(place, how, chance, failing)
        left.append(len(on(client)))
        secrets.append(len(below(folders[0]) - {"tidegate"}))
    assert any(left)
    log.info(told("Tidegate or its launcher killed: to a pending call's end", failing))
    assert statistics.median(failing) < USUAL
    assert max(failing) < LONGEST
    log.info("right after each kill there were so many files in memory: %s", secrets)
    log.info("right after each kill there were on the engine: %s; load of the machine: %.1f", left, os.getloadavg()[0])
    async with started(place) as (one, process):
        begun = time.monotonic()
        for server in servers:
            async with Peer(one.endpoint(server)) as peer:
                await asyncio.wait_for(beginning(peer), STARTING)
                await peer.end()
        log.info("started again, all servers answered after %.1f s", time.monotonic() - begun)
        await until(lambda: not on(client), "an empty engine", LEFT)
        log.info("and nothing was on the engine after %.1f s", time.monotonic() - begun)
        had |= descendants(process.pid)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    await all_gone(had)
    await until(lambda: not alive(marked() - before), "the end of all processes")
    assert on(client) == []
    assert below(*folders) == {"tidegate"}  # the folder of its control socket
    assert below(tmp_path) <= KEPT
    verifying = await asyncio.create_subprocess_exec(*tidegate("audit", "verify", place.audit))
    assert await verifying.wait() == 0
