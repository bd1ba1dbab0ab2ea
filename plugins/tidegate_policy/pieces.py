"""Rules cut into their statements, so that each can be tried by itself: where does a rule stop, and what does it give.

A rule that didn't fire says nothing. So its statements are asked for in turn, the first, the first two, and so on, in
a copy of the engine: the first that can't be met together with those before it is where it stopped.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate_policy.evaluating import compiled, told
from tidegate_policy.negation import moved_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import regorus

_OWN = "tidegate_asked"  # the names of what is added to a copy; no policy has them
_NAME = re.compile(r"\s*[A-Za-z_]\w*")
_SHOWN = 96
_UNTOLD = ("unsafe", "before definition", "find function")  # words of the engine's, about the whole of a policy


class Statement(NamedTuple):
    """One statement of a rule's body: its line, and its text."""

    line: int
    text: str

    @property
    def shown(self) -> str:
        """The first line of it, without a comment behind it."""
        first = self.text.strip().partition("\n")[0].rstrip().rstrip(";{ ")
        code = first.partition(" #")[0].rstrip() if '"' not in first.partition(" #")[2] else first
        return code if len(code) <= _SHOWN else f"{code[: _SHOWN - 1]}…"


class Piece(NamedTuple):
    """One definition of a rule.

    Attributes:
        file: the module.
        line: where it begins.
        package: its package, as ``data.tidegate``.
        name: its name, without the package.
        kind: ``set``, ``object``, ``value`` or ``function``.
        head: its text up to the body.
        body: its first body's text, and what follows it.
        statements: those of its first body.
        intro: the module's package and imports.
    """

    file: str
    line: int
    package: str
    name: str
    kind: str
    head: str
    body: str
    statements: tuple[Statement, ...]
    intro: str

    @property
    def place(self) -> str:
        """File and line, as ``policy.rego:12``."""
        return f"{self.file}:{self.line}"


class Stop(NamedTuple):
    """What became of a rule.

    Attributes:
        fired: whether it gave a value.
        values: what it gave: the elements of a set, or its value.
        at: the statement that wasn't met; ``None`` where it fired, or where that can't be told.
        error: what the engine says where it failed.
    """

    fired: bool
    values: tuple[Any, ...] = ()
    at: Statement | None = None
    error: str = ""


def pieces(modules: Sequence[tuple[str, str]]) -> list[Piece]:
    """Return every rule of a policy, in the order of files and lines; what has another form is left out."""
    engine, found = compiled(modules, {}, as_written=True), []
    for each in json.loads(engine.get_ast_as_json()):
        file, text, tree = each["source"]["file"], each["source"]["contents"].encode(), each["ast"]
        starts = [_body(node)["span"]["start"] for node in tree["rules"] if "span" in _body(node)]
        intro = text[: min(starts, default=len(text))].decode()
        package = f"data.{_dotted(tree['package']['refr'])}"
        specs = [node["Spec"] for node in tree["rules"] if "Spec" in node]
        found += [_piece(spec, text, file, package, intro) for spec in specs]
    return sorted(found, key=lambda piece: (piece.file, piece.line))


def _body(node: Mapping[str, Any]) -> dict[str, Any]:
    ((_, body),) = node.items()
    return body if isinstance(body, dict) else {}


def _dotted(node: Mapping[str, Any]) -> str:
    """Return the names that a reference begins with."""
    ((kind, body),) = node.items()
    if kind == "Var":
        return str(body["value"])
    if kind == "RefDot":
        return f"{_dotted(body['refr'])}.{body['field'][1]}"
    return _dotted(body["refr"]) if "refr" in body else ""


def _piece(spec: Mapping[str, Any], text: bytes, file: str, package: str, intro: str) -> Piece:
    ((head_kind, head),) = spec["head"].items()
    span, bodies = spec["span"], spec["bodies"]
    until = bodies[0]["span"]["start"] if bodies else span["end"]
    kinds = {"Set": "set", "Func": "function"}
    kind = kinds.get(head_kind, "object" if "RefBrack" in head["refr"] else "value")
    # A span that ends with a string leaves out its closing quote; the next rule's text is no part of this one.
    end = _whole(text, span["end"])
    return Piece(
        file,
        span["line"],
        package,
        _dotted(head["refr"]),
        kind,
        text[span["start"] : until if bodies else end].decode(),
        text[until:end].decode() if bodies else "",
        tuple(_statements(bodies[0]["query"], text)) if bodies else (),
        intro,
    )


def _whole(text: bytes, end: int) -> int:
    return end + 1 if text[end : end + 1] in (b'"', b"`") else end


def _statements(query: Mapping[str, Any], text: bytes) -> Iterable[Statement]:
    stmts, span = query["stmts"], query["span"]
    braced = bool(stmts) and stmts[0]["span"]["start"] > span["start"]
    ends = [stmt["span"]["start"] for stmt in stmts[1:]]
    ends.append(span["end"] - 1 if braced else _whole(text, span["end"]))
    for stmt, end in zip(stmts, ends, strict=True):
        part = text[stmt["span"]["start"] : end].decode().strip().rstrip(";")
        yield Statement(stmt["span"]["line"], part)


def stop(engine: regorus.Engine, piece: Piece, given: Any) -> Stop:
    """Say what becomes of a rule for an input.

    Args:
        engine: the policy; it stays as it is.
        piece: the rule; no function.
        given: the input.
    """
    head = _NAME.sub(f"{_OWN}_value", piece.head, count=1)
    try:
        below = piece.name.partition(".")[2]
        asked = f"{_OWN}_value.{below}" if below else f"{_OWN}_value"
        value = _asked(engine, piece, f"{head}{piece.body}", asked, given)
    except RuntimeError as error:
        return Stop(fired=False, at=_first_unmet(engine, piece, given), error=reason(error))
    values = tuple(_leaf(value, piece)) if value is not None else ()
    if values:
        return Stop(fired=True, values=values)
    return Stop(fired=False, at=_first_unmet(engine, piece, given))


def reason(error: RuntimeError) -> str:
    """Return what the engine says, without the place: it is that of a copy."""
    return re.sub(r"^\S+?:\d+: ", "", told(str(error)))


def _leaf(value: Any, piece: Piece) -> Iterable[Any]:
    """Yield what a rule gave: the elements of a set, or its value."""
    if piece.kind == "set":
        yield from value
    elif piece.kind != "object" or value != {}:
        yield value


def _first_unmet(engine: regorus.Engine, piece: Piece, given: Any) -> Statement | None:
    """Return the first statement that can't be met with those before it; ``None`` where that can't be told."""
    for number, statement in enumerate(piece.statements, 1):
        body = "\n".join(each.text for each in piece.statements[:number])
        try:
            value = _asked(engine, piece, f"{_OWN}_{number} if {{\n{body}\n}}", f"{_OWN}_{number}", given)
        except RuntimeError as error:
            # It fails; or it can't be asked for alone, or in this engine, so that nothing can be told.
            return None if any(word in str(error) for word in _UNTOLD) else statement
        if value is None:
            return statement
    return None


def _asked(engine: regorus.Engine, piece: Piece, rule: str, name: str, given: Any) -> Any:
    """Return the value of a rule that is added to a copy; ``None`` where it has none.

    Raises:
        RuntimeError: the engine's own, where it doesn't compile or fails.
    """
    copy = engine.clone()
    copy.add_policy(piece.file, moved_out(piece.file, f"{piece.intro}\n{rule}\n"))
    copy.set_input(given)
    said = copy.eval_rule_as_json(f"{piece.package}.{name}")
    return None if said in ("<undefined>", '"<undefined>"') else json.loads(said)
