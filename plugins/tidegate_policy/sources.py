"""What a policy is, whichever engine runs it: its text, its data, and what to ask of it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

PHASES = ("request", "reply", "notification", "list")
MEMBERS = ("deny", "redact", "hold", "labels")
"""The members of a decision."""


class PolicyError(ValueError):
    """A policy, or what the settings say about it, can't be used; the text is one sentence for who wrote it."""


class DownError(PolicyError, ConnectionError):
    """The engine can't be reached, whatever the policy."""


class Sources(NamedTuple):
    """A policy as text.

    Attributes:
        modules: path, as it is shown to people, and Rego text of each module; without ``*_test.rego``.
        data: the document ``data``.
        revision: the bundle's own, or the first 16 hexadecimal digits of SHA-256 over modules and data.
    """

    modules: tuple[tuple[str, str], ...]
    data: dict[str, Any]
    revision: str


class Unit(NamedTuple):
    """What is asked for a decision: the bundle, or one pack.

    Attributes:
        name: the pack's name; ``bundle`` for the bundle.
        query: the rule that is the decision, as ``data.tidegate.decision``.
        phases: the phases it is asked in; ``None`` for all.
        methods: the methods it is asked about; ``None`` for all.
        ours: whether it is a pack of Tidegate's, whose time has been measured.
    """

    name: str
    query: str
    phases: frozenset[str] | None = None
    methods: frozenset[str] | None = None
    ours: bool = False

    def applies(self, phase: str, method: str | None) -> bool:
        """Whether it is asked about a message of a method in a phase."""
        return (self.phases is None or phase in self.phases) and (self.methods is None or method in self.methods)


class Failure(NamedTuple):
    """Why there is no decision.

    Attributes:
        kind: ``undefined``: the rule has no value; ``error``; ``timeout``; ``shape``: it is no decision; ``down``:
            the engine can't be reached.
        where: file and line, as ``paths.rego:12``, where they are known; never a value.
    """

    kind: Literal["undefined", "error", "timeout", "shape", "down"]
    where: str = ""


Answer = Any | Failure
"""The decision as decoded JSON, or why there is none."""


class Engine(Protocol):
    """Evaluates policies."""

    async def load(self, sources: Sources, units: Sequence[Unit]) -> None:
        """Compile a policy; what was loaded before is replaced only where that works.

        Raises:
            PolicyError: where it can't be used.
        """
        ...

    def ask(self, units: Sequence[Unit], given: dict[str, Any]) -> list[Answer] | Awaitable[list[Answer]]:
        """Return the decision of each unit about one input, or something to await for it."""
        ...

    def ask_each(
        self, units: Sequence[Unit], given: Sequence[dict[str, Any]]
    ) -> list[list[Answer]] | Awaitable[list[list[Answer]]]:
        """Return, for each of several inputs, the decision of each unit."""
        ...

    async def close(self) -> None:
        """Let go of what it holds."""
        ...


def revision_of(modules: Sequence[tuple[str, str]], data: dict[str, Any]) -> str:
    """Return the revision of a policy that has none of its own."""
    digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode())
    for path, text in sorted(modules):
        digest.update(f"\0{path}\0{text}".encode())
    return digest.hexdigest()[:16]
