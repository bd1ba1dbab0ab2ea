"""What the commands share: sentences and tables for people, JSON for scripts, exit codes, common options."""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from tidegate_policy.sources import PolicyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

WELL, NOT_WELL, MISTAKE, MISSING = 0, 1, 2, 3
"""The exit codes: all is well; the thing checked is not well; the user's mistake; a dependency is missing or down."""

STDIN = "-"
_LINE = 118  # characters of a line of JSON for people
_PIPE_WIDTH = 140  # columns of a table that isn't shown on a terminal

Folder = Annotated[
    Path | None,
    typer.Argument(
        metavar="FOLDER", help="The policy: a folder, a `.rego` file or a `.tar.gz`; by default this folder."
    ),
]
New = Annotated[
    Path | None, typer.Option("--bundle", metavar="NEW", help="The new policy: a folder, a file or a `.tar.gz`.")
]
Old = Annotated[
    Path | None, typer.Option("--old", metavar="OLD", help="Compare with this policy, not with what was decided then.")
]
InputFile = Annotated[
    str, typer.Option("--input", "-i", metavar="FILE", help="The input, JSON; `-` is standard input.")
]
Packs = Annotated[
    str | None, typer.Option("--packs", metavar="NAMES", help="Packs to ask too, such as `readonly,paths`.")
]
Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="FILE", help="JSON that is added to `data`: what `data` is in the settings."),
]
Settings = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        metavar="FILE",
        help="Take bundle, packs and data of the first `policy` of this file, where not given.",
    ),
]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON for a script.")]


class MissingError(Exception):
    """Something that a command depends on is missing or down: one sentence."""


def fail(sentence: str, code: int = MISTAKE) -> NoReturn:
    """End a command with one sentence on standard error."""
    note(f"Error: {sentence}")
    raise typer.Exit(code)


@contextmanager
def mistakes() -> Iterator[None]:
    """Tell what is wrong with a policy or a file in one sentence."""
    try:
        yield
    except PolicyError as error:
        fail(str(error))
    except MissingError as error:
        fail(str(error), MISSING)
    except BrokenPipeError:
        raise  # of who reads what is printed
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        fail(f"{where}{error.strerror or error}")


@contextmanager
def interruptible() -> Iterator[None]:
    """Let an evaluation be interrupted: it runs outside of Python, which would hear of Ctrl-C only when it is over."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def say(text: str = "") -> None:
    """Print a line on standard output."""
    sys.stdout.write(f"{printable(text)}\n")


def note(text: str) -> None:
    """Print a line on standard error: for people, out of the way of scripts."""
    sys.stderr.write(f"{printable(text)}\n")


def dump(value: Any) -> None:
    """Print JSON for scripts."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def compact(value: Any, indent: int = 0, before: int = 0) -> str:
    """Return JSON for people: what fits on a line stands on one.

    Args:
        value: what it says.
        indent: how far its lines are indented.
        before: characters that stand before it on its first line.
    """
    line = _on_a_line(value)
    if not isinstance(value, dict | list) or indent + before + len(line) <= _LINE:
        return line
    if isinstance(value, dict):
        named = ((f"{json.dumps(key)}: ", item) for key, item in value.items())
        parts = [f"{key}{compact(item, indent + 2, len(key))}" for key, item in named]
        opening, closing = "{}"
    else:
        parts = [compact(item, indent + 2) for item in value]
        opening, closing = "[]"
    inside = ",\n".join(" " * (indent + 2) + part for part in parts)
    return f"{opening}\n{inside}\n{' ' * indent}{closing}"


def _on_a_line(value: Any) -> str:
    if isinstance(value, dict) and value:
        return "{ " + ", ".join(f"{json.dumps(key)}: {_on_a_line(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_on_a_line, value)) + "]"
    return json.dumps(value)


def draw(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Print a table.

    Args:
        columns: the headings.
        rows: a text per heading.
        right: the headings of columns of numbers.
    """
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", show_edge=False)
    for heading in columns:
        drawn.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*map(printable, row))
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    Console(width=width, highlight=False, markup=False, emoji=False).print(drawn)


def printable(text: str) -> str:
    """Return a text with whatever could steer a terminal made visible, line ends aside."""
    return "".join(char if char.isprintable() or char == "\n" else f"\\u{ord(char):04x}" for char in text)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 test``, ``2 tests``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def read(name: str) -> str:
    """Return the text of a file, or of standard input.

    Raises:
        PolicyError: where it isn't there, or is no text.
    """
    try:
        data = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
        return data.decode()
    except FileNotFoundError:
        raise PolicyError(f"{name}: there is no such file") from None
    except IsADirectoryError:
        raise PolicyError(f"{name}: is a folder, and a file is needed") from None
    except UnicodeDecodeError:
        raise PolicyError(f"{shown(name)}: is not text in UTF-8") from None


def shown(name: str) -> str:
    """Return a file's name as sentences say it."""
    return "standard input" if name == STDIN else name


def read_object(name: str) -> dict[str, Any]:
    """Return the JSON object that a file or standard input holds.

    Raises:
        PolicyError: where there is none.
    """
    try:
        value = json.loads(read(name))
    except json.JSONDecodeError as error:
        raise PolicyError(f"{shown(name)}:{error.lineno}: is no JSON: {error.msg}") from None
    except RecursionError:
        raise PolicyError(f"{shown(name)}: is nested too deep") from None
    if not isinstance(value, dict):
        raise PolicyError(f"{shown(name)}: is no JSON object")
    return value


def read_data(file: Path | None) -> dict[str, Any] | None:
    """Return what the option ``--data`` names; see :func:`read_object`."""
    return None if file is None else read_object(str(file))
