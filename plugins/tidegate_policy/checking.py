"""Everything that can be told of a policy without a message: ``tidegate policy check``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import regorus

from tidegate.testing import samples
from tidegate_policy import bounds, builtins, evaluating, members, negated, reads, scopes, shapes, syntax
from tidegate_policy.builtins import Finding
from tidegate_policy.sources import PHASES, Failure
from tidegate_policy.view import View

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tidegate_policy.sources import Sources
    from tidegate_policy.syntax import Path, Program

_DECISION, _CONSTANTS = "decision", ("applies", "defaults")
_PACKS = ("data", "tidegate", "packs")


class Checked(NamedTuple):
    """What was found.

    Attributes:
        findings: what is wrong.
        notes: what is worth knowing.
    """

    findings: list[Finding]
    notes: list[Finding]


def check(sources: Sources) -> Checked:
    """Look for what is wrong with a policy.

    Raises:
        PolicyError: where a module is no Rego.
    """
    program = syntax.parse(sources.modules)
    decisions = [path for path in program.rules if path[-1] == _DECISION and path[:2] == ("data", "tidegate")]
    findings = builtins.refusals(program)
    findings += [Finding(*place) for place in negated.changed(sources.modules)]
    unfit = bool(findings)
    findings += builtins.differences(program)
    findings += members.Members(program, _methods()).findings
    findings += _unused(program, decisions)
    findings += _patterns(program)
    for decision in decisions:
        findings += shapes.shapes(program, decision)
    data = sources.data if unfit else _data(program, sources)
    if not unfit:
        engine = evaluating.Policy(sources.modules, data)
        findings += _tried(program, engine, decisions, {(each.file, each.line) for each in findings})
    if not decisions:
        file = program.modules[0].file if program.modules else "."
        findings.append(Finding(file, 1, "there is no rule data.tidegate.decision, so every message is denied"))
    return Checked(sorted(set(findings)), sorted(_notes(program, data, decisions)))


def _methods() -> frozenset[str]:
    return frozenset(sample.message.method or "" for sample in samples())


def _unused(program: Program, decisions: list[Path]) -> Iterator[Finding]:
    """Yield the rules that no decision leads to; the first definition of each."""
    roots = [(*path[:-1], name) for path in decisions for name in (_DECISION, *_CONSTANTS)]
    used = {rule.path for rule in reads.reach(program, *roots).rules}
    for path, rules in program.rules.items():
        if path not in used and decisions:
            name = ".".join(path[len(rules[0].module.package) :])
            yield Finding(rules[0].module.file, rules[0].line, f"no decision uses {name}")


def _patterns(program: Program) -> Iterator[Finding]:
    """Yield the regular expressions in the text that the embedded engine doesn't take."""
    engine = regorus.Engine()
    engine.add_policy("x", "package x\n\nimport rego.v1\n\nvalid := regex.is_valid(input.pattern)\n")
    for call, rule in builtins.used(program):
        at = 1 if call.value == "regex.replace" else 0
        pattern = call.items[at].value if str(call.value).startswith("regex.") and len(call.items) > at else None
        if not isinstance(pattern, str) or call.items[at].kind != "scalar":
            continue
        engine.set_input({"pattern": pattern})
        try:
            wrong = "" if engine.eval_rule("data.x.valid") else "the regular expression is not valid"
        except RuntimeError:
            wrong = "the regular expression is too large for the embedded engine: \\w and the like are Unicode there"
        if wrong:
            yield Finding(rule.module.file, call.line, wrong)


def _tried(
    program: Program, policy: evaluating.Policy, decisions: list[Path], known: set[tuple[str, int]]
) -> Iterator[Finding]:
    """Yield where the policy fails, or gives no decision, about a sample of each kind of message."""
    view, told = View(), set[Finding]()
    inputs = [(str(sample.message.method), view.of(sample.message, sample.flow)) for sample in samples()]
    for decision in decisions:
        rule = program.rules[decision][0]
        applies = _constant(policy, (*decision[:-1], "applies"))
        yield from _applies(program, decision, applies)
        for method, given in inputs:
            if not _asked(applies, given):
                continue
            wrong = _wrong(policy, decision, given, f"{method} ({given['phase']})")
            if wrong is None:
                continue
            file, line, what = wrong if wrong.file else Finding(rule.module.file, rule.line, wrong.what)
            if (file, line) not in known and not any(each[:2] == (file, line) for each in told):
                told.add(Finding(file, line, what))
    yield from told


def _wrong(policy: evaluating.Policy, decision: Path, given: dict[str, Any], about: str) -> Finding | None:
    (answer,) = policy.ask((".".join(decision),), given)
    if isinstance(answer, Failure):
        if answer.kind == "undefined":
            return Finding("", 0, f"there is no decision about {about}, so it is denied")
        file, _, line = answer.where.rpartition(":")
        return Finding(file, int(line or 0), f"this fails for {about}, so it is denied")
    wrong = shapes.wrong(json.loads(answer))
    return Finding("", 0, f"the decision about {about} has the wrong shape: {wrong}") if wrong else None


def _data(program: Program, sources: Sources) -> dict[str, Any]:
    """Return the data, with the defaults of packs."""
    policy = evaluating.Policy(sources.modules, sources.data)
    data = dict(sources.data)
    for path in program.rules:
        if path[:3] == _PACKS and path[4:] == ("defaults",):
            data[path[3]] = (_constant(policy, path) or {}) | data.get(path[3], {})
    return data


def _constant(policy: evaluating.Policy, path: Path) -> Any:
    (value,) = policy.ask((".".join(path),))
    return None if isinstance(value, Failure) else json.loads(value)


def _asked(applies: Any, given: dict[str, Any]) -> bool:
    wanted = applies if isinstance(applies, dict) else {}
    return all(
        given[member] in wanted[name] for name, member in (("phases", "phase"), ("methods", "method")) if name in wanted
    )


def _applies(program: Program, decision: Path, applies: Any) -> Iterator[Finding]:
    """Yield what is wrong with a rule ``applies``."""
    rules = program.rules.get((*decision[:-1], "applies"), ())
    for rule in rules[:1]:
        file, line = rule.module.file, rule.line
        if not isinstance(applies, dict) or not all(isinstance(value, list) for value in applies.values()):
            yield Finding(file, line, "applies is an object of lists: phases, methods")
            return
        if any(use.expr.kind in ("ref", "var") for use in scopes.uses(rule)):
            yield Finding(file, line, "applies is read once, when the policy is loaded: it can't depend on anything")
        known = {"phases": frozenset(PHASES), "methods": _methods()}
        for name, values in applies.items():
            if name not in known:
                yield Finding(file, line, f"applies has no member {name!r}, only phases and methods")
            for value in [value for value in values if name in known and value not in known[name]]:
                what = "there is no phase" if name == "phases" else "MCP has no method"
                yield Finding(file, line, f"{what} {value!r}")


def _notes(program: Program, data: Mapping[str, Any], decisions: list[Path]) -> Iterator[Finding]:
    """Yield which decisions are evaluated in a process of their own, and why."""
    for decision in decisions:
        found = bounds.bound(program, decision, data)
        if found.cost is None:
            file, line, why = found.why.split(":", 2)
            what = f"{'.'.join(decision)} is always evaluated in a process of its own, which is slower:{why}"
            yield Finding(file, int(line), what)
