"""Rego evaluated by regorus, in whichever process. It imports little, so that a worker process starts at once."""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING, Any

import orjson
import regorus

from tidegate_policy import negation
from tidegate_policy.sources import Failure, PolicyError

if TYPE_CHECKING:
    from collections.abc import Sequence

_WHERE = re.compile(r"-->\s*([^\n]+?):(\d+):\d+")
_UNDEFINED = ("<undefined>", '"<undefined>"')

MISSING = "missing"
"""What a worker says that doesn't know the policy."""

Row = list[str | Failure]
"""The answers about one input as they come from a worker: JSON text, or a failure."""


def compiled(modules: Sequence[tuple[str, str]], data: dict[str, Any], *, as_written: bool = False) -> regorus.Engine:
    """Return an engine with a policy in it.

    Args:
        modules: path, as it is shown to people, and Rego text of each.
        data: the document ``data``.
        as_written: whether to read the text itself. What is to be evaluated is changed first, so that what is negated
            means what it means to OPA (:mod:`tidegate_policy.negation`).

    Raises:
        PolicyError: where it doesn't compile, with file and line.
    """
    _without_backtraces()
    engine = regorus.Engine()
    engine.set_gather_prints(True)
    known = negation.names(modules)
    for path, text in modules:
        try:
            engine.add_policy(path, text if as_written else negation.moved_out(path, text, known))
        except RuntimeError as error:
            raise PolicyError(told(str(error), path)) from None
    engine.add_data_json(orjson.dumps(data).decode())
    return engine


def told(text: str, path: str = "") -> str:
    """Return an error of the engine's in one line: file, line, and what it says."""
    found = _WHERE.search(text)
    reason = text.partition("error:")[2].strip().partition("\n")[0] or text.strip().partition("\n")[0]
    return f"{found[1]}:{found[2]}: {reason}" if found else f"{path}: {reason}" if path else reason


class Policy:
    """A compiled policy, asked from one thread.

    Args:
        modules: path and Rego text of each module.
        data: the document ``data``.

    Raises:
        PolicyError: where it doesn't compile, with file and line.
    """

    def __init__(self, modules: Sequence[tuple[str, str]], data: dict[str, Any]) -> None:
        self._modules = modules
        self._data = data
        self._engine = compiled(modules, data)

    def ask(self, queries: Sequence[str], given: Any = None) -> Row:
        """Return the value of each of some rules about one input."""
        self._engine.set_input(given)
        answers = [self._value(query) for query in queries]
        self._engine.take_prints()
        return answers

    def _value(self, query: str) -> str | Failure:
        try:
            value: str = self._engine.eval_rule_as_json(query)
        except RuntimeError as error:  # its text may quote the input, so only the place is kept
            found = _WHERE.search(str(error))
            return Failure("error", f"{found[1]}:{found[2]}" if found else "")
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # Rust's, which is no Exception, and can't be imported
                raise
            self._engine = compiled(self._modules, self._data)  # the old one is of no use any more
            return Failure("error")
        return Failure("undefined") if value in _UNDEFINED else value


_policies: dict[str, Policy] = {}  # a worker's, by the policy's key


def prepare(key: str, modules: Sequence[tuple[str, str]], data: bytes) -> None:
    """Compile a policy in a worker, in place of the one it had."""
    _policies.clear()
    _policies[key] = Policy(modules, orjson.loads(data))


def evaluate(key: str, queries: Sequence[str], inputs: bytes) -> str | list[Row]:
    """Evaluate in a worker; :data:`MISSING` where it doesn't know the policy."""
    policy = _policies.get(key)
    return MISSING if policy is None else [policy.ask(queries, given) for given in orjson.loads(inputs)]


def _without_backtraces() -> None:
    """Have no stack traces made for errors: Rust looks at its variable once, when the first error is made."""
    before = os.environ.get("RUST_LIB_BACKTRACE")
    os.environ["RUST_LIB_BACKTRACE"] = "0"
    try:
        with contextlib.suppress(RuntimeError):
            regorus.Engine().add_policy("", "")
    finally:
        if before is None:
            del os.environ["RUST_LIB_BACKTRACE"]
        else:
            os.environ["RUST_LIB_BACKTRACE"] = before
