"""``tidegate policy bench``: how long a policy takes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate_policy import benching, programs, projects, reads
from tidegate_policy import cli_output as output
from tidegate_policy.benching import Case, Timing

if TYPE_CHECKING:
    from tidegate_policy.packs import Policy


def bench(  # noqa: PLR0913 - every option of a command is a parameter
    folder: output.Folder = None,
    *,
    given: Annotated[
        str | None,
        typer.Option("--input", "-i", metavar="FILE", help="An input to measure with; else a small and a large call."),
    ] = None,
    packs: output.Packs = None,
    data: output.Data = None,
    settings: output.Settings = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.01, max=600, help="How long to measure each message.")
    ] = 2.0,
    opa: Annotated[bool, typer.Option("--with-opa", metavar="", help="Measure the opa program in PATH too.")] = False,
    server: Annotated[
        str | None, typer.Option("--opa", metavar="URL", help="Measure this OPA server too, as in `opa.urls`.")
    ] = None,
    json: output.Json = False,
) -> None:
    """Measure how long a policy takes for a message: median and 99th percentile, in microseconds.

    What is measured: making the input from a message, handing it to the engine, and each unit's evaluation, apart and
    together, in CPU time; OPA by the clock. Without `--input` that is done for a call with small arguments and for one
    with 100 KB.

    Example: tidegate policy bench policies --packs readonly,paths
    """
    with output.mistakes():
        policy = projects.policy(folder, packs, output.read_data(data), settings)
        wants = reads.wanted(policy.sources, [unit.query for unit in policy.units])
        cases = benching.cases(wants)
        if given is not None:
            cases = [Case(output.shown(given), output.read_object(given), None)]
        engine = projects.engine(policy.sources)
        for case in cases:
            for name in benching.undecided(policy, case):
                output.note(f"{name} gives no decision about the message {case.name!r}; it would be denied.")
        with output.interruptible():
            found = [each for case in cases for each in benching.measured(case, policy, engine, seconds)]
        if opa or server is not None:
            found += asyncio.run(_elsewhere(cases, policy, server, seconds))
    if json:
        output.dump([each._asdict() for each in found])
    else:
        _print(found)


async def _elsewhere(cases: list[Case], policy: Policy, url: str | None, seconds: float) -> list[Timing]:
    async with programs.loaded(url, policy.sources, policy.units) as engine:
        return [await benching.measured_elsewhere(case, policy, engine, seconds) for case in cases]


def _print(found: list[Timing]) -> None:
    order = list(dict.fromkeys(each.case for each in found))
    rows = [
        (each.case, each.what, f"{each.median:,.1f}", f"{each.p99:,.1f}", f"{each.runs:,}")
        for each in sorted(found, key=lambda each: order.index(each.case))
    ]
    columns = ("message", "what", "median µs", "99 % µs", "times")
    output.draw(columns, rows, right=columns[2:])
