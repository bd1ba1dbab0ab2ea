"""Which settings and which server `wrap` runs with. What it does with them is shown end to end elsewhere."""

import os
from pathlib import Path

import pytest

from tidegate.cli.output import Failure
from tidegate.cli.serving import wrapped
from tidegate.settings import SettingsError

FILE = """
[proxy]
deny_as = "error"
[servers.time]
command = ["mcp-server-time"]
trust = "high"
[[interceptors]]
use = "audit"
path = "audit/{name}-{pid}.jsonl"
[[interceptors]]
use = "lists"
when = { methods = ["tools/*"] }
deny = ["x*/*"]
"""


@pytest.fixture
def file(home: Path) -> Path:
    (home / "tidegate.toml").write_text(FILE)
    return Path("tidegate.toml")


@pytest.mark.parametrize(
    ("command", "name", "called"),
    [
        (["mcp-server-git"], None, "mcp-server-git"),
        (["/usr/bin/my server.py", "-x"], None, "my"),
        (["npx", "-y", "x"], "files", "files"),
        (["..."], None, "server"),
    ],
)
def test_the_command_becomes_a_server_called_as_its_program(
    file: Path, command: list[str], name: str | None, called: str
) -> None:
    for settings, found in (wrapped(command, None, name), wrapped(command, file, name)):
        assert found == called
        assert settings.servers[called].command == tuple(command)


def test_the_server_gets_the_environment_that_the_client_gave_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "x\ny")
    monkeypatch.setitem(os.environ, "NOT_TEXT", "\udcff")
    settings, name = wrapped(["x"], file, None)
    assert settings.servers[name].env["A_KEY"] == "x\ny"
    assert "NOT_TEXT" not in settings.servers[name].env


def test_the_rest_of_the_settings_stays_as_it_is(file: Path, home: Path) -> None:
    settings, _ = wrapped(["x"], file, None)
    assert settings.folder == home
    assert settings.proxy.deny_as == "error"
    assert settings.interceptors[1].when.methods == ("tools/*",)
    assert settings.interceptors[1].config == {"deny": ["x*/*"]}


def test_without_a_command_the_named_server_of_the_settings_is_used(file: Path) -> None:
    settings, name = wrapped([], file, "time")
    assert (name, settings.servers[name].trust) == ("time", "high")


def test_a_server_named_twice_is_a_mistake(file: Path) -> None:
    with pytest.raises(Failure, match="has a server 'time' already"):
        wrapped(["mcp-server-time"], file, "time")


@pytest.mark.parametrize(("command", "name"), [([], None), ([], "nobody"), (["x"], "a b"), ([""], "a__b")])
def test_no_server_or_a_name_that_is_none_is_a_mistake(file: Path, command: list[str], name: str | None) -> None:
    said = "there is no server 'nobody' in .*; there are: time" if name == "nobody" else None
    with pytest.raises(SettingsError, match=said):
        wrapped(command, file, name)


def test_wraps_that_share_settings_write_to_files_of_their_own(file: Path) -> None:
    paths = [wrapped(["x"], file, name)[0].interceptors[0].config["path"] for name in ("a", "b")]
    assert len(set(paths)) == 2
    assert all("{" not in path for path in paths)


def test_a_command_runs_as_it_would_without_tidegate_unless_a_sandbox_is_asked_for(
    file: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", "x")
    for given in (None, file):
        plain = wrapped(["x"], given, None)[0].servers["x"]
        assert (plain.sandbox, plain.env["HOME"]) == ("none", os.environ["HOME"])
        boxed = wrapped(["x"], given, None, sandbox=True)[0].servers["x"]
        assert (boxed.sandbox, boxed.env["A_KEY"], "HOME" in boxed.env) == ("bubblewrap", "x", False)
    (home / "strict.toml").write_text('[proxy]\nmin_isolation = "sandbox"\n')
    assert wrapped(["x"], home / "strict.toml", None)[0].servers["x"].sandbox == "bubblewrap"


def test_a_sandbox_is_not_asked_for_a_server_of_the_settings(file: Path, home: Path) -> None:
    with pytest.raises(Failure, match="--sandbox is for COMMAND"):
        wrapped([], file, "time", sandbox=True)
    (home / "strict.toml").write_text('[proxy]\nmin_isolation = "container"\n')
    with pytest.raises(SettingsError, match="wants a container"):
        wrapped(["x"], home / "strict.toml", None, sandbox=True)
