"""What commands that ask servers share: their options, how they run, and how they say that they failed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

import typer

from tidegate.cli import output
from tidegate.cli.serving import DEFAULT_FILE, drive, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from tidegate.cli.asker import Asker
    from tidegate.settings import Settings

T = TypeVar("T")

TOKEN = "TIDEGATE_TOKEN"  # noqa: S105 - the name of a variable

SettingsOption = Annotated[
    Path | None, typer.Option("--settings", help="The settings; by default `tidegate.toml` here.", show_default=False)
]
TokenOption = Annotated[
    str,
    typer.Option("--token-env", metavar="NAME", help="The environment variable that has the token, if one is needed."),
]
EraOption = Annotated[
    str,
    typer.Option(
        help="`legacy` begins a session, `modern` speaks 2026-07-28; `auto` does the first, and else the second.",
        metavar="auto|legacy|modern",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON for a script.")]


class Failed(NamedTuple):
    """A server couldn't be asked: one sentence, and the exit code."""

    reason: str
    code: int


def wants_token(refused: Any) -> bool:
    """Whether an error says that a token is missing or wrong."""
    return bool(refused.decision is not None and refused.decision["code"] == "unauthorized")


def refusal(refused: Any) -> str:
    """Return the sentence for an error that answered a request, with whose it is."""
    decision = refused.decision
    if decision is None:
        return f"it answered with error {refused.error.get('code')}: {refused}"
    if wants_token(refused):
        return f"{refused} Here: put one into ${TOKEN}, or name another variable with --token-env"
    return denial(str(refused), decision)


def denial(reason: str, decision: Any) -> str:
    """Return the sentence for a denial of Tidegate's."""
    named = ", ".join(f"{key} {decision[key]}" for key in ("rule", "decision") if isinstance(decision.get(key), str))
    return f"denied by Tidegate: {reason.rstrip('.')}{f' ({named})' if named else ''}"


def ask(
    file: Path | None,
    names: Sequence[str],
    token_env: str,
    era: str,
    work: Callable[[Asker], Coroutine[Any, Any, T]],
) -> T:
    """Run a command's work with clients of the servers of some settings.

    Args:
        file: the settings file, if one is named.
        names: servers that have to be in the settings.
        token_env: the variable that has the token.
        era: the era to speak.
        work: the work.

    Raises:
        Failure: for a mistake of the user's, or where a Tidegate runs that can't be used.
        Exit: where it was interrupted.
    """
    from tidegate import logs  # noqa: PLC0415 - heavy
    from tidegate.cli.asker import with_asker  # noqa: PLC0415 - heavy

    if era not in ("auto", "legacy", "modern"):
        raise output.Failure(f"--era is auto, legacy or modern, not {era}")
    token = os.environ.get(token_env, "")
    if token_env != TOKEN and not token:
        raise output.Failure(f"the environment variable {token_env}, which --token-env names, isn't set")
    settings, _ = settings_of(file)
    for name in names:
        known(settings, name)
    used = file or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    logs.setup("console", "error")
    try:
        return drive(with_asker(settings, used, token, era, work))
    except KeyboardInterrupt:
        output.note("Cancelled.")
        sys.stdout.flush()
        raise typer.Exit(output.INTERRUPTED) from None


def known(settings: Settings, name: str) -> None:
    """See that a server is in the settings.

    Raises:
        Failure: where it isn't.
    """
    if name not in settings.servers:
        there = ", ".join(settings.servers) or "none"
        raise output.Failure(f"there is no server {name!r} in the settings; there are: {there}")
