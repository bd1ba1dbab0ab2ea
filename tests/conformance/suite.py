"""Runs the official conformance suite, against a server's address or with a client's command line."""

import asyncio
import re
from pathlib import Path

from support.node import peers

VERSIONS = ("2025-11-25", "2026-07-28")
_SCRIPT = "dist/index.js"
_PACKAGE = "@modelcontextprotocol/conformance"
RUN_SECONDS = 100
CLIENT_MILLISECONDS = 60_000  # for one scenario's client, which here may start a proxy too
AT_ONCE = 2


async def _suite(*arguments: str, env: dict[str, str] | None = None) -> str:
    """Run the suite's program to its end and return what it printed. Its exit code says less than its results do."""
    process = await asyncio.create_subprocess_exec(
        *peers().command(_PACKAGE, _SCRIPT),
        *arguments,
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(RUN_SECONDS):
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return printed.decode()


async def run_server(url: str, version: str, results: Path) -> None:
    """Run every server scenario of a version against an address; the results go into a new folder."""
    await _suite("server", "--url", url, "--suite", "all", "--spec-version", version, "-o", str(results))


async def client_scenarios(version: str) -> list[str]:
    """The suite's client scenarios of a version, but for `auth/*`.

    Those compare the address that a client was given with the one in the server's metadata, so only something that
    keeps addresses as they are can be between; a reverse proxy has an address of its own.
    """
    _, _, listed = (await _suite("list", "--spec-version", version)).partition("Client scenarios")
    names = re.findall(r"^ +- (\S+) \[", listed.partition("Authorization server scenarios")[0], re.MULTILINE)
    return [name for name in names if not name.startswith("auth/")]


async def run_client(command: str, version: str, results: Path, env: dict[str, str]) -> dict[str, str]:
    """Run every client scenario with a client's command line, to which the suite adds its server's address.

    Returns:
        For each scenario whose client ended badly, all that the suite printed.

    """
    seats = asyncio.Semaphore(AT_ONCE)
    limit = str(CLIENT_MILLISECONDS)

    async def one(scenario: str) -> tuple[str, str]:
        which = ("--scenario", scenario, "--spec-version", version, "--timeout", limit, "-o", str(results))
        async with seats:
            return scenario, await _suite("client", "--command", command, *which, env=env)

    printed = await asyncio.gather(*map(one, await client_scenarios(version)))
    return {
        scenario: text for scenario, text in printed if re.search(r"CLIENT (EXITED|TIMED OUT)", text, re.IGNORECASE)
    }
