"""The embedded engine: Rego in Tidegate's own process, by regorus.

An evaluation holds the interpreter's lock and can't be stopped from outside. So only what is cheap by its shape is
evaluated here: what has a small bound (:mod:`tidegate_policy.bounds`), and Tidegate's own packs on inputs of the size
that they were measured with. Everything else goes to a worker process that is killed when it is late.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from tidegate import OffloadError, offload
from tidegate_policy import bounds, builtins, evaluating
from tidegate_policy.remembering import Remembered
from tidegate_policy.sources import Answer, Failure, PolicyError, Sources, Unit, revision_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

STEPS = 100_000
"""Steps that an evaluation may take at most to be done in Tidegate's own process: some hundredths of a second."""

MEASURED = 4096
"""Bytes of an input, as JSON, up to which Tidegate's own packs are done in its own process. ``benchmarks/policy.py``
shows what they take at most on texts of that size that were made to be slow."""

START = 10.0
"""Seconds a worker may take to start and to compile a policy."""


class _Loaded(NamedTuple):
    """One policy, compiled; ``key`` is that of its content, by which workers know it."""

    sources: Sources
    key: str
    policy: evaluating.Policy
    bounds: dict[str, bounds.Bound]
    remembered: Remembered


class Embedded:
    """The embedded engine.

    Args:
        seconds: how long an evaluation may take.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loaded: _Loaded | None = None
        self._ready = False

    async def load(self, sources: Sources, units: Sequence[Unit]) -> None:
        """Compile a policy; see :class:`~tidegate_policy.sources.Engine`."""
        policy = evaluating.Policy(sources.modules, sources.data)
        refused = builtins.refused(sources.modules)
        if refused:
            raise PolicyError(str(refused[0]))
        costs = bounds.costs(sources, [unit.query for unit in units if not unit.ours])
        key = revision_of(sources.modules, sources.data)
        self._loaded = _Loaded(sources, key, policy, costs, Remembered(sources, units))
        self._ready = False

    def ask(self, units: Sequence[Unit], given: dict[str, Any]) -> list[Answer] | Awaitable[list[Answer]]:
        """Return the decision of each unit about one input."""
        answers = self.ask_each(units, (given,))
        return answers[0] if isinstance(answers, list) else _first(answers)

    def ask_each(
        self, units: Sequence[Unit], given: Sequence[dict[str, Any]]
    ) -> list[list[Answer]] | Awaitable[list[list[Answer]]]:
        """Return, for each of several inputs, the decision of each unit."""
        loaded = self._loaded
        assert loaded is not None, "a policy is loaded before it is asked"
        queries = [unit.query for unit in units]
        if _cheap(loaded, units, given):
            return _here(loaded, queries, given, self._seconds)
        return self._elsewhere(loaded, queries, given)

    async def _elsewhere(
        self, loaded: _Loaded, queries: Sequence[str], given: Sequence[dict[str, Any]]
    ) -> list[list[Answer]]:
        """Evaluate in a worker process."""
        inputs = orjson.dumps(given)
        try:
            if not self._ready:
                await self._prepare(loaded)
            said = await offload(evaluating.evaluate, loaded.key, queries, inputs, deadline=self._seconds)
            if isinstance(said, str):  # a worker that is new, or had another policy
                await self._prepare(loaded)
                said = await offload(evaluating.evaluate, loaded.key, queries, inputs, deadline=self._seconds)
        except TimeoutError:
            self._ready = False
            return [[Failure("timeout")] * len(queries) for _ in given]
        except OffloadError:
            self._ready = False
            return [[Failure("error")] * len(queries) for _ in given]
        if isinstance(said, str):
            return [[Failure("error")] * len(queries) for _ in given]
        return [_decoded(row) for row in said]

    async def _prepare(self, loaded: _Loaded) -> None:
        data = orjson.dumps(loaded.sources.data)
        await offload(evaluating.prepare, loaded.key, loaded.sources.modules, data, deadline=START)
        self._ready = True

    async def close(self) -> None:
        """Nothing is held: workers end with Tidegate."""


async def _first(answers: Awaitable[list[list[Answer]]]) -> list[Answer]:
    return (await answers)[0]


def _decoded(row: evaluating.Row) -> list[Answer]:
    return [answer if isinstance(answer, Failure) else orjson.loads(answer) for answer in row]


def _cheap(loaded: _Loaded, units: Sequence[Unit], given: Sequence[dict[str, Any]]) -> bool:
    """Whether the units are known to take little time about these inputs."""
    asked = [loaded.bounds[unit.query] for unit in units if not unit.ours]
    steps = 0.0
    for each in given:
        if len(orjson.dumps(each)) > MEASURED and len(asked) < len(units):
            return False
        if asked:
            size = bounds.size(each)
            steps += sum(bound.steps(size) for bound in asked)
    return steps <= STEPS


def _here(
    loaded: _Loaded, queries: Sequence[str], given: Sequence[dict[str, Any]], seconds: float
) -> list[list[Answer]]:
    started = perf_counter()
    answers = [_asked(loaded, queries, each) for each in given]
    if perf_counter() - started > seconds:
        return [[Failure("timeout")] * len(queries) for _ in given]
    return answers


def _asked(loaded: _Loaded, queries: Sequence[str], given: dict[str, Any]) -> list[Answer]:
    """Ask for the decisions about one input that aren't remembered."""
    remembered = loaded.remembered
    keys = [remembered.key(query, given) for query in queries]
    answers = [remembered.get(query, key) for query, key in zip(queries, keys, strict=True)]
    unknown = [at for at, answer in enumerate(answers) if answer is None]
    if unknown:
        fresh = _decoded(loaded.policy.ask([queries[at] for at in unknown], given))
        for at, answer in zip(unknown, fresh, strict=True):
            answers[at] = answer
            if not isinstance(answer, Failure):
                remembered.keep(queries[at], keys[at], answer)
    return answers
