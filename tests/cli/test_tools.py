"""`tools` as a program, on its own and as a client of a Tidegate that runs, with servers of both eras."""

import asyncio
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from cli.running import Command, Ended
from support.proxy import audit_to, running_tidegate, tidegate, write_settings
from support.web import PATIENCE, until
from tidegate.cli import output, tools

PROGRAM = Path(__file__).with_name("tool_server.py")
DENY = {"use": "lists", "deny": ["*/wipe"]}
AUTH = {
    "auth": {
        "tokens": [
            {"name": "ci", "sha256": sha256(b"right").hexdigest()},
            {"name": "ann", "sha256": sha256(b"narrow").hexdigest(), "profile": "work"},
        ]
    },
    "profiles": {"work": {"servers": ["s"]}},
}
ERAS = ["legacy", "modern"]


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of sockets: its path is short, as these may not be long."""
    monkeypatch.delenv("TIDEGATE_TOKEN", raising=False)
    with tempfile.TemporaryDirectory() as made:
        monkeypatch.setenv("XDG_RUNTIME_DIR", made)
        yield Path(made)


def played(era: str, cursors: str = "pages", mark: Path | None = None) -> dict[str, Any]:
    command = [sys.executable, "-I", str(PROGRAM), era, cursors, str(mark or "")]
    return {"command": command, "sandbox": "none"}


@asynccontextmanager
async def given(
    home: Path, servers: dict[str, dict[str, Any]], *, runs: bool, tables: dict[str, Any] | None = None
) -> AsyncIterator[Path]:
    """The settings file, whose Tidegate runs or doesn't."""
    interceptors = [DENY, audit_to(home / "audit.jsonl")]
    if runs:
        async with running_tidegate(servers, interceptors, folder=home, tables=tables) as proxy:
            yield proxy.settings
    else:
        yield write_settings(home / "tidegate.toml", servers, interceptors, {"listen": "127.0.0.1:0"}, tables)


async def said(*arguments: object) -> Ended:
    """Run a command while this loop goes on."""
    return await asyncio.to_thread(_run, arguments)


def _run(arguments: tuple[object, ...]) -> Ended:
    done = subprocess.run(
        tidegate(*map(str, arguments)), capture_output=True, text=True, timeout=PATIENCE * 2, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


both = pytest.mark.parametrize("runs", [False, True], ids=["own", "running"])
eras = pytest.mark.parametrize("era", ERAS)


@both
async def test_list_shows_all_pages_of_all_servers_and_what_is_allowed_of_them(home: Path, *, runs: bool) -> None:
    async with given(home, {"old": played("legacy"), "new": played("modern")}, runs=runs) as settings:
        ended = await said("tools", "list", "--settings", settings)
        assert (ended.code, ended.err) == (output.WELL, "")
        rows = [line.split() for line in ended.out.splitlines()[2:]]
        names = ["echo", "fail", "ask", "slow", "hold"]
        assert [row[:2] for row in rows] == [[server, name] for server in ("old", "new") for name in names]
        assert "read-only" in rows[0]
        assert "\x1b" not in ended.out
        assert "\u202e" not in ended.out
        assert r"\u001b[31mred" in ended.out
        ended = await said("tools", "list", "new", "--json", "--settings", settings)
        told = json.loads(ended.out)
        assert told["problems"] == []
        assert {each["server"] for each in told["tools"]} == {"new"}
        assert told["tools"][0]["definition"]["odd"] == [1]


@both
@eras
async def test_a_call_prints_the_answer_and_sends_what_the_schema_wants(home: Path, era: str, *, runs: bool) -> None:
    async with given(home, {"s": played(era)}, runs=runs) as settings:
        words = ("zone=utc", "count=2", "tags=a", "tags=b", 'deep:={"on":true}')
        ended = await said("tools", "call", "s/echo", *words, "--settings", settings)
        assert ended.code == output.WELL
        text, image = ended.out.splitlines()
        assert json.loads(text) == {"zone": "utc", "count": 2, "tags": ["a", "b"], "deep": {"on": True}}
        assert image == "[image: image/png, 5 bytes]"
        assert ended.err.splitlines() == ["progress 1/2", r"log info: at \u001b[1mwork"]
        ended = await said("tools", "call", "s__echo", "--arguments", "{}", "--json", "--settings", settings)
        assert json.loads(ended.out)["odd"] == {"kept": None}


@both
@eras
async def test_a_denied_call_says_why_and_so_does_one_that_fails(home: Path, era: str, *, runs: bool) -> None:
    async with given(home, {"s": played(era)}, runs=runs) as settings:
        ended = await said("tools", "call", "s/wipe", "--settings", settings)
        assert (ended.code, ended.out) == (output.NOT_WELL, "")
        assert "denied by Tidegate: This tool of the server 's' is not allowed" in ended.err
        assert "*/wipe" in ended.err
        ended = await said("tools", "call", "s/fail", "--settings", settings)
        assert ended.code == output.NOT_WELL
        assert ended.out.startswith("{}\n[image")
        assert "the tool says that it failed" in ended.err
    records = [json.loads(line) for line in (home / "audit.jsonl").read_text().splitlines()]
    denied = [each for each in records if each["verdict"] == "deny"]
    assert [(each["method"], each["target"]) for each in denied] == [("tools/call", "wipe")]


@both
@eras
async def test_a_server_that_asks_this_client_for_something_gets_an_error(home: Path, era: str, *, runs: bool) -> None:
    async with given(home, {"s": played(era)}, runs=runs) as settings:
        ended = await said("tools", "call", "s/ask", "--settings", settings)
        assert ended.code == output.WELL
        assert json.loads(ended.out.splitlines()[0])["error"]["code"] == -32601
        assert "asked for sampling/createMessage, which was refused" in ended.err


async def test_a_server_that_wants_more_input_is_told_of(home: Path) -> None:
    async with given(home, {"s": played("modern")}, runs=False) as settings:
        ended = await said("tools", "call", "s/hold", "--settings", settings)
        assert ended.code == output.NOT_WELL
        assert "'input_required'" in ended.err


@both
@eras
async def test_an_interrupted_call_is_cancelled_at_the_server(home: Path, era: str, *, runs: bool) -> None:
    mark = home / "mark"
    async with given(home, {"s": played(era, mark=mark)}, runs=runs) as settings:
        process = await asyncio.create_subprocess_exec(
            *tidegate("tools", "call", "s/slow", "--settings", settings), stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            assert await process.stderr.readline() == b"progress 1\n"
            process.send_signal(signal.SIGINT)
            assert await process.stderr.read() == b"Cancelled.\n"
            assert await process.wait() == 130
        await until(mark.exists)


@both
async def test_a_call_that_takes_too_long_is_cancelled_too(home: Path, *, runs: bool) -> None:
    mark = home / "mark"
    async with given(home, {"s": played("legacy", mark=mark)}, runs=runs) as settings:
        ended = await said("tools", "call", "s/slow", "--timeout", "0.1", "--settings", settings)
        assert ended.code == output.MISSING
        assert "within 0.1 seconds" in ended.err
        await until(mark.exists)


@both
@pytest.mark.parametrize(
    ("cursors", "told"),
    [("loop", "comes back to a cursor"), ("number", "no string"), ("forever", "more than 1000 pages")],
)
async def test_cursors_that_lead_nowhere_end_the_list(home: Path, cursors: str, told: str, *, runs: bool) -> None:
    async with given(home, {"s": played("legacy", cursors)}, runs=runs) as settings:
        ended = await said("tools", "list", "--settings", settings)
        assert ended.code == output.NOT_WELL
        assert "echo" in ended.out
        assert "Error: s: its list" in ended.err
        assert told in ended.err


@both
async def test_a_server_that_is_down_costs_the_others_nothing(home: Path, *, runs: bool) -> None:
    servers = {"dead": {"command": ["false"], "sandbox": "none"}, "s": played("legacy")}
    async with given(home, servers, runs=runs) as settings:
        ended = await said("tools", "count", "--settings", settings)
        assert ended.code == output.MISSING
        assert "Error: dead: " in ended.err
        assert ended.out.splitlines()[2].split()[:2] == ["s", "5"]
        ended = await said("tools", "call", "dead/x", "--settings", settings)
        assert ended.code == output.MISSING


@both
async def test_a_token_is_wanted_where_the_settings_have_some(
    home: Path, monkeypatch: pytest.MonkeyPatch, *, runs: bool
) -> None:
    async with given(home, {"s": played("legacy")}, runs=runs, tables=AUTH) as settings:
        asked = ("tools", "list", "--settings", settings)
        ended = await said(*asked)
        assert ended.code == output.MISTAKE
        assert "put one into $TIDEGATE_TOKEN" in ended.err
        monkeypatch.setenv("TIDEGATE_TOKEN", "wrong")
        assert (await said(*asked)).code == output.MISTAKE
        monkeypatch.setenv("TIDEGATE_TOKEN", "right")
        assert (await said(*asked)).code == output.WELL
        monkeypatch.setenv("MINE", "right")
        assert (await said(*asked, "--token-env", "MINE")).code == output.WELL
        ended = await said(*asked, "--token-env", "NOWHERE")
        assert "NOWHERE, which --token-env names, isn't set" in ended.err
    assert "right" not in (home / "audit.jsonl").read_text()


async def test_a_token_for_a_profile_is_told_to_be_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with given(home, {"s": played("legacy")}, runs=True, tables=AUTH) as settings:
        monkeypatch.setenv("TIDEGATE_TOKEN", "narrow")
        ended = await said("tools", "list", "--settings", settings)
        assert ended.code == output.MISTAKE
        assert "The token is for the endpoint of its profile only. Here: put one into $TIDEGATE_TOKEN" in ended.err


def test_inspect_reads_a_schema_for_a_person(command: Command, home: Path) -> None:
    write_settings(home / "tidegate.toml", {"s": played("legacy")}, [], {})
    ended = command("tools", "inspect", "echo")
    assert ended.code == output.WELL
    assert "\x1b" not in ended.out
    rows = [line.split() for line in ended.out.splitlines()]
    assert ["zone", '"utc"', "|", '"local"', "required", "Which", "zone."] in rows
    assert ["count", "integer", "(≥", "1)", "=", "3", "How", "many."] in rows
    assert ["tags", "list", "of", "string"] in rows
    assert ["deep.on", "boolean", "required"] in rows
    assert "It says of itself: readOnlyHint true." in ended.out
    assert json.loads(command("tools", "inspect", "s/echo", "--json").out)["odd"] == [1]
    ended = command("tools", "inspect", "s/ecko")
    assert (ended.code, ended.err) == (output.NOT_WELL, "Error: s lists no tool 'ecko'; did you mean echo?\n")


def test_count_estimates_tokens_and_says_how(command: Command, home: Path) -> None:
    write_settings(home / "tidegate.toml", {"s": played("legacy"), "t": played("modern")}, [], {})
    ended = command("tools", "count")
    assert ended.code == output.WELL
    assert "an estimate, one for each 4 bytes" in ended.err
    assert ended.out.splitlines()[-1].split()[:2] == ["together", "12"]
    told = json.loads(command("tools", "count", "s", "--json").out)
    (found,) = told["servers"]
    assert found["tokens_estimated"] == -(-found["bytes"] // told["bytes_per_token"])
    assert found["largest"] == "echo"


def test_mistakes_get_one_sentence(command: Command, home: Path) -> None:
    write_settings(home / "tidegate.toml", {"s": played("legacy"), "t": played("legacy")}, [], {})
    for words, told in (
        (("list", "x"), "there is no server 'x' in the settings; there are: s, t"),
        (("call", "echo"), "'echo' names no server's tool: it is SERVER/TOOL, and the servers are: s, t"),
        (("call", "s/echo", "count=many"), "count: 'many' is no integer"),
        (("call", "s/echo", "--arguments", "[]"), "--arguments is no JSON object"),
        (("list", "--era", "old"), "--era is auto, legacy or modern, not old"),
    ):
        ended = command("tools", *words)
        assert (ended.code, ended.out, ended.err) == (output.MISTAKE, "", f"Error: {told}\n")


@pytest.mark.parametrize(
    ("notes", "word"),
    [
        (None, ""),
        ({"readOnlyHint": True, "destructiveHint": True}, "read-only"),
        ({"destructiveHint": True}, "destructive"),
        ({"readOnlyHint": False}, "writes"),
        ({"title": "x"}, ""),
    ],
)
def test_a_hint_is_one_word(notes: object, word: str) -> None:
    assert tools.hint({"annotations": notes}) == word


async def test_a_real_server_answers_in_both_eras(home: Path) -> None:
    real = {"command": [sys.executable, "-m", "mcp_server_time", "--local-timezone", "UTC"], "sandbox": "none"}
    async with given(home, {"time": real}, runs=False) as settings:
        for era in ERAS:
            words = ("time/get_current_time", "timezone=UTC", "--era", era)
            ended = await said("tools", "call", *words, "--settings", settings)
            assert json.loads(ended.out)["timezone"] == "UTC"
