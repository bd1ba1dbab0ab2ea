"""What a tool's result and a server's notifications are on a terminal: text as it is, all else described."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tidegate.cli import output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def lines_of(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield what to print of a tool's result."""
    content = result.get("content")
    blocks = content if isinstance(content, list) else []
    for block in blocks:
        yield from _block(block)
    if not blocks and "structuredContent" in result:
        yield json.dumps(result["structuredContent"], indent=2, ensure_ascii=False)


def _block(block: Any) -> Iterator[str]:
    match block:
        case {"type": "text", "text": str(text)}:
            yield _text(text)
        case {"type": "image" | "audio" as kind, "data": str(data)}:
            yield f"[{kind}: {_mime(block)}, {_decoded(data)}]"
        case {"type": "resource_link", "uri": str(uri)}:
            named = [str(block[key]) for key in ("name", "title", "mimeType") if isinstance(block.get(key), str)]
            yield f"[link: {', '.join([uri, *named])}]"
        case {"type": "resource", "resource": {"uri": str(uri), "text": str(text)} as resource}:
            yield f"[resource: {uri}, {_mime(resource)}]"
            yield _text(text)
        case {"type": "resource", "resource": {"uri": str(uri), "blob": str(data)} as resource}:
            yield f"[resource: {uri}, {_mime(resource)}, {_decoded(data)}]"
        case {"type": str(kind)}:
            yield f"[{kind}: {len(json.dumps(block))} bytes; --json shows it]"
        case _:
            yield f"[what is no content: {len(json.dumps(block))} bytes; --json shows it]"


def _text(text: str) -> str:
    return text.replace("\r\n", "\n").expandtabs().rstrip("\n")


def _mime(block: Mapping[str, Any]) -> str:
    said = block.get("mimeType")
    return said if isinstance(said, str) else "of no type"


def _decoded(data: str) -> str:
    """Return how many bytes a text in Base64 stands for."""
    number = len(data) * 3 // 4 - data[-2:].count("=")
    return size(number)


def size(number: int) -> str:
    """Return a number of bytes for people."""
    if number < 1000:
        return output.counted(number, "byte")
    return f"{number / 1000:.1f} kB" if number < 1_000_000 else f"{number / 1_000_000:.1f} MB"


def heard(message: Mapping[str, Any]) -> str | None:
    """Return the line to print for a notification or request of a server's; ``None`` for what says nothing here."""
    params = message.get("params")
    match message.get("method"), params if isinstance(params, dict) else {}:
        case "notifications/progress", {"progress": int() | float() as done, **rest}:
            total = f"/{rest['total']:g}" if isinstance(rest.get("total"), int | float) else ""
            said = f": {rest['message']}" if isinstance(rest.get("message"), str) else ""
            return f"progress {done:g}{total}{said}"
        case "notifications/message", {"data": data, **rest}:
            text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
            logger = f" {rest['logger']}" if isinstance(rest.get("logger"), str) else ""
            return f"log {rest.get('level', '')}{logger}: {text}"
        case str(method), _ if "id" in message and method != "ping":
            return f"The server asked for {method}, which was refused."
        case _:
            return None
