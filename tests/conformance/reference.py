"""Starts the reference server and names the reference client's command line."""

import asyncio
import json
import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryFile

TESTS = Path(__file__).resolve().parents[1]
START_SECONDS = 30
STOP_SECONDS = 20

# `env`, because some clients start a server with hardly any of their own environment.
STDIO_COMMAND = ["env", f"PYTHONPATH={TESTS}", sys.executable, "-m", "conformance.reference_server", "--stdio"]


def environment(**more: str) -> dict[str, str]:
    """The environment in which the modules of this folder are found."""
    path = os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **more}


def client_command(module: str = "conformance.reference_client") -> str:
    """The command line of a client, for the suite, which gives it to a shell with its server's address added."""
    return shlex.join([sys.executable, "-m", module])


@asynccontextmanager
async def reference_server() -> AsyncIterator[str]:
    """Run the reference server over HTTP until the block ends; what comes is its address.

    Raises:
        AssertionError: it didn't start, or didn't end with exit code 0 on SIGTERM.

    """
    with TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "conformance.reference_server",
            env=environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(START_SECONDS):
                told = await process.stdout.readline()
            errors.seek(0)
            assert told, errors.read().decode()
            yield json.loads(told)["url"]
        except BaseException:
            process.kill()
            await process.wait()
            raise
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_SECONDS):
            code = await process.wait()
        assert code == 0, f"the reference server ended with exit code {code}"
