"""What a decision must look like, in a policy's text and in an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegate_policy.builtins import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate_policy.syntax import Expr, Path, Program, Rule

ENTRIES: dict[str, tuple[str, ...]] = {
    "deny": ("rule", "reason"),
    "redact": ("pointer", "label"),
    "hold": ("rule", "reason"),
    "labels": (),
}
"""The members of a decision, and those of each entry; labels are texts."""


def wrong(answer: Any) -> str | None:
    """Return what is wrong with a decision; ``None`` where nothing is."""
    if not isinstance(answer, dict):
        return "it is no object"
    for name, entries in answer.items():
        if name not in ENTRIES:
            return f"it has the member {name!r}"
        if not isinstance(entries, list):
            return f"{name} is no array and no set"
        for entry in entries:
            members = ENTRIES[name]
            texts = [entry] if not members else list(entry.values()) if isinstance(entry, dict) else [None]
            if not all(isinstance(text, str) for text in texts):
                return f"an entry of {name} is no {_entry(name)}"
            if members and set(entry) != set(members):
                return f"an entry of {name} is no {_entry(name)}"
    return None


def _entry(name: str) -> str:
    members = ENTRIES[name]
    return f"object with the texts {' and '.join(members)}" if members else "text"


def shapes(program: Program, decision: Path) -> Iterator[Finding]:
    """Yield what can't be part of a decision, where the policy's text shows it."""
    for rule in program.rules.get(decision, ()):
        for body in rule.bodies:
            if body.value is not None:
                yield from _decision(program, rule, body.value)
            elif rule.kind == "value":
                yield Finding(rule.module.file, rule.line, "the decision is true, and no object")
        if rule.kind in ("set", "function"):
            yield Finding(rule.module.file, rule.line, f"the decision is a {rule.kind}, and no object")


def _decision(program: Program, rule: Rule, value: Expr) -> Iterator[Finding]:
    file = rule.module.file
    if value.kind in ("scalar", "array", "set"):
        yield Finding(file, value.line, "the decision is no object")
    if value.kind != "object":
        return
    for key, part in zip(value.items[::2], value.items[1::2], strict=True):
        if key.kind != "scalar":
            continue
        if key.value not in ENTRIES:
            yield Finding(file, key.line, f"a decision has no member {key.value!r}, only {', '.join(ENTRIES)}")
        else:
            yield from _entries(program, rule, key.value, part)


def _entries(program: Program, rule: Rule, name: str, value: Expr) -> Iterator[Finding]:
    """Yield what is wrong with the entries of one member, in a collection written out or in rules of its name."""
    if value.kind in ("array", "set"):
        for item in value.items:
            yield from _item(rule, name, item)
    elif value.kind in ("scalar", "object"):
        yield Finding(rule.module.file, value.line, f"{name} is no array and no set")
    elif value.kind in ("var", "ref") and (place := program.place(value, rule.module)):
        for other in program.rules.get(place.path, ()):
            if other.kind == "set":
                for key in other.keys:
                    yield from _item(other, name, key)
            elif other.kind == "object":
                yield Finding(other.module.file, other.line, f"{name} is an object, and no array and no set")


def _item(rule: Rule, name: str, item: Expr) -> Iterator[Finding]:
    members = ENTRIES[name]
    keys = {key.value for key in item.items[::2] if key.kind == "scalar"} if item.kind == "object" else set()
    all_known = item.kind == "object" and all(key.kind == "scalar" for key in item.items[::2])
    text = item.kind == "scalar" and isinstance(item.value, str)
    if (members and ((all_known and keys != set(members)) or item.kind in ("scalar", "array", "set"))) or (
        not members and item.kind in ("object", "array", "set")
    ):
        yield Finding(rule.module.file, item.line, f"an entry of {name} is no {_entry(name)}")
    elif not members and item.kind == "scalar" and not text:
        yield Finding(rule.module.file, item.line, f"an entry of {name} is no text")
