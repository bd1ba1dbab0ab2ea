"""What is looked at in negated expressions before a policy is used: OPA has to take them, and they mean the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate_policy import scopes
from tidegate_policy.negation import NAME, moved_out, names
from tidegate_policy.syntax import Expr, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tidegate_policy.syntax import Literal, Module, Program, Query, Rule

_CALLS = frozenset(("call", "bin", "bool", "arith", "in", "unary", "assign"))
_NOTHING: frozenset[str] = frozenset()
_UNCLEAR = "what is negated in this rule can't be read for certain: give its parts names first"

Place = tuple[str, int, str]
"""File, line, and what is wrong there."""


def unsafe(program: Program) -> Iterator[Place]:
    """Yield where a negated expression has a variable without a value, which OPA refuses.

    Args:
        program: the policy as it is evaluated, with operands moved out.
    """
    for module in program.modules:
        for rule in module.rules:
            for body in rule.bodies:
                heads = (*rule.args, *rule.keys, *_some(body.value))
                found = [*_unbound(body.query, _own(*heads))]
                found += [each for head in heads for each in _within(head, _own(*heads))]
                for literal, name in found:
                    if program.place(Expr("var", literal.line, name), module) is None:
                        why = "a variable gets no value inside of not" if name == ":=" else f"{name} has no value there"
                        yield module.file, literal.line, f"OPA refuses what is negated here: {why}"


def memberships(program: Program) -> Iterator[Place]:
    """Yield where ``in`` stands as a value with an operand that may be missing: false for regorus, nothing for OPA."""
    for module in program.modules:
        for use in (each for rule in module.rules for each in scopes.uses(rule) if each.expr.kind == "in"):
            stands = use.literal is not None and use.expr is use.literal.items[0]
            if not stands and not all(_there(each, program, module, use.local) for each in use.expr.items):
                what = "false in the embedded engine where an operand is missing: give its operands names first"
                yield module.file, use.expr.line, f"this use of in as a value is {what}"


def _there(expr: Expr, program: Program, module: Module, local: frozenset[str]) -> bool:
    """Whether an expression has a value wherever its variables have one."""
    if expr.kind == "var":
        return program.place(expr, module, local) is None
    if expr.kind in ("array", "set", "object"):
        return all(_there(each, program, module, local) for each in expr.items)
    return expr.kind in ("scalar", "compr")


def _unbound(query: Query, around: frozenset[str]) -> Iterator[tuple[Literal, str]]:
    """Yield the variables of negated expressions that stand nowhere else, in a query and in those within it."""
    bound = {at: scopes.literal_names(each) for at, each in enumerate(query) if _gives(each)}
    for at, literal in enumerate(query):
        others = around.union(*(found for other, found in bound.items() if other != at)) - {"_"}
        expr = literal.items[0] if literal.items else Expr("unknown", literal.line)
        if _moved(literal):
            yield from ((literal, name) for name in sorted(_free(expr.items[1]) - others))
        elif literal.kind == "not":
            found = {":="} if expr.kind == "assign" and expr.value == "ColEq" else set(_free(expr, top=True) - others)
            yield from ((literal, name) for name in sorted(found) if not name.startswith(NAME))
        inner = others | _own(*literal.items) | set(literal.names)
        for item in (*literal.items, *(value for _, value in literal.withs)):
            yield from _within(item, inner)
        yield from _unbound(literal.query or (), inner)


def _within(expr: Expr, around: frozenset[str]) -> Iterator[tuple[Literal, str]]:
    if expr.query is not None:
        around |= _own(*expr.items)
        yield from _unbound(expr.query, around)
    for item in expr.items:
        yield from _within(item, around)


def _moved(literal: Literal) -> bool:
    """Whether a statement is one of those that were added."""
    return (
        literal.kind == "expr"
        and literal.items[0].kind == "assign"
        and str(literal.items[0].items[0].value).startswith(NAME)
    )


def _gives(literal: Literal) -> bool:
    """Whether a statement may give variables a value, for OPA: a call that is moved may."""
    return literal.kind != "not" and (not _moved(literal) or literal.items[0].items[1].kind in _CALLS)


def _own(*exprs: Expr) -> frozenset[str]:
    """Return the variables in expressions, but for those in the bodies of comprehensions."""
    return _NOTHING.union(*(_own(*each.items) | ({each.value} if each.kind == "var" else _NOTHING) for each in exprs))


def _free(expr: Expr, *, top: bool = False) -> frozenset[str]:
    """Return the variables that need a value: OPA moves calls out before it looks, and they may give some."""
    if expr.kind == "var":
        return frozenset((expr.value,))
    if expr.kind == "compr" or (expr.kind in _CALLS and not top):
        return _NOTHING
    return _NOTHING.union(*map(_free, expr.items))


def changed(modules: Sequence[tuple[str, str]]) -> Iterator[Place]:
    """Yield where what is evaluated isn't what was written, with nothing but operands moved.

    Raises:
        PolicyError: where a module is no Rego.
    """
    known = names(modules)
    for file, text in modules:
        moved = moved_out(file, text, known)
        if moved != text:
            yield from compared(file, text, moved)


def compared(file: str, text: str, moved: str) -> Iterator[Place]:
    """Yield where one text doesn't say what another does, with nothing but operands moved."""
    ((written,), (made,)) = (parse([(file, each)], as_written=True).modules for each in (text, moved))
    yield from _Comparison().modules(written, made)


class _Comparison:
    """Compares two modules, what was moved put back."""

    def __init__(self) -> None:
        self._moves: dict[str, Expr] = {}

    def modules(self, written: Module, made: Module) -> Iterator[Place]:
        if len(written.rules) != len(made.rules):
            yield written.file, 1, _UNCLEAR
        for left, right in zip(written.rules, made.rules, strict=False):
            if not self._rule(left, right) or self._moves:
                yield written.file, left.line, _UNCLEAR
                return

    def _rule(self, left: Rule, right: Rule) -> bool:
        return (
            (left.path, left.kind, left.line, len(left.bodies))
            == (right.path, right.kind, right.line, len(right.bodies))
            and self._exprs((*left.args, *left.keys), (*right.args, *right.keys))
            and all(
                self._query(one.query, other.query) and self._exprs(_some(one.value), _some(other.value))
                for one, other in zip(left.bodies, right.bodies, strict=True)
            )
        )

    def _query(self, left: Query, right: Query) -> bool:
        rest: list[Literal] = []
        moves: list[Literal] = []
        for each in right:
            if _moved(each):
                name, value = each.items[0].items
                self._moves[name.value] = value
                moves.append(each)
                continue
            if moves and (each.kind != "not" or not all(self._withs(move, each) for move in moves)):
                return False
            rest.append(each)
            moves = []
        return not moves and len(left) == len(rest) and all(map(self._literal, left, rest))

    def _literal(self, left: Literal, right: Literal) -> bool:
        return (
            (left.kind, left.names) == (right.kind, right.names)
            and self._withs(left, right)
            and self._exprs(left.items, right.items)
            and self._query(left.query or (), right.query or ())
        )

    def _withs(self, left: Literal, right: Literal) -> bool:
        parts = [tuple(part for pair in each.withs for part in pair) for each in (left, right)]
        return self._exprs(*parts)

    def _exprs(self, left: Sequence[Expr], right: Sequence[Expr]) -> bool:
        return len(left) == len(right) and all(map(self._expr, left, right))

    def _expr(self, left: Expr, right: Expr) -> bool:
        if right.kind == "var" and right.value in self._moves:
            right = self._moves.pop(right.value)
        return (
            (left.kind, left.value) == (right.kind, right.value)
            and self._query(left.query or (), right.query or ())
            and self._exprs(left.items, right.items)
        )


def _some(expr: Expr | None) -> tuple[Expr, ...]:
    return () if expr is None else (expr,)
