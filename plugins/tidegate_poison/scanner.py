"""Goes through a server's message: what is wrong in it, what is left of it, and which definitions are taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import tidegate
from tidegate_poison import calls, names, texts, wording
from tidegate_poison.memory import Listed, mentions

if TYPE_CHECKING:
    from tidegate_poison.config import Place, PoisonConfig
    from tidegate_poison.memory import Memory

KIND = "poison"
SHORT_CLEAN, MOST_CLEAN = 8192, 65_536
MOST_FINDINGS = 500

_HANDSHAKES = frozenset(("initialize", "server/discover"))
_NAMED_BY = {"tools": "name", "prompts": "name", "resources": "uri", "resourceTemplates": "uriTemplate"}
_FIXED = frozenset(
    (
        "name",
        "uri",
        "uriTemplate",
        "mimeType",
        "type",
        "$ref",
        "$id",
        "$schema",
        "pattern",
        "format",
        "const",
        "default",
    )
)
_FIXED_LISTS = frozenset(("enum", "required", "examples", "dependentRequired"))
_FIXED_CONTENT = frozenset(
    (
        *(
            "name",
            "uri",
            "type",
            "role",
            "mimeType",
            "cursor",
            "nextCursor",
            "requestState",
            "taskId",
            "method",
            "status",
        ),
        *("data", "blob", "resultType", "action", "protocolVersion"),
    )
)


class Result(NamedTuple):
    """What came of a look at a message.

    Attributes:
        findings: what was found, with pointers into what is left.
        body: what is left of the body, the very body where nothing was taken out.
        removed: how many items were taken out of a list, or instructions out of a handshake.
    """

    findings: list[tidegate.Finding]
    body: Any
    removed: int = 0


class Clean:
    """Texts that were looked at and nothing was found in: hashes with the process's own seed, none of the texts."""

    def __init__(self) -> None:
        self._hashes: set[int] = set()

    def __contains__(self, text: str) -> bool:
        return hash(text) in self._hashes

    def add(self, text: str) -> None:
        """Remember a text, if it isn't long."""
        if len(text) <= SHORT_CLEAN:
            if len(self._hashes) >= MOST_CLEAN:
                self._hashes.clear()
            self._hashes.add(hash(text))


class Cleans(NamedTuple):
    """What is known to be clean, by place."""

    definitions: Clean
    names: Clean
    content: Clean


class Scan:
    """One look at one message."""

    def __init__(self, config: PoisonConfig, memory: Memory, cleans: Cleans, flow: tidegate.Flow) -> None:
        self._config = config
        self._cleans = cleans
        self._memory = memory
        self._principal, self._server = flow.principal.name, flow.server.name
        self._target = flow.targets[0].name if flow.targets else ""
        self._findings: list[tidegate.Finding] = []
        self._denied: str | None = None
        self._own: set[str] = set()
        self._tools = 0.0
        self._items: list[Any] = []
        self._arguments: set[str] | None = None
        self._starts: set[tuple[str, ...]] = set()
        self._others: list[Listed] = []
        self._late: set[str] = set()
        self._actions: dict[tuple[Place, str, float, str], str] = {}

    def run(self, message: tidegate.Message) -> Result:
        """Look at a server's message."""
        member = "error" if message.kind == "error" else "result" if message.kind == "result" else "params"
        body = message.tree.get(member)
        pointer = f"/{member}"
        listing = tidegate.listing(message)
        removed = 0
        if type(body) is not dict:
            left = self._content(body, pointer)
        elif listing is not None:
            left, removed = self._list(body, pointer, listing[1])
        elif message.method in _HANDSHAKES and message.kind == "result":
            left, removed = self._handshake(body, pointer)
        else:
            left = self._content(body, pointer)
        return Result(self._findings, left, removed)

    # -- lists and handshakes

    def _list(self, body: dict[str, Any], pointer: str, member: str) -> tuple[dict[str, Any], int]:
        items = body.get(member)
        if type(items) is not list:
            return self._content(body, pointer), 0
        where = f"{pointer}/{member}"
        listed = self._memory.of(self._principal, self._server)
        if member == "tools":
            for item in items:
                if type(item) is dict and type(item.get("name")) is str:
                    listed.add(item["name"])
        self._own, self._others = listed.names, self._memory.others(self._principal, self._server)
        self._tools = (0.45 if body.get("nextCursor") else 0.6) if member == "tools" else 0.0
        self._items = items
        kept: list[Any] = []
        changed = False
        for item in items:
            left, rule = self._one(item, f"{where}/{len(kept)}", where, member)
            name = item.get(_NAMED_BY[member]) if type(item) is dict else None
            if rule is not None:
                changed = True
                if type(name) is str:
                    listed.take(name, rule)
                continue
            if listed.taken and type(name) is str:
                listed.taken.pop(name, None)
            changed = changed or left is not item
            kept.append(left)
        rest = {key: value for key, value in body.items() if key != member}
        other = self._content(rest, pointer) if rest else rest
        if not changed and other is rest:
            return body, 0
        made = {key: kept if key == member else other[key] for key in body}
        return made, len(items) - len(kept)

    def _one(self, item: Any, pointer: str, where: str, member: str) -> tuple[Any, str | None]:
        """Return what is left of one definition, and the class for which it is taken out."""
        before, outer = len(self._findings), self._swapped(None)
        self._target = str(item.get(_NAMED_BY[member], "")) if type(item) is dict else ""
        if member == "tools" and self._others:
            self._imitation(f"{pointer}/name")
        left = self._definition(item, pointer, "")
        rule = self._swapped(outer)
        if rule is not None:  # it won't be there, so what was found in it is told of the list
            found = self._findings[before:]
            del self._findings[before:]
            self._told_of(where, found)
        return left, rule

    def _swapped(self, denied: str | None) -> str | None:
        """Set for which class what is looked at is denied, and return for which it was."""
        was, self._denied = self._denied, denied
        return was

    def _told_of(self, where: str, found: list[tidegate.Finding]) -> None:
        for one in found:
            told = tidegate.Finding(KIND, one.rule, where, None, one.confidence)
            if told not in self._findings[-32:]:
                self._note(told)

    def _handshake(self, body: dict[str, Any], pointer: str) -> tuple[dict[str, Any], int]:
        made, removed = dict(body), 0
        if type(body.get("instructions")) is str:
            where = f"{pointer}/instructions"
            before, outer = len(self._findings), self._swapped(None)
            made["instructions"] = self._string(body["instructions"], where, "definitions")
            if self._swapped(outer) is not None:
                made["instructions"], removed = "", 1
                found = self._findings[before:]
                del self._findings[before:]
                self._told_of(where, found)
        for key, value in body.items():
            if key != "instructions":
                made[key] = self._content(value, f"{pointer}/{_token(key)}", free=True)
        return (made if any(made[key] is not body[key] for key in body) else body), removed

    def _definition(self, value: Any, pointer: str, key: str) -> Any:
        """Return what is left of a part of a definition."""
        kind = type(value)
        if kind is str:
            return self._string(value, pointer, "names" if key in _FIXED else "definitions")
        if kind is dict:
            made: dict[str, Any] | None = None
            for name, item in value.items():
                below = f"{pointer}/{_token(name)}"
                if name not in self._cleans.names:
                    self._string(name, below, "names", in_key=True)
                if type(item) is bool or item is None:
                    continue
                left = self._definition(item, below, key if key in _FIXED_LISTS else name)
                if left is not item:
                    made = dict(value) if made is None else made
                    made[name] = left
            return value if made is None else made
        if kind is list:
            as_key = "const" if key in _FIXED_LISTS else ""
            out = [self._definition(item, f"{pointer}/{index}", as_key) for index, item in enumerate(value)]
            return value if all(a is b for a, b in zip(out, value, strict=True)) else out
        return value

    # -- everything else

    def _content(self, value: Any, pointer: str, *, free: bool = False, key: str = "") -> Any:
        """Return what is left of a part of a result, an error, a notification or a request."""
        kind = type(value)
        if kind is str:
            fixed = not free and key in _FIXED_CONTENT
            return self._string(value, pointer, "content", fixed=fixed)
        if kind is dict:
            made: dict[str, Any] | None = None
            for name, item in value.items():
                below = f"{pointer}/{_token(name)}"
                if name not in self._cleans.content:
                    self._string(name, below, "content", in_key=True, fixed=True)
                if type(item) is str or type(item) is dict or type(item) is list:
                    left = self._content(item, below, free=free or name == "structuredContent", key=name)
                    if left is not item:
                        made = dict(value) if made is None else made
                        made[name] = left
            return value if made is None else made
        if kind is list:
            out = [self._content(item, f"{pointer}/{at}", free=free, key=key) for at, item in enumerate(value)]
            return value if all(a is b for a, b in zip(out, value, strict=True)) else out
        return value

    # -- one text

    def _string(self, text: str, pointer: str, place: Place, *, in_key: bool = False, fixed: bool = False) -> str:
        """Return what is left of a text, and note what was found in it."""
        clean: Clean = getattr(self._cleans, place)
        shadowed = place == "definitions" and bool(self._others)
        if text in clean and not shadowed:
            return text
        found = [] if text in clean else self._wrong(text, place)
        ordered = list(calls.ordered(text)) if self._tools and place == "definitions" and text not in clean else []
        if not found and not ordered:
            clean.add(text)
        found += [texts.Wrong("shadowing", span, self._tools) for name, span in ordered if self._foreign(name)]
        if shadowed:
            found += [texts.Wrong("shadowing", span, 0.6) for span in mentions(text, self._own, self._others)]
        if not self._judged(found, pointer, place, in_key=in_key, fixed=fixed or in_key):
            return text
        return texts.stripped(text, lambda one: self._strips(one, place), content=place == "content")

    def _foreign(self, name: str) -> bool:
        """Whether a tool that is to be called isn't one of the server that says so, as far as its list tells.

        One that is called as others of it are may be one that isn't listed.
        """
        if self._arguments is None:
            self._arguments = self._own | calls.keys(self._items)
            self._starts = {calls.start(one) for one in self._own}
        return not (name in self._arguments or calls.is_value(name) or calls.start(name) in self._starts)

    def _judged(self, found: list[texts.Wrong], pointer: str, place: Place, *, in_key: bool, fixed: bool) -> bool:
        """Note what was found in a text, and return whether something has to be taken out of it."""
        strips: set[str] = set()
        for one in found:
            action = self._action(place, one.rule, one.confidence)
            if action == "strip" and fixed:
                action = "report"  # it would be another name, which nobody knows
            if action == "off" or (action == "strip" and one.rule in strips):
                continue
            if action == "strip":
                strips.add(one.rule)  # told once for each string and class
            elif action == "deny":
                self._denied = self._denied or one.rule
            if len(self._findings) < MOST_FINDINGS or action == "deny":
                span = None if action == "strip" else one.span
                self._note(tidegate.Finding(KIND, one.rule, pointer, span, one.confidence, in_key=in_key), action)
        return bool(strips)

    def _note(self, finding: tidegate.Finding, action: str = "") -> None:
        """Keep a finding; of very many only what denies."""
        if len(self._findings) < MOST_FINDINGS or (action == "deny" and finding.rule not in self._late):
            if len(self._findings) >= MOST_FINDINGS:
                self._late.add(finding.rule)
            self._findings.append(finding)

    def _action(self, place: Place, rule: str, confidence: float) -> str:
        key = (place, rule, confidence, self._target)
        if key not in self._actions:
            if len(self._actions) >= MOST_FINDINGS:
                self._actions.clear()
            self._actions[key] = self._config.action(place, rule, self._server, self._target, confidence)
        return self._actions[key]

    def _strips(self, one: texts.Wrong, place: Place) -> bool:
        return self._action(place, one.rule, one.confidence) == "strip"

    def _wrong(self, text: str, place: Place) -> list[texts.Wrong]:
        if place != "names":
            return texts.wrong(text, content=place == "content")
        found = [] if text.isascii() and text.isprintable() else texts.wrong(text, content=False)
        if names.disguised(text) and not any(one.rule == "homoglyph" for one in found):
            found.append(texts.Wrong("homoglyph", None, 0.9))
        if "_" in text or "-" in text or " " in text:
            said = wording.said(text.replace("_", " ").replace("-", " "))
            found += [texts.Wrong(wording.RULE, one.span, one.confidence) for one in said if one.confidence >= 0.8]
        return found

    def _imitation(self, pointer: str) -> None:
        sure = self._memory.imitated(self._principal, self._server, self._target)
        if not sure:
            return
        rule = "imitation" if self._target.isascii() else "homoglyph"
        action = self._action("names", rule, sure)
        if action == "deny":
            self._denied = self._denied or rule
        if action != "off":
            self._note(tidegate.Finding(KIND, rule, pointer, None, sure), action)


def _token(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1") if "~" in key or "/" in key else key
