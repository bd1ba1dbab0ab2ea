"""`ping` as a program, on its own and through a Tidegate that runs."""

import json
from pathlib import Path

import pytest

from cli.running import Command
from cli.test_tools import both, eras, given, played, runtime, said
from support.proxy import write_settings
from tidegate.cli import output

__all__ = ["runtime"]


@both
@eras
async def test_ping_tells_how_long_round_trips_take_and_who_answers(home: Path, era: str, *, runs: bool) -> None:
    async with given(home, {"s": played(era)}, runs=runs) as settings:
        ended = await said("ping", "s", "-c", "3", "--json", "--settings", settings)
        assert (ended.code, ended.err) == (output.WELL, "")
        told = json.loads(ended.out)
        version = "2025-11-25" if era == "legacy" else "2026-07-28"
        assert (told["running"], told["era"], told["protocol"]) == (runs, era, version)
        assert (told["name"], told["version"], told["capabilities"]) == (
            "played",
            "7",
            {"tools": {"listChanged": True}},
        )
        assert len(told["times_ms"]) == 3


def test_ping_shows_it_to_a_person(command: Command, home: Path) -> None:
    write_settings(home / "tidegate.toml", {"s": played("modern")}, [], {})
    ended = command("ping", "s")
    assert ended.code == output.WELL
    lines = ended.out.splitlines()
    assert lines[0] == "s is played 7, protocol 2026-07-28 (modern era, no sessions)"
    assert lines[1] == "It can: tools (listChanged)"
    assert lines[-1].startswith("4 round trips: least ")


def test_a_server_that_is_down_is_exit_code_3(command: Command, home: Path) -> None:
    write_settings(home / "tidegate.toml", {"s": {"command": ["false"], "sandbox": "none"}}, [], {})
    ended = command("ping", "s")
    assert (ended.code, ended.out) == (output.MISSING, "")
    assert ended.err.startswith("Error: s: false ended")


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_an_era_that_a_server_lacks_is_its_own_answer(command: Command, home: Path, era: str) -> None:
    other = "modern" if era == "legacy" else "legacy"
    write_settings(home / "tidegate.toml", {"s": played(other)}, [], {})
    ended = command("ping", "s", "--era", era)
    assert ended.code == output.NOT_WELL
    assert "it answered with error -32601" in ended.err
