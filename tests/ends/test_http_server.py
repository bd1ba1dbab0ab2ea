"""Where clients connect by HTTP: who may come in, and what the envelope of HTTP may look like."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from support.polite import AUTH, LEGACY, MODERN_CALL, TOKENS, polite
from support.rig import Witness, entry
from support.uncollected import uncollected
from support.web import JSON, Exchange, ScriptedServer, front
from tidegate.methods import MODERN

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
    [
        "",
        "mcp/",
        "profiles/nobody/mcp",
        "servers/server",
        "servers/nobody/mcp",
        "servers/server/mcp/",
        "servers/server/other",
        "servers//mcp",
    ],
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

    call = {**MODERN_CALL, "params": {**MODERN_CALL["params"], "arguments": {"x": "old"}}}
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


async def test_an_answered_request_is_forgotten_without_the_collector() -> None:
    async with ScriptedServer(polite) as server, front(server={"url": server.url}) as running:
        with uncollected(RequestResponseCycle) as left:
            for _ in range(10):
                assert (await running.post(MODERN_CALL)).status_code == 200
            assert left() <= 2  # the last one of each connection
