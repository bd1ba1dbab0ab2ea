"""The record of a decision: which fields it has, in which order, and where each comes from.

The reference is ``docs/reference/audit-record.md``. Bodies aren't in it, nor the ids of messages.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from tidegate import Deny, Hold, Redact
from tidegate_audit.words import Words, pointer, printable, sensitive

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate import Decision, Flow, Step

FIELDS = (
    "seq",
    "time",
    "decision",
    "flow",
    "direction",
    "kind",
    "server",
    "server_kind",
    "method",
    "target",
    "principal",
    "profile",
    "client",
    "protocol",
    "verdict",
    "by",
    "rule",
    "reason",
    "findings",
    "edits",
    "steps",
    "notes",
    "bytes",
    "digest",
    "prev",
    "hash",
)
"""The members of a record, in their order."""

MOST_ITEMS = 100
"""Findings and edits of one record; a last item says how many more there were."""

_DIRECTION = {"client": "client_to_server", "server": "server_to_client"}


class Recorder:
    """Makes records of decisions. What the writer of the log alone knows is left open in them."""

    def __init__(self) -> None:
        self._words = Words()
        self._say = self._words.__getitem__

    def record(self, decision: Decision, flow: Flow) -> dict[str, Any]:
        """Return a record, all but ``hash``; ``seq``, ``time`` and ``prev`` are there to be filled in.

        Every message pays for this, so it is one flat literal, and what is rare is in functions beside it.
        """
        message, server, client, targets = decision.message, flow.server, flow.client, flow.targets
        found = sensitive(decision) if decision.findings else set()
        say = self._words.teller(found) if found else self._say
        by, rule, reason = (None, None, None) if decision.verdict in ("allow", "redact") else _stopped(decision, say)
        if message is None:
            direction = kind = method = digest = None
            edits: list[dict[str, Any]] = []
            size = decision.size
            reason = reason or (say(decision.note) if decision.note else None)
        else:
            direction, kind = _DIRECTION[message.sender], message.kind
            method = None if message.method is None else say(message.method)
            edits = _edits(decision, found, say) if message.edits else []
            size, digest = len(message.encoded), message.digest
        return {
            "seq": 0,
            "time": "",
            "decision": decision.id,
            "flow": flow.id,
            "direction": direction,
            "kind": kind or decision.event,
            "server": server.name or None,
            "server_kind": server.kind if server.name else None,
            "method": method,
            "target": say(targets[0].name) if targets else None,
            "principal": flow.principal.name,
            "profile": flow.profile or None,
            "client": {"name": say(client.name), "version": say(client.version)},
            "protocol": say(flow.version) if flow.version else None,
            "verdict": decision.verdict,
            "by": by,
            "rule": rule,
            "reason": reason,
            "findings": _findings(decision, found, say) if decision.findings else [],
            "edits": edits,
            "steps": [
                _report(step, decision, say) if step[4] else (step[0], step[1], step[2], step[3] // 100 / 10)
                for step in decision.steps
            ],
            "notes": _notes(decision, say) if decision.notes else [],
            "bytes": size,
            "digest": digest,
            "prev": "",
        }


def event(reason: str) -> dict[str, Any]:
    """Return the record of something that happened to the log itself."""
    name = f"audit-{secrets.token_hex(4)}"
    record: dict[str, Any] = dict.fromkeys(FIELDS[:-1])
    record |= {"decision": name, "flow": name, "kind": "proxy", "principal": "", "verdict": "allow", "reason": reason}
    record |= {"client": {"name": "", "version": ""}, "findings": [], "edits": [], "steps": [], "notes": []}
    return record | {"bytes": 0}


def _stopped(decision: Decision, say: Callable[[str], str]) -> tuple[str | None, str | None, str | None]:
    """Return who stopped a message, by which rule (the deny code where it has no name), and the reason."""
    found = decision.stopper
    if found is None:
        return None, None, say(decision.note) if decision.note else None
    by, effect = found
    return by, say(_rule(effect)), say(effect.reason)


def _rule(effect: Deny | Hold | Redact) -> str:
    if isinstance(effect, Redact):
        return effect.label
    return effect.rule or (effect.code if isinstance(effect, Deny) else "held")


def _report(step: Step, decision: Decision, say: Callable[[str], str]) -> tuple[Any, ...]:
    """Return the step of an entry that only reports, with the rule of what it would have done."""
    by, hook, outcome, elapsed_ns, _ = step
    rules = [say(_rule(effect)) for name, effect in decision.reported if name == by]
    acted = outcome in ("deny", "hold", "redact", "error", "timeout")
    return by, hook, outcome, elapsed_ns // 100 / 10, "report_only", rules[0] if rules and acted else ""


def _findings(decision: Decision, found: set[str], say: Callable[[str], str]) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = [
        {
            "kind": say(finding.kind),
            "rule": say(finding.rule),
            "pointer": pointer(finding.pointer, found),
            "span": finding.span,
            "confidence": finding.confidence,
            "fingerprint": printable(finding.fingerprint),
            "view": printable(finding.view),
            "in_key": bool(finding.in_key),
            "by": by,
        }
        for by, finding in decision.findings[:MOST_ITEMS]
    ]
    more = len(decision.findings) - MOST_ITEMS
    if more > 0:
        out.append(
            {
                "kind": "omitted",
                "rule": f"{more} more",
                "pointer": "",
                "span": None,
                "confidence": 1.0,
                "fingerprint": "",
                "view": "",
                "in_key": False,
                "by": "audit",
            }
        )
    return out


def _notes(decision: Decision, say: Callable[[str], str]) -> list[dict[str, Any]]:
    return [{"by": by, "text": say(note.text), "labels": [*map(say, note.labels)]} for by, note in decision.notes]


def _edits(decision: Decision, found: set[str], say: Callable[[str], str]) -> list[dict[str, Any]]:
    edits = decision.message.edits if decision.message else ()
    out = [{"pointer": pointer(edit.pointer, found), "label": say(edit.label)} for edit in edits[:MOST_ITEMS]]
    more = len(edits) - MOST_ITEMS
    if more > 0:
        out.append({"pointer": "", "label": f"omitted: {more} more"})
    return out
