"""Measures a policy: how long its inputs take to make, and how long an engine takes to answer.

What is done in this process is measured in its CPU time, so that what else the machine does isn't; OPA by the clock.
"""

from __future__ import annotations

from statistics import median
from time import perf_counter_ns, thread_time_ns
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from tidegate import testing
from tidegate_policy import projects
from tidegate_policy.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import regorus

    from tidegate_policy.packs import Policy
    from tidegate_policy.sources import Engine, Unit

_LEAST = 20  # measurements, however long they take
LARGE = 100_000
"""Characters of the large argument."""


class Timing(NamedTuple):
    """How long something took.

    Attributes:
        case: which message.
        what: what was measured.
        median: microseconds.
        p99: microseconds that 99 of 100 stay below.
        runs: how often it was done.
    """

    case: str
    what: str
    median: float
    p99: float
    runs: int


class Maker:
    """Makes the input of one message, each time of a new one: a message keeps what was once read of it.

    Args:
        view: what makes inputs.
        text: the message.
    """

    def __init__(self, view: View, text: bytes) -> None:
        self._view = view
        self._text = text
        self.fresh()

    def fresh(self) -> None:
        """Read the message anew."""
        self._message = testing.parse(self._text)
        self._flow = testing.flow(self._message)

    def make(self) -> dict[str, Any]:
        """Return the input."""
        return self._view.of(self._message, self._flow)


class Case(NamedTuple):
    """One message, as it is measured: its input, and what makes it, if it is made here."""

    name: str
    given: dict[str, Any]
    maker: Maker | None


def cases(wants: frozenset[str]) -> list[Case]:
    """Return a call with small arguments and one with large ones."""
    found = []
    for name, text in (("small", "a line of text"), ("100 KB", "a line of text, and more. " * (LARGE // 26))):
        arguments = {"path": "/data/notes.txt", "content": text}
        message = testing.request("tools/call", {"name": "write_file", "arguments": arguments})
        maker = Maker(View(wants), message.encoded)
        found.append(Case(name, maker.make(), maker))
    return found


def measured(case: Case, policy: Policy, engine: regorus.Engine, seconds: float) -> list[Timing]:
    """Measure the embedded engine: the input, handing it over, each unit, and all together."""
    units = _units(case, policy)

    def hand_over() -> None:
        engine.set_input(case.given)

    def everything() -> None:
        engine.set_input(case.given if case.maker is None else case.maker.make())
        _asking(engine, units)()

    fresh = int if case.maker is None else case.maker.fresh
    todo = [] if case.maker is None else [_Action("making the input", case.maker.make, fresh)]
    todo.append(_Action("handing it over", hand_over))
    todo += [_Action(f"embedded: {unit.name}", _asking(engine, (unit,)), hand_over) for unit in units]
    todo.append(_Action("embedded: all of it", everything, fresh))
    return [_timing(case.name, action.what, _repeated(action, seconds / len(todo))) for action in todo]


class _Action(NamedTuple):
    """What is measured, and what comes before it each time, unmeasured."""

    what: str
    do: Callable[[], object]
    before: Callable[[], object] = int


def _asking(engine: regorus.Engine, units: Iterable[Unit]) -> Callable[[], object]:
    queries = [unit.query for unit in units]

    def ask() -> None:
        for query in queries:
            orjson.loads(engine.eval_rule_as_json(query))

    return ask


async def measured_elsewhere(case: Case, policy: Policy, other: Engine, seconds: float) -> Timing:
    """Measure another engine: all units together, the input handed over."""
    units = _units(case, policy)
    took: list[int] = []
    until = perf_counter_ns() + int(seconds * 1e9)
    while len(took) < _LEAST or perf_counter_ns() < until:
        started = perf_counter_ns()
        asked = other.ask(units, case.given)
        if not isinstance(asked, list):
            await asked
        took.append(perf_counter_ns() - started)
    return _timing(case.name, "opa: all units", took)


def _units(case: Case, policy: Policy) -> list[Unit]:
    phase, method = str(case.given.get("phase", "")), str(case.given.get("method", ""))
    left = undecided(policy, case)
    return [unit for unit in policy.units if unit.applies(phase, method) and unit.name not in left]


def _repeated(action: _Action, seconds: float) -> list[int]:
    took: list[int] = []
    action.before()
    action.do()  # the first time is another matter
    until = perf_counter_ns() + int(seconds * 1e9)
    while len(took) < _LEAST or perf_counter_ns() < until:
        action.before()
        started = thread_time_ns()
        action.do()
        took.append(thread_time_ns() - started)
    return took


def _timing(case: str, what: str, took: Sequence[int]) -> Timing:
    ordered = sorted(took)
    late = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return Timing(case, what, round(median(ordered) / 1000, 1), round(late / 1000, 1), len(ordered))


def undecided(policy: Policy, case: Case) -> list[str]:
    """Return the units that give no decision about a case: what they do isn't measured."""
    answers = projects.Asked(policy).answers(case.given)
    return [name for name, answer in answers.items() if not isinstance(answer, dict)]
