"""Gives a policy to an OPA server, under a name of its own, so that nothing else in that server is touched or seen.

Everything is put below ``data.tidegate_KEY``, where KEY comes from the policy's content: the data at ``.policy``, the
packages below it, and at ``.ask`` one module that gathers the decisions of several units, so that one request
asks for all of them. For that, the root ``data`` in the policy's text is written anew as ``data.tidegate_KEY.policy``;
lines stay where they are. Each module gets a mark at its end, and the answer says the revision only where all marks
and the data are there: what was lost, in part or whole, is never taken for a policy.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from tidegate_policy.http import UnreachableError
from tidegate_policy.sources import PHASES, Failure, PolicyError, Sources, Unit
from tidegate_policy.tokens import tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tidegate_policy.http import Address, Reply

PATIENCE = 10.0  # seconds for each request that gives or takes away a part of a policy

_PACKAGE = re.compile(r"""[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*|\["[^"\n]*"\])*""")
_FORM = b"1"  # of what is pushed; another number where the same policy is written otherwise


class Pushed(NamedTuple):
    """A policy as an OPA server gets it.

    Attributes:
        key: what it is called there.
        modules: path as shown to people, and text, of each module.
        data: the document, encoded.
        gather: the module that asks.
        asked: by the names of units, the number of the rule that asks them.
    """

    key: str
    modules: tuple[tuple[str, str], ...]
    data: bytes
    gather: str
    asked: dict[tuple[str, ...], int]

    def path(self, number: int, *, each: bool) -> str:
        """Return where to ask: for one input, or for each of several."""
        return f"/v1/data/tidegate_{self.key}/ask/{'each' if each else 'all'}_{number}?strict-builtin-errors=true"

    def where(self, location: Any) -> str:
        """Return file and line of an error, as people know them; "" where there are none."""
        if not isinstance(location, dict):
            return ""
        found = re.fullmatch(rf"tidegate/{self.key}/(\d+)\.rego", str(location.get("file")))
        row = location.get("row")
        if found is None or int(found[1]) >= len(self.modules) or type(row) is not int:
            return ""
        path, text = self.modules[int(found[1])]
        return f"{path}:{min(row, text.rstrip().count(chr(10)) - 1)}"


def prepared(sources: Sources, units: Sequence[Unit]) -> Pushed:
    """Write a policy as an OPA server gets it.

    Raises:
        PolicyError: where its text can't be moved below a name of its own.
    """
    digest = hashlib.sha256(_FORM)
    for unit in units:
        applies = sorted(unit.phases or "*"), sorted(unit.methods or "*")
        digest.update(orjson.dumps([unit.name, unit.query, *applies]))
    digest.update(_encoded(sources.data))
    for path, text in sources.modules:
        digest.update(f"\0{path}\0{text}".encode())
    key = digest.hexdigest()[:32]
    root = f"tidegate_{key}"
    modules, marks = [], []
    for number, (path, text) in enumerate(sources.modules):
        moved, package = _moved(path, text, f"{root}.policy")
        # "default" can be no part of an expression, so the mark can't mend a text that ends too early.
        modules.append((path, f"{moved}\n\ndefault tidegate_mark_{number} := true\n"))
        marks.append(f"\tdata.{package}.tidegate_mark_{number}\n")
    asked = _asked(units)
    gather = _gather(root, {unit.name: unit.query for unit in units}, asked, marks)
    data = _encoded({"mark": key, "policy": sources.data})
    return Pushed(key, tuple(modules), data, gather, asked)


def _encoded(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an integer of more than 64 bits
        return json.dumps(value, sort_keys=True).encode()


def _moved(path: str, text: str, root: str) -> tuple[str, str]:
    """Return a module's text with everything below a root, and its package as a reference.

    Raises:
        PolicyError: where it has no package, or what can't be moved.
    """
    out: list[str] = []
    before, package, naming = "", "", False
    for token in tokens(text):
        said = token[0]
        if token.lastgroup == "template":
            line = text.count("\n", 0, token.start()) + 1
            raise PolicyError(f"{path}:{line}: a template string can't be used here; use sprintf or concat")
        if token.lastgroup == "word" and naming:
            found = _PACKAGE.match(text, token.start())
            package, naming = f"{root}.{found[0] if found else said}", False
            said = f"{root}.{said}"
        elif token.lastgroup == "word" and before != ".":
            if said == "package" and not package:
                naming = True
            elif said == "data":
                said = f"data.{root}"
        out.append(said)
        before = token[0]
    if not package:
        raise PolicyError(f"{path}: a module begins with its package")
    return "".join(out), package


def _asked(units: Sequence[Unit]) -> dict[tuple[str, ...], int]:
    """Return which units may be asked together, numbered: each alone, and those that some message concerns."""
    methods: set[str | None] = {None}.union(*(unit.methods or () for unit in units))
    together = [(unit.name,) for unit in units] + [
        tuple(unit.name for unit in units if unit.applies(phase, method))
        for phase in PHASES
        for method in sorted(methods, key=str)
    ]
    return {names: number for number, names in enumerate(dict.fromkeys(filter(None, together)))}


def _gather(root: str, queries: dict[str, str], asked: dict[tuple[str, ...], int], marks: Iterable[str]) -> str:
    """Return the module that asks."""
    parts = [
        f"package {root}.ask\n\nimport rego.v1\n",
        f"revision := data.{root}.mark if {{\n{''.join(marks)}}}\n" if marks else f"revision := data.{root}.mark\n",
    ]
    for names, number in asked.items():
        for name in names:
            query = queries[name].removeprefix("data.")
            parts.append(f"of_{number}[{json.dumps(name)}] := data.{root}.policy.{query}\n")
        parts.append(
            f'all_{number} := {{"revision": revision, "answers": of_{number}}}\n'
            f'each_{number} := {{"revision": revision, "answers": '
            f"[row | some item in input; row := of_{number} with input as item]}}\n"
        )
    return "\n".join(parts)


async def give(address: Address, pushed: Pushed) -> None:
    """Give a policy to a server.

    What uses another module's functions can be taken only after it, so what is refused is tried again as long as
    something else was taken.

    Raises:
        PolicyError: where the server refuses it.
        UnreachableError: where the server can't be reached.
        TimeoutError: where it doesn't answer.
    """
    put = await address.request("PUT", f"/v1/data/tidegate_{pushed.key}", pushed.data, PATIENCE)
    if put.status not in (204, 304):
        raise _refusal(put)
    left = list(enumerate(text for _, text in pushed.modules))
    while left:
        refused: list[tuple[int, str]] = []
        errors: list[dict[str, Any]] = []
        for number, text in left:
            reply = await _put(address, pushed, str(number), text)
            if reply.status == 400:
                refused.append((number, text))
                errors += _errors(reply)
            elif reply.status != 200:
                raise _refusal(reply)
        if len(refused) == len(left):
            raise PolicyError(_told(pushed, errors))
        left = refused
    reply = await _put(address, pushed, "ask", pushed.gather)
    if reply.status == 400:
        raise PolicyError(_told(pushed, _errors(reply)))
    if reply.status != 200:
        raise _refusal(reply)


async def take(address: Address, pushed: Pushed) -> None:
    """Take a policy away from a server: first what asks, then what isn't used any more.

    Raises:
        UnreachableError: where the server can't be reached.
        TimeoutError: where it doesn't answer.
    """
    left = ["ask", *map(str, reversed(range(len(pushed.modules))))]
    while left:
        kept = []
        for name in left:
            reply = await address.request("DELETE", f"/v1/policies/tidegate/{pushed.key}/{name}.rego", b"", PATIENCE)
            if reply.status == 400:  # another module uses its functions
                kept.append(name)
        if len(kept) == len(left):
            break
        left = kept
    await address.request("DELETE", f"/v1/data/tidegate_{pushed.key}", b"", PATIENCE)


async def has(address: Address, pushed: Pushed, seconds: float) -> bool:
    """Return whether a server has a policy, whole.

    Raises:
        UnreachableError: where the server can't be reached.
        TimeoutError: where it doesn't answer.
    """
    reply = await address.request("GET", f"/v1/data/tidegate_{pushed.key}/ask/revision", b"", seconds)
    return reply.status == 200 and loaded(reply.body) == {"result": pushed.key}


async def _put(address: Address, pushed: Pushed, name: str, text: str) -> Reply:
    path = f"/v1/policies/tidegate/{pushed.key}/{name}.rego"
    return await address.request("PUT", path, text.encode(), PATIENCE)


def loaded(body: bytes) -> Any:
    """Return what a server's JSON says; ``None`` for what is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def failed(reply: Reply, pushed: Pushed | None) -> Failure:
    """Return why an answer that isn't 200 is none; never its text, which may quote the message."""
    if reply.status not in (400, 500):
        return Failure("down", f"HTTP {reply.status}")
    for error in _errors(reply):
        where = pushed.where(error.get("location")) if pushed is not None else _place(error.get("location"))
        if where:
            return Failure("error", where)
    return Failure("error")


def _place(location: Any) -> str:
    """Return file and line as the server says them."""
    if not isinstance(location, dict) or type(location.get("row")) is not int or not location.get("file"):
        return ""
    return f"{location['file']}:{location['row']}"


def _errors(reply: Reply) -> list[dict[str, Any]]:
    said = loaded(reply.body)
    found = said.get("errors") if isinstance(said, dict) else None
    return [error for error in found if isinstance(error, dict)] if isinstance(found, list) else []


def _told(pushed: Pushed, errors: list[dict[str, Any]]) -> str:
    """Return the one error of many that is to be mended first."""
    unused = "undefined function data."  # perhaps only because of the others
    first = min(errors, key=lambda error: str(error.get("message")).startswith(unused), default={})
    said = str(first.get("message", "OPA refuses the policy")).replace(f"tidegate_{pushed.key}.policy.", "")
    where = pushed.where(first.get("location"))
    said = said.partition("\n")[0].removesuffix(":")
    return f"{where}: {said}" if where else said


def _refusal(reply: Reply) -> UnreachableError:
    why = "it doesn't allow this" if reply.status in (401, 403) else "it answers otherwise than OPA"
    return UnreachableError(f"{why} (HTTP {reply.status})")
