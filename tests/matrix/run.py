"""Runs the matrix: every client in front of every server, through the gateway, for every feature; writes its page."""

import asyncio
import sys
import tempfile
import time
import traceback
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

from matrix import page, tools
from matrix.clients import Client
from matrix.connections import all_clients
from matrix.features import ALONE, FEATURES, IMPOSSIBLE, LAST, PAGE, Cell
from matrix.names import VERSIONS
from matrix.places import all_places
from matrix.servers import Place, Record
from support.proxy import audit_to, running_tidegate, write_settings

PAGE_PATH = Path(__file__).parents[2] / "docs" / "gateway-matrix.md"
WORKS, BARRED, BROKEN = "works", "impossible", "broken"


class Outcome(NamedTuple):
    """How one feature went in one cell.

    Attributes:
        how: ``works``, ``impossible`` (by the specification, and seen to be refused properly) or ``broken``.
        why: what went wrong.
    """

    client: tuple[str, str]
    server: tuple[str, str]
    feature: str
    how: str
    why: str = ""


async def run(features: set[str] | None = None, clients: set[str] | None = None) -> list[Outcome]:
    """Run the matrix, or a part of it."""
    record = Record()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tidegate-matrix-")))
        places = [await stack.enter_async_context(place) for place in all_places(record)]
        servers = {place.name: place.settings for place in places}
        tables = {"gateway": {"page": PAGE, "patience": 20.0}}
        tidegate = await stack.enter_async_context(
            running_tidegate(servers, folder=folder, tables=tables, max_message_bytes=tools.LIMIT)
        )
        alone = {
            version: write_settings(
                folder / f"{version}.toml",
                servers,
                [audit_to(folder / f"{version}.jsonl")],  # two processes can't write one
                {"max_message_bytes": tools.LIMIT},
                tables,
            )
            for version in VERSIONS
        }
        chosen = [
            client for client in all_clients(tidegate.url, alone, folder) if clients is None or client.name in clients
        ]
        found: list[Outcome] = []
        for stdio in (False, True):  # those of one Tidegate at once; then those who have one each
            group = [client for client in chosen if (client.transport == "stdio") is stdio]
            found += await _together(group, places, record, features)
        return found + [_strange(("", ""), why) for why in dict.fromkeys(record.foreign)]


def _strange(client: tuple[str, str], why: str) -> Outcome:
    return Outcome(client, ("", ""), "strictness", BROKEN, why)


async def _together(
    clients: list[Client], places: list[Place], record: Record, features: set[str] | None
) -> list[Outcome]:
    """Run several clients at once; what nobody may disturb, one client after the other."""
    began = time.monotonic()
    wanted = {name for name in FEATURES if features is None or name in features}
    cells: dict[str, list[Cell]] = {}

    async def first(client: Client) -> list[Outcome]:
        await client.start()
        whole: dict[str, object] = {}
        cells[client.name] = [Cell(client, place, record, whole) for place in places]
        return await _all(cells[client.name], wanted - LAST - ALONE)

    try:
        found = [outcome for each in await asyncio.gather(*map(first, clients)) for outcome in each]
        for client in clients:
            found += await _all(cells[client.name], wanted & LAST)
        alone = await asyncio.gather(*(_one_by_one(cells[client.name], wanted & ALONE) for client in clients))
        found += [outcome for each in alone for outcome in each]
    finally:
        ended = await asyncio.gather(*(client.close() for client in clients))
    for client, well in zip(clients, ended, strict=True):
        strange = [*client.foreign, *([] if well else ["it didn't end when its client closed its side"])]
        found += [_strange(_of(client), why) for why in dict.fromkeys(strange)]
    sys.stderr.write(f"{', '.join(client.name for client in clients)}: {time.monotonic() - began:.1f} s\n")
    return found


async def _all(cells: list[Cell], features: set[str]) -> list[Outcome]:
    return [outcome for each in await asyncio.gather(*(_cell(cell, features) for cell in cells)) for outcome in each]


async def _one_by_one(cells: list[Cell], features: set[str]) -> list[Outcome]:
    return [outcome for cell in cells for outcome in await _cell(cell, features)]


def _of(client: Client) -> tuple[str, str]:
    return client.version, client.transport


async def _cell(cell: Cell, features: set[str]) -> list[Outcome]:
    out = []
    server = cell.place.version, cell.place.transport
    for name, play in FEATURES.items():
        if name not in features:
            continue
        impossible, instead, _ = IMPOSSIBLE.get(name, (None, None, ""))
        barred = impossible is not None and impossible(cell)
        try:
            await (instead if barred and instead is not None else play)(cell)
        except (AssertionError, KeyError, TimeoutError) as error:
            where = traceback.extract_tb(error.__traceback__)
            played = (frame for frame in reversed(where) if frame.filename.endswith(("features.py", "_feature.py")))
            at = next(played, where[-1])
            why = f"{type(error).__name__} {str(error)[:600]} ({at.name}:{at.lineno} {at.line})"
            out.append(Outcome(_of(cell.client), server, name, BROKEN, why))
        else:
            out.append(Outcome(_of(cell.client), server, name, BARRED if barred else WORKS))
    return out


def main() -> None:
    """Run all of it; write the page, if nothing is broken."""
    began = time.monotonic()
    outcomes = asyncio.run(run(clients=set(sys.argv[1:]) or None))
    broken = [outcome for outcome in outcomes if outcome.how == BROKEN]
    for outcome in broken:
        sys.stdout.write(f"{outcome}\n")
    sys.stdout.write(f"{len(outcomes)} cells, {len(broken)} broken, {time.monotonic() - began:.1f} s\n")
    if broken:
        sys.exit(1)
    PAGE_PATH.write_text(page.text(outcomes))


if __name__ == "__main__":
    main()
