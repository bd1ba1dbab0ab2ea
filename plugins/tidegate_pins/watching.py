"""Tells clients that lists have changed when somebody else changes the pins, as ``tidegate pins approve`` does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from tidegate_pins.store import PinsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tidegate_pins.book import FileKind
    from tidegate_pins.store import Store

log = structlog.get_logger("tidegate.pins")

LOOK = 0.5  # seconds between two looks at the file
_LISTS: dict[FileKind, str] = {
    "tool": "tools",
    "prompt": "prompts",
    "resource": "resources",
    "template": "resources",
}  # what a server says of itself is in no list


async def watch(store: Store, tell: Callable[[str, Iterable[str]], None], seconds: float = LOOK) -> None:
    """Look for changes of others until cancelled.

    Args:
        store: the pins.
        tell: told of which server what lists are others now.
        seconds: how often to look.
    """
    while True:
        await asyncio.sleep(seconds)
        try:
            news = store.news()
        except PinsError:
            continue  # whatever is listed or called is denied meanwhile, with why
        for server in sorted({server for server, _ in news}):
            kinds = sorted({_LISTS[kind] for name, kind in news if name == server and kind in _LISTS})
            log.info("the pins of a server were changed", server=server, lists=kinds)
            if kinds:
                tell(server, kinds)
