"""``plugins list`` and ``plugins new``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tidegate.cli import described, output

app = typer.Typer(no_args_is_help=True, help="The interceptors that are installed, and how to write one.")


@app.callback()
def _plugins() -> None:
    """The interceptors that are installed, and how to write one."""


@app.command("list")
def list_(
    *, as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print JSON for a script.")] = False
) -> None:
    """List the interceptors that are installed. Nothing of them is imported, and none runs that no settings name."""
    from tidegate import plugins  # noqa: PLC0415 - heavy

    found = [
        {
            "name": item.name,
            "distribution": item.distribution,
            "version": item.version,
            "value": item.value,
            "summary": described.first_line(item.value),
        }
        for _, item in sorted(plugins.installed().items())
    ]
    if as_json:
        output.dump(found)
        return
    if not found:
        output.say("No interceptors are installed.")
        return
    rows = [
        (item["name"], f"{item['distribution']} {item['version']}", item["value"], item["summary"]) for item in found
    ]
    output.console().print(output.table(("use", "distribution", "class", "what it is"), rows))
    output.say('\nTo use one, name it in the settings: [[interceptors]] with use = "NAME".')


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="What settings will call it, such as `my-rules`.")],
    *,
    folder: Annotated[
        Path | None, typer.Option(help="Where to put it; by default tidegate-NAME here.", show_default=False)
    ] = None,
) -> None:
    """Write a new interceptor: a package of its own with code, a test and settings, ready for `pip install`."""
    from tidegate import scaffold  # noqa: PLC0415 - heavy

    place = folder or Path(scaffold.distribution(name))
    try:
        made = scaffold.create(name, place)
    except (ValueError, FileExistsError) as refused:
        raise output.Failure(str(refused)) from None
    for path in made:
        output.say(f"wrote {path}")
    output.say(f'Next: pip install -e {place}, then name it in the settings: [[interceptors]] with use = "{name}".')
