"""What is pinned: an immutable book of definitions by server, and how it changes by what is seen and approved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from tidegate_pins import definitions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

MAX_ITEMS = 20_000
MAX_NAME = 1024
MAX_DEFINITION = 256 * 1024
MAX_BYTES = 32 * 1024 * 1024
"""Bounds of a scope's items, of one item's name and definition, and of all definitions of a scope together. What is
beyond them is never passed on, so no server can make the file so large that those of others suffer."""

SERVER_ITEM = "instructions"
"""The name under which a server's instructions are pinned."""

FileKind = Literal["server", "tool", "prompt", "resource", "template"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, strict=True)


class Pending(_Model):
    """A definition that isn't approved.

    Attributes:
        digest: the SHA-256 of it.
        definition: the definition; ``None`` where it is too large to be kept.
        classes: how it differs from what is approved.
        held: whether it waits for approval, by the settings it was seen under; else it was only reported.
        since: when it was seen first.
        copy_of: the name of the item that it is a copy of.
    """

    digest: str
    definition: dict[str, Any] | None
    classes: tuple[str, ...]
    held: bool
    since: str
    copy_of: str = ""


class Item(_Model):
    """One definition.

    Attributes:
        digest: the SHA-256 of what is pinned; ``""`` where nothing is yet.
        parts: the SHA-256 of each part of it.
        definition: what is pinned.
        how: whether it was trusted at first sight or approved by a person; ``""`` for neither.
        since: since when.
        who: the principal that it was listed to first.
        pending: what it changed to.
        gone: whether a complete list, as that principal was given one, no longer had it.
    """

    digest: str = ""
    parts: dict[str, str] = Field(default_factory=dict)
    definition: dict[str, Any] | None = None
    how: Literal["", "trusted", "approved"] = ""
    since: str = ""
    who: str = ""
    pending: Pending | None = None
    gone: bool = False


class Scope(_Model):
    """What is pinned of one server, or of one server for one principal.

    Attributes:
        server: the server's name.
        principal: the principal's name; ``""`` where all share the pins.
        begun: of which kinds a list was begun.
        complete: of which kinds a list was seen to its end, so that what comes later is new.
        items: by kind, the items by name or URI.
        full: whether a definition came for which there was no room; from then on nothing new is learnt.
    """

    server: str
    principal: str = ""
    begun: tuple[FileKind, ...] = ()
    complete: tuple[FileKind, ...] = ()
    items: dict[FileKind, dict[str, Item]] = Field(default_factory=dict)
    full: bool = False

    def takes(self, name: str) -> bool:
        """Whether a new item of a name can be pinned."""
        return not self.full and len(name) <= MAX_NAME and sum(map(len, self.items.values())) < MAX_ITEMS

    def item(self, kind: definitions.Kind, name: str) -> Item | None:
        """Return one item; ``None`` where it was never seen."""
        return self.items.get(kind, {}).get(name)


class Book(_Model):
    """All that is pinned; the content of the file."""

    tidegate_pins: Literal[1] = 1
    scopes: tuple[Scope, ...] = ()

    def scope(self, server: str, principal: str) -> Scope:
        """Return what is pinned in a scope; an empty one where there is nothing."""
        for scope in self.scopes:
            if (scope.server, scope.principal) == (server, principal):
                return scope
        return Scope(server=server, principal=principal)

    def with_scope(self, new: Scope) -> Book:
        """Return a book in which a scope is replaced or added."""
        others = [scope for scope in self.scopes if (scope.server, scope.principal) != (new.server, new.principal)]
        scopes = sorted([*others, new], key=lambda scope: (scope.server, scope.principal))
        return self.model_copy(update={"scopes": tuple(scopes)})

    def other_than(self, before: Book) -> set[tuple[str, FileKind]]:
        """Return of which servers, and of what kind, something else is approved or held than in a book before."""
        scopes = {(scope.server, scope.principal) for scope in (*before.scopes, *self.scopes)}
        found = set[tuple[str, FileKind]]()
        for server, principal in scopes:
            old, new = (book.scope(server, principal).items for book in (before, self))
            found.update((server, kind) for kind in old.keys() | new.keys() if _stand(old, kind) != _stand(new, kind))
        return found

    def mapped(self, change: Callable[[Scope, str, str, Item], Item | None]) -> Book:
        """Return a book with each item changed; ``None`` takes it out."""
        scopes = []
        for scope in self.scopes:
            items = {}
            for kind, named in scope.items.items():
                made = {name: change(scope, kind, name, item) for name, item in named.items()}
                items[kind] = {name: item for name, item in made.items() if item is not None}
            scopes.append(scope.model_copy(update={"items": items}))
        return self.model_copy(update={"scopes": tuple(scopes)})


def _stand(items: Mapping[FileKind, dict[str, Item]], kind: FileKind) -> dict[str, tuple[str, str, bool]]:
    """Return what is approved of each item of a kind, and what is held."""
    found = items.get(kind, {}).items()
    return {name: (item.digest, *_waits(item.pending)) for name, item in found}


def _waits(pending: Pending | None) -> tuple[str, bool]:
    return ("", False) if pending is None else (pending.digest, pending.held)


class Seen(NamedTuple):
    """A definition that a server gave.

    Attributes:
        kind: what it defines.
        name: its name or URI.
        definition: the definition, masked.
        digest: the SHA-256 of the definition as the server gave it.
        size: its bytes.
    """

    kind: definitions.Kind
    name: str
    definition: Mapping[str, Any]
    digest: str
    size: int


class Rules(NamedTuple):
    """How a book learns.

    Attributes:
        trust: whether what is seen first is trusted.
        held: whether what is of some classes has to wait for approval.
        now: the time, as text.
    """

    trust: bool
    held: Callable[[definitions.Kind, Iterable[str]], bool]
    now: str


def settled(item: Item | None, digest: str) -> bool:
    """Whether a book has nothing to learn of a definition that is seen."""
    if item is None or item.gone:
        return False
    if item.pending is not None:
        return item.pending.digest == digest
    return item.digest == digest


def learnt(scope: Scope, seen: Iterable[Seen], who: str, rules: Rules) -> Scope:
    """Return a scope that knows what is seen.

    Args:
        scope: the scope as it was.
        seen: definitions, of one list or a server's own.
        who: the principal that is given them.
        rules: how to learn.
    """
    items = {kind: dict(named) for kind, named in scope.items.items()}
    total, room, full = sum(map(len, items.values())), MAX_BYTES - _size(items), scope.full
    copies = _Copies(items)
    for one in sorted(seen, key=lambda one: one.digest != _pinned(items, one)):  # what is as pinned comes first
        named = items.setdefault(one.kind, {})
        item = named.get(one.name)
        if item is not None:
            if not settled(item, one.digest):
                kept = one if one.size <= room else one._replace(size=MAX_DEFINITION + 1)
                named[one.name] = _again(item, kept, rules, copies)
                room -= one.size
        elif one.size <= MAX_DEFINITION and one.size > room:
            full = True
        elif not full and total < MAX_ITEMS and len(one.name) <= MAX_NAME:
            total, room = total + 1, room - min(one.size, MAX_DEFINITION)
            named[one.name] = _first(scope, one, who, rules, copies)
    return scope.model_copy(update={"items": items, "full": full})


def _size(items: Mapping[FileKind, Mapping[str, Item]]) -> int:
    """Return the bytes of all definitions of a scope."""
    found = [item for named in items.values() for item in named.values()]
    held = [item.pending.definition for item in found if item.pending is not None]
    return sum(len(definitions.encoded(kept)) for kept in [*held, *(item.definition for item in found)] if kept)


def _pinned(items: Mapping[FileKind, Mapping[str, Item]], one: Seen) -> str:
    item = items.get(one.kind, {}).get(one.name)
    return "" if item is None else item.digest


class _Copies:
    """Finds what a new item is a copy of; what there is was read once, and only where it is asked."""

    def __init__(self, items: Mapping[FileKind, Mapping[str, Item]]) -> None:
        self._items = {kind: dict(named) for kind, named in items.items()}
        self._known: dict[str, dict[str, str]] = {}

    def of(self, one: Seen) -> str:
        wanted = definitions.content(one.kind, one.definition)
        if not wanted:
            return ""
        if one.kind not in self._known:
            named = self._items.get(one.kind, {}).items()
            pinned = {name: item.definition for name, item in named if item.definition is not None}
            self._known[one.kind] = {definitions.content(one.kind, found): name for name, found in pinned.items()}
        found = self._known[one.kind].get(wanted, "")
        return "" if found == one.name else found


def _first(scope: Scope, one: Seen, who: str, rules: Rules, copies: _Copies) -> Item:
    """Return the item of a definition that is seen for the first time."""
    later = one.kind in scope.complete
    copy_of = copies.of(one) if later else ""
    classes = ("limit",) if one.size > MAX_DEFINITION else ("name",) if copy_of else ("new",)
    waits = not rules.trust or one.size > MAX_DEFINITION or (later and rules.held(one.kind, classes))
    if not waits:
        kept = dict(one.definition)
        return Item(
            digest=one.digest,
            parts=definitions.parts(one.kind, kept),
            definition=kept,
            how="trusted",
            since=rules.now,
            who=who,
        )
    return Item(who=who, pending=_pending(one, classes, rules, copy_of, held=True))


def _again(item: Item, one: Seen, rules: Rules, copies: _Copies) -> Item:
    """Return the item of a definition that was seen before, and that it may differ from."""
    if item.digest == one.digest:
        return item.model_copy(update={"pending": None, "gone": False})
    if item.pending is not None and item.pending.digest == one.digest:
        return item.model_copy(update={"gone": False})
    classes: tuple[str, ...]
    copy_of = ""
    if one.size > MAX_DEFINITION:
        classes = ("limit",)
    elif not item.digest or item.definition is None:
        copy_of = copies.of(one)
        classes = ("name",) if copy_of else ("new",)
    else:
        # Where only a secret in it differs, which isn't kept, that is other wording.
        classes = definitions.classes(one.kind, item.definition, one.definition) or ("wording",)
    pending = _pending(one, classes, rules, copy_of)
    if not item.digest:
        pending = pending.model_copy(update={"held": True})
    return item.model_copy(update={"pending": pending, "gone": False})


def _pending(one: Seen, classes: tuple[str, ...], rules: Rules, copy_of: str, *, held: bool | None = None) -> Pending:
    return Pending(
        digest=one.digest,
        definition=dict(one.definition) if one.size <= MAX_DEFINITION else None,
        classes=classes,
        held=rules.held(one.kind, classes) if held is None else held,
        since=rules.now,
        copy_of=copy_of,
    )


def approved(item: Item, how: Literal["trusted", "approved"], now: str, kind: definitions.Kind = "tool") -> Item:
    """Return an item whose pending definition is pinned; one without is returned as it is."""
    pending = item.pending
    if pending is None or pending.definition is None:
        return item
    return item.model_copy(
        update={
            "digest": pending.digest,
            "parts": definitions.parts(kind, pending.definition),
            "definition": pending.definition,
            "how": how,
            "since": now,
            "pending": None,
            "gone": False,
        }
    )


def without(scope: Scope, kind: definitions.Kind, listed: Iterable[str], who: str) -> Scope:
    """Return a scope in which what a complete list didn't have is gone, as far as it was listed to that principal."""
    there = set(listed)
    named = scope.items.get(kind, {})
    missing = {name: item for name, item in named.items() if item.who == who and not item.gone and name not in there}
    if not missing:
        return scope
    gone = {name: item.model_copy(update={"gone": True}) for name, item in missing.items()}
    return scope.model_copy(update={"items": {**scope.items, kind: {**named, **gone}}})


def waiting(item: Item) -> bool:
    """Whether an item waits for approval."""
    return item.pending is not None and item.pending.held
