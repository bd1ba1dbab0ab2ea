"""Servers on stdio that do what they shouldn't: whoever asked gets an answer or a clear error, and others go on."""

import asyncio
import json
import shlex
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from robustness.running import stdio_server
from robustness.talking import Peer, session
from robustness.watching import DEADLINE, MB, all_gone, descendants, descriptors, running, until
from support.proxy import RunningTidegate, running_tidegate

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SILENCE = 2.0  # the call_timeout of all these but the patient one
SOON = 1.0  # seconds until the callers of a server that died are told
UNAVAILABLE, OVERDUE, UNREADABLE = -31502, -31508, -32700


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tidegate() -> AsyncIterator[RunningTidegate]:
    servers = {"odd": stdio_server(), "calm": stdio_server(), "patient": stdio_server(call_timeout=60.0)}
    async with running_tidegate(servers, call_timeout=SILENCE) as running:
        yield running


async def at_once(*calls: Any) -> list[Any]:
    """Await several at the same time."""
    return list(await asyncio.gather(*calls))


async def beside(peer: Peer, tool: str, **arguments: Any) -> Any:
    """Call a tool in the same session over a connection of its own."""
    async with Peer(peer.url) as other:
        other.session = peer.session
        return await other.call(tool, **arguments)


# -- silence ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_a_call_that_is_never_answered_fails_in_time_and_others_of_the_same_server_go_on(
    tidegate: RunningTidegate, era: str
) -> None:
    async with Peer(tidegate.endpoint("odd")) as peer:
        if era == "legacy":
            await peer.begin()
        begun = time.monotonic()
        hanging = asyncio.create_task(beside(peer, "hang"))
        while not hanging.done():
            assert await peer.echo("go on") == "go on"
        assert SILENCE <= time.monotonic() - begun < SILENCE + SOON
        assert hanging.result()["error"]["code"] == OVERDUE


async def test_a_server_that_takes_nothing_any_more_is_given_up_and_replaced(tidegate: RunningTidegate) -> None:
    async with Peer(tidegate.endpoint("odd")) as peer:
        first = (await peer.call("pid"))["result"]["content"][0]["text"]
        text = "x" * (MB + MB // 2)
        told = await at_once(beside(peer, "stuck"), *(beside(peer, "echo", text=text) for _ in range(4)))
        assert {message["error"]["code"] for message in told} == {OVERDUE}
        second = (await peer.call("pid"))["result"]["content"][0]["text"]
        assert first != second
        assert not psutil.pid_exists(int(first))


# -- death -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["die", "die_halfway", "mute"])
@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_all_who_wait_for_a_server_that_dies_are_told_at_once_and_the_next_call_finds_a_new_one(
    tidegate: RunningTidegate, tool: str, era: str
) -> None:
    async with Peer(tidegate.endpoint("patient")) as peer:
        if era == "legacy":
            await peer.begin()
        before = (await peer.call("pid"))["result"]["content"][0]["text"]
        pending = [asyncio.create_task(beside(peer, "hang")) for _ in range(5)]
        recorded = len(tidegate.records())
        await until(lambda: _calls(tidegate, recorded, "hang") == len(pending), "five calls on their way")
        begun = time.monotonic()
        told = await at_once(peer.call(tool), *pending)
        assert time.monotonic() - begun < SOON
        codes = [message["error"]["code"] for message in told]
        assert codes[1:] == [UNAVAILABLE] * 5
        assert codes[0] in ({UNREADABLE, UNAVAILABLE} if tool == "die_halfway" else {UNAVAILABLE})
        reasons = {message["error"]["message"].partition(" ")[2] for message in told}
        gone = " What it remembered of the session is gone; the next call goes to a new one." if era == "legacy" else ""
        ended = {f"{how}{gone}" for how in ("ended with exit code 7.", "closed its output.")}
        assert reasons <= {*ended, "bytes are not a JSON text."}, reasons
        assert (await peer.call("pid"))["result"]["content"][0]["text"] != before
        await all_gone({process for process in running("stdio.py") if str(process.pid) == before})


def _calls(tidegate: RunningTidegate, since: int, tool: str) -> int:
    return sum(record["target"] == tool and record["kind"] == "request" for record in tidegate.records()[since:])


async def test_a_server_that_stops_listening_fails_the_next_call_with_a_clear_error(tidegate: RunningTidegate) -> None:
    async with session(tidegate.endpoint("odd")) as peer:
        assert (await peer.call("unhearing", text="last words"))["result"]["content"][0]["text"] == "last words"
        told = await peer.post(peer.call_of("echo", text="anyone?"))
        assert told.status in (200, 404)
        assert "error" in told.tree


@pytest.mark.parametrize("command", [["/nonexistent"], ["false"], ["true"], ["sh", "-c", "echo; exit 3"]])
async def test_a_server_that_cannot_start_or_ends_at_once_is_a_clear_error(tmp_path: Path, command: list[str]) -> None:
    async with running_tidegate({"none": {"command": command}}, folder=tmp_path) as tidegate:
        async with Peer(tidegate.endpoint("none")) as peer:
            for _ in range(20):
                told = await peer.ask(peer.request("initialize", {}))
                assert told["error"]["code"] == UNAVAILABLE
                assert (
                    "ended with exit code" in told["error"]["message"] or "can't be started" in told["error"]["message"]
                )
            told = await peer.call("echo", text="modern")
            assert told["error"]["code"] == UNAVAILABLE
        await until(lambda: len(descendants(tidegate.pid)) <= 1, "the end of all but the keeper")


# -- answers that are none -------------------------------------------------------------------------------


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_a_second_answer_reaches_nobody(tidegate: RunningTidegate, era: str) -> None:
    async with Peer(tidegate.endpoint("odd")) as peer:
        if era == "legacy":
            await peer.begin()
        identity = None if era == "legacy" else 5  # a client with a session uses no id twice (JSON-RPC, MCP lifecycle)
        for number in range(20):
            told = await peer.call("twice", identity, text=f"answer {number}")
            assert told["result"]["content"][0]["text"] == f"answer {number}"


async def test_an_answer_under_an_id_that_differs_in_type_or_is_nobodys_reaches_nobody(
    tidegate: RunningTidegate,
) -> None:
    async with session(tidegate.endpoint("odd")) as peer:
        waiting = asyncio.create_task(beside(peer, "hang", number="77"))
        recorded = len(tidegate.records())
        await until(lambda: _calls(tidegate, recorded, "hang"), "the call that hangs")
        ids = [77, "78", 0, -1, "", "t1", 2**70, "\u202e"]
        told = await peer.call("others_id", 5, ids=ids, text="mine")
        assert told["result"]["content"][0]["text"] == "mine"
        assert (await waiting)["error"]["code"] == OVERDUE


NO_MESSAGES = {
    "a banner": "odd server 1.0",
    "invalid UTF-8": "\xff\xfe\x00",
    "a number": "17",
    "a string": '"text"',
    "null": "null",
    "white space": " \t ",
}
BAD_MESSAGES = {
    "invalid UTF-8 in a message": '{"jsonrpc":"2.0","method":"x","params":{"a":"\xc3\x28"}}',
    "a key twice": '{"jsonrpc":"2.0","id":99,"result":{"a":1,"a":2}}',
    "NaN": '{"jsonrpc":"2.0","id":99,"result":{"a":NaN}}',
    "a number out of range": '{"jsonrpc":"2.0","id":99,"result":{"a":1e400}}',
    "a lone surrogate": '{"jsonrpc":"2.0","id":99,"result":{"a":"\\ud800"}}',
    "too deep": '{"jsonrpc":"2.0","id":99,"result":' + "[" * 500 + "]" * 500 + "}",
    "result and error": '{"jsonrpc":"2.0","id":99,"result":{},"error":{"code":1,"message":"x"}}',
    "an id that is true": '{"jsonrpc":"2.0","id":true,"result":{}}',
    "an id that is null": '{"jsonrpc":"2.0","id":null,"result":{}}',
    "an id that is a fraction": '{"jsonrpc":"2.0","id":1.0,"result":{}}',
    "a batch": '[{"jsonrpc":"2.0","method":"notifications/message","params":{}}]',
    "an empty batch": "[]",
    "no version": '{"id":99,"result":{}}',
    "cut off": '{"jsonrpc":"2.0","id":99,"res',
    "two on a line": '{"jsonrpc":"2.0","id":99,"result":{}}{"jsonrpc":"2.0","id":98,"result":{}}',
}


@pytest.mark.parametrize("what", NO_MESSAGES)
async def test_a_line_that_was_never_meant_as_a_message_costs_the_call_nothing(
    tidegate: RunningTidegate, what: str
) -> None:
    async with session(tidegate.endpoint("odd")) as peer:
        told = await peer.call("raw", lines=[NO_MESSAGES[what]] * 3, text="meant")
        assert told["result"]["content"][0]["text"] == "meant"


@pytest.mark.parametrize("what", BAD_MESSAGES)
async def test_a_bad_message_between_good_ones_is_refused_and_the_good_ones_go_on(
    tidegate: RunningTidegate, what: str
) -> None:
    async with session(tidegate.endpoint("odd")) as peer:
        told = await peer.call("raw", lines=[BAD_MESSAGES[what]], text="good")
        if "error" in told:  # the only one who waits is told that something came which can't be read
            assert told["error"]["data"]["code"] in {"parse", "ambiguous", "invalid", "limit"}
            assert told["error"]["data"]["rule"] == "wire"
        else:
            assert told["result"]["content"][0]["text"] == "good"
        assert await peer.echo("next") == "next"


async def test_a_bad_message_fails_none_of_several_who_wait(tidegate: RunningTidegate) -> None:
    async with session(tidegate.endpoint("odd")) as peer:
        lines = list(BAD_MESSAGES.values())
        waiting = asyncio.create_task(beside(peer, "hang"))
        recorded = len(tidegate.records())
        await until(lambda: _calls(tidegate, recorded, "hang"), "the call that hangs")
        told = await peer.call("raw", lines=lines, text="good")
        assert told["result"]["content"][0]["text"] == "good"
        assert (await waiting)["error"]["code"] == OVERDUE


async def test_a_server_that_prints_a_banner_first_can_be_used(tmp_path: Path) -> None:
    servers = {"odd": stdio_server("banner")}
    async with running_tidegate(servers, folder=tmp_path) as running, session(running.endpoint("odd")) as peer:
        assert await peer.echo("good") == "good"


# -- ends ------------------------------------------------------------------------------------------------


@pytest.mark.requirement("no-orphans")
@pytest.mark.parametrize("words", [["deaf"], ["deaf", "forks"]])
async def test_whatever_a_server_does_its_end_is_the_end_of_all_it_started(tmp_path: Path, words: list[str]) -> None:
    servers = {"odd": stdio_server(*words, str(tmp_path))}
    async with running_tidegate(servers, folder=tmp_path) as tidegate:
        before = descriptors(tidegate.pid)
        async with Peer(tidegate.endpoint("odd")) as stays, Peer(tidegate.endpoint("odd")) as leaves:
            await at_once(stays.begin(), leaves.begin())
            started = running("stdio.py", str(tmp_path))
            assert len(started) == (4 if "forks" in words else 2)
            assert (await leaves.end()).status == 200
            await all_gone(started - await _of(stays, started), 10)
            assert await stays.echo("still there") == "still there"
        await until(lambda: descriptors(tidegate.pid) <= before + 6, "the descriptors' return")
    await all_gone(started, 1)
    assert not running("stdio.py", str(tmp_path))


async def _of(peer: Peer, started: set[psutil.Process]) -> set[psutil.Process]:
    """Return the processes behind a session."""
    numbers = {(await peer.call("pid"))["result"]["content"][0]["text"]}
    if len(started) > 2:
        numbers.add((await peer.call("forked"))["result"]["content"][0]["text"])
    return {process for process in started if str(process.pid) in numbers}


async def test_what_is_told_to_the_operator_never_quotes_a_server(tidegate: RunningTidegate) -> None:
    async with session(tidegate.endpoint("odd")) as peer:
        secret = "bM3vqXW0lTz"
        lines = [f"{secret} in a banner", f'{{"{secret}":', json.dumps({"jsonrpc": "2.0", "id": 1, "result": secret})]
        await peer.call("raw", lines=lines, text="good", seconds=DEADLINE)
    assert secret not in tidegate.stderr.read_text()
    assert secret not in tidegate.audit.read_text()


# -- what is no message ------------------------------------------------------------------------------------------


async def test_what_a_server_prints_that_is_no_message_is_recorded_though_nobody_listens(tmp_path: Path) -> None:
    odd = shlex.join(stdio_server()["command"])
    printed = "echo starting up; echo listening"
    async with (
        running_tidegate(
            {"loud": {"command": ["sh", "-c", f"{printed}; exec {odd}"], "sandbox": "none"}}, folder=tmp_path
        ) as running,
        Peer(running.endpoint("loud")) as peer,
    ):
        await peer.begin()
        assert await peer.echo("fine") == "fine"

    records = [json.loads(line) for line in running.audit.read_text().splitlines()]
    refused = [record for record in records if record["kind"] == "rejected"]
    assert [(record["server"], record["verdict"], record["rule"]) for record in refused] == [
        ("loud", "deny", "wire")
    ] * 2
    assert [record["bytes"] for record in refused] == [len("starting up"), len("listening")]
