"""A remote server is sent its secret, and where there is none it is sent nothing."""

import pytest

from support.remote import ok
from support.web import ScriptedServer, front

INITIALIZE = {
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}},
}
STORES = {"stores": [{"use": "env"}]}
VALUE = "pa55word-that-nobody-may-see"


@pytest.mark.parametrize("transport", ["streamable-http", "sse"])
async def test_a_server_whose_secret_is_missing_is_sent_nothing_and_the_client_is_told(transport: str) -> None:
    async with ScriptedServer(ok) as server:
        remote = {"url": server.url, "transport": transport, "headers": {"Authorization": "Bearer secret:gone"}}
        async with front(server=remote, secrets=STORES) as tidegate:
            answer = await tidegate.post(INITIALIZE)
            assert "the secret gone is not set: run `tidegate secret set gone`" in answer.json()["error"]["message"]
            assert (await tidegate.post({"method": "notifications/initialized"})).status_code < 500
        assert server.got == []


async def test_a_server_is_sent_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_SECRET_DOCS", f"{VALUE}\n")
    async with ScriptedServer(ok) as server:
        remote = {"url": server.url, "headers": {"Authorization": "Bearer secret:docs"}}
        async with front(server=remote, secrets=STORES) as tidegate:
            await tidegate.post(INITIALIZE)
        assert [exchange.headers["authorization"] for exchange in server.got] == [f"Bearer {VALUE}"]
