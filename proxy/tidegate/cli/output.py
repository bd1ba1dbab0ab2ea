"""What the commands say and how they end: sentences and tables for people, JSON for scripts, exit codes."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table
    from rich.text import Text

WELL, NOT_WELL, MISTAKE, MISSING = 0, 1, 2, 3
"""The exit codes: all is well; the thing checked is not well; the user's mistake; a dependency is missing or down."""

INTERRUPTED = 130
"""The exit code after Ctrl-C: what a shell gives a program that SIGINT ended."""

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


def mend_streams() -> None:
    """Have three standard streams that take every text.

    One that was closed leads nowhere, so that no other file gets its number; what an encoding can't say is escaped.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    sys.stdin = sys.stdin or _nowhere(0)
    sys.stdout = sys.stdout or _nowhere(1)
    sys.stderr = sys.stderr or _nowhere(2)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _nowhere(number: int) -> io.TextIOWrapper:
    return open(number, "w" if number else "r", encoding="utf-8", closefd=False)


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


def one_line(text: str, drawn: Console) -> Text | str:
    """Return a text for a cell that has one line on a terminal, cut where that is too short."""
    from rich.text import Text  # noqa: PLC0415 - as in console()

    return Text(plain(text), no_wrap=True, overflow="ellipsis") if drawn.is_terminal else text


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


class Bar:
    """How far some work is: a bar on standard error that is gone once it is done; nothing where that is no terminal.

    What is logged meanwhile stands above it.

    Args:
        what: what is done.
        shown: whether to show it at all.
    """

    def __init__(self, what: str, *, shown: bool = True) -> None:
        self._what = what
        self._shown = shown
        self._left = 0
        self._drawn: Progress | None = None

    def begin(self, total: int) -> None:
        """Begin, with how many steps it takes."""
        self._left = total
        if not total or not self._shown or not sys.stderr.isatty():
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415 - as in console()

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
        self._drawn = Progress(*columns, console=console(stderr=True), transient=True, redirect_stdout=False)
        self._drawn.add_task(self._what, total=total)
        before = sys.stderr
        self._drawn.start()
        _log_to(before, sys.stderr)

    def step(self) -> None:
        """A step is done; the bar goes with the last one."""
        self._left -= 1
        if self._drawn is not None:
            self._drawn.advance(self._drawn.task_ids[0])
        if self._left <= 0:
            self.end()

    def end(self) -> None:
        """Take the bar away."""
        if self._drawn is not None:
            drawn, self._drawn, before = self._drawn, None, sys.stderr
            drawn.stop()
            _log_to(before, sys.stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def _log_to(before: Any, now: Any) -> None:
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is before:
            handler.setStream(now)
