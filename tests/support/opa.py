"""Whether the opa program is there for the tests marked `opa`, and where."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

HOW = "go install github.com/open-policy-agent/opa@latest, or put the opa program in PATH"


@cache
def opa_path() -> Path | None:
    """Return the opa program: from PATH, or the one that `.ci/run` built; None where neither is."""
    built = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tidegate" / "bin" / "opa"
    found = shutil.which("opa") or shutil.which(built)
    return Path(found) if found else None


@cache
def opa_reason() -> str | None:
    """Return why the tests of policies can't run here, or None where the opa program works."""
    path = opa_path()
    if path is None:
        return "there is no opa program"
    try:
        run = subprocess.run([path, "version"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{path} can't be run ({type(error).__name__})"
    return None if run.returncode == 0 else f"`{path} version` ends with exit code {run.returncode}"
