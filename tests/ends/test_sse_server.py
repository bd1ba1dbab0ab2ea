"""Clients of HTTP+SSE (2024-11-05): one stream down, one path to post to, and a session that ends with the stream."""

import pytest

from support.polite import AUTH, CALL, INITIALIZE, LEGACY, SESSION, TOKENS, polite
from support.rig import Witness
from support.web import ScriptedServer, front, until


async def test_a_client_of_http_and_sse_has_its_answers_on_its_stream() -> None:
    async with (
        ScriptedServer(polite) as server,
        front(Witness().entry(), server={"url": server.url}) as running,
        running.stream("GET", url=f"{running.url}/servers/server/sse") as events,
    ):
        endpoint = await events.fields()
        assert endpoint["event"] == "endpoint"
        url = f"{running.url}{endpoint['data']}"
        assert (await running.post(INITIALIZE, url=url)).status_code == 202
        assert (await events.next())["result"]["protocolVersion"] == LEGACY
        assert (await running.post(CALL, url=url)).status_code == 202
        assert (await events.next())["id"] == 1
        assert server.got[-1].headers["mcp-session-id"] == SESSION


async def test_a_message_to_another_principals_stream_is_answered_with_404() -> None:
    ci, dev = ({"authorization": f"Bearer {TOKENS[name]}"} for name in ("ci", "dev"))
    async with (
        ScriptedServer(polite) as server,
        front(server={"url": server.url}, auth=AUTH) as running,
        running.stream("GET", url=f"{running.url}/servers/server/sse", **ci) as events,
    ):
        url = f"{running.url}{(await events.fields())['data']}"
        assert (await running.post(INITIALIZE, dev, url=url)).status_code == 404
        assert (await running.post(INITIALIZE, ci, url=url.replace("session_id=", "session_id=x"))).status_code == 404
        assert server.got == []
        assert (await running.post(INITIALIZE, ci, url=url)).status_code == 202


@pytest.mark.requirement("no-blind-spot")
async def test_a_message_of_http_and_sse_that_is_too_large_is_refused_and_recorded() -> None:
    witness = Witness()
    async with (
        ScriptedServer(polite) as server,
        front(witness.entry(), server={"url": server.url}, proxy={"max_message_bytes": 2000}) as running,
        running.stream("GET", url=f"{running.url}/servers/server/sse") as events,
    ):
        url = f"{running.url}{(await events.fields())['data']}"
        assert (await running.post(b" " * 3000, url=url)).status_code == 413
        assert witness.verdicts("rejected") == [(None, "limit", "deny")]


async def test_a_client_of_http_and_sse_that_goes_ends_its_session() -> None:
    async with ScriptedServer(polite) as server, front(server={"url": server.url}) as running:
        async with running.stream("GET", url=f"{running.url}/servers/server/sse") as events:
            await events.fields()
            assert len(running.sessions) == 1
        await until(lambda: len(running.sessions) == 0)
