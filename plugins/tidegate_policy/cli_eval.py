"""``tidegate policy eval``: what a policy says about one input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from tidegate_policy import cli_output as output
from tidegate_policy import decision, evaluating, projects
from tidegate_policy.sources import MEMBERS, Failure, PolicyError

if TYPE_CHECKING:
    import regorus

    from tidegate_policy.packs import Policy


def evaluate(
    folder: output.Folder = None,
    *,
    given: output.InputFile = output.STDIN,
    packs: output.Packs = None,
    data: output.Data = None,
    settings: output.Settings = None,
    query: Annotated[
        str | None,
        typer.Option("--query", "-q", metavar="RULE", help="Print this rule's value, such as `data.tidegate.deny`."),
    ] = None,
) -> None:
    """Print what a policy decides about an input, as JSON.

    What the bundle and the packs say is added up, as it is while serving. Exits with 1 where there is no decision, so
    that Tidegate would deny: the rule has no value, it fails, or it isn't of the form that a decision has.

    Example: tidegate policy eval policies --input inputs/delete.json --query data.tidegate.deny
    """
    with output.mistakes(), output.interruptible():
        policy = projects.policy(folder, packs, output.read_data(data), settings)
        engine = projects.engine(policy.sources)
        message = output.read_object(given)
        if query is not None:
            engine.set_input(message)
            output.dump(value(engine, query))
            raise typer.Exit(output.WELL)
        decided, failures = decide(policy, message)
    output.dump(decided)
    for sentence in failures:
        output.note(f"Error: {sentence}")
    raise typer.Exit(output.NOT_WELL if failures else output.WELL)


def value(engine: regorus.Engine, query: str) -> Any:
    """Return a rule's value.

    Raises:
        PolicyError: where it has none.
    """
    name = query if query.startswith("data.") else f"data.{query}"
    try:
        said = engine.eval_rule_as_json(name)
    except RuntimeError as error:
        why = evaluating.told(str(error))
        raise PolicyError(f"there is no rule {name}" if why.startswith("not a valid rule") else why) from None
    if said in ("<undefined>", '"<undefined>"'):
        output.fail(f"{name} has no value for this input", output.NOT_WELL)
    return orjson.loads(said)


def decide(policy: Policy, given: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what all units decide about an input, added up, and a sentence for each that gives no decision."""
    total: dict[str, list[Any]] = {member: [] for member in MEMBERS}
    failures = []
    answers = projects.Asked(policy).answers(given)
    for unit in policy.units:
        if unit.name not in answers:
            output.note(f"{unit.query}: isn't asked about this, because of its `applies`.")
            continue
        answer = answers[unit.name]
        failed = decision.said((unit,), (answer,)).failures
        if failed:
            failures.append(_sentence(policy, unit.query, failed[0][1], given))
            continue
        found: dict[str, list[Any]] = dict(answer)  # type: ignore[arg-type]  # a failure was told of above
        total |= {member: total[member] + items for member, items in found.items()}
    return total, failures


def _sentence(policy: Policy, query: str, failure: Failure, given: dict[str, Any]) -> str:
    if failure.kind == "error":  # what it says isn't kept while serving: it may quote the message
        engine = projects.engine(policy.sources)
        engine.set_input(given)
        try:
            engine.eval_rule_as_json(query)
        except RuntimeError as error:
            return evaluating.told(str(error))
    said = {
        "undefined": f"{query} has no value for this input",
        "shape": f"{query} is no decision: an object with the arrays deny, redact, hold and labels",
    }
    return said.get(failure.kind, f"{query}: {failure.kind}")
