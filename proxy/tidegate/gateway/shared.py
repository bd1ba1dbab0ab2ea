"""What all fronts of one Tidegate share: which era a server is of, pages of lists, and requests that are held."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakValueDictionary

from tidegate.gateway.handles import Handles, Held
from tidegate.gateway.pages import Pages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidegate.fleet import Fleet
    from tidegate.flows import Core
    from tidegate.gateway.calls import Call
    from tidegate.gateway.legacy_peer import LegacyPeer
    from tidegate.gateway.searching import Searched

Era = Literal["legacy", "modern"]

HOLD = 600.0  # seconds that a held request waits for its client to come back with answers
_SWEEP = 15.0  # seconds between two looks for those that nobody came back for


class Shared:
    """What all fronts of one Tidegate share.

    Args:
        core: what all relays share.
        fleet: the instances of the servers.

    Attributes:
        eras: the one era that a server speaks, by its name, where it has refused the other; whoever asked.
        held: the requests that wait for a client to come back.
        searched: what clients search in, by principal and digest: sessions that see the same share it.
        known: what a server could do when it was reached last, by principal and name; for when it is down.
    """

    def __init__(self, core: Core, fleet: Fleet) -> None:
        self.core = core
        self.fleet = fleet
        self.eras: dict[str, Era] = {}
        self._pages = Pages(core.now.settings.gateway.page)
        self._page = core.now.settings.gateway.page
        self.held: Held[Call] = Held(Handles(secrets.token_bytes(32), HOLD, time.monotonic))
        self.known: dict[tuple[str, str], dict[str, Any]] = {}
        self.searched: WeakValueDictionary[tuple[str, bytes], Searched] = WeakValueDictionary()
        self.keepers: set[LegacyPeer] = set()
        self._sweeper: asyncio.Task[None] | None = None

    @property
    def pages(self) -> Pages:
        """The lists that clients are paging through."""
        size = self.core.now.settings.gateway.page
        if size != self._page:  # since a reload: cursors of other pages are worth nothing any more
            self._pages, self._page = Pages(size), size
        return self._pages

    def watch(self, peer: LegacyPeer) -> None:
        """Have requests that a peer holds given up in time."""
        self.keepers.add(peer)
        if self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep(), name="held requests")

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP)
            await self.expire()

    async def expire(self) -> None:
        """Give up the requests that nobody came back for in time."""
        for call in self.held.expired():
            for peer in [peer for peer in self.keepers if peer.has(call)]:
                await peer.expire(call)

    def forget(self, servers: Iterable[str]) -> None:
        """Forget what was found out about servers whose settings have changed."""
        for name in servers:
            self.eras.pop(name, None)
            for key in [key for key in self.known if key[1] == name]:
                del self.known[key]

    async def close(self) -> None:
        """Give up what is held."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
