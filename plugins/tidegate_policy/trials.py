"""Runs the tests of a policy: rules ``test_…``, each true or failed, on either engine, with the lines they reach."""

from __future__ import annotations

import json
from collections import Counter
from time import perf_counter
from typing import TYPE_CHECKING, Literal, NamedTuple

from tidegate_policy import evaluating, pieces
from tidegate_policy.projects import TESTS
from tidegate_policy.sources import Failure, Unit

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Sequence

    import regorus

    from tidegate_policy.pieces import Piece
    from tidegate_policy.sources import Engine

Outcome = Literal["passed", "failed", "error", "skipped"]

_TEST, _TODO = "test_", "todo_test_"
_TWICE = "there are several tests of this name, so one could hide another"
_CASES = "a test is a plain rule that is true; write cases with `every`"


class Trial(NamedTuple):
    """One test and what came of it.

    Attributes:
        name: its full name, as ``data.tidegate_test.test_deny``.
        file: where it stands.
        line: where it begins, or, where it failed, the statement that wasn't met.
        outcome: whether its value was true.
        why: what was wrong, in one line.
        prints: what it printed.
        ms: milliseconds it took.
    """

    name: str
    file: str
    line: int
    outcome: Outcome
    why: str = ""
    prints: tuple[str, ...] = ()
    ms: float = 0.0


class Lines(NamedTuple):
    """Which lines of a file the tests reached."""

    file: str
    covered: tuple[int, ...]
    missed: tuple[int, ...]

    @property
    def share(self) -> float:
        """Percent of the lines that can be reached."""
        total = len(self.covered) + len(self.missed)
        return 100.0 * len(self.covered) / total if total else 100.0


def listed(modules: Sequence[tuple[str, str]], wanted: re.Pattern[str] | None = None) -> list[Piece]:
    """Return the tests of a policy whose names fit."""
    return [
        piece
        for piece in pieces.pieces(modules)
        if piece.name.startswith((_TEST, _TODO)) and (wanted is None or wanted.search(f"{piece.package}.{piece.name}"))
    ]


def units(tests: Iterable[Piece]) -> list[Unit]:
    """Return what is asked for each test."""
    names = dict.fromkeys(f"{piece.package}.{piece.name}" for piece in tests)
    return [Unit(name, name) for name in names]


async def run(
    tests: Sequence[Piece], engine: regorus.Engine, other: Engine | None = None, given: Sequence[Unit] = ()
) -> list[Trial]:
    """Run tests.

    Args:
        tests: of :func:`listed`.
        engine: the embedded engine, with policy and tests in it.
        other: the engine that runs them, where it isn't the embedded one.
        given: what that one was loaded with.
    """
    known = {unit.name: unit for unit in given}
    times = Counter((piece.package, piece.name) for piece in tests)
    found = []
    for piece in tests:
        name = f"{piece.package}.{piece.name}"
        bare = Trial(name, piece.file, piece.line, "passed")
        if piece.name.startswith(_TODO):
            found.append(bare._replace(outcome="skipped"))
        elif times[piece.package, piece.name] > 1:
            found.append(bare._replace(outcome="error", why=_TWICE))
        elif piece.kind != "value":
            found.append(bare._replace(outcome="error", why=_CASES))
        elif other is None:
            found.append(_embedded(engine, piece, bare))
        else:
            found.append(await _elsewhere(other, known[name], engine, piece, bare))
    return found


def _embedded(engine: regorus.Engine, piece: Piece, bare: Trial) -> Trial:
    """Run a test in this process."""
    started, said, error = perf_counter(), "", ""
    try:
        said = engine.eval_rule_as_json(bare.name)
    except RuntimeError as raised:
        error = evaluating.told(str(raised))
    ms = round((perf_counter() - started) * 1000, 3)
    prints = tuple(str(line) for line in engine.take_prints())
    done = bare._replace(ms=ms, prints=prints)
    if error:
        return done._replace(outcome="error", why=error)
    return done if said == "true" else _failed(engine, piece, done, said)


async def _elsewhere(other: Engine, unit: Unit, engine: regorus.Engine, piece: Piece, bare: Trial) -> Trial:
    """Run a test in another engine; where in it a failed one stopped is looked up in this one."""
    started = perf_counter()
    asked = other.ask((unit,), {})
    answer = (asked if isinstance(asked, list) else await asked)[0]
    done = bare._replace(ms=round((perf_counter() - started) * 1000, 3))
    if isinstance(answer, Failure) and answer.kind != "undefined":
        said = {"error": "it fails", "timeout": "it takes too long", "down": "OPA can't be reached"}
        why = said.get(answer.kind, answer.kind)
        return done._replace(outcome="error", why=f"{answer.where}: {why}" if answer.where else why)
    if answer is True:
        return done
    return _failed(engine, piece, done, '"<undefined>"' if isinstance(answer, Failure) else json.dumps(answer))


def _failed(engine: regorus.Engine, piece: Piece, done: Trial, said: str) -> Trial:
    """Say where a test stopped."""
    if said not in ("<undefined>", '"<undefined>"'):
        return done._replace(outcome="failed", why="its value is false" if said == "false" else "its value isn't true")
    at = pieces.stop(engine, piece, {}).at
    if at is None:
        return done._replace(outcome="failed", why="it has no value")
    return done._replace(outcome="failed", line=at.line, why=f"not so: {at.shown}")


def coverage(engine: regorus.Engine, modules: Sequence[tuple[str, str]]) -> list[Lines]:
    """Return which lines an engine reached in its modules, of what is no test."""
    found = {}
    for each in json.loads(engine.get_coverage_report_as_json())["files"]:
        covered = set(each["covered"])
        found[each["path"]] = Lines(each["path"], *map(_sorted, (covered, set(each["not_covered"]) - covered)))
    unseen: dict[str, set[int]] = {}  # of a file that nothing was reached in the engine says nothing
    for piece in pieces.pieces(modules):
        if piece.file not in found:
            lines = {statement.line for statement in piece.statements}
            unseen.setdefault(piece.file, set()).update(lines or {piece.line})
    found |= {file: Lines(file, (), _sorted(lines)) for file, lines in unseen.items()}
    return sorted(lines for file, lines in found.items() if not file.endswith(TESTS))


def _sorted(numbers: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(numbers))


def total(lines: Iterable[Lines]) -> float:
    """Return the share of all files together, in percent."""
    every = list(lines)
    covered, missed = (tuple(n for each in every for n in getattr(each, part)) for part in ("covered", "missed"))
    return Lines("", covered, missed).share


def ranges(numbers: Sequence[int]) -> str:
    """Return line numbers in short: ``3, 7-9``."""
    out: list[list[int]] = []
    for number in numbers:
        if out and number == out[-1][1] + 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in out)
