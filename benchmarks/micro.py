"""What each step of a message costs inside the process: microseconds, and ratios to orjson.

`python -m benchmarks.micro`. Each figure is the best of many short runs: other work on the machine can
only add to a run, never take away from it.
"""

import argparse
import contextlib
import json
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
from benchmarks.load import run
from benchmarks.settings import AUDIT, LISTS
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import tidegate
from tidegate import methods, plugins, session, settings, wire
from tidegate.message import Sender
from tidegate.pipeline import Pipeline

RUNS = 40
RUN_SECONDS = 0.01
NO_OPS = 6
NO_OP_TARGET = 3.0

CALL = b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"}}}'
REPLY = b'{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"hello"}],"isError":false}}'
BIG = CALL.replace(b"hello", b"x" * 102_400)
MANY = orjson.dumps(
    {
        "jsonrpc": "2.0",
        "id": 7,
        "result": {"content": [{"type": "text", "text": f"row {number}", "n": number} for number in range(1800)]},
    }
)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what, microseconds, the ratio to the same done by orjson, the most it may be."""

    name: str
    us: float
    ratio: float | None = None
    target: float | None = None


class Silent:
    """An interceptor that decides nothing."""

    @tidegate.hook
    def decide(self, message: tidegate.Message) -> None:
        """Say nothing."""


class SilentEverywhere:
    """An interceptor with every hook of a message, that does nothing in any."""

    @tidegate.hook
    def transform(self, message: tidegate.Message) -> None:
        """Change nothing."""

    @tidegate.hook
    def inspect(self, message: tidegate.Message) -> None:
        """Find nothing."""

    @tidegate.hook
    def decide(self, message: tidegate.Message) -> None:
        """Say nothing."""

    @tidegate.hook
    def observe(self, decision: tidegate.Decision) -> None:
        """Note nothing."""


class SilentAsync:
    """An interceptor whose one hook could be awaited, so that it runs under a deadline."""

    @tidegate.hook
    async def decide(self, message: tidegate.Message) -> None:
        """Say nothing."""


KINDS: dict[str, type] = {"silent": Silent, "everywhere": SilentEverywhere, "async": SilentAsync}


def _silent(kind: str, count: int) -> str:
    return "".join(f'[[interceptors]]\nuse = "{kind}"\nname = "{kind}{number}"\n' for number in range(count))


def best(functions: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Microseconds of one call of each function: the best of the runs, which take turns."""
    found = dict.fromkeys(functions, float("inf"))
    loops = {name: _loops(function) for name, function in functions.items()}
    for _ in range(RUNS):
        for name, function in functions.items():
            count = range(loops[name])
            began = time.perf_counter()
            for _ in count:
                function()
            found[name] = min(found[name], (time.perf_counter() - began) / len(count))
    return {name: seconds * 1e6 for name, seconds in found.items()}


async def best_async(functions: dict[str, Callable[[], Awaitable[Any]]]) -> dict[str, float]:
    """The same for functions to be awaited."""
    found = dict.fromkeys(functions, float("inf"))
    for _ in range(RUNS):
        for name, function in functions.items():
            calls = 0
            began = time.perf_counter()
            while time.perf_counter() - began < RUN_SECONDS:
                for _ in range(20):
                    await function()
                calls += 20
            found[name] = min(found[name], (time.perf_counter() - began) / calls)
    return {name: seconds * 1e6 for name, seconds in found.items()}


def _loops(function: Callable[[], Any]) -> int:
    began = time.perf_counter()
    function()
    return max(1, int(RUN_SECONDS / (time.perf_counter() - began + 1e-7)))


def _ours(data: bytes, sender: Sender) -> Callable[[], bytes]:
    return lambda: wire.encode(wire.parse(data, sender))


def _orjson(data: bytes) -> Callable[[], bytes]:
    return lambda: orjson.dumps(orjson.loads(data))


def wire_rows() -> list[Row]:
    """Parse and encode, beside what orjson takes for it without a check."""
    cases: list[tuple[str, bytes, Sender]] = [
        ("tools/call", CALL, "client"),
        ("100 KB string", BIG, "client"),
        ("1,800 items, 70 KB", MANY, "server"),
    ]
    rows = []
    for name, data, sender in cases:
        took = best({"ours": _ours(data, sender), "orjson": _orjson(data)})
        rows.append(Row(f"wire: parse and encode, {name}", took["ours"], took["ours"] / took["orjson"]))
    return rows


@contextlib.asynccontextmanager
async def pipeline(interceptors: str) -> AsyncIterator[Pipeline]:
    """A started pipeline with the interceptors of a piece of settings."""
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as folder:
        text = f'{interceptors}\n[servers.bench]\nurl = "http://127.0.0.1:1/mcp"\n'
        made = settings.parse(text, folder=Path(folder))
        started = Pipeline(plugins.load(made, KINDS))
        await started.start(made)
        try:
            yield started
        finally:
            await started.stop()


def judging(judge: Pipeline, data: bytes, request: bytes | None = None) -> Callable[[], Awaitable[Any]]:
    """A function that parses, judges and encodes one message: what each message costs beside the sockets."""
    asked = None if request is None else wire.parse(request, "client")
    first = asked or wire.parse(data, "client")
    flow = tidegate.Flow(
        id="bench",
        server=tidegate.Server("bench", "remote"),
        version="2025-11-25",
        targets=methods.targets(first),
        request=asked,
        session=session.Session("anonymous", time.monotonic()),
    )

    async def one() -> bytes:
        message = wire.parse(data, "client" if asked is None else "server")
        if asked is not None:
            message = message.answering(asked.method)
        decision = await judge.judge(message, flow)
        assert decision.allowed
        assert decision.message is not None
        return wire.encode(decision.message)

    return one


async def pipeline_rows() -> list[Row]:
    """The pipeline with interceptors that do nothing, and with those that ship."""
    plans = {
        "none": "",
        "one": _silent("silent", 1),
        "six": _silent("silent", NO_OPS),
        "everywhere": _silent("everywhere", NO_OPS),
        "async": _silent("async", NO_OPS),
        "lists": LISTS,
        "audit": AUDIT,
        "both": LISTS + AUDIT,
    }
    async with contextlib.AsyncExitStack() as stack:
        made = {name: await stack.enter_async_context(pipeline(text)) for name, text in plans.items()}
        work = {name: judging(one, CALL) for name, one in made.items()}
        work["reply"] = judging(made["both"], REPLY, CALL)
        took = await best_async(work)
    none = took["none"]
    return [
        Row("pipeline: tools/call parsed, judged, encoded, no interceptor", none),
        Row("pipeline: one no-op interceptor more", took["one"] - none),
        Row("pipeline: no-op interceptor, each of six", (took["six"] - none) / NO_OPS, target=NO_OP_TARGET),
        Row("pipeline: no-op with all four hooks, each of six", (took["everywhere"] - none) / NO_OPS),
        Row("pipeline: async no-op under a deadline, each of six", (took["async"] - none) / NO_OPS),
        Row("lists: on a tools/call", took["lists"] - none),
        Row("audit: record of a tools/call", took["audit"] - none),
        Row("all: tools/call parsed, judged by lists and audit, encoded", took["both"]),
        Row("all: its reply likewise", took["reply"]),
    ]


async def rows() -> list[Row]:
    """All figures."""
    return wire_rows() + await pipeline_rows()


def table(found: list[Row]) -> Table:
    """The figures as a table for people."""
    out = Table(title="Inside the process", title_justify="left", box=SIMPLE_HEAD)
    out.add_column("step", no_wrap=True)
    for heading in ("microseconds", "to orjson", "target"):
        out.add_column(heading, justify="right", no_wrap=True)
    for row in found:
        mark = "" if row.target is None else f"<= {row.target:g} {verdict(good=row.us <= row.target)}"
        out.add_row(row.name, f"{row.us:.1f}", f"x {row.ratio:.1f}" if row.ratio else "", mark)
    return out


def verdict(*, good: bool) -> str:
    """A word in colour."""
    return "[green]pass[/]" if good else "[red]miss[/]"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Microbenchmarks of Tidegate's own steps.")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    found = run(rows())
    Console().print(table(found))
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
