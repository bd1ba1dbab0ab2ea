"""What the gateway costs: `python -m benchmarks.gateway`; about a minute and a half.

Calls through the gateway and through the server's own endpoint, in turns; calls from one era of the protocol to the
other; the list of a thousand tools of twenty servers; what twenty servers cost that nobody uses; and tool search over
500 tools, as ratios beside a plain call. Exit codes as those of `benchmarks.run`.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import load, report, settings
from benchmarks.load import Session, Tree, WrongAnswerError
from benchmarks.processes import ROOT, Program, StartError, started
from benchmarks.report import Check
from benchmarks.run import machine, watched
from rich.console import Console

ROUNDS = 5
CALLS = 400  # of each kind and round, in blocks
BLOCK = 50
SERVERS, TOOLS = 20, 50
LISTS = 20  # of each round
SEARCHED = 500  # tools, of one server
IDLE = 10.0  # seconds that nobody says anything
SCRIPT = str(ROOT / "benchmarks" / "stdio_backend.py")
RATIOS = {
    "the first find-tool": 150.0,
    "find-tool, latency": 2.0,
    "find-tool, CPU time": 2.0,
    "call-tool, latency": 2.0,
    "call-tool, CPU time": 2.0,
}
"""The most that each may take, beside a plain call."""
TRANSPARENT, GATEWAY = "/servers/bench/mcp", "/mcp"


def section(name: str, *arguments: str) -> str:
    """A server that is a local process; its tools have their own names at the gateway where there is one server."""
    command = json.dumps([sys.executable, "-I", SCRIPT, *arguments])
    return f'[servers.{name}]\ncommand = {command}\nsandbox = "none"\n'


@contextlib.contextmanager
def tidegate(folder: Path, name: str, servers: str, allowed: str = "") -> Iterator[Program]:
    """Tidegate in front of servers, until the block ends; more globs may be allowed."""
    home = folder / name
    home.mkdir()
    written = settings.text(servers)
    (home / "tidegate.toml").write_text(written.replace("allow = [", f"allow = [{allowed}"))
    with started(name, ["tidegate", "run", str(home / "tidegate.toml")], folder) as program:
        yield program


async def in_turns(one: tuple[str, bool], other: tuple[str, bool]) -> float:
    """Microseconds that a call takes longer at the other address than at the one, each with the era to speak there."""
    took: tuple[list[float], list[float]] = ([], [])
    async with (
        asyncio.timeout(load.PATIENCE),
        Session(one[0], modern=one[1]) as first,
        Session(other[0], modern=other[1]) as second,
    ):
        for session in (first, second):
            for _ in range(2 * BLOCK):
                await session.echo(load.SMALL)
        for turn in range(2 * CALLS // BLOCK):
            session, found = ((first, took[0]), (second, took[1]))[turn % 2]
            for _ in range(BLOCK):
                found.append(await session.echo(load.SMALL))
    return (statistics.median(took[1]) - statistics.median(took[0])) * 1e6


async def listed(url: str, *, modern: bool) -> list[float]:
    """Milliseconds that each list of all tools takes, once all servers run."""
    took = []
    async with asyncio.timeout(load.PATIENCE), Session(url, modern=modern) as session:
        for turn in range(LISTS + 3):
            began = time.perf_counter()
            count = len((await session.ask("tools/list"))["tools"])
            if count != SERVERS * TOOLS:
                raise WrongAnswerError(f"a list of {count} tools")
            if turn >= 3:
                took.append((time.perf_counter() - began) * 1e3)
    return took


async def idle(program: Program) -> float:
    """Milliseconds of CPU time a second that Tidegate and its servers take while a client is there and says nothing."""
    async with asyncio.timeout(load.PATIENCE), Session(program.listen + GATEWAY) as session:
        await session.ask("tools/list")
        await asyncio.sleep(2)
        before = Tree(program.pid).cpu_seconds()
        await asyncio.sleep(IDLE)
        return (Tree(program.pid).cpu_seconds() - before) / IDLE * 1e3


async def called(session: Session, name: str, /, **arguments: object) -> tuple[float, str]:
    """Seconds that the call of a tool takes, and the text that it says."""
    session.count += 1
    params = {"name": name, "arguments": arguments}
    began = time.perf_counter()
    answer = await session.post({"jsonrpc": "2.0", "id": session.count, "method": "tools/call", "params": params})
    took = time.perf_counter() - began
    result = answer.message().get("result", {})
    if "content" not in result or result.get("isError"):
        raise WrongAnswerError(f"{name}: {answer.body[:200]!r}")
    return took, str(result["content"][0]["text"])


async def search(program: Program) -> dict[str, float]:
    """What finding and calling takes beside a plain call, as ratios; the search is the first since the start."""
    last = f"echo_{SEARCHED - 1}"
    ways: dict[str, tuple[str, dict[str, object]]] = {
        "plain": ("echo", {"text": load.SMALL}),
        "call-tool": ("call-tool", {"name": last, "arguments": {"text": load.SMALL}}),
        "find-tool": ("find-tool", {"query": last}),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    cpu = dict.fromkeys(ways, 0.0)
    async with asyncio.timeout(load.PATIENCE), Session(program.listen + GATEWAY) as session:
        await called(session, "echo", text=load.SMALL)  # the server runs
        first, found = await called(session, "find-tool", query=last)
        if last not in found:
            raise WrongAnswerError(f"find-tool: {found[:200]}")
        for _ in range(2 * CALLS // BLOCK):
            for name, (tool, arguments) in ways.items():
                before = Tree(program.pid).cpu_seconds()
                for _ in range(BLOCK):
                    took[name].append((await called(session, tool, **arguments))[0])
                cpu[name] += Tree(program.pid).cpu_seconds() - before
    plain = statistics.median(took["plain"])
    ratios = {"the first find-tool": first / plain}
    for name in ("find-tool", "call-tool"):
        ratios[f"{name}, latency"] = statistics.median(took[name]) / plain
        ratios[f"{name}, CPU time"] = cpu[name] / cpu["plain"]
    return ratios


def searches(say: Console) -> dict[str, list[float]]:
    """The ratios of several rounds, each with a Tidegate of its own."""
    found: dict[str, list[float]] = {}
    for turn in range(ROUNDS):
        say.print(f"[dim]… tool search, round {turn + 1} of {ROUNDS}[/]")
        with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as temporary:
            box = section("bench", str(SEARCHED)) + 'prefix = ""\n[gateway]\nsearch = true\n'
            with tidegate(Path(temporary), "search", box, '"gateway/*", "bench/echo_*", ') as program:
                for name, ratio in load.run(search(program)).items():
                    found.setdefault(name, []).append(ratio)
    return found


def measure(say: Console) -> list[Check]:
    """Start everything, measure, and end everything."""
    found: dict[str, list[float]] = {}
    bare = 'prefix = ""\n'
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as temporary, contextlib.ExitStack() as stack:
        folder = Path(temporary)
        backend = stack.enter_context(started("backend", ["benchmarks.backend"], folder))
        remote = stack.enter_context(tidegate(folder, "remote", settings.http(f"{backend.listen}/mcp") + bare))
        older = stack.enter_context(tidegate(folder, "older", section("bench") + bare))
        newer = stack.enter_context(tidegate(folder, "newer", section("bench", "--modern") + bare))
        pairs = {
            "gateway, 2025-11-25": ((remote.listen + TRANSPARENT, False), (remote.listen + GATEWAY, False)),
            "gateway, 2026-07-28": ((remote.listen + TRANSPARENT, True), (remote.listen + GATEWAY, True)),
            "bridge to an older server": ((older.listen + GATEWAY, False), (older.listen + GATEWAY, True)),
            "bridge to a newer server": ((newer.listen + GATEWAY, True), (newer.listen + GATEWAY, False)),
        }
        for turn in range(ROUNDS):
            say.print(f"[dim]… calls, round {turn + 1} of {ROUNDS}[/]")
            for name, (one, other) in pairs.items():
                found.setdefault(name, []).append(load.run(in_turns(one, other)))
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as temporary:
        say.print(f"[dim]… {SERVERS} servers with {TOOLS} tools each[/]")
        many = "".join(section(f"s{number}", str(TOOLS)) for number in range(SERVERS))
        many += f"[gateway]\npage = {SERVERS * TOOLS}\n"
        home = Path(temporary) / "many"
        home.mkdir()
        (home / "tidegate.toml").write_text(f'[proxy]\nlisten = "127.0.0.1:0"\n\n{many}{settings.AUDIT}')
        with started("many", ["tidegate", "run", str(home / "tidegate.toml")], Path(temporary)) as program:
            lists = load.run(listed(program.listen + GATEWAY, modern=False))
            modern = load.run(listed(program.listen + GATEWAY, modern=True))
            quiet = load.run(idle(program))
    ratios = searches(say)
    return [
        *(Check.at_most(f"{name}, us a call more", 100 if "bridge" in name else 60, found[name]) for name in found),
        Check.at_most("1,000 tools of 20 servers, 2025-11-25, ms", 30, lists),
        Check.at_most("the same bridged from 2026-07-28, ms", 30, modern),
        Check.at_most("20 idle servers, ms of CPU a second", 5, [quiet]),
        *(Check.at_most(f"{name}, of {SEARCHED} tools, in plain calls", RATIOS[name], ratios[name]) for name in RATIOS),
    ]


def main() -> int:
    """The command line."""
    argparse.ArgumentParser(description="Measure what the gateway costs.").parse_args()
    console = Console(width=None if sys.stdout.isatty() else report.WIDTH)
    where = machine()
    try:
        with watched(where):
            checks = measure(console)
    except (WrongAnswerError, OSError) as error:
        console.print(f"[red]A call went wrong: {error}[/]")
        return 1
    except StartError as error:
        console.print(f"[red]{error}[/]")
        return 3
    report.show_checks(checks, where, console)
    return 0 if all(check.good for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
