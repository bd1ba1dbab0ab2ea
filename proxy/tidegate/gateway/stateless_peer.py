"""A server without sessions, for clients without: both speak 2026-07-28."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from tidegate import methods
from tidegate.gateway import asking, eras
from tidegate.gateway.own_requests import OWN_META, Refused, is_own, request
from tidegate.gateway.peers import Peer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.correlate import Open
    from tidegate.message import Message

_INTERNAL = -32603


class StatelessPeer(Peer):
    """A server without sessions, for a client without (2026-07-28)."""

    modern = True

    async def begin(self) -> None:
        """Nothing is begun without sessions; see :meth:`discovered`."""

    def discovered(self, result: Mapping[str, Any]) -> None:
        """Note what the server says of itself."""
        said = result.get("capabilities")
        self.capabilities = said if isinstance(said, dict) else {}
        text = result.get("instructions")
        self.instructions = text if isinstance(text, str) else ""
        self.server_version = methods.MODERN

    def own_request(self, method: str, params: Mapping[str, Any] | None, meta: Any) -> Message:
        """Return a request in the client's name, with its ``_meta``; see :meth:`Peer.ask`."""
        own = {key: value for key, value in (meta or OWN_META).items() if key != "progressToken"}
        return request(method, {**(params or {}), "_meta": own})

    async def alive(self) -> None:
        """Ask whether the server answers.

        Raises:
            Unavailable: where it doesn't.
        """
        with contextlib.suppress(Refused):
            await self.ask("server/discover")

    def reply(self, message: Message, entry: Open | None) -> Message:
        """Return a reply as it is, unless it asks what the client hasn't declared to answer."""
        if entry is None or is_own(entry.request.id):
            return message
        self.host.heard(self, message)
        if asking.is_asking(message) and asking.unfit(message, entry.request.meta.get(eras.CAPABILITIES_KEY)):
            return eras.failed(message, _INTERNAL, "The server asked what the client has not declared to answer.")
        return message

    def spoken(self, message: Message, about: Open | None) -> Message | None:
        """Return a notification as it is; see :meth:`Peer.spoken`."""
        return super().spoken(self.unasking(message), about)
