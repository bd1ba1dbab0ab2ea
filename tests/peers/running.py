"""What the peers' tests start beside Tidegate: a web page to fetch, server-everything over HTTP, and clients."""

import asyncio
import json
import os
import threading
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import mcp_types as types
from mcp import Client
from mcp.client.context import ClientRequestContext

from support.node import peers

START_SECONDS = 30
ANSWER_SECONDS = 30.0
PAGE = "A page of plain text, the same every time."

Era = Literal["legacy", "auto"]


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = PAGE.encode() if self.path == "/plain" else b"nothing here"
        self.send_response(200 if self.path == "/plain" else 404)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def web_page() -> Iterator[str]:
    """Serve a page at `/plain` of an ephemeral port of 127.0.0.1; what comes is the address of its root."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@asynccontextmanager
async def everything_over(transport: Literal["streamableHttp", "sse"]) -> AsyncIterator[str]:
    """Run server-everything over HTTP or HTTP+SSE until the block ends; what comes is its address."""
    node, script = peers().command("@modelcontextprotocol/server-everything", "dist/index.js")
    preload = (Path(__file__).parent / "loopback.mjs").as_uri()
    process = await asyncio.create_subprocess_exec(
        node,
        "--import",
        preload,
        script,
        transport,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            while not (line := await process.stdout.readline()).startswith(b'{"port":'):
                assert line, "server-everything ended at its start"
        drain = asyncio.create_task(process.stdout.read())
        yield f"http://127.0.0.1:{json.loads(line)['port']}/{'sse' if transport == 'sse' else 'mcp'}"
    finally:
        process.kill()  # on SIGTERM it waits for its clients' streams
        await process.wait()
    await drain


async def _elicit(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={"name": "A", "username": "a", "email": "a@example.com"})


async def _sample(context: ClientRequestContext, params: types.CreateMessageRequestParams) -> types.CreateMessageResult:
    said = types.TextContent(text="Sampled.")
    return types.CreateMessageResult(role="assistant", content=said, model="test")


def python_client(target: Any, era: Era) -> Client:
    """The `mcp` SDK's client for an address, a transport or stdio parameters, that answers what it is asked."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sampling is deprecated in 2026-07-28 and still part of it
        return Client(
            target,
            mode=era,
            read_timeout_seconds=ANSWER_SECONDS,
            elicitation_callback=_elicit,
            sampling_callback=_sample,
            cache=None,
        )


def environment(**more: str) -> dict[str, str]:
    """The environment of programs that look for settings in a home folder, or for modules of the tests."""
    return {**os.environ, "NO_COLOR": "1", **more}
