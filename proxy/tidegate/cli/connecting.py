"""``connect``, ``disconnect`` and ``clients``: Tidegate in MCP clients' own configuration."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli import output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.clients.edits import Format
    from tidegate.clients.files import Snapshot
    from tidegate.clients.known import Client
    from tidegate.clients.planning import Plan
    from tidegate.clients.records import Record

_Name = Annotated[
    str, typer.Argument(help="The client, such as `cursor`; `tidegate clients` lists them.", metavar="CLIENT")
]
_Project = Annotated[
    Path | None,
    typer.Option(
        help="The client's file of this project, not the user's; `.` for the one here.",
        metavar="DIR",
        show_default=False,
    ),
]
_File = Annotated[
    Path | None, typer.Option(help="The client's file, where it isn't at its usual place.", show_default=False)
]
_Yes = Annotated[bool, typer.Option("--yes", metavar="", help="Don't ask.")]
_Dry = Annotated[bool, typer.Option("--dry-run", metavar="", help="Show the changes and write nothing.")]
_Json = Annotated[
    bool, typer.Option("--json", metavar="", help="Print JSON for a script; asks nothing, as with --yes.")
]


# long: its options take most of it
def connect(  # noqa: PLR0913 - each is an option
    client: _Name,
    *,
    wrap: Annotated[
        bool, typer.Option("--wrap", metavar="", help="Put `tidegate wrap` before the command of each local server.")
    ] = False,
    move: Annotated[
        bool, typer.Option("--move", metavar="", help="Move all servers into the settings, behind Tidegate.")
    ] = False,
    project: _Project = None,
    file: _File = None,
    settings: Annotated[
        Path | None, typer.Option(help="The settings; by default `tidegate.toml` here.", show_default=False)
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(help="Tidegate's address; by default `/mcp` at `listen` of the settings.", show_default=False),
    ] = None,
    stdio: Annotated[
        bool, typer.Option("--stdio", metavar="", help="Have the client start `tidegate run --stdio` itself.")
    ] = False,
    name: Annotated[str, typer.Option(help="What the client's entry is called.")] = "tidegate",
    token_env: Annotated[
        str | None,
        typer.Option(
            help="The variable that holds the client's token; the file refers to it.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    token_clear: Annotated[
        bool, typer.Option("--token-clear", metavar="", help="Write the token itself into the file, in clear.")
    ] = False,
    yes: _Yes = False,
    dry_run: _Dry = False,
    as_json: _Json = False,
) -> None:
    """Put Tidegate into an MCP client's configuration; `tidegate disconnect` undoes it.

    By default one entry is added, which leads to Tidegate beside the client's own servers. With `--wrap`, each local
    server stays where it is, and its messages go through Tidegate. With `--move`, the servers move into the settings,
    and the client has Tidegate alone.

    The changes are shown first. Everything else in the file stays as it is, comments and layout too, and the file as it
    was is kept.
    """
    from tidegate.cli import wishes  # noqa: PLC0415 - heavy
    from tidegate.clients import doing, planning, records  # noqa: PLC0415 - heavy

    with _told():
        known = _client(client)
        place = _place(known, project, file)
        chosen = wishes.Choice(known, place, project is not None, settings, url, name, stdio, token_env, token_clear)
        wish = wishes.wish_of(chosen, wrap=wrap, move=move)
        with _about(place):
            planned = planning.plan(wish)
            record = records.find(known.name, place)
            changed = planned.file.changed or (planned.settings is not None and planned.settings.changed)
            if changed and record is not None and doing.holds(record, planned.file.snapshot):
                raise output.Failure(
                    f"{known.title} is connected already ({record.mode}): tidegate disconnect {known.name} first"
                )
        written = None
        if changed and not as_json:
            _show_plan(planned)
        if changed and not dry_run and (as_json or _agreed(yes=yes)):
            with _about(place):
                written = doing.carry_out(planned)
        _tell(planned, written, changed=changed, dry_run=dry_run, as_json=as_json)


def disconnect(
    client: _Name,
    *,
    project: _Project = None,
    file: _File = None,
    yes: _Yes = False,
    dry_run: _Dry = False,
    as_json: _Json = False,
) -> None:
    """Take back what `tidegate connect` changed in an MCP client's configuration.

    Where nothing else has changed since, the file is as it was, to the byte. What somebody has changed since stays as
    it is, and is told.
    """
    from tidegate.clients import doing, records  # noqa: PLC0415 - heavy

    with _told():
        known = _client(client)
        place = _place(known, project, file)
        record = records.find(known.name, place)
        if record is None:
            raise output.Failure(f"{place}: tidegate connect has changed nothing there")
        todo, notes = doing.plan_back(record)
        if not as_json:
            for back in todo:
                _show(back.snapshot, (back.undone.data or b"").decode(errors="replace"), back.changed.format)
        done = not dry_run and (as_json or _agreed(yes=yes))
        kept = any(back.undone.kept for back in todo)
        if done:
            for back in todo:
                with _about(back.changed.path):
                    doing.take_back(back)
            notes += doing.forget(record, kept=kept)
        if as_json:
            output.dump({"client": known.name, "file": str(place), "written": done, "notes": notes})
        else:
            for said in notes:
                output.note(said)
            output.say(f"{known.title} is disconnected." if done else "Nothing is written.")
        if kept:
            raise typer.Exit(output.NOT_WELL)


def clients(
    *,
    project: _Project = None,
    as_json: _Json = False,
) -> None:
    """List the MCP clients that Tidegate knows: which are here, their files, and whether they are connected."""
    from tidegate.clients import known, places  # noqa: PLC0415 - heavy

    machine = places.Machine.this()
    rows = []
    for client in known.CLIENTS:
        path = places.file_of(client, machine, project)
        row: dict[str, Any] = {
            "client": client.name,
            "title": client.title,
            "installed": places.installed(client, machine),
            "file": str(path) if path else None,
            "exists": path is not None and path.exists(),
            "documentation": client.source,
        }
        rows.append(
            {**row, **(_state(client, path) if path else {"servers": None, "connected": None, "problem": None})}
        )
    if as_json:
        output.dump(rows)
        return
    home = str(machine.home)
    cells = [
        (
            row["client"],
            "yes" if row["installed"] else "no",
            row["problem"] or row["connected"] or ("no" if row["exists"] else "no file"),
            "" if row["servers"] is None else str(row["servers"]),
            row["file"].replace(home, "~", 1),
        )
        for row in rows
        if row["file"] is not None
    ]
    output.console().print(output.table(("CLIENT", "HERE", "CONNECTED", "SERVERS", "FILE"), cells, right=("SERVERS",)))


# -- what is meant ------------------------------------------------------------------------------------------


def _client(name: str) -> Client:
    from tidegate.clients import known  # noqa: PLC0415 - heavy

    found = known.find(name)
    if found is None:
        names = ", ".join(client.name for client in known.CLIENTS)
        raise output.Failure(f"there is no client {name!r}; those that are known are {names}")
    return found


def _place(client: Client, project: Path | None, file: Path | None) -> Path:
    from tidegate.clients import places  # noqa: PLC0415 - heavy

    if file is not None:
        return file.absolute()
    found = places.file_of(client, places.Machine.this(), project.absolute() if project is not None else None)
    if found is None:
        raise output.Failure(f"{client.title} has no file for a project")
    return found


# -- showing it ---------------------------------------------------------------------------------------------


def _agreed(*, yes: bool) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        raise output.Failure("there is nobody to ask: give --yes to write, or --dry-run to look")
    return typer.confirm("Write this?", default=False)


def _show_plan(planned: Plan) -> None:
    _show(planned.file.snapshot, planned.file.after, planned.wish.client.format)
    if planned.settings is not None and planned.settings.changed:
        _show(planned.settings.snapshot, planned.settings.after, "toml")


def _show(snapshot: Snapshot, after: str, kind: Format) -> None:
    """Print what changes in a file, without what looks like a secret."""
    from rich.text import Text  # noqa: PLC0415 - heavy

    styles = {"+": "green", "-": "red", "@": "cyan"}
    console = output.console()
    for line in _diff(snapshot, after, kind):
        style = "bold" if line.startswith(("+++", "---")) else styles.get(line[:1], "")
        console.print(Text(output.plain(line), style=style), soft_wrap=True)
    console.print()


def _diff(snapshot: Snapshot, after: str, kind: Format) -> list[str]:
    from tidegate.clients import differing  # noqa: PLC0415 - heavy

    before = (snapshot.data or b"").decode(errors="replace")
    return list(differing.lines(before, after, str(snapshot.named), kind))


def _tell(planned: Plan, record: Record | None, *, changed: bool, dry_run: bool, as_json: bool) -> None:
    wish = planned.wish
    backup = record.backup if record is not None else None
    if as_json:
        output.dump(
            {
                "client": wish.client.name,
                "file": str(wish.file),
                "mode": wish.mode,
                "settings": str(planned.settings.snapshot.named) if planned.settings else None,
                "servers": planned.servers,
                "changed": changed,
                "written": record is not None,
                "backup": str(backup) if backup else None,
                "diff": _diff(planned.file.snapshot, planned.file.after, wish.client.format),
                "notes": [{"server": name, "note": said} for name, said in planned.notes],
            }
        )
        return
    for name, said in planned.notes:
        output.note(f"{name}: {said}" if name else said)
    if not changed:
        output.say(f"{wish.file}: nothing to change")
    elif record is None:
        output.say("Nothing is written (--dry-run)." if dry_run else "Nothing is written.")
    else:
        where = f"; as it was, it is {backup}" if backup else ""
        output.say(f"Wrote {wish.file}{where}.")
        if planned.settings is not None and planned.settings.changed:
            output.say(f"Wrote {planned.settings.snapshot.named}.")
        if wish.over_http:
            output.say(f"Tidegate has to run: tidegate run {wish.settings}")
        output.say(
            f"Restart {wish.client.title} to have it take effect. Undo it: tidegate disconnect {wish.client.name}"
        )


def _state(client: Client, path: Path) -> dict[str, Any]:
    """Return what a client's file says: how many servers, whether Tidegate is among them, or why it can't be read."""
    from tidegate.clients import doing, edits, files, records, shapes  # noqa: PLC0415 - heavy

    try:
        snapshot = files.take(path)
        record = records.find(client.name, path)
        there = shapes.entries(client, edits.language(client.format).read(snapshot.text))
        held = record is not None and doing.holds(record, snapshot)
    except (edits.FileRefused, OSError) as error:
        said = f"it {error}" if isinstance(error, edits.FileRefused) else f"it can't be read: {error.strerror}"
        return {"servers": None, "connected": None, "problem": said}
    connected = record.mode if record is not None and held else None
    if connected is None and any(shapes.is_tidegate(client.shape, entry) for entry in there.values()):
        connected = "by hand"
    return {"servers": len(there) if snapshot.data is not None else None, "connected": connected, "problem": None}


@contextmanager
def _about(path: Path) -> Iterator[None]:
    """Name the file in what is wrong with it."""
    from tidegate.clients.edits import FileRefused  # noqa: PLC0415 - heavy

    try:
        yield
    except FileRefused as refused:
        raise output.Failure(f"{path}: {refused}") from None


@contextmanager
def _told() -> Iterator[None]:
    """End the command with one sentence where a file can't be used."""
    from tidegate.clients.edits import FileRefused  # noqa: PLC0415 - heavy

    try:
        yield
    except FileRefused as refused:
        raise output.Failure(str(refused)) from None
