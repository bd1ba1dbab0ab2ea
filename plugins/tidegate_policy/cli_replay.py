"""``tidegate policy replay``: what a new policy would have decided about recorded messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate_policy import cli_output as output
from tidegate_policy import packs as shipped
from tidegate_policy import projects, replaying
from tidegate_policy.sources import PolicyError

if TYPE_CHECKING:
    from tidegate_policy.replaying import Change, Outcome


def replay(  # noqa: PLR0913 - every option of a command is a parameter
    recording: Annotated[
        str,
        typer.Argument(
            metavar="RECORDING",
            help="What `audit` recorded, OPA's decision logs, or JSON lines of inputs; `-` is standard input.",
        ),
    ],
    *,
    bundle: output.New = None,
    old: output.Old = None,
    key: Annotated[
        str | None, typer.Option("--key", metavar="KEY", help="The file of the recording's key, or `env:NAME`.")
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Only what this interceptor recorded, where several did.")
    ] = None,
    packs: output.Packs = None,
    data: output.Data = None,
    settings: output.Settings = None,
    json: output.Json = False,
) -> None:
    """Ask a policy about recorded messages, and say what it would decide in another way: by rule, with examples.

    The examples are ids of decisions, as the audit log has them; nothing of a message is printed. Packs that were
    recorded and aren't named here stay as they decided. Exits with 1 where something would change. A recording
    is read with `--key`, or from `tidegate audit recording`, which has the key of the settings.

    Example: tidegate audit recording | tidegate policy replay - --bundle policies-next
    """
    if bundle is None and not packs and settings is None:
        output.fail("say with --bundle, --packs or --settings what to replay with")
    with output.mistakes(), output.interruptible():
        given = output.read_data(data)
        new = replaying.Replayed(projects.policy(bundle, packs, given, settings))
        other = None if old is None else replaying.Replayed(projects.policy(old, packs, given, settings))
        opened = None if key is None else replaying.read_key(key)
        recorded = replaying.records(replaying.lines(output.read(recording)), output.shown(recording), opened, by)
        found = replaying.replay(recorded, new, other)
        if not found.messages:
            raise PolicyError(f"{output.shown(recording)}: there is no message in it")
    if json:
        output.dump(_as_json(found))
    else:
        _print(found)
    raise typer.Exit(output.NOT_WELL if found.changed else output.WELL)


def _as_json(found: Outcome) -> dict[str, Any]:
    def rules(changes: list[Change], how: str) -> list[dict[str, Any]]:
        return [
            {"change": how, **each.what._asdict(), "count": each.times, "examples": list(each.examples)}
            for each in changes
        ]

    verdicts = [
        {"from": each.what[0], "to": each.what[1], "count": each.times, "examples": list(each.examples)}
        for each in found.verdicts
    ]
    return {
        "messages": found.messages,
        "changed": found.changed,
        "verdicts": verdicts,
        "rules": rules(found.added, "added") + rules(found.removed, "removed"),
    }


def _print(found: Outcome) -> None:
    rows = [("", f"{a} → {b}", "", f"{count:,}", _examples(ids)) for (a, b), count, ids in found.verdicts]
    for sign, changes in (("+", found.added), ("-", found.removed)):
        for effect, count, ids in changes:
            name = f"{effect.kind} {effect.name}"
            rows.append(
                (sign, name, "" if effect.unit == shipped.BUNDLE else effect.unit, f"{count:,}", _examples(ids))
            )
    if rows:
        output.draw(("", "what would change", "pack", "times", "decisions, for example"), rows, right=("times",))
        output.say()
    output.say(f"{output.counted(found.messages, 'message')}, {found.changed:,} would be decided in another way")


def _examples(ids: tuple[str, ...]) -> str:
    return ", ".join(ids)
