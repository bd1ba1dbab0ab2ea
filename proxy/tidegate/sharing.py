"""Who may share an instance of a server, and what that gives up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate import values

if TYPE_CHECKING:
    from tidegate.message import Message
    from tidegate.settings import ServerSettings


def loosened(server: ServerSettings) -> list[str]:
    """Return what a server's settings let clients share that they don't share by default, in sentences."""
    if server.share == "all":
        return ["All principals share one instance: what one of them leaves in it, the others can meet."]
    if server.share == "principal":
        return ["All sessions of a principal share one instance: what one of them leaves in it, the others can meet."]
    return []


def alike(initialize: Message) -> str:
    """Return a text that is the same for those who may share an instance: their version and capabilities are."""
    params = initialize.tree.get("params")
    params = params if isinstance(params, dict) else {}
    said = {key: params.get(key) for key in ("protocolVersion", "capabilities")}
    return "session " + values.encode(_sorted(said)).decode()


def _sorted(tree: object) -> object:
    """Return a JSON value with the members of its objects in one order."""
    if isinstance(tree, dict):
        return {key: _sorted(tree[key]) for key in sorted(tree)}
    return [_sorted(item) for item in tree] if isinstance(tree, list) else tree
