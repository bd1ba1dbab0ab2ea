"""An environment in which nothing is installed but Tidegate's wheel, pytest, and what a test puts there."""

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 500  # for one command: pip may have to download


class Clean:
    """A virtual environment with Tidegate as its users install it: from a wheel, not from this checkout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "venv" / "bin"
        self.python = self.bin / "python"
        venv.create(folder / "venv", with_pip=True)
        self.tidegate = self.wheel(ROOT)
        self.install(self.tidegate, "pytest", "pytest-asyncio")

    def wheel(self, project: Path) -> Path:
        """Build a project's wheel, with the build backend of the tests' own environment."""
        before = set(self.folder.glob("*.whl"))
        command = [
            sys.executable,
            "-m",
            "build",
            "--wheel",
            "--no-isolation",
            "--outdir",
            str(self.folder),
            str(project),
        ]
        _run(command, ROOT)
        (made,) = set(self.folder.glob("*.whl")) - before
        return made

    def install(self, *what: str | Path) -> None:
        """Install requirements, wheels or projects."""
        self.run("pip", "install", "--quiet", "--disable-pip-version-check", *map(str, what))

    def run(self, *command: str, cwd: Path | None = None, fails: int = 0) -> str:
        """Run a command of the environment, and return what it printed on standard output and error.

        Raises:
            AssertionError: where its exit code is not `fails`.
        """
        return _run(list(command), cwd or self.folder, {"PATH": f"{self.bin}:{os.environ['PATH']}"}, fails)


def _run(command: list[str], cwd: Path, env: dict[str, str] | None = None, fails: int = 0) -> str:
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=kept | (env or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == fails, f"{command} ended with exit code {done.returncode}:\n{done.stdout[-4000:]}"
    return done.stdout
