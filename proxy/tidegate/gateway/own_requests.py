"""What the gateway asks servers by itself, in a client's name: its requests have ids that no client can guess."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from tidegate import methods, wire
from tidegate.gateway import eras
from tidegate.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.message import Id, Message

OWN = f"tidegate-{secrets.token_hex(8)}-"
"""What the ids of the gateway's own requests begin with; no client can guess it."""

OWN_META: dict[str, Any] = {
    methods.VERSION_KEY: methods.MODERN,
    eras.CAPABILITIES_KEY: {},
    methods.CLIENT_KEY: {"name": "tidegate", "version": __version__},
}
"""What a request of 2026-07-28 of the gateway's own says of who asks, where no client does."""

_numbers = iter(range(1, 2**63))


class Refused(Exception):  # noqa: N818 - it says what the server did
    """A server answered a request of the gateway's own with an error; the text is no word of the server's.

    Attributes:
        code: the JSON-RPC error code.
    """

    def __init__(self, method: str, code: int) -> None:
        super().__init__(f"The server refuses {method} (code {code}).")
        self.code = code


def request(method: str, params: Mapping[str, Any] | None = None) -> Message:
    """Return a request of the gateway's own."""
    tree: dict[str, Any] = {"jsonrpc": "2.0", "id": f"{OWN}{next(_numbers)}", "method": method}
    if params is not None:
        tree["params"] = dict(params)
    return wire.classify(tree, "client")


def notification(method: str, params: Mapping[str, Any] | None = None) -> Message:
    """Return a notification of the gateway's own, to a server."""
    tree: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if params is not None:
        tree["params"] = dict(params)
    return wire.classify(tree, "client")


def is_own(identity: Id | None) -> bool:
    """Whether an id is that of a request of the gateway's own."""
    return isinstance(identity, str) and identity.startswith(OWN)
