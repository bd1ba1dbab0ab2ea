"""Makes what is enforced of what the settings say, aside: read, checked, compiled, tried, and only then used."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate.testing import samples
from tidegate_policy import bundles, decision, packs, reads
from tidegate_policy.embedded import Embedded
from tidegate_policy.opa import Opa
from tidegate_policy.packs import BUNDLE, DECISION, Policy
from tidegate_policy.signatures import Verification
from tidegate_policy.sources import Failure, PolicyError, Sources, Unit
from tidegate_policy.view import EVERYTHING, Bounds, View

if TYPE_CHECKING:
    from collections.abc import Hashable
    from pathlib import Path

    from tidegate_policy.config import PolicyConfig
    from tidegate_policy.sources import Engine

_TRIED = frozenset(("tools/call", "initialize", "resources/read", "notifications/message"))


class Loaded:
    """A policy that is enforced, or shadows one that is.

    Attributes:
        policy: its text, and what is asked of it.
        engine: what evaluates it.
        view: what it sees of a message.
        full: the same with every member, for records.
        revision: which one it is.
        note: the same, as a record says it.
    """

    def __init__(self, policy: Policy, engine: Engine, view: View, full: View) -> None:
        self.policy = policy
        self.engine = engine
        self.view = view
        self.full = full
        self.revision = policy.sources.revision
        self.note = f"revision {self.revision}"
        self.units = functools.lru_cache(4096)(self._units)

    def _units(self, phase: str, method: str | None) -> tuple[Unit, ...]:
        """Return what is asked about messages of a method in a phase."""
        return tuple(unit for unit in self.policy.units if unit.applies(phase, method))


class Source(NamedTuple):
    """Where a policy comes from: a bundle, packs, or both."""

    bundle: Path | None
    packs: tuple[str, ...] = ()


class Loader:
    """Loads policies as the settings say.

    Args:
        config: the settings.
        folder: where relative paths start from.

    Raises:
        PolicyError: where the key of bundles' signatures can't be read.
    """

    def __init__(self, config: PolicyConfig, folder: Path) -> None:
        self._config = config
        self._folder = folder
        self._verification = self._verified()

    def _verified(self) -> Verification | None:
        wanted = self._config.verify
        if wanted is None:
            return None
        path = self._folder / wanted.key
        try:
            return Verification(path.read_bytes(), wanted.algorithm, wanted.scope, wanted.key_id)
        except OSError as error:
            raise PolicyError(f"verify.key: {path} can't be read: {error.strerror}") from None

    def stamp(self, source: Source) -> Hashable:
        """Return what differs when a policy's files have changed."""
        return None if source.bundle is None else bundles.stamp(self._folder / source.bundle)

    def policy(self, source: Source) -> Policy:
        """Read a policy's text.

        Raises:
            PolicyError: where it can't be read, or doesn't fit the settings.
        """
        bundle = (
            None if source.bundle is None else bundles.read(self._folder / source.bundle, self._verification).sources
        )
        if bundle is None and not source.packs:  # an OPA server that has its policies already
            return Policy(Sources((), {}, "external"), (Unit(BUNDLE, DECISION),))
        return packs.assembled(bundle, source.packs, self._config.data)

    def _engine(self) -> Engine:
        config = self._config
        if config.engine == "embedded":
            return Embedded(config.timeout)
        return Opa(config.opa, config.timeout, self._folder)

    async def load(self, source: Source) -> Loaded:
        """Load a policy, and see that it answers.

        Raises:
            PolicyError: where it can't be used.
        """
        config, policy = self._config, self.policy(source)
        engine = self._engine()
        await engine.load(policy.sources, policy.units)
        limits = Bounds(**config.view.model_dump())
        queries = [unit.query for unit in policy.units]
        known = bool(policy.sources.modules)
        wants = reads.wanted(policy.sources, queries) if known else EVERYTHING
        loaded = Loaded(policy, engine, View(wants, limits, config.timezone), View(EVERYTHING, limits, config.timezone))
        try:
            await _try(loaded)
        except PolicyError:
            await engine.close()
            raise
        return loaded


async def _try(loaded: Loaded) -> None:
    """Ask a policy about some messages: one that answers none of them can't be meant.

    Raises:
        PolicyError: where each answer is a failure.
    """
    for unit in loaded.policy.units:
        failures: list[Failure] = []
        answered = 0
        for sample in samples():
            phase = "reply" if sample.message.is_reply else sample.message.kind
            if sample.message.method not in _TRIED or not unit.applies(phase, sample.message.method):
                continue
            answers: Any = loaded.engine.ask((unit,), loaded.view.of(sample.message, sample.flow))
            answers = answers if isinstance(answers, list) else await answers
            failed = decision.said((unit,), answers).failures
            failures += [failure for _, failure in failed]
            answered += not failed
        if failures and not answered:
            raise PolicyError(_told(unit, failures[0]))


def _told(unit: Unit, failure: Failure) -> str:
    said = {
        "undefined": f"the rule {unit.query} has no value, whatever the message",
        "error": f"{unit.query} fails, whatever the message",
        "timeout": f"{unit.query} takes too long, whatever the message",
        "shape": f"{unit.query} is no decision: an object with the arrays deny, redact, hold and labels",
        "down": "the policy engine can't be reached",
    }[failure.kind]
    return f"{failure.where}: {said}" if failure.where else said
