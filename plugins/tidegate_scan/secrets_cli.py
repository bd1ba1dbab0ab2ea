"""``tidegate secrets``: let through what was found, and list the rules."""

from __future__ import annotations

import json as jsonlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from tidegate_scan import entries
from tidegate_scan.choosing import chosen
from tidegate_scan.cli import printable
from tidegate_scan.config import PiiConfig, SecretsConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tidegate_scan.allowing import Sighting

_SHOWN = 10  # findings that are named where it isn't clear which is meant
_PIPED_WIDTH = 500  # nothing is folded where nobody's window sets the width

app = typer.Typer(no_args_is_help=True, help="Let through what was found, and list the rules.")


def _fail(sentence: str) -> NoReturn:
    typer.echo(f"Error: {printable(sentence)}", err=True)
    raise typer.Exit(2)


@app.command()
def allow(
    log: Annotated[Path, typer.Argument(metavar="AUDIT_LOG", help="The audit log that has the finding.")],
    *,
    decision: Annotated[
        str | None, typer.Option(help="The decision, by the id that the answer to a denied request carries too.")
    ] = None,
    fingerprint: Annotated[str | None, typer.Option(help="The fingerprint of what was found.")] = None,
    settings: Annotated[Path, typer.Option(metavar="FILE", help="The settings.")] = Path("tidegate.toml"),
    write: Annotated[bool, typer.Option("--write", metavar="", help="Add the entry to the settings.")] = False,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why; it is kept in the entry.")] = None,
) -> None:
    """Print the entry of `allow` that lets a finding through, as narrow as it can be; with --write, add it.

    Example: tidegate secrets allow audit.jsonl --decision 0f3a-17 --reason 'a test key' --write
    """
    from tidegate_scan import allowing  # noqa: PLC0415 - it brings a library that the other commands don't need

    try:
        found = allowing.sightings(log, decision, fingerprint)
    except OSError as error:
        _fail(f"{log} can't be read: {error.strerror}")
    if not found:
        _fail(f"{log} has no {'such finding' if decision or fingerprint else 'finding that can be allowed'}")
    if len({each.fingerprint for each in found}) > 1 or not (decision or fingerprint):
        _choose(found, "--fingerprint" if decision else "--decision or --fingerprint")
    sighting = found[-1]
    found = [each for each in found if (each.decision, each.by) == (sighting.decision, sighting.by)]
    entry = allowing.entry_for(found, reason or "")
    typer.echo(allowing.toml(entry).rstrip())
    if not write:
        typer.echo(f"Put it below the entry of {allowing.KINDS[sighting.kind]!r}, or use --write.", err=True)
        return
    try:
        changed = allowing.added(entries.load(settings), str(settings), sighting, entry)
    except entries.EntryError as error:
        _fail(str(error))
    if changed is None:
        typer.echo(f"{settings} has that entry already; nothing is changed.", err=True)
        return
    try:
        _replace(settings, changed)
    except OSError as error:
        _fail(f"{settings} can't be written: {error.strerror}")
    typer.echo(f"Added it to {settings}. Reload or restart Tidegate for it to count.", err=True)


def _choose(found: Sequence[Sighting], option: str) -> NoReturn:
    """Name the last findings, and ask which is meant."""
    for each in found[-_SHOWN:]:
        marks = (each.fingerprint, each.rule, each.server or "-", each.target or "-", each.pointer or "/")
        typer.echo(printable("  ".join((*marks, f"decision {each.decision}"))), err=True)
    _fail(f"say with {option} which of these is meant")


def _replace(path: Path, text: str) -> None:
    """Write a file so that there is always either the old or the new one; links to it and its mode stay."""
    real = Path(os.path.realpath(path))
    handle, name = tempfile.mkstemp(prefix=f".{real.name}.", dir=real.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(real.stat().st_mode & 0o7777)
        Path(name).replace(real)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise


@app.command()
def rules(
    *,
    json: Annotated[bool, typer.Option("--json", metavar="", help="Print them as JSON, a list of objects.")] = False,
    pii: Annotated[bool, typer.Option("--pii", metavar="", help="Those of personal data instead.")] = False,
) -> None:
    """List the rules that ship with Tidegate: id, title, confidence, and the source of the format.

    Example: tidegate secrets rules --json
    """
    listed = sorted(chosen(PiiConfig() if pii else SecretsConfig(), (), Path()).shipped, key=lambda rule: rule.id)
    if json:
        members = ("id", "title", "confidence", "source")
        typer.echo(jsonlib.dumps([{name: getattr(rule, name) for name in members} for rule in listed], indent=2))
        return
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    drawn.add_column("id", no_wrap=True)
    drawn.add_column("title", overflow="fold")
    drawn.add_column("confidence", justify="right")
    drawn.add_column("source", overflow="fold")
    for rule in listed:
        drawn.add_row(rule.id, rule.title, f"{rule.confidence:.2f}", rule.source)
    out = Console(highlight=False, markup=False, emoji=False)
    if not out.is_terminal and "COLUMNS" not in os.environ:
        out = Console(highlight=False, markup=False, emoji=False, width=_PIPED_WIDTH)
    out.print(drawn)
