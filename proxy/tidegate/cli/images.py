"""``pin`` and ``pull``: the images of the servers that run in containers."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli import output
from tidegate.cli.serving import DEFAULT_FILE, drive

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from tidegate.containers.engine import Engine
    from tidegate.image_names import ImageName
    from tidegate.pinning import Change, Named

    Found = dict[str, tuple[str, str]]  # by server: its image from now on, and what there is to say about it

_File = Annotated[
    Path | None, typer.Argument(help="The settings; by default `tidegate.toml` here.", show_default=False)
]
_Servers = Annotated[
    list[str] | None,
    typer.Option("--server", metavar="NAME", help="Only this server; may be repeated.", show_default=False),
]
_Json = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON for a script.")]


def pin(
    file: _File = None,
    *,
    server: _Servers = None,
    update: Annotated[
        bool, typer.Option("--update", metavar="", help="Look for newer images of the tags, those pinned already too.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", metavar="", help="Show the changes and write nothing.")] = False,
    as_json: _Json = False,
) -> None:
    """Put digests in the place of tags in the settings, so that an image can't change unseen.

    The engine says what a tag means now; an image that it doesn't have is pulled. One that is from no registry is
    pinned by its image id. The tag stays in the settings, beside the digest. Comments and layout stay as they are,
    and the file as it was is kept beside it, as `tidegate.toml.bak`.
    """
    from tidegate import pinning  # noqa: PLC0415 - heavy

    path = file or DEFAULT_FILE
    text = _read(path)
    chosen = _chosen(pinning.images_of(text, str(path)), server)
    found = drive(_resolved(chosen, update=update))
    changes = {
        name: pinning.Change(named.text, found[name][0], named.loosened)
        for name, named in chosen.items()
        if found[name][0] != named.text or (named.loosened and named.image.pinned)
    }
    changed = pinning.rewritten(text, changes, str(path)) if changes else text
    if not as_json:
        _show(chosen, changes, found)
    kept = pinning.write(path, changed) if changes and not dry_run else None
    if as_json:
        rows = [
            {"server": name, "before": named.text, "after": found[name][0], "note": found[name][1]}
            for name, named in chosen.items()
        ]
        output.dump({"settings": str(path), "written": kept is not None, "servers": rows})
    elif not changes:
        output.say(f"{path}: nothing to pin")
    elif kept is None:
        output.say("Nothing is written (--dry-run).")
    else:
        output.say(f"Wrote {path}; as it was, it is {kept.name}.")


def pull(file: _File = None, *, server: _Servers = None, as_json: _Json = False) -> None:
    """Have the engine get the images that the settings name and that it doesn't have.

    Serving never does that by itself: a server whose image is missing can't be started until this was done.
    """
    from tidegate import pinning, settings  # noqa: PLC0415 - heavy

    path = file or DEFAULT_FILE
    settings.load(path)
    rows = drive(_pulled(_chosen(pinning.images_of(_read(path), str(path)), server)))
    if as_json:
        output.dump({"settings": str(path), "images": rows})
    else:
        for row in rows:
            output.say(f"{row['server']}: {row['image']}: {row['detail']}")
        if not rows:
            output.say(f"{path}: no server runs in a container")
    if any(not row["present"] for row in rows):
        raise typer.Exit(output.NOT_WELL)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        raise output.Failure(f"{path}: no such file (write one with tidegate init)") from None
    except UnicodeDecodeError:
        raise output.Failure(f"{path}: is not text in UTF-8") from None


def _chosen(images: dict[str, Named], servers: list[str] | None) -> dict[str, Named]:
    for name in servers or ():
        if name not in images:
            raise output.Failure(f"there is no server {name!r} with an image")
    return {name: named for name, named in images.items() if not servers or name in servers}


async def _resolved(chosen: dict[str, Named], *, update: bool) -> Found:
    """Return what to pin each server's image to."""
    out: Found = {}
    async with _engine() as (engine, pulling):
        for name, named in chosen.items():
            image = named.image
            if image.id is not None or (image.digest is not None and image.tag is None):
                out[name] = (named.text, "it has no tag that could have a newer image" if update else "")
            elif image.digest is not None and not update:
                out[name] = (named.text, "")
            else:
                out[name] = await _pinned(engine, named, pulling, update=update)
    return out


async def _pinned(
    engine: Engine, named: Named, pulling: Callable[[Engine, ImageName], Any], *, update: bool
) -> tuple[str, str]:
    from dataclasses import replace  # noqa: PLC0415 - heavy

    from tidegate import pinning  # noqa: PLC0415 - heavy
    from tidegate.containers.pulling import digest_of, has  # noqa: PLC0415 - heavy

    image = replace(named.image, digest=None)
    told = None
    if update or not await has(engine, image):
        told = await pulling(engine, image)
    digest, is_there = await digest_of(engine, image, told)
    if is_there:
        return pinning.pinned(named, digest), ""
    return digest, f"{named.text} is from no registry, so it is pinned by its image id"


async def _pulled(chosen: dict[str, Named]) -> list[dict[str, Any]]:
    from tidegate.containers.pulling import has  # noqa: PLC0415 - heavy

    rows: list[dict[str, Any]] = []
    async with _engine() as (engine, pulling):
        for name, named in chosen.items():
            row = {"server": name, "image": named.text, "present": True, "detail": "there already"}
            if not await has(engine, named.image):
                row |= {"present": False, "detail": "an image id says no registry to get it from: build or load it"}
                if named.image.id is None:
                    row |= await _got(pulling(engine, named.image))
            rows.append(row)
    return rows


async def _got(pulling: Awaitable[str | None]) -> dict[str, Any]:
    """Return how a pull went."""
    from tidegate.ends.pipe import PipeError  # noqa: PLC0415 - heavy

    try:
        await pulling
    except PipeError as error:
        return {"present": False, "detail": str(error)}
    return {"present": True, "detail": "pulled"}


@asynccontextmanager
async def _engine() -> AsyncIterator[tuple[Engine, Callable[[Engine, ImageName], Any]]]:
    """Lend an engine, once, and a way to pull that shows how far it is."""
    from tidegate.containers.engine import Engine  # noqa: PLC0415 - heavy
    from tidegate.containers.pulling import pull as pull_image  # noqa: PLC0415 - heavy
    from tidegate.containers.trusted import TrustError  # noqa: PLC0415 - heavy
    from tidegate.ends.pipe import PipeError  # noqa: PLC0415 - heavy

    async def pulling(engine: Engine, image: ImageName) -> str | None:
        with _bar(image.asked) as progress:
            return await pull_image(engine, image, progress)

    engine = Engine()
    try:
        yield engine, pulling
    except (PipeError, TrustError) as error:
        raise output.Failure(str(error).rstrip("."), output.MISSING) from None
    finally:
        engine.close()


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far a pull is: a bar on a terminal, a line elsewhere."""
    if not sys.stderr.isatty():
        output.note(f"Pulling {what}")
        yield lambda _done, _total: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn  # noqa: PLC0415 - heavy

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    with Progress(*columns, console=output.console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"Pulling {what}", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total or None)


def _show(chosen: dict[str, Named], changes: dict[str, Change], found: Found) -> None:
    """Show what changes, and nothing else of the file: there may be secrets in it."""
    for name in chosen:
        if name in changes:
            change = changes[name]
            output.say(f"servers.{name}")
            if change.before != change.after:
                output.say(f'- image = "{change.before}"')
                output.say(f'+ image = "{change.after}"')
            if change.loosened:
                output.say('- pull = "tag-ok"')
        if found[name][1]:
            output.note(f"{name}: {found[name][1]}")
