"""What searching texts for secrets costs on one core, in every disguise, against what is wanted.

`python -m benchmarks.scan [--python] [--json FILE]`. "Cold" is the median over texts of which the process has seen
hardly any of their kind; "new" over texts that were never seen, once it has seen a million characters of each kind;
"again" over the same ones once more. CPU time, so that other work on the machine counts less.
"""

import argparse
import base64
import json
import random
import statistics
import string
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import tidegate_scan
from tidegate_scan import native
from tidegate_scan.engine import Engine
from tidegate_scan.rules import PII, SECRETS, Rule, load
from tidegate_scan.scanner import Scanner
from tidegate_scan.views import Budget

Find = Callable[[str], object]

TEXTS = {100_000: 9, 1_000_000: 4}
MOST_MS = {100_000: 2.0, 1_000_000: 20.0}
LEAST_RATE = 60.0
FAST = ("code", "logs")  # the kinds of which so many MB a second are wanted
MOST_MESSAGE_MS = 0.05
MESSAGES = 200
MOST_GROWTH = 1.5  # between texts of one size and of four times that, per byte
HOSTILE = (
    *("key:", "token=", "secret", "eyJ", "pass", "password = '", "api_key=", "://a:b@", "-----BEGIN ", "sk-"),
    *("%41", "ZXlK", "6579"),  # in disguise
)
UNBOUNDED = Budget(bytes=1 << 30, views=1 << 10, seconds=1e6)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what, how much of which unit, and what is wanted of it; None where nothing is."""

    name: str
    value: float
    unit: str
    target: float | None = None
    at_least: bool = False

    @property
    def good(self) -> bool:
        """Whether it is as wanted."""
        if self.target is None:
            return True
        return self.value >= self.target if self.at_least else self.value <= self.target


@cache
def _code() -> str:
    """Python's own library, without what isn't ASCII."""
    folder = Path(json.__file__).parent.parent
    return "".join(
        path.read_text(encoding="utf-8", errors="ignore").encode("ascii", "ignore").decode()
        for path in sorted(folder.glob("*.py")) + sorted(folder.glob("*/*.py"))
        if "site-packages" not in path.parts and "test" not in path.parts
    )


def _pieces(text: str, size: int, chance: random.Random) -> Iterator[str]:
    """Pieces of a text, each at another place."""
    for at in chance.sample(range(len(text) // size), len(text) // size):
        yield text[at * size : (at + 1) * size]


def code(size: int, chance: random.Random) -> Iterator[str]:
    """Source code."""
    yield from _pieces(_code(), size, chance)


def minified(size: int, chance: random.Random) -> Iterator[str]:
    """Source code in one line."""
    yield from _pieces(" ".join(_code().split()), size, chance)


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


def encoded_code(size: int, chance: random.Random) -> Iterator[str]:
    """Base64 of source code."""
    for text in code(size * 3 // 4 + 3, chance):
        yield base64.b64encode(text.encode()).decode()[:size]


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
    "minified code": minified,
    "JSON in one line": one_line_json,
    "base64 of noise": encoded,
    "base64 of code": encoded_code,
    "logs": logs,
}


def shipped(folder: str) -> list[Rule]:
    """The rules that ship: of `rules` or `pii`."""
    paths = sorted((Path(tidegate_scan.__file__).parent / folder).glob("*.toml"))
    return load(paths, kind=PII if folder == "pii" else SECRETS)


def took(find: Find, text: str) -> float:
    """Milliseconds of CPU time for one text."""
    began = time.process_time()
    find(text)
    return (time.process_time() - began) * 1e3


def cold_row(find: Find, kind: str) -> Row:
    """The figure for texts of 100 KB of one kind, of which next to none was seen."""
    texts = KINDS[kind](100_000, random.Random(1))
    find(next(KINDS[kind](20_000, random.Random(0))))
    cold = [took(find, next(texts)) for _ in range(TEXTS[100_000])]
    return Row(f"100 KB of {kind}, cold", statistics.median(cold), "ms")


def text_rows(find: Find, kind: str, size: int) -> Iterator[Row]:
    """The figures for texts of one kind and size."""
    texts = KINDS[kind](size, random.Random(size))
    new, again = [], []
    for _ in range(TEXTS[size]):
        text = next(texts)
        new.append(took(find, text))
        again.append(min(took(find, text) for _ in range(3)))
    name = f"{size // 1000} KB of {kind}"
    yield Row(f"{name}, new", statistics.median(new), "ms", MOST_MS[size])
    yield Row(f"{name}, again", statistics.median(again), "ms", MOST_MS[size])
    if kind in FAST and size > 100_000:
        yield Row(f"{name}, new", size / statistics.median(new) / 1e3, "MB/s", LEAST_RATE, at_least=True)


def message_row(scanner: Scanner) -> Row:
    """The figure for a whole message of about 300 bytes, each a new one."""
    chance = random.Random(1)
    spent = []
    for number in range(MESSAGES):
        words = " ".join("".join(chance.choices(string.ascii_lowercase, k=6)) for _ in range(20))
        arguments = {"query": words, "limit": number, "path": f"/srv/data/{number}.txt"}
        message = {
            "jsonrpc": "2.0",
            "id": number,
            "method": "tools/call",
            "params": {"name": "search", "arguments": arguments},
        }
        began = time.perf_counter()
        scanner.tree(message)
        spent.append((time.perf_counter() - began) * 1e3)
    return Row("a message of 300 bytes", statistics.median(spent), "ms", MOST_MESSAGE_MS)


def hostile_rows(find: Find) -> Iterator[Row]:
    """Texts made to be slow: a rule's literal without end, or a disguise. The time may grow as they do, no faster."""
    for piece in HOSTILE:
        small, large = ((piece * (size // len(piece) + 1))[:size] for size in (250_000, 1_000_000))
        find(small[:20_000])
        least = min(took(find, small) for _ in range(2))
        most = min(took(find, large) for _ in range(2))
        yield Row(f"1 MB of {piece!r} over and over", most, "ms")
        yield Row(f"1 MB of {piece!r}, per byte, to 250 KB", most / least / 4, "times", MOST_GROWTH)


def start_rows() -> Iterator[Row]:
    """What starting costs."""
    for folder in ("rules", "pii"):
        began = time.process_time()
        rules = shipped(folder)
        loaded = time.process_time()
        Engine(rules)
        made = time.process_time()
        yield Row(f"start: {len(rules)} rules of {folder} read and compiled", (loaded - began) * 1e3, "ms")
        yield Row(f"start: the engine of {folder}", (made - loaded) * 1e3, "ms")


def rows() -> list[Row]:
    """All figures."""
    scanner = Scanner(shipped("rules"), budget=UNBOUNDED)
    pii = Engine(shipped("pii"))
    found = list(start_rows())
    found += [cold_row(scanner.text, kind) for kind in KINDS]
    for texts in KINDS.values():
        seen = texts(100_000, random.Random(2))
        for _ in range(10):
            scanner.text(next(seen))
    for size in MOST_MS:
        for kind in KINDS:
            found += text_rows(scanner.text, kind, size)
    found.append(message_row(scanner))
    found += hostile_rows(scanner.text)
    for kind, texts in KINDS.items():
        text = next(texts(100_000, random.Random(1)))
        pii.find(text)
        found.append(Row(f"personal data: rules alone, 100 KB of {kind}, again", took(pii.find, text), "ms"))
    return found


def table(found: list[Row]) -> Table:
    """The figures as a table for people."""
    out = Table(title="Looking for secrets", title_justify="left", box=SIMPLE_HEAD)
    out.add_column("what", no_wrap=True)
    for heading in ("measured", "", "wanted", ""):
        out.add_column(heading, justify="right", no_wrap=True)
    for row in found:
        wanted = "" if row.target is None else f"{'>=' if row.at_least else '<='} {row.target:g}"
        mark = "" if row.target is None else "[green]pass[/]" if row.good else "[red]miss[/]"
        out.add_row(row.name, f"{row.value:.3g}", row.unit, wanted, mark)
    return out


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="How long the search for secrets takes.")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--python", action="store_true", help="measure without what is compiled (tidegate-native)")
    options = parser.parse_args()
    with native.unused() if options.python else nullcontext():
        found = rows()
    Console(width=120).print(table(found))
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
