"""``tools``: which tools the servers have, what they take, what they cost; and calling one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli import asking, contents, output, schemas
from tidegate.cli.asking import EraOption, Failed, JsonOption, SettingsOption, TokenOption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console
    from rich.text import Text

    from tidegate.cli.asker import Asker
    from tidegate.client.answers import Listing
    from tidegate.client.client import Client
    from tidegate.settings import Settings

app = typer.Typer(help="Which tools the servers have, what they take; call one.", no_args_is_help=True)

_BYTES_A_TOKEN = 4
_FOR_THE_MODEL = ("name", "title", "description", "inputSchema")  # what clients usually give to a model
_HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
_COLOURS = {"read-only": "green", "destructive": "red"}

_Servers = Annotated[
    list[str] | None,
    typer.Argument(metavar="SERVER", help="Servers of the settings; by default all.", show_default=False),
]
_Tool = Annotated[str, typer.Argument(metavar="SERVER/TOOL", help="The tool, or `SERVER__TOOL`.", show_default=False)]


async def _tools(client: Client) -> Listing:
    from tidegate.client.answers import Listing  # noqa: PLC0415 - heavy

    if "tools" not in client.hello.capabilities:
        return Listing([])
    return await client.listed("tools/list", "tools")


def _listed(
    servers: list[str] | None, file: Any, token_env: str, era: str
) -> tuple[dict[str, Listing], dict[str, Failed]]:
    """Ask servers for their tools; return what they have, and what is wrong with those that don't say."""

    async def work(asker: Asker) -> dict[str, Listing | Failed]:
        return await asker.each(list(dict.fromkeys(servers or asker.settings.servers)), _tools)

    found = asking.ask(file, servers or (), token_env, era, work)
    well = {name: said for name, said in found.items() if not isinstance(said, Failed)}
    return well, {name: said for name, said in found.items() if isinstance(said, Failed)}


def _end(listed: dict[str, Listing], failed: dict[str, Failed]) -> None:
    """Say what is missing, and end with the exit code for it."""
    for name, failure in failed.items():
        output.complain(f"{name}: {failure.reason}")
    for name, listing in listed.items():
        if listing.trouble:
            output.complain(f"{name}: {listing.trouble}")
    code = max((failure.code for failure in failed.values()), default=output.WELL)
    if code == output.WELL and any(listing.trouble for listing in listed.values()):
        code = output.NOT_WELL
    if code != output.WELL:
        raise typer.Exit(code)


def _problems(listed: dict[str, Listing], failed: dict[str, Failed]) -> list[dict[str, str]]:
    found = {name: failure.reason for name, failure in failed.items()}
    found |= {name: listing.trouble for name, listing in listed.items() if listing.trouble}
    return [{"server": name, "reason": reason} for name, reason in found.items()]


@app.command("list")
def list_(
    servers: _Servers = None,
    *,
    settings: SettingsOption = None,
    token_env: TokenOption = asking.TOKEN,
    era: EraOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """List the tools of servers: what a client sees of them through Tidegate, all pages.

    The Tidegate that runs with the settings is asked; where none does, the servers are started for it and ended again,
    behind the same interceptors. Exit code 3 if a server can't be reached, 1 if its list is broken.
    """
    listed, failed = _listed(servers, settings, token_env, era)
    if as_json:
        tools = [
            {"server": name, "name": tool["name"], "definition": tool}
            for name, listing in listed.items()
            for tool in listing.items
        ]
        output.dump({"tools": tools, "problems": _problems(listed, failed)})
    else:
        _print(listed)
    _end(listed, failed)


def _print(listed: dict[str, Listing]) -> None:
    console = output.console()
    rows = [
        (name, tool["name"], _coloured(hint(tool)), output.one_line(_summary(tool), console))
        for name, listing in listed.items()
        for tool in listing.items
    ]
    if rows:
        console.print(output.table(("server", "tool", "hint", "description"), rows))
    elif listed:
        output.say("No tools.")


def hint(tool: Mapping[str, Any]) -> str:
    """Return what a tool says of itself in one word: ``read-only``, ``destructive``, ``writes``; ``""`` for nothing."""
    notes = tool.get("annotations")
    if not isinstance(notes, dict):
        return ""
    if notes.get("readOnlyHint") is True:
        return "read-only"
    if notes.get("destructiveHint") is True:
        return "destructive"
    return "writes" if False in (notes.get("destructiveHint"), notes.get("readOnlyHint")) else ""


def _coloured(word: str) -> Text:
    from rich.text import Text  # noqa: PLC0415 - heavy

    return Text(word, style=_COLOURS.get(word, ""))


def _summary(tool: Mapping[str, Any]) -> str:
    said = tool.get("description") or tool.get("title")
    return " ".join(said.split()) if isinstance(said, str) else ""


@app.command()
def count(
    servers: _Servers = None,
    *,
    settings: SettingsOption = None,
    token_env: TokenOption = asking.TOKEN,
    era: EraOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Count the tools of servers, and estimate how many tokens a model reads for their definitions.

    The estimate is the bytes of name, title, description and inputSchema as compact JSON, divided by four. Models and
    clients differ; it is for comparing servers, not for a bill.
    """
    listed, failed = _listed(servers, settings, token_env, era)
    counted = [_counted(name, listing) for name, listing in listed.items()]
    if as_json:
        output.dump({"servers": counted, "bytes_per_token": _BYTES_A_TOKEN, "problems": _problems(listed, failed)})
    elif counted:
        rows = [
            (
                each["server"],
                str(each["tools"]),
                f"{each['bytes']:,}",
                f"~{each['tokens_estimated']:,}",
                each["largest"],
            )
            for each in counted
        ]
        if len(rows) > 1:
            tools, size, tokens = (sum(each[key] for each in counted) for key in ("tools", "bytes", "tokens_estimated"))
            rows.append(("together", str(tools), f"{size:,}", f"~{tokens:,}", ""))
        heads = ("server", "tools", "bytes", "tokens", "largest tool")
        output.console().print(output.table(heads, rows, right=heads[1:4]))
        output.note(f"tokens: an estimate, one for each {_BYTES_A_TOKEN} bytes of the definitions that a model gets.")
    _end(listed, failed)


def _counted(name: str, listing: Listing) -> dict[str, Any]:
    sizes = {tool["name"]: _size(tool) for tool in listing.items}
    total = sum(_size(tool) for tool in listing.items)
    return {
        "server": name,
        "tools": len(listing.items),
        "bytes": total,
        "tokens_estimated": -(-total // _BYTES_A_TOKEN),
        "largest": max(sizes, key=lambda key: sizes[key], default=""),
    }


def _size(tool: Mapping[str, Any]) -> int:
    kept = {key: tool[key] for key in _FOR_THE_MODEL if key in tool}
    return len(json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode(errors="replace"))


def split(settings: Settings, name: str) -> tuple[str, str]:
    """Return server and tool that ``SERVER/TOOL`` or ``SERVER__TOOL`` names; of the only server, ``TOOL`` is enough.

    Raises:
        Failure: where there is no such server.
    """
    for sign in ("/", "__"):
        server, found, tool = name.partition(sign)
        if found and tool and server in settings.servers:
            return server, tool
    if len(settings.servers) == 1:
        return next(iter(settings.servers)), name
    there = ", ".join(settings.servers) or "none"
    raise output.Failure(f"{name!r} names no server's tool: it is SERVER/TOOL, and the servers are: {there}")


def _ended(said: Any) -> Any:
    """Return what came of asking a server.

    Raises:
        Failure: where nothing did.
    """
    if isinstance(said, Failed):
        raise output.Failure(said.reason, said.code)
    return said


@app.command()
def inspect(
    tool: _Tool,
    *,
    settings: SettingsOption = None,
    token_env: TokenOption = asking.TOKEN,
    era: EraOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Show one tool: its description, its arguments, what it says of itself, what its results look like.

    `--json` prints its definition as the client gets it.
    """

    async def work(asker: Asker) -> tuple[str, str, Listing | Failed]:
        server, name = split(asker.settings, tool)
        return server, name, (await asker.each([server], _tools))[server]

    server, name, said = asking.ask(settings, (), token_env, era, work)
    listing: Listing = _ended(said)
    found = next((each for each in listing.items if each["name"] == name), None)
    if found is None:
        raise output.Failure(f"{server} lists no tool {name!r}{_nearest(name, listing)}", output.NOT_WELL)
    if as_json:
        output.dump(found)
        return
    _show(server, found)
    _end({server: listing}, {})


def _nearest(name: str, listing: Listing) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only for a mistake

    near = get_close_matches(name, [tool["name"] for tool in listing.items], n=3)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _show(server: str, tool: Mapping[str, Any]) -> None:
    console = output.console()
    title = tool.get("title")
    output.say(f"{server}/{tool['name']}{f': {title}' if isinstance(title, str) else ''}")
    if isinstance(tool.get("description"), str):
        output.say()
        _wrapped(tool["description"].expandtabs().strip(), console)
    for heading, key in (("argument", "inputSchema"), ("result", "outputSchema")):
        rows = schemas.rows(tool.get(key))
        output.say()
        if rows:
            shown = [
                (
                    row.name,
                    row.kind,
                    "required" if row.required else f"= {row.default}" if row.default else "",
                    row.description,
                )
                for row in rows
            ]
            console.print(output.table((heading, "type", "", "what it is"), shown))
        elif key == "inputSchema":
            output.say(
                "It takes no arguments." if isinstance(tool.get(key), dict) else "It says nothing of its arguments."
            )
        else:
            output.say("It says nothing of its results." if key not in tool else "Its results are of any form.")
    notes = tool.get("annotations")
    said = [f"{key} {json.dumps(notes[key])}" for key in _HINTS if key in notes] if isinstance(notes, dict) else []
    output.say()
    hints = f"It says of itself: {', '.join(said)}." if said else "It says nothing of what it does (no hints)."
    _wrapped(hints, console)


def _wrapped(text: str, console: Console) -> None:
    """Print a text; on a terminal its lines are broken between words."""
    console.print(output.plain(text), soft_wrap=not console.is_terminal)


@app.command()
def call(  # noqa: PLR0913 - each is an option of the command
    tool: _Tool,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE",
            help="Arguments, read as the tool's schema wants them; `KEY:=JSON` for anything else.",
            show_default=False,
        ),
    ] = None,
    *,
    arguments: Annotated[
        str | None,
        typer.Option(metavar="JSON|@FILE|-", help="All arguments as JSON; KEY=VALUE add to them.", show_default=False),
    ] = None,
    settings: SettingsOption = None,
    token_env: TokenOption = asking.TOKEN,
    era: EraOption = "auto",
    timeout: Annotated[
        float | None, typer.Option(min=0, help="Seconds after which the call is cancelled.", show_default=False)
    ] = None,
    log_level: Annotated[
        str | None, typer.Option(help="What the server shall log at least, like `debug`.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Call a tool and print what it answers; progress and log messages go to standard error.

    Text is printed with whatever could steer a terminal made visible; images and the like are described. `--json`
    prints the whole result as it is. Ctrl-C cancels the call. Exit code 1 if the tool says that it failed or the call
    is denied, 3 if the server can't be reached.
    """
    base = schemas.base_of(arguments)

    async def work(asker: Asker) -> dict[str, Any] | Failed:
        server, name = split(asker.settings, tool)
        from tidegate.cli.asker import attempt  # noqa: PLC0415 - heavy

        return await attempt(_call(asker, (server, name), words or [], base, timeout, log_level))

    result: dict[str, Any] = _ended(asking.ask(settings, (), token_env, era, work))
    _answered(result, as_json=as_json)


async def _call(
    asker: Asker,
    named: tuple[str, str],
    words: list[str],
    base: dict[str, Any],
    within: float | None,
    level: str | None,
) -> dict[str, Any]:
    import asyncio  # noqa: PLC0415 - heavy

    from tidegate.upstream import Unavailable  # noqa: PLC0415 - heavy

    server, name = named
    async with asker.client(server, _heard, level) as client:
        listing = await _tools(client)
        found = next((each for each in listing.items if each["name"] == name), None)
        if found is None and words:
            output.note(f"{server} lists no tool {name!r}{_nearest(name, listing)}; its arguments are sent as strings.")
        given = schemas.arguments(words, base, found.get("inputSchema") if found is not None else None)
        client.listen()
        try:
            async with asyncio.timeout(within):
                return await client.request("tools/call", {"name": name, "arguments": given}, tool=found, progress=True)
        except TimeoutError:
            raise Unavailable(f"It didn't answer within {within:g} seconds, so the call was cancelled.") from None


def _heard(message: Mapping[str, Any]) -> None:
    line = contents.heard(message)
    if line is not None:
        output.note(line)


def _answered(result: Mapping[str, Any], *, as_json: bool) -> None:
    from tidegate.client.answers import denied_by  # noqa: PLC0415 - heavy

    kind = result.get("resultType", "complete")
    failed = result.get("isError") is True
    denied = denied_by(result) if failed else None
    if as_json:
        output.dump(result)
    elif denied is None:
        for line in contents.lines_of(result):
            output.say(line)
    if denied is not None:
        said = next(contents.lines_of(result), "")
        output.complain(said.replace("Denied by Tidegate", "denied by Tidegate") or "denied by Tidegate")
    elif kind != "complete":
        output.complain(f"the server answered with {kind!r}: it asks for what this command can't give")
    elif failed:
        output.complain("the tool says that it failed")
    if failed or kind != "complete":
        raise typer.Exit(output.NOT_WELL)
