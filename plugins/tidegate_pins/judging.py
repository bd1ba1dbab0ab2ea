"""What becomes of lists, handshakes and calls, by what is pinned; what was judged before costs next to nothing."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from tidegate_pins import book as books
from tidegate_pins import definitions, spelling
from tidegate_pins.book import SERVER_ITEM, Item, Rules, Scope, Seen
from tidegate_pins.told import Call, Judged, Listed, Page, Said

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tidegate_pins.book import Book
    from tidegate_pins.definitions import Kind
    from tidegate_pins.settings import PinsConfig
    from tidegate_pins.store import Store

log = structlog.get_logger("tidegate.pins")

_CHAINS, _SCOPES, _CALLS = 64, 1024, 4096  # lists being followed, caches of scopes, and calls remembered


class _Known(NamedTuple):
    raw: bytes
    digest: str
    said: Said | None


class _Cache:
    """What is known of one scope as long as the pins stay as they are."""

    __slots__ = ("calls", "generation", "held", "items", "scope")

    def __init__(self, scope: Scope, generation: int) -> None:
        self.scope = scope
        self.generation = generation
        self.items: dict[tuple[Kind, str], _Known] = {}
        self.calls: dict[tuple[str, str, bool], Call] = {}
        self.held: tuple[frozenset[str], frozenset[str]] | None = None


class Judge:
    """Judges definitions and calls by the pins of one store.

    Args:
        store: the pins.
        config: the settings.
        secrets: what is never kept of a definition.
    """

    def __init__(self, store: Store, config: PinsConfig, secrets: Sequence[str] = ()) -> None:
        self.store = store
        self.config = config
        self._secrets = tuple(sorted(secrets, key=len, reverse=True))
        self._caches: OrderedDict[tuple[str, str], _Cache] = OrderedDict()
        self._chains: OrderedDict[tuple[str, str, Kind, str], frozenset[str]] = OrderedDict()

    def _cache(self, server: str, principal: str) -> _Cache:
        """Return what is known of a scope.

        Raises:
            PinsError: where the pins can't be read.
        """
        book, key = self.store.book(), (server, principal if self.config.by == "principal" else "")
        cache = self._caches.get(key)
        if cache is None or cache.generation != self.store.generation:
            scope = book.scope(*key)
            if cache is not None and cache.scope == scope:
                cache.generation = self.store.generation
            else:
                cache = self._caches[key] = _Cache(scope, self.store.generation)
                while len(self._caches) > _SCOPES:
                    self._caches.popitem(last=False)
        return cache

    # -- lists and handshakes ---------------------------------------------------------------------------

    def listed(self, given: Listed, *, learnt: bool = False) -> Judged | None:
        """Judge a list; ``None`` where the book has to learn of it first.

        Args:
            given: the list.
            learnt: whether it has just learnt of it.

        Raises:
            PinsError: where the pins can't be read.
        """
        cache, kind = self._cache(given.server, given.page.who), given.kind
        if not learnt and self._moves(cache.scope, given):
            return None
        member = definitions.NAMED_BY[kind]
        known, said, kept = cache.items, list[Said](), list[int]()
        for index, item in enumerate(given.items):
            name = item.get(member) if type(item) is dict else None
            if type(name) is not str:
                continue  # nobody could call it, and nobody can say what it is
            raw = hashlib.sha256(definitions.encoded(item)).digest()
            found = known.get((kind, name))
            if found is None or found.raw != raw:
                found = self._known(cache, given, name, item, raw)
                if found is None:
                    return None
            if found.said is None:
                kept.append(index)
                continue
            said.append(found.said)
            if found.said.action == "report":
                kept.append(index)
        removed = self._missing(cache.scope, given)
        if removed is None:
            return None
        return Judged(tuple(kept) if len(kept) < len(given.items) else None, tuple(said), removed)

    @staticmethod
    def _moves(scope: Scope, given: Listed) -> bool:
        """Whether a list says more of how far lists were seen than is known: that one began, or ended."""
        ends = given.page.cursor is None or given.page.following is None
        return given.kind not in scope.begun or (ends and given.kind not in scope.complete)

    @staticmethod
    def _missing(scope: Scope, given: Listed) -> tuple[str, ...] | None:
        """Return what a whole list no longer has; ``None`` where the book doesn't know that yet."""
        if given.whole is None:
            return ()
        named, who = scope.items.get(given.kind, {}), given.page.who
        if len(named) == len(given.whole) and named.keys() == given.whole:
            return ()
        missing = [name for name, item in named.items() if item.who == who and name not in given.whole]
        return tuple(missing) if all(named[name].gone for name in missing) else None

    def _known(self, cache: _Cache, given: Listed, name: str, item: Mapping[str, Any], raw: bytes) -> _Known | None:
        """Return what becomes of a definition, and remember it; ``None`` where the book has to learn of it."""
        kind = given.kind
        digest = definitions.digest(definitions.steady(kind, item))
        pinned = cache.scope.item(kind, name)
        if pinned is None:
            odd_one = not cache.scope.takes(name) or self._secret(name)
            return _Known(raw, digest, Said(name, "hide", ("limit",))) if odd_one else None
        if not books.settled(pinned, digest):
            # One that is listed twice, as it is pinned and as it isn't, is as the book has it.
            odd = pinned.pending.digest if pinned.pending is not None and pinned.digest == digest else ""
            if pinned.gone or not odd or odd not in given.others(name):
                return None
        found = _Known(raw, digest, self._said(kind, name, pinned, digest))
        if pinned.pending is None or pinned.pending.digest == digest:
            cache.items[kind, name] = found
        return found

    def _secret(self, name: str) -> bool:
        """Whether a name holds what is never kept, so that it can't be pinned."""
        return any(secret in name for secret in self._secrets)

    def follow(self, server: str, kind: Kind, items: Sequence[Any], page: Page) -> frozenset[str] | None:
        """Follow a list from page to page; return the names of a whole one at its last page, else ``None``."""
        before: frozenset[str] | None = frozenset()
        if page.cursor is not None:
            before = self._chains.pop((server, page.who, kind, page.cursor), None)
        if before is None:
            return None
        member = definitions.NAMED_BY[kind]
        names = before.union([item[member] for item in items if type(item) is dict and type(item.get(member)) is str])
        if page.following is None:
            return names
        self._chains[server, page.who, kind, page.following] = names
        while len(self._chains) > _CHAINS:
            self._chains.popitem(last=False)
        return None

    def _said(self, kind: Kind, name: str, pinned: Item, digest: str) -> Said | None:
        if pinned.digest == digest or pinned.pending is None:
            return None
        action = "hide" if not pinned.digest else "report"
        chosen = self.config.action(kind, pinned.pending.classes)
        return Said(name, chosen if chosen != "report" else action, pinned.pending.classes)

    def greeted(self, given: Listed) -> Said | str:
        """Judge a server's own instructions; ``learn`` where the book has to learn of them first, else ``pass``.

        Raises:
            PinsError: where the pins can't be read.
        """
        cache = self._cache(given.server, given.page.who)
        raw = definitions.encoded(given.items[0])
        found = cache.items.get(("server", SERVER_ITEM))
        if found is None or found.raw != raw:
            digest, pinned = definitions.digest(given.items[0]), cache.scope.item("server", SERVER_ITEM)
            if pinned is None or not books.settled(pinned, digest):
                return "learn"
            found = _Known(raw, digest, self._said("server", SERVER_ITEM, pinned, digest))
            cache.items["server", SERVER_ITEM] = found
        return found.said or "pass"

    # -- calls ------------------------------------------------------------------------------------------

    def called(self, server: str, principal: str, kind: str, name: str, *, template: bool = False) -> Call:
        """Judge a call of a tool, prompt or resource.

        Raises:
            PinsError: where the pins can't be read.
        """
        cache = self._cache(server, principal)
        key = (kind, name, template)
        call = cache.calls.get(key)
        if call is None:
            call = self._called(cache, kind, name, template=template)
            if len(name) <= books.MAX_NAME:
                if len(cache.calls) >= _CALLS:
                    cache.calls.clear()
                cache.calls[key] = call
        return call

    def _called(self, cache: _Cache, kind: str, name: str, *, template: bool) -> Call:
        if len(name) > books.MAX_NAME or self._secret(name):
            return Call("deny", "limit", ())
        kinds: tuple[Kind, ...]
        if kind == "resource":
            kinds = ("template", "resource") if template else ("resource",)
        else:
            kinds = ("tool",) if kind == "tool" else ("prompt",)
        for each in kinds:
            item = cache.scope.item(each, name)
            if item is not None:
                return self._state(each, name, item)
        fold = spelling.folded_uri if kind == "resource" else spelling.folded
        if fold(name) in self._held(cache, uris=kind == "resource"):
            return Call("deny", "spelling", ())
        if kind == "resource":
            return self._unlisted_resource(cache, name)
        return Call("pass" if self.config.unlisted == "allow" else "deny", "unlisted", ())

    def _unlisted_resource(self, cache: _Cache, uri: str) -> Call:
        fitting = [
            self._state("template", name, item)
            for name, item in cache.scope.items.get("template", {}).items()
            if spelling.fits(name, uri)
        ]
        stopped = [call for call in fitting if call.action in ("hide", "deny")]
        if stopped or fitting:
            return (stopped or fitting)[0]
        allowed = self.config.unlisted_resources == "allow" and cache.scope.takes(uri)
        return Call("pass" if allowed else "deny", "unlisted", ())

    def _state(self, kind: Kind, name: str, item: Item) -> Call:
        if item.pending is not None:
            said = self._said(kind, name, item, item.pending.digest)
            assert said is not None
            return Call(said.action, "changed" if item.digest else "waiting", said.classes, name)
        if item.gone:
            return Call(self.config.removed, "gone", ("removed",), name)
        return Call("pass", "approved", (), name)

    def _held(self, cache: _Cache, *, uris: bool) -> frozenset[str]:
        """Return the folded names of all that may not be called."""
        if cache.held is None:
            names, addresses = set[str](), set[str]()
            for kind, named in cache.scope.items.items():
                for name, item in named.items():
                    if self._state(kind, name, item).action in ("hide", "deny"):
                        (addresses if kind in ("resource", "template") else names).add(
                            spelling.folded_uri(name) if kind in ("resource", "template") else spelling.folded(name)
                        )
            cache.held = (frozenset(names), frozenset(addresses))
        return cache.held[1 if uris else 0]

    # -- learning ---------------------------------------------------------------------------------------

    def learn(self, given: Listed) -> tuple[Said, ...]:
        """Have the book learn what a list or handshake says; return what is new to it and goes on.

        Raises:
            PinsError: where that can't be written.
        """
        kind, page = given.kind, given.page
        seen = [one for item in given.items if (one := self._seen(kind, item)) is not None]
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        rules = Rules(self.config.first == "trust", self.config.held, now)
        changed: list[tuple[Scope, Scope, bool]] = []

        def change(book: Book) -> Book:
            before = book.scope(given.server, page.who if self.config.by == "principal" else "")
            again = page.cursor is None and kind in before.begun  # it began before, so what comes now comes later
            after = _noted(before, kind, begun=True, complete=again)
            later = kind in after.complete
            after = books.learnt(after, seen, page.who, rules)
            if given.whole is not None:
                after = books.without(after, kind, given.whole, page.who)
            after = _noted(after, kind, complete=page.following is None)
            changed[:] = [(before, after, later)]
            return book if after == before else book.with_scope(after)

        self.store.change(change)
        before, after, later = changed[0]
        return self._news(given.server, kind, before, after, later=later)

    def _seen(self, kind: Kind, item: Any) -> Seen | None:
        name = SERVER_ITEM if kind == "server" else item.get(definitions.NAMED_BY[kind]) if type(item) is dict else None
        if type(name) is not str or self._secret(name):
            return None
        kept = definitions.steady(kind, item)
        size = len(definitions.encoded(kept))
        return Seen(kind, name, definitions.masked(kept, self._secrets), definitions.digest(kept), size)

    def _news(self, server: str, kind: Kind, before: Scope, after: Scope, *, later: bool) -> tuple[Said, ...]:
        """Return what a list brought that is new and goes on, and log all that isn't as it was."""
        news, old = list[Said](), before.items.get(kind, {})
        silent = self.config.first == "trust" and not later
        for name, item in after.items.get(kind, {}).items():
            was = old.get(name)
            if was is item or (was is None and item.pending is None and silent):
                continue
            call = self._state(kind, name, item)
            if was is None and call.action == "pass":
                call = Call("report", "new", ("new",), name)
                news.append(Said(name, "report", ("new",)))
            if call.action != "pass":
                shown = definitions.masked(name, self._secrets)
                told = {"kind": kind, "item": shown, "classes": list(call.classes), "action": call.action}
                log.warning("a definition is not as it is pinned", server=server, **told)
        return tuple(news)


def _noted(scope: Scope, kind: Kind, *, begun: bool = False, complete: bool = False) -> Scope:
    """Return a scope that says how far lists of a kind were seen."""
    if kind == "server":
        return scope
    if begun and kind not in scope.begun:
        scope = scope.model_copy(update={"begun": (*scope.begun, kind)})
    if complete and kind not in scope.complete:
        scope = scope.model_copy(update={"complete": (*scope.complete, kind)})
    return scope
