"""The two engines give the same decision: for policies made up at random, and for every pack, about hostile inputs."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from support import rego
from support.opa_server import OpaServer
from tidegate_policy import builtins, evaluating, packs
from tidegate_policy.config import OpaConfig
from tidegate_policy.opa import Opa
from tidegate_policy.sources import Answer, Failure, Sources, Unit

pytestmark = [pytest.mark.opa, pytest.mark.slow]

POLICIES = 60
EXAMPLES = 200
PAIRS = 10_000


class Pair:
    """Both engines, with the same policy."""

    def __init__(self, url: str, sources: Sources, units: tuple[Unit, ...]) -> None:
        self.units = units
        self.pairs = 0
        self.kinds: Counter[str] = Counter()
        self._embedded = evaluating.Policy(sources.modules, sources.data)
        self._runner = asyncio.Runner()
        self._opa: Opa = self._runner.run(self._started(url, sources))

    async def _started(self, url: str, sources: Sources) -> Opa:
        made = Opa(OpaConfig(urls=(url,)), 30.0, Path())
        await made.load(sources, self.units)
        return made

    def close(self) -> None:
        self._runner.run(self._opa.close())
        self._runner.close()

    def differences(self, given: dict[str, Any]) -> list[tuple[str, Any, Any]]:
        """Return which units are decided otherwise by the two engines, and how."""
        theirs = self._runner.run(self._opa.ask(self.units, given))
        answers = self._embedded.ask([unit.query for unit in self.units], given)
        found = []
        for unit, here, there in zip(self.units, answers, theirs, strict=True):
            ours = plain(here if isinstance(here, Failure) else json.loads(here))
            self.pairs += 1
            self.kinds[ours if isinstance(ours, str) else "said" if any(ours.values()) else "nothing"] += 1
            if ours != plain(there):
                found.append((unit.name, ours, plain(there)))
        return found


def plain(answer: Answer) -> Any:
    """Return an answer to compare: sets have no order, and a failure is of a kind."""
    if isinstance(answer, Failure):
        return answer.kind
    return {key: sorted(value, key=json.dumps) for key, value in answer.items()}


def made_up(*, guarded: bool) -> tuple[Sources, tuple[Unit, ...]]:
    """Return as many policies as Tidegate would load of those made up, all in one package."""
    seeds = [seed for seed in range(POLICIES) if not _refused(rego.package([seed], guarded=guarded))]
    units = tuple(Unit(f"p{seed}", f"data.made.decision_{seed}") for seed in seeds)
    return Sources((("made.rego", rego.package(seeds, guarded=guarded)),), rego.DATA, "revision"), units


def _refused(text: str) -> bool:
    return bool(builtins.refused((("made.rego", text),)))


def shipped() -> tuple[Sources, tuple[Unit, ...]]:
    policy = packs.assembled(None, tuple(packs.names()), {})
    return policy.sources, policy.units


@pytest.fixture(scope="module")
def server() -> Iterator[OpaServer]:
    with OpaServer() as started:
        yield started


@pytest.fixture
def pair(server: OpaServer) -> Iterator[Callable[[Sources, tuple[Unit, ...]], Pair]]:
    made: list[Pair] = []

    def make(sources: Sources, units: tuple[Unit, ...]) -> Pair:
        made.append(Pair(server.url, sources, units))
        return made[-1]

    yield make
    for each in made:
        each.close()


def differences(pair: Pair, examples: int) -> list[tuple[str, Any, Any]]:
    """Return all differences about so many inputs."""
    found: list[tuple[str, Any, Any]] = []

    @hypothesis.settings(max_examples=examples, database=None, derandomize=True)
    @hypothesis.given(rego.INPUTS)
    def look(given: dict[str, Any]) -> None:
        found.extend(pair.differences(given))

    look()
    return found


@pytest.mark.timeout(300)
def test_policies_made_up_at_random_decide_the_same_on_both_engines(pair: Callable[..., Pair]) -> None:
    both = pair(*made_up(guarded=True))
    assert not differences(both, EXAMPLES)[:3]
    assert both.pairs >= PAIRS
    assert both.kinds["said"] > PAIRS / 10, both.kinds
    assert not both.kinds["error"]


@pytest.mark.timeout(300)
def test_where_a_builtin_gets_what_it_cannot_take_the_engines_differ_in_nothing_but_that(
    pair: Callable[..., Pair],
) -> None:
    """Which expressions of a rule are reached before one fails is the engines' own business."""
    both = pair(*made_up(guarded=False))
    assert not [found for found in differences(both, EXAMPLES // 10) if "error" not in found[1:]][:3]
    assert both.kinds["error"]


@pytest.mark.timeout(300)
def test_the_shipped_packs_decide_the_same_on_both_engines(pair: Callable[..., Pair]) -> None:
    both = pair(*shipped())
    assert not differences(both, EXAMPLES)[:3]
    assert both.pairs >= len(both.units) * EXAMPLES
    assert not both.kinds["undefined"]
    assert not both.kinds["error"], "a pack that fails denies what it can't read, and says nothing useful"
