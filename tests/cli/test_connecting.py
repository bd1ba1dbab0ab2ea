"""`connect`, `disconnect` and `clients`, on files of each client."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from cli.running import Command
from clients.samples import SAMPLES, Sample, ids
from tidegate import settings
from tidegate.cli import output
from tidegate.clients import edits, known, places, shapes
from tidegate.clients.known import Client

MODES = ["", "--wrap", "--move"]


@pytest.fixture
def user(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of the user; commands run in another one."""
    folder = home / "user"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA", "CODEX_HOME"):
        monkeypatch.delenv(name, raising=False)
    return folder


def client_of(sample: Sample) -> Client:
    found = known.find(sample.client)
    assert found is not None
    return found


def placed(sample: Sample, home: Path) -> tuple[Path, list[str]]:
    """Write a sample to where the client has it; return the file, and the words that name it."""
    client = client_of(sample)
    machine = places.Machine.this()
    path = places.file_of(client, machine, home / "project" if sample.project else None)
    assert path is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(sample.text.encode())
    return path, [sample.client, *(["--project", str(home / "project")] if sample.project else [])]


def servers(sample: Sample, path: Path) -> dict[str, Any]:
    client = client_of(sample)
    return shapes.entries(client, edits.language(client.format).read(path.read_bytes().decode()))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sample", SAMPLES, ids=ids)
def test_connecting_and_disconnecting_leaves_every_clients_file_as_it_was_to_the_byte(
    sample: Sample, mode: str, command: Command, home: Path, user: Path
) -> None:
    path, words = placed(sample, home)
    path.chmod(0o640)
    before = path.read_bytes()
    ended = command("connect", *words, *filter(None, [mode]), "--yes")
    assert ended.code == 0, ended.err
    assert path.read_bytes() != before
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert (home / "tidegate.toml").exists() is (mode == "--move")
    ended = command("disconnect", *words, "--yes")
    assert ended.code == 0, ended.err
    assert path.read_bytes() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert not (home / "tidegate.toml").exists()
    assert not list((home / "state" / "tidegate" / "clients").iterdir())


@pytest.mark.parametrize("sample", SAMPLES, ids=ids)
def test_an_entry_is_added_in_the_clients_own_form_and_the_rest_stays(
    sample: Sample, command: Command, home: Path, user: Path
) -> None:
    path, words = placed(sample, home)
    before = servers(sample, path)
    assert command("connect", *words, "--yes").code == 0
    after = servers(sample, path)
    entry = after.pop("tidegate")
    assert after == before
    shape = client_of(sample).shape
    if shape.url is None:
        assert entry["args"] == ["run", "--stdio"]
    else:
        assert entry[shape.url] == "http://127.0.0.1:8811/mcp"
        # What the documentation shows for its own remote server, this one has, too.
        assert set(shape.http) <= set(entry)


@pytest.mark.parametrize("sample", SAMPLES, ids=ids)
def test_wrapping_puts_tidegate_before_each_local_command_and_leaves_the_rest(
    sample: Sample, command: Command, home: Path, user: Path
) -> None:
    path, words = placed(sample, home)
    before = servers(sample, path)
    ended = command("connect", *words, "--wrap", "--yes")
    after = servers(sample, path)
    shape = client_of(sample).shape
    for name in sample.local:
        old, new = shapes.words_of(shape, before[name]), shapes.words_of(shape, after[name])
        assert old is not None
        assert new is not None
        assert new[1:] == ["wrap", "--name", name, "--", *old]
        assert shapes.is_tidegate(shape, after[name])
        assert {key: item for key, item in after[name].items() if key not in ("args", shape.command)} == {
            key: item for key, item in before[name].items() if key not in ("args", shape.command)
        }
    for name in sample.remote:
        assert after[name] == before[name]
        assert f"{name}: stays as it is: it is no local server" in ended.err
    assert "nothing to change" in command("connect", *words, "--wrap", "--yes").out


@pytest.mark.parametrize("sample", SAMPLES, ids=ids)
def test_moving_leaves_the_client_tidegate_alone_and_the_settings_the_servers(
    sample: Sample, command: Command, home: Path, user: Path
) -> None:
    path, words = placed(sample, home)
    assert command("connect", *words, "--move", "--yes").code == 0
    made = settings.load(home / "tidegate.toml")
    stays = {"developer"} if sample.client == "goose" else {"files"} if sample.client == "vscode" else set()
    assert set(servers(sample, path)) == {"tidegate", *stays}
    assert set(made.servers) == {*sample.local, *sample.remote} - stays
    assert str(made.servers["docs"].url) == "https://docs.example.com/mcp"


@pytest.mark.parametrize("client", known.CLIENTS, ids=lambda client: client.name)
def test_a_file_that_was_not_there_is_made_and_goes_again(
    client: Client, command: Command, home: Path, user: Path
) -> None:
    kept = sorted(user.rglob("*"))
    path = places.file_of(client, places.Machine.this())
    assert path is not None
    assert command("connect", client.name, "--yes").code == 0
    assert path.exists()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert command("disconnect", client.name, "--yes").code == 0
    assert sorted(user.rglob("*")) == kept


@pytest.mark.parametrize(
    ("words", "place"), [(("--project", "."), ".continue/mcpServers/tidegate.yaml"), ((), "user/.continue/config.yaml")]
)
def test_a_new_file_of_continue_begins_as_its_documentation_wants(
    words: tuple[str, ...], place: str, command: Command, home: Path, user: Path
) -> None:
    assert command("connect", "continue", *words, "--yes").code == 0
    made = home / place
    assert edits.language("yaml").read(made.read_text()) == {
        "name": "Tidegate",
        "version": "0.0.1",
        "schema": "v1",
        "mcpServers": [{"name": "tidegate", "type": "streamable-http", "url": "http://127.0.0.1:8811/mcp"}],
    }


@pytest.mark.parametrize("words", [(), ("--stdio",)])
def test_cline_is_told_to_wait_longer_than_its_three_seconds(
    words: tuple[str, ...], command: Command, home: Path, user: Path
) -> None:
    assert command("connect", "cline", *words, "--file", str(home / "cline.json"), "--yes").code == 0
    assert json.loads((home / "cline.json").read_text())["mcpServers"]["tidegate"]["timeout"] == 60


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sample", SAMPLES, ids=ids)
def test_what_others_changed_meanwhile_stays_when_disconnecting(
    sample: Sample, mode: str, command: Command, home: Path, user: Path
) -> None:
    path, words = placed(sample, home)
    comment = "// mine\n" if client_of(sample).format == "json" else "# mine\n"
    if "\r\n" in sample.text:
        comment = comment.replace("\n", "\r\n")
    assert command("connect", *words, *filter(None, [mode]), "--yes").code == 0
    path.write_bytes(comment.encode() + path.read_bytes())
    assert command("disconnect", *words, "--yes").code == 0
    assert path.read_bytes() == (comment + sample.text).encode()


def test_a_server_added_next_to_it_meanwhile_stays(command: Command, home: Path, user: Path) -> None:
    path, words = placed(Sample("cursor", '{"mcpServers": {"a": {"command": "x"}}}'), home)
    command("connect", *words, "--yes")
    tree = json.loads(path.read_text())
    tree["mcpServers"]["b"] = {"command": "y"}
    path.write_text(json.dumps(tree, indent=4))
    assert command("disconnect", *words, "--yes").code == 0
    assert json.loads(path.read_text()) == {"mcpServers": {"a": {"command": "x"}, "b": {"command": "y"}}}


def test_what_was_changed_in_what_connect_wrote_stays_and_is_told(command: Command, home: Path, user: Path) -> None:
    path, words = placed(Sample("cursor", '{"mcpServers": {"a": {"command": "x", "args": []}}}'), home)
    command("connect", *words, "--wrap", "--yes")
    tree = json.loads(path.read_text())
    tree["mcpServers"]["a"]["args"] = ["mine"]
    path.write_text(json.dumps(tree))
    ended = command("disconnect", *words, "--yes")
    assert ended.code == output.NOT_WELL
    assert "mcpServers.a.args was changed since, so it stays as it is" in ended.err
    assert json.loads(path.read_text()) == {"mcpServers": {"a": {"command": "x", "args": ["mine"]}}}
    backup = Path(ended.err.rpartition("the file as it was is ")[2].strip())
    assert backup.read_text() == '{"mcpServers": {"a": {"command": "x", "args": []}}}'


def test_a_link_stays_a_link_and_what_it_leads_to_is_changed(command: Command, home: Path, user: Path) -> None:
    real = home / "dotfiles.json"
    real.write_text("{}\n")
    link = user / ".cursor" / "mcp.json"
    link.parent.mkdir()
    link.symlink_to(real)
    command("connect", "cursor", "--yes")
    assert link.is_symlink()
    assert "tidegate" in real.read_text()
    command("disconnect", "cursor", "--yes")
    assert link.is_symlink()
    assert real.read_text() == "{}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", "is not JSON: see its line 1"),
        (b'{"mcpServers": {"a": {}, "a": {}}}', "has the key 'a' twice"),
        (b"[]", "is no JSON object"),
        (b"\xff", "is not text in UTF-8"),
        (b'{"mcpServers": []}', "is written in a way that can't be changed here"),
        (b'{"mcpServers": {"tidegate": {"command": "mine"}}}', "has a server 'tidegate' already: give another --name"),
    ],
)
def test_a_file_that_cannot_be_changed_safely_is_refused_with_one_sentence(
    text: bytes, said: str, command: Command, home: Path, user: Path
) -> None:
    path = user / ".cursor" / "mcp.json"
    path.parent.mkdir()
    path.write_bytes(text)
    ended = command("connect", "cursor", "--yes")
    assert ended.code == output.MISTAKE
    assert said in ended.err
    assert str(path) in ended.err
    assert len(ended.err.splitlines()) == 1
    assert path.read_bytes() == text


def test_a_pipe_is_refused_and_not_waited_for(command: Command, home: Path) -> None:
    os.mkfifo(pipe := home / "pipe.json")
    assert command("connect", "cursor", "--file", pipe, "--yes").err == f"Error: {pipe}: is no regular file\n"


def test_nothing_is_written_without_being_asked_for(command: Command, home: Path, user: Path) -> None:
    path, words = placed(SAMPLES[5], home)
    before = path.read_bytes()
    shown = command("connect", *words, "--dry-run")
    assert '+    "tidegate": {' in shown.out
    assert "Nothing is written" in shown.out
    refused = command("connect", *words)
    assert refused.code == output.MISTAKE
    assert "--yes" in refused.err
    assert path.read_bytes() == before


def test_scripts_get_json(command: Command, home: Path, user: Path) -> None:
    path, words = placed(SAMPLES[5], home)
    told = json.loads(command("connect", *words, "--wrap", "--json").out)
    assert told["written"] is True
    assert told["servers"] == ["files"]
    assert told["file"] == str(path)
    assert Path(told["backup"]).read_text() == SAMPLES[5].text
    assert stat.S_IMODE(Path(told["backup"]).stat().st_mode) == 0o600
    assert json.loads(command("disconnect", *words, "--json").out)["written"] is True


def test_a_second_way_of_connecting_wants_the_first_undone(command: Command, home: Path, user: Path) -> None:
    _, words = placed(SAMPLES[5], home)
    command("connect", *words, "--wrap", "--yes")
    ended = command("connect", *words, "--yes")
    assert ended.code == output.MISTAKE
    assert "connected already (wrap): tidegate disconnect cursor first" in ended.err


@pytest.mark.parametrize(
    ("client", "wanted"),
    [
        ("vscode", "Bearer ${env:TG}"),
        ("cursor", "Bearer ${env:TG}"),
        ("claude-code", "Bearer ${TG}"),
        ("opencode", "Bearer {env:TG}"),
        ("codex", 'bearer_token_env_var = "TG"'),
    ],
)
def test_a_token_is_referred_to_in_the_clients_own_way(
    client: str, wanted: str, command: Command, home: Path, user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TG", "tg_very_private")
    told = json.loads(command("connect", client, "--token-env", "TG", "--json").out)
    text = Path(told["file"]).read_text()
    assert wanted in text
    assert "tg_very_private" not in text


def test_a_token_is_written_in_clear_only_where_that_is_asked_for_and_never_shown(
    command: Command, home: Path, user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TG", "tg_very_private")
    refused = command("connect", "lmstudio", "--token-env", "TG", "--yes")
    assert refused.code == output.MISTAKE
    assert "--token-clear" in refused.err
    ended = command("connect", "lmstudio", "--token-env", "TG", "--token-clear", "--yes")
    assert ended.code == 0
    assert "tg_very_private" not in ended.out + ended.err
    assert "Bearer tg_very_private" in (user / ".lmstudio" / "mcp.json").read_text()


def test_what_looks_like_a_secret_in_a_file_is_not_shown(command: Command, home: Path, user: Path) -> None:
    text = '{"mcpServers": {"a": {"command": "x", "env": {"API_KEY": "hush-1"}, "args": ["--token", "hush-2"]},\n'
    text += '"b": {"url": "https://b.example/mcp", "headers": {"X-Odd": "hush-3"}}}}\n'
    _, words = placed(Sample("cursor", text), home)
    for mode in MODES:
        shown = command("connect", *words, *filter(None, [mode]), "--dry-run")
        assert "hush" not in shown.out + shown.err


def test_the_address_is_what_the_settings_say(command: Command, home: Path, user: Path) -> None:
    (home / "tidegate.toml").write_text('[proxy]\nlisten = "127.0.0.1:9999"\n')
    command("connect", "cursor", "--yes")
    assert "http://127.0.0.1:9999/mcp" in (user / ".cursor" / "mcp.json").read_text()


def test_servers_move_into_settings_that_are_there_and_these_come_back_too(
    command: Command, home: Path, user: Path
) -> None:
    mine = "# mine\n[proxy]\nlisten = '127.0.0.1:9999'\n\n[servers.own]\ncommand = ['x']\n"
    (home / "tidegate.toml").write_text(mine)
    _, words = placed(SAMPLES[5], home)
    command("connect", *words, "--move", "--yes")
    assert set(settings.load(home / "tidegate.toml").servers) == {"own", "files", "docs"}
    assert (home / "tidegate.toml").read_text().startswith(mine)
    command("disconnect", *words, "--yes")
    assert (home / "tidegate.toml").read_text() == mine


def test_settings_that_two_clients_moved_to_keep_their_servers_until_the_last_leaves(
    command: Command, home: Path, user: Path
) -> None:
    _, one = placed(Sample("cursor", '{"mcpServers": {"a": {"command": "x"}}}'), home)
    _, two = placed(Sample("kiro", '{"mcpServers": {"b": {"command": "y"}}}'), home)
    command("connect", *one, "--move", "--yes")
    command("connect", *two, "--move", "--yes")
    ended = command("disconnect", *one, "--yes")
    assert "keeps the servers: kiro may use them" in ended.err
    assert set(settings.load(home / "tidegate.toml").servers) == {"a", "b"}


def test_a_server_that_the_settings_know_otherwise_is_not_moved(command: Command, home: Path, user: Path) -> None:
    (home / "tidegate.toml").write_text("[servers.files]\ncommand = ['other']\n")
    path, words = placed(SAMPLES[5], home)
    ended = command("connect", *words, "--move", "--yes")
    assert ended.code == output.MISTAKE
    assert "has another server 'files' already" in ended.err
    assert path.read_text() == SAMPLES[5].text


def test_clients_are_listed_with_their_files_and_whether_they_are_connected(
    command: Command, home: Path, user: Path
) -> None:
    placed(SAMPLES[5], home)
    (user / ".codex").mkdir()
    (user / ".codex" / "config.toml").write_text("[")
    command("connect", "kiro", "--yes")
    rows = {row["client"]: row for row in json.loads(command("clients", "--json").out)}
    assert set(rows) == {client.name for client in known.CLIENTS}
    assert (rows["cursor"]["installed"], rows["cursor"]["servers"], rows["cursor"]["connected"]) == (True, 2, None)
    assert (rows["kiro"]["servers"], rows["kiro"]["connected"]) == (1, "add")
    assert rows["codex"]["problem"] == "it is not TOML: see its line 1"
    assert rows["zed"]["exists"] is False
    shown = command("clients").out
    assert "~/.cursor/mcp.json" in shown


@pytest.mark.parametrize(
    "words", [("connect", "nobody"), ("disconnect", "cursor"), ("connect", "lmstudio", "--project", ".")]
)
def test_a_mistake_gets_one_sentence(words: tuple[str, ...], command: Command, home: Path, user: Path) -> None:
    ended = command(*words)
    assert ended.code == output.MISTAKE
    assert len(ended.err.splitlines()) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="platform: root may write anywhere")
def test_a_folder_that_cannot_be_written_to_leaves_everything_as_it_was(
    command: Command, home: Path, user: Path
) -> None:
    path, words = placed(SAMPLES[5], home)
    path.parent.chmod(0o500)
    assert command("connect", *words, "--yes").code == output.MISTAKE
    assert path.read_text() == SAMPLES[5].text
    path.parent.chmod(0o700)
