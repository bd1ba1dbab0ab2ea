"""``run``, ``wrap`` and ``health``."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from tidegate import lean
from tidegate.cli import output

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tidegate.settings import Settings

T = TypeVar("T")

DEFAULT_FILE = Path("tidegate.toml")
HEALTH_URL = "http://127.0.0.1:8812/healthz"


class LogFormat(StrEnum):
    """How log lines look."""

    console = "console"
    json = "json"


class LogLevel(StrEnum):
    """The least that is logged."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


_Format = Annotated[
    LogFormat | None,
    typer.Option("--log-format", help="By default console on a terminal, json elsewhere.", show_default=False),
]
_Level = Annotated[LogLevel, typer.Option("--log-level", help="The least that is logged, to standard error.")]


def run(  # noqa: PLR0913 - the command's options
    file: Annotated[
        Path | None, typer.Argument(help="The settings; by default `tidegate.toml` here.", show_default=False)
    ] = None,
    *,
    ready_file: Annotated[
        Path | None,
        typer.Option(help="Write the addresses to this file, as JSON, once clients can connect.", show_default=False),
    ] = None,
    watch: Annotated[
        bool,
        typer.Option("--watch", metavar="", help="Take over the settings whenever the file changes, as on SIGHUP."),
    ] = False,
    stdio: Annotated[
        bool, typer.Option("--stdio", metavar="", help="Serve one client, on standard input and output.")
    ] = False,
    profile: Annotated[
        str | None,
        typer.Option(help="With `--stdio`, the profile to serve; all servers by default.", show_default=False),
    ] = None,
    log_format: _Format = None,
    log_level: _Level = LogLevel.info,
) -> None:
    """Serve the servers of the settings to clients over HTTP, until SIGTERM or Ctrl-C.

    Clients connect to `http://ADDRESS/mcp` for all servers at once, to `http://ADDRESS/profiles/NAME/mcp` for those of
    a profile, and to `http://ADDRESS/servers/NAME/mcp` for a single one, as if they talked to it. With `--stdio` there
    is one client, on standard input and output, and it gets all servers at once.

    On SIGHUP the settings are read again: the new ones are checked whole and taken over at once; where they are not
    well, the old ones stay and a line in the log says why.
    """
    lean.import_structlog()
    lean.import_uvicorn()
    from tidegate import logs  # noqa: PLC0415 - heavy

    logs.setup(log_format.value if log_format else None, log_level.value)
    if stdio:
        from tidegate import serve_stdio  # noqa: PLC0415 - heavy

        if ready_file is not None:
            raise output.Failure("--ready-file is for serving over HTTP, not for --stdio")
        path = file or default_file()
        raise typer.Exit(drive(serve_stdio.gateway(_of_one_process, path, profile or "", watch=watch)))
    if profile is not None:
        raise output.Failure("--profile is for --stdio; over HTTP each profile has an address of its own")
    from tidegate import serve  # noqa: PLC0415 - heavy

    with output.Bar("Starting servers") as bar:
        drive(serve.run(file or default_file(), ready_file=ready_file, watch=watch, starting=bar))


def wrap(
    command: Annotated[
        list[str] | None,
        typer.Argument(help="The server's own command, after `--`.", metavar="COMMAND", show_default=False),
    ] = None,
    *,
    settings: Annotated[
        Path | None, typer.Option(help="The settings; by default the shipped ones.", show_default=False)
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What to call the server; by default as its program.", show_default=False)
    ] = None,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", metavar="", help="Run COMMAND in a sandbox, without network.")
    ] = False,
    log_format: _Format = None,
    log_level: _Level = LogLevel.warning,
) -> None:
    """Stand in front of one server on standard input and output: what a client's configuration starts.

    Put `tidegate wrap --` before the server's command in the client's configuration, and nothing else changes.
    Without COMMAND, the server that the settings call NAME is used. All that Tidegate itself says goes to standard
    error.

    COMMAND runs as it would without Tidegate, with the rights of whoever starts it, unless `--sandbox` or the settings'
    `min_isolation` say otherwise. The servers of settings are run as the settings say.

    Without `--settings`, the shipped settings are used, and the audit log of each wrap is a file of its own,
    `~/.local/state/tidegate/audit/NAME-PID.jsonl` (or under `$XDG_STATE_HOME`). Those of processes that have ended are
    kept for 30 days. Settings that several wraps share say the same: `path = "audit/{name}-{pid}.jsonl"`, which
    `wrap` fills in.
    """
    chosen, server = wrapped(command or [], settings, name, sandbox=sandbox)
    lean.import_structlog()
    lean.import_uvicorn()
    from tidegate import logs, serve_stdio  # noqa: PLC0415 - heavy

    logs.setup(log_format.value if log_format else None, log_level.value)
    raise typer.Exit(drive(serve_stdio.wrap(chosen, server)))


def health(
    url: Annotated[str, typer.Argument(envvar="TIDEGATE_HEALTH_URL", help="The admin address.")] = HEALTH_URL,
) -> None:
    """Ask a running Tidegate whether it is well: exit code 0 if it says so, 3 if not or if nobody answers."""
    from urllib import error, request  # noqa: PLC0415 - slow to import

    asked = url if "://" in url else f"http://{url}"
    if not asked.startswith(("http://", "https://")):
        raise output.Failure(f"{url} is no http address")
    if asked.count("/") == 2:
        asked += "/healthz"
    opener = request.build_opener(request.ProxyHandler({}))  # the question is for this address, not for a web proxy
    try:
        with opener.open(asked, timeout=5) as reply:
            said = reply.read(200).decode(errors="replace").strip()
    except error.HTTPError as refused:
        with refused:  # it is the answer too, and holds the connection
            raise output.Failure(f"{asked} says {refused.code} {refused.reason}", output.MISSING) from None
    except (OSError, ValueError) as failed:
        reason = getattr(failed, "reason", failed)
        reason = getattr(reason, "strerror", None) or reason
        raise output.Failure(f"{asked} does not answer: {reason}", output.MISSING) from None
    output.say(f"{asked}: {said or 'well'}")


def default_file() -> Path | None:
    """Return the settings file of the current folder, or ``None``, with a note, where there is none."""
    if DEFAULT_FILE.exists():
        return DEFAULT_FILE
    output.note("There is no tidegate.toml here, so the default settings are used; tidegate init writes them out.")
    return None


def settings_of(file: Path | None) -> tuple[Settings, str]:
    """Return the settings of a file, of the current folder, or the default ones; and what to call them.

    Raises:
        SettingsError: where they are not well.
    """
    from tidegate import defaults, settings  # noqa: PLC0415 - heavy

    found = file or default_file()
    return (settings.load(found), str(found)) if found else (defaults.load(), defaults.SOURCE)


def wrapped(command: list[str], file: Path | None, name: str | None, *, sandbox: bool = False) -> tuple[Settings, str]:
    """Return the settings with the one server that ``wrap`` is for, and its name.

    Raises:
        SettingsError: where the settings are not well, or no server is named.
        Failure: where a server is named twice, or a sandbox is asked for a server of the settings.
    """
    from tidegate import defaults  # noqa: PLC0415 - heavy
    from tidegate.settings import SettingsError, build, command_server, load  # noqa: PLC0415 - heavy

    settings = load(file) if file else defaults.load_for_wrap()
    tree = settings.model_dump(exclude_unset=True)
    if file and name and not command and name not in settings.servers:
        raise SettingsError(
            f"there is no server {name!r} in {file}; there are: {', '.join(settings.servers) or 'none'}"
        )
    if command or name not in settings.servers:
        called, server = command_server(command)
        called = name or called
        if called in settings.servers:
            raise output.Failure(
                f"{file} has a server {called!r} already: leave out COMMAND to use that one, or give --name another"
            )
        boxed = sandbox or settings.proxy.min_isolation == "sandbox"
        given = _environment(settings.secrets.variables())
        members = server.model_dump(exclude_unset=True) | {
            "env": {key: said for key, said in given.items() if not (boxed and key in ("HOME", "TMPDIR"))},
            "sandbox": "bubblewrap" if boxed else "none",
        }
        tree["servers"] = {**tree.get("servers", {}), called: members}
    elif sandbox:
        raise output.Failure("--sandbox is for COMMAND; the settings say what their servers run in")
    else:
        called = str(name)
    _fill(tree, called)
    return build(tree, folder=settings.folder, source=str(file or "tidegate wrap")), called


def _of_one_process(file: Path | None) -> Settings:
    """Return the settings of a file, or the default ones, for one of many processes that may share them.

    Raises:
        SettingsError: where they are not well.
    """
    from tidegate import defaults  # noqa: PLC0415 - heavy
    from tidegate.settings import build, load  # noqa: PLC0415 - heavy

    settings = load(file) if file else defaults.load_for_wrap()
    tree = settings.model_dump(exclude_unset=True)
    _fill(tree, "gateway")
    return build(tree, folder=settings.folder, source=str(file or "tidegate run --stdio"), file=file)


def _fill(tree: dict[str, Any], name: str) -> None:
    """Fill in what keeps files of many processes apart that share settings: a file has one writer."""
    for entry in tree.get("interceptors", ()):
        if isinstance(entry.get("path"), str):
            entry["path"] = entry["path"].replace("{name}", name).replace("{pid}", str(os.getpid()))


def _environment(private: set[str]) -> dict[str, str]:
    """Return this process's environment, for the server: what a client sets for its server arrives here.

    A variable that is no UTF-8 can't be a setting and is left out, and so are secrets that it wasn't given by name.

    Args:
        private: variables that are Tidegate's own.
    """
    from tidegate.secret_stores.given import PREFIX  # noqa: PLC0415 - heavy

    out = {}
    for name, value in os.environ.items():
        if name in private or name.startswith(PREFIX):
            continue
        try:
            (name + value).encode()
        except UnicodeEncodeError:
            continue
        out[name] = value
    return out


def drive(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on the fastest event loop there is.

    What an interceptor left running and can't be ended ends with the process: nothing waits for it.
    """
    import asyncio  # noqa: PLC0415 - heavy

    from tidegate import guard  # noqa: PLC0415 - heavy

    factory = None
    if sys.platform != "win32":
        import uvloop  # noqa: PLC0415 - heavy

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        result = runner.run(work)
        left = runner.run(guard.unfinished())
        if left:
            output.note(f"Late calls of interceptors do not end ({left}), so the process ends without them.")
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(result if isinstance(result, int) else 0)
    return result
