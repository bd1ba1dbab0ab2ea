"""The command line. A command imports what it needs when it runs, so that ``--help`` and ``wrap`` start at once.

Further groups of commands come from the entry-point group ``tidegate.commands``: a name and a ``typer.Typer``.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli import (
    checking,
    connecting,
    described,
    explaining,
    images,
    launching,
    output,
    pinging,
    plugins,
    running,
    secret,
    serving,
    setup,
    tools,
)

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


_SERVE, _RUNNING, _ASK, _LOOK, _SET_UP = "Serve", "What runs", "Ask servers", "Look before, and look closer", "Set up"
app.command("run", rich_help_panel=_SERVE)(serving.run)
app.command("wrap", rich_help_panel=_SERVE)(serving.wrap)
app.command("launcher", rich_help_panel=_SERVE)(launching.launcher)
app.command("ps", rich_help_panel=_RUNNING)(running.ps)
app.add_typer(running.app, name="servers", rich_help_panel=_RUNNING)
app.command("health", rich_help_panel=_RUNNING)(serving.health)
app.add_typer(tools.app, name="tools", rich_help_panel=_ASK)
app.command("ping", rich_help_panel=_ASK)(pinging.ping)
app.command("check", rich_help_panel=_LOOK)(checking.check)
app.command("explain", rich_help_panel=_LOOK)(explaining.explain)
app.command("init", rich_help_panel=_SET_UP)(setup.init)
app.command("pin", rich_help_panel=_SET_UP)(images.pin)
app.command("pull", rich_help_panel=_SET_UP)(images.pull)
app.command("import", rich_help_panel=_SET_UP)(setup.import_)
app.command("connect", rich_help_panel=_SET_UP)(connecting.connect)
app.command("disconnect", rich_help_panel=_SET_UP)(connecting.disconnect)
app.command("clients", rich_help_panel=_SET_UP)(connecting.clients)
app.add_typer(setup.token, name="token", rich_help_panel=_SET_UP)
app.add_typer(secret.app, name="secret", rich_help_panel=_SET_UP)
app.add_typer(plugins.app, name="plugins", rich_help_panel=_SET_UP)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code.

    Args:
        arguments: what stands after ``tidegate``; by default this process's own arguments.

    Raises:
        SystemExit: always.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        add_groups(next((word for word in given if not word.startswith("-")), None))
        app(given, prog_name="tidegate")
    except output.Failure as failure:
        output.complain(str(failure))
        sys.exit(failure.code)
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        output.complain(f"{where}{error.strerror or error}")
        sys.exit(output.MISTAKE)
    except (SystemExit, KeyboardInterrupt):
        raise
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


_OWN_GROUPS, _OWN_COMMANDS = tuple(app.registered_groups), tuple(app.registered_commands)
_OWN_NAMES = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}


def add_groups(asked: str | None, *, every: bool = False) -> None:
    """Add the groups of installed distributions, imported only where one is asked for.

    One with a single command and no callback of its own is that command, as it is where Typer runs it by itself.

    Args:
        asked: the command that is asked for; where it is one of our own, nothing is looked for.
        every: import all of them; for the reference.

    Raises:
        Failure: where the group that is asked for can't be imported.
    """
    app.registered_groups[:], app.registered_commands[:] = _OWN_GROUPS, _OWN_COMMANDS
    if asked in _OWN_NAMES and "_TIDEGATE_COMPLETE" not in os.environ:
        return
    from importlib import metadata  # noqa: PLC0415 - scans all that is installed

    for point in sorted(metadata.entry_points(group=GROUP), key=lambda point: point.name):
        if point.name in _OWN_NAMES:
            continue
        wanted = every or point.name == asked
        group = _imported(point) if wanted else typer.Typer(help=described.first_line(point.value))
        only = group.registered_commands[0].callback if len(group.registered_commands) == 1 else None
        if only is None or group.registered_groups or group.registered_callback:
            app.add_typer(group, name=point.name, rich_help_panel=_LOOK)
        else:
            app.command(point.name, rich_help_panel=_LOOK)(only)


def _imported(point: EntryPoint) -> typer.Typer:
    try:
        group = point.load()
    except (ImportError, AttributeError, SyntaxError) as error:
        said = f"the commands {point.name!r} can't be imported: {type(error).__name__}: {error}"
        raise output.Failure(said, output.MISSING) from error
    if not isinstance(group, typer.Typer):
        raise output.Failure(f"the commands {point.name!r} are no typer.Typer", output.MISSING)
    return group
