"""``tidegate pins``: see what servers changed, and approve it.

Exit codes: 0 well, 1 something waits for approval, 2 the user's mistake.
"""

from __future__ import annotations

import json as jsonlib
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from tidegate_pins import book as books
from tidegate_pins import showing
from tidegate_pins.store import PinsError, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tidegate_pins.book import Book, Item, Scope

_SETTINGS = Path("tidegate.toml")
_DEFAULT = Path("pins.json")  # the setting's own default
_SECONDS = 10.0  # to wait for a Tidegate that writes

app = typer.Typer(no_args_is_help=True, help="See what servers changed of what they offer, and approve it.")

What = Annotated[
    list[str] | None,
    typer.Argument(metavar="WHAT", help="SERVER, or SERVER/NAME: a tool's name, a resource's URI, or `instructions`."),
]
Settings = Annotated[Path, typer.Option("--settings", metavar="FILE", help="The settings that name the file of pins.")]
File = Annotated[Path | None, typer.Option("--file", metavar="FILE", help="The file of pins itself.")]
Principal = Annotated[
    str | None, typer.Option(metavar="NAME", help='Only the pins of this principal, with `by = "principal"`.')
]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON for a script.")]
Yes = Annotated[bool, typer.Option("--yes", metavar="", help="Don't ask.")]


@app.callback()
def _pins() -> None:
    """See what servers changed of what they offer, and approve it."""


def _fail(sentence: str) -> NoReturn:
    typer.echo(f"Error: {showing.plain(sentence)}", err=True)
    raise typer.Exit(2)


def _configured(settings: Path) -> Path:
    """Return the path of the first pins entry of a settings file."""
    try:
        tree = tomllib.loads(settings.read_text())
    except FileNotFoundError:
        _fail(f"{settings}: there is no such file; say with --settings or --file where the pins are")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        _fail(f"{settings}: can't be read: {error}; give the file of pins with --file")
    entries = tree.get("interceptors")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("use") == "pins":
            return settings.parent / str(entry.get("path", _DEFAULT))
    _fail(f"{settings}: has no interceptor with use = 'pins'; give the file of pins with --file")


def _store(settings: Path, file: Path | None) -> Store:
    path = file or _configured(settings)
    if not path.exists():
        _fail(f"{path}: there is no such file; it comes into being when Tidegate starts with `pins`")
    try:
        return Store.acquire(path)
    except PinsError as error:
        _fail(str(error))


class _Choice:
    """Which items a command is about.

    Args:
        what: servers and items; all where there are none.
        principal: only the pins of this one.
    """

    def __init__(self, what: list[str] | None, principal: str | None) -> None:
        self.what = tuple(what or ())
        self.principal = principal

    def has(self, scope: Scope, _kind: str, name: str) -> bool:
        """Whether an item is chosen."""
        if self.principal not in (None, scope.principal):
            return False
        return not self.what or any(text in (scope.server, f"{scope.server}/{name}") for text in self.what)

    def items(self, book: Book) -> Iterator[showing.Row]:
        """Yield what is chosen, in a steady order."""
        for scope in book.scopes:
            for kind in sorted(scope.items):
                for name, item in sorted(scope.items[kind].items()):
                    if self.has(scope, kind, name):
                        yield showing.Row(scope.server, scope.principal, kind, name, item)

    def check(self, book: Book) -> None:
        """Refuse what names nothing that there is."""
        for text in self.what:
            if not any(_Choice([text], self.principal).items(book)):
                _fail(f"{text}: nothing of that name is pinned or waits; `tidegate pins list` shows what is")


def _book(store: Store) -> Book:
    try:
        return store.book()
    except PinsError as error:
        _fail(str(error))


@app.command("list")
def list_command(
    what: What = None,
    *,
    settings: Settings = _SETTINGS,
    file: File = None,
    principal: Principal = None,
    changed: Annotated[bool, typer.Option("--changed", metavar="", help="Only what isn't as it was approved.")] = False,
    json: Json = False,
) -> None:
    """List what is pinned, and what isn't as it was approved.

    Exits with 1 where something waits for approval.
    Example: tidegate pins list files --changed
    """
    book = _book(_store(settings, file))
    choice = _Choice(what, principal)
    choice.check(book)
    rows = list(choice.items(book))
    shown = [row for row in rows if not changed or row.item.pending is not None or row.item.gone]
    if json:
        _dump([showing.as_json(row) for row in shown])
    else:
        showing.draw_list(shown, len(rows))
    raise typer.Exit(_code(rows))


@app.command()
def diff(
    what: What = None,
    *,
    settings: Settings = _SETTINGS,
    file: File = None,
    principal: Principal = None,
    json: Json = False,
) -> None:
    """Show how what changed differs from what was approved: before on the left, now on the right.

    Exits with 1 where something waits for approval.
    Example: tidegate pins diff files/read_file
    """
    book = _book(_store(settings, file))
    choice = _Choice(what, principal)
    choice.check(book)
    rows = list(choice.items(book))
    shown = [row for row in rows if row.item.pending is not None or row.item.gone]
    if json:
        _dump([showing.as_json(row, whole=True) for row in shown])
    else:
        for row in shown:
            showing.draw_diff(row)
        if not shown:
            showing.say("Everything is as it was approved." if rows else "Nothing is pinned yet.")
    raise typer.Exit(_code(rows))


def _code(rows: list[showing.Row]) -> int:
    return 1 if any(books.waiting(row.item) for row in rows) else 0


def _dump(value: Any) -> None:
    sys.stdout.write(jsonlib.dumps(value, indent=2) + "\n")


@app.command()
def approve(
    what: What = None,
    *,
    every: Annotated[bool, typer.Option("--all", metavar="", help="Everything that isn't as it was approved.")] = False,
    settings: Settings = _SETTINGS,
    file: File = None,
    principal: Principal = None,
    yes: Yes = False,
) -> None:
    """Approve what changed, once it has been shown and confirmed; what is gone is forgotten.

    What changes again before it is confirmed is not approved. A running Tidegate notices at once.
    Example: tidegate pins approve files/read_file
    """
    if bool(what) == every:
        _fail("say what to approve, a SERVER or a SERVER/NAME; or --all for everything")
    store = _store(settings, file)
    book, choice = _book(store), _Choice(what, principal)
    choice.check(book)
    rows = [row for row in choice.items(book) if row.item.pending is not None or row.item.gone]
    for row in [row for row in rows if row.item.pending is not None and row.item.pending.definition is None]:
        showing.say(f"{row.place} can't be approved: its definition is too large to be kept.")
        rows.remove(row)
    if not rows:
        showing.say("There is nothing to approve.")
        return
    for row in rows:
        showing.draw_diff(row)
    _confirm(f"Approve {showing.counted(len(rows), 'definition')}?", yes=yes)
    shown = {(row.server, row.principal, row.kind, row.name): row.item for row in rows}
    done: list[str] = []

    def change(scope: Scope, kind: str, name: str, item: Item) -> Item | None:
        seen = shown.get((scope.server, scope.principal, kind, name))
        if seen is None or not _same(seen, item):
            return item
        done.append(name)
        if item.pending is None:
            return None
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return books.approved(item, "approved", now, kind)  # type: ignore[arg-type]  # a key of the scope's items

    _change(store, lambda book: book.mapped(change))
    showing.say(f"Approved {showing.counted(len(done), 'definition')}.")
    if len(done) < len(rows):
        _fail(f"{showing.counted(len(rows) - len(done), 'definition')} changed again meanwhile: look at them anew")


def _same(seen: Item, item: Item) -> bool:
    """Whether what was shown is what is there now."""
    if seen.pending is None or item.pending is None:
        return seen.pending is item.pending and seen.digest == item.digest and seen.gone == item.gone
    return (seen.digest, seen.pending.digest) == (item.digest, item.pending.digest)


@app.command()
def reset(
    what: What = None,
    *,
    every: Annotated[bool, typer.Option("--all", metavar="", help="Everything.")] = False,
    settings: Settings = _SETTINGS,
    file: File = None,
    principal: Principal = None,
    yes: Yes = False,
) -> None:
    """Forget what is pinned: what is seen next is seen for the first time.

    Of a whole server that is trusted or waits, as the settings say; of single items of it, they are new.
    Example: tidegate pins reset files
    """
    if bool(what) == every:
        _fail("say what to forget, a SERVER or a SERVER/NAME; or --all for everything")
    store = _store(settings, file)
    book, choice = _book(store), _Choice(what, principal)
    choice.check(book)
    rows = list(choice.items(book))
    for place in sorted({row.place for row in rows}):
        showing.say(place)
    _confirm(f"Forget {showing.counted(len(rows), 'definition')}?", yes=yes)
    servers = {text for text in choice.what if "/" not in text}

    def change(book: Book) -> Book:
        made = book.mapped(lambda scope, kind, name, item: None if choice.has(scope, kind, name) else item)
        whole = [
            scope.model_copy(update={"full": False})
            for scope in made.scopes
            if not ((every or scope.server in servers) and principal in (None, scope.principal))
        ]
        return made.model_copy(update={"scopes": tuple(whole)})

    _change(store, change)
    showing.say(f"Forgot {showing.counted(len(rows), 'definition')}.")


def _change(store: Store, how: Callable[[Book], Book]) -> None:
    try:
        store.change(how, seconds=_SECONDS)
    except PinsError as error:
        _fail(str(error))


def _confirm(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        _fail("nobody can be asked here: use --yes once you have seen the diff")
    if not typer.confirm(question):
        typer.echo("Nothing is changed.")
        raise typer.Exit(1)
