"""Rego as a tree: what regorus parses, read into few kinds of nodes, with names resolved to paths.

What this reader doesn't know becomes a node of the kind ``unknown``: whoever walks the tree must treat it as anything
at all. Lines are right; columns aren't, behind tabs, so nothing here has one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate_policy import evaluating

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Path = tuple[str, ...]
"""Names from the root on: ``("data", "tidegate", "decision")``, ``("input", "session")``."""

_PLAIN = {**dict.fromkeys(("String", "RawString", "Number", "Bool", "Null"), "scalar"), "Var": "var"}
_INFIX = {"BinExpr": "bin", "BoolExpr": "bool", "ArithExpr": "arith", "AssignExpr": "assign"}
_COMPREHENSIONS = {"ArrayCompr": "array", "SetCompr": "set", "ObjectCompr": "object"}


@dataclass(frozen=True, slots=True, eq=False)
class Expr:
    """One expression.

    Attributes:
        kind: ``scalar``, ``var``, ``ref``, ``call``, ``array``, ``set``, ``object``, ``compr``, ``bin``, ``bool``,
            ``arith``, ``assign``, ``in``, ``unary`` or ``unknown``.
        line: where it begins.
        value: a scalar's value, a variable's name, an operator, a function's dotted name, a comprehension's kind.
        items: its parts. Of a ref the base and the operands; of an object keys and values in turn; of a comprehension
            its term, or key and value; of ``in`` the key where there is one, the value and the collection.
        query: the body of a comprehension.
    """

    kind: str
    line: int
    value: Any = None
    items: tuple[Expr, ...] = ()
    query: Query | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """One statement of a body.

    Attributes:
        kind: ``expr``, ``not``, ``some``, ``some_in``, ``every`` or ``unknown``.
        line: where it begins.
        items: the expression; of ``some_in`` as of an expression ``in``; of ``every`` the domain.
        names: the variables that ``some`` and ``every`` declare.
        query: the body of ``every``.
        withs: what is replaced by what for this statement.
    """

    kind: str
    line: int
    items: tuple[Expr, ...] = ()
    names: tuple[str, ...] = ()
    query: Query | None = None
    withs: tuple[tuple[Expr, Expr], ...] = ()


Query = tuple[Literal, ...]


class Body(NamedTuple):
    """One body of a rule, with the value it gives; ``None`` is true."""

    value: Expr | None
    query: Query


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One definition of a rule or function; several may share a path.

    Attributes:
        path: its full name.
        kind: ``value``, ``set``, ``object``, ``function``, ``default`` or ``unknown``.
        module: where it stands.
        line: where it begins.
        args: a function's parameters.
        keys: the variable part of the head: an element of a set, the keys of an object.
        bodies: its bodies; one that is empty where it has none.
    """

    path: Path
    kind: str
    module: Module
    line: int
    args: tuple[Expr, ...] = ()
    keys: tuple[Expr, ...] = ()
    bodies: tuple[Body, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Module:
    """One file.

    Attributes:
        file: its path as shown to people.
        package: its path, from ``data`` on.
        imports: what each imported name stands for.
        rules: its rules, in order.
    """

    file: str
    package: Path
    imports: Mapping[str, Path]
    rules: list[Rule] = field(default_factory=list)


class Place(NamedTuple):
    """What a ref means: a path as far as it is fixed, and the operands behind it."""

    path: Path
    rest: tuple[Expr, ...]


class _Reader:
    """Reads the tree of one module."""

    def __init__(self, text: str) -> None:
        self._bytes = text.encode()

    def name(self, span: Mapping[str, int]) -> str:
        return self._bytes[span["start"] : span["end"]].decode()

    def expr(self, node: Mapping[str, Any]) -> Expr:
        ((kind, body),) = node.items()
        line = body["span"]["line"] if isinstance(body, dict) and "span" in body else 0
        try:
            return self._expr(kind, body, line)
        except (KeyError, TypeError, ValueError, AttributeError):
            return Expr("unknown", line, kind)

    def _expr(self, kind: str, body: Mapping[str, Any], line: int) -> Expr:
        if kind in _PLAIN:
            return Expr(_PLAIN[kind], line, body["value"])
        if kind in ("Array", "Set"):
            return Expr(kind.lower(), line, None, self._all(body["items"]))
        if kind == "Object":
            return Expr("object", line, None, self._all(part for field in body["fields"] for part in field[1:]))
        if kind in _COMPREHENSIONS:
            parts = (body["key"], body["value"]) if kind == "ObjectCompr" else (body["term"],)
            return Expr("compr", line, _COMPREHENSIONS[kind], self._all(parts), self.query(body["query"]))
        if kind == "Call":
            called = self.expr(body["fcn"])
            return Expr("call" if (name := dotted(called)) else "unknown", line, name, self._all(body["params"]))
        if kind == "UnaryExpr":
            return Expr("unary", line, None, (self.expr(body["expr"]),))
        if kind in ("RefDot", "RefBrack"):
            return self._ref(body, line)
        if kind in _INFIX:
            return Expr(_INFIX[kind], line, body["op"], self._all((body["lhs"], body["rhs"])))
        return Expr("in", line, None, self._membership(body)) if kind == "Membership" else Expr("unknown", line, kind)

    def _all(self, nodes: Iterable[Mapping[str, Any]]) -> tuple[Expr, ...]:
        return tuple(self.expr(node) for node in nodes)

    def _ref(self, body: Mapping[str, Any], line: int) -> Expr:
        inner = self.expr(body["refr"])
        if "field" in body:
            where, name = body["field"]
            operand = Expr("scalar", where["line"], name)
        else:
            operand = self.expr(body["index"])
        before = inner.items if inner.kind == "ref" else (inner,)
        return Expr("ref", line, None, (*before, operand))

    def _membership(self, body: Mapping[str, Any]) -> tuple[Expr, ...]:
        parts = (body["key"], body["value"], body["collection"])
        return self._all(part for part in parts if part is not None)

    def query(self, node: Mapping[str, Any]) -> Query:
        return tuple(self.literal(stmt) for stmt in node["stmts"])

    def literal(self, stmt: Mapping[str, Any]) -> Literal:
        line = stmt["span"]["line"]
        ((kind, body),) = stmt["literal"].items()
        withs = tuple((self.expr(each["refr"]), self.expr(each["as"])) for each in stmt.get("with_mods", ()))
        if kind in ("Expr", "NotExpr"):
            return Literal("expr" if kind == "Expr" else "not", line, (self.expr(body["expr"]),), withs=withs)
        if kind == "SomeVars":
            return Literal("some", line, names=tuple(map(self.name, body["vars"])), withs=withs)
        if kind == "SomeIn":
            return Literal("some_in", line, self._membership(body), withs=withs)
        if kind == "Every":
            names = tuple(self.name(span) for span in (body["key"], body["value"]) if span is not None)
            return Literal("every", line, (self.expr(body["domain"]),), names, self.query(body["query"]), withs)
        return Literal("unknown", line, (Expr("unknown", line, kind),), withs=withs)

    def rule(self, node: Mapping[str, Any], module: Module) -> Rule:
        ((kind, body),) = node.items()
        line = body["span"]["line"] if "span" in body else 0
        if kind == "Default":
            path, _ = self._head(body["refr"], module)
            return Rule(path, "default", module, line, bodies=(Body(self.expr(body["value"]), ()),))
        if kind != "Spec":
            return Rule(module.package, "unknown", module, line)
        ((head_kind, head),) = body["head"].items()
        path, keys = self._head(head["refr"], module)
        assigned = head.get("assign")
        value = self.expr(assigned["value"]) if assigned else None
        own = [self._body(each, value) for each in body["bodies"]]
        args = self._all(head.get("args", ()))
        kinds = {"Compr": "object" if keys else "value", "Set": "set", "Func": "function"}
        if head_kind == "Set" and head.get("key") is not None:
            keys = (*keys, self.expr(head["key"]))
        return Rule(path, kinds.get(head_kind, "unknown"), module, line, args, keys, tuple(own) or (Body(value, ()),))

    def _body(self, node: Mapping[str, Any], value: Expr | None) -> Body:
        assigned = node.get("assign")
        own = self.expr(assigned["value"]) if assigned else value if not node.get("is_else") else None
        return Body(own, self.query(node["query"]))

    def _head(self, refr: Mapping[str, Any], module: Module) -> tuple[Path, tuple[Expr, ...]]:
        place = fixed(self.expr(refr))
        return (*module.package, *place.path), place.rest


def dotted(expr: Expr) -> str | None:
    """Return the dotted name that a var or a ref of names is; otherwise ``None``."""
    place = fixed(expr)
    return ".".join(place.path) if place.path and not place.rest else None


def fixed(expr: Expr) -> Place:
    """Return the names a var or ref begins with, as written, and the operands behind them."""
    base, *operands = expr.items if expr.kind == "ref" else (expr,)
    if base.kind != "var":
        return Place((), (base, *operands))
    names = [base.value]
    for operand in operands:
        if operand.kind != "scalar" or not isinstance(operand.value, str):
            break
        names.append(operand.value)
    return Place(tuple(names), tuple(operands[len(names) - 1 :]))


def read(text: str, file: str, tree: Mapping[str, Any]) -> Module:
    """Return the module that regorus parsed from a text."""
    reader = _Reader(text)
    package = ("data", *fixed(reader.expr(tree["package"]["refr"])).path)
    imports = {}
    for each in tree["imports"]:
        path = fixed(reader.expr(each["refr"])).path
        if path and path[0] in ("data", "input"):
            imports[reader.name(each["as"]) if each.get("as") else path[-1]] = path
    module = Module(file, package, imports)
    module.rules.extend(reader.rule(node, module) for node in tree["rules"])
    return module


class Program:
    """All modules of a policy.

    Attributes:
        modules: each file.
        rules: the rules by full path.
    """

    def __init__(self, modules: Iterable[Module]) -> None:
        self.modules = list(modules)
        self.rules: dict[Path, list[Rule]] = {}
        for module in self.modules:
            for rule in module.rules:
                self.rules.setdefault(rule.path, []).append(rule)
        self._prefixes = {path[:length] for path in self.rules for length in range(len(path) + 1)}
        self._roots = {path[: len(rule.module.package) + 1] for path, rules in self.rules.items() for rule in rules}

    def place(self, expr: Expr, module: Module, local: frozenset[str] = frozenset()) -> Place | None:
        """Return what a var or ref means in a module; ``None`` where it is a local variable, or begins with a term."""
        names, rest = fixed(expr)
        if not names or names[0] in local:
            return None
        if names[0] in ("input", "data"):
            return Place(names, rest)
        if (*module.package, names[0]) in self._roots:
            return Place((*module.package, *names), rest)
        if names[0] in module.imports:
            return Place((*module.imports[names[0]], *names[1:]), rest)
        return None

    def function(self, call: Expr, module: Module) -> Path | None:
        """Return the path of the function that a call calls; ``None`` where it is a builtin."""
        names = tuple(str(call.value).split("."))
        for path in (
            names,
            (*module.package, *names),
            (*module.imports.get(names[0], (names[0],)), *names[1:]),
        ):
            if any(rule.kind in ("function", "unknown") for rule in self.rules.get(path, ())):
                return path
        return None

    def under(self, path: Path) -> list[Path]:
        """Return the paths of the rules that a path leads to: the rule it goes through, or all below it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.rules:
                return [path[:length]]
        if path not in self._prefixes:
            return []
        return [each for each in self.rules if each[: len(path)] == path]


def parse(modules: Iterable[tuple[str, str]], *, as_written: bool = False) -> Program:
    """Parse modules.

    Args:
        modules: file, as shown to people, and text of each.
        as_written: whether to read the text itself, not what is evaluated (:mod:`tidegate_policy.negation`).

    Raises:
        PolicyError: where one is no Rego.
    """
    texts = list(modules)
    engine = evaluating.compiled(texts, {}, as_written=as_written)
    trees = {each["source"]["file"]: each for each in json.loads(engine.get_ast_as_json())}
    return Program(read(trees[file]["source"]["contents"], file, trees[file]["ast"]) for file, _ in texts)
