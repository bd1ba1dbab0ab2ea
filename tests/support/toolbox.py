"""A server with as many tools as one likes, on standard input and output: `toolbox.py NAME COUNT [MORE...]`.

Each tool answers with the params that it was called with. Of `MORE`, `modern` makes it one of 2026-07-28, and any other
word the name of one more tool. `grow` has one more tool then, and says so; `ask` asks the client something first;
`where` answers with the process id; `hang` never does. Names and descriptions are the same each time.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

VERBS = ("create", "delete", "archive", "rename", "export", "share", "lock", "merge", "rotate", "translate")
NOUNS = ("invoice", "calendar", "photo", "ticket", "branch", "recipe", "playlist", "contract", "sensor", "voucher")


def about(number: int) -> tuple[str, str, str]:
    """The verb, the noun and the place of a tool; no other of the first thousands has the same three."""
    return VERBS[number % 10], NOUNS[number // 10 % 10], f"depot{number // 100}"


def tool(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "description": text, "inputSchema": {"type": "object", "properties": {"item": {}}}}


def numbered(number: int) -> dict[str, Any]:
    verb, noun, place = about(number)
    return tool(f"op_{number}", f"Can {verb} one {noun} in {place}.")


def command(name: str, count: int, *more: str) -> list[str]:
    """The command that runs it."""
    return [sys.executable, str(Path(__file__)), name, str(count), *more]


def server(name: str, count: int, *more: str, **settings: Any) -> dict[str, Any]:
    """The members of its `[servers.NAME]`."""
    return {"command": command(name, count, *more), "sandbox": "none", **settings}


class Toolbox:
    """What it has and does."""

    def __init__(self, name: str, count: int, more: list[str]) -> None:
        self.name = name
        self.modern = "modern" in more
        extra = [tool(word, f"The tool {word} of {name}.") for word in more if word != "modern"]
        self.tools = [numbered(number) for number in range(count)] + extra

    def run(self) -> None:
        for line in sys.stdin:
            message = json.loads(line)
            if "id" in message and "method" in message:
                self.answer(message)

    def say(self, **members: Any) -> None:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **members}) + "\n")
        sys.stdout.flush()

    def answer(self, message: dict[str, Any]) -> None:
        result = self.result(message["method"], message.get("params") or {})
        if result is None:
            self.say(id=message["id"], error={"code": -32601, "message": "no such method"})
        else:
            late = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"} if self.modern else {}
            self.say(id=message["id"], result={**result, **late})

    def result(self, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
        able = {"tools": {"listChanged": True}, "prompts": {}}
        if method == "initialize" and not self.modern:
            info = {"name": self.name, "version": "1"}
            version = params["protocolVersion"]
            return {"protocolVersion": version, "capabilities": able, "serverInfo": info, "instructions": "Be kind."}
        if method == "server/discover" and self.modern:
            return {"supportedVersions": ["2026-07-28"], "capabilities": able}
        if method == "ping" and not self.modern:
            return {}
        if method == "tools/list":
            return {"tools": self.tools}
        if method == "prompts/list":
            return {"prompts": [{"name": f"about_{self.name}"}]}
        return self.called(params) if method == "tools/call" else None

    def called(self, params: dict[str, Any]) -> dict[str, Any]:
        said = json.dumps({"name": params["name"], "arguments": params.get("arguments")}, sort_keys=True)
        if params["name"] == "grow":
            self.tools.append(tool("grown", "Something quite new."))
            self.say(method="notifications/tools/list_changed")
        elif params["name"] == "hang":
            sys.stdin.read()
        elif params["name"] == "where":
            said = str(os.getpid())
        elif params["name"] == "ask":
            schema = {"type": "object", "properties": {"name": {"type": "string"}}}
            self.say(id=1, method="elicitation/create", params={"message": "Which?", "requestedSchema": schema})
            said = json.loads(sys.stdin.readline())["result"]["content"]["name"]
        return {"content": [{"type": "text", "text": said}]}


if __name__ == "__main__":
    Toolbox(sys.argv[1], int(sys.argv[2]), sys.argv[3:]).run()
