"""How records look to people: a table, or one line each; and the outcome of a verification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tidegate_audit.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidegate_audit.query import Line
    from tidegate_audit.verify import Report

_STYLES = {"allow": "green", "redact": "yellow", "hold": "magenta", "deny": "bold red"}
_ARROWS = {"client_to_server": "→", "server_to_client": "←"}
_PIPED_WIDTH = 500  # nothing is cut or wrapped where nobody's window sets the width
TABLE_WIDTH = 110  # columns of a window below which a table would leave out what matters
_WOULD = ("deny", "hold", "redact")


def console(*, stderr: bool = False) -> Console:
    """Return a console for standard output or error that neither wraps nor cuts where it is piped."""
    made = Console(stderr=stderr, highlight=False, emoji=False, markup=False)
    return (
        made
        if made.is_terminal
        else Console(stderr=stderr, highlight=False, emoji=False, markup=False, width=_PIPED_WIDTH)
    )


def _said(value: object, style: str = "") -> Text:
    """Return a value of a record; a log may have been tampered with, so it is made printable again."""
    return Text("" if value is None else printable(str(value)), style)


def _items(record: dict[str, Any], name: str) -> list[Any]:
    value = record.get(name)
    return value if isinstance(value, list) else []


def _micros(record: dict[str, Any]) -> Text:
    """Return what all steps took together; nothing for an event, which has none."""
    try:
        if not record["steps"]:
            return Text("")
        return Text(f"{sum(step[3] for step in _items(record, 'steps')):,.0f}", "dim")
    except (TypeError, IndexError, KeyError):
        return Text("?")


def _when(record: dict[str, Any]) -> Text:
    return _said(str(record.get("time"))[:23].replace("T", " "), "dim")


def _verdict(record: dict[str, Any]) -> Text:
    verdict = str(record.get("verdict"))
    if verdict == "allow" and record.get("direction") is None:  # an event that nobody had to allow
        return Text("-", "dim")
    return _said(verdict, _STYLES.get(verdict, "reverse"))


def _why(record: dict[str, Any]) -> Text:
    """Return who stopped it and why, what was edited and found, and what reporting entries would have done."""
    parts: list[Text] = []
    if record.get("by"):
        parts.append(_said(f"{record['by']}: {record.get('rule')}", "red"))
    elif record.get("reason"):
        parts.append(_said(record["reason"]))
    labels = {str(edit["label"]) for edit in _items(record, "edits") if isinstance(edit, dict) and "label" in edit}
    if labels:
        parts.append(_said("edited: " + ", ".join(sorted(labels)), "yellow"))
    kinds = {str(item["kind"]) for item in _items(record, "findings") if isinstance(item, dict) and "kind" in item}
    if kinds:
        parts.append(_said("found: " + ", ".join(sorted(kinds)), "cyan"))
    steps = (step for step in _items(record, "steps") if isinstance(step, list) and len(step) == 6)
    parts += [_said(f"would {step[2]}: {step[0]} {step[5]}".rstrip(), "magenta") for step in steps if step[2] in _WOULD]
    return Text("; ").join(parts)


def _kind(record: dict[str, Any]) -> Text:
    arrow = _ARROWS.get(str(record.get("direction")), "·")
    return Text.assemble((arrow, "bold"), " ", _said(record.get("kind")))


def table(lines: Iterable[Line]) -> Table:
    """Return records as a table."""
    out = Table(box=None, header_style="bold", pad_edge=False)
    out.add_column("seq", justify="right", style="dim", no_wrap=True)
    out.add_column("time (UTC)", no_wrap=True)
    out.add_column("verdict", no_wrap=True)
    out.add_column("server", overflow="fold")
    out.add_column("kind", no_wrap=True)
    out.add_column("method", overflow="fold")
    out.add_column("target", overflow="fold")
    out.add_column("principal", overflow="fold")
    out.add_column("µs", justify="right", no_wrap=True)
    out.add_column("why", overflow="fold")
    for line in lines:
        record = line.record
        named = [_said(record.get(name)) for name in ("server", "method", "target", "principal")]
        server, method, target, principal = named
        out.add_row(
            _said(record.get("seq")),
            _when(record),
            _verdict(record),
            server,
            _kind(record),
            method,
            target,
            principal,
            _micros(record),
            _why(record),
        )
    return out


def line(record: dict[str, Any]) -> Text:
    """Return a record as one line."""
    verdict = _verdict(record)
    verdict.pad_right(max(0, 6 - len(verdict)))
    parts = [_when(record), verdict, _said(record.get("server") or "-"), _kind(record)]
    parts += [_said(record[name]) for name in ("method", "target", "principal") if record.get(name)]
    micros = _micros(record)
    parts += [Text.assemble(micros, " µs") if micros else micros, _why(record)]
    return Text("  ").join(part for part in parts if part)


def report(found: Report, path: str) -> Iterable[Text | Table]:
    """Yield what a verification found, for people."""
    span = f"{found.records:,} records" if found.records != 1 else "1 record"
    if found.first is not None and found.last is not None and found.last > found.first:
        span += f" ({found.first} to {found.last})"
    span += f" in {len(found.files)} files" if len(found.files) > 1 else ""
    if found.ok:
        yield Text.assemble(("✓ ", "bold green"), _said(path), f": {span}, the chain is whole.")
    else:
        count = "1 thing is" if found.found == 1 else f"{found.found:,} things are"
        yield Text.assemble(("✗ ", "bold red"), _said(path), f": {span}, and {count} wrong.")
        out = Table(box=None, header_style="bold", pad_edge=False)
        for name in ("file", "line", "record", "what", "detail"):
            out.add_column(name, justify="right" if name in ("line", "record") else "left", overflow="fold")
        for each in found.problems:
            where = str(each.line) if each.line else "end"
            out.add_row(_said(each.file), where, _said(each.seq), Text(each.what, "bold red"), _said(each.detail))
        yield out
        if found.found > len(found.problems):
            yield Text(f"… and {found.found - len(found.problems):,} more.")
    if found.hash:
        yield Text.assemble(("  last: ", "dim"), f"record {found.last}, {found.time}, hash ", (found.hash, "bold"))
    for note in found.notes:
        yield Text.assemble(("  note: ", "yellow"), note)
