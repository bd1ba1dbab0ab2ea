"""``ps`` and ``servers``: what a Tidegate that runs has running, and commands to it."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli import output
from tidegate.cli.serving import settings_of

if TYPE_CHECKING:
    from tidegate.settings import ServerSettings, Settings

app = typer.Typer(help="What servers there are, what they run in; restart and stop them.", no_args_is_help=True)

_SECONDS = 60.0  # for an answer: a server may take its time to end
_LOOK = 0.5  # seconds between two looks at what a server has said

_File = Annotated[
    Path | None, typer.Argument(help="The settings; by default `tidegate.toml` here.", show_default=False)
]
_Json = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON for a script.")]
_Server = Annotated[str, typer.Argument(help="The server's name in the settings.", show_default=False)]


class _NobodyError(Exception):
    """No Tidegate of these settings runs."""


def ps(file: _File = None, *, as_json: _Json = False) -> None:
    """Show the running instances of servers: whose they are, since when, what they use, how often they began anew.

    Exit code 3 where no Tidegate of these settings runs.
    """
    _, _, told = _asked(file, {"op": "ps"})
    instances = told["instances"]
    if as_json:
        output.dump(instances)
    elif instances:
        rows = [_instance(found) for found in instances]
        heads = ("server", "instance", "kind", "of", "state", "up", "calls", "restarts", "memory", "cpu")
        output.console().print(output.table(heads, rows, right=("up", "calls", "restarts", "memory", "cpu")))
    else:
        output.say("Nothing runs: instances start when a client needs them.")


def _instance(found: dict[str, Any]) -> tuple[str, ...]:
    container = found["container"]
    named = container[-12:] if container else f"pid {found['pid']}" if found["pid"] else found["identity"]
    return (
        found["server"],
        named,
        found["kind"],
        found["principal"],
        found["state"],
        duration(time.time() - found["since"]),
        str(found["calls"]),
        str(found["restarts"]),
        "" if found["memory"] is None else f"{found['memory'] / 1e6:.0f} MB",
        "" if found["cpu_ns"] is None else duration(found["cpu_ns"] / 1e9),
    )


def duration(seconds: float) -> str:
    """Return a duration for people: ``0.4 s``, ``12 s``, ``3 min``, ``5 h``, ``2 d``."""
    for unit, size, until in (("s", 1, 120), ("min", 60, 120), ("h", 3600, 48)):
        if seconds < until * size:
            return f"{seconds / size:.{1 if seconds < 10 and size == 1 else 0}f} {unit}"
    return f"{seconds / 86_400:.0f} d"


@app.command("list")
def list_(file: _File = None, *, as_json: _Json = False) -> None:
    """List the servers of the settings, what each runs in, and how many instances run."""
    settings, _, told = _asked(file, {"op": "ps"}, needed=False)
    shown = [_listed(settings, name, told) for name in settings.servers]
    if as_json:
        output.dump(shown)
        return
    if not shown:
        output.say("No servers: add a [servers.NAME] table.")
        return
    rows = [
        (each["name"], each["kind"], each["share"] or "", str(each["warm"] or ""), _count(each), each["what"])
        for each in shown
    ]
    output.console().print(output.table(("server", "kind", "share", "warm", "running", ""), rows, right=("warm",)))
    if told is None:
        output.note("No Tidegate of these settings runs.")


def _count(shown: dict[str, Any]) -> str:
    if shown["stopped"]:
        return "stopped"
    return "" if shown["running"] is None or shown["kind"] == "remote" else str(shown["running"])


def _listed(settings: Settings, name: str, told: dict[str, Any] | None) -> dict[str, Any]:
    server = settings.servers[name]
    running = None if told is None else sum(each["server"] == name for each in told["instances"])
    local = server.kind != "remote"
    return {
        "name": name,
        "kind": server.kind,
        "what": _what(server),
        "share": server.share if local else None,
        "warm": server.warm if local else None,
        "running": running,
        "stopped": told is not None and name in told["stopped"],
    }


def _what(server: ServerSettings) -> str:
    if server.command is not None:
        return " ".join(server.command)[:80]
    return server.image or server.url or ""


@app.command()
def inspect(name: _Server, file: _File = None, *, as_json: _Json = False) -> None:
    """Show one server: its settings in force, the defaults it loosens, and its instances."""
    settings, _, told = _asked(file, {"op": "ps"}, needed=False)
    server = _known(settings, name)
    shown = _listed(settings, name, told) | {
        "settings": server.model_dump(mode="json", exclude={"env", "headers"}, exclude_none=True),
        "env": sorted(server.env),
        "headers": sorted(server.headers),
        "loosened": loosened(server),
        "instances": [] if told is None else [each for each in told["instances"] if each["server"] == name],
    }
    if as_json:
        output.dump(shown)
        return
    output.say(f"{name}: {server.kind}, {_what(server)}")
    given = {key: value for key, value in shown["settings"].items() if key not in ("command", "image", "url")}
    rows = [(key, json.dumps(value)) for key, value in given.items()]
    rows += [(key, ", ".join(shown[key])) for key in ("env", "headers") if shown[key]]
    output.console().print(output.table(("setting", "value"), rows))
    for sentence in shown["loosened"]:
        output.say(f"Loosened: {sentence}")
    for found in shown["instances"]:
        output.say(f"Instance {' · '.join(cell for cell in _instance(found)[1:] if cell)}")


@app.command()
def logs(
    name: _Server,
    file: _File = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", metavar="", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Print what a server's running instances wrote to their standard error lately, at most 16 KiB each.

    It is the server's own text, unjudged: it may hold what a client sent.
    """
    settings, reach, told = _asked(file, {"op": "logs", "server": name})
    _known(settings, name)
    seen: dict[str, str] = {}
    while True:
        for identity, text in told["logs"].items():
            new = _after(seen.get(identity, ""), text)
            seen[identity] = text
            for line in new.splitlines():
                output.say(f"{identity} {line}" if len(told["logs"]) > 1 else line)
        if not follow:
            return
        time.sleep(_LOOK)
        told = reach.ask({"op": "logs", "server": name})


def _after(before: str, now: str) -> str:
    """Return what of a growing text, of which only the end is kept, wasn't there before."""
    if now.startswith(before):
        return now[len(before) :]
    for length in range(min(len(before), len(now)), 0, -1):
        if before.endswith(now[:length]):
            return now[length:]
    return now


@app.command()
def restart(name: _Server, file: _File = None) -> None:
    """End a server's instances; sessions get new ones with their next call. Undoes `stop`."""
    settings, reach, _ = _asked(file, None)
    _known(settings, name)
    ended = reach.ask({"op": "restart", "server": name})["ended"]
    output.say(f"{output.counted(ended, 'instance')} of {name} ended; the next call starts another.")


@app.command()
def stop(name: _Server, file: _File = None) -> None:
    """End a server's instances and start none until `tidegate servers restart`; calls are refused meanwhile."""
    settings, reach, _ = _asked(file, None)
    _known(settings, name)
    ended = reach.ask({"op": "stop", "server": name})["ended"]
    output.say(f"{output.counted(ended, 'instance')} of {name} ended; tidegate servers restart {name} undoes it.")


def _known(settings: Settings, name: str) -> ServerSettings:
    if name not in settings.servers:
        known = ", ".join(settings.servers) or "none"
        raise output.Failure(f"there is no server {name!r} in the settings; there are: {known}")
    return settings.servers[name]


class _Reach:
    """A connection to a Tidegate that runs."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_SECONDS)
        try:
            self._socket.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            self._socket.close()
            raise _NobodyError from None
        self._lines = self._socket.makefile("rb")

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask, and return the answer.

        Raises:
            Failure: with the sentence that it answers, or where it doesn't.
        """
        try:
            self._socket.sendall(json.dumps(request | {"id": 1, "fds": 0}).encode() + b"\n")
            line = self._lines.readline()
        except OSError as error:
            raise output.Failure(f"Tidegate doesn't answer: {error}", output.MISSING) from None
        if not line:
            raise output.Failure("Tidegate has ended.", output.MISSING)
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise output.Failure(answer["error"], output.NOT_WELL)
        return answer


def _asked(file: Path | None, request: dict[str, Any] | None, *, needed: bool = True) -> tuple[Settings, Any, Any]:
    """Return the settings, a connection to their Tidegate, and its answer to a request; None where none runs."""
    from tidegate import control  # noqa: PLC0415 - heavy
    from tidegate.cli.serving import DEFAULT_FILE  # noqa: PLC0415 - as above

    settings, source = settings_of(file)
    used = file or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    try:
        reach = _Reach(control.path_of(settings, used))
    except _NobodyError:
        if needed:
            raise output.Failure(f"no Tidegate with {source} runs", output.MISSING) from None
        return settings, None, None
    return settings, reach, reach.ask(request) if request is not None else None


def loosened(server: ServerSettings) -> list[str]:
    """Return a sentence for each hardened default that a server's settings loosen."""
    from tidegate import sandbox  # noqa: PLC0415 - heavy

    return list(sandbox.loosened(server))
