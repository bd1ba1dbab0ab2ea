"""The real program takes over changed settings, by a signal or because it watches, while clients keep it busy."""

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from robustness.running import stdio_server
from robustness.talking import JSON, LEGACY, Peer, head_of, line_to
from robustness.watching import descendants, until
from support.proxy import RunningTidegate, audit_to, running_tidegate, tidegate, write_settings

A, B = stdio_server("a"), stdio_server("b")
CLIENTS = 4
SECONDS = 60
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}
DENY = {"use": "lists", "deny": ["a/echo"]}
RELOADED, KEPT = "the settings were reloaded", "the settings were not reloaded, the old ones stay"


class Changing:
    """A running Tidegate whose settings the test changes."""

    def __init__(self, running: RunningTidegate) -> None:
        self.running = running
        self.seen: Counter[str] = Counter()

    def write(
        self, *interceptors: Mapping[str, Any], servers: Mapping[str, Mapping[str, Any]] | None = None, **proxy: Any
    ) -> None:
        """Write the settings anew; the audit log stays, required."""
        chosen: Sequence[Mapping[str, Any]] = [*interceptors, audit_to(self.running.audit)]
        servers = {"a": A, "b": B} if servers is None else servers
        fresh = self.running.settings.with_suffix(".fresh")
        write_settings(fresh, servers, chosen, {"listen": "127.0.0.1:0", **proxy})
        fresh.replace(self.running.settings)

    def signal(self) -> None:
        os.kill(self.running.pid, signal.SIGHUP)

    def logged(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.running.stderr.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    async def said(self, event: str) -> dict[str, Any]:
        """Wait for the next time that the log says something, and return the line."""
        await until(lambda: len(self.logged(event)) > self.seen[event], event)
        self.seen[event] += 1
        return self.logged(event)[self.seen[event] - 1]

    async def reload(self) -> None:
        self.signal()
        await self.said(RELOADED)


def outcome(message: Any, text: str) -> str:
    """Return what became of an echo: `echoed`, `denied`, or what else was said, which should be nothing."""
    result = message.get("result", {})
    said = result.get("content", [{}])[0].get("text", "")
    if said == text:
        return "echoed"
    return "denied" if result.get("isError") and "Tidegate" in said else json.dumps(message)


def servers_of(pid: int) -> list[int]:
    """Return the processes of server `b` below one."""
    found = []
    for process in descendants(pid):
        with suppress(psutil.Error):  # it has ended meanwhile
            if process.cmdline()[-1:] == ["b"] and "stdio.py" in process.cmdline()[-2]:
                found.append(process.pid)
    return found


async def verified(audit: Path) -> None:
    """See that `tidegate audit verify` finds the chain whole."""
    command = tidegate("audit", "verify", audit)
    done = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await done.communicate()
    assert done.returncode == 0, out.decode()


async def test_under_load_every_message_is_judged_by_the_old_rules_or_the_new_and_every_one_is_recorded(
    tmp_path: Path,
) -> None:
    stop = asyncio.Event()
    became: dict[str, Counter[str]] = {"a": Counter(), "b": Counter()}

    async def keep_asking(running: RunningTidegate, server: str, *, session: bool) -> None:
        async with Peer(running.endpoint(server)) as peer:
            if session:
                await peer.begin()
            number = 0
            while not stop.is_set():
                number += 1
                text = f"{server} {session} {number}"
                became[server][outcome(await peer.call("echo", text=text), text)] += 1

    async with running_tidegate({"a": A, "b": B}, folder=tmp_path) as running:
        changing = Changing(running)
        asking = [
            asyncio.create_task(keep_asking(running, server, session=session))
            for server in ("a", "b")
            for session in (True, False)
        ]
        async with Peer(running.endpoint("a")) as peer:
            await peer.begin()
            pid = await peer.call("pid")
            for turn in range(6):
                denies = turn % 2 == 0
                changing.write(*([DENY] if denies else []), max_depth=20 + turn)
                await changing.reload()
                for _ in range(5):
                    expected = "denied" if denies else "echoed"
                    assert outcome(await peer.call("echo", text="after"), "after") == expected
                    became["a"][expected] += 1
                changing.running.settings.write_text("[proxy")
                changing.signal()
                assert "not TOML" in (await changing.said(KEPT))["reason"]
            assert (await peer.call("pid"))["result"] == pid["result"]  # the session's server was left alone
        stop.set()
        await asyncio.gather(*asking)
    assert set(became["a"]) == {"echoed", "denied"}
    assert set(became["b"]) == {"echoed"}
    calls = [record for record in running.records() if record["method"] == "tools/call" and record["target"] == "echo"]
    requests = [record for record in calls if record["kind"] == "request"]
    assert Counter((record["server"], record["verdict"]) for record in requests) == {
        ("a", "allow"): became["a"]["echoed"],
        ("a", "deny"): became["a"]["denied"],
        ("b", "allow"): became["b"]["echoed"],
    }
    assert len(calls) - len(requests) == became["a"]["echoed"] + became["b"]["echoed"]  # the replies
    assert [record["seq"] for record in running.records()] == list(range(1, len(running.records()) + 1))
    await verified(running.audit)


async def test_sessions_of_a_changed_server_end_with_its_processes_and_the_others_go_on(tmp_path: Path) -> None:
    async with (
        running_tidegate({"a": A, "b": B}, folder=tmp_path) as running,
        Peer(running.endpoint("a")) as staying,
        Peer(running.endpoint("b")) as leaving,
        Peer(running.endpoint("b")) as stateless,
        line_to(running.url) as stream,
        line_to(running.url) as line,
    ):
        changing = Changing(running)
        await staying.begin()
        await leaving.begin()
        told = [await peer.call("pid") for peer in (staying, leaving, stateless)]
        pids = [int(message["result"]["content"][0]["text"]) for message in told]
        await stream.send(head_of("GET", "/servers/b/sse", {"accept": "text/event-stream"}))
        assert (await stream.head()).status == 200
        endpoint = (await anext(stream.chunks())).decode().partition("data: ")[2].split()[0]

        changing.write(servers={"a": A, "b": {**B, "labels": ["changed"]}})
        await changing.reload()
        await until(lambda: not any(psutil.pid_exists(pid) for pid in pids[1:]), "the end of the old processes")
        assert await staying.call("pid") | {"id": 0} == told[0] | {"id": 0}
        refused = await leaving.post(leaving.call_of("echo", text="x"))
        assert (refused.status, "no such session" in refused.tree["error"]["message"]) == (404, True)
        ping = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
        await line.send(head_of("POST", endpoint, JSON, len(ping)) + ping)
        assert (await line.answer()).status == 404
        assert await stateless.echo("again") == "again"
        async with Peer(running.endpoint("b")) as again:
            assert await (await again.begin()).echo("new") == "new"

        changing.write(servers={"a": A})
        await changing.reload()
        gone = await stateless.post(stateless.call_of("echo", text="x"))
        assert gone.status == 404
        assert await staying.echo("still") == "still"
    await verified(running.audit)


@pytest.mark.requirement("no-orphans")
async def test_a_server_that_changes_under_load_answers_or_says_why_not_and_leaves_no_old_process_behind(
    tmp_path: Path,
) -> None:
    stop = asyncio.Event()
    became: Counter[str] = Counter()

    async def keep_asking(url: str, *, session: bool) -> None:
        while not stop.is_set():
            async with Peer(url) as peer:
                if session:
                    began = await peer.ask(peer.request("initialize", {"protocolVersion": LEGACY}))
                    became["begun" if "result" in began else began["error"]["data"]["code"]] += 1
                while not stop.is_set() and bool(peer.session) == session:
                    answer = await peer.call("echo", text="x")
                    if "error" in answer:
                        became[answer["error"]["data"]["code"]] += 1
                        break
                    became[outcome(answer, "x")] += 1

    async with running_tidegate({"a": A, "b": B}, folder=tmp_path) as running:
        changing = Changing(running)
        asking = [
            asyncio.create_task(keep_asking(running.endpoint("b"), session=number > 0)) for number in range(CLIENTS)
        ]
        for turn in range(6):
            enough = became["echoed"] + 5
            await until(partial(lambda enough: became["echoed"] > enough, enough), "some calls")
            changing.write(servers={"a": A, "b": {**B, "labels": [str(turn)]}})
            await changing.reload()
        stop.set()
        await asyncio.gather(*asking)
        assert servers_of(running.pid)
        await until(lambda: len(servers_of(running.pid)) <= CLIENTS, "the end of the old processes")
    # a session that is over (`invalid`), an instance that was stopped, a server that began before a change
    assert set(became) <= {"begun", "echoed", "invalid", "unavailable"}, became
    await verified(running.audit)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"listen": "127.0.0.1:1"}, "proxy.listen can't change while Tidegate runs; restart it"),
        ({"servers": {"a": {"url": "http://h/", "headers": {"A": "env:TIDEGATE_TEST_UNSET"}}}}, "is not set"),
        ({"servers": {"a": {"command": ["x"], "image": "y"}}}, "exactly one of command, image and url"),
        ({"surplus": 1}, "proxy.surplus: there is no such setting"),
        ({"min_isolation": "container"}, 'it is a local process, and min_isolation = "container" wants a container'),
    ],
)
async def test_settings_that_are_not_well_leave_everything_as_it_was(
    tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    async with (
        running_tidegate({"a": A, "b": B}, [DENY, audit_to(tmp_path / "audit.jsonl")], folder=tmp_path) as running,
        Peer(running.endpoint("a")) as peer,
    ):
        changing = Changing(running)
        await peer.begin()
        changing.write(**change)
        changing.signal()
        assert why in (await changing.said(KEPT))["reason"]
        assert outcome(await peer.call("echo", text="x"), "x") == "denied"
        changing.write()
        await changing.reload()
        assert await peer.echo("x") == "x"
    await verified(running.audit)


async def test_a_watched_file_is_taken_over_when_it_changes(tmp_path: Path) -> None:
    async with (
        running_tidegate({"a": A, "b": B}, folder=tmp_path, options=["--watch"]) as running,
        Peer(running.endpoint("a")) as peer,
    ):
        changing = Changing(running)
        assert await peer.echo("x") == "x"
        changing.write(DENY)
        await changing.said(RELOADED)
        assert outcome(await peer.call("echo", text="x"), "x") == "denied"
        running.settings.write_text("no = TOML")
        assert "not TOML" in (await changing.said(KEPT))["reason"]
        assert outcome(await peer.call("echo", text="x"), "x") == "denied"
        changing.write()
        await changing.said(RELOADED)
        assert await peer.echo("x") == "x"
    notes = [record for record in running.records() if record["kind"] == "proxy"]
    assert [record["reason"] for record in notes] == ["started", "settings reloaded", "settings reloaded", "stopped"]
    await verified(running.audit)


@pytest.mark.requirement("explicit-only")
async def test_a_variable_that_is_not_set_stops_the_start_with_one_sentence(tmp_path: Path) -> None:
    servers = {"docs": {"url": "http://127.0.0.1:1/", "headers": {"Authorization": "env:TIDEGATE_TEST_UNSET"}}}
    settings = write_settings(tmp_path / "tidegate.toml", servers, [], {"listen": "127.0.0.1:0"})
    done = await asyncio.create_subprocess_exec(
        *tidegate("run", settings), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await done.communicate()
    assert done.returncode == 2
    (line,) = out.decode().strip().splitlines()
    assert line.endswith("servers.docs.headers.Authorization: the environment variable TIDEGATE_TEST_UNSET is not set")


async def test_a_token_that_is_taken_away_ends_the_streams_that_were_opened_with_it_and_no_others(
    tmp_path: Path,
) -> None:
    def tokens(*names: str) -> dict[str, Any]:
        return {"auth": {"tokens": [{"name": name, "sha256": sha256(name.encode()).hexdigest()} for name in names]}}

    def headers(name: str, session: str | None = None) -> dict[str, str]:
        known = {"mcp-session-id": session, "mcp-protocol-version": LEGACY} if session else {}
        return {"authorization": f"Bearer {name}", "accept": "application/json, text/event-stream", **known}

    async with (
        running_tidegate({"a": A}, folder=tmp_path, tables=tokens("ci", "dev")) as running,
        AsyncExitStack() as stack,
    ):
        changing, url = Changing(running), running.endpoint("a")
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=SECONDS))
        streams = {}
        for name in ("ci", "dev"):
            begun = await client.post(url, json=INITIALIZE, headers=headers(name))
            session = begun.headers["mcp-session-id"]
            streams[name] = await stack.enter_async_context(client.stream("GET", url, headers=headers(name, session)))
            assert streams[name].status_code == 200
        fresh = running.settings.with_suffix(".fresh")
        write_settings(fresh, {"a": A}, [audit_to(running.audit)], {"listen": "127.0.0.1:0"}, tokens("dev"))
        fresh.replace(running.settings)
        await changing.reload()
        assert [part async for part in streams["ci"].aiter_bytes()] == []  # it ends
        assert not streams["dev"].is_closed
        assert (await client.post(url, json=INITIALIZE, headers=headers("ci"))).status_code == 401
        assert (await client.post(url, json=INITIALIZE, headers=headers("dev"))).status_code == 200
