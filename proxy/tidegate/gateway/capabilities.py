"""What clients and servers say that they can do, in both eras: capabilities, handshakes, instructions.

Sources: MCP 2025-11-25, lifecycle; 2026-07-28, base protocol (``_meta``), discovery; the schemas of all versions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegate import methods
from tidegate.gateway.eras import CAPABILITIES_KEY, SERVER_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tidegate.message import Message

TASKS = methods.META + "tasks"
"""The extension by which 2026-07-28 has tasks; 2025-11-25 has others, as a capability of that name."""

LEGACY = tuple(version for version in methods.VERSIONS if not methods.is_modern(version))
"""The versions that are agreed on by ``initialize``, oldest first."""

NAMELESS = {"name": "unknown", "version": "unknown"}
"""The server information of a server that says none, which it needn't in 2026-07-28."""


def client_capabilities_of(message: Message, version: str | None) -> dict[str, Any]:
    """Return what a client declares in a message that declares it: ``initialize``, or any modern request.

    Args:
        message: the request.
        version: the client's version.
    """
    if methods.is_modern(version):
        said = message.meta.get(CAPABILITIES_KEY)
    else:
        params = message.tree.get("params")
        said = params.get("capabilities") if message.method == "initialize" and type(params) is dict else None
    return said if type(said) is dict else {}


def told(capabilities: dict[str, Any], *, client: str, server: str) -> dict[str, Any]:
    """Return a client's capabilities as a server is told them: no more than both of their versions have.

    Args:
        capabilities: what the client declared.
        client: the client's version.
        server: the server's version.
    """
    kept = dict(capabilities)
    if methods.is_modern(client) != methods.is_modern(server):
        kept.pop("tasks", None)
        _less_tasks(kept)
        if type(kept.get("roots")) is dict:  # a modern client has no notification of changed roots
            kept["roots"] = {key: value for key, value in kept["roots"].items() if key != "listChanged"}
    asked = kept.get("elicitation")
    if type(asked) is dict and asked and "form" not in asked and server < methods.V2025_11:
        del kept["elicitation"]  # of the two modes those versions have the form only, which the client can't show
    return kept


def legacy_capabilities(capabilities: dict[str, Any]) -> dict[str, Any]:
    """Return a modern server's capabilities as a legacy client is told them.

    Extensions stay, because some are of both eras (user interfaces), all but the one of tasks.
    """
    kept = dict(capabilities)
    kept.pop("tasks", None)
    _less_tasks(kept)
    return kept


def modern_capabilities(capabilities: dict[str, Any]) -> dict[str, Any]:
    """Return a legacy server's capabilities as a modern client is told them: without its tasks."""
    return legacy_capabilities(capabilities)


def _less_tasks(capabilities: dict[str, Any]) -> None:
    """Take the extension of tasks out of a copy of capabilities."""
    extensions = capabilities.get("extensions")
    if type(extensions) is dict and TASKS in extensions:
        kept = {key: value for key, value in extensions.items() if key != TASKS}
        capabilities["extensions"] = kept
        if not kept:
            del capabilities["extensions"]


def merged(several: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what several servers can do together; one server's capabilities as they are.

    A flag is set where one of them sets it. An extension or an experiment on which those that have it don't agree is
    left out: one endpoint can't say both.
    """
    if len(several) == 1:
        return several[0]
    union: dict[str, Any] = {}
    for name in ("completions", "logging", "prompts", "resources", "tools", "tasks"):
        values = [each[name] for each in several if type(each.get(name)) is dict]
        if values:
            union[name] = _united(values)
    for name in ("extensions", "experimental"):
        values = [each[name] for each in several if type(each.get(name)) is dict]
        agreed_on = _agreeing(values)
        if agreed_on:
            union[name] = agreed_on
    return union


def _united(values: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the union of flags, at any depth: true where one is."""
    union: dict[str, Any] = {}
    for value in values:
        for key, item in value.items():
            before = union.get(key)
            if type(item) is dict:
                union[key] = _united([before, item]) if type(before) is dict else item
            elif item is True or key not in union:
                union[key] = item
    return union


def _agreeing(values: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the members on which all that have them agree."""
    union: dict[str, Any] = {}
    refused: set[str] = set()
    for value in values:
        for key, item in value.items():
            if union.setdefault(key, item) != item:
                refused.add(key)
    return {key: item for key, item in union.items() if key not in refused}


def discovered(initialize_result: dict[str, Any]) -> dict[str, Any]:
    """Return the result of ``server/discover`` that a legacy server's ``initialize`` result amounts to."""
    said = initialize_result.get("capabilities")
    result: dict[str, Any] = {
        "resultType": "complete",
        "supportedVersions": [methods.MODERN],
        "capabilities": modern_capabilities(said) if type(said) is dict else {},
        "ttlMs": 0,
        "cacheScope": "private",
    }
    if type(initialize_result.get("instructions")) is str:
        result["instructions"] = initialize_result["instructions"]
    if type(initialize_result.get("serverInfo")) is dict:
        result["_meta"] = {SERVER_KEY: initialize_result["serverInfo"]}
    return result


def initialized(discover_result: dict[str, Any], version: str) -> dict[str, Any]:
    """Return the result of ``initialize`` that a modern server's ``server/discover`` result amounts to.

    Args:
        discover_result: what the server said.
        version: the version agreed on with the client.
    """
    said, meta = discover_result.get("capabilities"), discover_result.get("_meta")
    who = meta.get(SERVER_KEY) if type(meta) is dict else None
    result: dict[str, Any] = {
        "protocolVersion": version,
        "capabilities": legacy_capabilities(said) if type(said) is dict else {},
        "serverInfo": who if type(who) is dict else dict(NAMELESS),
    }
    if type(discover_result.get("instructions")) is str:
        result["instructions"] = discover_result["instructions"]
    return result


def merged_instructions(several: Iterable[tuple[str, str]]) -> str | None:
    """Return the instructions of several servers in one text that says whose they are; ``None`` where there are none.

    Every line of a server's is quoted, so none can pass for the heading of another's. Those of a single server stay
    as they are, if it is the only one there is.

    Args:
        several: the name of each server there is, and its instructions; no text, where it says or is nothing.
    """
    names = list(several)
    said = [(name, text) for name, text in names if text.strip()]
    if not said or len(names) < 2:
        return said[0][1] if said else None
    return "\n\n".join(f"The server {name} says:\n{_quoted(text)}" for name, text in said)


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines())


def agreed(asked: str | None, known: Iterable[str] = LEGACY) -> str:
    """Return the version that an ``initialize`` is answered with: the one asked for, or else the latest known.

    Args:
        asked: what the client's ``initialize`` says.
        known: the versions that can be spoken; those without ``initialize`` don't count.

    Raises:
        ValueError: where none of them has ``initialize``.
    """
    legacy = [version for version in known if not methods.is_modern(version)]
    if not legacy:
        raise ValueError("none of the versions has initialize")
    return asked if asked in legacy else max(legacy)


def noticed(able: dict[str, Any], *, several: bool) -> dict[str, Any]:
    """Return capabilities of which the client is told changes: of several servers, one may come or go at any time."""
    if not several:
        return able
    return {
        key: {**value, "listChanged": True} if key in methods.NOTICED and isinstance(value, dict) else value
        for key, value in able.items()
    }
