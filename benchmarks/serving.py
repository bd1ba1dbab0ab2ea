"""Serve an ASGI application for the benchmarks, and say where, as `tidegate run --ready-file` does."""

import argparse
import json
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn

Scope = dict[str, Any]
Event = dict[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def serve(app: App, ready_file: Path) -> None:
    """Serve `app` on an ephemeral loopback port until SIGTERM.

    `ready_file` gets `{"listen": "http://127.0.0.1:PORT", "pid": N}`. It is written once the socket
    listens: a client that connects before the first accept waits in the backlog.
    """
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    host, port = listener.getsockname()
    draft = ready_file.with_suffix(".draft")
    draft.write_text(json.dumps({"listen": f"http://{host}:{port}", "pid": os.getpid()}))
    draft.replace(ready_file)
    config = uvicorn.Config(
        app,
        http="httptools",
        loop="uvloop",
        access_log=False,  # it would slow the floor down and make Tidegate look better than it is
        log_level="warning",
        timeout_keep_alive=75,  # a target waits for its turn longer than the default of 5 seconds
    )
    uvicorn.Server(config).run(sockets=[listener])


def arguments(description: str) -> argparse.ArgumentParser:
    """A parser with the option every served program here has: `--ready-file PATH`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--ready-file", type=Path, required=True, help="written once the socket listens")
    return parser


async def read_body(receive: Receive) -> bytes:
    """All of a request's body."""
    event = await receive()
    body: bytes = event.get("body", b"")
    while event.get("more_body"):
        event = await receive()
        body += event.get("body", b"")
    return body


async def lifespan(receive: Receive, send: Send) -> None:
    """Answer the server's start and stop events for an application that needs neither."""
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return
