"""The vocabulary of MCP: the only place that knows what a method means.

Everything here serves judging: which name a message is about, who may send what in which version, what
belongs to the envelope and must not be redacted. A method that isn't here is still judged like any other.
Source: the schemas of the five protocol versions named in :data:`VERSIONS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tidegate import values

if TYPE_CHECKING:
    from tidegate.message import Message, Sender

V2024 = "2024-11-05"
V2025_03 = "2025-03-26"
V2025_06 = "2025-06-18"
V2025_11 = "2025-11-25"
MODERN = "2026-07-28"
VERSIONS = (V2024, V2025_03, V2025_06, V2025_11, MODERN)
NOTICED = ("tools", "prompts", "resources")
"""The capabilities whose lists' changes a client may be told of."""

BATCHING = V2025_03
"""The one version in which a JSON array of messages may be sent (2025-03-26, base protocol, batching)."""

META = "io.modelcontextprotocol/"
VERSION_KEY, CLIENT_KEY, SUBSCRIPTION_KEY = (
    META + "protocolVersion",
    META + "clientInfo",
    META + "subscriptionId",
)

TargetKind = Literal["tool", "prompt", "resource", "task", "host"]


class Target(NamedTuple):
    """What a message is about: a tool, prompt, resource or task, by its name or URI (or the host of an event)."""

    kind: TargetKind
    name: str


class Method(NamedTuple):
    """One method or notification of MCP.

    Attributes:
        name: the JSON-RPC method.
        request: whether it is a request; otherwise a notification.
        client: the versions in which a client sends it.
        server: the versions in which a server sends it.
        target: the kind of its target, and the member of ``params`` that names it.
        listing: for a method that lists targets, their kind and the member of ``result`` that holds them.
    """

    name: str
    request: bool
    client: tuple[str, ...] = ()
    server: tuple[str, ...] = ()
    target: tuple[TargetKind, str] | None = None
    listing: tuple[TargetKind, str] | None = None


_A, _B, _C, _D, _E = ((version,) for version in VERSIONS)
_AD, _AE = VERSIONS[:4], VERSIONS

_TABLE = (
    Method("initialize", request=True, client=_AD),
    Method("notifications/initialized", request=False, client=_AD),
    Method("server/discover", request=True, client=_E),
    Method("ping", request=True, client=_AD, server=_AD),
    Method("tools/list", request=True, client=_AE, listing=("tool", "tools")),
    Method("tools/call", request=True, client=_AE, target=("tool", "name")),
    Method("prompts/list", request=True, client=_AE, listing=("prompt", "prompts")),
    Method("prompts/get", request=True, client=_AE, target=("prompt", "name")),
    Method("resources/list", request=True, client=_AE, listing=("resource", "resources")),
    Method("resources/templates/list", request=True, client=_AE, listing=("resource", "resourceTemplates")),
    Method("resources/read", request=True, client=_AE, target=("resource", "uri")),
    Method("resources/subscribe", request=True, client=_AD, target=("resource", "uri")),
    Method("resources/unsubscribe", request=True, client=_AD, target=("resource", "uri")),
    Method("completion/complete", request=True, client=_AE),
    Method("subscriptions/listen", request=True, client=_E),
    Method("logging/setLevel", request=True, client=_AD),
    Method("tasks/get", request=True, client=_D + _E, server=_D, target=("task", "taskId")),
    Method("tasks/list", request=True, client=_D, server=_D),
    Method("tasks/cancel", request=True, client=_D + _E, server=_D, target=("task", "taskId")),
    Method("tasks/result", request=True, client=_D, server=_D, target=("task", "taskId")),
    Method("tasks/update", request=True, client=_E, target=("task", "taskId")),
    Method("sampling/createMessage", request=True, server=_AD),
    Method("elicitation/create", request=True, server=_C + _D),
    Method("roots/list", request=True, server=_AD),
    Method("notifications/cancelled", request=False, client=_AE, server=_AE),
    Method("notifications/progress", request=False, client=_AD, server=_AE),
    Method("notifications/message", request=False, server=_AE),
    Method("notifications/tools/list_changed", request=False, server=_AE),
    Method("notifications/prompts/list_changed", request=False, server=_AE),
    Method("notifications/resources/list_changed", request=False, server=_AE),
    Method("notifications/resources/updated", request=False, server=_AE, target=("resource", "uri")),
    Method("notifications/subscriptions/acknowledged", request=False, server=_E),
    Method("notifications/roots/list_changed", request=False, client=_AD),
    Method("notifications/elicitation/complete", request=False, server=_D),
    Method("notifications/tasks/status", request=False, client=_D, server=_D),
    Method("notifications/tasks", request=False, server=_E),
)

METHODS: dict[str, Method] = {method.name: method for method in _TABLE}
"""Every method and notification of every version, by name."""

_NAMING = frozenset(name for name, method in METHODS.items() if method.target) | {
    "completion/complete",
    "subscriptions/listen",
}

ROUTED = frozenset(
    (
        "name",
        "uri",
        "ref",
        "taskId",
        "arguments",
        "_meta",
        "requestState",
        "inputResponses",
        "notifications",
        "resourceSubscriptions",
    )
)
"""Members of ``params`` that decide where a request goes or what it does. A member that differs from one of
them in case only is refused, because parsers that ignore case (Go's, for one) would take it for it."""

ROUTED_INSIDE = {
    "ref": frozenset(("type", "name", "uri")),
    "notifications": frozenset(("resourceSubscriptions",)),
}
"""The same for members of members of ``params``."""

_FIXED_ANYWHERE = frozenset(
    (
        "type",
        "resultType",
        "cursor",
        "nextCursor",
        "requestState",
        "mimeType",
        "role",
        "method",  # of an input request (2026-07-28, multi round-trip requests)
        "action",  # of an answer to an elicitation
        "taskId",
        "taskIds",
        "status",
        "resourceSubscriptions",
        "supportedVersions",
    )
)
_FIXED_PARAMS = frozenset(
    (
        "name",
        "uri",
        "ref",
        "taskId",
        "requestId",
        "progressToken",
        "protocolVersion",
        "level",
        "cursor",
        "requestState",
    )
)
_LISTED_FIXED = frozenset(("name", "uri", "uriTemplate"))


def targets(message: Message) -> tuple[Target, ...]:
    """Return what a message is about: none, one, or several (a listen request names many resources).

    For a reply these are empty: its request's targets are those of :attr:`Flow.request`.
    """
    if message.method not in _NAMING or message.is_reply:
        return ()
    named = METHODS[message.method].target
    if named is not None:
        name = (message.tree.get("params") or {}).get(named[1])
        return (Target(named[0], name),) if isinstance(name, str) else ()
    return tuple(Target(kind, name) for kind, name in _named(message) if isinstance(name, str))


def unreadable(message: Message) -> tuple[TargetKind, ...]:
    """Return the kinds of targets that a message names in no readable way: the name is missing, or no string.

    A lenient server may find a target there that isn't among :func:`targets`.
    """
    if message.method not in _NAMING or message.is_reply:
        return ()
    return tuple(kind for kind, name in _named(message) if not isinstance(name, str))


def _named(message: Message) -> list[tuple[TargetKind, Any]]:
    """Return all that a message of a method of :data:`_NAMING` names, readable or not."""
    params = message.tree.get("params") or {}
    method = METHODS[message.method or ""]
    if method.target is not None:
        kind, member = method.target
        return [(kind, params.get(member))]
    return _completed(params.get("ref")) if method.name == "completion/complete" else _subscribed(params)


def _completed(ref: Any) -> list[tuple[TargetKind, Any]]:
    """Return both that a reference may name, because the server goes by its type."""
    members: tuple[tuple[str, TargetKind], ...] = (("name", "prompt"), ("uri", "resource"))
    found = [(kind, ref[member]) for member, kind in members if member in ref] if isinstance(ref, dict) else []
    return found or [("prompt", None)]


def _subscribed(params: dict[str, Any]) -> list[tuple[TargetKind, Any]]:
    found: list[tuple[TargetKind, Any]] = []
    for source in (params.get("notifications"), params):
        uris = source.get("resourceSubscriptions") if isinstance(source, dict) else None
        if uris is not None:
            found += [("resource", uri) for uri in (uris if isinstance(uris, list) else [uris])]
    return found


def listing(message: Message) -> tuple[TargetKind, str] | None:
    """Return, for a result that lists targets, their kind and the member of ``result`` that holds them."""
    method = METHODS.get(message.method or "")
    return method.listing if method and message.kind == "result" else None


_SAYS_NOTHING = frozenset(
    ("initialize", "server/discover", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe")
)


def tells(message: Message) -> bool:
    """Whether a server's message may hold what the server keeps: all but lists, handshakes and notices of changes."""
    method = message.method or ""
    if method in _SAYS_NOTHING or method.endswith("/list_changed"):
        return False
    known = METHODS.get(method)
    return known is None or known.listing is None


def version_in(message: Message) -> str | None:
    """Return the protocol version that a message itself names.

    2026-07-28 and later say it in every request's ``_meta``; earlier ones once, in ``initialize``.
    """
    if message.method == "initialize":
        body = message.tree.get("params" if message.kind == "request" else "result")
        version = body.get("protocolVersion") if isinstance(body, dict) else None
    else:
        version = message.meta.get(VERSION_KEY)
    return version if isinstance(version, str) else None


def is_modern(version: str | None) -> bool:
    """Whether a version is one without sessions: 2026-07-28 or later. Dates compare as text."""
    return version is not None and version >= MODERN


def noticed_in(reply: Message) -> frozenset[str]:
    """Return of which lists a result of ``initialize`` says that the client is told of changes."""
    result = reply.tree.get("result")
    said = result.get("capabilities") if isinstance(result, dict) else None
    able = said if isinstance(said, dict) else {}
    told = {kind: value.get("listChanged") for kind, value in able.items() if isinstance(value, dict)}
    return frozenset(kind for kind in NOTICED if told.get(kind) is True)


def client_in(message: Message) -> tuple[str, str] | None:
    """Return name and version of the client, where a message says them; self-reported, so never trusted."""
    if message.method == "initialize" and message.kind == "request":
        params = message.tree.get("params")
        info = params.get("clientInfo") if isinstance(params, dict) else None
    else:
        info = message.meta.get(CLIENT_KEY)
    if not isinstance(info, dict):
        return None
    name, version = info.get("name"), info.get("version")
    return (name if isinstance(name, str) else "", version if isinstance(version, str) else "")


def may_send(sender: Sender, method: str, version: str) -> bool:
    """Whether a version of the protocol lets a side send a method; an unknown method may always be sent."""
    known = METHODS.get(method)
    return known is None or version in (known.client if sender == "client" else known.server)


def is_payload(message: Message, pointer: str) -> bool:
    """Whether a redaction may change the string at a pointer.

    Names, URIs, cursors, states, ids, types and everything else that decides how a message is routed or read
    is not payload. Neither are ``jsonrpc``, ``id``, ``method`` and the error code.
    """
    try:
        tokens = values.split(pointer)
    except values.PointerError:
        return False
    if values.NESTED in tokens:  # what is inside of a string is as fixed as the string
        tokens = tokens[: tokens.index(values.NESTED)]
    if len(tokens) < 2:
        return False
    top, rest = tokens[0], tokens[1:]
    if top == "error":
        return rest[0] in ("message", "data")
    if top not in ("params", "result"):
        return top not in ("jsonrpc", "id", "method")
    if rest[0] in ("arguments", "structuredContent"):
        return True
    if rest[0] == "_meta":
        return len(rest) > 1 and not rest[1].startswith(META.replace("/", "~1")) and rest[1] != "progressToken"
    if top == "params" and (rest[0] == "ref" or (len(rest) == 1 and rest[0] in _FIXED_PARAMS)):
        return False
    member = next((token for token in reversed(rest) if not token.isdigit()), "")
    return rest != ["protocolVersion"] and member not in _FIXED_ANYWHERE and not _is_listed_name(message, rest)


def _is_listed_name(message: Message, rest: list[str]) -> bool:
    """Whether it is the name of a listed item, or the URI of a content: what later requests refer to."""
    found = listing(message)
    if found and rest[0] == found[1]:
        return len(rest) == 3 and rest[2] in _LISTED_FIXED
    return rest[-1] == "uri" and rest[0] in ("contents", "content", "messages")
