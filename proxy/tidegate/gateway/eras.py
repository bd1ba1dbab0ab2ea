"""Single messages from one era of MCP to the other: requests, replies and notifications.

Each function takes a message and returns it as the other era says it; the same object where nothing differs. Nothing
that has a meaning in one era only gets into the other: where the sender didn't mean it, the receiver mustn't read it.
Sources: MCP 2025-11-25 and 2026-07-28, schemas; 2026-07-28, base protocol (``_meta``, error codes), caching, multi
round-trip requests, subscriptions, resources (error handling).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegate import methods, values
from tidegate.message import Message

if TYPE_CHECKING:
    from tidegate.message import Id

CAPABILITIES_KEY = methods.META + "clientCapabilities"
LEVEL_KEY = methods.META + "logLevel"
SERVER_KEY = methods.META + "serverInfo"
RELATED_TASK_KEY = methods.META + "related-task"

LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""The levels of logging, of both eras."""

ASKING = frozenset(("tools/call", "prompts/get", "resources/read"))
"""The requests that 2026-07-28 lets a server answer with what it needs to know first (multi round-trip requests)."""

QUESTIONS = 32
"""How many questions may be asked at once."""

CACHED = frozenset(
    (
        "server/discover",
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "resources/read",
    )
)
"""The requests whose results must say in 2026-07-28 how long and by whom they may be kept (caching)."""

_MODERN_REQUEST = frozenset((methods.VERSION_KEY, CAPABILITIES_KEY, methods.CLIENT_KEY, LEVEL_KEY))
_MODERN_RESULT = frozenset((SERVER_KEY, methods.SUBSCRIPTION_KEY))
_SUBSCRIPTION = frozenset((methods.SUBSCRIPTION_KEY,))
_RELATED_TASK = frozenset((RELATED_TASK_KEY,))
_RETRY = frozenset(("inputResponses", "requestState"))
_TASK = frozenset(("task",))
_EXECUTION = frozenset(("execution",))
_CACHE = frozenset(("resultType", "ttlMs", "cacheScope"))
_RESULT_TYPE = frozenset(("resultType",))

_INVALID_REQUEST, _INVALID_PARAMS, _INTERNAL = -32600, -32602, -32603
_NOT_FOUND, _URL_REQUIRED = -32002, -32042
_HEADER, _CAPABILITY, _VERSION = -32020, -32021, -32022
_OWN = -32000  # of the codes that an implementation may use as it likes: -32019 to -32000
_TO_LEGACY = {_HEADER: _INTERNAL, _CAPABILITY: _INVALID_REQUEST, _VERSION: _INVALID_PARAMS}


def modern_request(
    message: Message, *, client: dict[str, Any], capabilities: dict[str, Any], level: str | None
) -> Message:
    """Return a legacy client's request as a modern server gets it.

    Args:
        message: the request.
        client: the ``clientInfo`` of its ``initialize``.
        capabilities: what the client can do, as :func:`tidegate.gateway.capabilities.told` says it.
        level: what it has set by ``logging/setLevel``; nothing is logged to who hasn't.
    """
    params = message.tree.get("params")
    params = params if type(params) is dict else {}
    said = params.get("_meta")
    meta = _less(said, _RELATED_TASK) if type(said) is dict else {}
    meta = {**meta, methods.VERSION_KEY: methods.MODERN, CAPABILITIES_KEY: capabilities, methods.CLIENT_KEY: client}
    if level is not None:
        meta[LEVEL_KEY] = level
    else:
        meta.pop(LEVEL_KEY, None)
    return _changed(message, "params", {**_less(params, _augmented(message)), "_meta": meta})


def legacy_request(message: Message) -> Message:
    """Return a modern client's request as a legacy server gets it."""
    params = message.tree.get("params")
    if type(params) is not dict:
        return message
    kept = _bare(_less(params, _augmented(message)), _MODERN_REQUEST | _SUBSCRIPTION)
    if not kept and params:
        return Message(
            message.kind,
            message.sender,
            message.id,
            message.method,
            {key: value for key, value in message.tree.items() if key != "params"},
            message.edits,
        )
    return message if kept is params else _changed(message, "params", kept)


def modern_reply(
    message: Message,
    *,
    method: str,
    capabilities: dict[str, Any] | None = None,
    server: dict[str, Any] | None = None,
) -> Message:
    """Return a legacy server's reply as a modern client gets it.

    An error -32042 becomes a question, where the client can open URLs and the request may be answered with one.

    Args:
        message: the reply.
        method: the method of the request that it answers.
        capabilities: what the client declared in that request.
        server: the ``serverInfo`` that the result is to name, if any.
    """
    if message.kind == "error":
        return _modern_error(message, method, capabilities or {})
    result = message.tree.get("result")
    if type(result) is not dict:
        return message
    kept = _bare(result, _RELATED_TASK)
    said = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"} if method in CACHED else _COMPLETE
    if server is not None:
        meta = kept.get("_meta")
        said = {**said, "_meta": {**(meta if type(meta) is dict else {}), SERVER_KEY: server}}
    return _changed(message, "result", {**kept, **said})


def untasked(tool: Any) -> Any:
    """Return a legacy server's definition of a tool as a modern client gets it: without how it stands to tasks."""
    return _less(tool, _EXECUTION) if type(tool) is dict else tool


_COMPLETE: dict[str, Any] = {"resultType": "complete"}


def legacy_reply(message: Message, *, method: str, version: str) -> Message:
    """Return a modern server's reply as a legacy client gets it.

    A result of another type than ``complete`` has no counterpart, so it becomes an error; what a server needs to know
    first is asked by ``asking.py`` before it comes to this.

    Args:
        message: the reply.
        method: the method of the request that it answers.
        version: the client's version.
    """
    if message.kind == "error":
        return _legacy_error(message, method)
    result = message.tree.get("result")
    if type(result) is not dict:
        return message
    if result.get("resultType", "complete") != "complete":
        text = f"The server's result is of a type that protocol version {version} doesn't have."
        return failed(message, _INTERNAL, text)
    kept = _bare(_less(result, _CACHE if method in CACHED else _RESULT_TYPE), _MODERN_RESULT)
    if method == "tools/call" and "structuredContent" in kept and type(kept["structuredContent"]) is not dict:
        kept = _unstructured(kept)
    elif method == "tools/list":
        kept = _plain_schemas(kept)
    return message if kept is result else _changed(message, "result", kept)


def modern_notification(message: Message, subscription_id: Id | None) -> Message | None:
    """Return a legacy side's notification as a modern side gets it; ``None`` where it has no such notification.

    Args:
        message: the notification.
        subscription_id: the id of the ``subscriptions/listen`` request on whose stream it goes out; ``None`` for what
            belongs to another request, or goes to a server.
    """
    if not methods.may_send(message.sender, message.method or "", methods.MODERN):
        return None
    params = message.tree.get("params")
    if subscription_id is None:
        return _stripped(message, params, _SUBSCRIPTION | _RELATED_TASK)
    params = params if type(params) is dict else {}
    said = params.get("_meta")
    meta = _less(said, _RELATED_TASK) if type(said) is dict else {}
    return _changed(message, "params", {**params, "_meta": {**meta, methods.SUBSCRIPTION_KEY: subscription_id}})


def legacy_notification(message: Message, version: str = methods.V2025_11) -> Message | None:
    """Return a modern side's notification as a legacy side gets it; ``None`` where it has no such notification.

    Args:
        message: the notification.
        version: the version of who gets it.
    """
    if not methods.may_send(message.sender, message.method or "", version):
        return None
    return _stripped(message, message.tree.get("params"), _SUBSCRIPTION | _MODERN_REQUEST)


def failed(message: Message, code: int, text: str, data: Any = None) -> Message:
    """Return an error in the place of a reply.

    Args:
        message: the reply, whose id and sender it has.
        code: the error's code.
        text: one sentence; nothing of a message's body.
        data: the error's ``data``, if any.
    """
    error = {"code": code, "message": text, **({} if data is None else {"data": data})}
    tree = {"jsonrpc": "2.0", "id": message.id, "error": error}
    return Message("error", message.sender, message.id, message.method, tree, message.edits)


def _modern_error(message: Message, method: str, capabilities: dict[str, Any]) -> Message:
    """Return an error without codes that 2026-07-28 has retired or has given another meaning (error codes)."""
    code = message.tree["error"]["code"]
    if code == _URL_REQUIRED:
        return _url_required(message, method, capabilities)
    if code == _NOT_FOUND:
        return _recoded(message, _INVALID_PARAMS)
    return _recoded(message, _OWN) if -32099 <= code <= _HEADER else message


def _url_required(message: Message, method: str, capabilities: dict[str, Any]) -> Message:
    """Return the URLs that a server wants opened first as questions (2025-11-25, URL elicitation required)."""
    data = message.tree["error"].get("data")
    found = data.get("elicitations") if type(data) is dict else None
    asked: dict[str, Any] = {}
    for item in found if type(found) is list else ():
        if type(item) is not dict or type(item.get("url")) is not str or type(item.get("message")) is not str:
            return _recoded(message, _OWN)
        told = {"mode": "url", "message": item["message"], "url": item["url"]}
        asked[f"elicitation-{len(asked) + 1}"] = {"method": "elicitation/create", "params": told}
    if not asked or len(asked) > QUESTIONS or method not in ASKING:
        return _recoded(message, _OWN)
    declared = capabilities.get("elicitation")
    if type(declared) is not dict or "url" not in declared:
        needed: dict[str, Any] = {"requiredCapabilities": {"elicitation": {"url": {}}}}
        return failed(message, _CAPABILITY, message.tree["error"]["message"], needed)
    tree = {"jsonrpc": "2.0", "id": message.id, "result": {"resultType": "input_required", "inputRequests": asked}}
    return Message("result", message.sender, message.id, message.method, tree, message.edits)


def _legacy_error(message: Message, method: str) -> Message:
    """Return an error with a code that legacy clients know."""
    error = message.tree["error"]
    code = error["code"]
    if code == _INVALID_PARAMS and method == "resources/read":
        data = error.get("data")  # only what says the URI can be told from other invalid params (resources, errors)
        return _recoded(message, _NOT_FOUND) if type(data) is dict and type(data.get("uri")) is str else message
    return _recoded(message, _TO_LEGACY[code]) if code in _TO_LEGACY else message


def _recoded(message: Message, code: int) -> Message:
    return _changed(message, "error", {**message.tree["error"], "code": code})


def _unstructured(result: dict[str, Any]) -> dict[str, Any]:
    """Return a tool's result without structured content that is no object: only 2026-07-28 has that (tools)."""
    kept = {key: value for key, value in result.items() if key != "structuredContent"}
    if not kept.get("content"):
        text = values.encode(result["structuredContent"]).decode()
        kept["content"] = [{"type": "text", "text": text}]
    return kept


def _plain_schemas(result: dict[str, Any]) -> dict[str, Any]:
    """Return a list of tools without output schemas of anything but objects: only 2026-07-28 has those (tools)."""
    tools = result.get("tools")
    if type(tools) is not list or not any(_odd_schema(tool) for tool in tools):
        return result
    plain = [_less(tool, frozenset(("outputSchema",))) if _odd_schema(tool) else tool for tool in tools]
    return {**result, "tools": plain}


def _odd_schema(tool: Any) -> bool:
    if type(tool) is not dict or "outputSchema" not in tool:
        return False
    schema = tool["outputSchema"]
    return type(schema) is not dict or schema.get("type") != "object"


def _augmented(message: Message) -> frozenset[str]:
    """Return the members of ``params`` that only one era gives a meaning to."""
    if message.method == "tools/call":
        return _RETRY | _TASK
    return _RETRY if message.method in ASKING else frozenset()


def _stripped(message: Message, params: Any, keys: frozenset[str]) -> Message:
    kept = _bare(params, keys) if type(params) is dict else params
    return message if kept is params else _changed(message, "params", kept)


def _bare(body: dict[str, Any], keys: frozenset[str]) -> dict[str, Any]:
    """Return a body without some members of its ``_meta``; without ``_meta``, where nothing else is in it."""
    meta = body.get("_meta")
    if type(meta) is not dict or meta.keys().isdisjoint(keys):
        return body
    kept = _less(meta, keys)
    if kept:
        return {**body, "_meta": kept}
    return {key: value for key, value in body.items() if key != "_meta"}


def _less(tree: dict[str, Any], keys: frozenset[str]) -> dict[str, Any]:
    """Return an object without some members; the object itself, where it has none of them."""
    if tree.keys().isdisjoint(keys):
        return tree
    return {key: value for key, value in tree.items() if key not in keys}


def _changed(message: Message, member: str, body: dict[str, Any]) -> Message:
    """Return a copy of a message with another body."""
    tree = {**message.tree, member: body}
    return Message(message.kind, message.sender, message.id, message.method, tree, message.edits)
