"""The hooks: what an interceptor may implement.

An interceptor is a class named by an entry point in the group ``tidegate``. A hook is a method marked with
:data:`tidegate.hook`; it takes only the arguments it names, and may be ``def`` or ``async def``. A ``def`` runs
inline and should take well under a millisecond; what may take longer goes to :func:`tidegate.offload`.

For every message the pipeline runs ``transform``, ``inspect``, ``decide``, carries the effects out, runs
``observe``, and forwards or answers. A hook of these that raises, is late or returns another type denies the
message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tidegate.flow import Flow
    from tidegate.message import Message
    from tidegate.plugins import Proxy
    from tidegate.verdict import Decision, Effect, Finding

PROJECT = "tidegate"

hookspec = pluggy.HookspecMarker(PROJECT)
hook = pluggy.HookimplMarker(PROJECT)
"""Marks a method of an interceptor as the implementation of a hook."""

# The specifications are never called: pluggy reads their names and arguments, people their docstrings.


@hookspec
def startup(proxy: Proxy) -> None:
    """Prepare, once, before the first message.

    Runs in the order of the settings. If it raises, Tidegate doesn't start, or, on a reload, keeps the
    old settings.

    Args:
        proxy: what the interceptor may know of its surroundings: the settings' folder, the servers' names,
            and the name of its own entry.
    """


@hookspec
def transform(message: Message, flow: Flow) -> Message | None:
    """Rewrite a message before it is judged.

    Transforms run in the order of the settings; each gets what the one before it returned. Taking items out of
    a list belongs here.

    Args:
        message: the message so far.
        flow: its context.

    Returns:
        ``message.replace(...)``, or ``None`` to leave it as it is. A message that is not of the same id, kind
        and method denies.
    """


@hookspec
def inspect(message: Message, flow: Flow) -> Iterable[Finding] | None:
    """Report facts about a message.

    Inspectors see the message as it will be sent, redactions aside. Their order doesn't matter, and none sees
    what another found.

    Args:
        message: the message, rewritten by all transforms.
        flow: its context.

    Returns:
        Findings, or ``None``.
    """


@hookspec
def decide(message: Message, flow: Flow, findings: Sequence[Finding]) -> Effect | Iterable[Effect] | None:
    """Judge a message.

    Deciders see the same message and all findings; their order doesn't matter. Silence passes; nothing overrides
    a deny. A decider doesn't count and doesn't consume: that is what ``observe`` is for.

    Args:
        message: the message, rewritten by all transforms.
        flow: its context.
        findings: what all inspectors found.

    Returns:
        ``Deny``, ``Redact`` or ``Hold``, several of them, or ``None``.
    """


@hookspec
def observe(decision: Decision, flow: Flow) -> None:
    """Note what was decided, after the decision and before the message goes on.

    Also called for events without a message: rejected bytes, refused logins, instances of servers that start
    and end. Where the entry is ``required``, an observer that raises or is late denies the message; otherwise
    its failure is logged.

    Args:
        decision: what was decided; ``decision.message`` is exactly what is sent if it is allowed.
        flow: its context.
    """


@hookspec
def shutdown() -> None:
    """Put things away, once, after the last message. Runs in the reverse order of the settings."""


MESSAGE_HOOKS = ("transform", "inspect", "decide", "observe")
HOOKS = ("startup", *MESSAGE_HOOKS, "shutdown")
