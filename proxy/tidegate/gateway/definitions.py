"""The definitions of tools by the names that clients of the gateway know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.gateway.front import Front


class Tools:
    """The definitions of tools by the names that clients know; as much of a mapping as its readers need."""

    def __init__(self, front: Front) -> None:
        self._front = front

    def get(self, shown: str) -> Mapping[str, Any] | None:
        """Return a tool's definition as last listed; ``None`` where it isn't known."""
        found = self._front.names["tools"].meant(shown)
        peer = self._front.peers.get(found[0]) if found is not None else None
        return peer.relay.tools.get(found[1]) if peer is not None and found is not None else None
