"""Measures what a finder of secrets finds in the corpus: recall per half and disguise, spans, false alarms.

``python -m plugins.scan.corpus.measure MODULE:FUNCTION``, with ``tests`` on the path, prints it as tables. The worst of
the kinds in the half that isn't looked at stay unnamed, unless that is asked for.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from rich.console import Console
from rich.table import Table

from plugins.scan.corpus.embeddings import Case, Span, cases
from plugins.scan.corpus.kinds import Half
from plugins.scan.corpus.negatives import negatives

if TYPE_CHECKING:
    from collections.abc import Iterator

Found = tuple[str, Span, str]
"""The pointer of a leaf, the span in its text, the rule."""

Find = Callable[[dict[str, Any]], Iterable[Found]]
"""What is measured: given a whole message, returns what it finds."""

HALVES: tuple[Half, ...] = get_args(Half)


@dataclass(slots=True)
class Tally:
    """How many cases there were, how many were found, and how many of those with exactly the right span."""

    cases: int = 0
    found: int = 0
    exact: int = 0

    @property
    def recall(self) -> float:
        """The share that was found; 1 if there was nothing to find."""
        return self.found / self.cases if self.cases else 1.0

    @property
    def exactness(self) -> float:
        """The share of the found ones whose span was right; 1 if none was found."""
        return self.exact / self.found if self.found else 1.0

    def count(self, *, found: bool, exact: bool) -> None:
        """Count one case."""
        self.cases += 1
        self.found += found
        self.exact += exact

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.cases + other.cases, self.found + other.found, self.exact + other.exact)


@dataclass(slots=True)
class Report:
    """What was measured.

    Attributes:
        disguises: per half and disguise (``plain`` is one).
        kinds: per half and kind, plain and disguised apart.
        envelopes: per kind of message.
        families: per family of negatives, how many there were and in how many something was found.
        rules: per rule, in how many negatives it found something.
        strays: in how many cases something was found elsewhere than where the secret is.
    """

    disguises: defaultdict[tuple[Half, str], Tally] = field(default_factory=lambda: defaultdict(Tally))
    kinds: defaultdict[tuple[Half, str, bool], Tally] = field(default_factory=lambda: defaultdict(Tally))
    envelopes: defaultdict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    families: dict[str, tuple[int, int]] = field(default_factory=dict)
    rules: Counter[str] = field(default_factory=Counter)
    strays: int = 0

    def total(self, half: Half, *, plain: bool) -> Tally:
        """Return all plain cases of a half, or all disguised ones."""
        wanted = [tally for (of, name), tally in self.disguises.items() if of == half and (name == "plain") == plain]
        return sum(wanted, Tally())

    @property
    def negatives(self) -> int:
        """How many negatives there were."""
        return sum(count for count, _ in self.families.values())

    @property
    def false_positives(self) -> int:
        """In how many negatives something was found; each counts once."""
        return sum(wrong for _, wrong in self.families.values())

    @property
    def false_positive_rate(self) -> float:
        """The share of the negatives in which something was found; 0 if there were none."""
        return self.false_positives / self.negatives if self.negatives else 0.0

    @property
    def precision(self) -> float:
        """The share that hits are of hits, negatives with a finding, and cases with one elsewhere; 1 if none."""
        hits = sum(tally.found for tally in self.disguises.values())
        everything = hits + self.false_positives + self.strays
        return hits / everything if everything else 1.0

    def as_json(self) -> dict[str, Any]:
        """Return the figures, for tables in the documentation."""
        halves = {
            half: {
                name: {"recall": round(tally.recall, 4), "exact": round(tally.exactness, 4), "cases": tally.cases}
                for name, tally in (
                    ("plain", self.total(half, plain=True)),
                    ("disguised", self.total(half, plain=False)),
                )
            }
            for half in sorted({half for half, _ in self.disguises})
        }
        return {
            "halves": halves,
            "negatives": self.negatives,
            "false_positive_rate": round(self.false_positive_rate, 5),
            "precision": round(self.precision, 4),
            "strays": self.strays,
        }


def _union(spans: Sequence[Span]) -> Span | None:
    """Return the span that overlapping ones make together; ``None`` if they leave a gap."""
    ordered = sorted(spans)
    low, high = ordered[0]
    for start, end in ordered[1:]:
        if start > high:
            return None
        high = max(high, end)
    return low, high


def _meet(one: Span, other: Span) -> bool:
    return one[0] < other[1] and one[1] > other[0]


def judged(case: Case, findings: Iterable[Found]) -> tuple[bool, bool, bool]:
    """Return whether the secret was found, whether with exactly its span, and whether anything else was found.

    A finding counts that overlaps any of the places. The span is right when all findings that overlap the secret cover,
    together, just the secret, or just the larger part that may be called so: that is what a redaction would remove.
    What is found in that larger part beside the secret (another key in the same URL) counts as neither.
    """
    at: defaultdict[str, list[Span]] = defaultdict(list)
    for pointer, span, _ in findings:
        at[pointer].append(span)
    found = exact = False
    beside = {(pointer, span) for pointer, spans in at.items() for span in spans}
    for place in case.places:
        hits = [span for span in at[place.pointer] if _meet(span, place.span)]
        if hits:
            found = True
            exact = exact or _union(hits) in (place.span, place.whole)
        beside -= {(place.pointer, span) for span in at[place.pointer] if _meet(span, place.whole)}
    return found, exact, bool(beside)


def measure(
    find: Find, seed: int, halves: Iterable[Half] = HALVES, *, plain: int = 6, disguises: int = 1, each: int = 45
) -> Report:
    """Let a finder go through the corpus.

    Args:
        find: the finder.
        seed: what the corpus is drawn from.
        halves: which halves of the kinds.
        plain: plain cases of each kind.
        disguises: cases of each kind in each disguise.
        each: negatives of each family.
    """
    report = Report()
    wanted = frozenset(halves)
    for case in cases(seed, plain=plain, disguises=disguises):
        if case.half not in wanted:
            continue
        found, exact, stray = judged(case, find(case.message))
        report.strays += stray
        is_plain = case.disguise == "plain"
        for tally in (
            report.disguises[case.half, case.disguise],
            report.kinds[case.half, case.kind, is_plain],
            report.envelopes[case.envelope],
        ):
            tally.count(found=found, exact=exact)
    for negative in negatives(seed, each=each):
        findings = list(find(negative.message))
        count, wrong = report.families.get(negative.family, (0, 0))
        report.families[negative.family] = count + 1, wrong + bool(findings)
        report.rules.update({rule for _, _, rule in findings})
    return report


def _tables(report: Report, worst: int, *, reveal: bool) -> Iterator[Table]:
    halves = sorted({half for half, _ in report.disguises})
    table = Table("disguise", *(f"{half} {what}" for half in halves for what in ("recall", "exact")), title="Recall")
    rows: list[tuple[str, list[Tally]]] = [
        (name, [report.disguises[half, name] for half in halves])
        for name in dict.fromkeys(name for _, name in report.disguises)
    ]
    rows.append(("all disguised", [report.total(half, plain=False) for half in halves]))
    for name, tallies in rows:
        table.add_row(name, *(f"{figure:.3f}" for tally in tallies for figure in (tally.recall, tally.exactness)))
    yield table
    table = Table("kind", "half", "", "found", "of", "exact", title="Worst kinds")
    ordered = sorted(report.kinds.items(), key=lambda item: (item[1].recall, item[1].exactness))
    for (half, kind, is_plain), tally in ordered[:worst]:
        name = kind if reveal or half == "seen" else "(not named)"
        numbers = (str(tally.found), str(tally.cases), str(tally.exact))
        table.add_row(name, half, "plain" if is_plain else "disguised", *numbers)
    yield table
    table = Table("kind of message", "recall", "exact", "of", title="Worst messages")
    for name, tally in sorted(report.envelopes.items(), key=lambda item: item[1].recall)[:worst]:
        table.add_row(name, f"{tally.recall:.3f}", f"{tally.exactness:.3f}", str(tally.cases))
    yield table
    table = Table("family", "false alarms", "of", title="Worst families")
    for name, (count, wrong) in sorted(report.families.items(), key=lambda item: -item[1][1])[:worst]:
        if wrong:
            table.add_row(name, str(wrong), str(count))
    yield table
    table = Table("rule", "negatives", title="Rules with false alarms")
    for name, count in report.rules.most_common(worst):
        table.add_row(name, str(count))
    yield table


def _finder(spec: str) -> Find:
    module, _, function = spec.partition(":")
    find: Find = getattr(importlib.import_module(module), function)
    return find


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the finder that the command line names, and print what came of it."""
    parser = argparse.ArgumentParser(description="Measure a finder of secrets on the corpus.")
    parser.add_argument(
        "finder", help="module:function; given a message, it returns (pointer, (start, end), rule) each"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--halves", nargs="+", choices=HALVES, default=HALVES)
    parser.add_argument("--worst", type=int, default=20, help="how many of the worst are listed")
    parser.add_argument("--reveal", action="store_true", help="name the kinds of the half that isn't looked at, too")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON instead")
    options = parser.parse_args(arguments)
    report = measure(_finder(options.finder), options.seed, options.halves)
    if options.json:
        sys.stdout.write(json.dumps(report.as_json(), indent=2) + "\n")
        return
    console = Console()
    for table in _tables(report, options.worst, reveal=options.reveal):
        console.print(table)
    rate = f"{report.false_positives} of {report.negatives} negatives ({report.false_positive_rate:.4f})"
    console.print(f"False alarms: {rate}; elsewhere in cases: {report.strays}; precision {report.precision:.4f}")


if __name__ == "__main__":
    main()
