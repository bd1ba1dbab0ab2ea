"""Measures what ``poison`` finds in the corpus: recall by class and half, and how often it is wrong.

``python -m benchmarks.poison`` prints it as tables. A case counts as found where any finding is as sure as the settings
ask by default, of whatever class; ``named`` where one of them is of its own class.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from plugins.poison.corpus.making import HALVES, Case, Half, ordinary, poisoned
from tidegate.testing import flow, request, result_of
from tidegate_poison import Poison, PoisonConfig

if TYPE_CHECKING:
    from collections.abc import Iterable

    import tidegate


@dataclass(slots=True)
class Tally:
    """How many cases there were, how many were found, and how many as what they are."""

    cases: int = 0
    found: int = 0
    named: int = 0

    @property
    def rate(self) -> float:
        """The share that was found."""
        return self.found / self.cases if self.cases else 0.0


@dataclass(slots=True)
class Report:
    """What was measured: per half and class, and the ordinary definitions in which something was found."""

    recall: defaultdict[tuple[Half, str], Tally] = field(default_factory=lambda: defaultdict(Tally))
    ordinary: defaultdict[Half, Tally] = field(default_factory=lambda: defaultdict(Tally))
    missed: list[Case] = field(default_factory=list)
    wrong: list[tuple[Case, tuple[str, ...]]] = field(default_factory=list)

    def total(self, half: Half) -> Tally:
        """Return the poisoned cases of a half, of all classes."""
        total = Tally()
        for (of, _), tally in self.recall.items():
            if of == half:
                total = Tally(total.cases + tally.cases, total.found + tally.found, total.named + tally.named)
        return total


def found_in(
    tool: dict[str, Any], others: Iterable[str] = (), own: Iterable[str] = (), **beside: Any
) -> list[tidegate.Finding]:
    """Return what a fresh interceptor finds, surely enough, in a definition that a server lists beside others."""
    config = PoisonConfig()
    poison = Poison(config)
    mine = [tool, *({"name": name} for name in own if name != tool.get("name"))]
    for name, listed in (("other", [{"name": name} for name in others]), ("server", mine)):
        asked = request("tools/list")
        reply = result_of(asked, {"tools": listed, **beside})
        context = flow(reply, server=name, request=asked)
        left = poison.transform(reply, context) or reply
        findings = poison.inspect(left, context) or []
    return [one for one in findings if one.confidence >= config.min_confidence]


def measure(halves: Iterable[Half] = HALVES) -> Report:
    """Measure both kinds of definitions of these halves."""
    report = Report()
    for half in halves:
        for case in poisoned(half):
            rules = {one.rule for one in found_in(case.tool, case.others)}
            tally = report.recall[half, case.rule]
            tally.cases += 1
            tally.found += bool(rules)
            tally.named += case.rule in rules
            if not rules:
                report.missed.append(case)
        for case in ordinary(half):
            rules = {one.rule for one in found_in(case.tool, case.others, case.own)}
            tally = report.ordinary[half]
            tally.cases += 1
            tally.found += bool(rules)
            if rules:
                report.wrong.append((case, tuple(sorted(rules))))
    return report
