"""Reads whole lists of servers, page by page, and puts those of several servers together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

MAX_PAGES = 1000
"""Pages of one list that are read at most."""

MAX_BYTES = 32 * 1024 * 1024
"""Bytes of one list that are read at most, in all its pages; or else one message, where one may be larger."""


class IncompleteError(Exception):
    """A list that couldn't be read to its end. The text is one sentence, which holds nothing of the server's.

    Attributes:
        items: what was read of it before.
    """

    def __init__(self, text: str, items: list[dict[str, Any]]) -> None:
        super().__init__(text)
        self.items = items


async def walk(
    fetch: Callable[[str | None], Awaitable[tuple[Any, int]]],
    member: str,
    *,
    max_pages: int = MAX_PAGES,
    max_items: int,
    max_bytes: int = MAX_BYTES,
) -> list[dict[str, Any]]:
    """Return all items of a list of one server, in its order.

    Args:
        fetch: asks for the page at a cursor, the first where it is ``None``; returns its result as a JSON value, and
            its bytes.
        member: the member of a result that has the items, such as ``tools``.
        max_pages: how many pages are asked for at most.
        max_items: how many items the list may have.
        max_bytes: how many bytes all pages together may have.

    Raises:
        IncompleteError: where a page isn't what it should be, a cursor comes again, or there is more than the limits
            allow. What ``fetch`` raises goes through.
    """
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    seen: set[str] = set()
    left = max_bytes
    for _ in range(max_pages):
        page, size = await fetch(cursor)
        left -= size
        if left < 0:
            raise IncompleteError(f"The list has more than {max_bytes} bytes.", items)
        found = page.get(member) if isinstance(page, dict) else None
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise IncompleteError(f"The list has a page without a list of objects as its {member}.", items)
        room = max_items - len(items)
        items += found[:room]
        if len(found) > room:
            raise IncompleteError(f"The list has more than {max_items} items.", items)
        cursor = page.get("nextCursor")
        if cursor is None:
            return items
        if not isinstance(cursor, str):
            raise IncompleteError("The list has a page whose nextCursor is no string.", items)
        if cursor in seen:
            raise IncompleteError("The list has a cursor that comes again, so its pages have no end.", items)
        seen.add(cursor)
    raise IncompleteError(f"The list has more than {max_pages} pages.", items)


def merged(per_server: Iterable[tuple[str, Iterable[dict[str, Any]]]]) -> list[dict[str, Any]]:
    """Return the items of several servers as one list, in the order given, each server's in its own order."""
    return [item for _, items in per_server for item in items]


def distinct(items: Iterable[dict[str, Any]], member: str) -> list[dict[str, Any]]:
    """Return the items of one server's list without doubles, and without those that nobody could ask for.

    Of several that say the same name the last counts, as it does for what interceptors are told of a tool; it stands
    where the first stood.

    Args:
        items: the items.
        member: the member that says what an item is called, such as ``name`` or ``uri``.
    """
    found = {name: item for item in items if isinstance(name := item.get(member), str)}
    return list(found.values())
