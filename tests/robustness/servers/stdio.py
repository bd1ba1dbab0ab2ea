"""An MCP server over stdio that does whatever a tool's name says, good or bad.

`stdio.py [--log FILE] [WORD...]`: appends each line it got to FILE before it acts on it. Words change what it does
from its start on: `deaf` ignores SIGTERM and the end of its input, `forks` starts a grandchild of a session of its
own first, `banner` prints a line that is no message. It uses the standard library alone, to start quickly.
"""

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

LEGACY = "2025-11-25"
CHUNK = 64 * 1024


def say(tree: Any) -> None:
    """Write a message."""
    write(json.dumps({"jsonrpc": "2.0", **tree}).encode() + b"\n")


def write(data: bytes) -> None:
    """Write bytes, all of them."""
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def result(message: Any, text: str) -> dict[str, Any]:
    """Return the reply to a call."""
    return {"id": message["id"], "result": {"content": [{"type": "text", "text": text}]}}


def echo(message: Any, arguments: Any) -> None:
    say(result(message, str(arguments.get("text"))))


def pid(message: Any, _arguments: Any) -> None:
    say(result(message, str(os.getpid())))


def hang(_message: Any, _arguments: Any) -> None:
    """Never answer, but go on with other calls."""


def stuck(_message: Any, _arguments: Any) -> None:
    """Never do anything again."""
    while True:
        signal.pause()


def die(_message: Any, _arguments: Any) -> None:
    os._exit(7)


def die_halfway(message: Any, _arguments: Any) -> None:
    write(json.dumps({"jsonrpc": "2.0", **result(message, "half")}).encode()[:30])
    os._exit(7)


def twice(message: Any, arguments: Any) -> None:
    say(result(message, arguments["text"]))
    say(result(message, "again"))


def others_id(message: Any, arguments: Any) -> None:
    """Answer under ids that others may be using, then under its own."""
    for identity in arguments["ids"]:
        say({**result(message, "not yours"), "id": identity})
    say(result(message, arguments["text"]))


def raw(message: Any, arguments: Any) -> None:
    """Write lines as they are told, then answer."""
    for line in arguments["lines"]:
        write(line.encode("latin-1") + b"\n")
    say(result(message, arguments["text"]))


def long_line(message: Any, arguments: Any) -> None:
    """Write one line of so many bytes, then answer."""
    write(b'{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"')
    for _ in range(arguments["bytes"] // CHUNK):
        write(b"x" * CHUNK)
    write(b'"}}\n')
    say(result(message, arguments["text"]))


FLOODS = {
    "messages": '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"%s"}}',
    "replies": '{"jsonrpc":"2.0","id":"nobody\'s","result":{"content":[{"type":"text","text":"%s"}]}}',
    "garbage": "this is no message: %s",
}


def flood(message: Any, arguments: Any) -> None:
    """Write so many bytes of lines of some kind, then answer."""
    line = (FLOODS[arguments["of"]] % ("x" * arguments["size"])).encode() + b"\n"
    block = line * max(1, CHUNK // len(line))
    for _ in range(arguments["bytes"] // len(block)):
        write(block)
    say(result(message, arguments["text"]))


def complain(message: Any, arguments: Any) -> None:
    """Write so many bytes to standard error, then answer."""
    for _ in range(arguments["bytes"] // CHUNK):
        os.write(2, b"x" * 1000 + b"\n" + b"y" * (CHUNK - 1001))
    say(result(message, arguments["text"]))


def mute(_message: Any, _arguments: Any) -> None:
    """Close the output, and go on."""
    os.close(1)
    stuck(None, None)


def unhearing(message: Any, arguments: Any) -> None:
    """Close the input, answer, and go on."""
    os.close(0)
    say(result(message, arguments["text"]))
    stuck(None, None)


def ask_back(message: Any, arguments: Any) -> None:
    """Send requests that nobody asked for, then answer."""
    for number in range(arguments["count"]):
        say({"id": f"mine-{number}", "method": "roots/list"})
    say(result(message, arguments["text"]))


def forks(*_: Any) -> None:
    """Leave a process behind that isn't our child, nor in our session or group; say its number."""
    heard, sayer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.write(sayer, b"%d\n" % os.getpid())
        while True:
            time.sleep(3600)  # sleep: it is to be killed
    os.wait()
    os.environ["FORKED"] = os.read(heard, 20).decode().strip()


def forked(message: Any, _arguments: Any) -> None:
    say(result(message, os.environ["FORKED"]))


TOOLS: dict[str, Callable[[Any, Any], None]] = {
    tool.__name__: tool
    for tool in (
        echo,
        pid,
        hang,
        stuck,
        die,
        die_halfway,
        twice,
        others_id,
        raw,
        long_line,
        flood,
        complain,
        mute,
        unhearing,
        ask_back,
        forked,
    )
}


def act(message: Any) -> None:
    """Do what a message asks for."""
    params = message.get("params", {})
    method = message.get("method")
    if method == "tools/call" and params.get("name") not in TOOLS:
        method = None
        say({"id": message.get("id"), "error": {"code": -32602, "message": "no such tool"}})
    match method:
        case "initialize":
            info = {"name": "odd", "version": "1"}
            agreed = {"protocolVersion": LEGACY, "capabilities": {"tools": {}}, "serverInfo": info}
            say({"id": message["id"], "result": agreed})
        case "tools/call":
            TOOLS[params["name"]](message, params.get("arguments", {}))
        case str() if "id" in message:
            say({"id": message["id"], "result": {}})


def lines() -> Iterator[bytes]:
    """Yield the lines that come in."""
    rest = b""
    while data := os.read(0, CHUNK):
        *found, rest = (rest + data).split(b"\n")
        yield from found


def main() -> None:
    words = sys.argv[1:]
    log = None
    if "--log" in words:
        log = os.open(words[words.index("--log") + 1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    if "deaf" in words:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "forks" in words:
        forks()
    if "banner" in words:
        write(b"odd server 1.0, listening on standard input\n")
    for line in lines():
        if log is not None:
            os.write(log, line + b"\n")
        act(json.loads(line))
    while "deaf" in words:
        signal.pause()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        main()
