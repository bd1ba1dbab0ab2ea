"""``init``, ``import`` and ``token new``."""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

from tidegate.cli import output

token = typer.Typer(no_args_is_help=True, help="Tokens by which clients say who they are.")


@token.callback()
def _token() -> None:
    """Tokens by which clients say who they are."""


def init(
    file: Annotated[Path, typer.Argument(help="The file to write.")] = Path("tidegate.toml"),
    *,
    force: Annotated[bool, typer.Option("--force", metavar="", help="Replace the file if it is there.")] = False,
) -> None:
    """Write the default settings to a file, to be edited."""
    from tidegate import defaults  # noqa: PLC0415 - heavy

    try:
        _write(file, defaults.text().encode(), force=force)
    except FileExistsError:
        raise output.Failure(f"{file} is there already: give another name, or --force to replace it") from None
    except FileNotFoundError:
        raise output.Failure(f"{file.parent} is no folder") from None
    output.say(f"Wrote {file}. Add your servers to it, then: tidegate check, tidegate run.")


def _write(file: Path, data: bytes, *, force: bool) -> None:
    """Write a file whole or not at all: half of the settings, or an empty file, would be settings too."""
    from tidegate.clients import files  # noqa: PLC0415 - heavy

    if force and file.is_file():
        files.put(Path(os.path.realpath(file)), data, file.stat())
        return
    with file.open("wb" if force else "xb") as written:
        try:
            written.write(data)
            written.flush()
        except OSError as error:
            if file.is_file():
                file.unlink()
            raise OSError(error.errno, error.strerror, str(file)) from None


def import_(
    file: Annotated[
        Path, typer.Argument(help="The file, such as `claude_desktop_config.json`, `mcp.json`, `catalog.yaml`.")
    ],
    *,
    server: Annotated[
        list[str] | None,
        typer.Option("--server", metavar="NAME", help="Only this server; may be repeated.", show_default=False),
    ] = None,
    on_demand: Annotated[
        bool, typer.Option("--on-demand", metavar="", help="Have sessions add the servers by themselves.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print JSON for a script.")] = False,
) -> None:
    """Turn servers of an MCP client's configuration or of a catalog into settings, printed on standard output.

    Reads the files of the clients that `tidegate clients` lists, Docker's MCP catalog (`.yaml`), and `server.json` of
    the official MCP registry. What has no counterpart is listed as comments in the settings and on standard error, so
    nothing is lost silently. To keep the settings, redirect them: `tidegate import mcp.json > tidegate.toml`
    """
    from tidegate import importer  # noqa: PLC0415 - heavy

    try:
        text = file.read_bytes().decode()
    except FileNotFoundError:
        raise output.Failure(f"{file}: no such file") from None
    except UnicodeDecodeError:
        raise output.Failure(f"{file}: is not text in UTF-8") from None
    try:
        imported = importer.read(text, file.name, server or (), on_demand=on_demand)
    except importer.ImportRefused as refused:
        raise output.Failure(f"{file}: {refused}") from None
    if as_json:
        notes = [{"server": name, "note": said} for name, said in imported.notes]
        output.dump({"servers": imported.servers, "disabled": sorted(imported.disabled), "notes": notes})
    else:
        output.say(imported.toml())
    if not as_json and sys.stdout.isatty():
        return  # the notes were just seen, as comments
    for name, said in imported.notes:
        output.note(f"{name}: {said}" if name else said)


@token.command("new")
def new(
    name: Annotated[str, typer.Argument(help="The principal: who the token is for.")],
    *,
    profile: Annotated[
        str | None,
        typer.Option(help="The profile that the token is for, and nothing else; by default all.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print JSON for a script.")] = False,
) -> None:
    """Make a token, print it once, and print the line of the settings that knows it.

    The settings hold its SHA-256 only. The client sends it as the header `Authorization: Bearer TOKEN`.
    """
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - heavy

    from tidegate.settings import Name, sentence  # noqa: PLC0415 - heavy

    try:
        for given in (name, *([] if profile is None else [profile])):
            TypeAdapter(Name).validate_python(given)
    except ValidationError as error:
        raise output.Failure(sentence(error)) from None
    made = f"tg_{secrets.token_urlsafe(32)}"
    digest = hashlib.sha256(made.encode()).hexdigest()
    if as_json:
        bound = {} if profile is None else {"profile": profile}
        output.dump({"name": name, "token": made, "sha256": digest, **bound})
        return
    output.say(f"{made}\n")
    output.note("This is the token. It is shown this once; the client sends it as Authorization: Bearer TOKEN.")
    output.note("Put this into the settings, beside other entries of [auth] tokens:\n")
    bound_to = "" if profile is None else f', profile = "{profile}"'
    output.say(f'[auth]\ntokens = [{{ name = "{name}", sha256 = "{digest}"{bound_to} }}]')
