"""What is claimed about Tidegate's speed, measured in one run: `make bench`, or `python -m benchmarks.run`.

A bare echo server, the floor in front of it, and Tidegate (lists and audit on) in front of it are measured
in turns, so that what else the machine does falls on all alike. Then Tidegate in front of a local process,
and its steps by themselves. Exit codes: 0 every target met, 1 one missed or a wrong answer, 3 a program
that is to be measured didn't start.
"""

import argparse
import contextlib
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil
from benchmarks import load, micro, report, settings
from benchmarks.load import Figures, Plan, WrongAnswerError
from benchmarks.processes import Program, StartError, started
from benchmarks.report import Check, Results
from rich.console import Console

LONG_STEPS = 5
LONG_STEP_CALLS = 20_000


@dataclass(frozen=True, slots=True)
class Size:
    """How thorough a run is."""

    plan: Plan
    rounds: int
    modern_rounds: int
    stdio_rounds: int
    short_rounds: int


FULL = Size(Plan(sequential=400, big=60, seconds=2.5), rounds=9, modern_rounds=3, stdio_rounds=3, short_rounds=16)
QUICK = Size(
    Plan(sequential=150, big=20, seconds=1.0, warm=50), rounds=3, modern_rounds=1, stdio_rounds=2, short_rounds=4
)
SHORT = Plan(seconds=1.5)


def in_turns(targets: dict[str, Program], paths: dict[str, str], size: Size, *, modern: bool) -> Results:
    """Measure all targets once a round, beginning with another one each time."""
    plan = replace(size.plan, modern=modern)
    names = list(targets)
    found: Results = {name: [] for name in names}
    for turn in range(size.modern_rounds if modern else size.rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            target = targets[name]
            found[name].append(load.run(load.measure(target.listen + paths[name], plan, target.pid)))
    return found


def side_by_side(one: Program, other: Program, rounds: int) -> list[float]:
    """The requests a second of one to those of another, in short rounds, each first in turns: the machine changes."""
    ratios = []
    for turn in range(rounds):
        rates = {}
        for program in (one, other) if turn % 2 else (other, one):
            times, elapsed = load.run(load.concurrent(f"{program.listen}/servers/bench/mcp", SHORT))
            rates[program.pid] = len(times) / elapsed
        ratios.append(rates[one.pid] / rates[other.pid])
    return ratios


def over_stdio(program: Program, size: Size) -> list[Figures]:
    """Tidegate in front of a local process."""
    url = f"{program.listen}/servers/bench/mcp"
    return [load.run(load.measure(url, size.plan, program.pid)) for _ in range(size.stdio_rounds)]


def for_long(program: Program, plan: Plan) -> list[float]:
    """Tidegate's memory in MB after each 20,000 of 100,000 calls."""
    tree, memory = load.Tree(program.pid), []

    def look(_elapsed: float) -> None:
        memory.append(tree.rss_mb())

    for _ in range(LONG_STEPS):
        url = f"{program.listen}/servers/bench/mcp"
        load.run(load.concurrent(url, plan, calls=LONG_STEP_CALLS, at_end=look))
    return memory


@contextlib.contextmanager
def tidegate(folder: Path, name: str, server: str, more: str = "") -> Iterator[Program]:
    """Tidegate in front of one server, until the block ends; with more interceptors than lists and audit."""
    home = folder / name
    home.mkdir()
    (home / "tidegate.toml").write_text(settings.text(server, more))
    with started(name, ["tidegate", "run", str(home / "tidegate.toml")], folder) as program:
        yield program


def measure(size: Size, *, long: bool, say: Callable[[str], None]) -> report.Report:
    """Start everything, measure, and end everything."""
    memory: list[float] = []
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as temporary, contextlib.ExitStack() as stack:
        folder = Path(temporary)
        backend = stack.enter_context(started("backend", ["benchmarks.backend"], folder))
        upstream = f"{backend.listen}/mcp"
        floor = stack.enter_context(started("floor", ["benchmarks.floor", "--upstream", upstream], folder))
        server = settings.http(upstream)
        with (
            tidegate(folder, "tidegate", server) as program,
            tidegate(folder, "with-secrets", server, settings.SECRETS) as scanning,
        ):
            targets = {"direct": backend, "floor": floor, "tidegate": program, "with secrets": scanning}
            paths = dict.fromkeys(targets, "/servers/bench/mcp") | {"direct": "/mcp", "floor": "/mcp"}
            say(f"direct, floor and Tidegate in turns, {size.rounds} rounds")
            legacy = in_turns(targets, paths, size, modern=False)
            say("the same in 2026-07-28")
            modern = in_turns(targets, paths, size, modern=True)
            say(f"with secrets and without, {size.short_rounds} short rounds")
            scanned = side_by_side(scanning, program, size.short_rounds)
            if long:
                say("100,000 calls")
                memory = for_long(program, size.plan)
        say("Tidegate in front of a local process")
        script = Path(__file__).with_name("stdio_backend.py")
        with tidegate(folder, "stdio", settings.stdio([sys.executable, str(script)])) as program:
            stdio = over_stdio(program, size)
    say("the steps by themselves")
    steps = load.run(micro.rows())
    return report.Report(legacy, modern, stdio, memory, steps, checks(legacy, scanned, stdio, memory, steps))


def checks(
    legacy: Results, scanned: list[float], stdio: list[Figures], memory: list[float], steps: list[micro.Row]
) -> list[Check]:
    """Each target beside what was measured: per round where there are rounds, and the median decides."""
    pairs = list(zip(legacy["tidegate"], legacy["floor"], strict=True))
    found = [
        Check.at_least("requests/s at 16 sessions, to the floor's", 0.7, [a.rps / b.rps for a, b in pairs]),
        Check.at_most("sequential p50 over the floor's, ms", 0.15, [a.seq_p50 - b.seq_p50 for a, b in pairs]),
        Check.at_most("100 KB p50 over the floor's, ms", 1.0, [a.big_p50 - b.big_p50 for a, b in pairs]),
        Check.at_least("requests/s over stdio to a local process", 2500, [one.rps for one in stdio]),
        Check.at_least("requests/s with secrets, to those without", 0.85, scanned),
        Check.at_most("memory with 16 sessions, MB", 100, [one.rss_mb or 0.0 for one, _ in pairs]),
    ]
    found += [Check.at_most(f"{row.name}, us", row.target, [row.us]) for row in steps if row.target]
    if memory:
        found.append(Check.at_most("memory grown from call 20,000 to 100,000, MB", 2.0, [memory[-1] - memory[0]]))
    return found


def machine() -> dict[str, object]:
    """Where it is measured, for whoever compares two runs."""
    return {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count()}


@contextlib.contextmanager
def watched(where: dict[str, object]) -> Iterator[None]:
    """Note in `where` how many cores were busy with something else, on average, while the block ran."""
    tree = load.Tree(os.getpid())  # everything that is measured is a child of this process
    began, busy, own = time.monotonic(), _busy_seconds(), tree.cpu_seconds()
    gone = psutil.Process().cpu_times()
    yield
    ended = psutil.Process().cpu_times()
    own = tree.cpu_seconds() - own
    own += ended.children_user + ended.children_system - gone.children_user - gone.children_system
    other = (_busy_seconds() - busy - own) / (time.monotonic() - began)
    where["other_cores"] = round(max(other, 0.0), 2)


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)


def _stop(_signal: int, _frame: object) -> None:
    raise SystemExit(128 + signal.SIGTERM)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure Tidegate beside the floor and the bare server.")
    parser.add_argument("--quick", action="store_true", help="about half a minute instead of four")
    parser.add_argument("--long", action="store_true", help="100,000 calls too: is the memory flat?")
    parser.add_argument("--rounds", type=int, help="how many rounds")
    parser.add_argument("--json", type=Path, help="write every figure here")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    if options.rounds:
        size = replace(size, rounds=options.rounds)
    signal.signal(signal.SIGTERM, _stop)  # so that the programs are ended then too
    console = Console(width=None if sys.stdout.isatty() else report.WIDTH)
    where = machine()
    try:
        with watched(where):
            found = measure(size, long=options.long, say=lambda text: console.print(f"[dim]… {text}[/]"))
    except (WrongAnswerError, OSError) as error:
        console.print(f"[red]A call went wrong: {error}[/]")
        return 1
    except StartError as error:
        console.print(f"[red]{error}[/]")
        return 3
    report.show(found, where, console)
    if options.json:
        options.json.write_text(json.dumps({"machine": where, **asdict(found)}, indent=1) + "\n")
    return 0 if all(check.good for check in found.checks) else 1


if __name__ == "__main__":
    sys.exit(main())
