"""Checks the arguments of ``tools/call`` against the tool's inputSchema, so that policy sees only what has its types.

The schema is the server's word, and the server may be hostile: nothing is ever fetched; a schema whose cost has no
small bound (:mod:`tidegate_policy.schema_cost`) is compiled and run only in a worker that can be killed; whatever
can't be told is refused.
"""

from __future__ import annotations

import hashlib
import json
import signal
import time
from typing import TYPE_CHECKING, Any, Final

import jsonschema_rs
import orjson

from tidegate import OffloadError, offload
from tidegate_policy.schema_cost import count, weigh

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from tidegate_policy.schema_cost import Weight

    _Load = Callable[[bytes], Any]

MISFIT = "The arguments don't fit the tool's inputSchema."
NO_OBJECT = "The arguments of a tool are an object."
NO_SCHEMA = "The tool has no inputSchema that is an object, so its arguments can't be checked."
TOO_LARGE = "The tool's inputSchema is too large, so its arguments can't be checked."
BROKEN = "The tool's inputSchema is no valid JSON Schema of its own, so its arguments can't be checked."
UNCHECKED = "The arguments could not be checked against the tool's inputSchema."
LATE = "Checking the arguments against the tool's inputSchema took too long."

MAX_SCHEMA = 256 * 1024
"""Bytes from which on a schema is refused."""

_INLINE_SCHEMA = 64 * 1024  # bytes up to which a schema is compiled here: about 10 milliseconds at most
_BUDGET = 1_000_000  # units of a check that is made here, of 10 ns at most each
_TELLING = 100  # units for each keyword and node, to learn where it doesn't fit: an error for each
_KEPT_BYTES = 8 * 1024 * 1024  # of schemas that are remembered
_KEPT = 1024  # schemas that are remembered
_CPU_SECONDS = 0.25  # of a worker, for one check
_PAUSE = 30.0  # seconds for which a schema that cost a worker its life is refused
_POINTER = 160  # characters of a pointer that are shown

# Regular expressions take linear time and little memory. `format` is an annotation, as JSON Schema has it by default.
_LINEAR: Final[dict[str, Any]] = {
    "offline": True,
    "validate_formats": False,
    "pattern_options": jsonschema_rs.RegexOptions(size_limit=1 << 18, dfa_size_limit=1 << 18),
}
# Look-around and back-references, which no linear engine has: in a worker only.
_BACKTRACKING: Final[dict[str, Any]] = _LINEAR | {
    "pattern_options": jsonschema_rs.FancyRegexOptions(
        backtrack_limit=1_000_000, size_limit=1 << 18, dfa_size_limit=1 << 18
    )
}


class Arguments:
    """Checks arguments; what it learnt of schemas is kept, up to a bound."""

    def __init__(self, *, deadline: float = 1.0) -> None:
        """Check with a deadline.

        Args:
            deadline: seconds that a check in a worker may take.
        """
        self._deadline = deadline
        self._seen: dict[int, tuple[Any, _Schema]] = {}  # by identity of the schema, which is held with it
        self._known: dict[bytes, _Schema] = {}  # by digest
        self._bytes = 0

    def refuses(self, tool: Mapping[str, Any], arguments: Any) -> str | Awaitable[str | None] | None:
        """Return why arguments are refused; ``None`` where they fit; or something to await for that.

        The reason holds nothing of the arguments: where in the schema they don't fit, at most.

        Args:
            tool: the tool's definition, frozen.
            arguments: ``params.arguments``; ``{}`` where a call has none.
        """
        schema = tool.get("inputSchema")
        seen = self._seen.get(id(schema))
        known = seen[1] if seen is not None and seen[0] is schema else self._learn(schema)
        return known if isinstance(known, str) else known.refuses(arguments, self._deadline)

    def _learn(self, schema: Any) -> _Schema | str:
        if not isinstance(schema, dict):
            return NO_SCHEMA
        try:
            text, _ = _encode(schema)
        except ValueError:
            return BROKEN
        if len(text) > MAX_SCHEMA:
            return TOO_LARGE
        digest = hashlib.sha256(text).digest()
        known = self._known.get(digest)
        if known is None:
            self._bytes += len(text)
            known = self._known[digest] = _Schema(text, schema)
            while self._bytes > _KEPT_BYTES or len(self._known) > _KEPT:
                oldest = self._known.pop(next(iter(self._known)))
                self._bytes -= len(oldest.text)
                self._seen.clear()
        if len(self._seen) >= _KEPT:
            self._seen.clear()
        self._seen[id(schema)] = (schema, known)
        return known


class _Schema:
    """One schema: compiled, where that and its use are cheap."""

    def __init__(self, text: bytes, schema: dict[str, Any]) -> None:
        self.text = text
        self._refused = ""  # why all arguments are
        self._until = 0.0  # when that ends; 0 for never
        self._weight: Weight | None = weigh(schema) if len(text) <= _INLINE_SCHEMA else None
        self._compiled: Any = None
        if self._weight is not None:
            try:
                self._compiled = jsonschema_rs.validator_for(text.decode(), **_LINEAR)
            except ValueError:  # broken, or with a regular expression of its own kind: a worker will tell
                self._weight = None

    def refuses(self, arguments: Any, deadline: float) -> str | Awaitable[str | None] | None:
        if not isinstance(arguments, dict):
            return NO_OBJECT
        try:
            data, load = _encode(arguments)
        except ValueError:
            return UNCHECKED
        weight, size = self._weight, len(data)
        if weight is None or load is not orjson.loads:  # or a number that is as long as it likes
            return self._elsewhere(data, load, deadline)
        cost = weight.of(size, size)  # as if each byte were a node, which spares the counting where all is small
        if cost > _BUDGET:
            nodes = count(arguments, weight.nodes(size, _BUDGET))
            cost = weight.of(size, nodes)
            if cost > _BUDGET:
                return self._elsewhere(data, load, deadline)
        try:
            value = load(data)
            if self._compiled.is_valid(value):
                return None
            nodes = count(arguments, size)
            if 2 * weight.of(size, nodes) + _TELLING * weight.node * nodes > _BUDGET:
                return MISFIT
            return _misfit(self._compiled, value)
        except ValueError:
            return UNCHECKED

    async def _elsewhere(self, data: bytes, load: _Load, deadline: float) -> str | None:
        if self._refused and (not self._until or time.monotonic() < self._until):
            return self._refused
        try:
            reason = await offload(_check, self.text, data, load, deadline=deadline)
        except TimeoutError:  # perhaps for want of a free worker, which isn't this schema's fault
            return LATE
        except OffloadError:
            self._refused, self._until = UNCHECKED, time.monotonic() + _PAUSE
            return UNCHECKED
        if reason == BROKEN:
            self._refused, self._until = BROKEN, 0.0
        return reason


def _check(text: bytes, data: bytes, load: _Load) -> str | None:
    """Check in a worker, whose life it costs to take too long or to exhaust the stack."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, _CPU_SECONDS)
    try:
        return _misfit_of(text.decode(), load(data))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _misfit_of(text: str, value: Any) -> str | None:
    for options in (_LINEAR, _BACKTRACKING):
        try:
            compiled = jsonschema_rs.validator_for(text, **options)
        except (ValueError, jsonschema_rs.ReferencingError):
            continue
        return None if compiled.is_valid(value) else _misfit(compiled, value)
    return BROKEN


def _misfit(compiled: Any, value: Any) -> str:
    """Return the reason with the pointer of the keyword that a value doesn't fit; nothing of the value is in it."""
    try:
        compiled.validate(value)  # it stops at the first error, where to iterate over errors would make them all
    except jsonschema_rs.ValidationError as error:
        tokens = [str(token).replace("~", "~0").replace("/", "~1") for token in error.schema_path]
        pointer = "".join(f"/{token}" for token in tokens)
        if pointer.isascii() and pointer.isprintable() and len(pointer) <= _POINTER:
            return f"{MISFIT[:-1]} (at {pointer})."
    return MISFIT


def _encode(value: Any) -> tuple[bytes, _Load]:
    """Return the JSON text of a frozen value, and what reads it again as it was, made of plain types.

    Raises:
        ValueError: where there is none, or it is nested too deep.
    """
    try:
        return orjson.dumps(value), orjson.loads
    except TypeError:  # integers beyond 64 bits
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        except (TypeError, RecursionError):
            raise ValueError("not a JSON value that can be checked") from None
        return text.encode(), json.loads
