"""What `poison` finds and what it costs: recall by class, false alarms, speed; on the corpus and on real definitions.

`python -m benchmarks.poison` measures the corpus of `tests/plugins/poison/corpus` and the speed. For definitions of
others, `--collected FOLDER` reads what `benchmarks.poison_collect` kept there, `--server "COMMAND ARGUMENTS"` starts a
server and lists what it has, `--python FOLDER` reads decorated functions of sources in Python, `--json FOLDER` reads
definitions in JSON files, and `--peers` starts the servers that Tidegate's own tests use; `--poisoned FILE` reads
poisoned ones, a JSON object with `source`, `class`, `tool` and `others` a line. Nothing of theirs is kept, and only
names and figures are printed. The exit code is 1 where a target is missed.
"""

import argparse
import ast
import contextlib
import json
import pydoc_data.topics
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # where the corpus is

from benchmarks.poison_collect import Definition, of_server  # noqa: E402 - as below

from plugins.poison.corpus.making import HALVES  # noqa: E402 - as above
from plugins.poison.corpus.measure import Report, found_in, measure  # noqa: E402 - found by the line above
from support.node import NodeMissingError, peers  # noqa: E402 - found by the line above
from tidegate.testing import flow, request, result_of  # noqa: E402 - the last of what the line above is for
from tidegate_poison import Poison, PoisonConfig  # noqa: E402 - the last of what the line above is for

LEAST_RECALL, MOST_FALSE = 0.9, 0.01


# -- definitions of others ------------------------------------------------------------------------------------


def of_python(folder: Path) -> list[Definition]:
    """Read the decorated functions of sources in Python: names, docstrings, descriptions of arguments."""
    found: list[Definition] = []
    for path in sorted(folder.rglob("*.py")):
        if "test" not in str(path.relative_to(folder)):
            with contextlib.suppress(SyntaxError, ValueError):
                found += _decorated(ast.parse(path.read_text(errors="replace")))
    return found


def _decorated(tree: ast.AST) -> Iterator[Definition]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        marks = [mark for mark in node.decorator_list if ".tool" in ast.unparse(mark) or ".prompt" in ast.unparse(mark)]
        if not marks:
            continue
        description = ast.get_docstring(node) or ""
        if isinstance(marks[0], ast.Call):
            given = [keyword.value for keyword in marks[0].keywords if keyword.arg == "description"]
            description = _literal(given[0]) or description if given else description
        fields: dict[str, Any] = {}
        for default in ast.walk(node.args):
            if isinstance(default, ast.Call):
                texts = [_literal(keyword.value) for keyword in default.keywords if keyword.arg == "description"]
                fields.update({f"argument_{len(fields)}": {"description": text} for text in texts if text})
        yield {"name": node.name, "description": description, "inputSchema": {"properties": fields}}


def _literal(node: ast.expr) -> str:
    try:
        return str(ast.literal_eval(node))
    except ValueError:
        return ""


def of_json(folder: Path) -> list[Definition]:
    """Read definitions in JSON files: one, or a list of them, or a result of `tools/list`."""
    found: list[Definition] = []
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".json", ".snap"}:
            with contextlib.suppress(ValueError, OSError):
                tree = json.loads(path.read_text())
                items = tree.get("tools", [tree]) if isinstance(tree, dict) else tree
                items = items if isinstance(items, list) else []
                found += [item for item in items if isinstance(item, dict) and "name" in item and "description" in item]
    return found


def of_collected(folder: Path) -> dict[str, list[Definition]]:
    """Read what `benchmarks.poison_collect` kept, by package."""
    found: dict[str, list[Definition]] = {}
    for path in sorted((folder / "definitions").glob("*.json")):
        tree = json.loads(path.read_text())
        package = tree.pop("package")
        found[package] = [item for items in tree.values() for item in items]
    return found


def of_peers() -> dict[str, list[Definition]]:
    """Start the servers of Tidegate's own tests."""
    here = Path(sys.executable)
    commands = {
        "mcp-server-time": [str(here.with_name("mcp-server-time")), "--local-timezone", "UTC"],
        "mcp-server-fetch": [str(here.with_name("mcp-server-fetch"))],
        "mcp-server-git": [str(here.with_name("mcp-server-git"))],
    }
    try:
        for package in ("server-everything", "server-filesystem", "server-memory"):
            argument = [tempfile.gettempdir()] if package == "server-filesystem" else []
            commands[package] = [*peers().command(f"@modelcontextprotocol/{package}", "dist/index.js"), *argument]
    except NodeMissingError as missing:
        print(missing, file=sys.stderr)
    return {name: of_server(command) for name, command in commands.items()}


def real(sources: dict[str, list[Definition]], console: Console) -> tuple[int, int]:
    """Print in how many definitions of others something is found, and return how many there are and how many were."""
    table = Table(box=SIMPLE_HEAD, title="Definitions of others")
    for heading in ("from", "definitions", "found", "which"):
        table.add_column(heading)
    total = wrong = 0
    for name, definitions in sources.items():
        own = [str(item.get("name")) for item in definitions]
        found = [(str(item.get("name")), {one.rule for one in found_in(item, own=own)}) for item in definitions]
        hits = [f"{item}: {', '.join(sorted(rules))}" for item, rules in found if rules]
        total += len(definitions)
        wrong += len(hits)
        table.add_row(name, str(len(definitions)), str(len(hits)), "; ".join(hits))
    table.add_row("all", str(total), str(wrong), f"{wrong / total:.4f}" if total else "")
    console.print(table)
    return total, wrong


def poisoned(path: Path, console: Console) -> None:
    """Print how many of others' poisoned definitions are found: by themselves, and beside the tools they are aimed at.

    A line is an object: `source`, `class`, `tool` with the definition, and maybe `others` with names of tools.
    """
    tallies: dict[tuple[str, str], list[int]] = {}
    for line in path.read_text().splitlines():
        case = json.loads(line)
        alone = bool(found_in(case["tool"]))
        beside = alone or bool(found_in(case["tool"], case.get("others", ())))
        for key in ((case["source"], case["class"]), (case["source"], "all"), ("all", "all")):
            tally = tallies.setdefault(key, [0, 0, 0])
            for index, counts in enumerate((True, alone, beside)):
                tally[index] += counts
    table = Table(box=SIMPLE_HEAD, title="Poisoned definitions of others")
    for heading in ("source", "class", "found", "beside others"):
        table.add_column(heading)
    for (source, rule), (cases, found, more) in sorted(tallies.items()):
        table.add_row(source, rule, f"{found} of {cases}: {found / cases:.3f}", f"{more}: {more / cases:.3f}")
    console.print(table)


# -- the corpus -----------------------------------------------------------------------------------------------


def tell(report: Report, console: Console, *, reveal: bool) -> bool:
    """Print recall by class, and false alarms; return whether both halves are as wanted."""
    table = Table(box=SIMPLE_HEAD, title="Recall by class: found of cases (found as what they are)")
    table.add_column("class")
    for half in HALVES:
        table.add_column(half, justify="right")
    for rule in sorted({rule for _, rule in report.recall}):
        tallies = [report.recall[half, rule] for half in HALVES]
        table.add_row(rule, *(f"{one.found} of {one.cases} ({one.named})" for one in tallies))
    totals = [report.total(half) for half in HALVES]
    table.add_row("all", *(f"{one.found} of {one.cases}: {one.rate:.3f}" for one in totals))
    alarms = [report.ordinary[half] for half in HALVES]
    table.add_row("ordinary", *(f"{one.found} of {one.cases}: {one.rate:.4f}" for one in alarms))
    console.print(table)
    for case in report.missed:
        if case.half == "seen" or reveal:
            console.print(f"missed: {case.rule} {case.family}: {case.tool['description']!a}")
    for case, rules in report.wrong:
        if case.half == "seen" or reveal:
            console.print(f"false alarm: {', '.join(rules)}: {case.tool['description']!a}")
    good = all(one.rate >= LEAST_RECALL for one in totals) and all(one.rate <= MOST_FALSE for one in alarms)
    console.print(f"wanted: recall >= {LEAST_RECALL}, false alarms <= {MOST_FALSE}: {'pass' if good else 'MISS'}")
    return good


# -- speed ----------------------------------------------------------------------------------------------------

_KEPT: dict[str, str] = {}


def _text(kind: str, size: int, number: int) -> str:
    """A piece of Python's own documentation or library, each time another one."""
    if not _KEPT:
        _KEPT["documentation"] = "\n".join(pydoc_data.topics.topics.values()).encode("ascii", "ignore").decode()
        sources = sorted(Path(json.__file__).parent.parent.glob("*.py"))
        _KEPT["code"] = "".join(path.read_text(errors="ignore") for path in sources).encode("ascii", "ignore").decode()
    text = _KEPT[kind]
    start = number * 7919 * 13 % (len(text) - size)
    return text[start : start + size]


def _best(calls: Iterable[Callable[[], object]]) -> float:
    best = float("inf")
    for call in calls:
        begin = time.process_time_ns()
        call()
        best = min(best, time.process_time_ns() - begin)
    return best / 1000


def _median(calls: Iterable[Callable[[], object]]) -> float:
    return statistics.median(_best([call]) for call in calls)


def _judged(poison: Poison, method: str, result: dict[str, Any]) -> Callable[[], object]:
    asked = request(method, {"name": "t", "arguments": {}} if method == "tools/call" else {})
    reply = result_of(asked, result)
    reply.encoded  # noqa: B018 - the pipeline makes it for every message
    context = flow(reply, request=asked)

    def run() -> None:
        findings = poison.inspect(poison.transform(reply, context) or reply, context)
        poison.decide(reply, context, findings or ())

    return run


def _listed(number: int, *, slim: bool = False) -> dict[str, Any]:
    """Tools; slim ones have no arguments, so that 10,000 stay below the limit of members."""
    tools = [
        {
            "name": f"tool_{at}",
            "description": f"Does thing {at}. Use this tool before the next one; you must pass `path{at}`.",
            "inputSchema": {
                "type": "object",
                "properties": {}
                if slim
                else {
                    "path": {"type": "string", "description": f"Path {at}, relative to the root."},
                    "query": {"type": "string", "description": "What to look for."},
                },
                "required": [] if slim else ["path"],
            },
        }
        for at in range(number)
    ]
    return {"tools": tools}


def speed(console: Console) -> bool:
    """Print what a message costs, all three hooks together, and return whether it is as wanted."""
    poison = Poison(PoisonConfig())
    rows: list[tuple[str, float, float | None]] = []

    def texts(kind: str, size: int) -> Iterator[Callable[[], object]]:
        for number in range(40):
            yield _judged(poison, "tools/call", {"content": [{"type": "text", "text": _text(kind, size, number)}]})

    for kind in ("documentation", "code"):
        rows.append((f"a result of 300 bytes, {kind}", _median(texts(kind, 220)), 50.0))
        rows.append((f"a result of 100 KB, {kind}", _median(texts(kind, 100_000)), None))
    persian = "\u0646\u0645\u0627\u06cc\u0634 \u0645\u06cc\u200c\u062f\u0647\u062f. " * 2500
    rows.append(
        ("a result of 100 KB in Persian", _best(
            _judged(poison, "tools/call", {"content": [{"type": "text", "text": f"{n} {persian}"}]}) for n in range(5)
        ), None)
    )  # fmt: skip
    for number, slim in ((1000, False), (10_000, True)):
        lists = [_judged(Poison(PoisonConfig()), "tools/list", _listed(number, slim=slim)) for _ in range(2)]
        rows.append((f"a list of {number:,} tools, the first time", _best(lists), None))
        rows.append((f"a list of {number:,} tools, once more", _best(lists), 30_000.0 if number == 1000 else None))
    table = Table(box=SIMPLE_HEAD, title="Speed: microseconds of CPU time, the best of several")
    for heading in ("what", "us", "wanted"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    good = True
    for name, value, wanted in rows:
        met = wanted is None or value <= wanted
        good = good and met
        table.add_row(name, f"{value:,.0f}", "" if wanted is None else f"<= {wanted:,.0f}{'' if met else ' MISS'}")
    console.print(table)
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", action="append", default=[], metavar="COMMAND")
    parser.add_argument("--python", action="append", default=[], type=Path, metavar="FOLDER")
    parser.add_argument("--json", action="append", default=[], type=Path, metavar="FOLDER")
    parser.add_argument("--collected", action="append", default=[], type=Path, metavar="FOLDER")
    parser.add_argument("--poisoned", action="append", default=[], type=Path, metavar="FILE")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--no-speed", action="store_true")
    parser.add_argument(
        "--reveal", action="store_true", help="show what is missed in the half not to be looked at, too"
    )
    options = parser.parse_args()
    console = Console(width=160)
    good = tell(measure(), console, reveal=options.reveal)
    sources = of_peers() if options.peers else {}
    sources.update({shlex.split(command)[-1]: of_server(shlex.split(command)) for command in options.server})
    sources.update({folder.name: of_python(folder) for folder in options.python})
    sources.update({folder.name: of_json(folder) for folder in options.json})
    for folder in options.collected:
        sources.update(of_collected(folder))
    for path in options.poisoned:
        poisoned(path, console)
    if sources:
        real(sources, console)
    if not options.no_speed:
        good = speed(console) and good
    sys.exit(not good)


if __name__ == "__main__":
    main()
