"""Sessions over HTTP and HTTP+SSE outlive their servers."""

from pathlib import Path

from support.mortal import mortal
from support.played_clients import playing
from support.polite import INITIALIZE, begun
from support.web import front, until

INITIALIZED = {"method": "notifications/initialized"}


def call(identity: int, name: str = "recall") -> dict[str, object]:
    return {"id": identity, "method": "tools/call", "params": {"name": name, "arguments": {}}}


async def test_a_session_keeps_its_id_and_its_stream_when_its_server_is_replaced() -> None:
    async with front(server=mortal()) as running:
        headers = await begun(running)
        async with running.stream("GET", **{"mcp-session-id": headers["mcp-session-id"]}) as own:
            assert own.response.status_code == 200
            before = (await running.post(call(1), headers)).json()["result"]["pid"]
            failed = (await running.post(call(2, "die"), headers)).json()
            assert "is gone; the next call goes to a new one" in failed["error"]["message"]
            changed = await running.post(call(3, "change"), headers)
            assert changed.json()["result"]["pid"] != before
            assert (await own.next())["method"] == "notifications/tools/list_changed"


async def test_a_session_whose_new_server_speaks_another_version_is_answered_with_404(tmp_path: Path) -> None:
    agreed = tmp_path / "version"
    agreed.write_text("2025-11-25")
    async with front(server=mortal(str(agreed))) as running:
        headers = await begun(running)
        agreed.write_text("2025-06-18")
        await running.post(call(1, "die"), headers)
        assert "begin a new session" in (await running.post(call(2), headers)).json()["error"]["message"]
        assert (await running.post(call(3), headers)).status_code == 404


async def test_a_client_of_http_sse_goes_on_with_a_new_server_and_frees_it_when_it_vanishes() -> None:
    async with front(server=mortal()) as running:
        async with playing("sse", running) as client:
            await client.send(INITIALIZE)
            await client.next()
            await client.send(INITIALIZED)
            await client.send(call(1, "die"))
            assert "exit code 3" in (await client.next())["error"]["message"]
            await client.send(call(2))
            assert (await client.next())["result"]["calls"] == 1
        await until(lambda: not running.sessions.fleet.listed())
