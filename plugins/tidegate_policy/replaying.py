"""Asks a new policy about recorded messages, and says what would change: by rule, never by content."""

from __future__ import annotations

import json
import os
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography.fernet import Fernet, InvalidToken

from tidegate_policy import projects
from tidegate_policy.packs import BUNDLE
from tidegate_policy.sources import MEMBERS, Failure, PolicyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tidegate_policy.packs import Policy
    from tidegate_policy.sources import Answer

EXAMPLES = 5
"""Decision ids that are named for each change."""

_ORDER = ("deny", "hold", "redact", "allow")


class Recorded(NamedTuple):
    """One message as it was recorded.

    Attributes:
        id: the decision's id; the line's number where it has none.
        given: the input.
        decided: by the names of units, what they decided; ``None`` where that wasn't recorded.
    """

    id: str
    given: dict[str, Any]
    decided: dict[str, Answer] | None


class Effect(NamedTuple):
    """One thing that a decision does: ``deny readonly/tool`` of the unit ``readonly``."""

    unit: str
    kind: str
    name: str


class Change(NamedTuple):
    """One way in which decisions differ, how often, and in which of them, for example."""

    what: Any
    times: int
    examples: tuple[str, ...]


class Outcome(NamedTuple):
    """What a replay found.

    Attributes:
        messages: how many were asked about.
        changed: how many would be decided in another way.
        verdicts: from which verdict to which.
        added: effects that there would be.
        removed: effects that there wouldn't be any more.
    """

    messages: int
    changed: int
    verdicts: list[Change]
    added: list[Change]
    removed: list[Change]


class Replayed:
    """A policy that recorded messages are put to."""

    def __init__(self, policy: Policy) -> None:
        self._asked = projects.Asked(policy)
        self.units = frozenset(unit.name for unit in policy.units)

    def decide(self, given: Mapping[str, Any]) -> dict[str, Answer]:
        """Return what each unit decides about an input."""
        return self._asked.answers(given)


def lines(text: str) -> list[str]:
    """Return the lines of a file; of one JSON document, however it is laid out, each of its objects as a line."""
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return text.splitlines()
    return [json.dumps(each) for each in (whole if isinstance(whole, list) else [whole])]


def records(texts: Iterable[str], name: str, key: Fernet | None = None, by: str | None = None) -> Iterator[Recorded]:
    """Yield the messages of a recording, of OPA's decision logs, or of JSON lines of bare inputs.

    Args:
        texts: its lines.
        name: what sentences call it.
        key: what decrypts a recording.
        by: only what this interceptor recorded.

    Raises:
        PolicyError: where a line is none of these.
    """
    for number, line in enumerate(texts, 1):
        if not line.strip():
            continue
        entry = _entry(line, f"{name}:{number}", key)
        if "hash" in entry and "prev" in entry and "input" not in entry:
            raise PolicyError(_NO_INPUTS.format(name))
        if by is None or entry.get("by") in (None, by):
            yield _recorded(entry, name, number)


_ENCRYPTED = "gAAAAA"  # what each token of Fernet begins with
_NO_INPUTS = (
    "{}: is an audit log, which has no inputs to replay: set `record` of the interceptor `audit`, and replay the "
    "recording that it writes"
)


def _entry(line: str, where: str, key: Fernet | None) -> dict[str, Any]:
    """Return what a line says; of a recording as ``tidegate audit recording`` prints it."""
    text: str | bytes = line
    if line.startswith(_ENCRYPTED):
        if key is None:
            raise PolicyError(f"{where}: is encrypted: say with --key what decrypts it")
        try:
            text = key.decrypt(line.strip())
        except InvalidToken:
            raise PolicyError(f"{where}: can't be decrypted with this key") from None
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        raise PolicyError(f"{where}: is no JSON") from None
    if not isinstance(entry, dict):
        raise PolicyError(f"{where}: is no JSON object")
    detail = entry.get("detail")
    return (
        {"decision_id": entry.get("decision"), "by": entry.get("by"), **detail} if isinstance(detail, dict) else entry
    )


def read_key(said: str) -> Fernet:
    """Return the key that ``--key`` names: a file, or ``env:NAME``.

    Raises:
        PolicyError: where there is none; what was said isn't in the text, for it may be the key by mistake.
    """
    variable = said.removeprefix("env:")
    try:
        text = os.environ[variable] if variable != said else Path(said).read_text("ascii")
        return Fernet(text.strip())
    except (KeyError, OSError, UnicodeDecodeError):
        raise PolicyError("--key names no file that can be read, and no variable that is set") from None
    except ValueError:
        raise PolicyError("--key names no key as `tidegate audit record-key` makes it") from None


def _recorded(entry: dict[str, Any], name: str, number: int) -> Recorded:
    if "phase" in entry and "input" not in entry:
        return Recorded(str(number), entry, None)
    given = entry.get("input")
    if not isinstance(given, dict):
        raise PolicyError(f"{name}:{number}: has no input")
    said = next(
        (entry[key] for key in ("decision_id", "id", "decision") if isinstance(entry.get(key), str)), str(number)
    )
    if isinstance(entry.get("decision"), dict):
        return Recorded(said, given, _by_unit(entry["decision"]))
    if entry.get("erased") or entry.get("masked"):
        raise PolicyError(f"{name}:{number}: parts of the input are masked, so it can't be replayed")
    return Recorded(said, given, _logged(entry))


def _logged(entry: dict[str, Any]) -> dict[str, Answer] | None:
    """Return the decision of a line of OPA's decision logs; ``None`` where it is only an input."""
    unit = re.fullmatch(r"/?tidegate/packs/([^/]+)/decision", str(entry.get("path", "")))
    name = unit[1] if unit else BUNDLE
    if "result" in entry:
        return {name: entry["result"]}
    if "error" in entry:
        return {name: Failure("error")}
    return {name: Failure("undefined")} if "path" in entry else None


def _by_unit(decided: dict[str, Any]) -> dict[str, Answer]:
    """Return a recorded decision by units; one without them is the bundle's."""
    if decided.keys() <= set(MEMBERS):
        return {BUNDLE: decided} if decided else {}
    return {unit: _answer(each) for unit, each in decided.items()}


def _answer(recorded: Any) -> Answer:
    if isinstance(recorded, dict) and recorded.keys() == {"kind", "where"}:
        return Failure(recorded["kind"], recorded["where"])
    return recorded


def replay(recorded: Iterable[Recorded], new: Replayed, old: Replayed | None = None) -> Outcome:
    """Compare what was decided, or what an old policy decides, with what a new one decides.

    Units that were recorded and are in neither policy stay as they were.

    Args:
        recorded: the messages.
        new: the new policy.
        old: the old one; by default what was decided counts.

    Raises:
        PolicyError: where a message was recorded without its decision, and there is no old policy.
    """
    messages = changed = 0
    verdicts, added, removed = _Changes(), _Changes(), _Changes()
    for each in recorded:
        messages += 1
        if old is None and each.decided is None:
            raise PolicyError("these are inputs without decisions: say with --old which policy to compare with")
        kept = each.decided or {}
        before = effects(kept if old is None else _over(kept, old, new, old.decide(each.given)))
        after = effects(_over(kept, new, old or new, new.decide(each.given)))
        if before == after:
            continue
        changed += 1
        if verdict(before) != verdict(after):
            verdicts.add((verdict(before), verdict(after)), each.id)
        for effect in after - before:
            added.add(effect, each.id)
        for effect in before - after:
            removed.add(effect, each.id)
    return Outcome(messages, changed, verdicts.all(), added.all(), removed.all())


def _over(
    kept: Mapping[str, Answer], asked: Replayed, other: Replayed, decided: Mapping[str, Answer]
) -> dict[str, Answer]:
    """Return what was recorded of units that weren't asked again, with what those decide that were."""
    again = asked.units | other.units
    return {unit: answer for unit, answer in kept.items() if unit not in again} | dict(decided)


def effects(decided: Mapping[str, Answer]) -> frozenset[Effect]:
    """Return what decisions do."""
    found = set()
    for unit, answer in decided.items():
        if isinstance(answer, Failure) or not isinstance(answer, dict):
            found.add(Effect(unit, "deny", f"{unit}/{answer.kind if isinstance(answer, Failure) else 'shape'}"))
            continue
        for kind in MEMBERS:
            for item in answer.get(kind) or ():
                found.add(Effect(unit, kind, _name(kind, item)))
    return frozenset(found)


def _name(kind: str, item: Any) -> str:
    """Return what is named of an effect: a rule, or a label; where a redaction is, says something of the message."""
    if kind == "labels":
        return str(item)
    return str(item.get("label" if kind == "redact" else "rule")) if isinstance(item, dict) else "?"


def verdict(found: Iterable[Effect]) -> str:
    """Return what becomes of a message."""
    kinds = {effect.kind for effect in found}
    return next((kind for kind in _ORDER if kind in kinds), "allow")


class _Changes:
    """Counts changes, and keeps some ids of each."""

    def __init__(self) -> None:
        self._counts: Counter[Any] = Counter()
        self._ids: defaultdict[Any, list[str]] = defaultdict(list)

    def add(self, what: Any, decision: str) -> None:
        """Count one."""
        self._counts[what] += 1
        if len(self._ids[what]) < EXAMPLES:
            self._ids[what].append(decision)

    def all(self) -> list[Change]:
        """Return all of them, the most frequent first."""
        return [Change(what, times, tuple(self._ids[what])) for what, times in self._counts.most_common()]
