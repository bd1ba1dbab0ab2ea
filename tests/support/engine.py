"""Whether a Docker engine is there for the tests marked `docker`."""

import subprocess
from functools import cache

HOW = "install docker.io (or Docker Desktop), start it, and check that `docker info` answers"


@cache
def engine_reason() -> str | None:
    """Return why the container tests can't run here, or None where an engine and its command are there."""
    ask = ["docker", "version", "--format", "{{.Server.Os}}"]
    try:
        told = subprocess.run(ask, capture_output=True, text=True, timeout=30, check=False)
    except FileNotFoundError:
        return "there is no docker command"
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the docker command doesn't work ({type(error).__name__})"
    if told.returncode != 0:
        return "no Docker engine answers"
    kind = told.stdout.strip()
    return None if kind == "linux" else f"the Docker engine runs {kind} containers, not Linux ones"
