"""Somebody who reads a tutorial and does what it says, block by block.

A block with a file's name after its language is that file. A `sh` block is run. A `text` block shows what the `sh`
block before it prints, in pieces: each piece must be there, after the one before it.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from support.clean import Clean

SECONDS = 500  # for one block: pip may have to download

_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One fenced block: its language, the file it is, if any, and its text."""

    language: str
    file: str | None
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(*found.groups()) for found in _BLOCK.finditer(page.read_text())]


class Reader:
    """Somebody who does what the tutorial says, in a shell that keeps its folder and its environment active."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder = folder
        self.env = env
        self.seen = ""

    def run(self, text: str) -> None:
        """Run a block of commands, each of which must end well."""
        where = self.folder / ".where"
        active = "if [ -f .venv/bin/activate ]; then . .venv/bin/activate; fi"
        done = subprocess.run(
            ["bash", "-ec", f"{active}\n{text}\npwd > {where}"],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{text}\nended with exit code {done.returncode}:\n{done.stdout[-4000:]}"
        self.folder = Path(where.read_text().strip())
        where.unlink()
        self.seen = " ".join(done.stdout.split())

    def write(self, file: str, text: str) -> None:
        """Write a block to its file."""
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def look(self, text: str) -> None:
        """See that the commands printed what the tutorial shows."""
        at = 0
        for piece in filter(None, re.split(r"[\n…]", text)):
            words = " ".join(piece.split())
            found = self.seen.find(words, at)
            assert found >= 0, f"the tutorial shows {words!r}, but this was printed:\n{self.seen[-4000:]}"
            at = found + len(words)

    def follow(self, page: Path) -> None:
        """Do all that a page says."""
        for block in blocks(page):
            if block.file is not None:
                self.write(block.file, block.text)
            elif block.language == "sh":
                self.run(block.text)
            else:
                self.look(block.text)


def reader(folder: Path, clean: Clean) -> Reader:
    """Somebody with an environment of their own, in which `pip install tidegate` is this checkout's wheel."""
    constraint = folder / "constraints.txt"
    constraint.write_text(f"tidegate @ {clean.tidegate.as_uri()}\n")
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    base = Path(sys.base_prefix) / "bin"
    env = {"PATH": f"{base}:{os.environ['PATH']}", "PIP_CONSTRAINT": str(constraint), "COLUMNS": "160"}
    return Reader(folder, kept | env)
