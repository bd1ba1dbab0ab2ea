"""The hooks: what an interceptor may implement.

An interceptor is a class named by an entry point in the group ``tidegate``. A hook is a method marked with
:data:`tidegate.hook`; it takes only the arguments it names, and may be ``def`` or ``async def``. A ``def`` runs
inline and should take well under a millisecond; what may take longer goes to :func:`tidegate.offload`.

For every message the pipeline runs ``transform``, ``inspect``, ``decide``, carries the effects out, runs
``observe``, and forwards or answers. A hook of these that raises, is late or returns another type denies the
message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tidegate.flow import Flow
    from tidegate.message import Kind, Message
    from tidegate.plugins import Proxy
    from tidegate.verdict import Decision, Effect, Finding, Note

PROJECT = "tidegate"
Method = TypeVar("Method", bound=Callable[..., Any])

KINDS_MARK = "tidegate_kinds"
"""The attribute of a marked method that says which kinds of messages it is for."""

hookspec = pluggy.HookspecMarker(PROJECT)
_mark = pluggy.HookimplMarker(PROJECT)


@overload
def hook(function: Method, /) -> Method: ...


@overload
def hook(*, kinds: Iterable[Kind] = ..., **options: Any) -> Callable[[Method], Method]: ...


def hook(
    function: Callable[..., Any] | None = None, /, *, kinds: Iterable[Kind] | None = None, **options: Any
) -> Callable[..., Any]:
    """Mark a method of an interceptor as the implementation of a hook.

    Args:
        function: the method, where the mark has no arguments.
        kinds: the kinds of messages that a ``transform``, ``inspect`` or ``decide`` is for; it isn't called for
            others, which saves their time. All by default.
        options: pluggy's own.
    """

    def marked(function: Callable[..., Any]) -> Callable[..., Any]:
        if kinds is not None:
            setattr(function, KINDS_MARK, tuple(kinds))
        made: Callable[..., Any] = _mark(function, **options)
        return made

    return marked if function is None else marked(function)


# The specifications are never called: pluggy reads their names and arguments, people their docstrings.


@hookspec
def startup(proxy: Proxy) -> None:
    """Prepare, once, before the first message.

    Runs in the order of the settings. If it raises, Tidegate doesn't start, or, on a reload, keeps the
    old settings. A ``ConnectionError`` says that something it needs is down, and not that the settings are wrong.

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
def decide(message: Message, flow: Flow, findings: Sequence[Finding]) -> Effect | Note | Iterable[Effect | Note] | None:
    """Judge a message.

    Deciders see the same message and all findings; their order doesn't matter. Silence passes; nothing overrides
    a deny. A decider doesn't count and doesn't consume: that is what ``observe`` is for.

    Args:
        message: the message, rewritten by all transforms.
        flow: its context.
        findings: what all inspectors found.

    Returns:
        ``Deny``, ``Redact`` or ``Hold``, several of them, or ``None``; and a ``Note`` for what the record is to say,
        or the conversation is to be labelled with.
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
