"""What ``tidegate pins`` shows: tables, and diffs side by side; nothing of a server's text steers the terminal."""

from __future__ import annotations

import difflib
import json
import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from rich import box
from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from tidegate_pins import telling
from tidegate_pins.book import Item, waiting

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PIPE_WIDTH = 140  # columns where the output isn't shown on a terminal
_AROUND = 2  # lines of a diff that stay around a change
_MATCHED = 1000  # lines up to which what stayed in the midst of a change is looked for; it would take long
_BREAKS = 200  # line ends of a text up to which it is shown in lines; nothing of it is ever left out
_CHARS = 400  # of a line, up to which the changed characters in it are marked
_TAB = "    "


class Row(NamedTuple):
    """One item with its place."""

    server: str
    principal: str
    kind: str
    name: str
    item: Item

    @property
    def place(self) -> str:
        """How commands name it."""
        return f"{self.server}/{self.name}"


def plain(text: str) -> str:
    """Return a text with whatever could steer a terminal, or hide in it, made visible."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char.isprintable() and char != "\u3164" else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def console() -> Console:
    """Return a console for standard output; where that is no terminal it is wide and plain."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(width=width, highlight=False, markup=False, emoji=False)


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{plain(text)}\n")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def state(item: Item) -> str:
    """Return how an item stands, in a word."""
    if item.pending is not None:
        if not item.digest:
            return "waits"
        return "changed" if item.pending.held else "reported"
    return "gone" if item.gone else item.how


def draw_list(rows: Sequence[Row], total: int) -> None:
    """Print a table of items, and a line that counts them."""
    if rows:
        apart = any(row.principal for row in rows)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", show_edge=False)
        for heading in ("kind", "item", *(("principal",) if apart else ()), "state", "what changed"):
            table.add_column(heading, overflow="fold")
        for row in rows:
            pending = row.item.pending
            told = telling.changed(pending.classes) if pending is not None else ""
            if pending is not None and pending.copy_of:
                told += f" ({pending.copy_of})"
            cells = (row.kind, row.place, *((row.principal,) if apart else ()), state(row.item), told)
            table.add_row(*(Text(plain(cell)) for cell in cells))
        console().print(table)
    held = sum(1 for row in rows if waiting(row.item))
    say(f"{counted(total, 'definition')}, {held} waiting for approval." if total else "Nothing is pinned yet.")


def as_json(row: Row, *, whole: bool = False) -> dict[str, Any]:
    """Return an item for scripts; all strings are escaped where they are printed."""
    item = row.item
    out: dict[str, Any] = {
        "server": row.server,
        "principal": row.principal,
        "kind": row.kind,
        "name": row.name,
        "state": state(item),
        "digest": item.digest,
        "since": item.since,
        "gone": item.gone,
        "pending": None,
    }
    if item.pending is not None:
        pending = item.pending
        out["pending"] = {"digest": pending.digest, "classes": list(pending.classes), "held": pending.held}
        out["pending"] |= {"since": pending.since, "copy_of": pending.copy_of}
    if whole:
        out["before"] = item.definition
        out["now"] = item.pending.definition if item.pending is not None else None
    return out


def draw_diff(row: Row) -> None:
    """Print how one item differs from what was approved, side by side."""
    item, pending, out = row.item, row.item.pending, console()
    who = f", for {row.principal}" if row.principal else ""
    out.print(Rule(Text(plain(f"{row.kind} {row.place}{who}"), "bold"), align="left", characters="─"))
    if pending is None:
        out.print(Text(f"It was {item.how or 'seen'} {item.since} and is no longer listed.".replace("  ", " ")))
        _sides(out, _lines(item.definition), [], ("approved", "now"))
        return
    told = telling.changed(pending.classes)
    copied = f" ({plain(pending.copy_of)})" if pending.copy_of else ""
    held = "waits for approval" if pending.held else "is only reported"
    out.print(Text(f"{told[:1].upper()}{told[1:]}{copied}. Seen {pending.since}; it {held}."))
    before = f"{item.how} {item.since}" if item.digest else "nothing yet"
    if pending.definition is None:
        out.print(Text("Its definition is too large to be kept."))
        return
    _sides(out, _lines(item.definition), _lines(pending.definition), (before, f"now, {pending.since}"))


def _lines(definition: Any) -> list[str]:
    """Return a definition as lines that people can read: a member each, and text broken where it has line ends."""
    return [] if definition is None else list(_members(definition, ""))


def _members(value: Any, indent: str) -> Iterator[str]:
    for key in sorted(value, key=lambda key: (key not in ("name", "title", "description"), key)):
        yield from _member(f"{indent}{plain(key)}:", value[key], indent)


def _member(head: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        yield head
        yield from _members(value, indent + "  ")
    elif isinstance(value, list) and any(isinstance(item, dict | list) and item for item in value):
        yield head
        for item in value:
            yield from _member(f"{indent}  -", item, indent + "  ")
    elif isinstance(value, str):
        value = value.replace("\t", _TAB)
        parts = value.split("\n") if value.count("\n") <= _BREAKS else [value]
        yield f"{head} {plain(parts[0])}"
        yield from (f"{indent}  {plain(part)}" for part in parts[1:])
    else:
        yield f"{head} {plain(json.dumps(value, ensure_ascii=False))}"


def _sides(out: Console, before: list[str], after: list[str], headings: tuple[str, str]) -> None:
    """Print two lists of lines beside each other; a cell's lines are folded to its width."""
    table = Table(box=box.SIMPLE_HEAD, expand=True, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for heading in headings:
        table.add_column(Text(heading, "bold"), ratio=1, overflow="fold")
    for left, right in _pairs(before, after):
        table.add_row(left, right)
    out.print(table)


def _pairs(before: list[str], after: list[str]) -> Iterator[tuple[Text, Text]]:
    """Yield what stands beside each other: all that changed, and a little of what stayed around it."""
    for number, group in enumerate(_grouped(before, after)):
        if number:
            yield Text("...", "dim"), Text("...", "dim")
        for what, a, b, c, d in group:
            for offset in range(max(b - a, d - c)):
                left = before[a + offset] if a + offset < b else None
                right = after[c + offset] if c + offset < d else None
                yield (Text(f"  {left}"), Text(f"  {right}")) if what == "equal" else _changed(left, right)


def _grouped(before: list[str], after: list[str]) -> Iterator[list[tuple[str, int, int, int, int]]]:
    if max(len(before), len(after)) <= _MATCHED:
        yield from difflib.SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(_AROUND)
        return
    same = 0
    while same < min(len(before), len(after)) and before[same] == after[same]:
        same += 1
    yield [("replace", same, len(before), same, len(after))]


def _changed(left: str | None, right: str | None) -> tuple[Text, Text]:
    """Return two cells of a change: marked by signs, for those who see no colours, and by colours."""
    one, other = Text("" if left is None else f"- {left}", "red"), Text("" if right is None else f"+ {right}", "green")
    if left is None or right is None or max(len(left), len(right)) > _CHARS:
        return one, other
    for what, a, b, c, d in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if what != "equal":
            one.stylize("bold reverse", a + 2, b + 2)
            other.stylize("bold reverse", c + 2, d + 2)
    return one, other
