"""The routing headers of streamable HTTP: checked against the body on receipt, derived from it on sending.

Source: MCP 2026-07-28, transports, streamable HTTP, standard and custom request headers; SEP-2243.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate import methods, values
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tidegate.message import Id, Message

VERSION, METHOD, NAME, SESSION = "mcp-protocol-version", "mcp-method", "mcp-name", "mcp-session-id"
LAST_EVENT = "last-event-id"
PARAM_PREFIX = "mcp-param-"
ONCE = frozenset((VERSION, METHOD, NAME, SESSION, LAST_EVENT, "authorization", "content-type", "host", "origin"))
"""Headers that two readers could read differently if they came twice."""

_SAFE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_WRAPPED = re.compile(r"=\?base64\?(.*)\?=", re.DOTALL)
_VERSION = re.compile(r"[A-Za-z0-9.-]{1,32}")
_VISIBLE = re.compile(r"[\x21-\x7e]{1,1024}")
_PARAM_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]{1,128}")
_REMEMBERED = 1024  # combinations of plain headers whose check is remembered: those of so many sessions

_KNOWN = {
    name.encode(): name for name in (*ONCE, "accept", "accept-encoding", "connection", "content-length", "user-agent")
}


class Param(NamedTuple):
    """One ``Mcp-Param-*`` header: its name, and the arguments of the body that say the same, as pointers."""

    name: str
    pointers: tuple[str, ...]


Params = tuple[Param, ...]


def decode(value: str) -> str | None:
    """Return what a header value says, its ``=?base64?…?=`` undone; ``None`` where it isn't canonical."""
    found = _WRAPPED.fullmatch(value)
    if found is None:
        return value if value == "" or _SAFE.fullmatch(value) else None
    try:
        raw = base64.b64decode(found[1], validate=True)
        text = raw.decode()
    except (binascii.Error, ValueError):
        return None
    return text if base64.b64encode(raw).decode() == found[1] else None


def encode(text: str) -> str:
    """Return a text as a header value, in ``=?base64?…?=`` where it couldn't stand there as it is."""
    if _SAFE.fullmatch(text) and not _WRAPPED.fullmatch(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


def collect(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return a request's headers by lower-case name, white space around values trimmed.

    Raises:
        Rejected: where one that decides something comes twice.
    """
    out: dict[str, str] = {}
    for key, value in raw:
        name = _KNOWN.get(key) or key.decode("latin-1").lower()
        if name in out and (name in ONCE or name.startswith(PARAM_PREFIX)):
            raise Rejected("header", f"The header {name} stands twice.")
        out[name] = value.decode("latin-1").strip(" \t")
    return out


def check_plain(headers: Mapping[str, str], identity: Id | None = None) -> None:
    """Hold the headers that say no part of a body to their form, so that they can carry nothing else.

    Args:
        headers: the headers.
        identity: the id of the message they came with.

    Raises:
        Rejected: where a version is no short word, or a session or event id isn't visible ASCII.
    """
    wrong = _not_plain(headers.get(VERSION), headers.get(SESSION), headers.get(LAST_EVENT))
    if wrong is not None:
        raise Rejected("invalid", wrong, id=identity)


@lru_cache(_REMEMBERED)
def _not_plain(version: str | None, session: str | None, last_event: str | None) -> str | None:
    """Return what is wrong with these values of headers, or ``None``."""
    if version is not None and not _VERSION.fullmatch(version):
        return "The header MCP-Protocol-Version is no protocol version."
    for name, value in ((SESSION, session), (LAST_EVENT, last_event)):
        if value and not _VISIBLE.fullmatch(value):
            return f"The header {name} must be visible ASCII."
    return None


def routed_name(message: Message) -> str | None:
    """Return what ``Mcp-Name`` says of a message, or ``None`` where its method has none."""
    params = message.tree.get("params")
    method = methods.METHODS.get(message.method or "")
    if method is None or method.target is None or not isinstance(params, dict):
        return None
    value = params.get(method.target[1])
    return value if isinstance(value, str) else None


def check(message: Message, headers: Mapping[str, str]) -> None:
    """Check that routing headers say what the body says, in a version that has them.

    A header that is missing is not added later, so the server judges that itself.

    Raises:
        Rejected: with code ``header`` where they disagree.
    """
    own = methods.version_in(message) if message.method != "initialize" else None
    version = headers.get(VERSION)
    if own is not None and version is not None and own != version:
        raise Rejected("header", "The header MCP-Protocol-Version disagrees with the body.", id=message.id)
    if not methods.is_modern(own or version) or message.method is None:
        return
    if headers.get(METHOD, message.method) != message.method:
        raise Rejected("header", "The header Mcp-Method disagrees with the body.", id=message.id)
    name = headers.get(NAME)
    wanted = routed_name(message)
    if name is not None and wanted is not None and decode(name) != wanted:
        raise Rejected("header", "The header Mcp-Name disagrees with the body.", id=message.id)


def is_param_token(token: str) -> bool:
    """Whether a text can stand behind ``Mcp-Param-`` in a header's name."""
    return _PARAM_NAME.fullmatch(token.lower()) is not None


def said(value: Any) -> str | None:
    """Return what a header says of an argument: a string, a number or a boolean; ``None`` for all others.

    Headers are for strings, integers and booleans. A client may write an integer as 2.0 all the same, here and there.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def params(message: Message, headers: Mapping[str, str]) -> Params:
    """Return the ``Mcp-Param-*`` headers that repeat an argument of the body.

    One that repeats none would carry something past the judges, so it is left out; a server that expects it
    then refuses the message itself.
    """
    given = [(key, value) for key, value in headers.items() if key.startswith(PARAM_PREFIX)]
    if not given:
        return ()
    body = message.tree.get("params")
    arguments = body.get("arguments") if isinstance(body, dict) else None
    repeated: dict[str, list[str]] = {}
    for pointer, value in _leaves(arguments, "/params/arguments"):
        text = said(value)
        if text is not None:
            repeated.setdefault(text, []).append(pointer)
    out = []
    for key, value in given:
        text = decode(value)
        if text is not None and text in repeated and is_param_token(key.removeprefix(PARAM_PREFIX)):
            out.append(Param(key, tuple(repeated[text])))
    return tuple(out)


def _leaves(value: Any, pointer: str) -> Iterable[tuple[str, Any]]:
    stack = [(value, pointer)]
    while stack:
        value, pointer = stack.pop()
        if isinstance(value, dict):
            stack.extend((item, f"{pointer}/{values.escape(key)}") for key, item in value.items())
        elif isinstance(value, list):
            stack.extend((item, f"{pointer}/{index}") for index, item in enumerate(value))
        else:
            yield pointer, value


def derive(message: Message, headers: Mapping[str, str] | None, repeated: Params) -> dict[str, str]:
    """Return the routing headers for a judged message.

    Args:
        message: exactly what is sent.
        headers: the client's headers, of which only those that it sent are sent on, each with what the body
            says now; ``None`` for a client that speaks no HTTP: then all that the version wants.
        repeated: the ``Mcp-Param-*`` headers as :func:`params` found them.

    Raises:
        Rejected: where a rewritten body leaves open what an ``Mcp-Param-*`` header should say.
    """
    out: dict[str, str] = {}
    version = methods.version_in(message) if message.method != "initialize" else None
    if version is None and headers is not None:
        version = headers.get(VERSION)
    if version is not None and (headers is None or VERSION in headers):
        out[VERSION] = version
    if message.is_reply or message.method is None or (headers is None and not methods.is_modern(version)):
        return out
    if headers is None or METHOD in headers:
        out[METHOD] = message.method
    name = routed_name(message)
    if name is not None and (headers is None or NAME in headers):
        out[NAME] = encode(name)
    for param in repeated:
        texts = {said(_at(message, pointer)) for pointer in param.pointers}
        if len(texts) != 1:
            raise Rejected("header", "A rewritten argument leaves a routing header ambiguous.", id=message.id)
        text = texts.pop()
        if text is not None:
            out[param.name] = encode(text)
    return out


def _at(message: Message, pointer: str) -> Any:
    try:
        return values.resolve(message.tree, pointer)
    except values.PointerError:
        return None
