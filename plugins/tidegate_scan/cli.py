"""``tidegate scan``: find secrets in files, folders, standard input and recorded messages."""

from __future__ import annotations

import json as jsonlib
import os
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tidegate_scan import entries, files, fingerprint, rules, sarif
from tidegate_scan.choosing import chosen, fits
from tidegate_scan.config import PiiConfig, ScanConfig, SecretsConfig
from tidegate_scan.interceptors import Pii, Secrets
from tidegate_scan.reports import Detector, Report, Reporter
from tidegate_scan.scanner import BUDGET, HELD, Scanner
from tidegate_scan.views import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tidegate_scan.choosing import Chosen
    from tidegate_scan.foreign import Named
    from tidegate_scan.rules import Rule

_SECONDS = 60.0  # of undoing disguises in one file; nobody waits for an answer here

app = typer.Typer(no_args_is_help=True)


def _fail(sentence: str) -> NoReturn:
    typer.echo(f"Error: {sentence}", err=True)
    raise typer.Exit(2)


def _note(sentence: str) -> None:
    typer.echo(printable(sentence), err=True)


def printable(text: str) -> str:
    """Return a text with whatever could steer a terminal, or can't be written, made visible."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)


@dataclass(frozen=True)
class _Wanted:
    """What is to be looked for, and with which key its fingerprints are made."""

    detectors: list[Detector]
    rules: list[Rule | Named]
    prints: fingerprint.Fingerprints
    keyed: bool


@app.command("scan")
def scan(  # noqa: PLR0913 - every option of a command is a parameter
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Files and folders; `-` is standard input.")],
    *,
    json: Annotated[
        bool, typer.Option("--json", metavar="", help="Print the findings as JSON, a list of objects.")
    ] = False,
    as_sarif: Annotated[bool, typer.Option("--sarif", metavar="", help="Print the findings as SARIF 2.1.0.")] = False,
    pii: Annotated[bool, typer.Option("--pii", metavar="", help="Look for personal data too.")] = False,
    own: Annotated[
        list[Path] | None, typer.Option("--rules", metavar="FILE", help="Rules of one's own. May be repeated.")
    ] = None,
    disable: Annotated[
        list[str] | None, typer.Option("--disable", metavar="GLOB", help="Leave these rules out. May be repeated.")
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option("--settings", metavar="FILE", help="Use the rules, disable, allow and key_file of this file."),
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option("--key-file", metavar="FILE", help="The fingerprints' key; made where missing.")
    ] = None,
    max_bytes: Annotated[
        int, typer.Option("--max-bytes", min=1, help="The size of the largest file that is scanned.")
    ] = 16 * 1024 * 1024,
) -> None:
    """Find secrets in files, as `secrets` finds them in messages; and say where, never what.

    Folders are scanned with all that is in them, except `.git` and `node_modules`. Exits with 1 where something is
    found. Nothing in a file can switch a rule off.

    Example: tidegate scan . --disable '*-assignment'
    """
    if json and as_sarif:
        _fail("--json and --sarif exclude each other")
    named = _named(paths)
    try:
        configs = _configs(settings, pii=pii)
        key = key_file or (settings.parent / configs[0].key_file if settings else None)
        wanted = _wanted(_rules(configs, settings, own or [], disable or []), disable or [], max_bytes, key)
    except (entries.EntryError, rules.RuleError, ValueError) as error:
        _fail(printable(str(error)))
    run = _Run(Reporter(wanted.detectors, wanted.prints), max_bytes)
    run.all(named)
    if as_sarif:
        told = sarif.log(run.reports, wanted.rules, run.paths, keyed=wanted.keyed)
        typer.echo(jsonlib.dumps(told, indent=2))
    elif json:
        titles = {rule.id: rule.title for rule in wanted.rules}
        found = [asdict(each) | {"title": titles.get(each.rule, "")} for each in run.reports]
        typer.echo(jsonlib.dumps(found, indent=2))
    else:
        _print(run.reports)
    if run.reports and not wanted.keyed:
        _note("The fingerprints are of this run alone; --key-file keeps them the same.")
    run.summary()
    raise typer.Exit(1 if run.reports else 2 if run.failed else 0)


def _named(paths: Sequence[str]) -> list[Path | None]:
    """Return the paths that were named, each once."""
    named: dict[Path | None, None] = {}
    for path in paths:
        if path != files.STDIN and not os.path.lexists(path):
            _fail(f"{printable(path)}: there is no such file or folder")
        named[None if path == files.STDIN else Path(path)] = None
    return list(named)


def _configs(settings: Path | None, *, pii: bool) -> list[ScanConfig]:
    """Return the settings of each interceptor that is to be done as."""
    models: list[type[ScanConfig]] = [SecretsConfig, PiiConfig] if pii else [SecretsConfig]
    if settings is None:
        return [model() for model in models]
    tree = entries.parse(entries.load(settings), str(settings))
    found: list[ScanConfig] = []
    for model, use in zip(models, ("secrets", "pii"), strict=False):
        index = entries.position(tree, use)
        if index is None and use == "secrets":
            raise entries.EntryError(f"{settings}: no interceptor there has use = 'secrets'")
        found.append(model() if index is None else entries.config(model, tree, index, str(settings)))
    return found


def _rules(
    configs: Sequence[ScanConfig], settings: Path | None, own: Sequence[Path], disable: Sequence[str]
) -> list[tuple[ScanConfig, Chosen]]:
    """Load the rules of each. Raises RuleError or ValueError, of one sentence, where that can't be done."""
    folder = settings.parent if settings else Path()
    loaded = []
    for config in configs:
        theirs = [folder / path for path in config.rules]
        theirs += own if isinstance(config, SecretsConfig) else ()
        loaded.append((config, chosen(config, theirs, folder, disable)))
    return loaded


def _wanted(
    loaded: Sequence[tuple[ScanConfig, Chosen]], disable: Sequence[str], max_bytes: int, key_file: Path | None
) -> _Wanted:
    """Make what looks. Raises ValueError, of one sentence, where that can't be done."""
    budget = DEFAULT._replace(bytes=4 * max(max_bytes, DEFAULT.bytes), seconds=_SECONDS)
    every: list[Rule | Named] = []
    detectors = []
    for config, mine in loaded:
        kept = [rule for rule in mine.shipped + mine.own if not fits(disable, rule.id)]
        kind = Secrets.kind if isinstance(config, SecretsConfig) else Pii.kind
        scanner = Scanner(kept, budget=budget, beside=mine.beside, numbers=kind == Pii.kind)
        detectors.append(Detector(kind, scanner, config.allow))
        every += [*mine.shipped, *mine.own, *(rule for finder in mine.beside for rule in finder.rules)]
    known = {rule.id for rule in every} | {HELD, BUDGET}
    for glob in disable:
        if not any(fnmatchcase(name, glob) for name in known):
            raise ValueError(f"--disable: there is no rule {glob!r}")
    if key_file is None:
        return _Wanted(detectors, every, fingerprint.ephemeral(), keyed=False)
    made = not key_file.exists()
    prints = fingerprint.with_key_of(key_file)
    if made:
        _note(f"Made {key_file}, the key of the fingerprints.")
    return _Wanted(detectors, every, prints, keyed=True)


class _Run:
    """One run over all that was named.

    Attributes:
        reports: what was found, by file.
        paths: the files that were scanned, by the names they are reported under.
        failed: whether a file couldn't be read.
    """

    def __init__(self, reporter: Reporter, limit: int) -> None:
        self.reports: list[Report] = []
        self.paths: dict[str, Path | None] = {}
        self.failed = False
        self._reporter = reporter
        self._limit = limit
        self._left: list[str] = []
        self._binaries = 0

    def all(self, named: Sequence[Path | None]) -> None:
        """Scan files, standard input and folders."""
        todo: dict[Path | None, bool] = {}  # each with whether it was named itself
        for path in named:
            if path is None or not path.is_dir():
                todo[path] = True
                continue
            for each in files.below(path):
                if isinstance(each, OSError):
                    self._leave(files.Unread("unreadable", f"can't be read: {each.strerror}"), str(each.filename))
                else:
                    todo.setdefault(each, False)
        err = Console(stderr=True)
        columns = (TextColumn("scanning"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=err, transient=True, disable=len(todo) < 2 or not err.is_terminal) as bar:
            for path, itself in bar.track(todo.items(), total=len(todo)):
                self._one(path, itself=itself)

    def _one(self, path: Path | None, *, itself: bool) -> None:
        name = files.STDIN if path is None else printable(str(path))
        try:
            text = files.read(path, self._limit)
        except files.Unread as why:
            self._leave(why, name, itself=itself)
            return
        self.paths[name] = path
        self.reports += self._reporter.text(name, text)

    def _leave(self, why: files.Unread, name: str, *, itself: bool = False) -> None:
        """Note a file that isn't scanned. A binary one is no mistake: hooks name all files that were changed."""
        if why.kind == "binary" and not itself:
            self._binaries += 1
        else:
            self._left.append(f"{name} was not scanned: it {why}.")
        self.failed |= why.kind == "unreadable" or (why.kind == "large" and itself)

    def summary(self) -> None:
        """Say how much was found, and what wasn't scanned."""
        for sentence in self._left:
            _note(sentence)
        if self._binaries:
            _note(f"{_counted(self._binaries, 'binary file')} not scanned.")
        found = _counted(len(self.reports), "finding") if self.reports else "Nothing found"
        where = f" in {len({each.path for each in self.reports})} of" if self.reports else " in"
        _note(f"{found}{where} {_counted(len(self.paths), 'file')}.")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _print(reports: Iterable[Report]) -> None:
    for each in reports:
        place = printable(each.pointer or "/") if each.column is None else str(each.column)
        marks = (each.rule, f"{each.confidence:.2f}", each.view or "plain", each.fingerprint or "-")
        typer.echo("  ".join((f"{each.path}:{each.line}:{place}", *marks)))
