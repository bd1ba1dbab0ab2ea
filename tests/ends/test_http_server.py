"""Where clients connect by HTTP: who may come in, what belongs to which session, and streams that are never held up."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from support.rig import Witness, entry
from support.web import JSON, Exchange, ScriptedServer, front, until, within
from tidegate import Deny
from tidegate.methods import MODERN, VERSION_KEY

LEGACY = "2025-11-25"
INITIALIZE = {
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}},
}
CALL = {"id": 1, "method": "tools/call", "params": {"name": "add", "arguments": {}}}
META = {VERSION_KEY: MODERN, "io.modelcontextprotocol/clientCapabilities": {}}
MODERN_CALL = {"id": 1, "method": "tools/call", "params": {"name": "add", "arguments": {}, "_meta": META}}
SESSION = "upstream-session-1"


async def polite(exchange: Exchange) -> None:
    """A server that speaks both eras and answers everything with JSON."""
    if exchange.method != "POST":
        await exchange.reply(status=200 if exchange.method == "DELETE" else 405)
        return
    message = exchange.json
    if message.get("method") == "initialize":
        result = {"protocolVersion": LEGACY, "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}
        await exchange.result(result, **{"mcp-session-id": SESSION})
    elif "id" not in message:
        await exchange.reply(status=202)
    else:
        await exchange.result({"content": [], "said": exchange.headers})


async def begun(running: Any, **headers: str) -> dict[str, str]:
    """Begin a legacy session; return the headers that belong to it."""
    answer = await running.post(INITIALIZE, headers)
    assert answer.status_code == 200, answer.text
    return {**headers, "mcp-session-id": answer.headers["mcp-session-id"], "mcp-protocol-version": LEGACY}


# -- who may come in ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil", "", "[::2]"]
)
@pytest.mark.requirement("host-and-origin")
async def test_another_host_is_refused_and_recorded(host: str) -> None:
    witness = Witness()
    async with ScriptedServer(polite) as server, front(witness.entry(), server={"url": server.url}) as running:
        answer = await running.post(MODERN_CALL, {"host": host})
        assert answer.status_code == 421
        assert answer.json()["error"]["data"]["code"] == "origin"
        assert server.got == []
    assert witness.verdicts("login") == [(None, "origin", "deny")]


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:1", "127.0.0.1", "127.0.0.1:99", "[::1]:5", "LOCALHOST", "127.0.0.9"]
)
async def test_a_name_of_this_machine_is_served(host: str) -> None:
    async with ScriptedServer(polite) as server, front(server={"url": server.url}) as running:
        assert (await running.post(MODERN_CALL, {"host": host})).status_code == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "", "garbage", "http://[", "file://"]
)
@pytest.mark.requirement("host-and-origin")
async def test_another_origin_is_refused_and_recorded(origin: str) -> None:
    witness = Witness()
    async with ScriptedServer(polite) as server, front(witness.entry(), server={"url": server.url}) as running:
        for method in ("POST", "GET", "DELETE", "OPTIONS"):
            answer = await running.http.request(method, running.mcp, headers={**JSON, "origin": origin}, content=b"{}")
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers
        assert server.got == []
    assert set(witness.verdicts("login")) == {(None, "origin", "deny")}


async def test_hosts_and_origins_of_the_settings_are_served() -> None:
    proxy = {"allowed_hosts": ["mcp.example.com"], "allowed_origins": ["https://app.example.com"]}
    async with ScriptedServer(polite) as server, front(server={"url": server.url}, proxy=proxy) as running:
        for host in ("mcp.example.com", "mcp.example.com:8443", "localhost"):
            answer = await running.post(MODERN_CALL, {"host": host, "origin": "https://app.example.com"})
            assert answer.status_code == 200
        assert (await running.post(MODERN_CALL, {"origin": "http://app.example.com"})).status_code == 403


TOKENS = {"ci": "token-of-ci", "dev": "token-of-dev"}
AUTH = {
    "tokens": [{"name": name, "sha256": hashlib.sha256(text.encode()).hexdigest()} for name, text in TOKENS.items()]
}


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "Bearer",
        "Bearer wrong",
        "Basic token-of-ci",
        "token-of-ci",
        "Bearer token-of-ci x",
        "Bearer \xe9",
    ],
)
@pytest.mark.requirement("secrets-stay-in")
async def test_a_request_without_a_valid_token_is_refused_and_recorded(value: str | None) -> None:
    witness = Witness()
    async with (
        ScriptedServer(polite) as server,
        front(witness.entry(), server={"url": server.url}, auth=AUTH) as running,
    ):
        headers = {} if value is None else {"authorization": value}
        for path in ("servers/server/mcp", "servers/server/sse", "servers/server/messages", "nothing"):
            sent = [(key.encode(), text.encode("latin-1")) for key, text in {**JSON, **headers}.items()]
            answer = await running.http.post(f"{running.url}/{path}", content=b"{}", headers=sent)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert answer.json()["error"]["data"]["code"] == "unauthorized"
        assert server.got == []
    assert set(witness.verdicts("login")) == {(None, "unauthorized", "deny")}
    assert "token-of" not in repr(witness.recorded)


async def test_a_token_tells_the_principal_and_stays_here() -> None:
    witness = Witness()
    async with (
        ScriptedServer(polite) as server,
        front(witness.entry(), server={"url": server.url}, auth=AUTH) as running,
    ):
        for scheme in ("Bearer", "bearer"):
            answer = await running.post(MODERN_CALL, {"authorization": f"{scheme} {TOKENS['ci']}"})
            assert answer.status_code == 200
        assert "authorization" not in server.got[-1].headers
        assert TOKENS["ci"] not in repr(server.got[-1].headers)
    assert {(flow.principal.name, flow.principal.auth) for flow in witness.flows} == {("ci", "token")}


# -- the envelope of HTTP -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp", "text/json"]
)
async def test_a_post_of_another_type_is_answered_with_415(kind: str) -> None:
    async with ScriptedServer(polite) as server, front(server={"url": server.url}) as running:
        assert (await running.post(MODERN_CALL, {"content-type": kind})).status_code == 415
        assert server.got == []


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "HEAD"])
async def test_another_method_is_answered_with_405(method: str) -> None:
    async with ScriptedServer(polite) as server, front(server={"url": server.url}) as running:
        answer = await running.http.request(method, running.mcp)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST, GET, DELETE"


async def test_a_get_that_takes_no_events_is_answered_with_406() -> None:
    async with ScriptedServer(polite) as server, front(server={"url": server.url}) as running:
        assert (await running.http.get(running.mcp, headers={"accept": "application/json"})).status_code == 406


@pytest.mark.parametrize(
    "path",
    ["", "mcp", "servers/server", "servers/nobody/mcp", "servers/server/mcp/", "servers/server/other", "servers//mcp"],
)
async def test_there_is_nothing_at_another_path(path: str) -> None:
    async with ScriptedServer(polite) as server, front(server={"url": server.url}) as running:
        answer = await running.post(MODERN_CALL, url=f"{running.url}/{path}")
        assert answer.status_code == 404
        assert server.got == []


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.requirement("no-blind-spot")
async def test_a_body_that_is_too_large_is_answered_with_413_and_recorded(announced: bool) -> None:  # noqa: FBT001 - pytest's
    witness = Witness()
    proxy = {"max_message_bytes": 2000}

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" " * 500

    async with (
        ScriptedServer(polite) as server,
        front(witness.entry(), server={"url": server.url}, proxy=proxy) as running,
    ):
        content: Any = b" " * 5000 if announced else parts()
        answer = await running.http.post(running.mcp, content=content, headers=JSON)
        assert answer.status_code == 413
        assert answer.json()["error"]["data"]["code"] == "limit"
        assert server.got == []
    assert witness.verdicts("rejected") == [(None, "limit", "deny")]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "parse"),
        (b"{", "parse"),
        (b"[]", "invalid"),
        (b"[{}]", "invalid"),
        (b'{"jsonrpc":"2.0","id":7}', "invalid"),
    ],
)
async def test_a_body_that_is_no_message_is_answered_with_400_and_recorded(data: bytes, code: str) -> None:
    witness = Witness()
    async with ScriptedServer(polite) as server, front(witness.entry(), server={"url": server.url}) as running:
        answer = await running.post(data)
        assert answer.status_code == 400
        assert answer.json()["error"]["data"]["code"] == code
        assert server.got == []
    assert witness.verdicts("rejected") == [(None, code, "deny")]


@pytest.mark.parametrize(
    "name",
    [
        "mcp-name",
        "mcp-method",
        "mcp-protocol-version",
        "mcp-session-id",
        "authorization",
        "mcp-param-x",
        "content-type",
        "origin",
    ],
)
async def test_a_header_that_decides_something_may_not_stand_twice(name: str) -> None:
    witness = Witness()
    async with ScriptedServer(polite) as server, front(witness.entry(), server={"url": server.url}) as running:
        headers = [*JSON.items(), (name, JSON.get(name, "add")), (name.upper(), "add")]
        answer = await running.http.post(
            running.mcp, content=json.dumps({"jsonrpc": "2.0", **MODERN_CALL}), headers=headers
        )
        assert answer.status_code == 400
        assert answer.json()["error"]["data"]["code"] == "header"
        assert server.got == []
    assert witness.verdicts("rejected") == [(None, "header", "deny")]


@pytest.mark.parametrize(
    "headers",
    [
        {"mcp-name": "other"},
        {"mcp-method": "tools/list"},
        {"mcp-protocol-version": LEGACY},
        {"mcp-name": "=?base64?b3RoZXI=?="},
        {"mcp-name": "=?base64?YWRk!?="},
        {"mcp-name": "ADD"},
    ],
    ids=str,
)
@pytest.mark.requirement("headers-agree")
async def test_a_routing_header_that_disagrees_with_the_body_is_answered_with_400(headers: dict[str, str]) -> None:
    witness = Witness()
    async with ScriptedServer(polite) as server, front(witness.entry(), server={"url": server.url}) as running:
        answer = await running.post(MODERN_CALL, headers)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == -32020
        assert answer.json()["id"] == 1
        assert server.got == []
    assert witness.verdicts("rejected") == [(None, "header", "deny")]


@pytest.mark.requirement("headers-agree")
async def test_routing_headers_are_derived_from_what_is_sent() -> None:
    def transform(message: Any, _flow: Any) -> Any:
        if message.method != "tools/call" or message.is_reply:
            return None
        return message.replace("/params/name", "sübtract", label="renamed").replace(
            "/params/arguments/x", "new", label="x"
        )

    call = {**MODERN_CALL, "params": {**MODERN_CALL["params"], "arguments": {"x": "old"}}}  # type: ignore[dict-item]  # a dict
    headers = {"mcp-protocol-version": MODERN, "mcp-method": "tools/call", "mcp-name": "add", "mcp-param-x": "old"}
    async with (
        ScriptedServer(polite) as server,
        front(entry(transform=transform), server={"url": server.url}) as running,
    ):
        assert (await running.post(call, {**headers, "mcp-param-other": "smuggled", "x-other": "x"})).status_code == 200
        got = server.got[-1].headers
    assert got["mcp-name"] == "=?base64?c8O8YnRyYWN0?="
    assert (got["mcp-method"], got["mcp-protocol-version"], got["mcp-param-x"]) == ("tools/call", MODERN, "new")
    assert "mcp-param-other" not in got
    assert "x-other" not in got


async def test_odd_headers_of_a_server_do_not_break_the_answer() -> None:
    async def odd(exchange: Exchange) -> None:
        said = [b'www-authenticate: Bearer realm="\xe2\x82\xac\xff"', b"set-cookie: a=b", b"content-length: 0"]
        await exchange.raw(b"\r\n".join([b"HTTP/1.1 401 X", *said, b"", b""]))

    async with ScriptedServer(odd) as server, front(server={"url": server.url}) as running:
        answer = await running.post(MODERN_CALL)
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert answer.json()["id"] == 1


# -- sessions -------------------------------------------------------------------------------------------------


async def test_a_session_goes_under_the_servers_own_id() -> None:
    async with ScriptedServer(polite) as server, front(server={"url": server.url}) as running:
        headers = await begun(running)
        assert headers["mcp-session-id"] == SESSION
        answer = await running.post(CALL, headers)
        assert answer.json()["result"]["said"]["mcp-session-id"] == SESSION
        assert answer.json()["result"]["said"]["mcp-protocol-version"] == LEGACY


async def test_an_unknown_session_is_answered_with_404() -> None:
    async with ScriptedServer(polite) as server, front(server={"url": server.url}) as running:
        for method in ("GET", "DELETE"):
            answer = await running.http.request(method, running.mcp, headers={**JSON, "mcp-session-id": "made-up"})
            assert answer.status_code == 404
        answer = await running.post(CALL, {"mcp-session-id": "made-up"})
        assert (answer.status_code, answer.json()["id"]) == (404, 1)
        assert server.got == []


async def test_a_session_is_bound_to_its_principal() -> None:
    ci, dev = ({"authorization": f"Bearer {TOKENS[name]}"} for name in ("ci", "dev"))
    async with ScriptedServer(polite) as server, front(server={"url": server.url}, auth=AUTH) as running:
        headers = await begun(running, **ci)
        before = len(server.got)
        for method in ("POST", "GET", "DELETE"):
            stolen = {**JSON, **headers, **dev}
            content = json.dumps({"jsonrpc": "2.0", **CALL}) if method == "POST" else None
            answer = await running.http.request(method, running.mcp, headers=stolen, content=content)
            assert answer.status_code == 404
        assert len(server.got) == before
        assert (await running.post(CALL, headers)).status_code == 200


async def test_a_session_id_that_a_server_gives_twice_belongs_to_the_last_one_alone() -> None:
    ci, dev = ({"authorization": f"Bearer {TOKENS[name]}"} for name in ("ci", "dev"))
    async with ScriptedServer(polite) as server, front(server={"url": server.url}, auth=AUTH) as running:
        first = await begun(running, **ci)
        second = await begun(running, **dev)
        assert first["mcp-session-id"] == second["mcp-session-id"]
        assert (await running.post(CALL, first)).status_code == 404
        assert (await running.post(CALL, second)).status_code == 200


async def test_a_deleted_session_is_gone() -> None:
    async with ScriptedServer(polite) as server, front(server={"url": server.url}) as running:
        headers = await begun(running)
        assert (await running.http.delete(running.mcp, headers=headers)).status_code == 200
        assert (server.got[-1].method, server.got[-1].headers["mcp-session-id"]) == ("DELETE", SESSION)
        assert len(running.sessions) == 0
        assert (await running.post(CALL, headers)).status_code == 404


async def test_a_denied_initialize_begins_no_session() -> None:
    deny = entry(decide=lambda message, *_: Deny("no") if message.method == "initialize" else None)
    async with ScriptedServer(polite) as server, front(deny, server={"url": server.url}) as running:
        answer = await running.post(INITIALIZE)
        assert "error" in answer.json()
        assert "mcp-session-id" not in answer.headers
        assert len(running.sessions) == 0
        assert server.got == []


async def test_more_sessions_than_the_settings_allow_are_refused() -> None:
    numbers = iter(range(10))

    async def numbered(exchange: Exchange) -> None:
        await exchange.result(
            {"protocolVersion": LEGACY, "capabilities": {}}, **{"mcp-session-id": f"s{next(numbers)}"}
        )

    async with (
        ScriptedServer(numbered) as server,
        front(server={"url": server.url}, proxy={"max_sessions": 2}) as running,
    ):
        assert [(await running.post(INITIALIZE)).status_code for _ in range(3)] == [200, 200, 503]


# -- streams --------------------------------------------------------------------------------------------------


async def test_each_event_goes_out_before_the_next_is_made() -> None:
    seen = asyncio.Semaphore(0)

    async def stepwise(exchange: Exchange) -> None:
        await exchange.stream()
        for number in range(5):
            await exchange.event({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": number}})
            await within(seen.acquire())  # the client has it
        await exchange.event({"jsonrpc": "2.0", "id": exchange_id(exchange), "result": {"content": []}})

    async with (
        ScriptedServer(stepwise) as server,
        front(Witness().entry(), server={"url": server.url}) as running,
        running.stream("POST", MODERN_CALL) as events,
    ):
        assert events.response.headers["content-type"] == "text/event-stream"
        assert events.response.headers["x-accel-buffering"] == "no"
        assert "no-transform" in events.response.headers["cache-control"]
        for number in range(5):
            assert (await events.next())["params"]["data"] == number
            seen.release()
        assert (await events.next())["result"] == {"content": []}
        assert await events.next() is None


def exchange_id(exchange: Exchange) -> Any:
    return exchange.json["id"]


async def test_what_a_server_asks_on_a_stream_and_what_the_client_answers_cross() -> None:
    asked = asyncio.Event()
    answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def asking(exchange: Exchange) -> None:
        message = exchange.json
        if message.get("method") == "initialize":
            await polite(exchange)
        elif message.get("method") == "tools/call":
            await exchange.stream()
            await exchange.event(
                {"jsonrpc": "2.0", "id": 1, "method": "elicitation/create", "params": {"message": "?"}}
            )
            asked.set()
            answer = await within(answered)
            await exchange.event({"jsonrpc": "2.0", "id": message["id"], "result": {"content": [], "heard": answer}})
        else:
            answered.set_result(message)
            await exchange.reply(status=202)

    witness = Witness()
    async with ScriptedServer(asking) as server, front(witness.entry(), server={"url": server.url}) as running:
        headers = await begun(running)
        async with running.stream("POST", CALL, **headers) as events:
            question = await events.next()
            assert (question["method"], question["id"]) == ("elicitation/create", 1)
            answer = await running.post({"id": 1, "result": {"action": "accept", "content": {}}}, headers)
            assert answer.status_code == 202
            assert (await events.next())["result"]["heard"]["result"]["action"] == "accept"
    assert ("result", "elicitation/create", "allow") in witness.verdicts()


@pytest.mark.requirement("nothing-unjudged")
async def test_a_denied_request_of_the_servers_is_answered_with_an_error_in_its_own_session() -> None:
    heard: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()

    async def asking(exchange: Exchange) -> None:
        message = exchange.json
        if message.get("method") == "initialize":
            await polite(exchange)
        elif message.get("method") == "tools/call":
            await exchange.stream()
            await exchange.event(
                {"jsonrpc": "2.0", "id": 9, "method": "elicitation/create", "params": {"message": "?"}}
            )
            await within(asyncio.shield(heard))
            await exchange.event({"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}})
        else:
            heard.set_result(exchange)
            await exchange.reply(status=202)

    deny = entry(decide=lambda message, *_: Deny("no") if message.method == "elicitation/create" else None)
    async with ScriptedServer(asking) as server, front(deny, server={"url": server.url}) as running:
        headers = await begun(running)
        async with running.stream("POST", CALL, **headers) as events:
            assert [list(event) for event in await events.rest()] == [["jsonrpc", "id", "result"]]
        got = await within(heard)
    assert (got.json["id"], got.json["error"]["data"]["code"]) == (9, "denied")
    assert got.headers["mcp-session-id"] == SESSION
    assert got.headers["mcp-protocol-version"] == LEGACY


async def test_a_request_of_the_servers_denied_on_its_own_stream_is_answered_in_that_session() -> None:
    heard: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()

    async def asking(exchange: Exchange) -> None:
        if exchange.method == "GET":
            await exchange.stream()
            await exchange.event({"jsonrpc": "2.0", "id": 9, "method": "roots/list"})
            await within(asyncio.shield(heard))
            await exchange.event({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "done"}})
        elif exchange.json.get("method") == "initialize":
            await polite(exchange)
        else:
            heard.set_result(exchange)
            await exchange.reply(status=202)

    deny = entry(decide=lambda message, *_: Deny("no") if message.method == "roots/list" else None)
    async with ScriptedServer(asking) as server, front(deny, server={"url": server.url}) as running:
        headers = await begun(running)
        async with running.stream("GET", **headers) as events:
            assert (await events.next())["params"]["data"] == "done"
        got = await within(heard)
    assert (got.json["id"], got.headers["mcp-session-id"]) == (9, SESSION)


async def test_a_client_that_goes_cancels_in_the_modern_era() -> None:
    begun_to_work, gone = asyncio.Event(), asyncio.Event()

    async def slow(exchange: Exchange) -> None:
        begun_to_work.set()
        await within(exchange.gone.wait())
        gone.set()

    async with ScriptedServer(slow) as server, front(server={"url": server.url}) as running:
        async with asyncio.timeout(10):
            call = asyncio.create_task(running.post(MODERN_CALL))
            await begun_to_work.wait()
            call.cancel()
            await gone.wait()


async def test_a_client_that_goes_from_a_modern_stream_cancels() -> None:
    gone = asyncio.Event()

    async def slow(exchange: Exchange) -> None:
        await exchange.stream()
        await exchange.event({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": 1}})
        await within(exchange.gone.wait())
        gone.set()

    async with ScriptedServer(slow) as server, front(server={"url": server.url}) as running:
        async with running.stream("POST", MODERN_CALL) as events:
            await events.next()
        await within(gone.wait())


async def test_a_client_that_goes_does_not_cancel_in_the_legacy_era() -> None:
    """It says notifications/cancelled if it means that (2025-11-25, streamable HTTP, sending messages)."""
    begun_to_work, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(exchange: Exchange) -> None:
        if exchange.json.get("method") != "tools/call":
            await polite(exchange)
            return
        begun_to_work.set()
        await within(go_on.wait())
        assert not exchange.gone.is_set()
        await exchange.result({"content": []})
        done.set()

    witness = Witness()
    async with ScriptedServer(slow) as server, front(witness.entry(), server={"url": server.url}) as running:
        headers = await begun(running)
        with pytest.raises(httpx.ReadTimeout):
            await running.http.post(
                running.mcp, content=json.dumps({"jsonrpc": "2.0", **CALL}), headers={**JSON, **headers}, timeout=0.3
            )
        await within(begun_to_work.wait())
        go_on.set()
        await within(done.wait())
        assert [message.get("method") for message in server.messages] == ["initialize", "tools/call"]


# -- HTTP+SSE (2024-11-05) ----------------------------------------------------------------------------------------


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
