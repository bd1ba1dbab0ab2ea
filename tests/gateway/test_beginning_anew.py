"""A server with sessions that begins anew and can something else then: what it says now is what counts."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support.gateways import Talk, gateway, said
from support.mortal import mortal
from support.pipes import is_denied
from support.rig import Entry, Witness, entry
from support.toys import Toy
from support.web import Exchange, within
from tidegate import Deny, methods

# Argument: a file with its capabilities. It has one of everything that they name, and ends when it is told to.
SERVER = """
import json, os, sys
def say(message, **tree):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": message["id"], **tree}) + "\\n")
    sys.stdout.flush()
able = json.load(open(sys.argv[1]))
lists = {"tools": [{"name": "add", "inputSchema": {"type": "object"}}], "prompts": [{"name": "ask"}],
    "resources": [{"uri": "file:///a", "name": "a"}]}
for line in sys.stdin:
    message = json.loads(line)
    kind, _, rest = message.get("method", "").partition("/")
    if "id" not in message:
        continue
    if kind == "initialize":
        say(message, result={"protocolVersion": message["params"]["protocolVersion"], "capabilities": able,
            "serverInfo": {"name": "changing", "version": "1"}})
    elif message["method"] == "tools/call" and message["params"]["arguments"].get("die"):
        os._exit(3)
    elif kind not in able or not rest:
        say(message, error={"code": -32601, "message": "no such method"})
    elif rest == "list":
        say(message, result={kind: lists[kind]})
    else:
        say(message, result={"content": [{"type": "text", "text": "well"}], "messages": [], "contents": []})
"""
TOOLS: dict[str, Any] = {"tools": {}}
ALL: dict[str, Any] = {"tools": {}, "prompts": {}, "resources": {}}
KINDS = ("tools", "prompts", "resources")


class Changing:
    """Settings of a server, and what it can when it is started next."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def can(self, capabilities: dict[str, Any]) -> None:
        self._path.write_text(json.dumps(capabilities))

    @property
    def settings(self) -> dict[str, Any]:
        command = [sys.executable, "-I", "-S", "-c", SERVER, str(self._path)]
        return {"command": command, "sandbox": "none"}


@asynccontextmanager
async def changing(tmp_path: Path, *entries: Entry, first: dict[str, Any]) -> AsyncIterator[tuple[Any, Changing]]:
    """The gateway in front of one that changes, and of one that has everything."""
    server = Changing(tmp_path / "able")
    server.can(first)
    well = Toy("well", "add", prompts=[{"name": "ask"}], resources=[{"uri": "file:///w", "name": "w"}])
    async with gateway(*entries, toys=[well], servers={"m": server.settings}) as made:
        yield made, server


async def dies(talk: Talk) -> None:
    """Have the server end, and begin anew."""
    assert is_denied(await talk.call("m__add", die=True), "unavailable")
    await talk.call("m__add")


async def heard(talk: Talk, method: str) -> list[Any]:
    """Return what the client hears by itself, to the first of a method."""
    found = [await within(talk.own())]
    while found[-1].get("method") != method:
        found.append(await within(talk.own()))
    return found


@pytest.mark.parametrize("version", [methods.V2025_11, methods.MODERN])
async def test_what_a_server_can_since_it_was_started_again_is_there_without_connecting_anew(
    version: str, tmp_path: Path
) -> None:
    async with changing(tmp_path, first=TOOLS) as (made, server):
        talk = await made.client(version)
        assert await talk.listed("prompts") == ["well__ask"]
        server.can(ALL)
        await dies(talk)
        while "m__ask" not in await talk.listed("prompts"):  # it is judged beside the call
            pass
        assert "result" in await talk.ask("prompts/get", name="m__ask")
        assert sorted(await talk.listed("resources")) == ["file:///a", "file:///w"]
        assert "result" in await talk.ask("resources/read", uri="file:///a")


async def test_a_session_is_told_which_lists_a_server_has_won_and_lost(tmp_path: Path) -> None:
    async with changing(tmp_path, first={"tools": {}, "prompts": {}}) as (made, server):
        talk = await made.session()
        await talk.listed()
        server.can({"tools": {}, "resources": {}})
        await dies(talk)
        await heard(talk, "notifications/resources/list_changed")
        assert await talk.listed("prompts") == ["well__ask"]


async def test_a_client_without_a_session_that_listens_is_told_too(tmp_path: Path) -> None:
    async with changing(tmp_path, first=TOOLS) as (made, server):
        talk = made.stateless()
        await talk.listed()
        wanted = {f"{kind}ListChanged": True for kind in KINDS}
        reply = await talk.accept(talk.request("subscriptions/listen", 7, notifications=wanted))
        events = talk.streamed(reply)
        assert (await within(anext(events)))["params"]["notifications"] == wanted
        server.can(ALL)
        await dies(talk)
        while (await within(anext(events)))["method"] != "notifications/prompts/list_changed":
            pass
        await events.aclose()


@pytest.mark.parametrize("version", [methods.V2025_11, methods.MODERN])
async def test_what_a_server_can_no_more_is_answered_with_an_error_that_says_so(version: str, tmp_path: Path) -> None:
    async with changing(tmp_path, first=ALL) as (made, server):
        talk = await made.client(version)
        await talk.listed("prompts")
        server.can(TOOLS)
        await dies(talk)
        while "m__ask" in await talk.listed("prompts"):
            pass
        reply = await talk.ask("prompts/get", name="m__ask")
        assert is_denied(reply, "unknown")
        assert "began anew, and has no prompts any more" in reply["error"]["message"]
        assert said(await talk.call("m__add")) == "well"


async def test_a_client_hears_nothing_of_a_kind_that_it_was_not_told_there_is(tmp_path: Path) -> None:
    server = Changing(tmp_path / "able")
    server.can(TOOLS)
    async with gateway(toys=[], servers={"m": server.settings}) as made:
        talk, reply = await made.open()
        assert reply["result"]["capabilities"] == TOOLS
        server.can(ALL)
        await dies(talk)
        assert "result" in await talk.ask("prompts/get", name="m__ask")
        await dies(talk)
        told = await heard(talk, "notifications/tools/list_changed")
        told += await heard(talk, "notifications/tools/list_changed")
        assert {each["method"] for each in told} == {"notifications/tools/list_changed"}


async def test_what_a_server_says_when_it_begins_anew_is_judged_and_counts_for_nothing_where_it_is_denied(
    tmp_path: Path,
) -> None:
    def decide(message: Any, _flow: Any, _findings: Any) -> Deny | None:
        result = message.tree.get("result") if message.method == "initialize" else None
        return Deny("No.") if result and "prompts" in result["capabilities"] and "changing" in str(result) else None

    witness = Witness()
    async with changing(tmp_path, entry(decide=decide), witness.entry(), first=TOOLS) as (made, server):
        talk = await made.session()
        server.can(ALL)
        await dies(talk)
        while ("result", "initialize", "deny") not in witness.verdicts():
            await talk.call("m__add")
        assert await talk.listed("prompts") == ["well__ask"]


async def test_who_joins_a_shared_server_that_was_started_again_is_told_what_it_can_now(tmp_path: Path) -> None:
    server = Changing(tmp_path / "able")
    server.can(TOOLS)
    async with gateway(toys=[], servers={"m": {**server.settings, "share": "principal"}}) as made:
        talk, _ = await made.open()
        server.can(ALL)
        await dies(talk)
        _, reply = await made.open()
        assert reply["result"]["capabilities"] == ALL


async def test_who_listens_hears_a_server_also_in_the_session_that_another_version_begins(tmp_path: Path) -> None:
    agreed = tmp_path / "version"
    agreed.write_text("2025-11-25")
    async with gateway(toys=[], servers={"m": mortal(str(agreed))}) as made:
        made.sessions.shared.eras["m"] = "legacy"  # it answers whatever it is asked, server/discover too
        talk = made.stateless()
        reply = await talk.accept(talk.request("subscriptions/listen", 7, notifications={"toolsListChanged": True}))
        events = talk.streamed(reply)
        await within(anext(events))

        async def changed() -> int:
            """Have it say that its tools have changed until that is heard; return how often it has."""
            heard, said = asyncio.ensure_future(anext(events)), 0
            while not heard.done():  # its listener may have yet to come
                assert "result" in await talk.call("m__change")
                said += 1
            assert (await heard)["method"] == "notifications/tools/list_changed"
            return said

        before = await changed()
        agreed.write_text("2025-06-18")
        assert is_denied(await talk.call("m__die"), "unavailable")
        while "result" not in await talk.call("m__echo"):
            pass
        for _ in range(before):  # one more than the old session can have left
            await changed()
        assert reply.events is not None
        await reply.events.aclose()


async def test_a_remote_server_that_lost_the_session_is_taken_at_its_new_word() -> None:
    toy = Toy("one", "add", capabilities={"tools": {}})
    well = Toy("well", "add", prompts=[{"name": "ask"}])

    async def lost(exchange: Exchange) -> None:
        del toy.answers["tools/call"]
        await exchange.reply(status=404)

    async with gateway(toys=[toy, well]) as made:
        talk = await made.session()
        assert await talk.listed("prompts") == ["well__ask"]
        toy.lists["prompts"], toy.capabilities = [{"name": "more"}], {"prompts": {}}
        toy.answers["tools/call"] = lost
        await talk.call("one__add")
        told = await heard(talk, "notifications/prompts/list_changed")
        assert [each["method"] for each in told[:1]] == ["notifications/tools/list_changed"]
        assert await talk.listed("prompts") == ["one__more", "well__ask"]
        assert await talk.listed() == ["well__add"]
        assert is_denied(await talk.call("one__add"), "unknown")
