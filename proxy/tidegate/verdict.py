"""Facts, effects and decisions, and how effects combine.

There is no ``Allow``: silence passes, and nothing can override a deny. Denies beat holds, holds beat
redactions, redactions add up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tidegate import values
from tidegate.quick import quick

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.message import Id, Message

Outcome = Literal["pass", "finding", "edit", "deny", "redact", "hold", "error", "timeout"]
Verdict = Literal["allow", "redact", "hold", "deny"]
Event = Literal["message", "rejected", "login", "instance", "egress", "proxy"]

CODES: dict[str, tuple[int, str]] = {
    "denied": (-31403, "An interceptor denied the message."),
    "held": (-31428, "The message needs a person's approval."),
    "limit": (-31413, "The message is over a limit of size, depth or number of members."),
    "ambiguous": (-31400, "Two parsers could read the message differently, so it is refused."),
    "unsolicited": (-31409, "A reply that answers no open request, or an id that is already in use."),
    "broken": (-31500, "An interceptor failed, so the message is denied."),
    "late": (-31504, "An interceptor was too slow, so the message is denied."),
    "unrecorded": (-31507, "The record of the message could not be written, so the message is denied."),
    "arguments": (-31415, "The arguments don't fit the inputSchema that the server gave for the tool."),
    "unredactable": (-31422, "A redaction would have changed more than payload, so the message is denied."),
    "unavailable": (-31502, "The server can't be reached, failed, or ended."),
    "overdue": (-31508, "The server didn't answer in time."),
    "unauthorized": (-31401, "The request carries no valid token."),
    "origin": (-31421, "The request's Host or Origin is not one that Tidegate serves."),
    "parse": (-32700, "The bytes are not a JSON text (JSON-RPC 2.0, section 5.1)."),
    "invalid": (-32600, "The JSON is not a JSON-RPC message (JSON-RPC 2.0, section 5.1)."),
    "meta": (-32602, "A request lacks the _meta that its version demands (MCP 2026-07-28, versioning)."),
    "unknown": (-32602, "The request names a tool, prompt, resource or task that isn't there, or is several servers'."),
    "state": (-32602, "A requestState stands for nothing, or for something of somebody else's (MCP 2026-07-28)."),
    "version": (-32022, "The request's protocol version isn't spoken here (MCP 2026-07-28, versioning)."),
    "cursor": (-32602, "A list's cursor is unknown, somebody else's, or expired (MCP 2026-07-28, pagination)."),
    "method": (-32601, "The request's version has no such method (JSON-RPC 2.0, section 5.1)."),
    "header": (-32020, "A routing header disagrees with the body (MCP 2026-07-28, streamable HTTP)."),
}
"""Deny codes: per code the number of the JSON-RPC error, and what it means.

The numbers of Tidegate's own lie outside -32768 to -32000, which JSON-RPC 2.0 and MCP reserve."""

DECISION_KEY = "io.tidegate/decision"
"""The member of a denied tool result's ``_meta`` that says which decision it was."""


def _texts(*given: object) -> None:
    """Refuse what isn't text that can be written: it goes into answers and records.

    Raises:
        TypeError: for what is no string.
        ValueError: for a string with lone surrogates, which UTF-8 can't say.
    """
    for text in given:
        if not isinstance(text, str):
            raise TypeError(f"a string is needed, not {type(text).__name__}")
        if not text.isascii():
            text.encode()


def _spans(span: object) -> None:
    if span is not None and not (isinstance(span, tuple) and [type(part) for part in span] == [int, int]):
        raise TypeError("a span is None or two integers")


@dataclass(frozen=True, slots=True)
class Finding:
    """A fact about a message, never a verdict.

    Attributes:
        kind: what sort of fact: ``secret``, ``pii``, ``injection``, ...
        rule: the rule that found it.
        pointer: where, as a JSON Pointer from the message's root.
        span: where in that string, from its first character up to the one behind its last; ``None`` for all of it.
        confidence: 0.0 to 1.0.
        fingerprint: a keyed HMAC of what was found, never the value or a part of it.
        labels: what is put on the session when the message goes on.
        view: how it was disguised, outermost first, as ``url+base64``; ``""`` where it stood there plainly.
        in_key: whether it is in the key of the member that ``pointer`` names, and not in its value.
    """

    kind: str
    rule: str
    pointer: str = ""
    span: tuple[int, int] | None = None
    confidence: float = 1.0
    fingerprint: str = ""
    labels: tuple[str, ...] = ()
    view: str = ""
    in_key: bool = False

    def __post_init__(self) -> None:
        """Refuse parts of another type, where they are made.

        Raises:
            TypeError: for a part of another type.
            ValueError: for text that UTF-8 can't say.
        """
        _spans(self.span)
        if not isinstance(self.labels, tuple):
            raise TypeError("labels is a tuple of strings")
        _texts(self.kind, self.rule, self.pointer, self.fingerprint, self.view, *self.labels)
        if not isinstance(self.confidence, float | int):
            raise TypeError("confidence is a number")


@dataclass(frozen=True, slots=True)
class Deny:
    """Stops the message.

    Attributes:
        reason: one sentence that is safe to show to the sender: it holds nothing of the message's content.
        code: one of :data:`CODES`.
        rule: the rule that says so, for the audit record and the answer.
    """

    reason: str
    code: str = "denied"
    rule: str = ""

    def __post_init__(self) -> None:
        """Refuse a code that isn't documented, and parts of another type.

        Raises:
            TypeError: for a part of another type.
            ValueError: for a code that is not in :data:`CODES`, or text that UTF-8 can't say.
        """
        _texts(self.reason, self.code, self.rule)
        if self.code not in CODES:
            raise ValueError(f"unknown deny code {self.code!r}")


@dataclass(frozen=True, slots=True)
class Redact:
    """Replaces a string, or a span of it, by a marker; the core alone carries it out.

    Attributes:
        pointer: which string, as a JSON Pointer from the message's root.
        span: from its first character up to the one behind its last; ``None`` for all of it.
        label: what stands in its place, as ``[redacted:LABEL]``.
    """

    pointer: str
    span: tuple[int, int] | None = None
    label: str = "redacted"

    def __post_init__(self) -> None:
        """Refuse parts of another type, where they are made.

        Raises:
            TypeError: for a part of another type.
            ValueError: for text that UTF-8 can't say.
        """
        _spans(self.span)
        _texts(self.pointer, self.label)


@dataclass(frozen=True, slots=True)
class Hold:
    """Stops the message until a person approves this exact message.

    Attributes:
        reason: one sentence that is safe to show to the sender.
        approvers: names of who may approve.
        ttl: how long an approval may take, in seconds.
        rule: the rule that says so.
    """

    reason: str
    approvers: tuple[str, ...] = ()
    ttl: float = 300.0
    rule: str = ""

    def __post_init__(self) -> None:
        """Refuse parts of another type, where they are made.

        Raises:
            TypeError: for a part of another type.
            ValueError: for text that UTF-8 can't say.
        """
        if not isinstance(self.approvers, tuple):
            raise TypeError("approvers is a tuple of strings")
        if not isinstance(self.ttl, float | int):
            raise TypeError("ttl is a number of seconds")
        _texts(self.reason, self.rule, *self.approvers)


Effect = Deny | Redact | Hold


@dataclass(frozen=True, slots=True)
class Note:
    """Says something for the record, and stops nothing: what a decider learnt beside its effects.

    Attributes:
        text: one line that is safe to show: which revision decided, what a shadow would have done.
        labels: what is put on the conversation when the message goes on.
        detail: makes the whole of it, for a recording that is encrypted; confidential, so it is called only where
            one is kept.
    """

    text: str = ""
    labels: tuple[str, ...] = ()
    detail: Callable[[], bytes] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse parts of another type, where they are made.

        Raises:
            TypeError: for a part of another type.
            ValueError: for text that UTF-8 can't say.
        """
        if not isinstance(self.labels, tuple):
            raise TypeError("labels is a tuple of strings")
        _texts(self.text, *self.labels)
        if self.detail is not None and not callable(self.detail):
            raise TypeError("detail is a function")


class Step(NamedTuple):
    """What one hook of one interceptor did.

    Attributes:
        by: the interceptor's name in the settings.
        hook: ``transform``, ``inspect``, ``decide`` or ``observe``; ``enforce`` for the core's own.
        outcome: what came of it.
        elapsed_ns: how long it took, in nanoseconds.
        report_only: whether its outcome was noted and not carried out.
    """

    by: str
    hook: str
    outcome: Outcome
    elapsed_ns: int
    report_only: bool = False


@quick
@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about one message, or about an event that has none.

    Attributes:
        id: unique per decision.
        message: exactly what may be forwarded, if :attr:`allowed`; otherwise what was judged. ``None`` for
            an event without a message.
        effects: what took effect, with the name of who gave it.
        findings: the facts, with the name of who found them.
        steps: what every hook did, in order.
        verdict: ``allow``, ``redact``, ``hold`` or ``deny``.
        event: ``message``, or what else is recorded: ``rejected`` bytes, a refused ``login``, an
            ``instance`` of a server or the ``proxy`` itself that starts or ends, a connection of an instance's
            (``egress``).
        note: one sentence about an event, or the reason of a deny or hold; never content.
        size: the size of rejected bytes, in bytes.
        reported: what ``report_only`` entries would have done, with the name of who.
        notes: what deciders said for the record, with the name of who.
    """

    id: str
    message: Message | None
    effects: tuple[tuple[str, Effect], ...] = ()
    findings: tuple[tuple[str, Finding], ...] = ()
    steps: tuple[Step, ...] = ()
    verdict: Verdict = "allow"
    event: Event = "message"
    note: str = ""
    size: int = 0
    reported: tuple[tuple[str, Effect], ...] = ()
    notes: tuple[tuple[str, Note], ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether :attr:`message` may be forwarded."""
        return self.verdict in ("allow", "redact")

    @property
    def stopper(self) -> tuple[str, Deny | Hold] | None:
        """Who stopped the message and how: the first deny, or else the first hold."""
        return stopper(self.effects)


def stopper(effects: tuple[tuple[str, Effect], ...]) -> tuple[str, Deny | Hold] | None:
    """Return the effect that stops a message, with who gave it: a deny before a hold; ``None`` for neither."""
    held: tuple[str, Deny | Hold] | None = None
    for by, effect in effects:
        if isinstance(effect, Deny):
            return by, effect
        if held is None and isinstance(effect, Hold):
            held = by, effect
    return held


def verdict_of(effects: tuple[tuple[str, Effect], ...]) -> Verdict:
    """Combine effects: denies beat holds, holds beat redactions, silence passes."""
    if not effects:
        return "allow"
    found = stopper(effects)
    if found is None:
        return "redact"
    return "deny" if isinstance(found[1], Deny) else "hold"


def rpc_error(decision: Decision, request_id: Any) -> dict[str, Any]:
    """Return the JSON-RPC error reply that tells a sender why its message was stopped.

    Args:
        decision: a decision that isn't allowed.
        request_id: the id of the request to answer; ``None`` where it can't be known.
    """
    found = decision.stopper
    by, effect = found or ("tidegate", Deny(decision.note or "denied"))
    code = effect.code if isinstance(effect, Deny) else "held"
    data = {"decision": decision.id, "rule": effect.rule or by, "code": code}
    error = {"code": CODES[code][0], "message": effect.reason, "data": data}
    return {"jsonrpc": "2.0", "id": request_id, "error": error}


def denial(decision: Decision, request: Message, *, as_result: bool, modern: bool) -> dict[str, Any]:
    """Return the reply to a request that was stopped: an error, or a tool result that a model can read.

    Args:
        decision: a decision that isn't allowed.
        request: the request as its sender knows it.
        as_result: whether a stopped ``tools/call`` is answered with a tool result.
        modern: whether its protocol version is one in which results have a ``resultType`` (2026-07-28).
    """
    reply = rpc_error(decision, request.id)
    if request.method != "tools/call" or not as_result:
        return reply
    said = reply["error"]
    text = f"Denied by Tidegate: {said['message']} (rule {said['data']['rule']}, decision {decision.id})"
    result: dict[str, Any] = {
        "content": [{"type": "text", "text": text}],
        "isError": True,
        "_meta": {DECISION_KEY: said["data"]},
    }
    if modern:
        result["resultType"] = "complete"
    return {"jsonrpc": "2.0", "id": request.id, "result": result}


def error_bytes(code: str, reason: str, identity: Id | None = None) -> bytes:
    """Return a JSON-RPC error of Tidegate's own that no decision stands behind, such as an unknown session."""
    error = {"code": CODES[code][0], "message": reason, "data": {"code": code}}
    return values.encode({"jsonrpc": "2.0", "id": identity, "error": error})
