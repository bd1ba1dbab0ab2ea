"""What searching texts for secrets and personal data costs: microseconds, and MB/s.

`python -m benchmarks.scan [--json FILE]`. The engine alone: the rules that ship, over text that is already
decoded. No text is measured twice, as automata are quicker on what they have seen: half of them
warm up, the figure is the median of the others.
"""

import argparse
import base64
import json
import random
import statistics
import string
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import tidegate_scan
from tidegate_scan.engine import Engine
from tidegate_scan.rules import PII, SECRETS, Rule, load

TEXTS = 24
SIZES = {"300 B": (300, 15.0), "100 KB": (100_000, 1_000.0), "1 MB": (1_000_000, 10_000.0)}
HOSTILE = ("key:", "token=", "secret", "eyJ", "password = '")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what, microseconds, megabytes a second, the most microseconds it may be."""

    name: str
    us: float
    rate: float
    target: float | None = None


def _code() -> str:
    """Python's own library, without what isn't ASCII."""
    folder = Path(json.__file__).parent.parent
    return "".join(
        path.read_text(encoding="utf-8", errors="ignore").encode("ascii", "ignore").decode()
        for path in sorted(folder.glob("*.py")) + sorted(folder.glob("*/*.py"))
        if "site-packages" not in path.parts and "test" not in path.parts
    )


def _pieces(text: str, size: int) -> Iterator[str]:
    at = 0
    while True:
        yield (text[at:] + text[:at])[:size]
        at = (at + size) % len(text)


def code(size: int, _random: random.Random) -> Iterator[str]:
    """Source code."""
    yield from _pieces(_code(), size)


def minified(size: int, _random: random.Random) -> Iterator[str]:
    """Source code in one line."""
    yield from _pieces(" ".join(_code().split()), size)


def one_line_json(size: int, chance: random.Random) -> Iterator[str]:
    """Rows of an API's answer, in one line."""
    while True:
        rows: list[dict[str, Any]] = [
            {
                "id": chance.randrange(10**9),
                "name": f"user {chance.randrange(10**6)}",
                "key": "".join(chance.choices(string.ascii_lowercase, k=8)),
                "next_page_token": None,
                "url": f"https://api.example.com/v1/items/{chance.getrandbits(64):x}",
                "created_at": "2026-11-01T10:00:00Z",
                "sha": f"{chance.getrandbits(160):040x}",
                "tags": ["a", "b"],
            }
            for _ in range(size // 200 + 1)
        ]
        yield json.dumps(rows, separators=(",", ":"))[:size]


def encoded(size: int, chance: random.Random) -> Iterator[str]:
    """Base64 of random bytes."""
    while True:
        yield base64.b64encode(chance.randbytes(size)).decode()[:size]


def logs(size: int, chance: random.Random) -> Iterator[str]:
    """Lines of a web server's log."""
    while True:
        yield "".join(
            f"2026-11-01T10:{chance.randrange(60):02d}:00.{chance.randrange(1000):03d}Z INFO "
            f"[worker-{chance.randrange(8)}] app.http request method=GET "
            f"path=/api/v1/users/{chance.randrange(10**6)} status=200 "
            f'trace_id={chance.getrandbits(128):032x} user_agent="curl/8.1" token refresh ok\n'
            for _ in range(size // 150 + 1)
        )[:size]


KINDS: dict[str, Callable[[int, random.Random], Iterator[str]]] = {
    "code": code,
    "minified": minified,
    "JSON": one_line_json,
    "base64": encoded,
    "logs": logs,
}


def shipped(folder: str) -> list[Rule]:
    """The rules that ship: of `rules` or `pii`."""
    paths = sorted((Path(tidegate_scan.__file__).parent / folder).glob("*.toml"))
    return load(paths, kind=PII if folder == "pii" else SECRETS)


def measured(find: Callable[[str], object], kind: str, size: int) -> float:
    """Microseconds for one text of this size: the median of those after the first half."""
    texts = KINDS[kind](size, random.Random(size))
    count = TEXTS if size < 10**6 else TEXTS // 3
    repeats = max(1, 20_000 // size)
    took = []
    for _ in range(count):
        batch = [next(texts) for _ in range(repeats)]
        began = time.perf_counter()
        for text in batch:
            find(text)
        took.append((time.perf_counter() - began) / repeats)
    return statistics.median(took[count // 2 :]) * 1e6


def rows_of(name: str, find: Callable[[str], object], sizes: tuple[str, ...] = tuple(SIZES)) -> Iterator[Row]:
    """A figure for each kind of text and size."""
    for kind in KINDS:
        for label in sizes:
            size, target = SIZES[label]
            us = measured(find, kind, size)
            yield Row(f"{name}: {label} of {kind}", us, size / us, target)


def hostile_rows(find: Callable[[str], object]) -> Iterator[Row]:
    """Texts made to be slow: nothing but literals of rules. The time must grow with the text and no faster."""
    for piece in HOSTILE:
        for size in (100_000, 400_000):
            text = (piece * (size // len(piece) + 1))[:size]
            find(text[:20_000])
            began = time.perf_counter()
            find(text)
            us = (time.perf_counter() - began) * 1e6
            yield Row(f"hostile: {size // 1000} KB of {piece!r}", us, size / us)


def loading_rows() -> Iterator[Row]:
    """What starting costs."""
    for folder in ("rules", "pii"):
        began = time.perf_counter()
        rules = shipped(folder)
        loaded = time.perf_counter()
        Engine(rules)
        made = time.perf_counter()
        yield Row(f"start: {len(rules)} rules of {folder} read and compiled", (loaded - began) * 1e6, 0, 150_000)
        yield Row(f"start: prefilter of {folder}", (made - loaded) * 1e6, 0)


def rows() -> list[Row]:
    """All figures of the engine itself."""
    secrets = Engine(shipped("rules"))
    pii = Engine(shipped("pii"))
    return [
        *loading_rows(),
        *rows_of("secrets", secrets.find),
        *rows_of("pii", pii.find, ("300 B", "100 KB")),
        *hostile_rows(secrets.find),
    ]


def table(found: list[Row]) -> Table:
    """The figures as a table for people."""
    out = Table(title="Searching a text", title_justify="left", box=SIMPLE_HEAD)
    out.add_column("step", no_wrap=True)
    for heading in ("microseconds", "MB/s", "target"):
        out.add_column(heading, justify="right", no_wrap=True)
    for row in found:
        good = row.target is None or row.us <= row.target
        mark = "" if row.target is None else f"<= {row.target:g} {'[green]pass[/]' if good else '[red]miss[/]'}"
        out.add_row(row.name, f"{row.us:.1f}", f"{row.rate:.0f}" if row.rate else "", mark)
    return out


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Microbenchmarks of the search for secrets and personal data.")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    found = rows()
    Console().print(table(found))
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
