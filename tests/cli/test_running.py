"""`ps` and `servers` as programs, against a Tidegate that runs: what they show, what they do, how they end."""

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.running import Command, Ended
from support.images import Images
from support.proxy import RunningTidegate, running_tidegate, tidegate, write_settings
from support.web import PATIENCE, until
from tidegate.cli import output
from tidegate.cli.running import Written, duration

# It writes what it is asked for to its standard error too.
SERVER = """
import json, os, sys
print("begun \\x1b[31mred", file=sys.stderr, flush=True)
for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        print("asked for", message["method"], file=sys.stderr, flush=True)
        result = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"""
PLAIN = {"command": [sys.executable, "-c", SERVER], "sandbox": "none"}
REMOTE = {"url": "https://docs.example.com/mcp?key=hunter2", "headers": {"X-Key": "hunter2"}}
SERVERS: dict[str, dict[str, Any]] = {"plain": PLAIN, "docs": REMOTE}


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of sockets: its path is short, as these may not be long."""
    with tempfile.TemporaryDirectory() as made:
        monkeypatch.setenv("XDG_RUNTIME_DIR", made)
        yield Path(made)


def begin(proxy: RunningTidegate, server: str = "plain") -> None:
    """Begin a session, which gets an instance."""
    client = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    asked = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": client}
    headers = {"accept": "application/json, text/event-stream"}
    assert "result" in httpx.post(proxy.endpoint(server), json=asked, headers=headers).json()


def shown(command: Command, *arguments: object) -> Any:
    ended = command(*arguments, "--json")
    assert (ended.code, ended.err) == (output.WELL, "")
    return json.loads(ended.out)


async def test_ps_tells_whose_instances_run_and_what_they_use(command: Command) -> None:
    async with running_tidegate(SERVERS) as proxy:
        assert "Nothing runs" in command("ps", proxy.settings).out
        begin(proxy)
        (found,) = shown(command, "ps", proxy.settings)
        assert found.keys() == {
            *("server", "identity", "principal", "since", "calls", "restarts", "state", "pid", "container"),
            *("kind", "isolation", "streams", "memory", "cpu_ns", "pids"),
        }
        assert (found["server"], found["kind"], found["isolation"]) == ("plain", "process", "unsandboxed")
        assert (found["state"], found["calls"], found["restarts"], found["container"]) == ("serving", 1, 0, None)
        assert found["memory"] > 1_000_000
        assert found["pids"] == 1
        heads, _, row = command("ps", proxy.settings).out.splitlines()
        assert heads.split()[:4] == ["server", "instance", "isolation", "process"]
        assert row.split()[:4] == ["plain", found["identity"], "unsandboxed", str(found["pid"])]


@pytest.mark.docker
@pytest.mark.parametrize("streams", ["direct", "engine"])
async def test_ps_tells_how_the_streams_of_a_container_come_here(
    command: Command, images: Images, streams: str
) -> None:
    async with running_tidegate({"plain": {"image": images.echo, "streams": streams}}) as proxy:
        begin(proxy)
        (found,) = shown(command, "ps", proxy.settings)
        assert (found["isolation"], found["streams"]) == ("container", streams)
        assert f"container ({streams})" in command("ps", proxy.settings).out
        (inspected,) = shown(command, "servers", "inspect", "plain", proxy.settings)["instances"]
        assert inspected["streams"] == streams


async def test_a_narrow_terminal_gets_fewer_columns_and_no_broken_words(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_tidegate(SERVERS) as proxy:
        begin(proxy)
        monkeypatch.setenv("COLUMNS", "60")
        heads, _, row = command("ps", proxy.settings).out.splitlines()
        assert heads.split() == ["server", "instance", "for", "state", "up", "calls"]
        assert row.split()[:1] + row.split()[2:4] == ["plain", "anonymous", "serving"]


async def test_a_restart_and_a_stop_end_the_instances(command: Command) -> None:
    async with running_tidegate({"plain": PLAIN | {"warm": 1}}) as proxy:
        file = proxy.settings

        def states() -> list[str]:
            return [each["state"] for each in json.loads(command("ps", file, "--json").out)]

        await until(lambda: states() == ["ready"])
        (before,) = shown(command, "ps", file)
        ended = command("servers", "restart", "plain", file)
        assert ended.out == "1 instance of plain ended; the next call starts another.\n"
        await until(lambda: states() == ["ready"])
        assert shown(command, "ps", file)[0]["identity"] != before["identity"]
        ended = command("servers", "stop", "plain", file)
        assert ended.out == "1 instance of plain ended; tidegate servers restart plain undoes it.\n"
        assert "plain is stopped" in command("ps", file).err
        assert "stopped" in command("servers", "list", file).out
        assert "It is stopped" in command("servers", "inspect", "plain", file).err
        assert shown(command, "servers", "list", file)[0]["stopped"] is True
        command("servers", "restart", "plain", file)
        await until(lambda: states() == ["ready"])


async def test_the_list_has_all_servers_and_no_secret(command: Command) -> None:
    async with running_tidegate(SERVERS) as proxy:
        begin(proxy)
        plain, docs = shown(command, "servers", "list", proxy.settings)
        assert (plain["running"], plain["share"], plain["warm"], plain["stopped"]) == (1, "session", 0, False)
        assert (docs["kind"], docs["running"], docs["share"]) == ("remote", None, None)
        assert docs["what"] == "https://docs.example.com/mcp?…"
        for arguments in (("list",), ("inspect", "docs"), ("inspect", "docs", "--json")):
            assert "hunter2" not in command("servers", *arguments, proxy.settings).out


async def test_inspect_shows_what_has_a_meaning_for_the_server_and_what_it_loosens(command: Command) -> None:
    async with running_tidegate(SERVERS) as proxy:
        begin(proxy)
        found = shown(command, "servers", "inspect", "plain", proxy.settings)
        assert found["settings"]["call_timeout"] == 600.0
        assert "memory" not in found["settings"]
        assert found["given"] == ["command", "sandbox"]
        assert found["loosened"] == ['it runs unsandboxed (sandbox = "none")']
        told = command("servers", "inspect", "plain", proxy.settings).out
        assert 'plain: it runs unsandboxed (sandbox = "none")' in told
        assert found["instances"][0]["identity"] in told


async def test_logs_are_the_servers_own_and_steer_no_terminal(command: Command) -> None:
    async with running_tidegate(SERVERS) as proxy:
        assert command("servers", "logs", "plain", proxy.settings).err == "Nothing of plain runs.\n"
        begin(proxy)
        ended: list[Ended] = []

        def said() -> bool:
            ended.append(command("servers", "logs", "plain", proxy.settings))
            return "initialize" in ended[-1].out

        await until(said)
        assert ended[-1].out == "begun \\u001b[31mred\nasked for initialize\n"
        begin(proxy)
        told = command("servers", "logs", "plain", proxy.settings).out.splitlines()
        known = {each["identity"] for each in shown(command, "ps", proxy.settings)}
        assert {line.split()[0] for line in told} == known


@pytest.mark.parametrize("how", ["logs", "restart", "stop"])
async def test_a_server_that_isnt_there_or_elsewhere_is_the_users_mistake(command: Command, how: str) -> None:
    async with running_tidegate(SERVERS) as proxy:
        ended = command("servers", how, "docs", proxy.settings)
        assert (ended.code, ended.out) == (output.MISTAKE, "")
        assert ended.err == "Error: The server 'docs' is remote: nothing of it runs here\n"
        ended = command("servers", how, "other", proxy.settings)
        assert ended.code == output.MISTAKE
        assert "there is no server 'other' in the settings; there are: plain, docs" in ended.err


def test_without_a_tidegate_the_settings_are_shown_and_the_rest_says_so(command: Command, home: Path) -> None:
    file = write_settings(home / "tidegate.toml", SERVERS, [], {})
    away: tuple[tuple[str, ...], ...] = (
        ("ps",),
        ("servers", "logs", "plain"),
        ("servers", "stop", "plain"),
        ("servers", "restart", "plain"),
    )
    for arguments in away:
        ended = command(*arguments, file)
        assert ended.code == output.MISSING
        assert f"no Tidegate with {file} runs" in ended.err
    assert command("servers", "restart", "other", file).code == output.MISTAKE
    for words in (("list",), ("inspect", "plain")):
        ended = command("servers", *words, file)
        assert (ended.code, ended.err) == (output.WELL, "No Tidegate of these settings runs.\n")
    assert shown(command, "servers", "list")[0]["running"] is None


def test_settings_without_servers_say_how_to_have_one(command: Command, home: Path) -> None:
    write_settings(home / "tidegate.toml", {}, [], {})
    assert "No servers" in command("servers", "list").out


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1, "0.0 s"), (0.44, "0.4 s"), (12, "12 s"), (119, "119 s"), (180, "3 min"), (18_000, "5 h"), (200_000, "2 d")],
)
def test_durations_are_for_people(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_of_a_growing_text_each_line_is_told_once_and_one_that_goes_on_when_it_stays() -> None:
    written = Written()
    texts = ("a\nb", "a\nb", "a\nb", "a\nb\nc", "  b\nc\n\nd", "c\n\nde", "c\n\nde", "x\ny\nz")
    told = [written.news(text, whole=False) for text in texts]
    assert told == [["a"], ["b"], [], [], ["c", ""], [], ["de"], ["x", "y"]]
    assert Written().news("", whole=True) == []
    assert Written().news("a\r\nb\r", whole=True) == ["a", "b"]


async def test_what_is_written_while_one_looks_is_told_until_tidegate_ends(command: Command) -> None:
    async with running_tidegate(SERVERS) as proxy:
        begin(proxy)
        command("ps", proxy.settings)
        follower = await asyncio.create_subprocess_exec(
            *tidegate("servers", "logs", "-f", "plain", proxy.settings), stdout=asyncio.subprocess.PIPE
        )
        assert follower.stdout is not None
        async with asyncio.timeout(PATIENCE):
            assert [await follower.stdout.readline() for _ in range(2)][1] == b"asked for initialize\n"
            command("servers", "restart", "plain", proxy.settings)
            begin(proxy)
            assert b"begun" in await follower.stdout.readline()
            follower.send_signal(signal.SIGINT)
            assert await follower.wait() == output.WELL


@pytest.mark.skipif(os.geteuid() == 0, reason="platform: root may use every socket")
async def test_another_users_tidegate_is_told_so(command: Command) -> None:
    async with running_tidegate(SERVERS, control="control.sock") as proxy:
        (proxy.settings.parent / "control.sock").chmod(0)
        ended = command("ps", proxy.settings)
        assert ended.code == output.MISTAKE
        assert "is another user's" in ended.err
