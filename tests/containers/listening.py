"""A small MCP server of streamable HTTP, or one that misbehaves: `WAY PORT`, run in a container."""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WAY, PORT = sys.argv[1], int(sys.argv[2])
SESSION = "session-1"
PLAINLY: dict[str, tuple[tuple[Any, ...], Any]] = {
    "redirect": ((b"", "text/plain", 307), {"Location": "http://127.0.0.1:1/elsewhere"}),
    "text": ((b"hello", "text/plain"), {}),
    "compressed": ((b"hello",), {"Content_Encoding": "gzip"}),
    "forgetful": ((b"", "text/plain", 404), {}),
}


def say(*words: object) -> None:
    """Write to standard output, which is a log and nothing else."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body: bytes, kind: str = "application/json", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        say("GET", self.path)
        if WAY != "stream":
            self.answer(b"", status=405)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "by itself"}}
        self.wfile.write(b"data: " + json.dumps(note).encode() + b"\n\n")
        time.sleep(600)

    def do_DELETE(self) -> None:
        say("DELETE", self.headers.get("Mcp-Session-Id"))
        self.answer(b"{}")

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        method, identity = message.get("method"), message.get("id")
        say("POST", method, self.headers.get("Mcp-Method"))
        if identity is None or method is None:
            self.answer(b"", status=202)
            return
        more: Any = {}
        if method == "initialize":
            more = {"Mcp_Session_Id": SESSION}
            result = {
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": {"tools": {}, "logging": {}},
                "serverInfo": {"name": "listening", "version": "1"},
            }
        elif method == "tools/list":
            result = {"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]}
        elif method == "tools/call":
            if self.misbehaved(identity):
                return
            text = json.dumps(message["params"].get("arguments"))
            if "size" in (message["params"].get("arguments") or {}):
                text = "x" * message["params"]["arguments"]["size"]
            result = {"content": [{"type": "text", "text": text}]}
        else:
            result = {}
        reply = json.dumps({"jsonrpc": "2.0", "id": identity, "result": result}).encode()
        if WAY == "stream" and method == "tools/call":
            self.answer(b"data: " + reply + b"\n\n", "text/event-stream", **more)
        else:
            self.answer(reply, **more)

    def misbehaved(self, identity: object) -> bool:
        if WAY in PLAINLY:
            self.answer(*PLAINLY[WAY][0], **PLAINLY[WAY][1])
            return True
        match WAY:
            case "head":
                self.send_response(200)
                for number in range(2000):
                    self.send_header(f"X-{number}", "y" * 100)
                self.end_headers()
            case "exit":
                os._exit(3)
            case "flood":
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                while True:
                    self.wfile.write(b"data: " + b"z" * 60_000 + b"\n\n")
            case "cut":
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "100")
                self.end_headers()
                self.wfile.write(b"{")
                self.close_connection = True
            case _:
                return False
        return True

    def log_message(self, *_: object) -> None:
        pass


if WAY == "late":
    time.sleep(1)
if WAY.startswith("never"):
    time.sleep(float(WAY.removeprefix("never").lstrip("-") or 0))
    sys.exit(4)
sys.stderr.write("listening\n")
ThreadingHTTPServer(("0.0.0.0", PORT), Handler).serve_forever()
