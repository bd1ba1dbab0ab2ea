"""The real program while its servers are killed, reloaded and stopped: calls get an answer, and nothing stays."""

import asyncio
import os
import random
import re
import signal
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import psutil
import pytest

from robustness.running import stdio_server
from robustness.talking import Peer, session
from robustness.watching import all_gone, descendants, until
from support.proxy import running_tidegate
from tidegate.verdict import CODES

SESSIONS, CALLS, KILLS = 8, 60, 25
SOON = 1.0  # seconds until whoever waits for a killed server is told
UNAVAILABLE = CODES["unavailable"][0]


def servers_of(pid: int) -> list[psutil.Process]:
    """Return the servers below a process."""
    found = []
    for process in descendants(pid):
        with suppress(psutil.Error):  # it has ended meanwhile
            if any(part.endswith("stdio.py") for part in process.cmdline()):
                found.append(process)
    return found


@pytest.mark.parametrize("share", ["session", "principal", "call"])
async def test_while_servers_are_killed_each_call_gets_one_answer_and_each_session_goes_on(
    tmp_path: Path, share: str
) -> None:
    servers = {"odd": stdio_server(share=share, warm=2)}
    async with running_tidegate(servers, folder=tmp_path) as tidegate, AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(session(tidegate.endpoint("odd"))) for _ in range(SESSIONS)]
        names = [peer.session for peer in peers]
        done = asyncio.Event()

        async def kill() -> None:
            chosen = random.Random(1)
            for _ in range(KILLS):
                found = servers_of(tidegate.pid)
                if found:
                    with suppress(psutil.Error):  # it has ended meanwhile
                        chosen.choice(found).kill()
                await asyncio.sleep(0.05)  # sleep: servers are killed while calls go on
            done.set()

        async def call(peer: Peer, number: int) -> None:
            count = 0
            while count < CALLS or not done.is_set():
                text = f"{number}/{count}"
                begun = time.monotonic()
                told = await peer.call("echo", count, text=text)
                if "error" in told:
                    assert told["error"]["code"] == UNAVAILABLE, told
                    assert time.monotonic() - begun < SOON + 4
                else:
                    assert told["result"]["content"][0]["text"] == text
                count += 1

        await asyncio.gather(kill(), *(call(peer, number) for number, peer in enumerate(peers)))
        assert [peer.session for peer in peers] == names
        for number, peer in enumerate(peers):
            await _well(peer)
            assert await peer.echo(f"last {number}") == f"last {number}"
        below = descendants(tidegate.pid)
    await all_gone(below)


async def _well(peer: Peer) -> None:
    """Wait until a server is tried again that failed again and again."""
    async with asyncio.timeout(90):
        while "error" in (told := await peer.call("echo", text="at last")):
            again = re.search(r"again in (\d+) second", told["error"]["message"])
            await asyncio.sleep(int(again[1]) if again else 0)  # sleep: it says when to come again


async def test_a_call_that_waits_for_a_killed_server_is_told_at_once(tmp_path: Path) -> None:
    async with (
        running_tidegate({"odd": stdio_server()}, folder=tmp_path) as tidegate,
        session(tidegate.endpoint("odd")) as peer,
    ):
        before = (await peer.call("pid"))["result"]["content"][0]["text"]
        line = await peer.drop()
        await line.send(peer.bytes_of(peer.call_of("hang", 7)))
        await until(lambda: any(each["target"] == "hang" for each in tidegate.records()), "the call")
        begun = time.monotonic()
        os.kill(int(before), signal.SIGKILL)
        head = await line.head()
        assert head.status == 200
        assert time.monotonic() - begun < SOON
        assert (await peer.call("pid"))["result"]["content"][0]["text"] != before
        await line.close()


@pytest.mark.requirement("no-orphans")
async def test_instances_kept_ready_are_replaced_by_a_reload_and_go_with_tidegate(tmp_path: Path) -> None:
    async with running_tidegate({"odd": stdio_server(warm=3)}, folder=tmp_path) as tidegate:
        await until(lambda: len(servers_of(tidegate.pid)) == 3, "three servers")
        before = set(servers_of(tidegate.pid))
        text = tidegate.settings.read_text()
        tidegate.settings.write_text(text.replace("warm = 3", "warm = 2"))
        os.kill(tidegate.pid, signal.SIGHUP)
        await all_gone(before)
        await until(lambda: len(servers_of(tidegate.pid)) == 2, "two servers")
        below = descendants(tidegate.pid)
    await all_gone(below)
