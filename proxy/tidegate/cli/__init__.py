"""The command line. A command imports what it needs when it runs, so that ``--help`` and ``wrap`` start at once.

Further groups of commands come from the entry-point group ``tidegate.commands``: a name and a ``typer.Typer``.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from tidegate.cli import output

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.metadata import EntryPoint

GROUP = "tidegate.commands"

app = typer.Typer(
    name="tidegate",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"{output.EXIT_CODES}\n\nTry it: `tidegate init`, then `tidegate check`, then `tidegate run`.",
)


def _version(asked: bool) -> None:  # noqa: FBT001 - Typer calls it with the option's value
    if asked:
        from tidegate.version import __version__  # noqa: PLC0415 - as the module's docstring says

        output.say(f"tidegate {__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    _shown: Annotated[
        bool, typer.Option("--version", metavar="", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Tidegate: a fail-closed security proxy for the Model Context Protocol.

    It stands between MCP clients and MCP servers and judges every message, in both directions.
    """


class _Own(NamedTuple):
    """Where one of our own commands, or a group of them, is."""

    panel: str
    module: str
    attribute: str


_SERVE, _RUNNING, _ASK, _LOOK, _SET_UP = "Serve", "What runs", "Ask servers", "Look before, and look closer", "Set up"
_OWN = {
    "run": _Own(_SERVE, "serving", "run"),
    "wrap": _Own(_SERVE, "serving", "wrap"),
    "launcher": _Own(_SERVE, "launching", "launcher"),
    "ps": _Own(_RUNNING, "running", "ps"),
    "health": _Own(_RUNNING, "serving", "health"),
    "servers": _Own(_RUNNING, "running", "app"),
    "ping": _Own(_ASK, "pinging", "ping"),
    "tools": _Own(_ASK, "tools", "app"),
    "check": _Own(_LOOK, "checking", "check"),
    "explain": _Own(_LOOK, "explaining", "explain"),
    "init": _Own(_SET_UP, "setup", "init"),
    "pin": _Own(_SET_UP, "images", "pin"),
    "pull": _Own(_SET_UP, "images", "pull"),
    "import": _Own(_SET_UP, "setup", "import_"),
    "connect": _Own(_SET_UP, "connecting", "connect"),
    "disconnect": _Own(_SET_UP, "connecting", "disconnect"),
    "clients": _Own(_SET_UP, "connecting", "clients"),
    "token": _Own(_SET_UP, "setup", "token"),
    "secret": _Own(_SET_UP, "secret", "app"),
    "plugins": _Own(_SET_UP, "plugins", "app"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code.

    Args:
        arguments: what stands after ``tidegate``; by default this process's own arguments.

    Raises:
        SystemExit: always.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    output.mend_streams()
    try:
        add_commands(given[0] if given else None)
        app(given, prog_name="tidegate")
    except output.Failure as failure:
        output.complain(str(failure))
        sys.exit(failure.code)
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        output.complain(f"{where}{error.strerror or error}")
        sys.exit(output.MISTAKE)
    except SystemExit:
        raise
    except KeyboardInterrupt:
        sys.exit(output.INTERRUPTED)
    except _settings_error() as error:
        output.complain(str(error))
        sys.exit(output.MISSING if getattr(error, "down", False) else output.MISTAKE)
    except _dependency_error() as error:
        output.complain(str(error))
        sys.exit(output.MISSING)


def _settings_error() -> type[Exception]:
    from tidegate.settings import SettingsError  # noqa: PLC0415 - only where something went wrong

    return SettingsError


def _dependency_error() -> type[Exception]:
    from tidegate.serve import DependencyError  # noqa: PLC0415 - only where something went wrong

    return DependencyError


def add_commands(asked: str | None, *, every: bool = False) -> None:
    """Add the commands; where one is asked for, no other is imported: what serves for days has no need of them.

    Those of installed distributions are groups. One with a single command and no callback of its own is that command,
    as it is where Typer runs it by itself.

    Args:
        asked: the first argument; where it is one of our own, nothing else is looked for.
        every: import those of installed distributions too; for the reference.

    Raises:
        Failure: where the group that is asked for can't be imported.
    """
    app.registered_groups[:], app.registered_commands[:] = [], []
    if asked in _OWN and "_TIDEGATE_COMPLETE" not in os.environ:
        _add_own(asked)
        return
    for name in _OWN:
        _add_own(name)
    from importlib import metadata  # noqa: PLC0415 - scans all that is installed

    from tidegate.cli import described  # noqa: PLC0415 - not needed to run a command

    for point in sorted(metadata.entry_points(group=GROUP), key=lambda point: point.name):
        if point.name in _OWN:
            continue
        wanted = every or point.name == asked
        group = _imported(point) if wanted else typer.Typer(help=described.first_line(point.value))
        only = group.registered_commands[0].callback if len(group.registered_commands) == 1 else None
        if only is None or group.registered_groups or group.registered_callback:
            app.add_typer(group, name=point.name, rich_help_panel=_LOOK)
        else:
            app.command(point.name, rich_help_panel=_LOOK)(only)


def _add_own(name: str) -> None:
    own = _OWN[name]
    found = getattr(import_module(f"tidegate.cli.{own.module}"), own.attribute)
    if isinstance(found, typer.Typer):
        app.add_typer(found, name=name, rich_help_panel=own.panel)
    else:
        app.command(name, rich_help_panel=own.panel)(found)


def _imported(point: EntryPoint) -> typer.Typer:
    try:
        group = point.load()
    except (ImportError, AttributeError, SyntaxError) as error:
        said = f"the commands {point.name!r} can't be imported: {type(error).__name__}: {error}"
        raise output.Failure(said, output.MISSING) from error
    if not isinstance(group, typer.Typer):
        raise output.Failure(f"the commands {point.name!r} are no typer.Typer", output.MISSING)
    return group
