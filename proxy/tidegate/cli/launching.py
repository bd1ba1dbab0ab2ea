"""``launcher``: the process that holds the engine's socket, for a Tidegate that shall not."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import Annotated

import typer

from tidegate import lean
from tidegate.cli import output
from tidegate.cli.serving import DEFAULT_FILE, LogFormat, LogLevel


def launcher(
    file: Annotated[Path, typer.Argument(help="The settings that Tidegate serves.")] = DEFAULT_FILE,
    *,
    listen: Annotated[Path, typer.Option(help="The UNIX socket that Tidegate connects to.", show_default=False)],
    allow: Annotated[
        list[str] | None,
        typer.Option(help="A user, by name or id, who may connect beside this one and root.", show_default=False),
    ] = None,
    log_format: Annotated[
        LogFormat | None,
        typer.Option("--log-format", help="By default console on a terminal, json elsewhere.", show_default=False),
    ] = None,
    log_level: Annotated[LogLevel, typer.Option("--log-level", help="The least that is logged.")] = LogLevel.info,
) -> None:
    """Start and stop the containers of the settings' servers for a Tidegate that has no access to the engine.

    Tidegate starts a launcher of its own where a server runs in a container. Run this one instead, as a user or in a
    container that may use the engine's socket, and name its socket in Tidegate's settings: `[proxy] launcher = "PATH"`.
    Both read the same settings; nothing but the servers in them can be started. Who connects must be the same user,
    or one that `--allow` names.
    """
    import asyncio  # noqa: PLC0415 - heavy

    lean.import_structlog()
    lean.import_requests()
    from tidegate import logs  # noqa: PLC0415 - heavy
    from tidegate.containers.launcher import serve_socket  # noqa: PLC0415 - heavy

    logs.setup(log_format.value if log_format else None, log_level.value)
    try:
        asyncio.run(serve_socket(file, listen, frozenset(_user(name) for name in allow or ())))
    except OSError as error:
        raise output.Failure(f"{listen} can't be listened on: {error.strerror or error}", output.MISSING) from None


def _user(name: str) -> int:
    if sys.platform != "linux":
        raise output.Failure("--allow needs Linux, where the kernel says who connects")
    if name.isascii() and name.isdigit():
        return int(name)
    import pwd  # noqa: PLC0415 - not everywhere

    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise output.Failure(f"there is no user {name!r}") from None
