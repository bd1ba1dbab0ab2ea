"""The results of a run as tables for people."""

import statistics
from dataclasses import dataclass
from typing import Self

from benchmarks import micro
from benchmarks.load import Figures
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

Results = dict[str, list[Figures]]
COLUMNS = {  # figure: heading, decimals
    "seq_p50": ("1 by 1 p50", 3),
    "seq_p99": ("p99", 3),
    "big_p50": ("100 KB p50", 3),
    "rps": ("requests/s", 0),
    "conc_p50": ("p50", 2),
    "conc_p99": ("p99", 2),
    "cpu_us": ("CPU us", 0),
    "rss_mb": ("MB", 1),
}
WIDTH = 116  # columns, where the output is no terminal
BUSY = 0.2  # cores that do something else, from which on the figures are in doubt


@dataclass(frozen=True, slots=True)
class Check:
    """One target: the value that decides is the median of what the rounds gave."""

    name: str
    bound: float
    values: list[float]
    value: float
    good: bool
    sign: str

    @classmethod
    def at_least(cls, name: str, bound: float, values: list[float]) -> Self:
        """A target that is met from `bound` upwards."""
        value = statistics.median(values)
        return cls(name, bound, values, value, value >= bound, ">=")

    @classmethod
    def at_most(cls, name: str, bound: float, values: list[float]) -> Self:
        """A target that is met up to `bound`."""
        value = statistics.median(values)
        return cls(name, bound, values, value, value <= bound, "<=")


@dataclass(frozen=True, slots=True)
class Report:
    """All that was measured in one run."""

    legacy: Results
    modern: Results
    stdio: list[Figures]
    long_memory_mb: list[float]
    steps: list[micro.Row]
    checks: list[Check]


def show(found: Report, machine: dict[str, object], console: Console) -> None:
    """Print everything."""
    console.print(_figures("2025-11-25 over HTTP", found.legacy))
    console.print(_figures("2026-07-28 over HTTP", found.modern))
    console.print(_figures("2025-11-25, the server a local process over stdio", {"tidegate": found.stdio}))
    console.print("ms, medians of the rounds; requests/s and what follows it: 16 sessions side by side;", style="dim")
    console.print("CPU a request and memory (MB): of the process and its children.", style="dim")
    console.print(micro.table(found.steps))
    if found.long_memory_mb:
        steps = ", ".join(f"{value:.1f}" for value in found.long_memory_mb)
        console.print(f"Memory in MB after 20,000, 40,000, … 100,000 calls: {steps}")
    show_checks(found.checks, machine, console)


def show_checks(checks: list[Check], machine: dict[str, object], console: Console) -> None:
    """Print the targets, and where they were measured."""
    other = float(str(machine["other_cores"]))
    console.print(_checks(checks, doubtful=other > BUSY))
    console.print("  ".join(f"{key}: {value}" for key, value in machine.items()), style="dim")
    if other > BUSY:
        text = f"The machine did other work meanwhile ({other:g} cores on average), which hides part of what Tidegate"
        console.print(f"{text} costs: no pass counts. Repeat it on an idle machine.", style="yellow")


def _figures(title: str, results: Results) -> Table:
    out = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    out.add_column("target", no_wrap=True)
    for heading, _ in COLUMNS.values():
        out.add_column(heading, justify="right", no_wrap=True)
    for name, rounds in results.items():
        cells = []
        for key, (_, decimals) in COLUMNS.items():
            values = [getattr(figures, key) for figures in rounds]
            known = bool(values) and None not in values
            cells.append(f"{statistics.median(values):,.{decimals}f}" if known else "")
        out.add_row(name, *cells)
    return out


def _checks(checks: list[Check], *, doubtful: bool) -> Table:
    out = Table(title="Targets", title_justify="left", box=SIMPLE_HEAD)
    out.add_column("what")
    for heading in ("target", "measured"):
        out.add_column(heading, justify="right", no_wrap=True)
    out.add_column("")
    out.add_column("per round")
    for check in checks:
        rounds = "  ".join(_number(value) for value in check.values) if len(check.values) > 1 else ""
        bound = f"{check.sign} {check.bound:g}"
        mark = "[yellow]pass?[/]" if check.good and doubtful else micro.verdict(good=check.good)
        out.add_row(check.name, bound, _number(check.value), mark, rounds)
    return out


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
