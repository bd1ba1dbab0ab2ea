"""Where a Tidegate takes commands, and who else may be there."""

import asyncio
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.mortal import CI, house
from tidegate import control
from tidegate.control import Control
from tidegate.settings import Settings, SettingsError, parse


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose path is short, as those of sockets have to be; it is the one for sockets."""
    with tempfile.TemporaryDirectory() as made:
        monkeypatch.setenv("XDG_RUNTIME_DIR", made)
        monkeypatch.setenv("XDG_STATE_HOME", f"{made}/state")
        yield Path(made)


def settings(text: str = "", folder: Path = Path("/srv")) -> Settings:
    return parse(text, folder=folder)


def test_a_service_and_a_login_look_in_the_same_places(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_login = control.paths_of(settings(), Path("tidegate.toml"))
    assert of_login[0].parent == short / "tidegate"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    of_service = control.paths_of(settings(), Path("tidegate.toml"))
    assert of_service[0] in of_login
    assert of_service[-1].parent == short / "state/tidegate/run"
    assert not (short / "state").exists()


def test_each_settings_file_has_a_socket_of_its_own_however_it_is_called(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(short)
    (short / "link").symlink_to("a")
    one, other, none = (control.paths_of(settings(), file)[0] for file in (Path("a"), Path("b"), None))
    assert len({one, other, none}) == 3
    for same in (short / "a", Path("link")):
        assert control.paths_of(settings(), same)[0] == one


def test_a_path_that_is_too_long_is_told(short: Path) -> None:
    given = settings(f'proxy.control = "{"x" * 120}"', short)
    with pytest.raises(SettingsError, match="is too long for a UNIX socket; name another one"):
        control.paths_of(given, None)


def test_where_there_is_no_folder_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/no/such/folder")
    monkeypatch.setenv("XDG_STATE_HOME", f"/{'x' * 120}")
    if not Path(f"/run/user/{os.geteuid()}").is_dir():
        with pytest.raises(SettingsError, match="too long"):
            control.paths_of(settings(), None)


async def asked(path: Path, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    reader, writer = await asyncio.open_unix_connection(str(path))
    out = []
    for request in requests:
        writer.write(json.dumps({"id": 7, "fds": 0} | request).encode() + b"\n")
        out.append(json.loads(await reader.readline()))
    writer.close()
    return out


async def test_commands_are_answered_and_strange_ones_refused(short: Path) -> None:
    async with house() as it:
        await it.begun(CI)
        serving = Control(it.sessions.fleet.core, it.sessions.fleet)
        async with serving.serving(short / "file"):
            (path,) = (short / "tidegate").iterdir()
            ps, odd, gone, ended = await asked(
                path,
                {"op": "ps"},
                {"op": "explode"},
                {"op": "logs", "server": "other"},
                {"op": "restart", "server": "server"},
            )
        assert (ps["instances"][0]["principal"], ps["stopped"]) == ("ci", [])
        assert odd["error"] == "this Tidegate doesn't know that command"
        assert gone["error"] == "There is no server 'other' any more."
        assert ended["ended"] == 1
        assert not path.exists()


async def test_a_second_tidegate_of_the_same_settings_leaves_the_first_ones_socket(
    short: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with house() as it:
        core, fleet = it.sessions.fleet.core, it.sessions.fleet
        async with Control(core, fleet).serving(short / "file"):
            (path,) = (short / "tidegate").iterdir()
            async with Control(core, fleet).serving(short / "file"):
                pass
            assert (await asked(path, {"op": "ps"}))[0]["instances"] == []
    assert not (short / "state").exists()


async def test_a_socket_that_the_settings_name_and_cant_be_had_stops_the_start(short: Path) -> None:
    (short / "notes").write_text("kept")
    async with house(proxy={"control": str(short / "notes")}) as it:
        with pytest.raises(SettingsError, match=r"^proxy\.control: .*notes: something is there that is no socket"):
            async with Control(it.sessions.fleet.core, it.sessions.fleet).serving(None):
                raise AssertionError
    assert (short / "notes").read_text() == "kept"


async def test_what_many_instances_wrote_is_bounded_and_ends_as_it_ended() -> None:
    logs = {str(number): "first\n" + "x" * 16_000 + "\nlast" for number in range(500)}
    bounded = control._bounded(logs)
    assert sum(map(len, bounded.values())) <= 1024 * 1024
    assert set(bounded.values()) == {"last"}
    assert control._bounded({"a": "text"}) == {"a": "text"}
