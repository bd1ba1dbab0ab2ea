"""How far a command is: shown on a terminal, gone at the end, and out of the way of scripts and of log lines."""

import asyncio
import json
import logging
import os
import pty
import signal
import sys
from pathlib import Path

import pytest

from support.proxy import tidegate, write_settings
from support.web import PATIENCE
from tidegate.cli import output

TIME = {"command": [sys.executable, "-m", "mcp_server_time", "--local-timezone", "UTC"], "sandbox": "none"}
BROKEN = {"command": ["no-such-program"], "sandbox": "none"}


class Ran:
    """A command whose standard error is a terminal, and what it has said."""

    def __init__(self, *arguments: str | Path) -> None:
        self._arguments = arguments
        self.err = ""
        self.out = b""
        self.code = -1

    async def until(self, words: str = "") -> "Ran":
        """Run it, until it says some words, or to its end."""
        ours, theirs = pty.openpty()
        env = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {"TERM": "xterm"}
        process = await asyncio.create_subprocess_exec(
            *tidegate(*self._arguments), stdout=asyncio.subprocess.PIPE, stderr=theirs, env=env
        )
        os.close(theirs)
        assert process.stdout is not None
        reading = asyncio.create_task(process.stdout.read())
        async with asyncio.timeout(PATIENCE):
            while data := await asyncio.to_thread(_read, ours):
                self.err += data.decode(errors="replace")
                if words and words in self.err:
                    process.send_signal(signal.SIGTERM)
                    words = ""
            self.out, self.code = await reading, await process.wait()
        os.close(ours)
        return self


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # what a terminal says whose other end nobody has any more
        return b""


async def test_a_check_shows_on_a_terminal_how_far_it_is_and_prints_the_same(home: Path) -> None:
    file = write_settings(home / "tidegate.toml", {"a": TIME, "b": BROKEN}, [], {})
    ran = await Ran("check", file).until()
    assert "Asking the servers" in ran.err
    assert ran.err.count("\x1b[?25l") == ran.err.count("\x1b[?25h") == 1  # the cursor is back
    assert ran.code == output.NOT_WELL
    assert b"Asking" not in ran.out
    ran = await Ran("check", "--json", file).until()
    assert (ran.err, len(json.loads(ran.out)["servers"])) == ("", 2)


@pytest.mark.parametrize("server", [TIME, BROKEN], ids=["well", "broken"])
async def test_run_shows_on_a_terminal_how_far_the_instances_are_that_are_kept_ready(
    home: Path, server: dict[str, object]
) -> None:
    file = write_settings(home / "tidegate.toml", {"a": server | {"warm": 1}}, [], {"listen": "127.0.0.1:0"})
    ran = await Ran("run", file).until("\x1b[?25h")  # it goes by itself
    assert "Starting servers" in ran.err
    assert "ready" in ran.err
    assert (ran.code, ran.out) == (output.WELL, b"")


async def test_an_end_takes_the_bar_away(home: Path) -> None:
    asleep = {"command": [sys.executable, "-c", "input(); input()"], "sandbox": "none", "warm": 1}
    file = write_settings(home / "tidegate.toml", {"a": asleep}, [], {"listen": "127.0.0.1:0"})
    ran = await Ran("run", file).until("0/1")
    assert ran.err.count("\x1b[?25l") == ran.err.count("\x1b[?25h") == 1
    assert ran.code == output.WELL


def test_without_a_terminal_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    before = logging.getLogger().handlers
    with output.Bar("Working") as bar:
        bar.begin(1)
        bar.step()
        bar.step()
    assert capsys.readouterr() == ("", "")
    assert logging.getLogger().handlers == before
