"""What a policy can read: the rules that a query leads to, and the members of ``input`` that they name."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tidegate_policy.scopes import uses
from tidegate_policy.syntax import parse
from tidegate_policy.view import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidegate_policy.sources import Sources
    from tidegate_policy.syntax import Path, Program, Rule

ALL: frozenset[Path] = frozenset({()})
"""The whole input."""


class Read(NamedTuple):
    """One place where a policy names a member of the input, or a base document.

    Attributes:
        path: from ``input`` or ``data`` on; whatever is below it may be read too.
        file: the module.
        line: the line.
    """

    path: Path
    file: str
    line: int


class Reach(NamedTuple):
    """What a query leads to.

    Attributes:
        rules: every definition that may be evaluated, in the order they were found.
        reads: every place where the input is read.
        data: every place where data is named that no rule makes.
    """

    rules: list[Rule]
    reads: list[Read]
    data: list[Read]


def reach(program: Program, *starts: Path) -> Reach:
    """Follow references and calls from some rules on.

    Args:
        program: the policy.
        starts: full paths, such as ``("data", "tidegate", "decision")``.
    """
    found = Reach([], [], [])
    waiting = [path for start in starts for path in program.under(start)]
    seen = set(waiting)
    while waiting:
        for rule in program.rules[waiting.pop(0)]:
            found.rules.append(rule)
            for path in _follow(program, rule, found):
                if path not in seen:
                    seen.add(path)
                    waiting.append(path)
    return found


def _follow(program: Program, rule: Rule, found: Reach) -> list[Path]:
    """Note what a rule reads, and return the paths of the rules it leads to."""
    file = rule.module.file
    reached: list[Path] = []
    if rule.kind == "unknown":
        found.reads.append(Read(("input",), file, rule.line))
    for expr, local, _ in uses(rule):
        if expr.kind == "unknown":
            found.reads.append(Read(("input",), file, expr.line))
        elif expr.kind == "call":
            path = program.function(expr, rule.module)
            reached += [path] if path else []
        elif expr.kind in ("var", "ref") and (place := program.place(expr, rule.module, local)):
            if place.path[0] == "input":
                found.reads.append(Read(place.path, file, expr.line))
                continue
            rules = program.under(place.path)
            reached += rules
            if not rules or place.path not in program.rules:
                found.data.append(Read(place.path, file, expr.line))
    return reached


def reads(program: Program, *starts: Path) -> frozenset[Path]:
    """Return the members of ``input`` that some rules can read, each with all that is below it.

    Args:
        program: the policy.
        starts: full paths, such as ``("data", "tidegate", "decision")``.

    Returns:
        Paths without ``input``, none of them below another: ``{("session", "calls"), ("method",)}``; :data:`ALL` where
        the input is read as a whole, or by a name that is computed.
    """
    return _highest(read.path[1:] for read in reach(program, *starts).reads)


def _highest(paths: Iterable[Path]) -> frozenset[Path]:
    wanted = set(paths)
    return frozenset(path for path in wanted if not any(path[:length] in wanted for length in range(len(path))))


def needs(paths: frozenset[Path], *member: str) -> bool:
    """Say whether a member of the input has to be there, in whole or in part."""
    return any(path[: len(member)] == member[: len(path)] for path in paths)


def wanted(sources: Sources, queries: Iterable[str]) -> frozenset[str]:
    """Return which members of the input have to be made for some queries, of :data:`tidegate_policy.view.EVERYTHING`.

    Raises:
        PolicyError: where a module is no Rego.
    """
    paths = reads(parse(sources.modules), *(tuple(query.split(".")) for query in queries))
    return frozenset(member for member in EVERYTHING if needs(paths, *member.split(".")))
