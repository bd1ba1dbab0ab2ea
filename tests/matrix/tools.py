"""The tools of the matrix's servers, of all versions alike; each has what its version has and no more."""

import asyncio
from typing import TYPE_CHECKING, Any

from matrix import jobs
from matrix.names import LATEST, MODERN

if TYPE_CHECKING:
    from matrix.servers import Speaker, Stream

LARGE, TOO_LARGE = 512 * 1024, 1200 * 1024
LIMIT = 1024 * 1024  # max_message_bytes of the settings of the matrix

_NAMES = (
    "echo",
    "rich",
    "progress",
    "log",
    "wait",
    "sample",
    "roots",
    "both",
    "touch",
    "grow",
    "large",
    "too_large",
    "fails",
    "breaks",
    "coded",
    "ping",
    "watch",
    "halt",
)
_PIXEL = "iVBORw0KGgo="


def definitions(version: str) -> list[dict[str, Any]]:
    """The definitions of the tools."""
    names = [name for name in _NAMES if name not in ("ping", "watch", "halt") or version != MODERN]
    found: list[dict[str, Any]] = [{"name": name, "inputSchema": {"type": "object"}} for name in names]
    if version >= "2025-06-18":
        found.append({"name": "rude", "inputSchema": {"type": "object"}})
        found.append({"name": "elicit", "title": "Elicit", "inputSchema": {"type": "object"}})
        found[1]["outputSchema"] = {"type": "object", "properties": {"n": {"type": "integer"}}}
    if version >= "2025-03-26":
        found[0]["annotations"] = {"readOnlyHint": True, "title": "Echo"}
    if version >= "2025-11-25":
        found.append({"name": "open", "inputSchema": {"type": "object"}})
        found.append({"name": "later", "inputSchema": {"type": "object"}})
        found[0]["icons"] = [{"src": "https://example.com/icon.png"}]
    if version == LATEST:
        found[-1]["execution"] = {"taskSupport": "optional"}
        found.append({"name": "delegate", "inputSchema": {"type": "object"}})
    if version == MODERN:
        found.append({"name": "odd", "inputSchema": {"type": "object"}, "outputSchema": {"type": "array"}})
    return found


def blocks(version: str) -> list[dict[str, Any]]:
    """One piece of content of each kind that a version has."""
    out: list[dict[str, Any]] = [
        {"type": "text", "text": "words"},
        {"type": "image", "data": _PIXEL, "mimeType": "image/png"},
        {"type": "resource", "resource": {"uri": "file:///a", "text": "embedded"}},
    ]
    if version >= "2025-03-26":
        out.append({"type": "audio", "data": _PIXEL, "mimeType": "audio/wav"})
    if version >= "2025-06-18":
        out.append({"type": "resource_link", "uri": "file:///b", "name": "b"})
    return out


def text(said: str, *, error: bool = False) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": said}], **({"isError": True} if error else {})}


async def call(speaker: "Speaker", params: dict[str, Any], stream: "Stream") -> dict[str, Any]:
    """Call a tool."""
    from matrix.servers import RpcError

    name = params["name"]
    if name not in [tool["name"] for tool in speaker.place.listed("tools/list")[1]]:
        raise RpcError(-32602, f"Unknown tool: {name}")
    tool = _TOOLS.get(name)
    given = params.get("arguments") or {}
    return (
        await tool(speaker, params, given.get("token", ""), stream) if tool else text(f"{name} of {speaker.place.name}")
    )


async def _echo(speaker: "Speaker", params: dict[str, Any], token: str, stream: "Stream") -> dict[str, Any]:
    return text(f"{speaker.place.name} {token}")


async def _rich(speaker: "Speaker", params: dict[str, Any], token: str, stream: "Stream") -> dict[str, Any]:
    more = {"structuredContent": {"n": 1}} if speaker.place.version >= "2025-06-18" else {}
    return {"content": blocks(speaker.place.version), **more}


async def _odd(speaker: "Speaker", params: dict[str, Any], token: str, stream: "Stream") -> dict[str, Any]:
    return {"content": [], "structuredContent": [1, 2]}


async def _progress(speaker: "Speaker", params: dict[str, Any], token: str, stream: "Stream") -> dict[str, Any]:
    asked = params.get("_meta", {}).get("progressToken")
    for step in (1, 2, 3) if asked is not None else ():
        said: dict[str, Any] = {"progressToken": asked, "progress": step, "total": 3}
        if speaker.place.version >= "2025-03-26":
            said["message"] = token
        await stream.say({"jsonrpc": "2.0", "method": "notifications/progress", "params": said})
    return text(token)


async def _log(speaker: "Speaker", params: dict[str, Any], token: str, stream: "Stream") -> dict[str, Any]:
    for level in ("debug", "info", "error"):
        await speaker.log(level, token, params, stream)
    return text(token)


async def _wait(speaker: "Speaker", params: dict[str, Any], token: str, stream: "Stream") -> dict[str, Any]:
    asked = params.get("_meta", {}).get("progressToken")
    if asked is not None:
        said = {"progressToken": asked, "progress": 1}
        await stream.say({"jsonrpc": "2.0", "method": "notifications/progress", "params": said})
    speaker.place.record.note("begun", token)
    await asyncio.Event().wait()
    return {}


async def _halt(speaker: "Speaker", params: dict[str, Any], token: str, stream: "Stream") -> dict[str, Any]:
    """Go on when the test says so."""
    record, asked = speaker.place.record, params["_meta"]["progressToken"]
    for step in (1, 2):
        said = {"progressToken": asked, "progress": step}
        await stream.say({"jsonrpc": "2.0", "method": "notifications/progress", "params": said})
        await record.wait("go on", token)
    record.note("gone on", token)
    return text(token)


async def _sample(speaker: "Speaker", params: dict[str, Any], token: str, stream: "Stream") -> dict[str, Any]:
    if not speaker.can("sampling"):
        return text("undeclared")
    answers = await speaker.ask({"model": ("sampling/createMessage", sampling(speaker, token))}, params, stream)
    return text(_words(answers["model"]["content"]))


def sampling(speaker: "Speaker", token: str) -> dict[str, Any]:
    one: Any = {"type": "text", "text": token}
    content = [one, {"type": "text", "text": "!"}] if speaker.place.version >= "2025-11-25" else one
    return {"messages": [{"role": "user", "content": content}], "maxTokens": 10}


def _words(content: Any) -> str:
    return " ".join(block["text"] for block in (content if isinstance(content, list) else [content]))


async def _elicit(speaker: "Speaker", params: dict[str, Any], token: str, stream: "Stream") -> dict[str, Any]:
    if not speaker.can("elicitation"):
        return text("undeclared")
    asked = {"message": token, "requestedSchema": jobs.SCHEMA}
    answers = await speaker.ask({"person": ("elicitation/create", asked)}, params, stream)
    return text(f"{answers['person']['action']} {answers['person']['content']['name']}")


async def _open(speaker: "Speaker", params: dict[str, Any], token: str, stream: "Stream") -> dict[str, Any]:
    """Have the person open a page, if the client can."""
    if "url" not in speaker.capabilities.get("elicitation", {}):
        return text("undeclared")
    asked: dict[str, Any] = {"mode": "url", "message": token, "url": f"https://example.com/{token}"}
    if speaker.place.version != MODERN:
        asked["elicitationId"] = token
    answers = await speaker.ask({"page": ("elicitation/create", asked)}, params, stream)
    return text(answers["page"]["action"])


async def _rude(speaker: "Speaker", params: dict[str, Any], token: str, stream: "Stream") -> dict[str, Any]:
    """Ask for all there is, whatever the client has declared."""
    schema = {"type": "object", "properties": {}}
    asked = {
        "elicitation": ("elicitation/create", {"message": token, "requestedSchema": schema}),
        "sampling": ("sampling/createMessage", sampling(speaker, token)),
        "roots": ("roots/list", dict[str, Any]()),
    }
    await speaker.ask({key: asked[key] for key in params["arguments"]["asks"]}, params, stream)
    return text("answered")


async def _watch(speaker: "Speaker", params: dict[str, Any], token: str, stream: "Stream") -> dict[str, Any]:
    """Ask the model and want to hear how far it is; wait no longer than until it says so."""
    asked = {**sampling(speaker, token), "_meta": {"progressToken": token}}
    asking = asyncio.ensure_future(speaker.ask({"model": ("sampling/createMessage", asked)}, params, stream))
    await speaker.place.record.wait("progress", token)
    asking.cancel()
    await asyncio.wait((asking,))
    return text(token)


async def _roots(speaker: "Speaker", params: dict[str, Any], token: str, stream: "Stream") -> dict[str, Any]:
    if not speaker.can("roots"):
        return text("undeclared")
    answers = await speaker.ask({"roots": ("roots/list", {})}, params, stream)
    return text(" ".join(root["uri"] for root in answers["roots"]["roots"]))


async def _both(speaker: "Speaker", params: dict[str, Any], token: str, stream: "Stream") -> dict[str, Any]:
    """Ask two things at once, then, knowing the answers, another."""
    if not speaker.can("roots") or not speaker.can("sampling"):
        return text("undeclared")
    asked = {"roots": ("roots/list", {}), "model": ("sampling/createMessage", sampling(speaker, token))}
    first = await speaker.ask(asked, params, stream)
    words = _words(first["model"]["content"])
    again = {"last": ("sampling/createMessage", sampling(speaker, words))}
    second = await speaker.ask(again, params, stream)
    return text(f"{first['roots']['roots'][0]['uri']} {_words(second['last']['content'])}")


async def _later(speaker: "Speaker", params: dict[str, Any], token: str, stream: "Stream") -> dict[str, Any]:
    """Do it as a task, if the client can have that."""
    return jobs.begin(speaker, params, token) or text(token)


async def _delegate(speaker: "Speaker", params: dict[str, Any], token: str, stream: "Stream") -> dict[str, Any]:
    """Ask the model by a task of the client's."""
    asked = {**sampling(speaker, token), "task": {"ttl": 60_000}}
    begun = await speaker.ask({"model": ("sampling/createMessage", asked)}, params, stream)
    about = {"taskId": begun["model"]["task"]["taskId"]}
    found = await speaker.ask({"state": ("tasks/get", about), "done": ("tasks/result", about)}, params, stream)
    return text(f"{found['state']['status']} {_words(found['done']['content'])}")


async def _touch(speaker: "Speaker", params: dict[str, Any], token: str, stream: "Stream") -> dict[str, Any]:
    await speaker.place.tell("notifications/resources/updated", {"uri": params["arguments"]["uri"]})
    return text(token)


async def _grow(speaker: "Speaker", params: dict[str, Any], token: str, stream: "Stream") -> dict[str, Any]:
    speaker.place.grown.append(f"grown_{token}")
    await speaker.place.tell("notifications/tools/list_changed", {})
    return text(token)


async def _large(speaker: "Speaker", params: dict[str, Any], token: str, stream: "Stream") -> dict[str, Any]:
    return text(token + "." * LARGE)


async def _too_large(speaker: "Speaker", params: dict[str, Any], token: str, stream: "Stream") -> dict[str, Any]:
    return text("." * TOO_LARGE)


async def _fails(speaker: "Speaker", params: dict[str, Any], token: str, stream: "Stream") -> dict[str, Any]:
    return text(token, error=True)


async def _breaks(speaker: "Speaker", params: dict[str, Any], token: str, stream: "Stream") -> dict[str, Any]:
    from matrix.servers import RpcError

    raise RpcError(-32603, token, {"why": token})


async def _coded(speaker: "Speaker", params: dict[str, Any], token: str, stream: "Stream") -> dict[str, Any]:
    """Answer with an error that only the server's era has."""
    from matrix.servers import RpcError

    if speaker.place.version == MODERN:
        raise RpcError(-32021, token, {"requiredCapabilities": {"extensions": {}}})
    raise RpcError(-32002, token)


async def _ping(speaker: "Speaker", params: dict[str, Any], token: str, stream: "Stream") -> dict[str, Any]:
    await speaker.ask({"ping": ("ping", {})}, params, stream)
    return text(token)


_TOOLS = {
    "echo": _echo,
    "rich": _rich,
    "odd": _odd,
    "progress": _progress,
    "log": _log,
    "wait": _wait,
    "halt": _halt,
    "sample": _sample,
    "elicit": _elicit,
    "open": _open,
    "rude": _rude,
    "watch": _watch,
    "roots": _roots,
    "both": _both,
    "later": _later,
    "delegate": _delegate,
    "touch": _touch,
    "grow": _grow,
    "large": _large,
    "too_large": _too_large,
    "fails": _fails,
    "breaks": _breaks,
    "coded": _coded,
    "ping": _ping,
}
