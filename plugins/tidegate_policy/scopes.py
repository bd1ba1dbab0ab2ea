"""Which names are local where, and every reference of a rule with the names that are local there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate_policy.syntax import Expr, Literal, Query, Rule

_NOTHING: frozenset[str] = frozenset()


class Use(NamedTuple):
    """An expression where it stands.

    Attributes:
        expr: the expression.
        local: the names that are local variables there.
        literal: the statement around it; ``None`` in a head.
    """

    expr: Expr
    local: frozenset[str]
    literal: Literal | None


def pattern(expr: Expr) -> frozenset[str]:
    """Return the variables that a pattern binds."""
    if expr.kind == "var":
        return frozenset((expr.value,))
    if expr.kind in ("array", "object"):
        return _NOTHING.union(*map(pattern, expr.items))
    return _NOTHING


def declared(query: Query) -> frozenset[str]:
    """Return the variables that the statements of a body declare, nested bodies aside."""
    found: set[str] = set()
    for literal in query:
        if literal.kind == "some":
            found.update(literal.names)
        elif literal.kind == "some_in":
            for part in literal.items[:-1]:
                found |= pattern(part)
        elif literal.kind == "expr" and literal.items[0].kind == "assign" and literal.items[0].value == "ColEq":
            found |= pattern(literal.items[0].items[0])
    return frozenset(found)


def uses(rule: Rule) -> Iterator[Use]:
    """Yield every expression of a rule, nested ones too; of a ref its operands, but not the name it begins with.

    What ``with`` replaces isn't used, only what it is replaced by.
    """
    args = _NOTHING.union(*map(pattern, rule.args))
    for arg in rule.args:
        yield from _inside(arg, args, None)
    for body in rule.bodies:
        local = args | declared(body.query)
        for key in rule.keys:
            yield from _inside(key, local, None)
        if body.value:
            yield from _inside(body.value, local, None)
        yield from _statements(body.query, local)


def _statements(query: Query, local: frozenset[str]) -> Iterator[Use]:
    for literal in query:
        for item in (*literal.items, *(value for _, value in literal.withs)):
            yield from _inside(item, local, literal)
        if literal.query is not None:
            yield from _statements(literal.query, local | set(literal.names) | declared(literal.query))


def _inside(expr: Expr, local: frozenset[str], literal: Literal | None) -> Iterator[Use]:
    yield Use(expr, local, literal)
    inner = local if expr.query is None else local | declared(expr.query)
    parts = expr.items[1:] if expr.kind == "ref" and expr.items[0].kind == "var" else expr.items
    for part in parts:
        yield from _inside(part, inner, literal)
    if expr.query is not None:
        yield from _statements(expr.query, inner)


def names(*exprs: Expr) -> frozenset[str]:
    """Return every variable's name in expressions, those of nested bodies and at the beginning of refs too."""
    found: set[str] = set()
    for expr in exprs:
        if expr.kind == "var":
            found.add(expr.value)
        found |= names(*expr.items)
        for literal in expr.query or ():
            found |= literal_names(literal)
    return frozenset(found)


def literal_names(literal: Literal) -> frozenset[str]:
    """Return every variable's name in a statement."""
    found = names(*literal.items, *(part for pair in literal.withs for part in pair))
    return found.union(*map(literal_names, literal.query or ()))
