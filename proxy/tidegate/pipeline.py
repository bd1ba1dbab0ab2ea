"""transform, inspect, decide, enforce, observe: the one choke point that every message passes.

The pipeline drives the hooks itself, because pluggy gives every implementation the same arguments, can't await,
can't thread a value and lets a wrapper swallow a denial. Whatever goes wrong in a hook denies the message.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import secrets
import traceback
from dataclasses import dataclass, field
from time import perf_counter_ns
from types import CoroutineType
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from tidegate import enforce, methods, values, wire
from tidegate.message import Message
from tidegate.plugins import Proxy
from tidegate.settings import SettingsError
from tidegate.verdict import Decision, Deny, Effect, Event, Finding, Hold, Outcome, Redact, Step, Verdict, verdict_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tidegate.flow import Flow
    from tidegate.plugins import Hook, Interceptor
    from tidegate.session import Session
    from tidegate.settings import Settings

log = structlog.get_logger("tidegate.pipeline")

_PLANS = 1024  # plans kept; methods are the peers' words, so there may be any number of them
_REMEMBERED = frozenset(("tools/call", "prompts/get", "resources/read"))


class Plan(NamedTuple):
    """The hooks that a server and method pass, in the order of the settings."""

    transform: tuple[Hook, ...]
    inspect: tuple[Hook, ...]
    decide: tuple[Hook, ...]
    observe: tuple[Hook, ...]


@dataclass(slots=True)
class _Work:
    """What has been found out about one message so far."""

    message: Message
    effects: list[tuple[str, Effect]] = field(default_factory=list)
    reported: list[tuple[str, Effect]] = field(default_factory=list)
    findings: list[tuple[str, Finding]] = field(default_factory=list)
    noted: list[tuple[str, Finding]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    @property
    def denied(self) -> bool:
        return any(isinstance(effect, Deny) for _, effect in self.effects)


class Pipeline:
    """The interceptors of one set of settings, started and driven together."""

    def __init__(self, interceptors: Iterable[Interceptor]) -> None:
        self.interceptors = list(interceptors)
        self._plans: dict[tuple[str, str | None], Plan] = {}
        self._prefix = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    def new_id(self) -> str:
        """Return an id for a decision or flow: unique in this run, and not in any other."""
        return f"{self._prefix}-{next(self._numbers)}"

    async def start(self, settings: Settings) -> None:
        """Run ``startup`` of all interceptors that haven't run it; on a failure stop those it started.

        Raises:
            SettingsError: where one of them fails.
        """
        servers = tuple(settings.server(name) for name in settings.servers)
        principals = tuple(token.name for token in settings.auth.tokens)
        running = [interceptor for interceptor in self.interceptors if interceptor.started]  # kept by a reload
        for interceptor in self.interceptors:
            hook = interceptor.hooks.get("startup")
            seconds = interceptor.entry.deadline or settings.proxy.deadline
            if interceptor.started or hook is None:
                interceptor.started = True
                continue
            proxy = Proxy(interceptor.name, settings.folder, servers, principals, seconds)
            _, failure, _ = await _run(dataclasses.replace(hook, deadline_ns=int(60e9)), proxy, None, None, _nothing)
            if failure is not None:
                await self.stop(keep=running)
                raise SettingsError(f"interceptor {interceptor.name!r} can't start: {failure.text}")
            interceptor.started = True

    async def stop(self, *, keep: Iterable[Interceptor] = ()) -> None:
        """Run ``shutdown`` of all started interceptors but those to keep, last one first."""
        kept = {id(interceptor) for interceptor in keep}
        for interceptor in reversed(self.interceptors):
            if not interceptor.started or id(interceptor) in kept:
                continue
            interceptor.started = False
            hook = interceptor.hooks.get("shutdown")
            if hook is not None:
                await _run(dataclasses.replace(hook, deadline_ns=int(30e9)), None, None, None, _nothing)

    def plan(self, server: str, method: str | None) -> Plan:
        """Return the hooks for a server and method."""
        key = (server, method)
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _PLANS:
                self._plans.clear()
            plan = self._plans[key] = Plan(*(self._hooks(name, server, method) for name in Plan._fields))
        return plan

    def _hooks(self, name: str, server: str, method: str | None) -> tuple[Hook, ...]:
        hooks = (item.hooks.get(name) for item in self.interceptors)
        return tuple(hook for hook in hooks if hook and (not hook.matcher or hook.matcher.covers(server, method)))

    async def judge(self, message: Message, flow: Flow, *, explain: bool = False) -> Decision:
        """Decide about one message, and have the decision observed.

        Args:
            message: the message as received, ids mapped.
            flow: its context.
            explain: run all deciders even after a deny, and add the observers' steps.

        Returns:
            The decision. If it is allowed, ``decision.message.encoded`` is what may be sent, and nothing else.
        """
        message.encoded  # noqa: B018 - what came, whatever a transform does to it in place
        plan, work = self.plan(flow.server.name, message.method), _Work(message)
        for hook in plan.transform:
            if await _transform(hook, work, flow):
                flow = _about(work.message, flow)
            if work.effects and not explain:
                break
        work.message.encoded  # noqa: B018 - fixes what is sent before anyone else sees the message
        if not work.effects or explain:
            for hook in plan.inspect:
                await _inspect(hook, work, flow)
            findings = tuple(finding for _, finding in work.findings)
            for hook in plan.decide:
                if work.effects and not explain and work.denied:
                    break
                await _decide(hook, work, flow, findings)
        decision = await self._observed(self._decision(work), plan, flow, explain=explain)
        if decision.allowed and flow.session is not None:
            _remember(decision, work.findings, flow.session, flow)
        return decision

    def _decision(self, work: _Work) -> Decision:
        message, effects = work.message, work.effects
        redactions = [effect for _, effect in effects if isinstance(effect, Redact)]
        if redactions and not work.denied:  # one that can't be carried out denies, held or not
            started = perf_counter_ns()
            done = enforce.redact(message, redactions)
            outcome: Outcome = "deny" if isinstance(done, Deny) else "redact"
            work.steps.append(Step("tidegate", "enforce", outcome, perf_counter_ns() - started))
            if isinstance(done, Deny):
                effects.append(("tidegate", done))
            elif verdict_of(tuple(effects)) == "redact":
                message = done
        return Decision(
            self.new_id(),
            message,
            tuple(effects),
            tuple(work.findings + work.noted),
            tuple(work.steps),
            verdict_of(tuple(effects)),
            reported=tuple(work.reported),
        )

    async def note(self, event: Event, flow: Flow, deny: Deny | None = None, **parts: Any) -> Decision:
        """Have an event that has no message observed: rejected bytes, a refused login, an instance.

        Args:
            event: what happened.
            flow: its context, as far as it is known.
            deny: why it was refused, if it was.
            parts: ``note`` and ``size`` of the decision.

        Returns:
            The decision; where a required observer failed it isn't allowed, whatever it was before.
        """
        effects: tuple[tuple[str, Effect], ...] = (("tidegate", deny),) if deny else ()
        parts.setdefault("note", deny.reason if deny else "")
        decision = Decision(self.new_id(), None, effects, verdict=verdict_of(effects), event=event, **parts)
        return await self._observed(decision, self.plan(flow.server.name, None), flow)

    async def _observed(self, decision: Decision, plan: Plan, flow: Flow, *, explain: bool = False) -> Decision:
        told: list[Hook] = []
        steps: list[Step] = []
        failed: list[tuple[str, Effect]] = []
        for hook in plan.observe:
            if hook.matcher and not hook.matcher.hits(flow, decision.message):
                continue
            _, failure, elapsed = await _run(hook, decision, flow, None, _nothing)
            steps.append(Step(hook.by, hook.name, failure.outcome if failure else "pass", elapsed, hook.report_only))
            if failure is None:
                told.append(hook)
            elif hook.required and not hook.report_only:
                failed.append((hook.by, Deny(_UNRECORDED, code="unrecorded", rule=hook.by)))
        if failed:
            decision = dataclasses.replace(decision, effects=(*decision.effects, *failed), verdict="deny")
            for hook in told:  # they recorded it as allowed: tell them what became of it
                await _run(hook, decision, flow, None, _nothing)
        if explain or failed:
            decision = dataclasses.replace(decision, steps=(*decision.steps, *steps))
        return decision


_UNRECORDED = "The record of this message could not be written, so it is not sent."


def _remember(decision: Decision, findings: list[tuple[str, Finding]], session: Session, flow: Flow) -> None:
    """Put what goes on into the conversation's memory; what ``report_only`` entries found leaves no label."""
    for _, finding in findings:
        session.label(finding.labels)
    message = decision.message
    if message is not None and not message.is_reply and message.method in _REMEMBERED:
        for target in flow.targets:
            session.called(flow.server.name, message.method, target.name, flow.server.labels)


class _Failure(NamedTuple):
    outcome: Outcome
    effect: Deny
    text: str


def _nothing(value: Any) -> None:
    if value is not None:
        raise TypeError("this hook returns nothing")


async def _run(
    hook: Hook, first: Any, flow: Any, third: Any, check: Callable[[Any], Any]
) -> tuple[Any, _Failure | None, int]:
    """Call one hook: the only place where an exception of an interceptor is caught, and it always denies.

    Args:
        hook: the hook.
        first: the message, decision or proxy.
        flow: the flow.
        third: the findings.
        check: makes the raw result what the phase wants, or raises ``TypeError``; runs inside the guard,
            because reading a generator runs the interceptor's code.

    Returns:
        The result, or ``None`` and what failed; and the elapsed nanoseconds.
    """
    started = perf_counter_ns()
    try:
        value = hook.call(first, flow, third)
        if type(value) is CoroutineType:
            async with asyncio.timeout(hook.deadline_ns / 1e9):
                value = await value
        value = check(value)
    except BaseException as error:
        elapsed = perf_counter_ns() - started
        if isinstance(error, KeyboardInterrupt | GeneratorExit) or _being_cancelled(error):
            raise
        late = isinstance(error, TimeoutError) and elapsed >= hook.deadline_ns
        return None, _late(hook) if late else _broken(hook, error), elapsed
    elapsed = perf_counter_ns() - started
    if elapsed > hook.deadline_ns:  # it came, but too late: the same as not at all
        return None, _late(hook), elapsed
    return value, None, elapsed


def _being_cancelled(error: BaseException) -> bool:
    """Whether the driver itself is being cancelled, and not only something inside the interceptor."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def _late(hook: Hook) -> _Failure:
    log.warning("interceptor too slow", interceptor=hook.by, hook=hook.name, deadline_s=hook.deadline_ns / 1e9)
    return _Failure("timeout", Deny(f"The interceptor {hook.by!r} was too slow.", "late", hook.by), "it was too slow")


def _broken(hook: Hook, error: BaseException) -> _Failure:
    """Say what failed and where; never the exception's text, which may quote the message."""
    frames = traceback.extract_tb(error.__traceback__)
    where, kind = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "?", type(error).__name__
    starting = hook.name == "startup"  # no message exists yet, and the error that ends the start says it all
    say = log.debug if starting else log.error
    say("interceptor failed", interceptor=hook.by, hook=hook.name, error=kind, where=where)
    deny = Deny(f"The interceptor {hook.by!r} failed.", "broken", hook.by)
    return _Failure("error", deny, str(error) if starting else kind)


def _stop(hook: Hook, failure: _Failure, work: _Work) -> None:
    (work.reported if hook.report_only else work.effects).append((hook.by, failure.effect))


def _about(message: Message, flow: Flow) -> Flow:
    """Return the flow of a rewritten message: its targets are those of the message as it goes on."""
    targets = flow.targets if message.is_reply else methods.targets(message)
    return flow if targets == flow.targets else dataclasses.replace(flow, targets=targets, tool=None)


async def _transform(hook: Hook, work: _Work, flow: Flow) -> bool:
    """Run a transform; return whether it changed the message."""
    if hook.matcher and not hook.matcher.hits(flow, work.message):
        return False
    before = work.message

    def check(value: Any) -> Message:
        if value is not None and not isinstance(value, Message):
            raise TypeError("transform returns a Message or None")
        if value is not None and value is not before:
            return _replacement(value, before)
        if values.encode(before.tree) != before.encoded:
            raise TypeError("transform returns a replacement; it doesn't change the message it was given")
        return before

    value, failure, elapsed = await _run(hook, before, flow, None, check)
    if failure is not None:
        _stop(hook, failure, work)
    changed = value is not None and value is not before
    if changed and not hook.report_only:
        work.message = value
    outcome = failure.outcome if failure else "edit" if changed else "pass"
    work.steps.append(Step(hook.by, "transform", outcome, elapsed, hook.report_only))
    return changed and not hook.report_only


def _replacement(value: Message, before: Message) -> Message:
    """Return what a transform made of a message, as its tree says it: not what the transform says of it.

    Raises:
        TypeError: where it isn't the message's own replacement.
        Rejected: where it is no message any more.
        ValueError: for what JSON can't say.
    """
    said = wire.classify(value.tree, before.sender)
    same = (value.kind, value.sender, value.id, value.method) == (before.kind, before.sender, before.id, before.method)
    same = same and (said.kind, said.id) == (before.kind, before.id) and (said.is_reply or said.method == before.method)
    if not same or type(said.id) is not type(before.id) or value.edits[: len(before.edits)] != before.edits:
        raise TypeError("transform returns the message's own replacement")
    made = Message(before.kind, before.sender, before.id, before.method, value.tree, value.edits)
    made.encoded  # noqa: B018 - raises here for what JSON can't say
    return made


def _as_findings(value: Any) -> tuple[Finding, ...]:
    if value is None:
        return ()
    found = tuple(value)
    if not all(isinstance(item, Finding) for item in found):
        raise TypeError("inspect returns findings or None")
    return found


def _as_effects(value: Any) -> tuple[Effect, ...]:
    if value is None:
        return ()
    given = (value,) if isinstance(value, Deny | Redact | Hold) else tuple(value)
    if not all(isinstance(item, Deny | Redact | Hold) for item in given):
        raise TypeError("decide returns effects or None")
    return given


async def _inspect(hook: Hook, work: _Work, flow: Flow) -> None:
    if hook.matcher and not hook.matcher.hits(flow, work.message):
        return
    found, failure, elapsed = await _run(hook, work.message, flow, None, _as_findings)
    if failure is not None:
        _stop(hook, failure, work)
    elif found:
        (work.noted if hook.report_only else work.findings).extend((hook.by, finding) for finding in found)
    outcome: Outcome = failure.outcome if failure else "finding" if found else "pass"
    work.steps.append(Step(hook.by, "inspect", outcome, elapsed, hook.report_only))


_OUTCOMES: dict[Verdict, Outcome] = {"allow": "pass", "redact": "redact", "hold": "hold", "deny": "deny"}


async def _decide(hook: Hook, work: _Work, flow: Flow, findings: tuple[Finding, ...]) -> None:
    if hook.matcher and not hook.matcher.hits(flow, work.message):
        return
    given, failure, elapsed = await _run(hook, work.message, flow, findings, _as_effects)
    outcome: Outcome = "pass"
    if failure is not None:
        outcome = failure.outcome
        _stop(hook, failure, work)
    elif given:
        named = tuple((hook.by, effect) for effect in given)
        outcome = _OUTCOMES[verdict_of(named)]
        (work.reported if hook.report_only else work.effects).extend(named)
    work.steps.append(Step(hook.by, "decide", outcome, elapsed, hook.report_only))
