"""Pins outlive Tidegate, and what can't be compared with them is denied."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from plugins.pins.offering import SERVER, call, greeting, listed, other, read, show, tool
from tidegate import Server
from tidegate.testing import SettingsError, assert_denied, assert_passes, harness
from tidegate_pins.store import Store

S: dict[str, Any] = {"servers": (SERVER, "web")}


async def test_pins_outlive_a_restart(tmp_path: Path) -> None:
    async with harness("pins", folder=tmp_path, **S) as h:
        await show(h, tool())
    async with harness("pins", folder=tmp_path, **S) as h:
        assert await show(h, tool(title="Other")) == []
    async with harness("pins", folder=tmp_path, **S) as h:
        assert_denied(await h.judge(*call()))


async def test_the_first_sight_of_a_long_list_is_one_write(tmp_path: Path) -> None:
    async with harness("pins", folder=tmp_path, **S) as h:
        store = Store.acquire(tmp_path / "pins.json")
        before = store.generation
        assert len(await show(h, *(other(f"tool_{number}") for number in range(2000)))) == 2000
        assert store.generation == before + 1  # the file is written whole, and what is written is told apart
        store.release()


async def test_two_that_run_at_once_share_the_file(tmp_path: Path) -> None:
    async with harness("pins", folder=tmp_path, **S) as old:
        await show(old, tool())
        async with harness("pins", {"new": "report"}, folder=tmp_path, **S) as new:
            assert await show(new, tool(), other("a")) == ["read_file", "a"]
            assert await show(old, tool(), other("a")) == ["read_file", "a"]
        assert_passes(await old.judge(*call("a")))


async def test_a_file_that_is_broken_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "pins.json"
    path.write_text('{"tidegate_pins": 1, "scopes": [')
    path.chmod(0o600)
    with pytest.raises(SettingsError, match="not as Tidegate writes it"):
        async with harness("pins", folder=tmp_path, **S):
            pass


async def test_a_file_that_others_may_open_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "pins.json"
    path.write_text('{"tidegate_pins": 1, "scopes": []}')
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        async with harness("pins", folder=tmp_path, **S):
            pass


async def test_where_pins_can_not_be_read_any_more_lists_and_calls_are_denied(tmp_path: Path) -> None:
    async with harness("pins", folder=tmp_path, **S) as h:
        await show(h, tool())
        (tmp_path / "pins.json").unlink()
        assert_denied(await h.judge(*call()), rule="unusable")
        assert_denied(await h.judge(*listed([tool()])), rule="unusable")
        assert_denied(await h.judge(*greeting("x")), rule="unusable")


async def test_where_pins_can_not_be_written_what_is_new_is_denied(tmp_path: Path) -> None:
    async with harness("pins", folder=tmp_path, **S) as h:
        await show(h, tool())
        lock = tmp_path / "pins.json.lock"
        lock.unlink()
        lock.mkdir()
        assert_denied(await h.judge(*listed([tool(), other("a")])), rule="unusable")
        assert_passes(await h.judge(*listed([tool()])))


async def test_a_secret_in_a_definition_is_not_kept(tmp_path: Path) -> None:
    from tidegate import Proxy
    from tidegate_pins import Pins, PinsConfig

    async with harness("pins", folder=tmp_path, **S) as h:
        h.interceptor.shutdown()
        pins = Pins(PinsConfig())
        secret = "hunter2-hunter2"
        pins.startup(Proxy("pins", tmp_path, (Server(SERVER),), secrets=(secret,)))
        message, about = listed([tool(description=f"Uses the key {secret} of the user.")])
        waits = pins.transform(message, about)
        assert asyncio.iscoroutine(waits)
        assert await waits is message
        assert secret not in (tmp_path / "pins.json").read_text()
        assert "[secret]" in (tmp_path / "pins.json").read_text()
        assert pins.transform(message, about) is message
        kept: Any = pins.transform(*listed([*message.body["tools"], tool(f"use_{secret}")]))
        assert [item["name"] for item in kept.body["tools"]] == ["read_file"]
        assert secret not in (tmp_path / "pins.json").read_text()
        deny = pins.decide(*read(f"file:///{secret}"))
        assert deny is not None
        assert deny.rule == "limit"
        pins.shutdown()
        h.interceptor.startup(Proxy("pins", tmp_path))


async def test_whatever_json_can_say_is_kept_and_compared(tmp_path: Path) -> None:
    odd = tool(_meta={"big": 2**70, "small": 1e-300, "\u2028": ["\U0001f600", None, True, {}], "": ""})
    for _ in range(2):
        async with harness("pins", folder=tmp_path, **S) as h:
            assert await show(h, odd) == ["read_file"]
            assert await show(h, {**odd, "_meta": {**odd["_meta"], "big": 2**70 + 1}}) == []
