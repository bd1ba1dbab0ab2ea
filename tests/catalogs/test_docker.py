"""What Docker's catalog becomes, and that nothing of it is lost silently."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tidegate import importer, settings
from tidegate.imported import Imported, ImportRefused

DIGEST = f"sha256:{'a' * 64}"
CATALOG = f"""
version: 3
name: own
displayName: Our own
registry:
  tickets:
    description: Reads tickets
    title: Tickets
    type: server
    image: registry.example.com/tickets@{DIGEST}
    command: ["--transport", "stdio"]
    secrets:
      - name: tickets.api_key
        env: TICKETS_KEY
        example: abc
    env:
      - name: TICKETS_URL
        value: https://tickets.example.com
      - name: TEAM
        value: '{{{{tickets.team}}}}'
    volumes:
      - /srv/tickets:/data
      - ./cache:/cache:ro
      - named:/var/lib
      - '{{{{tickets.paths|volume|into}}}}'
      - /var/run/docker.sock:/var/run/docker.sock
    user: "1000"
    allowHosts: [tickets.example.com:443, cdn.example.com, "*.example.org:8443/tcp"]
    longLived: true
    tools: [{{name: list}}, {{name: show}}]
    config: [{{name: tickets, type: object}}]
    extraHosts: [a:127.0.0.1]
  offline:
    image: offline:1
    type: server
    disableNetwork: true
  anywhere:
    image: anywhere
    type: server
  hosted:
    type: remote
    remote:
      url: https://hosted.example.com/mcp
      transport_type: streamable-http
      headers: {{Authorization: 'Bearer ${{HOSTED_TOKEN}}', X-Team: blue}}
    secrets: [{{name: hosted.token, env: HOSTED_TOKEN}}]
    oauth: {{providers: [{{provider: hosted}}]}}
  old:
    type: remote
    remote: {{url: "https://old.example.com/sse", transport_type: sse}}
  script:
    type: poci
    tools: [{{name: curl, container: {{image: curl, command: [curl]}}}}]
"""


def read(text: str, *chosen: str) -> Imported:
    return importer.read(text, "catalog.yaml", chosen)


def said(imported: Imported, name: str) -> str:
    return "\n".join(text for about, text in imported.notes if about == name)


def test_a_container_keeps_its_arguments_variables_secrets_folders_and_hosts() -> None:
    imported = read(CATALOG, "tickets")
    assert imported.servers == {
        "tickets": {
            "image": f"registry.example.com/tickets@{DIGEST}",
            "args": ["--transport", "stdio"],
            "env": {"TICKETS_URL": "https://tickets.example.com"},
            "secrets": {"TICKETS_KEY": "secret:tickets.api_key"},
            "mounts": ["/srv/tickets:/data:rw", "./cache:/cache:ro"],
            "user": "1000:1000",
            "egress": ["tickets.example.com:443", "cdn.example.com:443", "*.example.org:8443"],
            "idle_timeout": 86400.0,
            "description": "Reads tickets",
        }
    }
    settings.parse(imported.toml(), folder=Path())


def test_what_has_no_counterpart_is_named() -> None:
    told = said(read(CATALOG), "tickets")
    for part in (
        "env TEAM is filled in by Docker",
        "a volume of the engine's own",
        "volumes has a placeholder",
        "it is not given /var/run/docker.sock",
        "tidegate secret set tickets.api_key",
        "2 tools",
        "parameters",
        "'extraHosts' has no counterpart",
        "left out, as it only describes the server: 'title'",
    ):
        assert part in told


def test_networks_are_what_the_catalog_says() -> None:
    imported = read(CATALOG)
    assert imported.servers["offline"]["egress"] == []
    assert imported.servers["anywhere"]["egress"] == "unrestricted"
    assert "Docker gives it the whole network" in said(imported, "anywhere")


def test_a_tag_is_taken_and_pointed_out() -> None:
    imported = read(CATALOG)
    assert imported.servers["offline"]["pull"] == "tag-ok"
    assert "tidegate pin" in said(imported, "offline")
    assert "pull" not in imported.servers["tickets"]


def test_remote_servers_keep_address_transport_and_headers_with_secrets_by_reference() -> None:
    imported = read(CATALOG)
    assert imported.servers["hosted"] == {
        "url": "https://hosted.example.com/mcp",
        "headers": {"Authorization": "Bearer secret:hosted.token", "X-Team": "blue"},
    }
    assert "OAuth" in said(imported, "hosted")
    assert imported.servers["old"] == {"url": "https://old.example.com/sse", "transport": "sse"}


def test_containers_per_tool_are_left_out_by_name() -> None:
    assert "'script' can't be used here: each of its tools is a container" in said(read(CATALOG), "")


def test_a_name_that_is_not_there_is_a_mistake() -> None:
    with pytest.raises(ImportRefused, match="has no server 'nothing'"):
        read(CATALOG, "nothing")


def test_one_servers_own_file_of_the_public_registry_is_read() -> None:
    text = """
name: notes
image: mcp/notes
type: server
meta: {category: productivity}
about: {title: Notes, description: Keeps notes}
source: {project: https://example.com/notes}
run:
  command: [--stdio]
  volumes: ["/srv/notes:/notes"]
  disableNetwork: true
config:
  description: Its settings
  secrets: [{name: notes.key, env: NOTES_KEY}]
  env: [{name: MODE, value: plain}]
  parameters: {type: object}
"""
    assert read(text).servers == {
        "notes": {
            "image": "mcp/notes",
            "pull": "tag-ok",
            "args": ["--stdio"],
            "description": "Keeps notes",
            "env": {"MODE": "plain"},
            "secrets": {"NOTES_KEY": "secret:notes.key"},
            "mounts": ["/srv/notes:/notes:rw"],
            "egress": [],
        }
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("registry: [", "is not YAML"),
        ("registry: {a: 1, a: 2}", "'a' twice"),
        ("[]", "no mapping"),
        ("a: 1", "neither"),
    ],
)
def test_a_catalog_that_cannot_be_read_is_refused(text: str, told: str) -> None:
    with pytest.raises(ImportRefused, match=told):
        read(text)


_words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8)
_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | _words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=3),
    max_leaves=6,
)
_keys = [
    "image",
    "type",
    "command",
    "env",
    "secrets",
    "volumes",
    "allowHosts",
    "disableNetwork",
    "remote",
    "tools",
    "user",
]


@given(st.dictionaries(_words, st.dictionaries(st.sampled_from(_keys), _values, max_size=5), max_size=3))
def test_whatever_a_catalog_says_the_settings_are_valid_and_each_server_is_there_or_noted(
    registry: dict[str, dict[str, Any]],
) -> None:
    imported = read(yaml.safe_dump({"registry": registry}))
    made = settings.parse(imported.toml(), folder=Path())
    assert set(made.servers) == set(imported.servers)
    left_out = [text for name, text in imported.notes if not name and "left out" in text]
    assert len(imported.servers) + len(left_out) == len(registry)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Two\n  lines\tand a tab", "Two lines and a tab"),
        ("in\u200bvisible\u202e and \U000e0041tags", "invisible and tags"),
        ("x" * 2000, "x" * 1000),
    ],
)
def test_a_description_becomes_one_line_of_characters_that_show(text: str, kept: str) -> None:
    catalog = yaml.safe_dump({"registry": {"a": {"image": "a", "description": text}}})
    imported = read(catalog)
    assert imported.servers["a"]["description"] == kept
    settings.parse(imported.toml(), folder=Path())


def test_what_is_no_description_is_left_out() -> None:
    for text in (5, ["a"], "", "\u200b"):
        made = read(yaml.safe_dump({"registry": {"a": {"image": "a", "description": text}}}))
        assert "description" not in made.servers["a"]
