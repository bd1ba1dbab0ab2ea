"""The floor: what a proxy of this kind costs in Python before it judges anything.

`python -m benchmarks.floor --upstream http://127.0.0.1:PORT/mcp --ready-file PATH`. Raw ASGI on uvicorn
(httptools, uvloop), aiohttp as the client, JSON parsed in both directions with orjson, and nothing else:
no pipeline, no audit, no check. Tidegate's figures are reported as ratios to this one's.
"""

import aiohttp
import orjson
from benchmarks.serving import App, Receive, Scope, Send, arguments, read_body, serve

FORWARDED = frozenset(
    (b"accept", b"content-type", b"mcp-method", b"mcp-name", b"mcp-protocol-version", b"mcp-session-id")
)
RETURNED = frozenset(("content-type", "mcp-session-id"))


def pass_through(upstream: str) -> App:
    """An ASGI application that hands every request to `upstream` and its answer back."""
    client: aiohttp.ClientSession | None = None

    async def run(receive: Receive, send: Send) -> None:
        nonlocal client
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                connector = aiohttp.TCPConnector(limit=0)
                client = aiohttp.ClientSession(connector=connector, auto_decompress=False)
            elif client is not None:
                await client.close()
            await send({"type": f"{event['type']}.complete"})
            if event["type"] == "lifespan.shutdown":
                return

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await run(receive, send)
            return
        assert client is not None  # the lifespan runs first
        body = await read_body(receive)
        headers = {name.decode(): value.decode() for name, value in scope["headers"] if name in FORWARDED}
        if body:
            orjson.loads(body)
        async with client.request(scope["method"], upstream, data=body, headers=headers) as answer:
            content = await answer.read()
            if content:
                orjson.loads(content)
            back = [
                (name.lower().encode(), value.encode())
                for name, value in answer.headers.items()
                if name.lower() in RETURNED
            ]
            back.append((b"content-length", b"%d" % len(content)))
            await send({"type": "http.response.start", "status": answer.status, "headers": back})
            await send({"type": "http.response.body", "body": content})

    return app


if __name__ == "__main__":
    parser = arguments("A pass-through that parses JSON both ways: the floor.")
    parser.add_argument("--upstream", required=True, help="the server's MCP URL")
    options = parser.parse_args()
    serve(pass_through(options.upstream), options.ready_file)
