"""Runs commands as users do, and looks at all they write."""

import subprocess
import sys
from pathlib import Path

import pytest

from plugins.scan.tokens import OTHER, TOKEN, Command, Ended


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run `tidegate ARGUMENTS...` in the folder of the test; whatever it writes holds no token."""

    def run(*arguments: str | Path, given: bytes = b"") -> Ended:
        line = [sys.executable, "-c", "from tidegate.cli import main; main()", *map(str, arguments)]
        done = subprocess.run(line, input=given, capture_output=True, cwd=tmp_path, timeout=60, check=False)
        ended = Ended(done.returncode, done.stdout.decode(), done.stderr.decode())
        for value in (TOKEN, OTHER):
            parts = {value[at : at + 6] for at in range(4, len(value) - 6)}
            assert not any(part in ended.out + ended.err for part in parts)
        assert "Traceback" not in ended.err
        return ended

    return run
