"""What one client and one server of certain versions do to each other through the gateway, where they don't behave."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from matrix.clients import Client, called
from matrix.connections import HttpClient, StdioClient
from matrix.names import META, MODERN
from matrix.places import HttpPlace, StdioPlace
from matrix.servers import Record
from support.proxy import write_settings
from support.rig import entry
from support.web import Front, front, within
from tidegate import Deny, Flow, Message

LATEST = "2025-11-25"
TOKENS = [
    {"name": name, "sha256": hashlib.sha256(token).hexdigest()} for name, token in (("ann", b"aaa"), ("bob", b"bbb"))
]


class Pair(NamedTuple):
    client: Client
    record: Record
    running: Front

    async def said(self, tool: str, **arguments: Any) -> Any:
        """Call a tool; return its text, or the code of the error."""
        reply = await self.client.request("tools/call", called(f"server__{tool}", "token", **arguments))
        return reply["result"]["content"][0]["text"] if "result" in reply else reply["error"]["code"]


@asynccontextmanager
async def pairing(client: str, server: str, *, without: bool = False, **settings: Any) -> AsyncIterator[Pair]:
    """Put a client of one version in front of a server of another; nothing foreign may reach either."""
    record = Record()
    async with StdioPlace("server", server, record) as place, front(server=place.settings, **settings) as running:
        played = HttpClient(client, running.url)
        if without:
            played.capabilities = {}
        if "auth" in settings:
            played._headers["authorization"] = "Bearer aaa"
        await played.start()
        try:
            yield Pair(played, record, running)
        finally:
            await played.close()
    assert (played.foreign, record.foreign) == ([], [])


@pytest.mark.parametrize("asks", ["sampling", "elicitation", "roots"])
@pytest.mark.parametrize("server", ["2025-06-18", MODERN])
@pytest.mark.parametrize("client", ["2025-03-26", "2025-06-18", MODERN])
async def test_a_client_is_not_asked_what_it_has_not_declared(client: str, server: str, asks: str) -> None:
    async with pairing(client, server, without=True) as pair:
        assert isinstance(await pair.said("rude", asks=[asks]), int)
        assert pair.client.asked == []
        assert await pair.said("echo") == "server token"


async def test_a_batch_is_answered_member_by_member_to_the_one_version_that_has_them() -> None:
    async with pairing("2025-03-26", MODERN) as pair:
        trees = [pair.client.tree("tools/call", called("server__echo", token)) for token in ("one", "two")]
        trees += [pair.client.tree("ping"), pair.client.tree("tools/call", called("server__sample", "three"))]
        futures = [pair.client.opened(tree) for tree in trees]
        note = {"jsonrpc": "2.0", "method": "notifications/roots/list_changed"}
        pair.client.spawn(pair.client.post([*trees, note]))
        one, two, ping, three = await within(asyncio.gather(*futures))
        assert [one["result"]["content"][0]["text"], two["result"]["content"][0]["text"]] == [
            "server one",
            "server two",
        ]
        assert ping["result"] == {}
        assert three["result"]["content"][0]["text"].endswith("three!")


async def held(pair: Pair) -> tuple[dict[str, Any], dict[str, Any]]:
    """Have a legacy server's request held; return what was asked, and what the client comes back with."""
    params = called("server__elicit", "token")
    reply = await pair.client.send(pair.client.tree("tools/call", params))
    asked = reply["result"]["inputRequests"]
    answers = {key: pair.client.answer(each) for key, each in asked.items()}
    return params, {"inputResponses": answers, "requestState": reply["result"]["requestState"]}


async def again(client: Client, params: dict[str, Any], more: dict[str, Any]) -> Any:
    return await client.send(client.tree("tools/call", {**params, **more}))


async def test_a_held_request_goes_on_once_and_for_who_made_it_alone() -> None:
    async with pairing(MODERN, LATEST, auth={"tokens": TOKENS}) as pair:
        params, answers = await held(pair)
        other = HttpClient(MODERN, pair.running.url)
        other._headers["authorization"] = "Bearer bbb"
        assert "error" in await again(other, params, answers)
        await other.close()
        changed = called("server__elicit", "another")
        assert "error" in await again(pair.client, changed, answers)
        assert "error" in await again(pair.client, called("server__sample", "token"), answers)
        done = await again(pair.client, params, answers)
        assert done["result"]["content"][0]["text"] == f"accept {pair.client.slug} token"
        assert (await again(pair.client, params, answers))["error"]["data"]["code"] == "state"


async def test_a_held_request_that_nobody_comes_back_for_is_cancelled_at_its_server() -> None:
    async with pairing(MODERN, LATEST) as pair:
        params, answers = await held(pair)
        shared = pair.running.sessions.shared
        shared.held._handles.clock = lambda: time.monotonic() + 3600
        await shared.expire()
        await within(pair.record.wait("cancelled", "token"))
        assert (await again(pair.client, params, answers))["error"]["data"]["code"] == "state"
        assert await pair.said("echo") == "server token"


async def test_answers_that_are_none_leave_the_request_to_be_answered_again() -> None:
    async with pairing(MODERN, "2025-06-18") as pair:
        params, answers = await held(pair)
        asked = await again(pair.client, params, {**answers, "inputResponses": {"unasked": {"roots": []}}})
        assert asked["result"]["resultType"] == "input_required"
        state = asked["result"]["requestState"]
        done = await again(pair.client, params, {**answers, "requestState": state})
        assert done["result"]["content"][0]["text"] == f"accept {pair.client.slug} token"


async def test_a_modern_servers_state_comes_back_as_it_was() -> None:
    async with pairing(MODERN, MODERN) as pair:
        params = called("server__sample", "token")
        reply = await pair.client.send(pair.client.tree("tools/call", params))
        assert reply["result"]["requestState"] == '{"\u2713": []}'
        answers = {key: pair.client.answer(each) for key, each in reply["result"]["inputRequests"].items()}
        more = {"inputResponses": answers, "requestState": reply["result"]["requestState"]}
        assert (await again(pair.client, params, more))["result"]["content"][0]["text"].endswith("token!")


@pytest.mark.parametrize("server", [LATEST, MODERN])
async def test_a_request_is_logged_to_at_its_own_level(server: str) -> None:
    async with pairing(MODERN, server) as pair:
        levels = ("debug", "error", None, "info")
        for level in levels:
            meta = {} if level is None else {f"{META}logLevel": level}
            await pair.client.call("server__log", f"at-{level}", meta)
        told = [said["params"] for said in pair.client.log if said.get("method") == "notifications/message"]
        heard = [(each["data"], each["level"]) for each in told]
        wanted = {"at-debug": ["debug", "info", "error"], "at-error": ["error"], "at-info": ["info", "error"]}
        assert heard == [(data, level) for data, listed in wanted.items() for level in listed]


@pytest.mark.parametrize("server", ["2024-11-05", LATEST, MODERN])
async def test_a_client_that_cancels_while_it_is_asked_ends_the_request(server: str) -> None:
    async with pairing("2025-06-18", server) as pair:
        asked: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        async def silent(tree: Any) -> None:
            asked.set_result(tree)

        pair.client._answered = silent  # type: ignore[method-assign]  # it thinks about it
        tree = pair.client.tree("tools/call", called("server__sample", "token"))
        future = pair.client.opened(tree)
        pair.client.spawn(pair.client.post(tree))
        question = await within(asked)
        await pair.client.cancel(tree)
        if server == MODERN:  # there the request was over; the gateway takes back what it has asked
            gone = await pair.client.heard(lambda said: said.get("method") == "notifications/cancelled")
            assert gone["params"]["requestId"] == question["id"]
        else:
            await within(pair.record.wait("cancelled", "token"))
        assert await pair.said("echo") == "server token"
        assert not future.done()


async def test_a_client_tells_how_far_it_is_and_hears_that_its_answer_is_not_wanted_any_more() -> None:
    async with pairing("2025-06-18", LATEST) as pair:
        asked: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        async def telling(tree: Any) -> None:
            asked.set_result(tree)
            progress = {"progressToken": tree["params"]["_meta"]["progressToken"], "progress": 1}
            await pair.client.notify("notifications/progress", progress)

        pair.client._answered = telling  # type: ignore[method-assign]  # it never comes to an end
        assert await pair.said("watch") == "token"
        gone = await pair.client.heard(lambda said: said.get("method") == "notifications/cancelled")
        assert gone["params"]["requestId"] == (await asked)["id"]


@pytest.mark.parametrize("server", ["2024-11-05", LATEST, MODERN])
@pytest.mark.parametrize("version", ["2025-06-18", MODERN])
async def test_clients_who_use_the_same_ids_and_tokens_at_once_get_what_is_theirs(version: str, server: str) -> None:
    record = Record()
    async with StdioPlace("server", server, record) as place, front(server=place.settings) as running:
        clients = [HttpClient(version, running.url) for _ in range(4)]

        async def work(client: HttpClient, number: int) -> None:
            client.slug = f"client-{number}"
            await client.start()
            for turn in range(10):
                token = f"{number}-{turn}"
                reply = await client.request("tools/call", called("server__sample", token))
                if "error" in reply:  # of one stream nobody can tell whose request of several a question is about
                    assert version == MODERN != server
                else:
                    assert reply["result"]["content"][0]["text"].startswith(f"client-{number} {token}")
                result = await client.call("server__progress", token, {"progressToken": turn})
                assert result["content"][0]["text"] == token
                steps = [said["params"] for said in client.log if said.get("method") == "notifications/progress"]
                assert [(step["progressToken"], step["progress"]) for step in steps[-3:]] == [
                    (turn, step) for step in (1, 2, 3)
                ]
                assert all(step.get("message", token).startswith(f"{number}-") for step in steps)

        await asyncio.gather(*(work(client, number) for number, client in enumerate(clients)))
        for client in clients:
            await client.close()
            assert client.foreign == []
    assert record.foreign == []


@pytest.mark.parametrize("server", [LATEST, MODERN])
async def test_a_stream_that_is_closed_after_a_while_cancels_however_long_that_takes(server: str) -> None:
    async def decide(*_: Any) -> None:
        for _turn in range(20):
            await asyncio.sleep(0)

    record = Record()
    async with (
        StdioPlace("server", server, record) as place,
        front(entry(decide=decide), server=place.settings) as running,
    ):
        client = HttpClient(MODERN, running.url)
        await client.start()
        tree = client.tree("tools/call", called("server__wait", "token"), {"progressToken": 1})
        client.opened(tree)
        client.spawn(client.post(tree))
        await client.heard(lambda said: said.get("method") == "notifications/progress")
        await asyncio.sleep(0.2)  # sleep: a request that is over sooner isn't watched while it is answered
        await client.cancel(tree)
        await within(record.wait("cancelled", "token"))
        await client.close()


@pytest.mark.parametrize("server", [LATEST, MODERN])
async def test_a_client_on_stdio_that_leaves_is_not_kept_by_what_it_listens_to(server: str, tmp_path: Path) -> None:
    async with StdioPlace("server", server, Record()) as place:
        settings = write_settings(tmp_path / "tidegate.toml", {"server": place.settings}, [], {})
        client = StdioClient(MODERN, settings, tmp_path / "errors.txt")
        await client.start()
        await client.follow(toolsListChanged=True)
        await client.call("server__echo", "token")
        assert await client.close()
    assert client.foreign == []


async def test_a_session_that_its_server_has_lost_is_begun_again() -> None:
    record = Record()
    async with HttpPlace("server", LATEST, record) as place, front(server=place.settings) as running:
        for version in (LATEST, MODERN):
            client = HttpClient(version, running.url)
            await client.start()
            place._sessions.clear()
            result = await client.call("server__echo", "token")
            assert result["content"][0]["text"] == "server token"
            await client.close()


@pytest.mark.parametrize("version", ["2025-06-18", MODERN])
async def test_a_session_begun_again_is_told_what_the_first_one_was(version: str) -> None:
    record = Record()
    async with HttpPlace("server", LATEST, record) as place, front(server=place.settings) as running:
        client = HttpClient(version, running.url)
        await client.start()
        await client.follow(resourceSubscriptions=["res://server/1"])
        await client.call("server__log", "token", client.logging())
        await client.heard(lambda said: said.get("method") == "notifications/message")
        client.log.clear()
        place._sessions.clear()
        place.own.clear()
        await client.call("server__log", "token", client.logging())
        await client.heard(lambda said: said.get("method") == "notifications/message")
        await client.call("server__touch", "token", uri="res://server/1")
        await client.heard(lambda said: said.get("method") == "notifications/resources/updated")
        await client.close()
    assert record.foreign == []


async def test_what_a_client_has_had_before_comes_again_where_it_goes_on_from_there() -> None:
    record = Record()
    async with HttpPlace("server", LATEST, record) as place, front(server=place.settings) as running:
        client = HttpClient(LATEST, running.url)
        await client.start()
        record.note("go on", "token")
        tree = client.tree("tools/call", called("server__halt", "token"), {"progressToken": "p"})
        await client.send(tree)
        again, since = client.opened(tree), len(client.log)
        await client.resume(client.ids[tree["id"]][0])
        assert (await within(again))["result"]["content"][0]["text"] == "token"
        assert [said["params"]["progress"] for said in client.log[since:-1]] == [2]
        await client.close()
    assert (client.foreign, record.foreign) == ([], [])


@pytest.mark.parametrize("server", ["2025-03-26", LATEST])
async def test_what_comes_by_going_on_with_a_stream_is_judged(server: str) -> None:
    judged: list[tuple[str, str | None]] = []

    def decide(message: Message, _flow: Flow, _findings: object) -> Deny | None:
        judged.append((message.kind, message.method))
        denied = message.kind == "result" and message.method == "tools/call"
        return Deny("No such answer.") if denied else None

    record = Record()
    async with (
        HttpPlace("server", server, record) as place,
        front(entry(decide=decide), server=place.settings) as running,
    ):
        client = HttpClient(server, running.url)
        await client.start()
        tree = client.tree("tools/call", called("server__halt", "token"), {"progressToken": "p"})
        future = client.opened(tree)
        client.spawn(client.post(tree))
        await client.heard(lambda said: said.get("method") == "notifications/progress")
        last = await client.break_off(tree)
        judged.clear()
        record.note("go on", "token")
        await client.resume(last, tree["id"])
        assert (await within(future))["error"]["data"]["code"] == "denied"
        assert ("notification", "notifications/progress") in judged
        assert ("result", "tools/call") in judged
        await client.close()
    assert (client.foreign, record.foreign) == ([], [])
