"""``tidegate policy new``: a policy to begin with."""

from __future__ import annotations

import shutil
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
        _write({target: path.read_text() for path, target in made}, folder)
    for _, target in made:
        output.say(f"wrote {target}")
    output.say(f'Next: tidegate policy test {folder}, and in the settings: use = "policy", bundle = "{folder}".')


def _write(texts: dict[Path, str], folder: Path) -> None:
    """Write all of some new files, or none; as `tidegate plugins new` does, of which nothing is public.

    Raises:
        OSError: where that can't be done, on a full disk for example.
    """
    new = not folder.exists()
    made = []
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x") as file:
                made.append(path)
                file.write(text)
    except OSError as error:
        for path in made:
            path.unlink(missing_ok=True)
        if new:
            shutil.rmtree(folder, ignore_errors=True)
        raise OSError(error.errno, error.strerror, error.filename or str(folder)) from None
