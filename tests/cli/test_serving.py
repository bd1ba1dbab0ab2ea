"""`run`, `wrap` and `health` as programs: addresses, exit codes, what goes to which output."""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.running import Command
from support.proxy import running_tidegate, tidegate, write_settings
from tidegate.cli import output, serving

TIME = [sys.executable, "-m", "mcp_server_time", "--local-timezone", "UTC"]
SECONDS = 30
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


async def test_health_says_that_a_running_tidegate_is_well(command: Command) -> None:
    async with running_tidegate({}, admin="127.0.0.1:0") as proxy:
        assert proxy.admin is not None
        for address in (proxy.admin, f"{proxy.admin}/healthz", proxy.admin.removeprefix("http://")):
            ended = command("health", address)
            assert (ended.code, ended.err) == (output.WELL, "")
            assert '"ok"' in ended.out
        assert command("health", f"{proxy.admin}/nothing-here").code == output.MISSING


def test_health_says_that_nobody_answers(command: Command) -> None:
    with socket.socket() as bound:  # nobody listens there, and nobody else can
        bound.bind(("127.0.0.1", 0))
        ended = command("health", "{}:{}".format(*bound.getsockname()))
    assert ended.code == output.MISSING
    assert "does not answer" in ended.err
    assert "Errno" not in ended.err


async def test_run_logs_json_away_from_a_terminal_and_prints_nothing(home: Path) -> None:
    settings = write_settings(home / "tidegate.toml", {}, [], {"listen": "127.0.0.1:0"})
    process = await asyncio.create_subprocess_exec(
        *tidegate("run", settings), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    async with asyncio.timeout(SECONDS):
        told: list[dict[str, Any]] = []
        while not told or told[-1]["event"] != "ready":
            told.append(json.loads(await process.stderr.readline()))
        process.terminate()
        assert await process.wait() == 0
    assert told[-1]["listen"].startswith("http://127.0.0.1:")
    assert await process.stdout.read() == b""


def test_an_address_in_use_is_a_sentence_and_exit_code_3(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "{}:{}".format(*taken.getsockname())
        settings = write_settings(home / "tidegate.toml", {}, [], {"listen": address})
        done = subprocess.run(tidegate("run", settings), capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == output.MISSING
    assert done.stderr.startswith(f"Error: the address {address} ")
    assert done.stderr.count("\n") == 1


@pytest.mark.requirement("loopback-or-token")
@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:8811"])
def test_an_address_that_others_reach_is_refused_without_tokens(home: Path, address: str) -> None:
    settings = write_settings(home / "tidegate.toml", {}, [], {"listen": address})
    done = subprocess.run(tidegate("run", settings), capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == output.MISTAKE
    assert "[auth] must have tokens" in done.stderr


def test_without_a_file_the_settings_of_the_folder_are_used_or_the_default_ones_with_a_note(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert serving.default_file() is None
    assert "tidegate init" in capsys.readouterr().err
    (home / "tidegate.toml").touch()
    assert serving.default_file() == Path("tidegate.toml")
    assert not capsys.readouterr().err


async def wrapped(*arguments: str, home: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *tidegate("wrap", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "XDG_STATE_HOME": str(home / "state")},
        cwd=home,
    )


async def told(process: asyncio.subprocess.Process, message: object) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(message).encode() + b"\n")
    found: dict[str, Any] = json.loads(await process.stdout.readline())
    return found


async def test_wraps_side_by_side_speak_the_protocol_alone_and_end_with_their_client(home: Path) -> None:
    """Two at once, with the shipped settings, as a client with two servers starts them."""
    async with asyncio.timeout(SECONDS):
        both = [await wrapped("--log-level", "info", "--", *TIME, home=home) for _ in range(2)]
        for answer in [await told(process, INITIALIZE) for process in both]:
            assert answer["result"]["serverInfo"]["name"] == "mcp-time"
        for process in both:
            out, err = await process.communicate(b"")
            assert (process.returncode, out) == (0, b"")
            assert b'"event"' in err
    logs = list((home / "state" / "tidegate" / "audit").glob("*.jsonl"))
    assert len(logs) == 2
    for log in logs:
        methods = [json.loads(line)["method"] for line in log.read_text().splitlines()]
        assert methods.count("initialize") == 2


async def test_the_shipped_settings_keep_secrets_in(home: Path) -> None:
    secret = "ghp_" + "q7Zk3Xw9Tb2LmP5vRd8HsY4nJc6GfA1S1nJI"  # with its checksum
    code = (
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    m = json.loads(line)\n"
        f"    answer = {{'content': [{{'type': 'text', 'text': 'ghp_' + {secret[4:]!r}}}]}}\n"
        "    print(json.dumps({'jsonrpc': '2.0', 'id': m['id'], 'result': answer}), flush=True)"
    )
    async with asyncio.timeout(SECONDS):
        process = await wrapped("--name", "echo", "--", sys.executable, "-c", code, home=home)
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo"}}
        answer = await told(process, {**call, "params": {"name": "echo", "arguments": {"text": f"is {secret} good?"}}})
        assert answer["result"]["isError"] is True
        assert "github-pat" in answer["result"]["content"][0]["text"]
        answer = await told(process, call)
        assert re.fullmatch(r"\[redacted:github-pat:[0-9a-f]{4}\]", answer["result"]["content"][0]["text"])
        await process.communicate(b"")
    (log,) = (home / "state" / "tidegate" / "audit").glob("*.jsonl")
    assert secret not in log.read_text()


async def test_a_wrapped_server_has_the_environment_of_its_client(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEN_BY_THE_CLIENT", "yes")
    code = "import json, os, sys; m = json.loads(sys.stdin.readline())\n"
    code += "print(json.dumps({'jsonrpc': '2.0', 'id': m['id'], 'result': {'env': os.environ['GIVEN_BY_THE_CLIENT']}}))"
    async with asyncio.timeout(SECONDS):
        process = await wrapped("--", sys.executable, "-c", code, home=home)
        answer = await told(process, {"jsonrpc": "2.0", "id": 5, "method": "example/env"})
        assert await process.wait() == output.MISSING  # the server ended by itself
        await process.communicate(b"")
    assert answer["result"] == {"env": "yes"}


async def test_a_client_is_told_that_its_wrapped_server_cannot_start(home: Path) -> None:
    async with asyncio.timeout(SECONDS):
        process = await wrapped("--", "no-such-program", home=home)
        answer = await told(process, INITIALIZE)
        _, err = await process.communicate(b"")
    assert answer["id"] == 1
    assert "no-such-program" in answer["error"]["message"]
    assert b"Traceback" not in err


STUBBORN = """
import asyncio, tidegate
from tidegate.cli.serving import drive
from tidegate.testing import harness, request

class Stubborn:
    @tidegate.hook
    async def decide(self, message):
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue

async def main():
    async with harness(Stubborn, deadline=0.05) as h:
        print((await h.judge(request("ping"))).verdict)
    return 7

raise SystemExit(drive(main()))
"""


def test_an_interceptor_that_never_ends_denies_and_does_not_keep_the_process_from_ending() -> None:
    ended = subprocess.run([sys.executable, "-c", STUBBORN], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (7, "deny"), ended.stderr
    assert "Late calls of interceptors do not end (1)" in ended.stderr
