"""How long a policy can take: an upper bound from its text, as a polynomial in the size of the input.

One step is the evaluation of one expression, or the look at one JSON node or some characters: about 0.1 microseconds at
most. How they are counted: :mod:`tidegate_policy.sizes`. Logarithms are left out: a lookup in an object or a set is one
step and a look at the key. Where there is doubt, the bound is higher, or there is none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tidegate_policy import contract
from tidegate_policy.bodies import Body, UnboundedError, UnboundError
from tidegate_policy.polynomials import CHARS, LONGEST, NODES, ONE, ZERO, Poly, TooSteepError
from tidegate_policy.scopes import declared, pattern
from tidegate_policy.sizes import UNKNOWN, Frame, Size, Value, flat, known, size
from tidegate_policy.syntax import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tidegate_policy.sources import Sources
    from tidegate_policy.syntax import Path, Place, Program, Rule

__all__ = ["Bound", "Size", "bound", "costs", "size"]

_STEPS = 200_000  # of reading the policy; more only where functions call functions by the thousand


@dataclass(frozen=True, slots=True)
class Bound:
    """What evaluating a query costs at most.

    Attributes:
        cost: steps, where there is a bound.
        why: otherwise, ``FILE:LINE: why not``.
    """

    cost: Poly | None
    why: str = ""

    def steps(self, size: Size) -> float:
        """Return the most steps for an input of a size; infinite without a bound."""
        return self.cost.at(*(max(each, 1) for each in size)) if self.cost else float("inf")

    @property
    def exponents(self) -> tuple[int, int] | None:
        """The highest power of the input's size in it, and how many sizes of data or literals are multiplied."""
        return (self.cost.input, self.cost.data) if self.cost else None


def costs(sources: Sources, queries: Iterable[str]) -> dict[str, Bound]:
    """Return the bound of each of some queries, such as ``data.tidegate.decision``.

    Raises:
        PolicyError: where a module is no Rego.
    """
    program = parse(sources.modules)
    return {query: bound(program, tuple(query.split(".")), sources.data) for query in queries}


def bound(program: Program, query: Path, data: Mapping[str, Any] | None = None) -> Bound:
    """Return an upper bound of what evaluating a rule costs.

    Args:
        program: the policy.
        query: the rule's path, such as ``("data", "tidegate", "decision")``.
        data: the base documents: the sizes of collections in them are in the bound.
    """
    reader = _Reader(program, data or {})
    try:
        reader.placed_rules(query, 0)
    except UnboundedError as error:
        return Bound(None, f"{reader.file}:{error.line}: {error}")
    except TooSteepError as error:
        return Bound(None, f"{reader.file}:{reader.line}: {error}")
    return Bound(reader.cost)


class _Reader:
    """Reads the rules that a query leads to, each once, and functions once for each call.

    Attributes:
        program: the policy.
        cost: what all rules that were read cost.
        file: the module that is being read.
        line: the line that is being read.
    """

    def __init__(self, program: Program, data: Mapping[str, Any]) -> None:
        self.program = program
        self.cost = ZERO
        self.file = ""
        self.line = 1
        self._data = data
        self._rules: dict[Path, Value] = {}
        self._open: list[Path] = []
        self._steps = _STEPS

    def placed_rules(self, path: Path, line: int) -> list[Value]:
        """Return what the rules are that a path leads to."""
        return [self._rule(each, line) for each in self.program.under(path)]

    def _rule(self, path: Path, line: int) -> Value:
        """Return what the value of a rule may be; what it costs is added once."""
        if path not in self._rules:
            frame, rules = Frame(()), self.program.rules[path]
            values = [value for rule in rules for value in self._definition(rule, frame, (), line)]
            self.cost += sum((poly for _, poly in frame.charges()), ZERO)
            sets = all(rule.kind == "set" for rule in rules)
            adding = any(rule.kind in ("set", "object") for rule in rules)
            self._rules[path] = replace(frame.gather(values), sets=sets) if adding else self._one(rules, values, frame)
        return self._rules[path]

    def _one(self, rules: Sequence[Rule], values: Sequence[Value], frame: Frame) -> Value:
        """Return what one value of several is; it is known where there is one and it has no condition."""
        conditions = len(values) > 1 or any(body.query for rule in rules for body in rule.bodies)
        return replace(frame.either(values), known=UNKNOWN) if conditions else values[0]

    def _definition(self, rule: Rule, around: Frame, args: Sequence[Value], line: int) -> list[Value]:
        """Read one definition of a rule or function, and return what each of its bodies gives."""
        if rule.path in self._open:
            raise UnboundedError(line, f"{rule.path[-1]} comes back to itself")
        if rule.kind == "unknown":
            raise UnboundedError(rule.line, "what stands there is not understood")
        file, self.file = self.file, rule.module.file
        self._open.append(rule.path)
        try:
            found = [self._body(rule, index, around, args) for index in range(len(rule.bodies))]
        except UnboundError as error:
            raise UnboundedError(rule.line, f"the variable {error} gets no value") from None
        self._open.pop()
        self.file = file
        return found

    def _body(self, rule: Rule, index: int, around: Frame, args: Sequence[Value]) -> Value:
        body = rule.bodies[index]
        local = frozenset[str]().union(declared(body.query), *map(pattern, rule.args))
        reader = Body(self, rule.module, Frame(around.chains, {}, local))
        frame = reader.frame
        for parameter, value in zip(rule.args, args, strict=False):
            reader.bind(parameter, value)
        reader.query(body.query)
        keys = [reader.value(key) for key in rule.keys]
        value = reader.value(body.value) if body.value else flat()
        if rule.kind in ("set", "object"):
            frame.work(*keys)
            made = frame.collected(keys if rule.kind == "set" else [*keys, value], around, once=True)
        else:
            made = frame.result(value)
        around.take(frame)
        return made

    def call(self, path: Path, around: Frame, args: Sequence[Value], line: int) -> Value:
        """Read a function as it is called."""
        found = [value for rule in self.program.rules[path] for value in self._definition(rule, around, args, line)]
        return around.either(found)

    def placed(self, place: Place, line: int) -> Value:
        """Return what a place may hold."""
        if place.path[0] == "input":
            return _given(place.path[1:])
        values = self.placed_rules(place.path, line)
        if not values or place.path not in self.program.rules:
            values.append(self._base(place.path[1:]))
        return Frame(()).gather(values) if len(values) > 1 else values[0]

    def _base(self, path: Path) -> Value:
        """Return what a base document is."""
        found: Any = self._data
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return known(found)

    def step(self, line: int) -> None:
        """Count a step of reading."""
        self.line = line
        self._steps -= 1
        if self._steps < 0:
            raise UnboundedError(line, "functions call one another too often to tell")


def _given(path: Path) -> Value:
    """Return what a member of the input may be."""
    kind = contract.at(path)
    if kind == contract.TEXT:
        return Value(0, ONE, LONGEST)
    if isinstance(kind, tuple) or kind in (contract.NUMBER, contract.TRUTH):
        return replace(flat(), fixed=False)
    return Value(0, NODES, CHARS, longest=LONGEST)
