"""What servers answer, as a client's commands need it: who they are, lists, errors, denials."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tidegate import methods
from tidegate.verdict import DECISION_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping


class Refused(Exception):  # noqa: N818 - it is an answer
    """A request was answered with an error; the text is its message.

    Attributes:
        error: the error, as it came.
    """

    def __init__(self, error: Mapping[str, Any]) -> None:
        said = error.get("message")
        super().__init__(said if isinstance(said, str) and said else "It answered with an error that says nothing.")
        self.error = dict(error)

    @property
    def decision(self) -> Mapping[str, Any] | None:
        """What Tidegate says of its decision, where the error is Tidegate's own."""
        data = self.error.get("data")
        return data if isinstance(data, dict) and isinstance(data.get("code"), str) else None


class Broken(Exception):  # noqa: N818 - it says what was done
    """The server's answer can't be used; the text is one sentence."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The items of all pages of a list.

    Attributes:
        items: those that are objects, as they came.
        trouble: one sentence about why it isn't all, or about what is wrong with it; ``""`` where nothing is.
    """

    items: list[dict[str, Any]]
    trouble: str = ""


@dataclass(slots=True)
class Hello:
    """What a server said of itself.

    Attributes:
        modern: whether it is asked without a session (2026-07-28).
        version: the protocol version.
        server: its name and version, in its own words.
        capabilities: what it says it can do.
        instructions: what it says for the model.
    """

    modern: bool
    version: str
    server: dict[str, Any] = field(default_factory=dict)
    capabilities: dict[str, Any] = field(default_factory=dict)
    instructions: str = ""

    @property
    def who(self) -> str:
        """Its name and version in one line."""
        return f"{self.server.get('name', '?')} {self.server.get('version', '')}".strip()[:200]


def denied_by(result: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what Tidegate says of its decision in a tool result that stands for a denied call; ``None`` in others."""
    meta = result.get("_meta")
    data = meta.get(DECISION_KEY) if isinstance(meta, dict) else None
    return data if isinstance(data, dict) else None


def hello(result: Mapping[str, Any], version: str, *, modern: bool) -> Hello:
    """Return what a result of ``initialize`` or ``server/discover`` says of its server."""
    meta = result.get("_meta")
    server = result.get("serverInfo")
    if not isinstance(server, dict):
        server = meta.get(methods.META + "serverInfo") if isinstance(meta, dict) else None
    capabilities, said = result.get("capabilities"), result.get("instructions")
    return Hello(
        modern,
        version,
        server if isinstance(server, dict) else {},
        capabilities if isinstance(capabilities, dict) else {},
        said if isinstance(said, str) else "",
    )
