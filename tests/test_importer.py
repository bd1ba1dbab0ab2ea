"""What clients' configurations become, and that nothing of them is lost silently."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.samples import SAMPLES, Sample, ids
from tidegate import importer, settings
from tidegate.clients import known
from tidegate.importer import Imported, ImportRefused

AUDIT = {"use": "audit", "required": True, "path": "audit.jsonl"}
SECRET = "sk-do-not-say-this"


def read(tree: object) -> Imported:
    return importer.read(json.dumps(tree), "mcp.json")


def servers_of(imported: Imported) -> Any:
    return tomllib.loads(imported.toml()).get("servers", {})


def test_a_process_keeps_its_words_environment_and_folder() -> None:
    entry = {"type": "stdio", "command": "npx", "args": ["-y", "a b", 'c"\\'], "env": {"A": "1", "N": 2}, "cwd": "/x"}
    imported = read({"mcpServers": {"files": entry}})
    assert servers_of(imported) == {
        "files": {
            "command": ["npx", "-y", "a b", 'c"\\'],
            "env": {"A": "1", "N": "2"},
            "cwd": "/x",
            "egress": "unrestricted",
        }
    }
    assert [said.split()[:2] for _, said in imported.notes] == [["it", "is"], ["local", "processes"]]


def test_a_process_may_write_to_what_the_client_told_it_of_but_is_shown_no_keys(tmp_path: Path) -> None:
    (tmp_path / "notes.json").touch()
    (tmp_path / "server.js").touch()
    entry = {
        "command": "node",
        "args": [f"{tmp_path}/server.js", f"{tmp_path}/", "relative", "/no/such/place", "/etc/shadow"],
        "env": {"FILE": f"{tmp_path}/notes.json"},
        "cwd": str(tmp_path),
    }
    imported = read({"mcpServers": {"files": entry}})
    folder, file = str(tmp_path), f"{tmp_path}/notes.json"
    assert servers_of(imported)["files"]["mounts"] == [f"{folder}:{folder}:rw", f"{file}:{file}:rw"]
    assert "the sandbox doesn't show it /etc/shadow, as /etc/shadow is keys or passwords; see docs/sandbox.md" in [
        said for _, said in imported.notes
    ]


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        ({"url": "https://a.example/mcp"}, {"url": "https://a.example/mcp"}),
        ({"type": "http", "url": "https://a.example/mcp"}, {"url": "https://a.example/mcp"}),
        ({"serverUrl": "https://a.example/mcp"}, {"url": "https://a.example/mcp"}),
        ({"httpUrl": "https://a.example/mcp"}, {"url": "https://a.example/mcp"}),
        ({"type": "sse", "url": "https://a.example/x"}, {"url": "https://a.example/x", "transport": "sse"}),
        ({"url": "https://a.example/sse"}, {"url": "https://a.example/sse", "transport": "sse"}),
    ],
)
def test_a_remote_server_keeps_its_address_and_transport(entry: dict[str, str], wanted: dict[str, str]) -> None:
    assert servers_of(read({"mcpServers": {"a": entry}})) == {"a": wanted}


@pytest.mark.parametrize("text", ["${KEY}", "${env:KEY}"])
def test_a_header_from_a_variable_stays_one(text: str) -> None:
    imported = read({"servers": {"a": {"url": "https://a.example/", "headers": {"X-Key": text}}}})
    assert servers_of(imported)["a"]["headers"] == {"X-Key": "env:KEY"}
    assert not imported.notes


def test_a_header_from_a_variable_after_one_word_stays_one() -> None:
    imported = read({"servers": {"a": {"url": "https://a.example/", "headers": {"Authorization": "Bearer ${KEY}"}}}})
    assert servers_of(imported)["a"]["headers"] == {"Authorization": "Bearer env:KEY"}
    assert not imported.unfilled


def test_a_header_put_together_from_variables_is_noted() -> None:
    imported = read({"servers": {"a": {"url": "https://a.example/", "headers": {"Authorization": "${A}${B}"}}}})
    assert "headers" not in servers_of(imported)["a"]
    assert "Authorization" in imported.notes[0][1]
    assert imported.unfilled == {"a"}


@pytest.mark.parametrize("sample", SAMPLES, ids=ids)
def test_the_file_of_every_client_is_read(sample: Sample) -> None:
    client = known.find(sample.client)
    assert client is not None
    imported = importer.read(sample.text, f"file.{client.format}")
    assert set(imported.servers) == {*sample.local, *sample.remote}
    assert imported.servers["docs"]["url"] == "https://docs.example.com/mcp"
    assert imported.servers["files"]["command"][0] in ("npx", "uvx")
    settings.parse(imported.toml(), folder=Path())


def test_servers_can_be_chosen_by_name() -> None:
    text = json.dumps({"mcpServers": {name: {"command": "x"} for name in ("a", "b", "c")}})
    assert list(importer.read(text, "mcp.json", ["c", "a"]).servers) == ["a", "c"]
    with pytest.raises(ImportRefused, match="has no server 'd'; it has 'a', 'b', 'c'"):
        importer.read(text, "mcp.json", ["d"])


@pytest.mark.parametrize("group", ["mcpServers", "servers", "context_servers"])
def test_every_clients_name_for_the_group_is_known(group: str) -> None:
    assert servers_of(read({group: {"a": {"command": "x"}}})) == {"a": {"command": ["x"], "egress": "unrestricted"}}


def test_the_group_may_lie_within_an_editors_settings() -> None:
    imported = read({"editor.fontSize": 12, "mcp": {"inputs": [], "servers": {"a": {"command": "x"}}}})
    assert set(servers_of(imported)) == {"a"}
    assert {said.split()[0] for _, said in imported.notes} == {"'editor.fontSize'", "the", "local"}


def test_comments_and_trailing_commas_are_read_as_editors_do() -> None:
    text = """{ // one
      /* two
         lines */ "servers": { "a": { "command": "x//y", "args": ["/*no*/", ",]",], }, },
    }"""
    assert servers_of(importer.read(text, "mcp.json"))["a"]["command"] == ["x//y", "/*no*/", ",]"]


def test_whatever_has_no_counterpart_is_noted() -> None:
    entry = {"command": "x", "envFile": ".env", "timeout": 5, "autoApprove": [], "env": {"A": None}, "dev": {}}
    imported = read({"mcpServers": {"a": entry}, "globalShortcut": "x"})
    said = " ".join(text for _, text in imported.notes)
    for name in ("envFile", "timeout", "autoApprove", "env A", "dev", "globalShortcut"):
        assert name in said
    assert all(f"# Note: {text}" in imported.toml() for _, text in imported.notes)


@pytest.mark.parametrize("entry", [7, {}, {"args": []}, {"url": "ftp://a.example"}])
def test_a_server_that_cannot_be_used_is_noted_by_name(entry: object) -> None:
    imported = read({"mcpServers": {"odd one": entry}})
    assert not imported.servers
    assert "'odd one'" in imported.notes[0][1]


def test_a_switched_off_server_is_a_comment() -> None:
    imported = read({"mcpServers": {"off": {"command": "x", "disabled": True}, "on": {"command": "y"}}})
    assert set(servers_of(imported)) == {"on"}
    assert "# [servers.off]" in imported.toml()


def test_names_are_made_to_fit_and_stay_different() -> None:
    imported = read(
        {"mcpServers": {name: {"command": "x"} for name in ("my files", "my/files", "a__b", "é", "", "gateway")}}
    )
    assert list(imported.servers) == ["my-files", "my-files-2", "a_b", "server", "server-2", "gateway-2"]
    assert ("my-files-2", "the client calls it 'my/files', which can't be a name here") in imported.notes


def test_what_looks_like_a_secret_is_kept_and_warned_of_without_its_value() -> None:
    imported = read({"mcpServers": {"a": {"command": "x", "env": {"API_KEY": SECRET, "LANG": "C"}}}})
    assert servers_of(imported)["a"]["env"] == {"API_KEY": SECRET, "LANG": "C"}
    assert [said for _, said in imported.notes if "API_KEY" in said and "private" in said]
    assert SECRET not in str(imported.notes)


def test_a_container_started_by_a_command_stays_a_command_and_is_pointed_out() -> None:
    imported = read({"mcpServers": {"a": {"command": "docker", "args": ["run", "-i", "--rm", "mcp/time"]}}})
    assert servers_of(imported)["a"]["command"] == ["docker", "run", "-i", "--rm", "mcp/time"]
    assert servers_of(imported)["a"]["sandbox"] == "none"
    assert [said.split(",")[0].split(";")[0] for _, said in imported.notes] == [
        "it talks to a container engine",
        "it runs a container",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("{", "not JSON: see its line 1"),
        ('{\n/* of\ntwo */ "mcpServers": {\n// one\n"a": x}}', "not JSON: see its line 5"),
        ("[" * 100_000, "not JSON"),
        ("[]", "no JSON object"),
        ("{}", 'neither "mcpServers"'),
        ('{"mcpServers": []}', 'neither "mcpServers"'),
        ('{"mcpServers": {"a": {"command": "x"}, "a": {"command": "y"}}}', "'a' twice"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_a_reason(text: str, said: str) -> None:
    with pytest.raises(ImportRefused, match=said):
        importer.read(text, "mcp.json")


def test_a_file_may_begin_with_a_byte_order_mark() -> None:
    assert importer.read('\ufeff{"mcpServers": {"a": {"command": "x"}}}', "mcp.json").servers.keys() == {"a"}


_words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_entries = st.fixed_dictionaries(
    {},
    optional={
        "command": _words,
        "args": st.lists(_words, max_size=3),
        "env": st.dictionaries(_words, _words | st.integers() | st.none() | st.booleans(), max_size=3),
        "cwd": _words,
        "url": st.just("https://a.example/mcp") | _words,
        "type": st.sampled_from(["stdio", "http", "sse", "odd"]),
        "headers": st.dictionaries(_words, _words, max_size=2),
        "disabled": st.booleans(),
        "more": st.none(),
    },
)


@given(st.dictionaries(_words, _entries, max_size=3))
def test_whatever_is_imported_is_valid_settings_and_each_server_is_there_or_noted(group: dict[str, Any]) -> None:
    imported = read({"mcpServers": group})
    made = settings.parse(imported.toml(), folder=Path())
    assert set(made.servers) == imported.servers.keys() - imported.disabled
    left_out = [said for name, said in imported.notes if not name and "left out" in said]
    assert len(imported.servers) + len(left_out) == len(group)
    assert [{"use": entry.use, "required": entry.required, **entry.config} for entry in made.interceptors] == [AUDIT]


@given(st.text())
def test_comments_are_taken_out_of_any_json_without_changing_it(text: str) -> None:
    tree = {"a": [text, {text: 1}]}
    commented = json.dumps(tree).replace("[", "[ // x\n").replace("1}", "1, /* , */ }")
    if "[" not in json.dumps(text) and "1}" not in json.dumps(text):
        assert json.loads(importer.without_comments(commented)) == tree
    assert json.loads(importer.without_comments(json.dumps(tree))) == tree
