"""From a finding in an audit log to the entry of ``allow`` that lets it through."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Array

from tidegate_scan import entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tomlkit.items import Table

KINDS = {"secret": "secrets", "pii": "pii"}
"""The kinds of findings that can be allowed, each with the interceptor whose settings say so."""

_NUMBER = re.compile(r"\.\d{6,}")
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_WILD = re.compile(r"[*?\[]")
_UNSURE = ("[masked]", "…", "\ufffd")  # what stands in records where the real text doesn't


class Sighting(NamedTuple):
    """A finding in an audit log. All texts are the record's, so they hold nothing of the value.

    Attributes:
        kind: ``secret`` or ``pii``.
        rule: the rule's id.
        fingerprint: of the value.
        pointer: where it was, by JSON Pointer.
        server: the server's name; ``""`` for none.
        target: the tool, prompt or resource; ``""`` for none.
        decision: the decision's id.
        by: the entry of the settings that found it.
    """

    kind: str
    rule: str
    fingerprint: str
    pointer: str
    server: str
    target: str
    decision: str
    by: str


def entry_for(found: Sequence[Sighting], reason: str = "") -> dict[str, Any]:
    """Return the narrowest entry of ``allow`` for a value; what the records don't know for sure is left out.

    Args:
        found: where one decision saw it: once, or in several places.
        reason: why it is allowed, for people.
    """
    entry: dict[str, Any] = {"fingerprint": found[-1].fingerprint}
    for key, names in (
        ("rules", [each.rule for each in found]),
        ("servers", [each.server for each in found]),
        ("targets", [each.target for each in found]),
        ("pointers", [each.pointer for each in found]),
    ):
        if all(name and not any(sign in name for sign in _UNSURE) for name in names):
            entry[key] = [_glob(name) for name in dict.fromkeys(names)]
    if reason:
        entry["reason"] = reason
    return entry


def _glob(name: str) -> str:
    """Return the glob that covers one name alone."""
    return _WILD.sub(r"[\g<0>]", name)


def sightings(log: Path, decision: str | None = None, fingerprint: str | None = None) -> list[Sighting]:
    """Return the findings of an audit log that can be allowed, each once, the newest last.

    Args:
        log: the log; the older files beside it are read too.
        decision: only those of this decision.
        fingerprint: only those with this fingerprint.

    Raises:
        OSError: where the log can't be read.
    """
    found: dict[Sighting, None] = {}
    wanted = [part.encode() for part in (decision, fingerprint) if part]
    for line in _lines(log):
        if b'"fingerprint"' not in line or not all(part in line for part in wanted):
            continue
        for each in _of(line):
            if decision in (None, each.decision) and fingerprint in (None, each.fingerprint):
                found.pop(each, None)
                found[each] = None
    return list(found)


def _lines(log: Path) -> Iterator[bytes]:
    older = [] if _NUMBER.fullmatch(log.suffix) else log.parent.glob(f"{_glob(log.name)}.*")
    numbered = [path for path in older if _NUMBER.fullmatch(path.name.removeprefix(log.name))]
    for path in (*sorted(numbered, key=lambda path: int(path.suffix[1:])), log):
        with path.open("rb") as file:
            yield from file


def _of(line: bytes) -> Iterator[Sighting]:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return
    findings = record.get("findings") if isinstance(record, dict) else None
    for finding in findings if isinstance(findings, list) else ():
        if not isinstance(finding, dict) or finding.get("kind") not in KINDS:
            continue
        kind, rule, fingerprint, pointer, by = (
            str(finding.get(key) or "") for key in ("kind", "rule", "fingerprint", "pointer", "by")
        )
        server, target, decision = (str(record.get(key) or "") for key in ("server", "target", "decision"))
        if _FINGERPRINT.fullmatch(fingerprint):
            yield Sighting(kind, rule, fingerprint, pointer, server, target, decision, by)


def toml(entry: Mapping[str, Any]) -> str:
    """Return an entry of ``allow`` as it stands below its ``[[interceptors]]`` entry."""
    return "[[interceptors.allow]]\n" + tomlkit.dumps(entry)


def added(text: str, source: str, sighting: Sighting, entry: Mapping[str, Any]) -> str | None:
    """Return a settings file's text with an entry of ``allow`` more; all else in it stays as it is.

    Args:
        text: the settings.
        source: their file, for sentences.
        sighting: what is allowed; it says which interceptor's settings are meant.
        entry: the entry.

    Returns:
        The text, or ``None`` where the entry is there already.

    Raises:
        EntryError: where the settings can't be read, have no such interceptor, or can't be changed without harm.
    """
    before = entries.parse(text, source)
    index = _position(before, source, sighting)
    there = before["interceptors"][index].setdefault("allow", [])
    if any({**each, "reason": ""} == {**entry, "reason": ""} for each in there if isinstance(each, dict)):
        return None
    try:
        document: Any = tomlkit.parse(text.removeprefix(entries.MARK))
        _add(document["interceptors"][index], entry)
        changed = tomlkit.dumps(document)
    except (TOMLKitError, TypeError, AttributeError):
        raise entries.EntryError(f"{source}: can't be changed safely: add the entry by hand") from None
    if text.startswith(entries.MARK):
        changed = entries.MARK + changed
    if changed.endswith("\n\n") and not text.endswith("\n\n"):
        changed = changed[:-1]  # of the blank line that separates the entry from what comes after it
    there.append(dict(entry))
    if entries.parse(changed, source) != before:
        raise entries.EntryError(f"{source}: can't be changed safely: add the entry by hand")
    return changed


def _position(tree: dict[str, Any], source: str, sighting: Sighting) -> int:
    use = KINDS[sighting.kind]
    index = entries.position(tree, use, sighting.by)
    if index is None:
        named = f" and is called {sighting.by!r}" if sighting.by != use else ""
        raise entries.EntryError(f"{source}: no interceptor there has use = {use!r}{named}")
    return index


def _add(interceptor: Table, entry: Mapping[str, Any]) -> None:
    allow = interceptor.get("allow")
    if isinstance(allow, Array):
        inline = tomlkit.inline_table()
        inline.update(entry)
        allow.add_line(inline)
        return
    table = tomlkit.table()
    table.update(entry)
    table.add(tomlkit.nl())
    if isinstance(allow, AoT):
        allow.append(table)
        return
    made = tomlkit.aot()
    made.append(table)
    interceptor.append("allow", made)
