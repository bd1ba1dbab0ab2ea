"""What Tidegate and other engines find in the corpus of secrets, how often they are wrong, and how fast they are.

`python -m benchmarks.engines [--only NAME ...] [--write PAGE] [--json FILE]`, from the repository's root. Each of the
others is installed into a virtual environment of its own in `.cache/engines`; one that can't be is left out, and
the reason is told. With `--write` the tables replace what stands between the markers of that page.
"""

import argparse
import importlib.metadata
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from tidegate import values
from tidegate_scan.choosing import shipped
from tidegate_scan.engine import Engine

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from benchmarks import scan  # noqa: E402 - it and the corpus are found only with the line above
from benchmarks.engine_adapters import ADAPTERS, Adapter, Hits, seconds_each  # noqa: E402 - the same

from plugins.scan import finders  # noqa: E402 - the same
from plugins.scan.corpus.embeddings import cases  # noqa: E402 - the same
from plugins.scan.corpus.measure import Found, Report, Tally, measure  # noqa: E402 - the same
from plugins.scan.corpus.negatives import negatives  # noqa: E402 - the same

CACHE = ROOT / ".cache" / "engines"
SHORT = 512
TEXTS = 48
SIZE = 100_000
KINDS = {"code": scan.code, "logs": scan.logs, "JSON in one line": scan.one_line_json}
BEGIN, END = "<!-- made by benchmarks.engines: begin -->", "<!-- made by benchmarks.engines: end -->"
FIGURES = (
    "engine",
    "kinds known",
    "plain, unseen half",
    "plain, all",
    "disguised, unseen half",
    "disguised, all",
    "exact spans",
    "false-positive rate",
    "precision",
)
SPEEDS = ("engine", *(f"{kind}, MB/s" for kind in KINDS), "300 bytes, ms")
SETTINGS = ("engine", "version", "how it is used", "what it is made for")


class MissingError(Exception):
    """An engine can't be had here; the text is one sentence."""


class Leaf(NamedTuple):
    """A string of a message, as an engine gets it: its text, and how many characters stand before the string's own."""

    pointer: str
    text: str
    before: int


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured of an engine."""

    title: str
    version: str
    settings: str
    purpose: str
    report: Report
    speeds: dict[str, float] = field(default_factory=dict)


def leaves(tree: Any, pointer: str = "", key: str = "", depth: int = values.NESTED_DEPTH) -> Iterator[Leaf]:
    """The strings and keys of a message: those of JSON texts in their place, short values as KEY=VALUE."""
    if isinstance(tree, str):
        inner = values.nested(tree) if depth else None
        if isinstance(inner, dict | list):
            yield from leaves(inner, f"{pointer}/{values.NESTED}", key, depth - 1)
        elif key and len(tree) <= SHORT and "\n" not in tree:
            yield Leaf(pointer, f"{key}={tree}", len(key) + 1)
        else:
            yield Leaf(pointer, tree, 0)
    elif isinstance(tree, dict):
        for name, item in tree.items():
            below = f"{pointer}/{values.escape(name)}"
            yield Leaf(below, name, 0)
            yield from leaves(item, below, name, depth)
    elif isinstance(tree, list):
        for index, item in enumerate(tree):
            yield from leaves(item, f"{pointer}/{index}", key, depth)


@cache
def texts_of(seed: int) -> dict[str, int]:
    """All different strings of the corpus, each with its number."""
    messages = [case.message for case in cases(seed)] + [negative.message for negative in negatives(seed)]
    return {text: index for index, text in enumerate(dict.fromkeys(leaf.text for m in messages for leaf in leaves(m)))}


def judged(hits: Sequence[Hits], seed: int) -> Report:
    """What hits in those strings are worth on the corpus."""
    texts = texts_of(seed)

    def find(message: dict[str, Any]) -> Iterator[Found]:
        for leaf in leaves(message):
            for start, end, rule in hits[texts[leaf.text]]:
                if end > leaf.before:
                    yield leaf.pointer, (max(start - leaf.before, 0), end - leaf.before), rule

    return measure(lambda message: list(find(message)), seed)


def long_texts() -> dict[str, list[str]]:
    """Texts of 100 KB of each kind, no two alike."""
    return {kind: list(islice(make(SIZE, random.Random(SIZE)), TEXTS)) for kind, make in KINDS.items()}


def small_messages() -> list[dict[str, Any]]:
    """Messages of about 300 bytes."""
    lines = scan.logs(140, random.Random(300))
    arguments = [{"path": f"/srv/notes/{index}.md", "content": next(lines)} for index in range(320)]
    call = {"jsonrpc": "2.0", "method": "tools/call"}
    return [
        {**call, "id": index, "params": {"name": "write_file", "arguments": each}}
        for index, each in enumerate(arguments)
    ]


# -- Tidegate itself ----------------------------------------------------------------------------------------


def tidegate(seed: int, *, speed: bool) -> Iterator[Result]:
    """The interceptor's way, and its rules alone on what the other engines get."""
    release = importlib.metadata.version("tidegate")
    scanner, engine = finders.scanner(), Engine(shipped("rules"))

    def speeds(find: Any, small: Any, messages: Sequence[Any]) -> dict[str, float]:
        if not speed:
            return {}
        rates = {
            kind: SIZE / seconds_each(lambda batch: [find(t) for t in batch], t) / 1e6
            for kind, t in long_texts().items()
        }
        return {**rates, "small": 1e3 * seconds_each(lambda batch: [small(m) for m in batch], messages, batch=20)}

    def rules_alone(text: str) -> Hits:
        return [(hit.start, hit.end, hit.rule.id) for hit in engine.find(text)]

    messages = small_messages()
    yield Result(
        "Tidegate",
        release,
        "`secrets` with its defaults: the rules that ship, on every disguise undone; gets whole messages.",
        "Messages of MCP, in a proxy.",
        measure(finders.tidegate, seed),
        speeds(scanner.text, scanner.tree, messages),
    )
    yield Result(
        "Tidegate, rules alone",
        release,
        "The same rules, no disguise undone; gets the strings that the others get.",
        "Texts that are decoded already.",
        judged([rules_alone(text) for text in texts_of(seed)], seed),
        speeds(rules_alone, rules_alone, [joined(message) for message in messages]),
    )


def joined(message: dict[str, Any]) -> str:
    """All strings of a message in one text."""
    return "\n".join(leaf.text for leaf in leaves(message))


# -- the others ---------------------------------------------------------------------------------------------


def python_of(adapter: Adapter) -> Path:
    """The Python of an engine's virtual environment, whether it is there or not."""
    name = re.sub(r"[^a-z0-9.]+", "-", adapter.requirement)
    return CACHE / f"{name}-py{sys.version_info.major}{sys.version_info.minor}" / "bin" / "python"


def is_installed(adapter: Adapter) -> bool:
    """Whether the engine was installed to the end."""
    return (python_of(adapter).parent.parent / "installed").exists()


def install(adapter: Adapter) -> None:
    """Install an engine where it isn't.

    Raises:
        MissingError: if that can't be done.
    """
    if is_installed(adapter):
        return
    folder = python_of(adapter).parent.parent
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    # Wheels only: nothing of a package runs before it is asked to.
    command = [str(python_of(adapter)), "-m", "pip", "install", "--quiet", "--only-binary=:all:", adapter.requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MissingError(f"`pip install {adapter.requirement}` failed")
    (folder / "installed").touch()


def answer(name: str, texts: Sequence[str], kinds: dict[str, list[str]], small: Sequence[str]) -> dict[str, Any]:
    """Have an engine do its work in a process of its own.

    Raises:
        MissingError: if it failed.
    """
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    with tempfile.TemporaryDirectory() as made:
        task, out = Path(made, "task.json"), Path(made, "answer.json")
        task.write_text(json.dumps({"texts": list(texts), "kinds": kinds, "small": list(small)}))
        script = Path(__file__).with_name("engine_adapters.py")
        # One core for each, Go's programs too; a cache of kingfisher's that ends with the run.
        environment |= {"GOMAXPROCS": "1", "KF_RULE_CACHE_DIR": made}
        command = [str(part) for part in (python_of(ADAPTERS[name]), script, name, task, out)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["without a word"])[-1]
            raise MissingError(f"it failed: {last[:200]}")
        told: dict[str, Any] = json.loads(out.read_text())
        return told


def other(name: str, seed: int, *, speed: bool) -> Result:
    """Measure one of the others.

    Raises:
        MissingError: if it can't be had, or failed.
    """
    adapter = ADAPTERS[name]
    install(adapter)
    small = [joined(message) for message in small_messages()] if speed else []
    told = answer(name, list(texts_of(seed)), long_texts() if speed else {}, small)
    report = judged(told["hits"], seed)
    return Result(adapter.title, told["version"], adapter.settings, adapter.purpose, report, told["speeds"])


# -- tables -------------------------------------------------------------------------------------------------


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = True) -> str:
    rule = ["---", *(["---:" if numbers else "---"] * (len(headings) - 1))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (headings, rule, *rows))


def _figures(result: Result) -> list[str]:
    report = result.report
    known = {kind: False for _, kind, plain in report.kinds if plain}
    for (_, kind, plain), tally in report.kinds.items():
        known[kind] = known[kind] or (plain and tally.found > 0)
    unseen = [report.total("unseen", plain=plain) for plain in (True, False)]
    both = [report.total("seen", plain=plain) + tally for plain, tally in zip((True, False), unseen, strict=True)]
    recalls = [f"{tally.recall:.3f}" for pair in zip(unseen, both, strict=True) for tally in pair]
    exact = sum(both, Tally()).exactness
    rates = [f"{exact:.3f}", f"{report.false_positive_rate:.4f}", f"{report.precision:.3f}"]
    return [result.title, f"{sum(known.values())} of {len(known)}", *recalls, *rates]


def _speeds(result: Result) -> list[str]:
    small = result.speeds["small"]
    rates = [result.speeds[kind] for kind in KINDS]
    return [
        result.title,
        *(f"{rate:.0f}" if rate >= 10 else f"{rate:.2g}" for rate in rates),
        f"{small:.0f}" if small >= 10 else f"{small:.2g}",
    ]


def _by_disguise(results: Sequence[Result]) -> str:
    names = dict.fromkeys(name for _, name in results[0].report.disguises)
    rows = []
    for name in names:
        tallies = [result.report.disguises["unseen", name] for result in results]
        rows.append([f"`{name}`", *(f"{tally.recall:.2f}" for tally in tallies)])
    return _table(("disguise", *(result.title for result in results)), rows)


def page(results: Sequence[Result], missing: dict[str, str], seed: int) -> str:
    """The tables, as Markdown."""
    first = results[0].report
    counts = [sum(t.cases for (_, name), t in first.disguises.items() if (name == "plain") is p) for p in (True, False)]
    intro = (
        f"Seed {seed}: {counts[0]:,} plain cases, {counts[1]:,} disguised ones, {first.negatives:,} negatives of "
        f"{len(first.families)} families."
    )
    blocks = [
        intro,
        "### What they find",
        _table(FIGURES, [_figures(result) for result in results]),
        "### What they find in each disguise",
        "Recall on the unseen half.",
        _by_disguise(results),
    ]
    if all(result.speeds for result in results):
        blocks += ["### Speed", _table(SPEEDS, [_speeds(result) for result in results])]
    settings = [(result.title, result.version, result.settings, result.purpose) for result in results]
    blocks += ["### Versions and settings", _table(SETTINGS, settings, numbers=False)]
    blocks += [f"Left out: {name}, because {why}." for name, why in missing.items()]
    return "\n\n".join(blocks)


def written(text: str, tables: str) -> str:
    """A page's text with these tables between its markers.

    Raises:
        ValueError: if it hasn't both markers, in this order.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page lacks the markers {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}"


def main() -> int:
    """The command line: 0 if well, 2 for a page without markers."""
    parser = argparse.ArgumentParser(description="Compare Tidegate with other engines on the corpus of secrets.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=list(ADAPTERS), default=list(ADAPTERS), help="of the others")
    parser.add_argument("--no-speed", action="store_true", help="leave the speed out, which takes most of the time")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables between this page's markers")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    options = parser.parse_args()
    try:
        before = options.write and written(options.write.read_text(), "") and options.write.read_text()
    except (OSError, ValueError) as error:
        print(f"{options.write}: {error}", file=sys.stderr)
        return 2
    print("Tidegate ...", file=sys.stderr)
    results = list(tidegate(options.seed, speed=not options.no_speed))
    missing = {}
    for name in options.only:
        print(f"{name} ...", file=sys.stderr)
        try:
            results.append(other(name, options.seed, speed=not options.no_speed))
        except MissingError as error:
            missing[ADAPTERS[name].title] = str(error)
    tables = page(results, missing, options.seed)
    print(tables)
    if options.json:
        figures = {result.title: {**result.report.as_json(), "speeds": result.speeds} for result in results}
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    if options.write:
        options.write.write_text(written(before, tables))
    return 0


if __name__ == "__main__":
    sys.exit(main())
