"""What the commands say and how they end: sentences and tables for people, JSON for scripts, exit codes."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console
    from rich.table import Table

WELL, NOT_WELL, MISTAKE, MISSING = 0, 1, 2, 3
"""The exit codes: all is well; the thing checked is not well; the user's mistake; a dependency is missing or down."""

EXIT_CODES = (
    "Exit codes: 0 all is well, 1 the thing checked is not well, 2 a mistake in the command or a file, "
    "3 something Tidegate depends on is missing or down."
)

_PIPE_WIDTH = 140  # columns of a table that isn't shown on a terminal


class Failure(Exception):  # noqa: N818 - it ends a command, and reads as one
    """Ends a command with one sentence on standard error.

    Attributes:
        code: the exit code, one of :data:`NOT_WELL`, :data:`MISTAKE` and :data:`MISSING`.
    """

    def __init__(self, sentence: str, code: int = MISTAKE) -> None:
        super().__init__(sentence)
        self.code = code


def console(*, stderr: bool = False) -> Console:
    """Return a rich console; where its output isn't shown on a terminal it is wide, plain and never cut."""
    from rich.console import Console  # noqa: PLC0415 - a quarter of a start, and not every command draws

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = ()) -> Table:
    """Return a table; cells are text as it is, or rich's own objects.

    Args:
        columns: the headings.
        rows: a cell per heading.
        right: the headings of columns of numbers.
    """
    from rich import box  # noqa: PLC0415 - as in console()
    from rich.table import Table  # noqa: PLC0415 - as in console()

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", show_edge=False)
    for heading in columns:
        drawn.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(plain(cell) if isinstance(cell, str) else cell for cell in row))
    return drawn


def plain(text: str) -> str:
    """Return a text with whatever could steer a terminal made visible, line ends aside."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else f"\\u{ord(char):04x}" for char in text)


def say(text: str = "") -> None:
    """Print a line on standard output."""
    sys.stdout.write(f"{plain(text)}\n")


def note(text: str) -> None:
    """Print a line on standard error: for people, out of the way of scripts."""
    sys.stderr.write(f"{plain(text)}\n")


def complain(text: str) -> None:
    """Print why a command fails, on standard error."""
    if sys.stderr.isatty() and "NO_COLOR" not in os.environ:
        sys.stderr.write(f"\x1b[1;31mError:\x1b[0m {plain(text)}\n")
    else:
        note(f"Error: {text}")


def dump(value: Any) -> None:
    """Print JSON for scripts."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 tool``, ``2 tools``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
