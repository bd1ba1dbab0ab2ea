"""Settings that change while one client talks to the gateway on standard input and output."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from support.gateways import names, said
from support.proxy import tidegate, write_settings
from support.rig import encoded
from support.toys import LEGACY, Toy
from support.web import PATIENCE

INITIALIZE = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
AUDIT = {"use": "audit", "required": True, "path": "{name}-{pid}.jsonl"}


class Client:
    """A client that has started Tidegate."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._last = 0

    async def send(self, **tree: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(encoded(tree) + b"\n")
        await self.process.stdin.drain()

    async def next(self) -> Any:
        assert self.process.stdout is not None
        async with asyncio.timeout(3 * PATIENCE):
            return json.loads(await self.process.stdout.readline())

    async def told(self, method: str) -> None:
        while (await self.next()).get("method") != method:
            pass

    async def logged(self, event: str) -> Any:
        """Return the next line of the log about something."""
        assert self.process.stderr is not None
        async with asyncio.timeout(3 * PATIENCE):
            while (line := json.loads(await self.process.stderr.readline()))["event"] != event:
                pass
        return line

    async def ask(self, method: str, **params: Any) -> Any:
        self._last += 1
        await self.send(id=self._last, method=method, params=params)
        while (found := await self.next()).get("id") != self._last:
            pass
        return found


@asynccontextmanager
async def running(settings: Path, *options: str) -> AsyncIterator[Client]:
    """Start ``tidegate run --stdio``, and begin a session."""
    command = tidegate("run", "--stdio", *options, settings, python=sys.executable)
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=dict(os.environ))
    client = Client(process)
    try:
        assert "result" in await client.ask("initialize", **INITIALIZE)
        await client.send(method="notifications/initialized")
        yield client
        if process.returncode is None:
            assert process.stdin is not None
            process.stdin.close()
            assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def written(path: Path, *toys: Toy, **tables: Any) -> Path:
    servers = {toy.name: toy.settings for toy in toys}
    return write_settings(path, servers, [AUDIT], {"listen": "127.0.0.1:0"}, tables)


def records(folder: Path) -> list[Path]:
    return list(folder.glob("*.jsonl"))


async def test_on_sighup_the_settings_are_taken_over_and_the_client_is_told(tmp_path: Path) -> None:
    async with Toy("one", "add") as one, Toy("two", "sub") as two:
        settings = written(tmp_path / "tidegate.toml", one)
        async with running(settings) as client:
            assert names(await client.ask("tools/list")) == ["one__add"]
            written(settings, two)
            client.process.send_signal(signal.SIGHUP)
            await client.told("notifications/tools/list_changed")
            assert names(await client.ask("tools/list")) == ["two__sub"]
            assert said(await client.ask("tools/call", name="two__sub", arguments={})) == "two: sub {}"
            assert "error" in await client.ask("tools/call", name="one__add", arguments={})
            (log,) = records(tmp_path)  # the audit's file is this process's own, before and after
            assert log.name == f"gateway-{client.process.pid}.jsonl"
            assert "settings reloaded" in log.read_text()


async def test_with_watch_a_changed_file_is_enough_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    async with Toy("one", "add") as one, Toy("two", "sub") as two:
        settings = written(tmp_path / "tidegate.toml", one)
        async with running(settings, "--watch", "--log-format", "json") as client:
            good = settings.read_text()
            settings.write_text(good + "nonsense = 1\n")
            assert "nonsense" in (await client.logged("the settings were not reloaded, the old ones stay"))["reason"]
            assert names(await client.ask("tools/list")) == ["one__add"]
            written(settings, one, two)
            await client.told("notifications/tools/list_changed")
            assert names(await client.ask("tools/list")) == ["one__add", "two__sub"]


async def test_an_address_that_changes_is_nothing_to_a_client_that_uses_none(tmp_path: Path) -> None:
    async with Toy("one", "add") as one:
        settings = written(tmp_path / "tidegate.toml", one)
        async with running(settings, "--watch", "--log-format", "json") as client:
            settings.write_text(settings.read_text().replace("127.0.0.1:0", "127.0.0.1:1"))
            await client.logged("the settings were reloaded")


async def test_without_its_profile_it_ends_with_a_sentence(tmp_path: Path) -> None:
    async with Toy("one", "add") as one:
        settings = written(tmp_path / "tidegate.toml", one, profiles={"work": {"servers": ["one"]}})
        async with running(settings, "--profile", "work", "--log-format", "json") as client:
            assert names(await client.ask("tools/list")) == ["one__add"]
            written(settings, one)
            client.process.send_signal(signal.SIGHUP)
            await client.logged("the profile that is served here was taken out of the settings")
            assert await asyncio.wait_for(client.process.wait(), PATIENCE) == 2
