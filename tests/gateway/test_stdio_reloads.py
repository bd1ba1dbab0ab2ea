"""Settings that change while one client talks to the gateway on standard input and output."""

import asyncio
import signal
from pathlib import Path
from typing import Any

from support.gateways import names, said
from support.proxy import write_settings
from support.started import started
from support.toys import Toy
from support.web import PATIENCE

AUDIT = {"use": "audit", "required": True, "path": "{name}-{pid}.jsonl"}


def written(path: Path, *toys: Toy, **tables: Any) -> Path:
    servers = {toy.name: toy.settings for toy in toys}
    return write_settings(path, servers, [AUDIT], {"listen": "127.0.0.1:0"}, tables)


def records(folder: Path) -> list[Path]:
    return list(folder.glob("*.jsonl"))


async def test_on_sighup_the_settings_are_taken_over_and_the_client_is_told(tmp_path: Path) -> None:
    async with Toy("one", "add") as one, Toy("two", "sub") as two:
        settings = written(tmp_path / "tidegate.toml", one)
        async with started("run", "--stdio", settings) as client:
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
        async with started("run", "--stdio", settings, "--watch", "--log-format", "json") as client:
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
        async with started("run", "--stdio", settings, "--watch", "--log-format", "json") as client:
            settings.write_text(settings.read_text().replace("127.0.0.1:0", "127.0.0.1:1"))
            await client.logged("the settings were reloaded")


async def test_without_its_profile_it_ends_with_a_sentence(tmp_path: Path) -> None:
    async with Toy("one", "add") as one:
        settings = written(tmp_path / "tidegate.toml", one, profiles={"work": {"servers": ["one"]}})
        async with started("run", "--stdio", settings, "--profile", "work", "--log-format", "json") as client:
            assert names(await client.ask("tools/list")) == ["one__add"]
            written(settings, one)
            client.process.send_signal(signal.SIGHUP)
            await client.logged("the profile that is served here was taken out of the settings")
            assert await asyncio.wait_for(client.process.wait(), PATIENCE) == 2
