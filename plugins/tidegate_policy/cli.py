"""``tidegate policy``: for the people who write policy.

Exit codes: 0 well, 1 the policy or what it is tried on is not well, 2 the user's mistake, 3 OPA is missing or down.
"""

from __future__ import annotations

import typer

from tidegate_policy import cli_bench, cli_check, cli_eval, cli_explain, cli_input, cli_new, cli_replay, cli_test

app = typer.Typer(no_args_is_help=True, help="Write, test, try and measure policies in Rego.")


@app.callback()
def _policy() -> None:
    """Write, test, try and measure policies in Rego."""


app.command("new")(cli_new.new)
app.command("check")(cli_check.check)
app.command("test")(cli_test.run_tests)
app.command("eval")(cli_eval.evaluate)
app.command("explain")(cli_explain.explain)
app.command("fmt-input")(cli_input.fmt_input)
app.command("replay")(cli_replay.replay)
app.command("bench")(cli_bench.bench)
