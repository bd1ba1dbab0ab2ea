"""What connecting a client changes: an entry for Tidegate, servers wrapped where they stand, or moved behind it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tidegate import importer
from tidegate.clients import edits, files, shapes
from tidegate.clients.edits import Append, Drop, Edit, FileRefused, Set
from tidegate.imported import Imported, ImportRefused
from tidegate.settings import parse

if TYPE_CHECKING:
    from pathlib import Path

    from tidegate.clients.files import Snapshot
    from tidegate.clients.known import Client

Mode = Literal["add", "wrap", "move"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for.

    Attributes:
        client: the client.
        file: its file.
        mode: whether an entry is added, servers are wrapped where they stand, or moved.
        name: what the entry is called.
        entry: the entry; not for ``wrap``.
        words: what goes before a wrapped server's command, its name aside: ``tidegate``, ``wrap`` and options.
        settings: the settings that servers are moved to, or that wrapped ones use.
        begin: what a new file begins with.
    """

    client: Client
    file: Path
    mode: Mode
    name: str = "tidegate"
    entry: dict[str, Any] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    settings: Path | None = None
    begin: dict[str, str] = field(default_factory=dict)

    @property
    def over_http(self) -> bool:
        """Whether the entry is an address, so that Tidegate has to run already."""
        return self.client.shape.url in self.entry


@dataclass(frozen=True, slots=True)
class Rewrite:
    """One file, as it is and as it is to be."""

    snapshot: Snapshot
    after: str

    @property
    def changed(self) -> bool:
        """Whether anything is to change."""
        return self.snapshot.data != self.after.encode() and bool(self.after or self.snapshot.data)


@dataclass(slots=True)
class Plan:
    """What is to change.

    Attributes:
        wish: what was asked for.
        file: the client's file.
        settings: the settings, where servers move to them.
        servers: the names of the servers that are wrapped or moved.
        notes: what stays as it is and why, and what wants a look: a server's name or ``""``, and a sentence.
    """

    wish: Wish
    file: Rewrite
    settings: Rewrite | None = None
    servers: list[str] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)


def plan(wish: Wish) -> Plan:
    """Work out what a wish changes; nothing is written.

    Raises:
        FileRefused: where the client's file can't be read or changed.
        SettingsError: where the settings can't take the servers.
        OSError: where a file can't be read.
    """
    snapshot = files.take(wish.file)
    text = snapshot.text
    tree = edits.language(wish.client.format).read(text)
    made = Plan(wish, Rewrite(snapshot, text))
    at = shapes.place_of(wish.client, tree)
    there = shapes.entries(wish.client, tree)
    if wish.mode == "wrap":
        todo = _wrapped(made, at, there)
    else:
        todo = _with_entry(made, at, there)
        if wish.mode == "move":
            todo += _moved(made, at, there)
    if todo and not text.strip():
        todo = [*(Set((key,), said) for key, said in wish.begin.items()), *todo]
    made.file = Rewrite(snapshot, edits.apply(wish.client.format, text, todo))
    return made


def _with_entry(made: Plan, at: edits.Path, there: dict[str, Any]) -> list[Edit]:
    """Return the change that adds the entry for Tidegate."""
    wish = made.wish
    if wish.name in there:
        if there[wish.name] == wish.entry:
            return []
        raise FileRefused(f"has a server {wish.name!r} already: give another --name")
    if wish.client.listed:
        return [Append(at, wish.entry)]
    return [Set((*at, wish.name), wish.entry)]


def _wrapped(made: Plan, at: edits.Path, there: dict[str, Any]) -> list[Edit]:
    """Return the changes that put ``tidegate wrap`` before each local server's command."""
    wish, shape = made.wish, made.wish.client.shape
    todo: list[Edit] = []
    taken = _settings_names(wish.settings)
    for name, entry in there.items():
        if shapes.is_tidegate(shape, entry):
            continue
        words = shapes.words_of(shape, entry)
        if words is None:
            if shapes.as_usual(wish.client, entry) is not None:
                made.notes.append((name, "stays as it is: it is no local server; --move puts it behind Tidegate"))
            continue
        called = importer.free_name(name, taken)
        taken[called] = True
        if called != name:
            made.notes.append((name, f"is called {called} in rules and records"))
        todo += shapes.wrapping(shape, (*at, name), entry, [*wish.words, "--name", called, "--"])
        made.servers.append(name)
    return todo


def _settings_names(settings: Path | None) -> dict[str, Any]:
    if settings is None:
        return {}
    return dict(parse(_text(settings), folder=settings.parent, source=str(settings)).servers)


def _text(path: Path) -> str:
    try:
        return files.take(path).text
    except FileRefused as refused:
        raise FileRefused(f"can't go with {path}, which {refused}") from None


def _moved(made: Plan, at: edits.Path, there: dict[str, Any]) -> list[Edit]:
    """Return the changes that take servers out, and put them into the settings."""
    wish = made.wish
    imported = Imported(wish.client.title)
    todo: list[Edit] = []
    for name, entry in there.items():
        if name == wish.name or shapes.is_tidegate(wish.client.shape, entry):
            continue
        usual = shapes.as_usual(wish.client, entry)
        if usual is None:
            made.notes.append((name, "stays as it is: it is the client's own"))
            continue
        before = len(imported.notes)
        called = importer.add(imported, name, usual)
        stays = "" if called else imported.notes.pop()[1].partition(": ")[2] or "it can't be used here; left out"
        if called in imported.disabled:
            stays = "it is switched off"
        elif called in imported.unfilled:
            stays = "there is something in it that only the client can fill in"
        if stays:
            made.notes.append((name, f"stays as it is: {stays.removesuffix('; left out')}"))
            del imported.notes[before:]
            for kept in (imported.servers, imported.disabled, imported.unfilled):
                if called is not None:
                    _discard(kept, called)
            continue
        made.servers.append(name)
        todo.append(Drop((*at, name)))
    made.notes += imported.notes
    if made.servers and wish.settings is not None:
        made.settings = _with_servers(wish.settings, imported)
    return todo


def _discard(kept: dict[str, Any] | set[str], name: str) -> None:
    if isinstance(kept, set):
        kept.discard(name)
    else:
        kept.pop(name, None)


def _with_servers(path: Path, imported: Imported) -> Rewrite:
    """Return the settings with servers added; what is there already stays as it is."""
    snapshot = files.take(path)
    try:
        if snapshot.data is None:
            after = imported.toml() + "\n"
        else:
            text = snapshot.text
            parse(text, folder=path.parent, source=str(path))
            there = tomllib.loads(text).get("servers", {})
            eol = "\r\n" if "\r\n" in text else "\n"
            after = text if text.endswith("\n") or not text else text + eol
            for name, members in imported.servers.items():
                if there.get(name) == members:
                    continue
                if name in there:
                    raise FileRefused(f"can't be moved: {path} has another server {name!r} already; rename one of them")
                after += eol + eol.join(imported.table(name)) + eol
    except ImportRefused as refused:
        raise FileRefused(str(refused)) from None
    parse(after, folder=path.parent, source=str(path))
    return Rewrite(snapshot, after)
