"""``tidegate policy check``: what is wrong with a policy, before it meets a message."""

from __future__ import annotations

import typer

from tidegate_policy import checking, projects
from tidegate_policy import cli_output as output


def check(folder: output.Folder = None, *, as_json: output.Json = False) -> None:
    """Look for mistakes in a policy, as a linter does.

    Members that the input doesn't have, comparisons that never hold, rules that nothing uses, builtins that the
    embedded engine lacks or does differently from OPA, decisions of the wrong shape. The policy is asked about a sample
    of every kind of message too. Exits with 1 where something is found.

    Example: tidegate policy check policies
    """
    with output.mistakes():
        project = projects.project(folder)
        checked = checking.check(project.sources)
    if as_json:
        output.dump(
            {
                "findings": [each._asdict() for each in checked.findings],
                "notes": [each._asdict() for each in checked.notes],
            }
        )
    else:
        for finding in checked.findings:
            output.say(str(finding))
        for each in checked.notes:
            output.note(f"Note: {each}")
    raise typer.Exit(output.NOT_WELL if checked.findings else output.WELL)
