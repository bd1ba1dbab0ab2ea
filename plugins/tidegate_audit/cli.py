"""``tidegate audit``: verify, show and follow audit logs, and read recordings.

Exit codes: 0 well, 1 the log isn't as it was written, 2 the user's mistake.
"""

from __future__ import annotations

import sys
import tomllib
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import orjson
import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from tidegate_audit import Audit, query, verify, view
from tidegate_audit.files import LogError

if TYPE_CHECKING:
    from collections.abc import Iterable

_BIG = 16 * 1024 * 1024  # bytes from which on verifying shows a progress bar
_SETTINGS = Path("tidegate.toml")

app = typer.Typer(
    no_args_is_help=True,
    help="Verify, show and follow audit logs. Without PATH the log is that of ./tidegate.toml, or else ./audit.jsonl.",
)

LogPath = Annotated[Path | None, typer.Argument(metavar="PATH", help="The log, or one older file of it.")]
Servers = Annotated[list[str] | None, typer.Option("--server", help="Only this server. Globs; may be repeated.")]
Methods = Annotated[list[str] | None, typer.Option("--method", help="Only this method, such as 'tools/*'.")]
Targets = Annotated[list[str] | None, typer.Option("--target", help="Only this tool, prompt or resource.")]
Verdicts = Annotated[list[str] | None, typer.Option("--verdict", help="Only this: allow, redact, hold or deny.")]
Stoppers = Annotated[list[str] | None, typer.Option("--by", help="Only what this interceptor stopped.")]
Principals = Annotated[list[str] | None, typer.Option("--principal", help="Only this principal.")]
Profiles = Annotated[list[str] | None, typer.Option("--profile", metavar="NAME", help="Only this profile.")]
Since = Annotated[str | None, typer.Option(help="Not before: 2026-07-28T12:00:00Z, 2026-07-28, or 15m, 2h, 3d ago.")]
Until = Annotated[str | None, typer.Option(help="Not after; as --since.")]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print the records as they stand in the log.")]


def _lines(number: int) -> str:
    return "1 line" if number == 1 else f"{number} lines"


def _fail(sentence: str) -> NoReturn:
    typer.echo(f"Error: {sentence}", err=True)
    raise typer.Exit(2)


def _path(given: Path | None) -> Path:
    return given or _configured(_SETTINGS) or Audit.Config().path


def _configured(settings: Path) -> Path | None:
    """Return the path of the first audit entry of a settings file; ``None`` where there is none."""
    entry = _entry(settings)
    return None if entry is None else settings.parent / str(entry.get("path", Audit.Config().path))


def _entry(settings: Path) -> dict[str, Any] | None:
    """Return the first audit entry of a settings file; ``None`` where there is none."""
    try:
        tree = tomllib.loads(settings.read_text())
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        _fail(f"{settings}: can't be read: {error}; give the path of the log")
    entries = tree.get("interceptors")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("use") == "audit":
            return entry
    return None


def _filter(globs: dict[str, Iterable[str] | None], since: str | None, until: str | None) -> query.Filter:
    for verdict in globs["verdict"] or ():
        if verdict not in ("allow", "redact", "hold", "deny"):
            _fail(f"--verdict {verdict}: it is one of allow, redact, hold and deny")
    now = datetime.now(UTC)
    try:
        times = [query.moment(text, now) if text else "" for text in (since, until)]
    except ValueError as error:
        _fail(str(error))
    return query.Filter(query.compile_globs(globs), *times)


@app.command("verify")
def verify_command(
    path: LogPath = None,
    *,
    start: Annotated[
        int | None, typer.Option("--from", min=1, help="Records before this one are elsewhere: don't look for them.")
    ] = None,
    contains: Annotated[
        str | None,
        typer.Option(help="A hash noted earlier, which a record must have."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", metavar="", help="Print the report as JSON.")] = False,
) -> None:
    """Check that every record is there, as it was written and in its place.

    Follows the log through its older files. Exits with 1, and says file, line and record, where a line is cut,
    changed, reordered or missing.
    """
    log = _path(path)
    try:
        found = _verified(log, start, contains)
    except LogError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{log} can't be read: {error.strerror}")
    if json:
        typer.echo(orjson.dumps({"ok": found.ok, **asdict(found)}, option=orjson.OPT_INDENT_2))
    else:
        out = view.console()
        for part in view.report(found, str(log)):
            out.print(part)
    raise typer.Exit(0 if found.ok else 1)


def _verified(log: Path, start: int | None, contains: str | None) -> verify.Report:
    total = verify.size(log)
    out = view.console(stderr=True)
    columns = (TextColumn("verifying"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, transient=True, disable=total < _BIG or not out.is_terminal) as bar:
        task = bar.add_task("", total=total)
        read = 0

        def progress(count: int) -> None:
            nonlocal read
            read += count
            if read >= _BIG // 64:
                bar.advance(task, read)
                read = 0

        return verify.verify(log, start=start, contains=contains, progress=progress)


def _print(lines: Iterable[query.Line], *, json: bool) -> None:
    out = view.console()
    for each in lines:
        if json:
            sys.stdout.buffer.write(each.text)
            sys.stdout.buffer.flush()
        else:
            out.print(view.line(each.record), soft_wrap=True)


def _open(log: Path) -> query.Reader:
    try:
        return query.Reader(log)
    except LogError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{log} can't be read: {error.strerror}")


@app.command()
def show(  # noqa: PLR0913 - every option of a command is a parameter
    path: LogPath = None,
    *,
    server: Servers = None,
    method: Methods = None,
    target: Targets = None,
    verdict: Verdicts = None,
    by: Stoppers = None,
    principal: Principals = None,
    profile: Profiles = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="The last so many records; 0 for all.")] = 50,
    json: Json = False,
) -> None:
    """Show the last records that fit, oldest first: as a table, or one after the other in a narrow window.

    Example: tidegate audit show --verdict deny --since 1h
    """
    globs = _globs(server, method, target, verdict, by, principal, profile)
    wanted = _filter(globs, since, until)
    with closing(_open(_path(path))) as reader:
        lines = reader.last(wanted, limit)
    if json:
        _print(lines, json=True)
    elif lines and (out := view.console()).width >= view.TABLE_WIDTH:
        out.print(view.table(lines))
    elif lines:
        _print(lines, json=False)
    else:
        typer.echo("No record fits.", err=True)
    if reader.unreadable:
        typer.echo(f"{_lines(reader.unreadable)} can't be read; see `tidegate audit verify`.", err=True)


@app.command()
def tail(  # noqa: PLR0913 - every option of a command is a parameter
    path: LogPath = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", metavar="", help="Go on with those still to come.")] = False,
    server: Servers = None,
    method: Methods = None,
    target: Targets = None,
    verdict: Verdicts = None,
    by: Stoppers = None,
    principal: Principals = None,
    profile: Profiles = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="How many to begin with; 0 for all.")] = 10,
    json: Json = False,
) -> None:
    """Show the last records that fit, one line each, and with -f those still to come.

    Example: tidegate audit tail -f --verdict deny
    """
    globs = _globs(server, method, target, verdict, by, principal, profile)
    wanted = _filter(globs, since, until)
    with closing(_open(_path(path))) as reader:
        _print(reader.last(wanted, limit), json=json)
        if follow:
            try:
                _print(reader.follow(wanted), json=json)
            except KeyboardInterrupt:
                raise typer.Exit(0) from None


@app.command("record-key")
def record_key(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Where it is written; it must not be there yet.")],
) -> None:
    """Make a key for `record_key` in the settings, in a file that its owner alone can read.

    Whoever has it can read the recording; without it nobody can.
    """
    from tidegate_audit import recording  # noqa: PLC0415 - it takes a while to import, and only two commands need it

    try:
        recording.new_key(path)
    except OSError as error:
        _fail(f"{path} can't be written: {error.strerror}")


@app.command("recording")
def show_recording(
    path: Annotated[Path | None, typer.Argument(metavar="PATH", help="The recording, or one older file of it.")] = None,
    *,
    key: Annotated[
        str | None, typer.Option("--key", help="The file of the key, or env:NAME; by default that of ./tidegate.toml.")
    ] = None,
) -> None:
    """Print a recording as JSON lines, decrypted: what policies saw of each message, and what they decided.

    Without PATH the recording is that of ./tidegate.toml, or else ./audit.recording. Exits with 1 where lines can't be
    read.

    Example: tidegate audit recording audit.recording --key record.key
    """
    from tidegate_audit import recording  # noqa: PLC0415 - as above

    entry = _entry(_SETTINGS) if path is None or key is None else None
    said = key or (entry or {}).get("record_key")
    if not isinstance(said, str):
        _fail("the recording needs its key: give --key FILE or --key env:NAME")
    found = path or Path(str((entry or {}).get("record_path", Audit.Config().record_path)))
    unreadable = 0
    try:
        for line in recording.read(found, recording.read_key(said, Path())):
            if line.entry is None:
                unreadable += 1
            else:
                _write(line.entry)
    except LogError as error:
        _fail(str(error))
    except BrokenPipeError:
        raise  # of who reads what is printed
    except OSError as error:
        _fail(f"{found} can't be read: {error.strerror}")
    if unreadable:
        typer.echo(f"{_lines(unreadable)} can't be read: written with another key, cut or changed.", err=True)
        raise typer.Exit(1)


def _write(entry: dict[str, Any]) -> None:
    """Print a line of a recording, with what the interceptor kept beside the rest."""
    detail = entry.pop("detail")
    entry["decision_id"] = entry.pop("decision")
    entry |= detail if isinstance(detail, dict) else {"detail": detail}
    sys.stdout.buffer.write(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


def _globs(*wanted: list[str] | None) -> dict[str, Any]:
    """Name the filters of both commands, in the order of their options."""
    return dict(zip(("server", "method", "target", "verdict", "by", "principal", "profile"), wanted, strict=True))
