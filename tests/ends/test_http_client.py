"""A remote server over streamable HTTP, as a relay's upstream: what it is sent, in which session, and how often."""

import pytest

from support.remote import CALL, STDIO, Handler, http, ok, remote, silent
from support.web import Exchange, within
from tidegate import methods
from tidegate.methods import MODERN, V2025_06, V2025_11, VERSION_KEY
from tidegate.testing import notification, request
from tidegate.upstream import Context

INITIALIZE = request("initialize", {"protocolVersion": V2025_11})
SECRET = "hunter2-is-not-for-servers"


# -- what is sent -----------------------------------------------------------------------------------------------------


@pytest.mark.requirement("judged-is-sent")
async def test_what_is_sent_is_the_messages_encoding_to_the_configured_address() -> None:
    async with remote(ok, path="?tenant=1") as it:
        await it.send(request("tools/call", {"name": "é", "n": 10**30}, id="x", extra=[1.5]))
    (got,) = it.server.got
    assert (got.method, got.path) == ("POST", "/mcp?tenant=1")
    assert got.body == request("tools/call", {"name": "é", "n": 10**30}, id="x", extra=[1.5]).encoded
    assert got.headers["content-type"] == "application/json"


@pytest.mark.requirement("secrets-stay-in")
async def test_the_settings_headers_are_sent_and_the_clients_own_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCS_TOKEN", "Bearer for-the-server")
    given = {"Authorization": "env:DOCS_TOKEN", "X-Tenant": "7", "Accept": "text/html", "Content-Type": "text/plain"}
    client = http(
        authorization=f"Bearer {SECRET}", cookie=SECRET, x_tenant=SECRET, x_other=SECRET, accept="application/json"
    )
    async with remote(ok, headers=given) as it:
        await it.send(CALL, client)
        await within(it.upstream.listen(None, client))
        await within(it.upstream.end(client))
    for got in it.server.got:
        assert got.headers["authorization"] == "Bearer for-the-server"
        assert got.headers["x-tenant"] == "7"
        assert got.headers["accept"] == "application/json"  # the protocol's, once
        assert not got.body or got.headers["content-type"] == "application/json"
        assert SECRET not in repr(got.headers)


async def test_nothing_is_sent_that_was_not_asked_for() -> None:
    async with remote(ok) as it:
        await it.send()
    (got,) = it.server.got
    assert set(got.headers) == {"host", "content-length", "content-type", "accept"}


async def test_a_header_that_can_not_be_sent_is_said_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (f"{SECRET}\r\nx: y", f"{SECRET}ž"):
        monkeypatch.setenv("DOCS_TOKEN", value)
        async with remote(ok, headers={"Authorization": "env:DOCS_TOKEN"}) as it:
            failure = await it.unavailable()
        assert SECRET not in str(failure)
        assert it.server.got == []


async def test_for_a_client_without_http_all_headers_of_the_version_are_sent() -> None:
    tool = {"inputSchema": {"properties": {"a": {"type": "integer", "x-mcp-header": "A"}}}}
    message = request("tools/call", {"name": "né", "arguments": {"a": 1}, "_meta": {VERSION_KEY: MODERN}})
    async with remote(ok) as it:
        await it.send(message, Context(tool=tool))
    headers = it.server.got[0].headers
    assert headers["accept"] == "application/json, text/event-stream"
    assert (headers["mcp-protocol-version"], headers["mcp-method"]) == (MODERN, "tools/call")
    assert (headers["mcp-name"], headers["mcp-param-a"]) == ("=?base64?bsOp?=", "1")


# -- sessions ---------------------------------------------------------------------------------------------------------


async def session_server(exchange: Exchange) -> None:
    if exchange.method == "POST" and exchange.json.get("method") == "initialize":
        await exchange.result({"protocolVersion": V2025_06}, **{"mcp-session-id": "s-1"})
    else:
        await exchange.reply(status=200 if exchange.method == "DELETE" else 202)


async def test_a_client_without_http_is_in_the_servers_session_from_initialize_on() -> None:
    async with remote(session_server, headers={"X-Key": "k"}) as it:
        await it.send(INITIALIZE)
        it.upstream.negotiated(V2025_06)
        await it.send(notification("notifications/initialized"))
        await within(it.upstream.listen("e-9", STDIO))
        await within(it.upstream.close())
        await within(it.upstream.close())
    first, *rest = it.server.got
    assert "mcp-session-id" not in first.headers
    assert [exchange.method for exchange in rest] == ["POST", "GET", "DELETE"]
    for exchange in rest:
        assert exchange.headers["mcp-session-id"] == "s-1"
        assert exchange.headers["mcp-protocol-version"] == V2025_06
        assert exchange.headers["x-key"] == "k"
    assert rest[1].headers["last-event-id"] == "e-9"


async def test_a_refused_initialize_begins_no_session() -> None:
    async def refuses(exchange: Exchange) -> None:
        error = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "no"}}
        await exchange.reply(error, 400, {"mcp-session-id": "s-1"})

    async with remote(refuses) as it:
        await it.send(INITIALIZE)
        await within(it.upstream.close())
    assert it.methods == ["POST"]


async def test_a_client_of_http_says_itself_which_session_and_version_it_is_in() -> None:
    async with remote(session_server) as it:
        answer = await it.send(INITIALIZE, http())
        assert answer.headers == {"mcp-session-id": "s-1"}
        await it.send(CALL, http())  # it forgot
        await it.send(CALL, http(mcp_session_id="s-1", mcp_protocol_version=V2025_06))
        await within(it.upstream.listen(None, http(mcp_session_id="s-1", mcp_protocol_version=V2025_06)))
    said = [(got.headers.get("mcp-session-id"), got.headers.get("mcp-protocol-version")) for got in it.server.got]
    assert said == [(None, None), (None, None), ("s-1", V2025_06), ("s-1", V2025_06)]


async def test_a_session_that_the_client_ended_is_not_ended_again() -> None:
    client = http(mcp_session_id="s-1", mcp_protocol_version=V2025_06)
    async with remote(session_server) as it:
        await it.send(CALL, client)
        assert (await within(it.upstream.end(client))).status == 200
        await within(it.upstream.close())
    assert it.methods == ["POST", "DELETE"]


async def test_a_session_that_nobody_ended_is_ended_at_close_once_in_its_version() -> None:
    async with remote(session_server) as it:
        await it.send(CALL, http(mcp_session_id="s-1", mcp_protocol_version=V2025_06))
        await within(it.upstream.close())
        await within(it.upstream.close())
    assert it.methods == ["POST", "DELETE"]
    last = it.server.got[-1]
    assert (last.headers["mcp-session-id"], last.headers["mcp-protocol-version"]) == ("s-1", V2025_06)


async def test_where_there_was_no_session_none_is_ended() -> None:
    async with remote(ok) as it:
        await it.send(CALL, http())
        await it.send(CALL)
        await within(it.upstream.close())
    assert it.methods == ["POST", "POST"]


async def test_a_server_that_has_gone_or_does_not_answer_does_not_keep_the_session_from_closing() -> None:
    async def mute(exchange: Exchange) -> None:
        await (silent(exchange) if exchange.method == "DELETE" else ok(exchange))

    async with remote(mute) as it:
        await it.send(CALL, http(mcp_session_id="s-1"))
        await within(it.upstream.close())
    async with remote(ok) as it:
        await it.send(CALL, http(mcp_session_id="s-1"))
        await it.server.__aexit__()
        await within(it.upstream.close())


# -- once more --------------------------------------------------------------------------------------------------------


def closing_kept(*, times: int = 1) -> Handler:
    """Answer the first request, and close its connection when the next comes over it; then be well."""
    left = times

    async def handle(exchange: Exchange) -> None:
        nonlocal left
        if exchange.json["id"] == "next" and left:
            left -= 1
            exchange.die()
        else:
            await ok(exchange)

    return handle


HARMLESS = sorted(
    {"initialize", "server/discover", "ping", "completion/complete", "resources/read"}
    | {name for name in methods.METHODS if name.endswith("/list")}
)


@pytest.mark.parametrize("method", HARMLESS)
async def test_what_does_no_harm_is_repeated_where_a_kept_connection_was_closed(method: str) -> None:
    async with remote(closing_kept()) as it:
        await it.send()
        answer = await it.send(request(method, id="next", sender="client"))
        assert answer.status == 200
    assert [exchange.json["id"] for exchange in it.server.got] == [1, "next", "next"]


@pytest.mark.parametrize(
    "method",
    ["tools/call", "prompts/get", "tasks/cancel", "logging/setLevel", "vendor/list", "list", "subscriptions/listen"],
)
async def test_what_may_do_harm_is_never_sent_twice(method: str) -> None:
    async with remote(closing_kept()) as it:
        await it.send()
        failure = await it.unavailable(request(method, id="next"))
        assert "closed the connection" in str(failure)
    assert [exchange.json["id"] for exchange in it.server.got] == [1, "next"]


async def test_nothing_is_sent_a_third_time() -> None:
    async with remote(closing_kept(times=5)) as it:
        await it.send()
        await it.unavailable(request("tools/list", id="next"))
    assert [exchange.json["id"] for exchange in it.server.got] == [1, "next", "next"]


async def test_a_connection_that_fails_at_its_first_request_is_not_tried_again() -> None:
    async with remote(closing_kept()) as it:
        await it.unavailable(request("tools/list", id="next"))
    assert len(it.server.got) == 1
