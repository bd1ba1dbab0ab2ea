"""Starts Tidegate as its users do: a settings file, `tidegate run`, an address to talk to, SIGTERM at the end."""

import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

READY_SECONDS = 30
STOP_SECONDS = 20
LOOK_SECONDS = 0.02  # a file can't be awaited, so readiness is looked for this often
TOLD_BYTES = 4000  # of standard error, in a failure


@dataclass(frozen=True)
class RunningTidegate:
    """A Tidegate that serves: its address, its process, and the files it was given."""

    url: str
    admin: str | None
    pid: int
    settings: Path
    audit: Path
    stderr: Path

    def endpoint(self, server: str) -> str:
        """The address of the transparent endpoint of a server."""
        return f"{self.url}/servers/{server}/mcp"

    def sse(self, server: str) -> str:
        """The address of that server's endpoint for clients of HTTP+SSE (2024-11-05)."""
        return f"{self.url}/servers/{server}/sse"

    @property
    def gateway(self) -> str:
        """The address of the gateway to all servers."""
        return f"{self.url}/mcp"

    def told(self) -> str:
        """The end of what Tidegate wrote to its standard error."""
        return self.stderr.read_bytes()[-TOLD_BYTES:].decode(errors="replace")

    def records(self) -> list[dict[str, Any]]:
        """What the audit log has."""
        return [json.loads(line) for line in self.audit.read_text().splitlines()]


def toml(value: object) -> str:
    """A value as TOML writes it inline. A JSON string is one of TOML's too (toml.io 1.0, basic strings)."""
    match value:
        case Mapping():
            members = ", ".join(f"{json.dumps(str(key))} = {toml(member)}" for key, member in value.items())
            return f"{{ {members} }}"
        case list() | tuple():
            return f"[{', '.join(toml(member) for member in value)}]"
        case Path():
            return toml(str(value))
        case _:
            return json.dumps(value, ensure_ascii=False)


def write_settings(
    path: Path,
    servers: Mapping[str, Mapping[str, Any]],
    interceptors: Sequence[Mapping[str, Any]],
    proxy: Mapping[str, Any],
    tables: Mapping[str, Mapping[str, Any]] | None = None,
) -> Path:
    """Write a settings file: `[proxy]`, `[servers.NAME]`, `[[interceptors]]`, and any other tables."""
    lines: list[str] = []

    def table(header: str, members: Mapping[str, Any]) -> None:
        lines.extend([header, *(f"{key} = {toml(member)}" for key, member in members.items()), ""])

    table("[proxy]", proxy)
    for name, members in servers.items():
        table(f"[servers.{json.dumps(name)}]", members)
    for members in interceptors:
        table("[[interceptors]]", members)
    for name, members in (tables or {}).items():
        table(f"[{name}]", members)
    path.write_text("\n".join(lines))
    return path


def audit_to(path: Path) -> dict[str, Any]:
    """The settings of the audit interceptor that the tests use: required, so nothing goes on without its record."""
    return {"use": "audit", "required": True, "path": str(path)}


def tidegate(*arguments: str | Path, python: str | Path = sys.executable) -> list[str]:
    """The command line of `tidegate` with an interpreter, by default that of the tests."""
    return [str(python), "-m", "tidegate", *map(str, arguments)]


def wrapped(settings: Path, command: Sequence[str]) -> list[str]:
    """The command line that puts Tidegate in front of one server on standard input and output."""
    return tidegate("wrap", "--settings", settings, "--", *command)


@asynccontextmanager
async def running_tidegate(
    servers: Mapping[str, Mapping[str, Any]],
    interceptors: Sequence[Mapping[str, Any]] | None = None,
    *,
    folder: Path | None = None,
    tables: Mapping[str, Mapping[str, Any]] | None = None,
    python: str | Path = sys.executable,
    options: Sequence[str] = (),
    **proxy_settings: Any,
) -> AsyncIterator[RunningTidegate]:
    """Run Tidegate in front of `servers` until the block ends, then stop it and see that it ended well.

    Args:
        servers: for each name the members of its `[servers.NAME]` table.
        interceptors: the `[[interceptors]]`; by default the audit log alone, required.
        folder: where settings, audit log and standard error go; by default a temporary folder.
        tables: other top-level tables, such as `{"auth": {...}}`.
        python: the interpreter to run it with; by default that of the tests.
        options: more words of the command, such as `--watch`.
        proxy_settings: members of `[proxy]`; `listen` is an ephemeral port of 127.0.0.1 unless given.

    Raises:
        AssertionError: it didn't get ready, or didn't end with exit code 0 on SIGTERM; with the end of its
            standard error. An error of the block itself gets that as a note.

    """
    with tempfile.TemporaryDirectory(prefix="tidegate-test-") as made:
        place = folder or Path(made)
        audit, stderr, ready = place / "audit.jsonl", place / "stderr.txt", place / "ready.json"
        ready.unlink(missing_ok=True)
        proxy = {"listen": "127.0.0.1:0", **proxy_settings}
        chosen = [audit_to(audit)] if interceptors is None else interceptors
        settings = write_settings(place / "tidegate.toml", servers, chosen, proxy, tables)
        with stderr.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *tidegate("run", settings, "--ready-file", ready, *options, python=python),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                cwd=place,
            )
        try:
            told = await _ready(process, ready, stderr)
            yield RunningTidegate(told["listen"], told.get("admin"), process.pid, settings, audit, stderr)
        except BaseException as error:
            error.add_note(f"Tidegate's standard error ends:\n{_end(stderr)}")
            await _stop(process)
            raise
        code = await _stop(process)
        assert code == 0, f"Tidegate ended with exit code {code} on SIGTERM. Its standard error ends:\n{_end(stderr)}"


def _end(stderr: Path) -> str:
    return stderr.read_bytes()[-TOLD_BYTES:].decode(errors="replace")


async def _ready(process: asyncio.subprocess.Process, ready: Path, stderr: Path) -> dict[str, Any]:
    """Wait for the ready file; what it says of the addresses."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            while (told := _read(ready)) is None:
                assert process.returncode is None, f"Tidegate ended with exit code {process.returncode} at its start"
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        raise AssertionError(f"Tidegate was not ready after {READY_SECONDS} seconds") from None
    return told


def _read(ready: Path) -> dict[str, Any] | None:
    """What the ready file says, or None as long as there is none; it comes into being whole."""
    if not ready.exists():
        return None
    told: dict[str, Any] = json.loads(ready.read_text())
    return told


async def _stop(process: asyncio.subprocess.Process) -> int:
    """Ask the process to end and return its exit code; a process that doesn't is killed, which shows as -9."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_SECONDS):
            return await process.wait()
    except TimeoutError:
        process.kill()
        return await process.wait()
