"""A small server of Vault's KV engine, version 2, over HTTP or TLS: what the store `vault` is tested against.

It keeps to the documented HTTP API: versions and check-and-set, a deleted version's 404 with metadata, lists, the
errors of a wrong token, of a sealed and of an unknown mount. It is no Vault: that one can't be had everywhere.
"""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hvs.of-the-test"


class Vault:
    """What it has, and what it does next.

    Attributes:
        entries: by path below the mount, the versions' fields; None for a deleted one.
        sealed: whether it answers as a sealed one does.
        answer: bytes to answer with, HTTP 200, whatever is asked.
        racing: how many of the next writings somebody else comes before.
        got: method, path and headers of what was asked.
    """

    def __init__(self) -> None:
        self.entries: dict[str, list[dict[str, Any] | None]] = {}
        self.sealed = False
        self.answer: bytes | None = None
        self.racing = 0
        self.got: list[tuple[str, str, dict[str, str]]] = []
        self.address = ""

    def act(self, method: str, path: str, token: str, body: Any) -> tuple[int, Any]:
        """Return status and tree of an answer."""
        if self.sealed:
            return 503, {"errors": ["Vault is sealed"]}
        if token != TOKEN:
            return 403, {"errors": ["permission denied"]}
        parts = urlsplit(path)
        words = unquote(parts.path).removeprefix("/v1/").split("/", 2)
        if len(words) < 3 or words[0] != "secret" or words[1] not in ("data", "metadata"):
            return 404, {"errors": ["no handler for route"]}
        kind, key = words[1:]
        if kind == "metadata":
            return self._metadata(method, key, listing="list=true" in parts.query)
        return self._read(key) if method == "GET" else self._write(key, body)

    def _metadata(self, method: str, key: str, *, listing: bool) -> tuple[int, Any]:
        if method == "DELETE":
            self.entries.pop(key, None)
            return 204, None
        below = sorted({rest.partition("/")[0] + "/" * ("/" in rest) for rest in self._below(key)})
        return (200, {"data": {"keys": below}}) if listing and below else (404, {"errors": []})

    def _below(self, key: str) -> list[str]:
        return [path.removeprefix(f"{key}/") for path in self.entries if path.startswith(f"{key}/")]

    def _read(self, key: str) -> tuple[int, Any]:
        versions = self.entries.get(key)
        if not versions:
            return 404, {"errors": []}
        about = {"version": len(versions), "destroyed": False}
        return (404 if versions[-1] is None else 200), {"data": {"data": versions[-1], "metadata": about}}

    def _write(self, key: str, body: Any) -> tuple[int, Any]:
        versions = self.entries.setdefault(key, [])
        if self.racing:
            self.racing -= 1
            versions.append({"theirs": "x"})
        if body["options"]["cas"] != len(versions):
            return 400, {"errors": ["check-and-set parameter did not match the current version"]}
        versions.append(body["data"])
        return 200, {"data": {"version": len(versions)}}


@contextmanager
def vault(context: ssl.SSLContext | None = None) -> Iterator[Vault]:
    """Serve until the block ends."""
    served = Vault()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            served.got.append((self.command, self.path, dict(self.headers)))
            status, tree = served.act(self.command, self.path, self.headers.get("X-Vault-Token", ""), body)
            data = b"" if tree is None else json.dumps(tree).encode()
            if served.answer is not None:
                status, data = 200, served.answer
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_DELETE = do_GET  # noqa: N815 - the names that the base class calls

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    served.address = f"http{'s' if context else ''}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
