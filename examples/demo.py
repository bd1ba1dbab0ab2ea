"""Shows Tidegate at work: a real client, real servers, and what became of every message. Run it with `make demo`.

Starts Tidegate in front of mcp-server-time, as a local process and, where a Docker engine answers, in a container
too; connects the mcp SDK's client; lists the tools, makes a call that passes and one that a rule denies; then
shows the way of every message through the pipeline, from the audit log.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

try:
    from mcp import Client, MCPError
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text
except ImportError as missing:
    print(f"The demo needs {missing.name}: run it with `make demo`, which installs it.", file=sys.stderr)
    sys.exit(3)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".cache" / "demo"
IMAGE_CONTEXT = ROOT / "tests" / "containers" / "mcp-time"
BUILT = "tidegate-demo/time"
BUILD_SECONDS, READY_SECONDS, STOP_SECONDS = 120, 30, 15
STYLES = {"allow": "green", "redact": "yellow", "hold": "magenta", "deny": "bold red"}

console = Console(highlight=False)


class DemoError(Exception):
    """The demo can't go on; the text is one sentence."""


# -- the container's image ----------------------------------------------------------------------------------


def docker(*arguments: str, seconds: float = 10) -> str | None:
    """Return what a docker command prints, or None where it fails."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed words
            ["docker", *arguments],  # noqa: S607 - wherever it is
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def image() -> tuple[str | None, str]:
    """Return an image of mcp-server-time, built now if need be; or None and why there is no container part."""
    if shutil.which("docker") is None:
        return None, "there is no docker command"
    if docker("version", "--format", "{{.Server.Version}}") is None:
        return None, "no Docker engine answers"
    for name in ("tidegate-test/time", BUILT, "mcp/time"):
        found = docker("image", "ls", "--quiet", "--no-trunc", name)  # ids: settings pin what they run
        if found:
            return found.splitlines()[0], ""
    version = metadata.version("mcp-server-time")
    with console.status("Building the image of the container part, this once…"):
        built = docker(  # says the image's id
            *("build", "--quiet", "--tag", BUILT, "--build-arg", f"VERSION={version}", str(IMAGE_CONTEXT)),
            seconds=BUILD_SECONDS,
        )
    return (built, "") if built else (None, "its image could not be built (is python:3.12-slim within reach?)")


# -- Tidegate -----------------------------------------------------------------------------------------------


def settings(container: str | None) -> str:
    """Return the settings of the demo, TOML."""
    server = Path(sys.executable).with_name("mcp-server-time")
    if not server.exists():
        raise DemoError("mcp-server-time is not installed: run the demo with `make demo`")
    lines = [
        "[proxy]",
        'listen = "127.0.0.1:0"          # any free port',
        "",
        "[servers.time]                  # a local process",
        f'command = [{json.dumps(str(server))}, "--local-timezone", "UTC"]',
        "",
    ]
    if container:
        lines += ["[servers.boxed]                 # the same in a container", f'image = "{container}"', ""]
    lines += [
        "[[interceptors]]",
        'use = "lists"',
        'deny = ["*/convert_*"]          # these tools are not listed, and calling one is denied',
        "",
        "[[interceptors]]",
        'use = "audit"',
        "required = true",
        'path = "audit.jsonl"',
    ]
    return "\n".join(lines) + "\n"


def fresh_folder() -> None:
    """Make the demo's folder, without what an earlier run left in it."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)


@asynccontextmanager
async def tidegate() -> AsyncIterator[str]:
    """Run Tidegate until the block ends; yields its address."""
    ready, log = FOLDER / "ready.json", FOLDER / "tidegate.log"
    command = [sys.executable, "-m", "tidegate", "run", FOLDER / "tidegate.toml", "--ready-file", ready]
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *map(str, command), stdin=asyncio.subprocess.DEVNULL, stdout=errors, stderr=errors
        )
    try:
        yield await address(process, ready, log)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


async def address(process: asyncio.subprocess.Process, ready: Path, log: Path) -> str:
    """Wait until Tidegate serves, and return where."""
    deadline = time.monotonic() + READY_SECONDS
    while not (told := text_of(ready)):  # a file can't be awaited
        if process.returncode is not None or time.monotonic() > deadline:
            last = text_of(log).strip().splitlines()[-1:] or ["it said nothing"]
            raise DemoError(f"Tidegate did not start: {last[0]}")
        await asyncio.sleep(0.02)
    return str(json.loads(told)["listen"])


def text_of(path: Path) -> str:
    """Return what a file holds, nothing where it isn't there yet."""
    return path.read_text(errors="replace") if path.exists() else ""


# -- the client ---------------------------------------------------------------------------------------------


async def session(url: str, name: str) -> Table:
    """Connect the client to one server through Tidegate and use it; returns what came of it, as lines."""
    lines = Table.grid(padding=(0, 2))
    for width in (1, 5, 16, None):
        lines.add_column(width=width, overflow="fold")
    async with Client(f"{url}/servers/{name}/mcp") as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        lines.add_row(Text("✓", style="green"), name, "tools/list", ", ".join(tools))
        times = {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}
        for tool, arguments in (("get_current_time", {"timezone": "Europe/Lisbon"}), ("convert_time", times)):
            result = await client.call_tool(tool, arguments)
            text = " ".join(getattr(content, "text", "") for content in result.content)
            if result.is_error:
                lines.add_row(Text("✗", style="bold red"), name, tool, text)
            else:
                answer = json.loads(text)
                lines.add_row(Text("✓", style="green"), name, tool, f"{answer['datetime']} ({answer['timezone']})")
    return lines


# -- what went through the pipeline -------------------------------------------------------------------------


def show(records: list[dict[str, Any]]) -> None:
    """Print a table of records: per message where it went, the verdict, who gave it, and each step's time."""
    steps = list(dict.fromkeys((step[0], step[1]) for record in records for step in record["steps"]))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False, header_style="bold")
    for heading in ("", "message", "target", "verdict", "by"):
        table.add_column(heading, overflow="fold", vertical="bottom")
    for by, hook in steps:
        table.add_column(f"{by}\n{hook}", justify="right", no_wrap=True)
    servers = dict.fromkeys(record["server"] for record in records if record["server"])
    for server in servers:
        mine = [record for record in records if record["server"] == server]
        table.add_row("", Text(f"{server}, a {mine[0]['server_kind']}", style="bold"))
        for record in mine:
            table.add_row(*row(record), *(microseconds(record, step) for step in steps))
        table.add_section()
    console.print(table)
    console.print("→ client to server, ← server to client; the steps on the right in µs.", style="dim")


def row(record: dict[str, Any]) -> tuple[Any, ...]:
    """Return the cells of a record, steps aside."""
    if not record["direction"]:
        return "", Text(record["reason"] or record["kind"], style="dim"), "", "", ""
    arrow = "→" if record["direction"] == "client_to_server" else "←"
    verdict = Text(record["verdict"], style=STYLES[record["verdict"]])
    kind = "" if record["kind"] in ("request", "notification") else f" {record['kind']}"
    return arrow, f"{record['method'] or ''}{kind}", record["target"] or "", verdict, record["by"] or ""


def microseconds(record: dict[str, Any], wanted: tuple[str, str]) -> Text:
    """Return what a step took in a record."""
    for by, hook, outcome, elapsed, *_ in record["steps"]:
        if (by, hook) == wanted:
            return Text(f"{elapsed:.0f}", style="" if outcome == "pass" else STYLES.get(outcome, "yellow"))
    return Text("")


def verified(audit: Path) -> bool:
    """Print the audit log's place and verification; return whether it is whole."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "tidegate", "audit", "verify", short(audit)], capture_output=True, text=True, check=False
    )
    console.print("\n[bold]The audit log[/], verified\n")
    console.print((done.stdout or done.stderr).strip(), markup=False, soft_wrap=True)
    return done.returncode == 0


def short(path: Path) -> str:
    """Return a path as seen from here, if it lies below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


async def traffic(container: str | None) -> None:
    """Start Tidegate, and use its servers as a client does."""
    async with tidegate() as url:
        names = ["time", "boxed"] if container else ["time"]
        for lines in await asyncio.gather(*(session(url, name) for name in names)):
            console.print(lines)
            console.print()


def demo() -> int:
    """Run the demo; return its exit code."""
    started = time.monotonic()
    container, why_not = image()
    fresh_folder()
    (FOLDER / "tidegate.toml").write_text(settings(container))
    version = metadata.version("tidegate")
    console.print(f"[bold]Tidegate {version}[/] between the mcp SDK's client and mcp-server-time\n")
    asyncio.run(traffic(container))
    if not container:
        console.print(f"The container part is left out: {why_not}.\n", style="yellow")
    console.print("[bold]What went through the pipeline[/]\n")
    audit = FOLDER / "audit.jsonl"
    show([json.loads(line) for line in audit.read_text().splitlines()])
    whole = verified(audit)
    console.print(f"\nThe settings: {short(FOLDER / 'tidegate.toml')}. It took {time.monotonic() - started:.1f} s.")
    return 0 if whole else 1


def reason(failed: BaseException) -> str:
    """Return the sentence of what failed first, in whatever the client's task groups wrapped it."""
    while isinstance(failed, BaseExceptionGroup):
        failed = failed.exceptions[0]
    return f"{type(failed).__name__}: {failed}"


def main() -> int:
    """Run the demo; a failure is one sentence."""
    try:
        return demo()
    except DemoError as failed:
        print(failed, file=sys.stderr)
    except (MCPError, OSError, ExceptionGroup) as failed:
        print(f"The demo failed: {reason(failed)}. Tidegate's log: {short(FOLDER / 'tidegate.log')}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 3


if __name__ == "__main__":
    sys.exit(main())
