"""``tidegate policy new``: a policy to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tidegate_policy import cli_output as output

TEMPLATE = Path(__file__).parent / "templates" / "bundle"


def new(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder to write to; made where missing.")
    ] = Path("policies"),
) -> None:
    """Write a small policy with its tests, data and a sample input, to be read and changed.

    Nothing that is there already is overwritten.
    """
    made = [(path, folder / path.relative_to(TEMPLATE)) for path in sorted(TEMPLATE.rglob("*")) if path.is_file()]
    with output.mistakes():
        for _, target in made:
            if target.exists():
                output.fail(f"{target} is there already: give the name of another folder")
        for path, target in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("x") as file:
                file.write(path.read_text())
            output.say(f"wrote {target}")
    output.say(f'Next: tidegate policy test {folder}, and in the settings: use = "policy", bundle = "{folder}".')
