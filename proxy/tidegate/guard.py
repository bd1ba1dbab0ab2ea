"""Calls one hook of one interceptor: the only place where its exceptions are caught, and each of them denies.

A hook that returns its result has it judged at once, without a turn of the event loop. One that returns a coroutine
or a future is waited for until its deadline, and abandoned then: what it does afterwards reaches no message.
"""

from __future__ import annotations

import asyncio
import os
import traceback
from collections.abc import Callable, Coroutine
from time import perf_counter_ns
from types import CoroutineType
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from tidegate import deadlines
from tidegate.values import TooDeep
from tidegate.verdict import Deny, Outcome

if TYPE_CHECKING:
    from tidegate.plugins import Hook

log = structlog.get_logger("tidegate.pipeline")

_AWAITED = (CoroutineType, asyncio.Future)

Check = Callable[[Any, Any], Any]
"""Makes a hook's raw result, given with what the hook was given, what its phase wants; or raises ``TypeError``."""


class Failure(NamedTuple):
    """What became of a hook that failed: its outcome, the deny, and a word about it for the operator.

    ``down`` tells whether something that it needs can't be reached (``ConnectionError``).
    """

    outcome: Outcome
    effect: Deny
    text: str
    down: bool = False


Ran = tuple[Any, Failure | None, int]
"""The result, or ``None`` and the failure; and the elapsed nanoseconds."""


def run(hook: Hook, first: Any, flow: Any, third: Any, check: Check) -> Ran | Coroutine[Any, Any, Ran]:
    """Call one hook.

    Args:
        hook: the hook.
        first: the message, decision or proxy.
        flow: the flow.
        third: the findings.
        check: runs under the same guard, because reading a generator runs the interceptor's code.

    Returns:
        What came of it, or, where the hook has to be waited for, a coroutine of it; tell them apart by their type.
    """
    started = perf_counter_ns()
    try:
        value = hook.call(first, flow, third)
        if value is not None and isinstance(value, _AWAITED):
            return _waited(hook, value, first, check, started)
        value = check(value, first)
    except BaseException as error:  # noqa: BLE001 - _failed raises what isn't the interceptor's
        return _failed(hook, error, started)
    return _in_time(hook, value, started)


async def wait(hook: Hook, first: Any) -> Failure | None:
    """Call a hook that is no message's, ``startup`` or ``shutdown``; return what failed."""
    ran = run(hook, first, None, None, nothing)
    return (ran if isinstance(ran, tuple) else await ran)[1]


def nothing(value: Any, _given: Any) -> None:
    """The check for hooks that return nothing."""
    if value is not None:
        raise TypeError("this hook returns nothing")


async def _waited(hook: Hook, value: Any, first: Any, check: Check, started: int) -> Ran:
    try:
        if type(value) is asyncio.Future:
            watching = deadlines.of(value)
            watching.watch(value, started + hook.deadline_ns)
            try:
                result = await value
            finally:
                watching.forget(value)
        else:
            result = await _finished(value, started + hook.deadline_ns)
        value = check(result, first)
    except BaseException as error:  # noqa: BLE001 - _failed raises what isn't the interceptor's
        return _failed(hook, error, started)
    return _in_time(hook, value, started)


async def _finished(value: Any, until: int) -> Any:
    """Wait for a coroutine or task, and leave it alone when the time is over: it may go on when it is cancelled.

    Raises:
        CancelledError: when the time is over.
        BaseException: what it raises.
    """
    loop = asyncio.get_running_loop()
    work = loop.create_task(_caught(value)) if isinstance(value, CoroutineType) else value
    over: asyncio.Future[None] = loop.create_future()

    def wake(_: object) -> None:
        if not over.done():
            over.set_result(None)

    work.add_done_callback(wake)
    watching = deadlines.of(over)
    watching.watch(over, until)
    try:
        await over
    finally:
        watching.forget(over)
        if not work.done():
            _abandon(work)
    if work is value:
        return work.result()
    result, error = work.result()
    if error is not None:
        raise error
    return result


async def _caught(coroutine: CoroutineType[Any, Any, Any]) -> tuple[Any, SystemExit | None]:
    """Return what a coroutine returns, and ``SystemExit`` too: raised in a task it would end the event loop."""
    try:
        return await coroutine, None
    except SystemExit as error:
        return None, error


_abandoned: set[asyncio.Future[Any]] = set()  # the event loop alone doesn't keep them until they end


def _abandon(work: asyncio.Future[Any]) -> None:
    _abandoned.add(work)
    work.add_done_callback(_ended)
    work.cancel()


def _ended(work: asyncio.Future[Any]) -> None:
    _abandoned.discard(work)
    if not work.cancelled():
        work.exception()  # nobody is told: what it quotes may be of the message


async def unfinished(patience: float = 1.0) -> int:
    """Return how many abandoned hooks still don't end, so many seconds after they were asked to again."""
    left = [work for work in _abandoned if work.get_loop() is asyncio.get_running_loop()]
    for work in left:
        work.cancel()
    return len((await asyncio.wait(left, timeout=patience))[1]) if left else 0


def _in_time(hook: Hook, value: Any, started: int) -> Ran:
    elapsed = perf_counter_ns() - started
    if elapsed > hook.deadline_ns:  # it came, but too late: the same as not at all
        return None, _late(hook), elapsed
    return value, None, elapsed


def _failed(hook: Hook, error: BaseException, started: int) -> Ran:
    """Turn what a hook raised into a deny; call it where that is being handled.

    Raises:
        BaseException: the same again, where it is the driver that is to end and not the hook that failed.
    """
    elapsed = perf_counter_ns() - started
    if isinstance(error, KeyboardInterrupt | GeneratorExit) or _being_cancelled(error):
        raise error
    if isinstance(error, TooDeep):  # the message's fault, not the interceptor's
        log.info("message nested too deep", interceptor=hook.by, hook=hook.name)
        return None, Failure("error", Deny(f"{error}.", "limit", hook.by), "the message is nested too deep"), elapsed
    late = isinstance(error, TimeoutError | asyncio.CancelledError) and elapsed >= hook.deadline_ns
    return None, _late(hook) if late else _broken(hook, error), elapsed


def _being_cancelled(error: BaseException) -> bool:
    """Whether the driver itself is being cancelled, and not only something inside the interceptor."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def _late(hook: Hook) -> Failure:
    unsaid = hook.said.often()
    if unsaid is not None:
        more = {"times_since_last_told": unsaid} if unsaid else {}
        log.warning(
            "interceptor too slow", interceptor=hook.by, hook=hook.name, deadline_s=hook.deadline_ns / 1e9, **more
        )
    return Failure("timeout", Deny(f"The interceptor {hook.by!r} was too slow.", "late", hook.by), "it was too slow")


def _broken(hook: Hook, error: BaseException) -> Failure:
    """Say what failed and where, and what the system refused; never the exception's text: it may quote the message."""
    frames = traceback.extract_tb(error.__traceback__)
    where, kind = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "?", type(error).__name__
    starting = hook.name == "startup"  # no message exists yet, and the error that ends the start says it all
    unsaid = hook.said.often()
    if unsaid is not None:
        say = log.debug if starting else log.error
        more: dict[str, Any] = {"times_since_last_told": unsaid} if unsaid else {}
        if isinstance(error, OSError) and isinstance(error.errno, int):
            more["reason"] = os.strerror(error.errno)
        say("interceptor failed", interceptor=hook.by, hook=hook.name, error=kind, where=where, **more)
    deny = Deny(f"The interceptor {hook.by!r} failed.", "broken", hook.by)
    return Failure("error", deny, str(error) if starting else kind, isinstance(error, ConnectionError))
