"""Interceptors made of functions, the pipeline they run in, and the relay around it: the core, without a process."""

import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import tidegate
from tidegate import Decision, Flow, Message, plugins, settings
from tidegate.flows import Core, Runtime
from tidegate.notices import Changes
from tidegate.pipeline import Pipeline
from tidegate.session import MemoryStore
from tidegate.settings import Settings

Hooks = dict[str, Callable[..., Any]]
Entry = tuple[Hooks, dict[str, Any]]
"""The hooks of one interceptor, by name, each called with all arguments of its specification; and its entry."""

_ARGUMENTS = {
    "startup": "proxy",
    "transform": "message, flow",
    "inspect": "message, flow",
    "decide": "message, flow, findings",
    "observe": "decision, flow",
    "shutdown": "",
}


def acting(**hooks: Callable[..., Any]) -> type:
    """Return the class of an interceptor whose hooks are functions, sync or async."""

    def method(function: Callable[..., Any], arguments: str) -> Callable[..., Any]:
        shapes: dict[str, Callable[..., Any]] = {
            "proxy": lambda self, proxy: function(proxy),
            "message, flow": lambda self, message, flow: function(message, flow),
            "message, flow, findings": lambda self, message, flow, findings: function(message, flow, findings),
            "decision, flow": lambda self, decision, flow: function(decision, flow),
            "": lambda self: function(),
        }
        return shapes[arguments]

    members = {name: tidegate.hook(method(function, _ARGUMENTS[name])) for name, function in hooks.items()}
    return type("Acting", (), members)


def entry(entry_settings: Mapping[str, Any] | None = None, /, **hooks: Callable[..., Any]) -> Entry:
    """Return an entry of an interceptor made of functions."""
    return hooks, dict(entry_settings or {})


def loaded(entries: Sequence[Entry], tree: Mapping[str, Any] | None = None) -> tuple[Settings, Pipeline]:
    """Load interceptors called ``i0``, ``i1``, ...; return the settings they are in, and their pipeline.

    Args:
        entries: the interceptors, in their order.
        tree: the rest of the settings; by default one server, ``server``, and a short deadline.
    """
    names = [f"i{number}" for number in range(len(entries))]
    listed = [
        {"use": name, "name": given.get("name", name), **given} for name, (_, given) in zip(names, entries, strict=True)
    ]
    base = {"servers": {"server": {"command": ["true"]}}, **(tree or {}), "interceptors": listed}
    built = settings.build(base, folder=Path("/nonexistent"))
    extra = {name: acting(**hooks) for name, (hooks, _) in zip(names, entries, strict=True)}
    return built, Pipeline(plugins.load(built, extra))


@asynccontextmanager
async def running_pipeline(*entries: Entry, **tree: Any) -> AsyncIterator[Pipeline]:
    """Start interceptors, and stop them at the end."""
    built, pipeline = loaded(entries, tree)
    await pipeline.start(built)
    try:
        yield pipeline
    finally:
        await pipeline.stop()


@asynccontextmanager
async def running_core(*entries: Entry, **tree: Any) -> AsyncIterator[Core]:
    """Start what all relays share, and stop it at the end."""
    built, pipeline = loaded(entries, tree)
    changes = Changes()
    await pipeline.start(built, changes.tell)
    try:
        yield Core(Runtime(built, pipeline), MemoryStore(), changes=changes)
    finally:
        await pipeline.stop()


class Witness:
    """An interceptor that sees everything: what was decided on, and what was recorded, in order.

    Attributes:
        decided: the messages a decider saw.
        recorded: the decisions an observer saw.
    """

    def __init__(self) -> None:
        self.decided: list[Message] = []
        self.recorded: list[Decision] = []
        self.flows: list[Flow] = []

    def entry(self, **settings_of_it: Any) -> Entry:
        """Return it as an entry."""
        return entry(settings_of_it, decide=self._decide, observe=self._observe)

    def _decide(self, message: Message, flow: Flow, _findings: object) -> None:
        self.decided.append(message)
        self.flows.append(flow)

    def _observe(self, decision: Decision, _flow: Flow) -> None:
        self.recorded.append(decision)

    def verdicts(self, event: str = "message") -> list[tuple[str | None, str | None, str]]:
        """Return kind, method and verdict of what was recorded; of an event ``None``, its deny's code, its verdict."""
        out: list[tuple[str | None, str | None, str]] = []
        for decision in self.recorded:
            if decision.event != event:
                continue
            message, stopper = decision.message, decision.stopper
            if message is not None:
                out.append((message.kind, message.method, decision.verdict))
            else:
                out.append((None, getattr(stopper[1], "code", None) if stopper else None, decision.verdict))
        return out


_numbers = itertools.count(1)


def new_id() -> int:
    """Return an id that no other request has."""
    return next(_numbers)


def encoded(tree: Any) -> bytes:
    """Return a JSON value as bytes; a dict without ``jsonrpc`` gets it."""
    if isinstance(tree, dict):
        tree = {"jsonrpc": "2.0", **tree}
    return json.dumps(tree).encode()
