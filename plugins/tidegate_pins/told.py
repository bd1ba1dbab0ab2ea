"""What is judged, and what is said of it: lists, handshakes and calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate_pins import definitions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tidegate_pins.definitions import Kind
    from tidegate_pins.settings import Action


class Said(NamedTuple):
    """What became of one definition of a list.

    Attributes:
        name: its name or URI.
        action: ``pass``, or what the settings say.
        classes: how it differs from what is pinned.
    """

    name: str
    action: Action | str
    classes: tuple[str, ...]


class Judged(NamedTuple):
    """What became of a list.

    Attributes:
        kept: which of its items go on, by index; ``None`` for all.
        said: what there is to say about items that don't merely pass.
        removed: what a complete list no longer has.
    """

    kept: tuple[int, ...] | None
    said: tuple[Said, ...]
    removed: tuple[str, ...] = ()


class Page(NamedTuple):
    """Which part of a list a message is: the cursors it was asked by and names, and who is given it."""

    cursor: str | None
    following: str | None
    who: str


class Listed:
    """A list, or a server's own word of itself, to be judged.

    Attributes:
        server: whose it is.
        kind: what it lists.
        items: its items, as they came.
        page: which part of the list it is.
        whole: the names of the whole list, where this is the last page of one that was followed.
    """

    __slots__ = ("_digests", "items", "kind", "page", "server", "whole")

    def __init__(
        self, server: str, kind: Kind, items: Sequence[Any], page: Page, whole: frozenset[str] | None = None
    ) -> None:
        self.server = server
        self.kind: Kind = kind
        self.items = items
        self.page = page
        self.whole = whole
        self._digests: dict[str, set[str]] | None = None

    def others(self, name: str) -> set[str]:
        """Return the digests of all definitions of a name; all are made when the first is asked for."""
        if self._digests is None:
            self._digests = {}
            for item in self.items:
                found = item.get(definitions.NAMED_BY[self.kind]) if type(item) is dict else None
                if type(found) is str:
                    digest = definitions.digest(definitions.steady(self.kind, item))
                    self._digests.setdefault(found, set()).add(digest)
        return self._digests.get(name, set())


class Call(NamedTuple):
    """What became of a call: the action, why, the classes, and the item's name if it is known."""

    action: Action | str
    why: str
    classes: tuple[str, ...]
    item: str = ""
