"""``[servers.NAME]``: who shares an instance, how many are ready, and the deadlines."""

from pathlib import Path

import pytest

from tidegate import settings
from tidegate.settings import Settings, SettingsError

PROCESS = '[servers.a]\ncommand = ["x"]\n'
REMOTE = '[servers.a]\nurl = "https://example.com/mcp"\n'
BOX = f'[servers.a]\nimage = "sha256:{0:064x}"\n'

MISTAKES = {
    f"{PROCESS}share = 'none'": "servers.a.share: input should be 'session', 'principal', 'all' or 'call'",
    f"{PROCESS}warm = -1": "servers.a.warm: input should be greater than or equal to 0",
    f"{PROCESS}warm = 101": "servers.a.warm: input should be less than or equal to 100",
    f"{PROCESS}warm = true": "servers.a.warm: input should be a valid integer",
    f"{PROCESS}start_timeout = 0": "servers.a.start_timeout: input should be greater than 0",
    f"{PROCESS}call_timeout = inf": "servers.a.call_timeout: input should be a finite number",
    f"{PROCESS}idle_timeout = '5'": "servers.a.idle_timeout: input should be a valid number",
    f"{PROCESS}port = 8000": "servers.a: port has no meaning for a server with command",
    f"{REMOTE}path = '/x'": "servers.a: path has no meaning for a server with url",
    f"{BOX}transport = 'sse'": "servers.a: transport has no meaning for a container without port",
    f"{BOX}path = '/x'": "servers.a: path has no meaning for a container without port",
    f"{BOX}port = 0": "servers.a.port: input should be greater than or equal to 1",
    f"{BOX}port = 8000\npath = '//x/y'": "servers.a.path: path begins with one /, and has neither spaces nor a # in it",
    f"{PROCESS}streams = 'direct'": "servers.a: streams has no meaning for a server with command",
    f"{BOX}port = 8000\nstreams = 'direct'": 'servers.a: port and streams = "direct" exclude each other: its streams '
    "are a log",
    f"{BOX}port = 8000\negress = 'unrestricted'": 'servers.a: port and egress = "unrestricted" exclude each other: '
    "others would reach the port",
    f"{REMOTE}share = 'all'": "servers.a: share has no meaning for a server with url",
    f"{REMOTE}warm = 1": "servers.a: warm has no meaning for a server with url",
    f"{REMOTE}idle_timeout = 1": "servers.a: idle_timeout has no meaning for a server with url",
}


def read(text: str) -> Settings:
    return settings.parse(text, folder=Path("/nonexistent"))


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_told_with_its_key(text: str) -> None:
    with pytest.raises(SettingsError) as error:
        read(text)
    assert str(error.value) == f"settings: {MISTAKES[text]}"


def test_by_default_a_session_has_its_own_and_none_is_ready() -> None:
    server = read(PROCESS).servers["a"]
    assert (server.share, server.warm) == ("session", 0)


def test_deadlines_are_those_of_the_server_or_else_those_of_all() -> None:
    found = read("""
        [proxy]
        start_timeout = 1
        call_timeout = 2
        idle_timeout = 3
        [servers.plain]
        command = ["x"]
        [servers.own]
        command = ["x"]
        start_timeout = 10
        call_timeout = 20
        idle_timeout = 30
    """)
    for name, wanted in (("plain", (1, 2, 3)), ("own", (10, 20, 30)), ("gone", (1, 2, 3))):
        assert (found.start_timeout(name), found.call_timeout(name), found.idle_timeout(name)) == wanted


def test_only_a_server_of_streamable_http_has_no_instances() -> None:
    assert read(REMOTE).servers["a"].remote
    assert not read(f"{REMOTE}transport = 'sse'").servers["a"].remote
    assert not read(PROCESS).servers["a"].remote
