"""What is remembered of a conversation: labels, recent calls, counts; behind a small ``Store``.

A conversation is one principal by default: it spans clients, servers, endpoints and MCP sessions, because
what is read through one server leaves through another, and because nothing a client says of itself may let it
shed its history. Everything kept is bounded, and forgotten after a time to live.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_CALLS = 256
MAX_LABELS = 64
MAX_COUNTS = 1024

WINDOWS = {"minute": (60.0, 6), "hour": (3600.0, 60), "day": (86400.0, 24)}
"""The windows of :meth:`Session.recent`: how long each is, in seconds, and of how many steps."""


class Call(NamedTuple):
    """One call that went on: which server and target, when (``Session.clock`` seconds), under which labels."""

    server: str
    method: str
    target: str
    at: float
    labels: tuple[str, ...]


class Recent:
    """How many calls there were in the last minute, hour and day. A step that is partly over counts whole."""

    __slots__ = ("_steps",)

    def __init__(self) -> None:
        self._steps: dict[str, deque[list[float]]] = {name: deque() for name in WINDOWS}

    def add(self, now: float) -> None:
        """Count one call."""
        for name, (length, parts) in WINDOWS.items():
            step, steps = now // (length / parts), self._steps[name]
            if steps and steps[-1][0] == step:
                steps[-1][1] += 1
            else:
                steps.append([step, 1])
                while steps[0][0] < step - parts:
                    steps.popleft()

    def count(self, name: str, now: float) -> int:
        """Return how many calls there were in a window of :data:`WINDOWS`."""
        length, parts = WINDOWS[name]
        oldest = now // (length / parts) - parts
        return int(sum(number for step, number in self._steps[name] if step >= oldest))


@dataclass(slots=True)
class Session:
    """The memory of one conversation. Interceptors read it; the core alone writes it.

    Attributes:
        id: the conversation's key.
        born: when it began, in seconds of ``clock``.
        labels: label to when it was put on first.
        calls: the most recent calls, oldest first.
        counts: per ``server/target``, how many calls went on.
        notes: what interceptors keep of it, each under its entry's name, and each within a bound of its own. It is
            forgotten with the conversation.
    """

    id: str
    born: float
    clock: Callable[[], float] = time.monotonic
    labels: dict[str, float] = field(default_factory=dict)
    calls: deque[Call] = field(default_factory=lambda: deque(maxlen=MAX_CALLS))
    counts: Counter[str] = field(default_factory=Counter)
    notes: dict[str, Any] = field(default_factory=dict)
    _recent: dict[str, Recent] = field(default_factory=dict)

    @property
    def age(self) -> float:
        """Seconds since the conversation began."""
        return self.clock() - self.born

    def label(self, labels: Iterable[str]) -> None:
        """Put labels on the conversation; they stay until it ends. Over the bound, ``overflow`` says so."""
        for name in labels:
            if name not in self.labels:
                full = len(self.labels) >= MAX_LABELS
                self.labels.setdefault("overflow" if full else name, self.clock())

    def called(self, server: str, method: str, target: str, labels: tuple[str, ...]) -> None:
        """Remember a call that goes on."""
        self.calls.append(Call(server, method, target, self.clock(), labels))
        key = f"{server}/{target}"
        if key not in self.counts and len(self.counts) >= MAX_COUNTS:
            key = "overflow"
        self.counts[key] += 1
        recent = self._recent.get(key)
        if recent is None:
            recent = self._recent[key] = Recent()
        recent.add(self.clock())

    def recent(self) -> dict[str, dict[str, int]]:
        """Return, per window of :data:`WINDOWS` and per ``server/target``, how many calls went on in it."""
        now = self.clock()
        out: dict[str, dict[str, int]] = {}
        for name in WINDOWS:
            counted = ((key, recent.count(name, now)) for key, recent in self._recent.items())
            out[name] = {key: number for key, number in counted if number}
        return out


class Store(Protocol):
    """Where conversations are kept."""

    def open(self, key: str) -> Session:
        """Return the conversation of a key, a new one where there is none or the old one has expired."""
        ...


class MemoryStore:
    """Conversations in memory, at most ``most`` of them, each forgotten ``ttl`` seconds after its last use."""

    def __init__(
        self, *, ttl: float = 8 * 3600.0, most: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ttl = ttl
        self._most = most
        self._clock = clock
        self._kept: OrderedDict[str, tuple[Session, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def open(self, key: str) -> Session:
        """Return the conversation of a key, a new one where there is none or the old one has expired."""
        now = self._clock()
        found = self._kept.pop(key, None)
        session = found[0] if found and now - found[1] <= self._ttl else Session(key, now, self._clock)
        self._kept[key] = (session, now)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return session
