"""What holds for every command: exit codes, sentences, no tracebacks, a quick start."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.running import Command
from support.proxy import tidegate
from tidegate.cli import GROUP, output

HEAVY = ("aiohttp", "asyncio", "docker", "pydantic", "structlog", "tidegate.settings", "uvicorn", "uvloop")

TIDES = '''"""High and low water."""
import typer

app = typer.Typer()


@app.callback()
def root() -> None: ...


@app.command()
def high() -> None:
    typer.echo("at noon")
'''


def test_help_names_every_command_and_the_exit_codes(command: Command) -> None:
    shown = command("--help")
    assert shown.code == 0
    for name in ("run", "wrap", "check", "explain", "init", "import", "plugins", "token", "health", "Exit codes: 0"):
        assert name in shown.out


@pytest.mark.parametrize("path", [["run"], ["wrap"], ["check"], ["explain"], ["import"], ["token", "new"], ["plugins"]])
def test_every_command_explains_itself(command: Command, path: list[str]) -> None:
    shown = command(*path, "--help")
    assert shown.code == 0
    assert "Usage: tidegate " + " ".join(path) in shown.out


def test_the_version_is_told(command: Command) -> None:
    assert command("--version").out.startswith("tidegate ")


def test_help_imports_nothing_heavy() -> None:
    said = "import sys\nfrom tidegate.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code = said + f"print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"],
        ["run", "--frobnicate"],
        ["run", "no-such.toml"],
        ["run", "--log-level", "loud"],
        ["check", "no-such.toml"],
        ["explain"],
        ["explain", "no-such.json"],
        ["import", "no-such.json"],
        ["import", "."],
        ["init", "no-such-folder/tidegate.toml"],
        ["token", "new", "no spaces"],
        ["tools", "call", "a/b", "--timeout", "-1"],
        ["plugins", "new", "no/slashes"],
        ["wrap"],
        ["wrap", "--settings", "no-such.toml", "--", "cat"],
        ["wrap", "--name", "no spaces", "--", "cat"],
        ["health", "gopher://127.0.0.1"],
    ],
)
def test_a_mistake_gets_one_sentence_exit_code_2_and_no_traceback(command: Command, arguments: list[str]) -> None:
    ended = command(*arguments)
    assert ended.code == output.MISTAKE
    assert "Traceback" not in ended.out + ended.err
    told = [line for line in ended.err.splitlines() if line.startswith("Error: ")]
    assert len(told) == 1 or "╭─ Error" in ended.err
    assert not ended.out


@pytest.mark.parametrize("text", ["[proxy", "[proxy]\nlisten = 1", "[nonsense]", "[servers.a]\n", "[[interceptors]]"])
def test_settings_that_are_not_well_are_named_with_the_file_and_the_key(
    command: Command, home: Path, text: str
) -> None:
    (home / "bad.toml").write_text(text)
    ended = command("check", "bad.toml")
    assert ended.code == output.MISTAKE
    assert ended.err.startswith("Error: bad.toml: ")
    assert ended.err.count("\n") == 1


def test_a_mistyped_command_is_answered_with_the_likely_one(command: Command) -> None:
    assert "'explain'" in command("expain").err


def test_the_program_says_the_same_as_the_function(home: Path) -> None:
    done = subprocess.run(tidegate("run", "no-such.toml"), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == output.MISTAKE
    assert done.stderr == "Error: no-such.toml: no such file (write one with `tidegate init`)\n"


@pytest.fixture
def installed_group(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A distribution, as pip leaves it, that adds the commands `tides`; and one whose commands can't be imported."""
    site = home / "site"
    info = site / "tides-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tides\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        f"[{GROUP}]\ntides = tides:app\nbroken = tides_broken:app\nrun = tides:app\n"
    )
    monkeypatch.syspath_prepend(str(site))
    (site / "tides.py").write_text(TIDES)
    yield "tides"
    sys.modules.pop("tides", None)


def test_a_distribution_can_add_commands_but_not_replace_one(command: Command, installed_group: str) -> None:
    assert command(installed_group, "high").out == "at noon\n"
    assert "High and low water." in command("--help").out
    assert command("run", "no-such.toml").err.startswith("Error: no-such.toml")


def test_commands_that_cannot_be_imported_fail_alone(command: Command, installed_group: str) -> None:
    ended = command("broken")
    assert ended.code == output.MISSING
    assert "'broken' can't be imported" in ended.err
    assert command("--help").code == 0


@pytest.mark.parametrize("arguments", [["--version"], ["plugins", "list"], ["check", "tidegate.toml"]])
@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_a_command_ends_well_whose_standard_streams_were_closed(home: Path, arguments: list[str], closed: str) -> None:
    (home / "tidegate.toml").write_text("")
    line = ["sh", "-c", f'exec "$@" {closed}', "sh", *tidegate(*arguments)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (output.WELL, "")


def test_what_an_encoding_cannot_say_is_escaped(home: Path) -> None:
    (home / "mcp.json").write_text('{"mcpServers": {"a": {"command": "no-\u00fc"}}}', encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        tidegate("import", "mcp.json"), capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert done.returncode == output.WELL
    assert "no-\\xfc" in done.stdout


def test_arguments_stand_in_one_pair_of_brackets_in_the_help(command: Command) -> None:
    for words in (["pins", "list"], ["tools", "call"], ["tools", "list"], ["audit", "verify"], ["policy", "new"]):
        assert "[[" not in command(*words, "--help").out
