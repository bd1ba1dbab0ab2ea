"""Addresses of the gateway and of its profiles: what is at them, and who gets in with which token."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from support.gateways import CAPABILITIES
from support.rig import Witness
from support.toys import LEGACY, Toy
from support.web import Front, front
from tidegate import endpoints, methods, settings

TREE: dict[str, Any] = {
    "servers": {"files": {"command": ["true"]}, "time": {"command": ["true"]}},
    "profiles": {"work": {"servers": ["files"]}, "mcp": {"servers": ["time"]}},
}
BUILT = settings.build(TREE, folder=Path("/nonexistent"))
META = {"_meta": {methods.VERSION_KEY: methods.MODERN, CAPABILITIES: {}}}
MODERN = {"mcp-protocol-version": methods.MODERN, "mcp-method": "tools/list"}
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": META}
INITIALIZE = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
BEGIN = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE}


@pytest.mark.parametrize(
    ("path", "endpoint", "end"),
    [
        ("/mcp", "/", "mcp"),
        ("/sse", "/", "sse"),
        ("/messages", "/", "messages"),
        ("/profiles/work/mcp", "/work", "mcp"),
        ("/profiles/mcp/sse", "/mcp", "sse"),
        ("/servers/files/mcp", "files", "mcp"),
        ("/profiles/work/other", "/work", "other"),
        ("/profiles/other/mcp", "", ""),
        ("/profiles/files/mcp", "", ""),
        ("/servers/work/mcp", "", ""),
        ("/servers/gateway/mcp", "", ""),
        ("/profiles//mcp", "", ""),
        ("/profiles/work", "", ""),
        ("/profiles/work/mcp/", "", ""),
        ("//mcp", "", ""),
        ("/mcp/", "", ""),
        ("/MCP", "", ""),
        ("/profiles/WORK/mcp", "", ""),
        ("/profiles/work%2Fmcp", "", ""),
        ("/profiles/../mcp", "", ""),
        ("mcp", "", ""),
        ("/", "", ""),
        ("", "", ""),
    ],
)
def test_a_path_names_one_endpoint_or_none(path: str, endpoint: str, end: str) -> None:
    assert endpoints.parsed(path, BUILT) == (endpoint, end)


@pytest.mark.parametrize(
    ("endpoint", "there", "named", "path"),
    [
        ("/", True, "gateway", ""),
        ("/work", True, "profile 'work'", "/profiles/work"),
        ("/other", False, "profile 'other'", "/profiles/other"),
        ("files", True, "server 'files'", "/servers/files"),
        ("work", False, "server 'work'", "/servers/work"),
    ],
)
def test_endpoints_are_told_apart_from_servers_and_have_words_and_paths(
    endpoint: str,
    there: bool,  # noqa: FBT001 - pytest passes by name
    named: str,
    path: str,
) -> None:
    assert endpoints.exists(endpoint, BUILT) is there
    assert endpoints.named(endpoint) == named
    assert endpoints.path(endpoint) == path
    if endpoints.is_gateway(endpoint):
        assert endpoints.gateway(endpoints.profile(endpoint)) == endpoint


@pytest.mark.parametrize(
    ("endpoint", "bound", "gets"),
    [
        ("/", "", "/"),
        ("/work", "", "/work"),
        ("files", "", "files"),
        ("/", "work", "/work"),
        ("/work", "work", "/work"),
        ("/home", "work", ""),
        ("files", "work", ""),
    ],
)
def test_who_is_bound_to_a_profile_gets_it_where_all_servers_are_and_nothing_elsewhere(
    endpoint: str, bound: str, gets: str
) -> None:
    assert endpoints.open_to(endpoint, bound) == gets


# -- over HTTP --------------------------------------------------------------------------------------------------------


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def as_who(token: str, **more: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", **more}


@asynccontextmanager
async def serving(*entries: Any) -> AsyncIterator[tuple[Front, Toy, Toy]]:
    """Two servers, a profile of one of them, a token for it, and a token for everything."""
    tokens = [
        {"name": "bound", "sha256": digest("bound-token"), "profile": "work"},
        {"name": "free", "sha256": digest("free-token")},
    ]
    profiles = {"work": {"servers": ["one"], "tools": ["one/add"]}}
    async with Toy("one", "add", "sub") as one, Toy("two", "mul") as two:
        tree: dict[str, Any] = {"servers": {toy.name: toy.settings for toy in (one, two)}, "profiles": profiles}
        async with front(*entries, server={}, auth={"tokens": tokens}, **tree) as running:
            yield running, one, two


def listed(response: Any) -> list[str]:
    return [item["name"] for item in response.json()["result"]["tools"]]


async def test_the_gateways_address_is_the_profiles_for_a_token_that_is_bound_to_it() -> None:
    witness = Witness()
    async with serving(witness.entry()) as (running, _, two):
        for path in ("/mcp", "/profiles/work/mcp"):
            answer = await running.post(LIST, as_who("bound-token", **MODERN), f"{running.url}{path}")
            assert listed(answer) == ["one__add"]
        assert {flow.profile for flow in witness.flows} == {"work"}
        assert two.got == []
        answer = await running.post(LIST, as_who("free-token", **MODERN), f"{running.url}/mcp")
        assert listed(answer) == ["one__add", "one__sub", "two__mul"]


async def test_every_other_address_is_closed_to_a_token_that_is_bound_to_a_profile() -> None:
    async with serving() as (running, one, two):
        for path in ("/servers/one/mcp", "/servers/two/mcp", "/servers/one/sse", "/servers/two/messages"):
            for tree in (LIST, BEGIN):
                answer = await running.post(tree, as_who("bound-token"), f"{running.url}{path}")
                assert answer.status_code == 403, path
            assert (await running.http.get(f"{running.url}{path}", headers=as_who("bound-token"))).status_code == 403
        for path in ("/profiles/other/mcp", "/profiles/WORK/mcp", "/nothing"):
            answer = await running.post(LIST, as_who("bound-token", **MODERN), f"{running.url}{path}")
            assert answer.status_code >= 400
        assert one.got == two.got == []


async def test_without_a_token_every_address_is_closed() -> None:
    async with serving() as (running, one, _):
        for path in ("/mcp", "/sse", "/profiles/work/mcp", "/servers/one/mcp"):
            assert (await running.post(LIST, MODERN, f"{running.url}{path}")).status_code == 401
            assert (await running.post(LIST, as_who("wrong", **MODERN), f"{running.url}{path}")).status_code == 401
        assert one.got == []


@pytest.mark.requirement("principals-apart")
async def test_a_session_of_one_token_is_none_for_another_also_where_both_may_come_in() -> None:
    async with serving() as (running, one, _):
        begun = await running.post(BEGIN, as_who("free-token"), f"{running.url}/mcp")
        session = begun.headers["mcp-session-id"]
        call = {"id": 2, "method": "tools/call", "params": {"name": "one__sub", "arguments": {}}}
        for token, path in (("bound-token", "/mcp"), ("bound-token", "/profiles/work/mcp")):
            answer = await running.post(call, as_who(token, **{"mcp-session-id": session}), f"{running.url}{path}")
            assert answer.status_code == 404
        assert one.asked("tools/call") == []
        answer = await running.post(call, as_who("free-token", **{"mcp-session-id": session}), f"{running.url}/mcp")
        assert answer.json()["result"]["content"][0]["text"] == "one: sub {}"


async def test_a_malformed_initialize_ends_nothing() -> None:
    async with serving() as (running, _, _):
        url, who = f"{running.url}/mcp", as_who("free-token")
        bodies = [
            b'{"jsonrpc":"2.0","id":1,"method":"initialize"}',
            b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":[]}',
            b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":{},"capabilities":3}}',
            b'{"jsonrpc":"2.0","id":{},"method":"initialize","params":{}}',
            b'{"jsonrpc":"2.0","method":"initialize","params":{}}',
            b'[{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}]',
            b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{},',
            b"\xff\xfe",
            b"",
        ]
        for body in bodies:
            answer = await running.post(body, who, url)
            assert answer.status_code < 500, body
        assert (await running.post(BEGIN, who, url)).status_code == 200


async def test_a_client_of_http_and_sse_has_the_gateway_too() -> None:
    async with (
        serving() as (running, _, _),
        running.stream("GET", url=f"{running.url}/sse", authorization="Bearer free-token") as events,
    ):
        there = (await events.fields())["data"]
        for tree in (BEGIN, {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}}):
            answer = await running.post(tree, as_who("free-token"), f"{running.url}{there}")
            assert answer.status_code == 202
            assert (await events.next())["id"] == tree["id"]
