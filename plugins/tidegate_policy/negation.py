"""Negated expressions, written anew so that the embedded engine decides them as OPA does.

OPA moves what a negated call or comparison is given out of it, before anything is evaluated: ``not f(input.x)``
becomes ``y := input.x; not f(y)``. So where ``input.x`` is missing the rule doesn't fire. regorus leaves it there: what
can't be evaluated isn't so, its negation is, and the rule fires. Here the text is changed as OPA would change it.
Nothing gets on another line, but for what is given over several lines: it begins on that of the ``not``.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from tidegate_policy.sources import PolicyError
from tidegate_policy.tokens import tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NAME = "tidegate_not"
"""How the variables begin that are added; no policy may have such names."""

_CLOSES = {"(": ")", "[": "]", "{": "}"}
# Infix operators, those that bind least first; of those that bind the same the last is split at.
_INFIX = (("in",), ("==", "!=", "<", "<=", ">", ">="), ("|",), ("&",), ("+", "-"), ("*", "/", "%"))
_JOINS = {"=", ":=", ",", "with", "as", *(sign for signs in _INFIX for sign in signs)}
_INSIDE = _JOINS - {"as"} | {".", "contains", "if", "not"}  # what follows them outside of brackets is no rule's name
_CONSTANT = {"true", "false", "null"}


class _Token(NamedTuple):
    kind: str
    text: str


Span = tuple[int, int]
"""Where something begins and ends, in tokens."""


def names(modules: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Return every name that may be a rule's or an import's in some module, and some others."""
    found = set[str]()
    for _, text in modules:
        depth, before, importing = 0, "", False
        for token in tokens(text):
            said = token[0]
            if token.lastgroup == "blank":
                importing = importing and "\n" not in said
                continue
            if token.lastgroup == "word" and not depth:
                importing = importing or said == "import"
                if importing or before not in _INSIDE:
                    found.add(said)
            elif token.lastgroup == "string" and importing:  # import input["x"]
                found.add(said[1:-1])
            depth += (said in _CLOSES) - (said in _CLOSES.values())
            before = said
    return frozenset(found)


def moved_out(path: str, text: str, known: frozenset[str] | None = None) -> str:
    """Return a module's text with what each negated expression is given moved in front of it.

    Args:
        path: of the module, as shown to people.
        text: the module.
        known: the names of rules and imports; a plain name that isn't there is a local variable. ``None``: any may be.

    Raises:
        PolicyError: where it can't be moved.
    """
    if "not" not in text:
        return text
    found = [_Token(str(token.lastgroup), token[0]) for token in tokens(text)]
    taken = next((at for at, token in enumerate(found) if token.kind == "word" and token.text.startswith(NAME)), None)
    if taken is not None:
        raise PolicyError(f"{path}:{_line(found, taken)}: names that begin with {NAME} are Tidegate's own")
    closes, opened = dict[int, int](), list[int]()
    for at, token in enumerate(found):
        if token.text in _CLOSES:
            opened.append(at)
        elif token.text in _CLOSES.values():
            if not opened or _CLOSES[found[opened[-1]].text] != token.text:
                return text  # it is no Rego, as the engine will say
            closes[opened.pop()] = at
    return text if opened else _Mover(path, found, closes, known).text(0, len(found))


def _line(found: list[_Token], at: int) -> int:
    return "".join(token.text for token in found[:at]).count("\n") + 1


class _Mover:
    """Moves operands out of the negated expressions of one module."""

    def __init__(self, path: str, found: list[_Token], closes: dict[int, int], known: frozenset[str] | None) -> None:
        self._path = path
        self._tokens = found
        self._closes = closes
        self._known = known
        self._moved: dict[int, tuple[int, str]] = {}  # where an operand was: its end, and the variable there now
        self._number = 0

    def text(self, start: int, end: int) -> str:
        """Return the text of some tokens, with all that was moved."""
        out, at, before = [], start, ""
        while at < end:
            token = self._tokens[at]
            if at in self._moved:
                at, said = self._moved[at]
            elif token == ("word", "not") and before != ".":
                until = self._end(at + 1, end)
                said, at = self._statement(at, until, alone=before == "if"), until
            else:
                said, at = token.text, at + 1
            out.append(said)
            before = before if token.kind == "blank" else token.text
        return "".join(out)

    def _top(self, start: int, end: int) -> Iterator[tuple[int, str]]:
        """Yield the tokens that aren't inside of brackets, nor blank; of brackets the opening one."""
        at = start
        while at < end:
            if self._tokens[at].kind != "blank":
                yield at, self._tokens[at].text
            at = self._closes.get(at, at) + 1

    def _end(self, start: int, limit: int) -> int:
        """Return where a statement ends: where what is complete is followed by what doesn't carry it on."""
        end, whole, dot = start, False, False
        for at, said in self._top(start, limit):
            if said == ";" or said in _CLOSES.values():
                break
            joins = said in _JOINS and not dot
            same = not any("\n" in token.text for token in self._tokens[end:at] if token.kind == "blank")
            if whole and not joins and said != "." and not (said in ("(", "[") and same):
                break
            dot = said == "."
            whole = not joins and not dot
            end = self._closes.get(at, at) + 1
        return end

    def _statement(self, start: int, end: int, *, alone: bool) -> str:
        """Return a negated statement, behind what is moved out of it.

        Args:
            start: where its ``not`` is.
            end: where it ends.
            alone: whether it is a body by itself, without braces.
        """
        until = next((at for at, said in self._top(start + 1, end) if said == "with" and not self._dotted(at)), end)
        moved: list[str] = []
        for first, last in self._operands(start + 1, until):
            self._number += 1
            name = f"{NAME}_{self._number}"
            moved.append(f"{name} := {self.text(first, last)}")
            self._moved[first] = last, name
        rest = self.text(start + 1, until)
        withs = self.text(until, end)
        if not moved:
            return f"not{rest}{withs}"
        again = self._again(until, end, withs)
        whole = "".join(f"{each}{again}; " for each in moved) + f"not{rest}{withs}"
        return f"{{ {whole} }}" if alone else whole

    def _again(self, start: int, end: int, withs: str) -> str:
        """Return what follows ``not ... with`` once more, on one line, for what is moved.

        Raises:
            PolicyError: where its lines can't be joined.
        """
        if start == end:
            return ""
        found = self._tokens[start:end]
        if "\n" not in withs:
            return f" {withs}"
        if any(token.text in ("|", "every", "not") for token in found):
            line = _line(self._tokens, start)
            raise PolicyError(f"{self._path}:{line}: what is said behind with needs to be a variable, or on one line")
        return " " + "".join(" " if token.kind == "blank" else token.text for token in found)

    def _dotted(self, at: int) -> bool:
        return at > 0 and self._tokens[at - 1].text == "."

    def _bare(self, start: int, end: int) -> Span:
        """Return a span without blanks around it, nor brackets around all of it."""
        while start < end:
            if self._tokens[start].kind == "blank":
                start += 1
            elif self._tokens[end - 1].kind == "blank":
                end -= 1
            elif self._tokens[start].text == "(" and self._closes[start] == end - 1:
                start, end = start + 1, end - 1
            else:
                break
        return start, end

    def _parts(self, start: int, end: int) -> tuple[str, list[Span]]:
        """Return the operator of an expression and its operands; ``""`` where there is none."""
        found, whole = list[tuple[int, str]](), False
        for at, said in self._top(start, end):
            joins = said in _JOINS and not self._dotted(at) and (whole or said != "-")
            whole = not joins
            if joins:
                found.append((at, said))
        for signs in (("=", ":="), *_INFIX):
            at, sign = next((each for each in reversed(found) if each[1] in signs), (0, ""))
            if sign:
                commas = [each for each, said in found if said == "," and each < at] if sign == "in" else []
                marks = [start - 1, *commas, at, end]
                return sign, [(left + 1, right) for left, right in pairwise(marks)]
        return "", [(start, end)]

    def _operands(self, start: int, end: int) -> Iterator[Span]:
        """Yield what OPA moves out of a negated expression."""
        start, end = self._bare(start, end)
        sign, parts = self._parts(start, end)
        if sign in ("", "=", ":=", "=="):
            opening = self._called(start, end)
            if sign or opening is None:
                for part in parts:
                    yield from self._within(*self._bare(*part))
                return
            marks = [opening, *(at for at, said in self._top(opening + 1, end - 1) if said == ","), end - 1]
            parts = [(left + 1, right) for left, right in pairwise(marks)]
        for part in parts:
            first, last = self._bare(*part)
            if self._dynamic(first, last):
                yield first, last

    def _called(self, start: int, end: int) -> int | None:
        """Return where the arguments begin of an expression that is a call; ``None`` where it is none."""
        tops = [at for at, _ in self._top(start, end)]
        last = tops[-1] if len(tops) > 1 else None
        return last if last is not None and self._tokens[last].text == "(" and end - 1 == self._closes[last] else None

    def _within(self, start: int, end: int) -> Iterator[Span]:
        """Yield what is moved out of one side of an equation, or of what is negated by itself: not all of it."""
        if start >= end:
            return
        tops = list(self._top(start, end))
        calls = [at for at, said in tops[1:] if said == "("]
        if self._parts(start, end)[0] or tops[0][1] == "(":
            yield start, end
            return
        first = start
        if calls:
            first = self._closes[calls[-1]] + 1
            yield start, first
        elif tops[0][1] in ("[", "{"):
            first = self._closes[start] + 1
            if self._dynamic(start, first) and not self._comprehension(start):
                yield start, first
        for at, said in tops:
            if said == "[" and at >= first and at > start:
                inner = self._bare(at + 1, self._closes[at])
                if self._dynamic(*inner):
                    yield inner

    def _comprehension(self, start: int) -> bool:
        return any(said == "|" for _, said in self._top(start + 1, self._closes[start]))

    def _dynamic(self, start: int, end: int) -> bool:
        """Whether an operand isn't a constant, nor a local variable."""
        words = [self._tokens[at].text for at in range(start, end) if self._tokens[at].kind == "word"]
        if end - start == 1 and words:
            name = words[0]
            return name not in _CONSTANT and name != "_" and (self._known is None or name in self._known)
        return not _CONSTANT.issuperset(words)
