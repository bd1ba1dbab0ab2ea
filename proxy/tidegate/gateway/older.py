"""Content that an older version of MCP doesn't know, as text that says what it is.

Members that a version doesn't know are ignored by its clients, and stay. A kind of content that it doesn't know is not:
clients that check a result against their schema refuse all of it.
Sources: the schemas of MCP 2024-11-05, 2025-03-26 (``AudioContent``), 2025-06-18 (``ResourceLink``) and 2025-11-25
(``SamplingMessage``, ``CreateMessageResult``: several pieces of content at once).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegate import methods
from tidegate.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable

_SINCE = {"audio": methods.V2025_03, "resource_link": methods.V2025_06}


def older_reply(message: Message, *, method: str, version: str) -> Message:
    """Return a server's reply as a client of an older version gets it.

    Args:
        message: the reply.
        method: the method of the request that it answers.
        version: the client's version.
    """
    result = message.tree.get("result")
    if version >= methods.V2025_06 or type(result) is not dict:
        return message
    if method == "tools/call":
        kept = _each(result, "content", version, _block)
    elif method == "prompts/get":
        kept = _each(result, "messages", version, _said)
    else:
        return message
    return message if kept is result else _changed(message, "result", kept)


def older_request(message: Message, *, version: str) -> Message:
    """Return what a server asks of a model as a client of an older version gets it.

    A message of several pieces becomes several messages of one, in their order.

    Args:
        message: the request; of any other method it stays as it is.
        version: the client's version.
    """
    params = message.tree.get("params")
    if message.method != "sampling/createMessage" or version >= methods.V2025_11 or type(params) is not dict:
        return message
    single = params
    said = params.get("messages")
    if type(said) is list and any(type(one) is dict and type(one.get("content")) is list for one in said):
        single = {**params, "messages": [part for one in said for part in _parts(one)]}
    kept = _each(single, "messages", version, _said)
    return message if kept is params else _changed(message, "params", kept)


def older_answer(message: Message, *, method: str, version: str) -> Message:
    """Return what a client's model says as a server of an older version gets it: in one piece, where that can be.

    Args:
        message: the reply.
        method: the method of the request that it answers.
        version: the server's version.
    """
    result = message.tree.get("result")
    if method != "sampling/createMessage" or version >= methods.V2025_11 or type(result) is not dict:
        return message
    content = result.get("content")
    if type(content) is not list:
        return message
    if len(content) == 1:
        return _changed(message, "result", {**result, "content": content[0]})
    texts = [_text(block, "text") if type(block) is dict and block.get("type") == "text" else None for block in content]
    if not texts or None in texts:
        return message
    one = {"type": "text", "text": "\n".join(text for text in texts if text is not None)}
    return _changed(message, "result", {**result, "content": one})


def _parts(said: Any) -> list[Any]:
    """Return a message of a conversation as messages of one piece each."""
    content = said.get("content") if type(said) is dict else None
    return [{**said, "content": block} for block in content] if type(content) is list else [said]


def _changed(message: Message, member: str, body: dict[str, Any]) -> Message:
    tree = {**message.tree, member: body}
    return Message(message.kind, message.sender, message.id, message.method, tree, message.edits)


def _each(body: dict[str, Any], member: str, version: str, change: Callable[[Any, str], Any]) -> dict[str, Any]:
    """Return a body with the items of a list changed; the body itself, where none was."""
    items = body.get(member)
    if type(items) is not list:
        return body
    changed = [change(item, version) for item in items]
    return body if all(new is old for new, old in zip(changed, items, strict=True)) else {**body, member: changed}


def _said(prompted: Any, version: str) -> Any:
    """Return a message of a prompt or conversation, its content in words where it must be."""
    if type(prompted) is not dict:
        return prompted
    content = prompted.get("content")
    known = _block(content, version)
    return prompted if known is content else {**prompted, "content": known}


def _block(block: Any, version: str) -> Any:
    """Return a piece of content, or a text in its place."""
    kind = block.get("type") if type(block) is dict else None
    if type(kind) is not str or version >= _SINCE.get(kind, ""):
        return block
    kept = {key: block[key] for key in ("annotations", "_meta") if key in block}
    return {"type": "text", "text": _audio(block) if kind == "audio" else _link(block), **kept}


def _audio(block: dict[str, Any]) -> str:
    data = block.get("data")
    size = len(data.rstrip("=")) * 3 // 4 if type(data) is str else 0
    return f"[audio, {_text(block, 'mimeType') or 'of no type'}, {size} bytes]"


def _link(block: dict[str, Any]) -> str:
    name = _text(block, "title") or _text(block, "name")
    facts = [fact for fact in (name, _text(block, "mimeType"), _text(block, "description")) if fact]
    return f"[resource {_text(block, 'uri')}{': ' if facts else ''}{', '.join(facts)}]"


def _text(block: dict[str, Any], member: str) -> str:
    value = block.get(member)
    return value if type(value) is str else ""
