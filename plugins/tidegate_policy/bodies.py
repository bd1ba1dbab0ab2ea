"""Reads one body of a rule, statement by statement, and charges what it costs; see :mod:`tidegate_policy.sizes`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from tidegate_policy import growth
from tidegate_policy.polynomials import ZERO
from tidegate_policy.scopes import declared, literal_names, pattern
from tidegate_policy.sizes import UNKNOWN, Value, flat, known, part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tidegate_policy.polynomials import Poly
    from tidegate_policy.sizes import Frame
    from tidegate_policy.syntax import Expr, Literal, Module, Path, Place, Program, Query


class UnboundedError(ValueError):
    """There is no bound: the line, and why not."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line


class UnboundError(ValueError):
    """A variable has no value yet: the statement has to wait."""


class Rules(Protocol):
    """What a body needs to know of the rest of the policy."""

    program: Program

    def placed(self, place: Place, line: int) -> Value:
        """Return what a place may hold."""
        ...

    def call(self, path: Path, around: Frame, args: Sequence[Value], line: int) -> Value:
        """Read a function as it is called."""
        ...

    def step(self, line: int) -> None:
        """Count a step of reading. Raises UnboundedError where there were too many."""
        ...


class Body:
    """Reads the statements and expressions of one body.

    Attributes:
        frame: its variables, loops and charges.
    """

    def __init__(self, rules: Rules, module: Module, frame: Frame) -> None:
        self._rules = rules
        self._module = module
        self.frame = frame

    # -- statements

    def query(self, query: Query) -> None:
        """Read statements, each as soon as its variables have values. Raises UnboundError where one never has."""
        waiting = list(query)
        while waiting:
            later: list[Literal] = []
            missing: UnboundError | None = None
            for literal in waiting:
                lacking = self._literal(literal)
                if lacking:
                    later.append(literal)
                    missing = missing or lacking
            if missing and len(later) == len(waiting):
                raise missing
            waiting = later

    def _literal(self, literal: Literal) -> UnboundError | None:
        """Read one statement; return what is missing where it has to wait."""
        if literal.withs:
            raise UnboundedError(literal.line, "with replaces what rules see, so they are evaluated again")
        frame = self.frame
        before = set(frame.values)
        saved = frame.begin(literal_names(literal))
        frame.charge()
        try:
            self._statement(literal)
        except UnboundError as error:
            frame.undo(saved)
            return error
        frame.end(frozenset(frame.values.keys() - before))
        return None

    def _statement(self, literal: Literal) -> None:
        if literal.kind == "expr":
            self._expression(literal.items[0])
        elif literal.kind == "some_in":
            *patterns, collection = literal.items
            visited = self.frame.loop(self.value(collection))
            for each in patterns:
                self.bind(each, visited)
        elif literal.kind in ("not", "every"):
            self._nested(literal)
        elif literal.kind != "some":
            raise UnboundedError(literal.line, "the statement is not understood")

    def _inner(self, names: frozenset[str]) -> Body:
        return Body(self._rules, self._module, self.frame.inner(names))

    def _nested(self, literal: Literal) -> None:
        """Read ``not`` and ``every``: what they bind is theirs alone."""
        query = literal.query or ()
        inner = self._inner(frozenset(literal.names) | declared(query))
        value = inner.value(literal.items[0])
        if literal.kind == "every":
            visited = inner.frame.loop(value)
            inner.frame.values |= dict.fromkeys(literal.names, visited)
            inner.query(query)
        self.frame.take(inner.frame)

    def _expression(self, expr: Expr) -> None:
        if expr.kind == "assign":
            left, right = expr.items
            try:
                value = self.value(right)
            except UnboundError:
                if expr.value == "ColEq":
                    raise
                left, value = right, self.value(left)
            self.bind(left, value, anew=expr.value == "ColEq")
        elif expr.kind == "call" and expr.value == "walk" and len(expr.items) == 2:
            self._walk(expr)
        elif expr.kind == "call" and self._output(expr):
            self.bind(expr.items[-1], self._call(replace(expr, items=expr.items[:-1])))
        else:
            self.value(expr)

    def _output(self, call: Expr) -> bool:
        """Say whether a function is called with one argument more, which takes its value."""
        program = self._rules.program
        path = program.function(call, self._module)
        rules = program.rules[path] if path else ()
        return len(call.items) - 1 in {len(rule.args) for rule in rules if rule.kind == "function"}

    def _walk(self, call: Expr) -> None:
        """Read ``walk(x, [path, value])``: paths, and parts within parts, which may be all the whole each."""
        whole = replace(part(self.value(call.items[0])), tip=0)
        self.frame.charge(whole.nodes * whole.nodes)
        self.frame.loop(whole)
        self.bind(call.items[1], whole)

    # -- patterns

    def bind(self, target: Expr, value: Value, *, anew: bool = False) -> None:
        """Give the variables of a pattern their values; what has one already is compared."""
        if target.kind == "var":
            self._bind_name(target, value, anew=anew)
        elif target.kind in ("array", "object"):
            self.frame.charge()
            for index, item in enumerate(target.items):
                if target.kind == "object" and index % 2 == 0:
                    self._compare(self.value(item), value)
                else:
                    self.bind(item, part(value), anew=anew)
        else:
            self._compare(self.value(target), value)

    def _bind_name(self, target: Expr, value: Value, *, anew: bool) -> None:
        frame, name = self.frame, target.value
        if name == "_":
            return
        if (name in frame.values and not anew) or (name not in frame.local and self._place(target)):
            self._compare(self.value(target), value)
        else:
            frame.values[name] = value

    def _compare(self, left: Value, right: Value) -> None:
        """Charge a comparison: it ends where the smaller one does."""
        frame = self.frame
        ranked = sorted((left, right), key=lambda value: (not value.fixed, not frame.covers(value), value.size.input))
        frame.work(ranked[0])

    # -- expressions

    def value(self, expr: Expr) -> Value:
        """Read an expression, and return what its value may be.

        Raises:
            UnboundError: where a variable in it has no value yet.
            UnboundedError: where there is no bound.
        """
        self._rules.step(expr.line)
        self.frame.charge()
        kind = expr.kind
        if kind == "scalar":
            return known(expr.value)
        if kind in ("var", "ref"):
            return self._ref(expr)
        if kind == "call":
            return self._call(expr)
        if kind == "compr":
            return self._comprehension(expr)
        if kind in ("array", "set", "object"):
            return self._collection(expr)
        if kind == "assign":
            self._expression(expr)
            return flat()
        return self._operation(expr)

    def _operation(self, expr: Expr) -> Value:
        frame = self.frame
        if expr.kind not in ("bin", "arith", "unary", "bool", "in"):
            raise UnboundedError(expr.line, f"{expr.value or expr.kind} is not understood")
        values = [self.value(item) for item in expr.items]
        if expr.kind == "bool":
            self._compare(*values)
        elif expr.kind == "in":
            frame.work(*values[:-1])
            frame.search(values[-1])
        else:
            frame.work(*values)
        if expr.kind in ("bool", "in"):
            return flat(*values)
        return replace(frame.gather(values), sets=any(value.sets for value in values))

    def _collection(self, expr: Expr) -> Value:
        """Read an array, a set or an object that is written out; of what is known it is a size of data."""
        values = [self.value(item) for item in expr.items]
        sets = expr.kind == "set"
        if expr.kind != "array":
            self.frame.work(*values)
        members = [each.known for each in values]
        if UNKNOWN not in members:
            if expr.kind != "object":
                return known(members, sets=sets)
            if all(isinstance(key, str) for key in members[::2]):
                return known(dict(zip(members[::2], members[1::2], strict=True)))
        return replace(self.frame.gather(values), sets=sets)

    def _place(self, expr: Expr) -> Place | None:
        return self._rules.program.place(expr, self._module, self.frame.local)

    def _ref(self, expr: Expr) -> Value:
        base, operands = (expr.items[0], expr.items[1:]) if expr.kind == "ref" else (expr, ())
        if base.kind == "var" and base.value in self.frame.values:
            value = self.frame.values[base.value]
        elif base.kind != "var":
            value = self.value(base)
        elif place := self._place(expr):
            value, operands = self._rules.placed(place, expr.line), place.rest
        else:
            raise UnboundError(base.value)
        for operand in operands:
            value = self._member(value, operand)
        return value

    def _member(self, value: Value, operand: Expr) -> Value:
        """Return a member of a value; one whose key has no value yet is a loop over all."""
        if operand.kind == "scalar":
            return part(value, operand.value)
        if self._free(operand):
            visited = self.frame.loop(value)
            self.bind(operand, visited)
            return visited
        self.frame.work(self.value(operand))
        return part(value)

    def _free(self, operand: Expr) -> bool:
        """Say whether an operand has a variable without a value."""
        variables = [replace(operand, kind="var", value=name, items=()) for name in pattern(operand)]
        return any(each.value not in self.frame.values and self._place(each) is None for each in variables)

    def _comprehension(self, expr: Expr) -> Value:
        query = expr.query or ()
        inner = self._inner(declared(query))
        inner.query(query)
        values = [inner.value(item) for item in expr.items]
        inner.frame.work(*values)
        made = inner.frame.collected(values, self.frame, once=expr.value != "array")
        self.frame.take(inner.frame)
        return replace(made, sets=expr.value == "set")

    # -- calls

    def _call(self, call: Expr) -> Value:
        path = self._rules.program.function(call, self._module)
        args = [self.value(item) for item in call.items]
        if path:
            return self._rules.call(path, self.frame, args, call.line)
        try:
            made = growth.applied(self.frame, str(call.value), args)
        except growth.UnboundedError as error:
            raise UnboundedError(call.line, str(error)) from None
        if call.value == "concat" and call.items[1].kind == "array" and made.known is UNKNOWN:
            return replace(made, longest=self._joined(call, args[0]))
        return made

    def _joined(self, call: Expr, delimiter: Value) -> Poly:
        """Return how long a text is that is joined of some others, each of which stands there by itself."""
        longest = ZERO
        for item in call.items[1].items:
            longest = longest + self.value(item).string + delimiter.string
        return longest
