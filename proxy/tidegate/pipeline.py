"""transform, inspect, decide, enforce, observe: the one choke point that every message passes.

The pipeline drives the hooks itself, because pluggy gives every implementation the same arguments, can't await,
can't thread a value and lets a wrapper swallow a denial. Whatever goes wrong in a hook denies the message.
"""

from __future__ import annotations

import dataclasses
import itertools
import secrets
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate import enforce, guard, methods, values, wire
from tidegate.held import held
from tidegate.message import Message
from tidegate.plugins import Proxy, unheard
from tidegate.secret_stores.resolving import Resolved, resolve
from tidegate.settings import SettingsError
from tidegate.verdict import (
    Decision,
    Deny,
    Effect,
    Event,
    Finding,
    Hold,
    Note,
    Outcome,
    Redact,
    Step,
    Verdict,
    verdict_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tidegate.flow import Flow
    from tidegate.guard import Failure, Ran
    from tidegate.message import Kind
    from tidegate.plugins import Hook, Interceptor
    from tidegate.session import Session
    from tidegate.settings import Settings

_PLANS = 1024  # plans kept; methods are the peers' words, so there may be any number of them
_REMEMBERED = frozenset(("tools/call", "prompts/get", "resources/read"))


class Plan(NamedTuple):
    """The hooks that messages of a server, method and kind pass, in the order of the settings."""

    transform: tuple[Hook, ...]
    inspect: tuple[Hook, ...]
    decide: tuple[Hook, ...]
    observe: tuple[Hook, ...]


class _Work:
    """What has been found out about one message so far."""

    __slots__ = ("effects", "findings", "labels", "message", "noted", "notes", "reported", "steps")

    def __init__(self, message: Message) -> None:
        self.message = message
        self.effects: list[tuple[str, Effect]] = []
        self.reported: list[tuple[str, Effect]] = []
        self.findings: list[tuple[str, Finding]] = []
        self.noted: list[tuple[str, Finding]] = []
        self.steps: list[Step] = []
        self.notes: list[tuple[str, Note]] = []
        self.labels: list[str] = []

    @property
    def denied(self) -> bool:
        return any(isinstance(effect, Deny) for _, effect in self.effects)


class Pipeline:
    """The interceptors of one set of settings, started and driven together.

    Args:
        interceptors: the interceptors.
        given: the secrets that the settings refer to, where they were read already.

    Attributes:
        secrets: the same, once started.
    """

    def __init__(self, interceptors: Iterable[Interceptor], given: Resolved | None = None) -> None:
        self.interceptors = list(interceptors)
        self.secrets = given or Resolved()
        self._unread = given is None
        self._plans: dict[tuple[str, str | None, Kind | None], Plan] = {}
        self._prefix = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    def new_id(self) -> str:
        """Return an id for a decision or flow: unique in this run, and not in any other."""
        return f"{self._prefix}-{next(self._numbers)}"

    async def start(self, settings: Settings, tell: Callable[[str, Iterable[str]], None] = unheard) -> None:
        """Run ``startup`` of all interceptors that haven't run it; on a failure stop those it started.

        Raises:
            SettingsError: where one of them fails.
        """
        servers = tuple(settings.server(name) for name in settings.servers)
        principals = tuple(token.name for token in settings.auth.tokens)
        if self._unread:
            self.secrets, self._unread = await resolve(settings), False
        given = held(settings, self.secrets)
        running = [interceptor for interceptor in self.interceptors if interceptor.started]  # kept by a reload
        for interceptor in self.interceptors:
            hook = interceptor.hooks.get("startup")
            seconds = interceptor.entry.deadline or settings.proxy.deadline
            if interceptor.started or hook is None:
                interceptor.started = True
                continue
            proxy = Proxy(interceptor.name, settings.folder, servers, principals, seconds, given, tell)
            failure = await guard.wait(dataclasses.replace(hook, deadline_ns=int(60e9)), proxy)
            if failure is not None:
                await self.stop(keep=running)
                said = f"interceptor {interceptor.name!r} can't start: {failure.text}"
                raise SettingsError(said, down=failure.down)
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
                await guard.wait(dataclasses.replace(hook, deadline_ns=int(30e9)), None)

    def plan(self, server: str, method: str | None, kind: Kind | None) -> Plan:
        """Return the hooks for a server, method and kind of message; ``None`` for an event without a message."""
        key = (server, method, kind)
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _PLANS:
                self._plans.clear()
            plan = self._plans[key] = Plan(*(self._hooks(name, key) for name in Plan._fields))
        return plan

    def _hooks(self, name: str, key: tuple[str, str | None, Kind | None]) -> tuple[Hook, ...]:
        hooks = (item.hooks.get(name) for item in self.interceptors)
        return tuple(hook for hook in hooks if hook and hook.covers(*key))

    async def judge(self, message: Message, flow: Flow, *, explain: bool = False) -> Decision:  # noqa: C901 - see below
        """Decide about one message, and have the decision observed.

        Args:
            message: the message as received, ids mapped.
            flow: its context.
            explain: run all deciders even after a deny, and add the observers' steps.

        Returns:
            The decision. If it is allowed, ``decision.message.encoded`` is what may be sent, and nothing else.
        """
        # All phases are in this one coroutine: a coroutine for each would cost as much as what it drives.
        message.encoded  # noqa: B018 - what came, whatever a transform does to it in place
        plan, work = self.plan(flow.server.name, message.method, message.kind), _Work(message)
        for hook in plan.transform:
            if hook.matcher and not hook.matcher.hits(flow, work.message):
                continue
            ran = guard.run(hook, work.message, flow, None, _as_message)
            if _transformed(hook, ran if isinstance(ran, tuple) else await ran, work):
                flow = _about(work.message, flow)
            if work.effects and not explain:
                break
        work.message.encoded  # noqa: B018 - fixes what is sent before anyone else sees the message
        if not work.effects or explain:
            for hook in plan.inspect:
                if hook.matcher and not hook.matcher.hits(flow, work.message):
                    continue
                ran = guard.run(hook, work.message, flow, None, _as_findings)
                _inspected(hook, ran if isinstance(ran, tuple) else await ran, work)
            findings = tuple([finding for _, finding in work.findings])
            for hook in plan.decide:
                if work.effects and not explain and work.denied:
                    break
                if hook.matcher and not hook.matcher.hits(flow, work.message):
                    continue
                ran = guard.run(hook, work.message, flow, findings, _as_effects)
                _decided(hook, ran if isinstance(ran, tuple) else await ran, work)
        decision = await self._observed(self._decision(work), plan, flow, explain=explain)
        if decision.allowed and flow.session is not None:
            _remember(decision, work, flow.session, flow)
        return decision

    def _decision(self, work: _Work) -> Decision:
        message, effects = work.message, work.effects
        if not effects:
            return Decision(
                self.new_id(),
                message,
                (),
                tuple(work.findings + work.noted),
                tuple(work.steps),
                reported=tuple(work.reported),
                notes=tuple(work.notes),
            )
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
            notes=tuple(work.notes),
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
        return await self._observed(decision, self.plan(flow.server.name, None, None), flow)

    async def composed(self, message: Message, flow: Flow) -> Decision:
        """Have a message observed that is put together of parts that were judged; return the decision, as `note`."""
        decision = Decision(self.new_id(), message)
        return await self._observed(decision, self.plan(flow.server.name, message.method, message.kind), flow)

    async def _observed(self, decision: Decision, plan: Plan, flow: Flow, *, explain: bool = False) -> Decision:
        told: list[tuple[Hook, Failure | None, int]] = []
        failed: list[tuple[str, Effect]] = []
        for hook in plan.observe:
            if hook.matcher and not hook.matcher.hits(flow, decision.message):
                continue
            ran = guard.run(hook, decision, flow, None, guard.nothing)
            _, failure, elapsed = ran if isinstance(ran, tuple) else await ran
            told.append((hook, failure, elapsed))
            if failure is not None and hook.required and not hook.report_only:
                failed.append((hook.by, Deny(_UNRECORDED, code="unrecorded", rule=hook.by)))
        if failed:
            decision = dataclasses.replace(decision, effects=(*decision.effects, *failed), verdict="deny")
            for hook, failure, _ in told:
                if failure is None:  # it recorded the message as allowed: tell it what became of it
                    ran = guard.run(hook, decision, flow, None, guard.nothing)
                    if not isinstance(ran, tuple):
                        await ran
        if explain or failed:
            steps = [
                Step(hook.by, hook.name, failure.outcome if failure else "pass", elapsed, hook.report_only)
                for hook, failure, elapsed in told
            ]
            decision = dataclasses.replace(decision, steps=(*decision.steps, *steps))
        return decision


_UNRECORDED = "The record of this message could not be written, so it is not sent."


def _remember(decision: Decision, work: _Work, session: Session, flow: Flow) -> None:
    """Put what goes on into the conversation's memory; what ``report_only`` entries said leaves no label."""
    for _, finding in work.findings:
        session.label(finding.labels)
    session.label(work.labels)
    message = decision.message
    if message is None:
        return
    if message.sender == "server":
        if flow.server.labels and methods.tells(message):
            session.label(flow.server.labels)
    elif not message.is_reply and message.method in _REMEMBERED:
        for target in flow.targets:
            session.called(flow.server.name, message.method, target.name, flow.server.labels)


def _stop(hook: Hook, failure: Failure, work: _Work) -> None:
    (work.reported if hook.report_only else work.effects).append((hook.by, failure.effect))


def _about(message: Message, flow: Flow) -> Flow:
    """Return the flow of a rewritten message: its targets are those of the message as it goes on."""
    targets = flow.targets if message.is_reply else methods.targets(message)
    return flow if targets == flow.targets else dataclasses.replace(flow, targets=targets, tool=None)


def _as_message(value: Any, before: Message) -> Message:
    if value is not None and not isinstance(value, Message):
        raise TypeError("transform returns a Message or None")
    if value is not None and value is not before:
        return _replacement(value, before)
    if values.encode(before.tree) != before.encoded:
        raise TypeError("transform returns a replacement; it doesn't change the message it was given")
    return before


def _transformed(hook: Hook, ran: Ran, work: _Work) -> bool:
    """Take what came of a transform; return whether it changed the message."""
    value, failure, elapsed = ran
    if failure is not None:
        _stop(hook, failure, work)
    changed = value is not None and value is not work.message
    outcome = failure.outcome if failure else "edit" if changed else "pass"
    work.steps.append(Step(hook.by, "transform", outcome, elapsed, hook.report_only))
    if changed and not hook.report_only:
        work.message = value
        return True
    return False


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


def _as_findings(value: Any, _given: Any) -> tuple[Finding, ...]:
    if value is None:
        return ()
    found = tuple(value)
    if not all(isinstance(item, Finding) for item in found):
        raise TypeError("inspect returns findings or None")
    return found


def _as_effects(value: Any, _given: Any) -> tuple[Effect | Note, ...]:
    if value is None:
        return ()
    given = (value,) if isinstance(value, Deny | Redact | Hold | Note) else tuple(value)
    if not all(isinstance(item, Deny | Redact | Hold | Note) for item in given):
        raise TypeError("decide returns effects, notes or None")
    return given


def _inspected(hook: Hook, ran: Ran, work: _Work) -> None:
    found, failure, elapsed = ran
    if failure is not None:
        _stop(hook, failure, work)
    elif found:
        (work.noted if hook.report_only else work.findings).extend((hook.by, finding) for finding in found)
    outcome: Outcome = failure.outcome if failure else "finding" if found else "pass"
    work.steps.append(Step(hook.by, "inspect", outcome, elapsed, hook.report_only))


_OUTCOMES: dict[Verdict, Outcome] = {"allow": "pass", "redact": "redact", "hold": "hold", "deny": "deny"}


def _decided(hook: Hook, ran: Ran, work: _Work) -> None:
    given, failure, elapsed = ran
    outcome: Outcome = "pass"
    if failure is not None:
        outcome = failure.outcome
        _stop(hook, failure, work)
    elif given:
        named = tuple([(hook.by, effect) for effect in given if not isinstance(effect, Note)])
        outcome = _OUTCOMES[verdict_of(named)]
        (work.reported if hook.report_only else work.effects).extend(named)
        if len(named) < len(given):
            _noted(hook, given, work)
    work.steps.append(Step(hook.by, "decide", outcome, elapsed, hook.report_only))


def _noted(hook: Hook, given: tuple[Effect | Note, ...], work: _Work) -> None:
    notes = [item for item in given if isinstance(item, Note)]
    work.notes.extend((hook.by, item) for item in notes)
    if not hook.report_only:
        work.labels.extend(label for item in notes for label in item.labels)
