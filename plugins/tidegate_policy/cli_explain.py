"""``tidegate policy explain``: why a policy says what it says about one input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate_policy import cli_output as output
from tidegate_policy import explaining, projects, trials
from tidegate_policy.cli_eval import decide

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tidegate_policy.explaining import Explained


def explain(  # noqa: PLR0913 - every option of a command is a parameter
    folder: output.Folder = None,
    *,
    given: output.InputFile = output.STDIN,
    packs: output.Packs = None,
    data: output.Data = None,
    settings: output.Settings = None,
    every: Annotated[
        bool, typer.Option("--all", metavar="", help="Also the rules that those of the decision lead to.")
    ] = False,
    json: output.Json = False,
) -> None:
    """Say which rules of a policy fired for an input, and where each of the others stopped.

    For each rule of deny, redact, hold and labels: whether it fired, with file and line, and if not, the first
    statement that wasn't met; and the members of the input that it reads, a `?` behind those that aren't there.
    Exits with 1 where there is no decision.

    Example: tidegate policy explain policies --input inputs/delete.json
    """
    with output.mistakes(), output.interruptible():
        policy = projects.policy(folder, packs, output.read_data(data), settings)
        engine = projects.engine(policy.sources)
        message = output.read_object(given)
        decided, failures = decide(policy, message)
        found = explaining.explained(engine, policy, message)
        reached = explaining.lines(policy, engine, message)
    if json:
        output.dump({"decision": decided, "errors": failures, **explaining.as_json(found, reached)})
    else:
        _print(decided, [each for each in found if each.member or every])
        if every:
            output.say()
            for each in reached:
                if each.covered:
                    output.say(f"reached: {each.file}: {trials.ranges(each.covered)}")
    for sentence in failures:
        output.note(f"Error: {sentence}")
    raise typer.Exit(output.NOT_WELL if failures else output.WELL)


def _print(decided: dict[str, Any], found: Sequence[Explained]) -> None:
    fired = {member: len(items) for member, items in decided.items() if items}
    words = ", ".join(f"{member} {number}" for member, number in fired.items())
    output.say(f"decision: {words or 'nothing to say, so it passes'}\n")
    rows = [(each.member or "-", each.name, each.place, _became(each), ", ".join(_shown(each.reads))) for each in found]
    output.draw(("", "rule", "where", "what became of it", "reads"), rows)


def _became(each: Explained) -> str:
    stop = each.stop
    if stop.fired:
        return "fired" if each.used else "is so, but `decision` doesn't ask for it"
    if stop.error:
        return f"failed at line {stop.at.line}: {stop.error}" if stop.at else f"failed: {stop.error}"
    return f"not so at line {stop.at.line}: {stop.at.shown}" if stop.at else "did not fire"


def _shown(reads: dict[str, bool]) -> list[str]:
    return [path.removeprefix("input.") + ("" if there else "?") for path, there in reads.items()]
