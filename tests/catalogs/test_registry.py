"""What the official registry's `server.json` becomes, and that nothing of it is lost silently."""

import json
from pathlib import Path
from typing import Any

import pytest

from tidegate import importer, settings
from tidegate.imported import Imported

STDIO = {"type": "stdio"}


DESCRIBED = {"description": "Says the weather"}


def read(**members: Any) -> Imported:
    tree = {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": "io.github.someone/weather",
        "description": "Says the weather",
        "version": "1.0.2",
        **members,
    }
    imported = importer.read(json.dumps(tree), "server.json")
    settings.parse(imported.toml(), folder=Path())
    return imported


def package(kind: str, **members: Any) -> dict[str, Any]:
    return {"registryType": kind, "identifier": "weather-mcp", "version": "1.0.2", "transport": STDIO, **members}


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        ("npm", ["npx", "-y", "weather-mcp@1.0.2"]),
        ("pypi", ["uvx", "weather-mcp@1.0.2"]),
        ("nuget", ["dnx", "--yes", "weather-mcp@1.0.2"]),
    ],
)
def test_a_package_is_run_by_its_launcher(kind: str, command: list[str]) -> None:
    imported = read(packages=[package(kind)])
    assert imported.servers["weather"] == {"command": command, "egress": "unrestricted", **DESCRIBED}


def test_arguments_become_words_and_what_is_missing_is_pointed_out() -> None:
    imported = read(
        packages=[
            package(
                "npm",
                runtimeHint="bunx",
                runtimeArguments=[{"type": "named", "name": "--bun"}],
                packageArguments=[
                    {"type": "positional", "value": "serve"},
                    {"type": "named", "name": "--unit", "default": "c"},
                    {"type": "named", "name": "--town", "value": "{town}", "variables": {"town": {"default": "Bern"}}},
                    {"type": "positional", "valueHint": "folder", "isRequired": True},
                    {"type": "named", "name": "--key", "isRequired": True, "isSecret": True},
                ],
            )
        ]
    )
    command = imported.servers["weather"]["command"]
    assert command == ["bunx", "--bun", "weather-mcp@1.0.2", "serve", "--unit", "c", "--town", "Bern", "<folder>"]
    told = "\n".join(text for _, text in imported.notes)
    assert "folder has to be given" in told
    assert "--key is a secret" in told


def test_variables_are_kept_and_secrets_are_references() -> None:
    imported = read(
        packages=[
            package(
                "pypi",
                environmentVariables=[
                    {"name": "UNIT", "value": "c"},
                    {"name": "API_KEY", "isSecret": True, "isRequired": True},
                    {"name": "MORE_KEY", "isSecret": True},
                    {"name": "TOWN", "isRequired": True},
                    {"name": "LANGUAGE"},
                ],
            )
        ]
    )
    assert imported.servers["weather"]["env"] == {"UNIT": "c"}
    assert imported.servers["weather"]["secrets"] == {"API_KEY": "secret:api-key"}
    told = "\n".join(text for _, text in imported.notes)
    for part in ("tidegate secret set api-key", "the secret MORE_KEY", "it wants TOWN", "it can have LANGUAGE"):
        assert part in told


def test_a_container_is_preferred_and_has_no_network_until_it_is_given_one() -> None:
    oci = package("oci", identifier="ghcr.io/someone/weather:1.0.2", packageArguments=[{"type": "named", "name": "-v"}])
    imported = read(packages=[package("npm"), oci])
    assert imported.servers["weather"] == {
        **DESCRIBED,
        "image": "ghcr.io/someone/weather:1.0.2",
        "pull": "tag-ok",
        "args": ["-v"],
        "egress": [],
    }
    told = "\n".join(text for _, text in imported.notes)
    assert "'weather-mcp'" in told
    assert "name them in egress" in told


def test_the_keys_of_the_formats_first_versions_are_known() -> None:
    old = {
        "registry_type": "nuget",
        "identifier": "Weather.Mcp",
        "version": "1.0.2",
        "package_arguments": [{"type": "positional", "value_hint": "town", "is_required": True}],
        "environment_variables": [{"name": "KEY", "is_required": True, "is_secret": True}],
    }
    assert read(packages=[old]).servers["weather"] == {
        **DESCRIBED,
        "command": ["dnx", "--yes", "Weather.Mcp@1.0.2", "--", "<town>"],
        "egress": "unrestricted",
        "secrets": {"KEY": "secret:key"},
    }
    remote = {"transport_type": "sse", "url": "https://a.example.com/x"}
    assert read(remotes=[remote]).servers["weather"]["transport"] == "sse"


def test_a_container_of_the_older_form_and_one_that_listens() -> None:
    old = package("docker", identifier="someone/weather", registryBaseUrl="https://ghcr.io")
    assert read(packages=[old]).servers["weather"]["image"] == "ghcr.io/someone/weather:1.0.2"
    http = {"type": "streamable-http", "url": "http://localhost:8080/api/mcp"}
    made = read(packages=[package("oci", transport=http)]).servers["weather"]
    assert (made["port"], made["path"]) == (8080, "/api/mcp")


def test_a_remote_server_keeps_address_transport_and_headers() -> None:
    imported = read(
        remotes=[
            {
                "type": "sse",
                "url": "https://{region}.example.com/sse",
                "variables": {"region": {"default": "eu"}},
                "headers": [
                    {"name": "Authorization", "value": "Bearer {token}", "isSecret": True, "isRequired": True},
                    {"name": "X-Team", "value": "blue"},
                    {"name": "X-More"},
                ],
            }
        ]
    )
    assert imported.servers["weather"] == {
        **DESCRIBED,
        "url": "https://eu.example.com/sse",
        "transport": "sse",
        "headers": {"Authorization": "Bearer secret:authorization", "X-Team": "blue"},
    }
    assert any("it can have the header X-More" in text for _, text in imported.notes)


def test_what_cannot_be_run_here_is_noted_by_name() -> None:
    imported = read(packages=[package("mcpb", identifier="https://example.com/weather.mcpb")])
    assert not imported.servers
    assert "'weather' can't be used here: packages of the kind 'mcpb'" in imported.notes[0][1]


def test_what_the_registrys_api_answers_is_read_too() -> None:
    one = {"name": "com.example/a", "remotes": [{"type": "streamable-http", "url": "https://a.example.com/mcp"}]}
    text = json.dumps({"servers": [{"server": one, "_meta": {}}, {"server": {**one, "name": "com.example/b"}}]})
    assert set(importer.read(text, "servers.json").servers) == {"a", "b"}
    assert set(importer.read(json.dumps({"server": one, "_meta": {}}), "a.json").servers) == {"a"}
