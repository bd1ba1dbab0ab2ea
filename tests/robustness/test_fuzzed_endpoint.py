"""Any bytes at the real endpoint: refused or passed on, never a crash; each refused body is in the audit log."""

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import pytest_asyncio

from robustness.running import stdio_server
from robustness.talking import JSON, MODERN, Line, Peer, head_of, others_go_on
from robustness.watching import MB, Peak
from support.proxy import RunningTidegate, running_tidegate
from tidegate_audit.verify import verify

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PATIENCE = 0.5  # the client_timeout, for what looks like the beginning of something longer
BODIES, SOCKETS, AT_ONCE = 5000, 500, 20
MOST = 64 * 1024  # bytes of a message
SILENCE = 3.0  # seconds after which a connection that is still open is a stream
META = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}
ECHO = {"name": "echo", "arguments": {"text": "\u00e9\U0001f30a", "n": [1, -2.5, 10**20, None, True]}, "_meta": META}
SEEDS = [
    {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": ECHO},
    {"jsonrpc": "2.0", "id": "a", "method": "tools/list", "params": {"_meta": META}},
    {"jsonrpc": "2.0", "id": 2, "method": "server/discover", "params": {"_meta": META}},
    {
        "jsonrpc": "2.0",
        "id": 3,
        "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {}},
    },
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}},
    {"jsonrpc": "2.0", "id": 4, "result": {"roots": []}},
    {"jsonrpc": "2.0", "id": 5, "error": {"code": -1, "message": "no"}},
    [{"jsonrpc": "2.0", "id": 6, "method": "ping"}],
]
WORDS = [
    *(
        b'"id"',
        b'"id":1,',
        b'"method":',
        b'"Id":2,',
        b'"jsonrpc":"2.0",',
        b'"params":{},',
        b"null",
        b"true",
        b" " * 100,
    ),
    *(b"NaN", b"1e400", b"-0", b"1.0", b"9" * 5000, b"\\ud800", b"\\u0000", b"{", b"}", b"[", b"]", b",", b":", b'"'),
    *(b"\\", b"\xff", b"\xc0\x80", b"\xef\xbb\xbf", b"\0", b"\r\n", b"[" * 300),
]
HEADERS = [
    *(b"Mcp-Method: ping", b"Mcp-Name: x", b"Mcp-Session-Id: x", b"MCP-Protocol-Version: 2025-03-26", b"Origin: null"),
    *(b"Expect: 100-continue", b"Transfer-Encoding: chunked", b"Content-Length: 5", b"Content-Length: -1", b"x: \0"),
    *(b"Connection: upgrade\r\nUpgrade: h2c", b"Connection: close", b"Host: evil", b": x", b"x", b"a b: c"),
    b"Last-Event-ID: 1",
]
METHODS = (b"POST", b"POST", b"POST", b"GET", b"DELETE", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT", b"PRI")
PATHS = (b"/servers/odd/mcp", b"/servers/odd/sse", b"/servers/odd/messages", b"/", b"*", b"//a%00b", b"/\xff")
LAST = b"GET /last HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tidegate(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningTidegate]:
    servers = {"odd": stdio_server(), "calm": stdio_server()}
    folder = tmp_path_factory.mktemp("fuzzed")
    async with running_tidegate(servers, folder=folder, client_timeout=PATIENCE, max_message_bytes=MOST) as running:
        yield running


def mutated(chance: random.Random, data: bytes) -> bytes:
    """Return the bytes, changed in a few places."""
    out = bytearray(data)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3, 10))):
        at, to = sorted((chance.randint(0, len(out)), chance.randint(0, len(out))))
        match chance.randint(0, 6):
            case 0:
                out[at:at] = chance.choice(WORDS)
            case 1:
                out[at : at + 1] = bytes((chance.randint(0, 255),))
            case 2:
                del out[at:to]
            case 3:
                out[at:at] = out[at:to]
            case 4:
                out[at : at + 1] = bytes((out[at] ^ 1 << chance.randint(0, 7),)) if at < len(out) else b""
            case 5:
                del out[at:]
            case 6:
                out[at:at] = chance.randbytes(chance.randint(1, 20))
    return bytes(out)


def body(chance: random.Random) -> tuple[bytes, dict[str, str]]:
    """Return a body, and headers that go with what it was before it was changed."""
    seed = chance.choice(SEEDS)
    headers = dict(JSON)
    if isinstance(seed, dict) and "_meta" in str(seed) and chance.random() < 0.9:
        headers |= {"mcp-protocol-version": MODERN, "mcp-method": str(seed["method"])}
        headers |= {"mcp-name": "echo"} if seed["method"] == "tools/call" else {}
    match chance.randint(0, 12):
        case 0:
            return chance.randbytes(chance.randint(0, 300)), headers
        case 1:
            return b'"' + b"x" * chance.randint(60_000, 70_000) + b'"', headers
        case _:
            return mutated(chance, json.dumps(seed, ensure_ascii=chance.random() < 0.5).encode()), headers


async def test_any_body_is_refused_with_a_record_or_passed_on_and_others_go_on(tidegate: RunningTidegate) -> None:
    chance = random.Random(20_261)
    path = "/servers/odd/mcp"
    refused = passed = 0
    before = len(tidegate.records())

    async def fuzz(count: int) -> None:
        nonlocal refused, passed
        line = await Line.to(tidegate.url)
        for _ in range(count):
            data, headers = body(chance)
            await line.send(head_of("POST", path, headers, len(data)) + data)
            head = await line.head()
            assert head.status in {200, 202, 400, 404, 413}, (head, data)
            if head.headers.get("content-type") == "text/event-stream":
                await line.close()
                line = await Line.to(tidegate.url)
                continue
            content = await line.reader.readexactly(int(head.headers["content-length"]))
            if head.status >= 400 and json.loads(content)["error"].get("data", {}).get("rule") == "wire":
                refused += 1
            else:
                passed += 1
        await line.close()

    async with Peak(tidegate.pid) as peak, others_go_on(tidegate.endpoint("calm")):
        await asyncio.gather(*(fuzz(BODIES // AT_ONCE) for _ in range(AT_ONCE)))
    records = [
        record for record in tidegate.records()[before:] if record["kind"] == "rejected" and record["rule"] == "wire"
    ]
    assert len(records) == refused
    assert refused > BODIES / 2
    assert passed > BODIES / 20
    assert peak.grown < 40 * MB


def request(chance: random.Random) -> bytes:
    """Return one or two HTTP requests, somewhat like real ones."""
    out = b""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        data, _ = body(chance)
        lines = [
            b"%b %b HTTP/1.1" % (chance.choice(METHODS), chance.choice(PATHS)),
            b"Host: 127.0.0.1",
            b"Content-Type: application/json",
        ]
        lines += [b"Accept: text/event-stream", b"Content-Length: %d" % len(data)]
        lines += chance.sample(HEADERS, chance.choice((0, 0, 1, 2)))
        out += b"\r\n".join(lines) + b"\r\n\r\n" + data
    return mutated(chance, out) if chance.random() < 0.7 else out


async def test_any_bytes_on_a_socket_crash_nothing_and_are_never_an_internal_error(tidegate: RunningTidegate) -> None:
    chance = random.Random(20_262)
    statuses: dict[int, int] = {}

    async def fuzz(requests: list[bytes]) -> None:
        for data in requests:
            line = await Line.to(tidegate.url)
            with suppress(ConnectionError):
                await line.send(data + LAST)
            heads = re.findall(rb"HTTP/1\.1 (\d{3})", await line.heard(SILENCE))
            await line.close()
            for head in heads:
                statuses[int(head)] = statuses.get(int(head), 0) + 1
            assert not any(head.startswith(b"5") for head in heads), data

    async with Peak(tidegate.pid) as peak, others_go_on(tidegate.endpoint("calm")):
        await asyncio.gather(*(fuzz([request(chance) for _ in range(SOCKETS // AT_ONCE)]) for _ in range(AT_ONCE)))
    assert {200, 400, 404, 405} <= statuses.keys(), statuses
    assert peak.grown < 40 * MB


async def test_after_all_that_nothing_was_out_of_order(tidegate: RunningTidegate) -> None:
    async with Peer(tidegate.endpoint("odd")) as peer:
        assert await peer.echo("still here") == "still here"
    lines = [json.loads(line) for line in tidegate.stderr.read_text().splitlines()]
    assert [line for line in lines if line["level"] not in ("debug", "info", "warning")] == []
    assert verify(tidegate.audit).ok
