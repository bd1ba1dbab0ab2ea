"""Content that an older version of MCP doesn't know, as text that says what it is.

Members that a version doesn't know are ignored by its clients, and stay. A kind of content that it doesn't know is not:
clients that check a result against their schema refuse all of it.
Sources: the schemas of MCP 2024-11-05, 2025-03-26 (``AudioContent``) and 2025-06-18 (``ResourceLink``).
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
    if kept is result:
        return message
    tree = {**message.tree, "result": kept}
    return Message(message.kind, message.sender, message.id, message.method, tree, message.edits)


def _each(body: dict[str, Any], member: str, version: str, change: Callable[[Any, str], Any]) -> dict[str, Any]:
    """Return a body with the items of a list changed; the body itself, where none was."""
    items = body.get(member)
    if type(items) is not list:
        return body
    changed = [change(item, version) for item in items]
    return body if all(new is old for new, old in zip(changed, items, strict=True)) else {**body, member: changed}


def _said(prompted: Any, version: str) -> Any:
    """Return a message of a prompt, its content in words where it must be."""
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
