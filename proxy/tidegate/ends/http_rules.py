"""What a server that speaks HTTP asks of a request of 2026-07-28, for servers behind Tidegate that don't speak it.

A remote server checks these itself. In front of a process or a container Tidegate is the HTTP server, so the checks
are its own. Source: MCP 2026-07-28, streamable HTTP, standard and custom request headers; versioning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegate import methods
from tidegate.ends import http_headers
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tidegate.message import Message

_CAPABILITIES = methods.META + "clientCapabilities"
_ANNOTATION = "x-mcp-header"
_DEPTH = 16  # properties within properties that are looked through for annotations


def check(message: Message, headers: Mapping[str, str], tool: Mapping[str, Any] | None) -> None:
    """Hold a message of 2026-07-28 to what an HTTP server must check.

    Args:
        message: the message.
        headers: its headers; those that are there agree with the body already.
        tool: the definition of the tool that is called, where it is known.

    Raises:
        Rejected: with code ``meta``, ``method`` or ``header``.
    """
    if message.method == "initialize":
        raise Rejected("method", "This version of the protocol has no initialize.", id=message.id)
    if message.kind != "request":
        return
    meta = message.meta
    if not methods.is_modern(methods.version_in(message)) or not isinstance(meta.get(_CAPABILITIES), dict):
        reason = "The request's _meta must name the protocol version and the client's capabilities."
        raise Rejected("meta", reason, id=message.id)
    for name, wanted in (
        (http_headers.VERSION, True),
        (http_headers.METHOD, True),
        (http_headers.NAME, http_headers.routed_name(message) is not None),
    ):
        if wanted and name not in headers:
            raise Rejected("header", f"The header {name} is missing.", id=message.id)
    if tool is not None:
        _check_params(message, headers, tool)


def _check_params(message: Message, headers: Mapping[str, str], tool: Mapping[str, Any]) -> None:
    for name, said in wanted_params(message, tool).items():
        given = headers.get(name)
        if given is None and said is None:
            continue
        if given is None or said is None or http_headers.decode(given) != said:
            raise Rejected("header", f"The header {name} disagrees with the body.", id=message.id)


def wanted_params(message: Message, tool: Mapping[str, Any]) -> dict[str, str | None]:
    """Return what the ``Mcp-Param-*`` headers of a call say, by lower-case name; ``None`` where one must be absent."""
    params = message.tree.get("params")
    arguments = params.get("arguments") if isinstance(params, dict) else None
    out: dict[str, str | None] = {}
    for path, token in _annotated(tool.get("inputSchema"), ()):
        value = arguments
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        out[http_headers.PARAM_PREFIX + token.lower()] = http_headers.said(value)
    return out


def _annotated(schema: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the annotated properties of a schema, by their path, with the header's name."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or len(path) >= _DEPTH:
        return
    for key, inner in properties.items():
        token = inner.get(_ANNOTATION) if isinstance(inner, dict) else None
        if isinstance(token, str) and http_headers.is_param_token(token):
            yield (*path, key), token
        yield from _annotated(inner, (*path, key))
