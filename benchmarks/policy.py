"""What policy costs a message: `python -m benchmarks.policy`, microseconds, median and 99th percentile.

Each figure is the time that the interceptor `policy` adds to the pipeline: the same message is judged with it and
without it in turns, every call timed by itself. With `--opa PROGRAM` an OPA server is started and asked too.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import socket
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import orjson
from benchmarks.load import run
from benchmarks.micro import verdict
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import tidegate
from tidegate import methods, plugins, session, settings, wire
from tidegate.pipeline import Pipeline
from tidegate_policy import packs, reads
from tidegate_policy.embedded import MEASURED
from tidegate_policy.evaluating import Policy
from tidegate_policy.view import View

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CALLS = 3000
BIG_CALLS = 300
DEFAULT = ("exfiltration", "rates", "shell")
"""The packs that the shipped settings name: those that need no parameters and get in nobody's way."""

SMALL = {"path": "/data/report.txt", "limit": 20, "content": "hello"}
BIG = {"path": "/data/report.txt", "content": "lorem ipsum dolor sit amet " * 3800}
TOOL = {
    "name": "echo",
    "description": "Echoes.",
    "inputSchema": {
        "type": "object",
        "properties": {"path": {"type": "string"}, "limit": {"type": "integer"}, "content": {"type": "string"}},
        "required": ["content"],
    },
}
FEW, HUNDRED = "small arguments", "100 KB arguments"

HOSTILE = (
    "http://",
    "//a.b/",
    "%2e",
    "../",
    "/a",
    "1.",
    "0x7f.",
    "[::",
    "a@",
    "'",
    "--",
    "/*",
    "$(",
    ";|",
    "select(",
    "a b",
)
"""What texts that are made to be slow repeat."""

ALLOWING: dict[str, Any] = {
    "readonly": {"allow": ["*"]},
    "paths": {"roots": ["/data"]},
    "rates": {"limits": [{"tools": ["*"], "most": 1_000_000_000, "per": "hour"}]},
    "hours": {"others": "allow"},
}
"""Parameters with which the packs let the calls pass that are measured."""

SMALL_POLICY = """package tidegate

import rego.v1

decision := {"deny": deny}

deny contains {"rule": "no-etc", "reason": "Not that file."} if startswith(input.arguments.path, "/etc/")
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what, median and 99th percentile in microseconds, and the most the median may be."""

    name: str
    median: float
    p99: float
    target: float | None = None

    @property
    def good(self) -> bool:
        """Whether it is within its target, and its tail within five times the median."""
        return self.target is None or (self.median <= self.target and self.p99 <= 5 * self.median)


@contextlib.asynccontextmanager
async def pipeline(settings_entry: dict[str, Any] | None) -> AsyncIterator[Pipeline]:
    """A started pipeline with one entry for `policy`, or with nothing."""
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as folder:
        (Path(folder) / "policies").mkdir()
        (Path(folder) / "policies" / "main.rego").write_text(SMALL_POLICY)
        tree = {
            "servers": {"bench": {"url": "http://127.0.0.1:1/mcp"}},
            "interceptors": [{"use": "policy", "watch": 0, **settings_entry}] if settings_entry else [],
        }
        made = settings.build(tree, folder=Path(folder))
        started = Pipeline(plugins.load(made))
        await started.start(made)
        try:
            yield started
        finally:
            await started.stop()


async def measured(
    judges: dict[str, Pipeline], arguments: dict[str, Any], calls: int, *, again: bool = False
) -> dict[str, list[float]]:
    """The microseconds of each call, by pipeline; they take turns."""

    def call(number: int) -> bytes:
        """Return a call; its arguments differ from those of all others, unless `again` asks for the same."""
        given = arguments if again else arguments | {"limit": number}
        params = {"name": "echo", "arguments": given}
        return orjson.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params})

    from tidegate.values import freeze  # noqa: PLC0415 - as a relay keeps what was listed

    tool = freeze(TOOL)
    took: dict[str, list[float]] = {name: [] for name in judges}
    flows = {
        name: tidegate.Flow(
            id="bench",
            server=tidegate.Server("bench", "remote", "high"),
            version="2025-11-25",
            targets=methods.targets(wire.parse(call(0), "client")),
            tool=tool,
            session=session.Session("anonymous", time.monotonic()),
        )
        for name in judges
    }
    for number in range(calls + calls // 10):
        for name, judge in judges.items():
            message = wire.parse(call(number), "client")
            began = time.perf_counter_ns()
            decision = await judge.judge(message, flows[name])
            ended = time.perf_counter_ns()
            assert decision.allowed, decision.effects
            if number >= calls // 10:
                took[name].append((ended - began) / 1000)
    return took


def hostile_rows() -> list[Row]:
    """The longest that each pack takes, in CPU time, on texts made to be slow, as long as one that is done inline."""
    found = []
    for name in packs.names():
        policy = packs.assembled(None, (name,), {key: given for key, given in ALLOWING.items() if key == name})
        engine = Policy(policy.sources.modules, policy.sources.data)
        view = View(reads.wanted(policy.sources, [policy.units[0].query]))
        took = [
            _hostile(engine, view, policy.units[0].query, text, split=split) for text in HOSTILE for split in (1, 40)
        ]
        found.append(Row(f"the pack {name}, at worst", max(took), max(took), 20_000.0))
    return found


def _hostile(engine: Policy, view: View, query: str, text: str, *, split: int) -> float:
    room = MEASURED - 1200
    parts = [(text * room)[: max(1, room // split // 2 - 60)] for _ in range(split)]
    arguments: dict[str, Any] = (
        {"path": parts, "query": parts[0], "url": parts[-1]} if split > 1 else {"path": parts[0]}
    )
    params = {"name": "echo", "arguments": arguments}
    message = wire.parse(orjson.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}), "client")
    flow = tidegate.Flow("bench", tidegate.Server("bench"), session=session.Session("a", 0.0))
    given = view.of(message, flow)
    engine.ask((query,), given)  # compiles its regular expressions
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        engine.ask((query,), given)
        best = min(best, time.process_time() - began)
    return best * 1e6


@contextlib.asynccontextmanager
async def opa_server(program: str) -> AsyncIterator[str]:
    """An OPA server on loopback until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        program, "run", "--server", "--addr", f"127.0.0.1:{port}", "--log-level", "error"
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(20), httpx.AsyncClient() as client:
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(f"{url}/health")).status_code == 200:
                        break
                await asyncio.sleep(0.05)
        yield url
    finally:
        process.terminate()
        await process.wait()


async def row(name: str, entry: dict[str, Any], what: str, target: float | None = None, *, again: bool = False) -> Row:
    """What one entry adds to the empty pipeline, the two in turns."""
    arguments, calls = (BIG, BIG_CALLS) if what == HUNDRED else (SMALL, CALLS)
    async with pipeline(None) as none, pipeline(entry) as judge:
        took = await measured({"none": none, name: judge}, arguments, calls, again=again)
    base, ordered = statistics.median(took["none"]), sorted(took[name])
    return Row(f"{name}, {what}", statistics.median(ordered) - base, ordered[int(len(ordered) * 0.99)] - base, target)


def entry(*names: str, **more: Any) -> dict[str, Any]:
    """The settings of an entry with packs."""
    data = {name: given for name, given in ALLOWING.items() if name in names}
    return {"packs": list(names), "data": data, **more}


async def rows(opa: str | None) -> list[Row]:
    """All figures."""
    small, default = {"bundle": "policies"}, entry(*DEFAULT)
    found = hostile_rows()
    found.append(await row("a small policy", small, FEW, 100.0))
    found.append(await row("the default packs", default, FEW, 100.0))
    found.append(await row("the default packs, the same again", default, FEW, again=True))
    found.append(await row("the default packs and egress", entry(*DEFAULT, "egress"), FEW))
    found.append(await row("all packs", entry(*packs.names()), FEW))
    found += [await row(f"the pack {name}", entry(name), FEW) for name in packs.names()]
    found.append(await row("a small policy", small, HUNDRED, 2000.0))
    found.append(await row("the default packs", default, HUNDRED, 2000.0))
    if opa is not None:
        async with opa_server(opa) as url:
            asked = {"engine": "opa", "opa": {"urls": [url]}}
            for what, target in ((FEW, 800.0), (HUNDRED, 2000.0)):
                found.append(await row("a small policy over OPA", small | asked, what, target))
                found.append(await row("the default packs over OPA", default | asked, what, target))
            more = entry(*DEFAULT, "egress")
            found.append(await row("the default packs and egress over OPA", more | asked, FEW))
    return found


def table(found: list[Row]) -> Table:
    """The figures as a table for people."""
    out = Table(title="What policy adds to a message", title_justify="left", box=SIMPLE_HEAD)
    out.add_column("policy", no_wrap=True)
    for heading in ("median us", "p99 us", "target"):
        out.add_column(heading, justify="right", no_wrap=True)
    for row in found:
        mark = "" if row.target is None else f"<= {row.target:g} {verdict(good=row.good)}"
        out.add_row(row.name, f"{row.median:.0f}", f"{row.p99:.0f}", mark)
    return out


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="What policy costs a message.")
    parser.add_argument("--opa", metavar="PROGRAM", help="the opa program: measure over an OPA server too")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    found = run(rows(options.opa))
    Console().print(table(found))
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in found], indent=1) + "\n")
    sys.exit(0 if all(row.good for row in found) else 1)


if __name__ == "__main__":
    main()
