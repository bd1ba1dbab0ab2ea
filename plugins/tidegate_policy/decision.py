"""From what an engine answers to effects. Whatever isn't a decision denies, and the reason says why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate import Deny, Hold, Redact
from tidegate_policy.sources import MEMBERS, Answer, Failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tidegate import Effect
    from tidegate_policy.sources import Unit

_REASONS = {
    "undefined": ("broken", "The policy gave no decision."),
    "error": ("broken", "The policy failed."),
    "timeout": ("late", "The policy took too long."),
    "shape": ("broken", "The policy's decision has the wrong shape."),
    "down": ("broken", "The policy engine can't be reached."),
}
"""Per kind of failure, the deny code and the reason."""


class Said(NamedTuple):
    """What all units said about one message.

    Attributes:
        effects: what is to be done.
        labels: what the conversation is labelled with.
        failures: what went wrong, with the unit's name; each is a deny among the effects.
    """

    effects: list[Effect]
    labels: tuple[str, ...]
    failures: list[tuple[str, Failure]]


def said(units: Sequence[Unit], answers: Sequence[Answer]) -> Said:
    """Return what the answers of several units come to: effects add up."""
    effects: list[Effect] = []
    labels: list[str] = []
    failures: list[tuple[str, Failure]] = []
    for unit, answer in zip(units, answers, strict=True):
        try:
            read = (answer, ()) if isinstance(answer, Failure) else _read(answer)
        except (KeyError, TypeError, ValueError):  # not of the form that a decision has
            read = (Failure("shape"), ())
        if isinstance(read[0], Failure):
            failures.append((unit.name, read[0]))
            effects.append(failed(unit.name, read[0]))
        else:
            effects += read[0]
            labels += read[1]
    return Said(effects, tuple(labels), failures)


def failed(name: str, failure: Failure) -> Deny:
    """Return the deny for a failure."""
    code, reason = _REASONS[failure.kind]
    return Deny(reason, code, f"{name}/{failure.kind}")


def _read(answer: Any) -> tuple[list[Effect], list[str]]:
    """Return the effects and labels of a decision.

    Raises:
        KeyError: where a member is missing.
        TypeError: where it is of another type.
        ValueError: where there is a member too many, or text that UTF-8 can't say.
    """
    if type(answer) is not dict or not answer.keys() <= _KNOWN:
        raise TypeError("a decision is an object of deny, redact, hold and labels")
    if not any(answer.values()):
        if any(type(value) is not list for value in answer.values()):
            raise TypeError("members of a decision are arrays")
        return [], []
    effects: list[Effect] = [
        Deny(reason, "denied", rule) for rule, reason in _pairs(answer.get("deny", []), "rule", "reason")
    ]
    effects += [Hold(reason, rule=rule) for rule, reason in _pairs(answer.get("hold", []), "rule", "reason")]
    effects += [Redact(pointer, None, label) for pointer, label in _pairs(answer.get("redact", []), "pointer", "label")]
    labels = answer.get("labels", [])
    if type(labels) is not list or not all(type(label) is str and label for label in labels):
        raise TypeError("labels are strings")
    return effects, labels


_KNOWN = frozenset(MEMBERS)


def _pairs(items: Any, first: str, second: str) -> Iterator[tuple[str, str]]:
    if type(items) is not list:
        raise TypeError("members of a decision are arrays")
    for item in items:
        if type(item) is not dict or len(item) != 2:
            raise TypeError(f"an object of {first} and {second} is needed")
        yield item[first], item[second]
