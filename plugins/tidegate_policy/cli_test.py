"""``tidegate policy test``: runs the tests of a policy or of the packs, on either engine."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from tidegate_policy import cli_output as output
from tidegate_policy import evaluating, programs, projects, trials
from tidegate_policy.sources import PolicyError

if TYPE_CHECKING:
    from tidegate_policy.projects import Project
    from tidegate_policy.trials import Lines, Outcome, Trial


class _How(NamedTuple):
    """How tests are run: in which engine, at which server, which of them, with coverage or not."""

    engine: str
    server: str | None
    wanted: re.Pattern[str] | None
    coverage: bool


class _Done(NamedTuple):
    trials: list[Trial]
    lines: list[Lines]


def run_tests(  # noqa: PLR0913 - every option of a command is a parameter
    folder: output.Folder = None,
    *,
    packs: Annotated[bool, typer.Option("--packs", metavar="", help="Test the packs that Tidegate brings.")] = False,
    engine: Annotated[
        Literal["embedded", "opa"],
        typer.Option("--engine", help="`embedded`, or `opa`: the opa program, which must be in PATH."),
    ] = "embedded",
    server: Annotated[
        str | None, typer.Option("--opa", metavar="URL", help="A running OPA server to use, as in `opa.urls`.")
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="REGEX", help="Only tests whose full names have a match.")
    ] = None,
    coverage: Annotated[bool, typer.Option("--coverage", metavar="", help="Show which lines the tests reach.")] = False,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", min=0, max=100, help="Percent of all lines that must be reached; with coverage."),
    ] = None,
    json: output.Json = False,
) -> None:
    """Run the tests of a policy: the rules `test_…`, mostly in files `*_test.rego`.

    A test passes where its value is true. One that is false, has no value or fails is told with file and line; a
    `todo_test_…` is skipped. A builtin that is given what it can't take fails, as it does while serving. Exits with 1
    where a test fails, or where fewer lines are reached than the threshold asks for.

    Example: tidegate policy test policies --coverage --threshold 90
    """
    if packs and folder is not None:
        output.fail("--packs and a folder exclude each other")
    how = _How("opa" if server else engine, server, _pattern(run), coverage or threshold is not None)
    with output.mistakes():
        found = projects.of_packs() if packs else projects.project(folder)
        done = asyncio.run(_run(found, how))
        if not done.trials:
            where = "the packs" if packs else str(folder or Path())
            output.fail(f"{where}: there are no tests{' of these names' if run else ''}: rules test_… in *_test.rego")
    share = trials.total(done.lines)
    if json:
        output.dump(_as_json(done, how))
    else:
        _print(done, share, how)
    failed = any(trial.outcome in ("failed", "error") for trial in done.trials)
    if threshold is not None and share < threshold:
        output.note(f"The tests reach {share:.1f} % of the lines, less than {threshold:g} %.")
        failed = True
    raise typer.Exit(output.NOT_WELL if failed else output.WELL)


def _pattern(text: str | None) -> re.Pattern[str] | None:
    try:
        return None if text is None else re.compile(text)
    except re.error as error:
        output.fail(f"--run: is no regular expression: {error}")


async def _run(project: Project, how: _How) -> _Done:
    # What OPA alone can run is listed by the embedded engine all the same.
    local = (
        projects.engine(project.whole)
        if how.engine == "embedded"
        else evaluating.compiled(project.whole.modules, project.whole.data)
    )
    tests = trials.listed(project.whole.modules, how.wanted)
    if how.coverage and how.engine == "embedded":
        local.set_enable_coverage(True)
    if how.engine == "embedded" or not tests:
        with output.interruptible():
            found = await trials.run(tests, local)
        return _Done(found, trials.coverage(local, project.whole.modules) if how.coverage else [])
    if how.coverage and how.server:
        raise PolicyError("a server says nothing of the lines it reaches: leave out --opa or --coverage")
    asked = trials.units(tests)
    async with programs.loaded(how.server, project.whole, asked) as other:
        found = await trials.run(tests, local, other, asked)
    # `opa test` measures lines only where all tests pass; where one fails, that is what is to be told.
    measured = how.coverage and all(trial.outcome in ("passed", "skipped") for trial in found)
    return _Done(found, programs.coverage(project.whole, how.wanted) if measured else [])


_SAID: dict[Outcome, str] = {"passed": "passed", "failed": "failed", "error": "in error", "skipped": "to do"}


def _as_json(done: _Done, how: _How) -> dict[str, Any]:
    told: dict[str, Any] = {"engine": how.engine, "tests": [trial._asdict() for trial in done.trials]}
    if how.coverage and done.lines:
        files = [each._asdict() | {"percent": round(each.share, 1)} for each in done.lines]
        told["coverage"] = {"files": files, "percent": round(trials.total(done.lines), 1)}
    return told


def _print(done: _Done, share: float, how: _How) -> None:
    for trial in done.trials:
        if trial.outcome in ("failed", "error"):
            output.say(f"{trial.file}:{trial.line}: {trial.name}: {trial.outcome}: {trial.why}")
            for line in trial.prints:
                output.say(f"    {line}")
    if how.coverage and done.lines:
        rows = [
            (each.file, str(len(each.covered) + len(each.missed)), f"{each.share:.1f}", trials.ranges(each.missed))
            for each in done.lines
        ]
        output.draw(("file", "lines", "%", "not reached"), rows, right=("lines", "%"))
    numbers = Counter(trial.outcome for trial in done.trials)
    parts = [output.counted(len(done.trials), "test")]
    parts += [f"{numbers[each]} {said}" for each, said in _SAID.items() if numbers[each]]
    if how.coverage and done.lines:
        parts.append(f"{share:.1f} % of the lines reached")
    output.say(", ".join(parts))
