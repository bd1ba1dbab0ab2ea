"""``ps`` and ``servers``: what a Tidegate that runs has running, and commands to it."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli import output
from tidegate.cli.reaching import Nobody, Reach
from tidegate.cli.serving import DEFAULT_FILE, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from tidegate.settings import ServerSettings, Settings

app = typer.Typer(help="What servers there are, what they run in; restart and stop them.", no_args_is_help=True)

_LOOK = 0.5  # seconds between two looks at what a server has said
_NUMBERS = ("up", "calls", "restarts", "memory", "cpu time")
_SPARED = ("process", "cpu time", "restarts", "memory", "isolation", "calls")  # in a narrow terminal, in turn

_File = Annotated[
    Path | None, typer.Argument(help="The settings; by default `tidegate.toml` here.", show_default=False)
]
_Json = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON for a script.")]
_Server = Annotated[str, typer.Argument(help="The server's name in the settings.", show_default=False)]


def ps(file: _File = None, *, as_json: _Json = False) -> None:
    """Show the running instances of servers: whose they are, since when, what they use, how often they began anew.

    Exit code 3 where no Tidegate of these settings runs.
    """
    with _reached(file) as (_, reach):
        told = reach.ask({"op": "ps"})
    if as_json:
        output.dump(told["instances"])
        return
    if told["instances"]:
        _print(told["instances"])
    else:
        output.say("Nothing runs: instances start when a client needs them.")
    for name in told["stopped"]:
        output.note(f"{name} is stopped; tidegate servers restart {name} undoes it.")


def _print(instances: list[dict[str, Any]]) -> None:
    """Show instances as a table; where it is too wide for the terminal, without what can be spared."""
    console = output.console()
    rows = [_row(found) for found in instances]
    heads = [head for head in rows[0] if head != "for" or any(row[head] for row in rows)]
    wide = console.options.update(max_width=10_000)
    for spared in ("", *_SPARED):
        heads = [head for head in heads if head != spared]
        cells = [[_coloured(row[head]) if head == "state" else row[head] for head in heads] for row in rows]
        drawn = output.table(heads, cells, right=_NUMBERS)
        if console.measure(drawn, options=wide).maximum <= console.width:
            break
    console.print(drawn)


def _row(found: dict[str, Any]) -> dict[str, str]:
    container, ready = found["container"], found["state"] != "serving"
    return {
        "server": found["server"],
        "instance": found["identity"],
        "isolation": (found["isolation"] or found["kind"]) + (f" ({found['streams']})" if found["streams"] else ""),
        "process": container[-12:] if container else str(found["pid"] or ""),
        "for": "" if ready else found["principal"],
        "state": found["state"],
        "up": duration(time.time() - found["since"]),
        "calls": str(found["calls"]),
        "restarts": str(found["restarts"]),
        "memory": "" if found["memory"] is None else f"{found['memory'] / 1e6:.0f} MB",
        "cpu time": "" if found["cpu_ns"] is None else duration(found["cpu_ns"] / 1e9),
    }


def _coloured(state: str) -> Text:
    from rich.text import Text  # noqa: PLC0415 - heavy

    return Text(state, style={"starting": "yellow", "stopped": "yellow"}.get(state, "green"))


def duration(seconds: float) -> str:
    """Return a duration for people: ``0.4 s``, ``12 s``, ``3 min``, ``5 h``, ``2 d``."""
    seconds = max(0.0, seconds)  # clocks are set back
    for unit, size, until in (("s", 1, 120), ("min", 60, 120), ("h", 3600, 48)):
        if seconds < until * size:
            return f"{seconds / size:.{1 if seconds < 10 and size == 1 else 0}f} {unit}"
    return f"{seconds / 86_400:.0f} d"


@app.command("list")
def list_(file: _File = None, *, as_json: _Json = False) -> None:
    """List the servers of the settings, what each runs in, and how many instances run.

    Where no Tidegate of these settings runs, a note says so, and the rest is shown all the same.
    """
    settings, told = _told(file)
    shown = [_listed(settings, name, told) for name in settings.servers]
    if as_json:
        output.dump(shown)
        return
    if not shown:
        output.say("No servers: add a [servers.NAME] table.")
        return
    console = output.console()
    rows = [
        (
            each["name"],
            each["isolation"] or each["kind"],
            each["share"] or "",
            str(each["warm"] or ""),
            _coloured("stopped") if each["stopped"] else "" if each["running"] is None else str(each["running"]),
            output.one_line(each["what"], console),
        )
        for each in shown
    ]
    heads = ("server", "isolation", "share", "warm", "running", "what it is")
    console.print(output.table(heads, rows, right=("warm", "running")))
    if told is None:
        output.note("No Tidegate of these settings runs.")


def _listed(settings: Settings, name: str, told: dict[str, Any] | None) -> dict[str, Any]:
    from tidegate import sandbox  # noqa: PLC0415 - heavy

    server = settings.servers[name]
    counted = None if told is None else sum(each["server"] == name for each in told["instances"])
    return {
        "name": name,
        "kind": server.kind,
        "isolation": sandbox.isolation(server),
        "what": _what(server),
        "share": server.share if server.meant("share") else None,
        "warm": server.warm if server.meant("warm") else None,
        "running": None if server.remote else counted,
        "stopped": told is not None and name in told["stopped"],
    }


def _what(server: ServerSettings) -> str:
    if server.command is not None:
        return " ".join(server.command)
    if server.url is not None:
        address, asked, _ = server.url.partition("?")  # what stands behind it may be a key
        return f"{address}{asked}{'…' if asked else ''}"
    return server.image or ""


@app.command()
def inspect(name: _Server, file: _File = None, *, as_json: _Json = False) -> None:
    """Show one server: its settings, those by default too, what it loosens, and its instances.

    Of `env` and `headers` only the names are shown, of `secrets` what they refer to.
    """
    from tidegate.loosening import loosened  # noqa: PLC0415 - heavy

    settings, told = _told(file, name)
    server = settings.servers[name]
    shown = _listed(settings, name, told) | {
        "settings": _in_force(settings, name),
        "given": sorted(server.model_fields_set),
        "env": sorted(server.env),
        "headers": sorted(server.headers),
        "loosened": loosened(server),
        "instances": [] if told is None else [each for each in told["instances"] if each["server"] == name],
    }
    if as_json:
        output.dump(shown)
        return
    output.say(f"{name}: {shown['isolation'] or server.kind}, {_what(server)}")
    rows = [
        (key, _said(value), "" if key in server.model_fields_set else "by default")
        for key, value in shown["settings"].items()
        if value is not None
    ]
    rows += [(key, ", ".join(shown[key]), "values aren't shown") for key in ("env", "headers") if shown[key]]
    output.say()
    output.console().print(output.table(("setting", "value", ""), rows))
    for sentence in shown["loosened"]:
        output.say(f"{name}: {sentence}")
    if shown["instances"]:
        output.say()
        _print(shown["instances"])
    elif told is None:
        output.note("No Tidegate of these settings runs.")
    elif shown["stopped"]:
        output.note(f"It is stopped; tidegate servers restart {name} undoes it.")


def _in_force(settings: Settings, name: str) -> dict[str, Any]:
    """Return the settings of a server that have a meaning for it, without what says what it is or may be secret."""
    server = settings.servers[name]
    left = {"command", "image", "url", "env", "headers"}
    shown = server.model_dump(
        mode="json", exclude=left | {key for key in type(server).model_fields if not server.meant(key)}
    )
    for key in ("start_timeout", "call_timeout", "idle_timeout"):
        if key in shown:
            shown[key] = getattr(settings, key)(name)
    return shown


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} = {each}" for key, each in value.items()) or "none"
    return value if isinstance(value, str) else json.dumps(value)


@app.command()
def logs(
    name: _Server,
    file: _File = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", metavar="", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Print what a server's running instances wrote to their standard error lately, at most 16 KiB each.

    It is the server's own text, unjudged and unredacted: it may hold what a client sent, and secrets.
    """
    with _reached(file, name) as (_, reach):
        told: dict[str, str] = reach.ask({"op": "logs", "server": name})["logs"]
        if not told:
            output.note(f"Nothing of {name} runs.")
        elif not any(told.values()):
            output.note(f"{name} has written nothing to its standard error.")
        written: dict[str, Written] = {}
        try:
            while True:
                for identity, text in told.items():
                    lines = written.setdefault(identity, Written()).news(text, whole=not follow)
                    for line in lines:
                        output.say(f"{identity} {line}" if len(written) > 1 or len(told) > 1 else line)
                sys.stdout.flush()
                if not follow:
                    return
                time.sleep(_LOOK)
                told = reach.ask({"op": "logs", "server": name})["logs"]
        except KeyboardInterrupt:
            raise typer.Exit(output.WELL) from None


class Written:
    """What one instance has written, of which only the end is ever seen."""

    def __init__(self) -> None:
        self._lines: list[str] = []  # those that have an end
        self._last = ""  # the one behind them, which may go on
        self._told = ""  # how much of it was told

    def news(self, text: str, *, whole: bool) -> list[str]:
        """Return the lines that weren't told before.

        Args:
            text: the end of what it has written, as it is now.
            whole: whether the last line is told too; else it is once it stays as it is.
        """
        *lines, last = (line.rstrip() for line in text.split("\n"))
        new = lines[_known_of(self._lines, lines) :]
        if new and self._told:
            if new[0] == self._told:
                del new[0]
            self._told = ""
        if last != self._told and (whole or last == self._last):
            new.append(last)
            self._told = last
        self._lines, self._last = lines, last
        return new


def _known_of(before: list[str], now: list[str]) -> int:
    """Return how many of the lines that are kept now were kept before; the first ones may be gone since."""
    old, new = [line.strip() for line in before], [line.strip() for line in now]
    for length in range(min(len(old), len(new)), 0, -1):
        if old[-length:] == new[:length]:
            return length
    return 0


@app.command()
def restart(name: _Server, file: _File = None) -> None:
    """End a server's instances; sessions get new ones with their next call. Undoes `stop`."""
    _end("restart", name, file, "the next call starts another.")


@app.command()
def stop(name: _Server, file: _File = None) -> None:
    """End a server's instances and start none until `tidegate servers restart`; calls are refused meanwhile.

    A Tidegate that is started anew has forgotten it.
    """
    _end("stop", name, file, f"tidegate servers restart {name} undoes it.")


def _end(how: str, name: str, file: Path | None, then: str) -> None:
    with _reached(file, name) as (_, reach):
        ended = reach.ask({"op": how, "server": name})["ended"]
    output.say(f"{output.counted(ended, 'instance')} of {name} ended; {then}")


def _known(settings: Settings, name: str) -> None:
    if name not in settings.servers:
        known = ", ".join(settings.servers) or "none"
        raise output.Failure(f"there is no server {name!r} in the settings; there are: {known}")


def _told(file: Path | None, name: str | None = None) -> tuple[Settings, dict[str, Any] | None]:
    """Return the settings, and what runs; ``None`` where no Tidegate of theirs does."""
    settings, _, used = _settings(file, name)
    try:
        reach = Reach(settings, used)
    except Nobody:
        return settings, None
    with contextlib.closing(reach):
        return settings, reach.ask({"op": "ps"})


@contextlib.contextmanager
def _reached(file: Path | None, name: str | None = None) -> Iterator[tuple[Settings, Reach]]:
    """Lend the settings and a connection to their Tidegate, which has to run.

    Args:
        file: the settings file.
        name: a server that has to be in the settings.
    """
    settings, source, used = _settings(file, name)
    try:
        reach = Reach(settings, used)
    except Nobody:
        told = f"no Tidegate with {source} runs; name the settings file that it was started with"
        raise output.Failure(told, output.MISSING) from None
    with contextlib.closing(reach):
        yield settings, reach


def _settings(file: Path | None, name: str | None) -> tuple[Settings, str, Path | None]:
    settings, source = settings_of(file)
    if name is not None:
        _known(settings, name)
    return settings, source, file or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
