"""A thousand clients at the same time: nobody gets another's answer, and memory and descriptors come back."""

import asyncio
import resource
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from robustness.running import echo_upstream, raise_limit, stdio_server
from robustness.talking import Line, Peer
from robustness.watching import MB, Peak, descendants, descriptors, memory, until
from support.proxy import RunningTidegate, running_tidegate

pytestmark = pytest.mark.slow

CLIENTS, CALLS = 1000, 3
MOST = 100 * MB  # that a thousand sessions take
SPARE = 4  # descriptors that may come and go by themselves

Client = Callable[[int, asyncio.Barrier], Awaitable[None]]


@pytest.fixture(autouse=True)
def room() -> None:
    """A thousand connections need their descriptors on this side too."""
    raise_limit()


async def all_at_once(tidegate: RunningTidegate, client: Client) -> None:
    """Let all clients do the same at the same time, twice: the second time takes nothing the first didn't."""
    after = []
    async with Peak(tidegate.pid) as peak:
        for _ in range(2):
            barrier = asyncio.Barrier(CLIENTS)
            await asyncio.gather(*(client(number, barrier) for number in range(CLIENTS)))
            after.append(memory(tidegate.pid))
    assert peak.grown < MOST
    assert after[1] - after[0] < 25 * MB


async def test_a_thousand_sessions_each_get_their_own_answers(tmp_path: Path) -> None:
    async with AsyncExitStack() as upstream:
        url = await upstream.enter_async_context(echo_upstream(tmp_path))
        async with running_tidegate({"echo": {"url": url}}, folder=tmp_path) as tidegate:
            before = descriptors(tidegate.pid)
            await all_at_once(tidegate, a_session(tidegate.endpoint("echo")))
            most = before + CLIENTS + SPARE  # connections to the server are kept for the next calls
            await until(lambda: descriptors(tidegate.pid) <= most, "the return of the clients' descriptors")
            await upstream.aclose()
            await until(lambda: descriptors(tidegate.pid) <= before + SPARE, "the return of all descriptors")


def a_session(endpoint: str) -> Client:
    async def client(number: int, barrier: asyncio.Barrier) -> None:
        async with Peer(endpoint) as peer:
            await peer.begin()
            await barrier.wait()  # now all have a session
            for count in range(CALLS):
                told = await peer.call("echo", 1, text=f"{number}/{count}")
                assert told["result"]["content"][0]["text"] == f"{number}/{count}"
                assert told["result"]["_meta"]["session"] == peer.session
            await barrier.wait()
            assert (await peer.end()).status == 200

    return client


async def test_a_thousand_clients_with_colliding_ids_on_one_server_each_get_their_own_answers(tmp_path: Path) -> None:
    async with running_tidegate({"odd": stdio_server()}, folder=tmp_path) as tidegate:
        endpoint = tidegate.endpoint("odd")
        before, servers = descriptors(tidegate.pid), set()

        async def client(number: int, barrier: asyncio.Barrier) -> None:
            async with Peer(endpoint) as peer:
                await barrier.wait()
                for count in range(CALLS):
                    text = f"{number}/{count}"
                    assert await peer.echo(text, number=(1, "1", "t1")[count]) == text
                servers.add((await peer.call("pid", 1))["result"]["content"][0]["text"])

        await all_at_once(tidegate, client)
        assert len(servers) == 1
        await until(lambda: descriptors(tidegate.pid) <= before + 6 + SPARE, "the return of the clients' descriptors")
        assert len(descendants(tidegate.pid)) == 3  # the keeper, the server, and who keeps it


async def test_a_low_limit_on_descriptors_limits_neither_clients_nor_what_servers_are_given(tmp_path: Path) -> None:
    clients, low = 300, 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with AsyncExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_NOFILE, (low, hard))
        try:
            tidegate = await stack.enter_async_context(running_tidegate({"odd": stdio_server()}, folder=tmp_path))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        barrier = asyncio.Barrier(clients)

        async def client(number: int) -> str:
            async with Peer(tidegate.endpoint("odd")) as peer:
                assert await peer.echo(f"{number}") == f"{number}"
                await barrier.wait()
                return str((await peer.call("pid"))["result"]["content"][0]["text"])

        [server] = set(await asyncio.gather(*(client(number) for number in range(clients))))
        assert resource.prlimit(int(server), resource.RLIMIT_NOFILE) == (low, hard)


async def test_out_of_descriptors_it_turns_new_clients_away_and_serves_those_it_has(tmp_path: Path) -> None:
    async with (
        echo_upstream(tmp_path) as url,
        running_tidegate({"echo": {"url": url}, "odd": stdio_server()}, folder=tmp_path) as tidegate,
        Peer(tidegate.endpoint("echo")) as peer,
        Peer(tidegate.endpoint("odd")) as other,
    ):
        assert await peer.echo("before") == "before"
        await other.line()
        before = descriptors(tidegate.pid)
        _, hard = resource.prlimit(tidegate.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(tidegate.pid, resource.RLIMIT_NOFILE, (before + 20, hard))
        lines = [await Line.to(tidegate.url) for _ in range(200)]
        await until(lambda: descriptors(tidegate.pid) >= before + 20, "the use of all descriptors")
        for number in range(50):
            assert await peer.echo(f"{number}") == f"{number}"
        told = await other.ask(other.request("initialize", {}))
        assert "Too many open files" in told["error"]["message"]
        for line in lines:
            await line.close()
        await until(lambda: descriptors(tidegate.pid) <= before + SPARE, "the return of the descriptors")
        assert await other.echo("after") == "after"
    assert "Exception" not in (tmp_path / "stderr.txt").read_text()
