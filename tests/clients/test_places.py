"""Where clients' files are, on each system."""

from pathlib import Path

import pytest

from tidegate.clients import known, places
from tidegate.clients.places import Machine

HOME = Path("/home/me")


def place(client: str, system: str, **environ: str) -> str:
    found = known.find(client)
    assert found is not None
    return str(places.file_of(found, Machine(system, HOME, environ)))


@pytest.mark.parametrize(
    ("client", "system", "wanted"),
    [
        ("claude-desktop", "darwin", "Library/Application Support/Claude/claude_desktop_config.json"),
        ("claude-desktop", "win32", "AppData/Roaming/Claude/claude_desktop_config.json"),
        ("vscode", "linux", ".config/Code/User/mcp.json"),
        ("vscode", "darwin", "Library/Application Support/Code/User/mcp.json"),
        ("vscode", "win32", "AppData/Roaming/Code/User/mcp.json"),
        ("zed", "darwin", ".config/zed/settings.json"),
        ("zed", "win32", "AppData/Roaming/Zed/settings.json"),
        ("goose", "linux", ".config/goose/config.yaml"),
        ("goose", "win32", "AppData/Roaming/Block/goose/config/config.yaml"),
        ("codex", "win32", ".codex/config.toml"),
        ("crush", "win32", ".config/crush/crush.json"),
    ],
)
def test_each_system_has_its_places(client: str, system: str, wanted: str) -> None:
    assert place(client, system) == f"{HOME}/{wanted}"


def test_variables_move_folders() -> None:
    assert place("zed", "linux", XDG_CONFIG_HOME="/c") == "/c/zed/settings.json"
    assert place("codex", "linux", CODEX_HOME="/d") == "/d/config.toml"
    assert place("vscode", "win32", APPDATA="/e") == "/e/Code/User/mcp.json"


def test_of_several_files_the_one_that_is_there_is_meant(tmp_path: Path) -> None:
    client = known.find("opencode")
    assert client is not None
    machine = Machine("linux", tmp_path, {"PATH": ""})
    first, second = places.candidates(client, machine)
    assert places.file_of(client, machine) == first
    assert not places.installed(client, machine)
    second.parent.mkdir(parents=True)
    second.touch()
    assert places.file_of(client, machine) == second
    assert places.installed(client, machine)


def test_of_several_files_that_are_not_there_the_one_whose_folder_is_there_is_meant(tmp_path: Path) -> None:
    client = known.find("cline")
    assert client is not None
    machine = Machine("linux", tmp_path, {"PATH": ""})
    editors, own = places.candidates(client, machine)
    assert places.file_of(client, machine) == editors
    own.parent.mkdir(parents=True)
    assert places.file_of(client, machine) == own
    editors.parent.mkdir(parents=True)
    assert places.file_of(client, machine) == editors


@pytest.mark.parametrize("client", known.CLIENTS, ids=lambda client: client.name)
def test_every_client_has_a_file_on_each_system_a_source_and_is_found_by_its_names(client: known.Client) -> None:
    for system in known.SYSTEMS:
        assert places.candidates(client, Machine(system, HOME, {}))
    assert client.source.startswith("https://")
    assert known.find(client.title.upper()) is client
    assert known.find(client.name.replace("-", "")) is client
