"""``secret set``, ``ls`` and ``rm``: the secrets of servers, in the stores that the settings name."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli import output
from tidegate.cli.serving import settings_of

if TYPE_CHECKING:
    from tidegate.secret_stores.base import Secret
    from tidegate.secret_stores.opening import Stores
    from tidegate.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Secrets that servers are given, in the stores that the settings name.")

_ANY = {"allow_extra_args": True, "ignore_unknown_options": True}  # to refuse them without repeating them

_Name = Annotated[str, typer.Argument(help="The secret's name, as in `secret:NAME`.")]
_File = Annotated[
    Path | None, typer.Option("--settings", help="The settings; by default `tidegate.toml` here.", show_default=False)
]
_Store = Annotated[
    str | None, typer.Option(help="The store; by default the first that can be written to.", show_default=False)
]


@app.callback()
def _secret() -> None:
    """Secrets that servers are given, in the stores that the settings name."""


@app.command("set", context_settings=_ANY)
def set_(context: typer.Context, name: _Name, *, settings: _File = None, store: _Store = None) -> None:
    """Put a secret into a store. Its value is asked for without being shown, or is what standard input says.

    `tidegate secret set files-api-key` asks for it, `… < key.txt` reads it; one line end at its end isn't part of it.
    A Tidegate that runs takes it over when it reloads (SIGHUP).
    """
    if context.args:
        raise output.Failure(
            "a secret is never an argument, because other users can see those, and the shell keeps them: "
            "type it when asked, or give it on standard input"
        )
    stores, _ = _opened(settings, name)
    called, _ = stores.writable(store)  # before anybody types anything
    value = _asked(name) if sys.stdin.isatty() else _read()
    stores.set(name, value, store)
    output.say(f"{name} is set, in the store {called}.")
    _warn(name, value, stores, called)


@app.command("ls")
def ls(
    *,
    settings: _File = None,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print JSON for a script.")] = False,
) -> None:
    """List the names of the secrets: which servers use each, and which store has it. Values are never shown.

    Secrets that no server uses are listed where their store can list what it has.
    """
    from tidegate.secret_stores.resolving import users  # noqa: PLC0415 - heavy

    stores, found = _opened(settings)
    used = users(found)
    listed = stores.names()
    rows = []
    for name in sorted({*used, *listed}):
        hit = stores.find(name)
        rows.append((name, used.get(name, []), hit[1] if hit is not None else None))
    if as_json:
        output.dump([{"name": name, "servers": its, "store": store} for name, its, store in rows])
        return
    if not rows:
        output.say("No secrets: none is set, and no server needs one.")
        return
    shown = [(name, ", ".join(its) or "no server", store or "not set") for name, its, store in rows]
    output.console().print(output.table(("secret", "used by", "store"), shown))


@app.command("rm")
def rm(name: _Name, *, settings: _File = None, store: _Store = None) -> None:
    """Remove a secret from a store. A Tidegate that runs forgets it when it reloads."""
    from tidegate.secret_stores.resolving import users  # noqa: PLC0415 - heavy

    stores, found = _opened(settings, name)
    removed = stores.remove(name, store)
    if removed is None:
        raise output.Failure(f"there is no secret {name} in the store {stores.writable(store)[0]}")
    output.say(f"{name} is removed from the store {removed}.")
    left = users(found).get(name)
    if left:
        output.note(f"It is still needed by {', '.join(left)}, which can't start without it.")


def _opened(file: Path | None, name: str | None = None) -> tuple[Stores, Settings]:
    """Return the stores of the settings, and the settings.

    Raises:
        SettingsError: where they aren't well.
        Failure: where a name can't be that of a secret.
    """
    from tidegate import secret_refs  # noqa: PLC0415 - heavy
    from tidegate.secret_stores.opening import Stores  # noqa: PLC0415 - heavy

    if name is not None:
        try:
            secret_refs.check_name(name)
        except ValueError as error:
            raise output.Failure(str(error)) from None
    found, _ = settings_of(file)
    return Stores(found.secrets, found.folder), found


def _asked(name: str) -> Secret:
    from tidegate.secret_stores.base import Secret  # noqa: PLC0415 - heavy

    try:
        value = Secret(getpass.getpass(f"{name}: "))
        again = Secret(getpass.getpass("Once more: "))
    except EOFError:
        raise output.Failure("nothing was typed, so nothing is changed") from None
    if value != again:
        raise output.Failure("the two aren't the same, so nothing is changed")
    return value


def _read() -> Secret:
    from tidegate.secret_stores.base import MOST, Secret  # noqa: PLC0415 - heavy

    return Secret.of_bytes(sys.stdin.buffer.read(MOST + 3))


def _warn(name: str, value: Secret, stores: Stores, called: str) -> None:
    """Say what isn't as one might think."""
    from tidegate.held import SHORTEST  # noqa: PLC0415 - heavy

    if len(value.reveal()) < SHORTEST:
        output.note(
            f"It has less than {SHORTEST} characters, so it can't be recognised in messages: take a longer one."
        )
    hit = stores.find(name)
    if hit is not None and hit[1] != called:
        output.note(f"The store {hit[1]} is asked first and has {name} too, so servers get that one.")
