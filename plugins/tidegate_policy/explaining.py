"""Explains a decision: which rules fired, where the others stopped, and which members of the input they read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate_policy import pieces, projects, reads, syntax, trials
from tidegate_policy.scopes import uses
from tidegate_policy.sources import MEMBERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import regorus

    from tidegate_policy.packs import Policy
    from tidegate_policy.pieces import Piece, Stop
    from tidegate_policy.sources import Answer, Unit
    from tidegate_policy.syntax import Path, Program, Rule
    from tidegate_policy.trials import Lines


class Explained(NamedTuple):
    """What became of one rule.

    Attributes:
        unit: the bundle, or the pack.
        member: ``deny``, ``redact``, ``hold`` or ``labels``; ``""`` for a rule that those lead to.
        name: what it says where it fires: ``readonly/tool``; or else its own name.
        place: file and line.
        stop: what became of it.
        used: whether what it gave is in the decision; true where it gave nothing.
        reads: the members of the input that it reads, itself or through what it leads to, and whether each is there.
    """

    unit: str
    member: str
    name: str
    place: str
    stop: Stop
    used: bool
    reads: dict[str, bool]


def explained(engine: regorus.Engine, policy: Policy, given: Mapping[str, Any]) -> list[Explained]:
    """Return what became of each rule that the units which are asked lead to, those of the decision's members first."""
    answers = projects.Asked(policy).answers(given)
    program = syntax.parse(policy.sources.modules)
    cut = {(piece.file, piece.line): piece for piece in pieces.pieces(policy.sources.modules)}
    phase, method = str(given.get("phase", "")), str(given.get("method", ""))
    found: list[Explained] = []
    for unit in policy.units:
        if not unit.applies(phase, method):
            continue
        start = tuple(unit.query.split("."))
        rules = [rule for rule in reads.reach(program, start).rules if rule.path != start]
        for rule in rules:
            piece = cut.get((rule.module.file, rule.line))
            if piece is not None and piece.kind != "function" and (piece.statements or _member(rule, start)):
                became = _explained(engine, program, unit, rule, piece, given)
                found.append(became._replace(used=_used(became, answers[unit.name])))
    order = (*MEMBERS, "")
    return sorted(found, key=lambda each: (order.index(each.member) == len(MEMBERS), each.unit, _key(each.place)))


def _key(place: str) -> tuple[str, int]:
    file, _, line = place.rpartition(":")
    return file, int(line)


def _member(rule: Rule, start: Path) -> str:
    """Return which member of the decision a rule makes, by its name."""
    return rule.path[-1] if rule.path[:-1] == start[:-1] and rule.path[-1] in MEMBERS else ""


def _explained(
    engine: regorus.Engine, program: Program, unit: Unit, rule: Rule, piece: Piece, given: Mapping[str, Any]
) -> Explained:
    stop = pieces.stop(engine, piece, given)
    member = _member(rule, tuple(unit.query.split(".")))
    named = {path: _there(path, given) for path in _reads(program, rule)}
    name = _name(rule, stop, piece) if member else piece.name
    return Explained(unit.name, member, name, piece.place, stop, used=True, reads=named)


def _used(became: Explained, answer: Answer) -> bool:
    """Whether what a rule of the decision gave is in it: a decision need not ask all of its rules."""
    if not became.member or not became.stop.fired or not isinstance(answer, dict):
        return True
    return any(value in answer.get(became.member, []) for value in became.stop.values)


def _name(rule: Rule, stop: Stop, piece: Piece) -> str:
    """Return what a rule of the decision says, as far as that is fixed."""
    said = [each.get("rule") or each.get("label") if isinstance(each, dict) else each for each in stop.values]
    names = list(dict.fromkeys(each for each in said if isinstance(each, str)))
    if names:
        return ", ".join(names[:4]) + (", …" if len(names) > 4 else "")
    for key in rule.keys:
        if key.kind == "scalar" and isinstance(key.value, str):
            return key.value
        parts = dict(zip(key.items[::2], key.items[1::2], strict=False)) if key.kind == "object" else {}
        for part, value in parts.items():
            if part.value in ("rule", "label") and value.kind == "scalar":
                return str(value.value)
    return piece.name


def _reads(program: Program, rule: Rule) -> list[str]:
    """Return the members of the input that one definition reads, with what it leads to."""
    found: set[Path] = set()
    starts: list[Path] = []
    for expr, local, _ in uses(rule):
        if expr.kind == "call" and (path := program.function(expr, rule.module)):
            starts.append(path)
        elif expr.kind in ("var", "ref") and (place := program.place(expr, rule.module, local)):
            if place.path[0] == "input":
                found.add(place.path[1:])
            else:
                starts += program.under(place.path)
    found |= reads.reads(program, *(path for path in starts if path != rule.path))
    return sorted(".".join(("input", *path)) for path in found)


def _there(path: str, given: Any) -> bool:
    for name in path.split(".")[1:]:
        if not isinstance(given, dict) or name not in given:
            return False
        given = given[name]
    return True


def lines(policy: Policy, engine: regorus.Engine, given: Mapping[str, Any]) -> list[Lines]:
    """Return which lines an evaluation reaches."""
    copy = engine.clone()
    copy.set_enable_coverage(True)
    copy.set_input(given)
    phase, method = str(given.get("phase", "")), str(given.get("method", ""))
    for unit in policy.units:
        if unit.applies(phase, method):
            try:
                copy.eval_rule_as_json(unit.query)
            except RuntimeError:
                continue  # it is told of elsewhere; what it reached counts
    return trials.coverage(copy, policy.sources.modules)


def as_json(found: Iterable[Explained], reached: Iterable[Lines]) -> dict[str, Any]:
    """Return an explanation for scripts."""
    rules = [
        {
            "unit": each.unit,
            "member": each.member or None,
            "name": each.name,
            "place": each.place,
            "fired": each.stop.fired and each.used,
            "stopped": None if each.stop.at is None else {"line": each.stop.at.line, "statement": each.stop.at.shown},
            "error": each.stop.error or None,
            "reads": [{"member": path, "there": there} for path, there in each.reads.items()],
        }
        for each in found
    ]
    return {"rules": rules, "reached": {each.file: list(each.covered) for each in reached if each.covered}}
