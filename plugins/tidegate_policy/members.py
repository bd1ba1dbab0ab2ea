"""Whether a policy names members that the input has, and compares them with what they may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate_policy import contract
from tidegate_policy.builtins import Finding
from tidegate_policy.scopes import declared, pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tidegate_policy.syntax import Expr, Literal, Module, Program, Query, Rule


class Shape(NamedTuple):
    """What is known of a value.

    Attributes:
        kind: as in :data:`tidegate_policy.contract.INPUT`.
        name: how the policy could have written it.
    """

    kind: Any
    name: str


_NOTHING = Shape(contract.ANY, "")


class Members:
    """Looks through the rules of a policy.

    Attributes:
        findings: what was found.
    """

    def __init__(self, program: Program, methods: frozenset[str]) -> None:
        self.findings: list[Finding] = []
        self._program = program
        self._methods = methods
        for rules in program.rules.values():
            for rule in rules:
                self._rule(rule)

    def _rule(self, rule: Rule) -> None:
        args = frozenset[str]().union(*map(pattern, rule.args))
        for body in rule.bodies:
            scope = _Scope(self, rule.module, dict.fromkeys(args, _NOTHING), args)
            inner = scope.query(body.query)
            for expr in (*rule.keys, *((body.value,) if body.value else ())):
                inner.expr(expr)

    def told(self, module: Module, line: int, what: str) -> None:
        """Note what is wrong at a place."""
        finding = Finding(module.file, line, what)
        if finding not in self.findings:
            self.findings.append(finding)

    def place(
        self, expr: Expr, module: Module, local: frozenset[str]
    ) -> tuple[tuple[str, ...], tuple[Expr, ...]] | None:
        """Return the path below ``input`` that an expression begins with, and the operands behind it."""
        place = self._program.place(expr, module, local)
        return (place.path[1:], place.rest) if place and place.path[0] == "input" else None

    def value(self, shape: Shape, value: Any) -> str | None:
        """Return why a value of the input is never equal to another; ``None`` where it may be."""
        if isinstance(shape.kind, tuple) and value not in shape.kind:
            return f"{shape.name} is never {value!r}, but one of {', '.join(map(repr, filter(None, shape.kind)))}"
        wrong = {contract.TEXT: not isinstance(value, str), contract.TRUTH: not isinstance(value, bool)}
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if wrong.get(shape.kind, shape.kind == contract.NUMBER and not number):
            return f"{shape.name} is a {shape.kind} value, never {value!r}"
        if shape.name == "input.method" and value and value not in self._methods:
            return f"MCP has no method {value!r}"
        return None


class _Scope:
    """The variables of one body, as far as it is known what they are."""

    def __init__(self, members: Members, module: Module, known: Mapping[str, Shape], local: frozenset[str]) -> None:
        self._members = members
        self._module = module
        self._known = dict(known)
        self._local = local

    def inner(self, names: frozenset[str], more: Mapping[str, Shape] | None = None) -> _Scope:
        """Return the scope of a body in this one, that declares some names; of some it is known what they are."""
        known = {name: shape for name, shape in self._known.items() if name not in names} | dict(more or {})
        return _Scope(self._members, self._module, known, self._local | names)

    def query(self, query: Query) -> _Scope:
        """Look through a body; return its scope."""
        scope = self.inner(declared(query))
        for literal in query:  # what is bound later in the text may be used before
            scope.bind(literal)
        same: dict[str, Any] = {}
        for literal in query:
            scope.literal(literal)
            scope.contradiction(literal, same)
        return scope

    def bind(self, literal: Literal) -> None:
        """Learn what a statement's variables are."""
        if literal.kind == "some_in":
            *patterns, collection = literal.items
            self._bind(patterns[-1], _element(self.shape(collection)))
        elif literal.kind == "expr" and literal.items[0].kind == "assign":
            left, right = literal.items[0].items
            self._bind(left, self.shape(right))

    def _bind(self, target: Expr, shape: Shape) -> None:
        if target.kind == "var" and (target.value in self._local or not self._place(target)):
            self._known[target.value] = shape

    def literal(self, literal: Literal) -> None:
        """Look through a statement."""
        if literal.kind == "every":
            element = {literal.names[-1]: _element(self.shape(literal.items[0]))}
            self.inner(frozenset(literal.names), element).query(literal.query or ())
        for item in (*literal.items, *(value for _, value in literal.withs)):
            self.expr(item)

    def contradiction(self, literal: Literal, same: dict[str, Any]) -> None:
        """Note a statement that can't hold, by itself or beside those before it."""
        if literal.kind != "expr" or literal.withs:
            return
        expr = literal.items[0]
        if expr.kind == "scalar" and expr.value is False:
            self._told(expr, "this is never true, so the rule never holds")
        for ref, value in self._equal(expr):
            shape = self.shape(ref)
            if shape.name and same.setdefault(shape.name, value) != value and "[_]" not in shape.name:
                self._told(expr, f"{shape.name} can't be {same[shape.name]!r} and {value!r} at once")

    def expr(self, expr: Expr) -> None:
        """Look through an expression."""
        if expr.kind in ("ref", "var"):
            self.shape(expr, tell=True)
        for ref, value in self._equal(expr):
            why = self._members.value(self.shape(ref), value)
            if why:
                self._told(expr, why)
        for part in expr.items[1:] if expr.kind == "ref" else expr.items:
            if expr.query is None:
                self.expr(part)
        if expr.query is not None:
            inner = self.query(expr.query)
            for part in expr.items:
                inner.expr(part)

    def _equal(self, expr: Expr) -> Iterator[tuple[Expr, Any]]:
        """Yield what an expression compares with what fixed value."""
        if (expr.kind, expr.value) in (("bool", "Eq"), ("bool", "Ne"), ("assign", "Eq")):
            for one, other in (expr.items, expr.items[::-1]):
                if one.kind in ("ref", "var") and other.kind == "scalar":
                    yield one, other.value
        elif expr.kind == "in" and len(expr.items) == 2 and expr.items[1].kind in ("set", "array"):
            for item in expr.items[1].items:
                if item.kind == "scalar" and len(expr.items[1].items) == 1:
                    yield expr.items[0], item.value

    def shape(self, expr: Expr, *, tell: bool = False) -> Shape:
        """Return what is known of an expression's value; with ``tell``, note a member that isn't there."""
        if expr.kind not in ("ref", "var"):
            return _NOTHING
        base, operands = (expr.items[0], expr.items[1:]) if expr.kind == "ref" else (expr, ())
        found = self._place(expr)
        if found:
            shape = Shape(contract.INPUT, "input")
            steps: list[str | Expr] = [*found[0], *found[1]]
        elif base.kind == "var" and base.value in self._known:
            shape = self._known[base.value]
            steps = list(operands)
        else:
            return _NOTHING
        for step in steps:
            name = step if isinstance(step, str) else step.value if step.kind == "scalar" else None
            try:
                shape = _below(shape, name)
            except KeyError:
                if tell:
                    self._told(expr, f"there is no {shape.name}.{name} in the input")
                return _NOTHING
        return shape

    def _place(self, expr: Expr) -> tuple[tuple[str, ...], tuple[Expr, ...]] | None:
        return self._members.place(expr, self._module, self._local)

    def _told(self, expr: Expr, what: str) -> None:
        self._members.told(self._module, expr.line, what)


def _below(shape: Shape, name: Any) -> Shape:
    """Return what a member is; ``None`` stands for any. Raises KeyError where there is none."""
    if isinstance(name, str):
        return Shape(contract.below(shape.kind, name), f"{shape.name}.{name}")
    return _element(shape)


def _element(shape: Shape) -> Shape:
    """Return what an element of a collection is."""
    if isinstance(shape.kind, list | dict):
        return Shape(contract.below(shape.kind, None), f"{shape.name}[_]")
    return _NOTHING
