"""Who wants to hear what a server with sessions says by itself: several streams of clients that have no sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.message import Message


class Listeners:
    """Who wants to hear what one server says by itself."""

    def __init__(self) -> None:
        self._told: list[Callable[[Message | None], None]] = []

    def add(self, told: Callable[[Message | None], None]) -> None:
        """Have it told from now on; ``None`` is the last that it is told."""
        self._told.append(told)

    def remove(self, told: Callable[[Message | None], None]) -> None:
        """Undo :meth:`add`."""
        if told in self._told:
            self._told.remove(told)

    def tell(self, message: Message) -> None:
        """Tell all who listen."""
        for told in list(self._told):
            told(message)

    def end(self) -> None:
        """Tell all who listen that nothing will come any more."""
        for told in list(self._told):
            told(None)

    def announce(self, kinds: list[str]) -> None:
        """Tell all who listen that lists have changed: of ``tools``, ``prompts`` or ``resources``."""
        for kind in kinds:
            self.tell(wire.classify({"jsonrpc": "2.0", "method": f"notifications/{kind}/list_changed"}, "server"))
