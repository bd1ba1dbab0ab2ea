"""What a policy sees of a message: the input, version 1, bounded. What is cut is named in ``cut``.

The members are described in ``docs/reference/policy-input.md`` and ``policy-input.schema.json``.
"""

from __future__ import annotations

import hashlib
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from tidegate_policy.readings import readings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import tzinfo

    from tidegate import Finding, Flow, Message, Session, Target

VERSION = 1
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_PROTOCOLS = ("/params/_meta/io.modelcontextprotocol~1", "/params/_meta/progressToken")
_NESTED = "~2"
_MAY_HOLD = ("{", "[", '"', " ", "\t", "\r", "\n")  # how a JSON text begins
_WITH_ARGUMENTS = frozenset(("tools/call", "prompts/get"))
_DIRECTION = {"client": "client_to_server", "server": "server_to_client"}
_CALLED_BY = {"tool": "tools/call", "prompt": "prompts/get", "resource": "resources/read"}

EVERYTHING = frozenset(
    (
        *("message", "principal", "profile", "client", "server", "target", "tool", "arguments", "params", "result"),
        *("findings", "session", "session.calls", "session.counts", "session.recent", "time"),
    )
)
"""The members that are left out where no policy reads them; ``session`` is all of it but the three named after it."""


class Bounds(NamedTuple):
    """How much of a message a policy sees at most.

    Attributes:
        string: characters of one string.
        strings: strings of one message, and findings.
        total: characters of all strings together.
        calls: recent calls of the conversation.
    """

    string: int = 4096
    strings: int = 512
    total: int = 65_536
    calls: int = 256


class View:
    """Makes the input of a policy.

    Attributes:
        wants: the members to put in, of :data:`EVERYTHING`.
    """

    def __init__(
        self,
        wants: frozenset[str] = EVERYTHING,
        bounds: Bounds | None = None,
        zone: str = "UTC",
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self.wants = wants
        self._bounds = bounds or Bounds()
        self._zone: tzinfo = UTC if zone == "UTC" else ZoneInfo(zone)
        self._now = now
        self._tools: dict[int, tuple[Any, dict[str, Any]]] = {}
        self._hour: tuple[int, dict[str, Any]] = (-1, {})

    def of(self, message: Message, flow: Flow, findings: Sequence[Finding] = ()) -> dict[str, Any]:
        """Return the input about a message."""
        wants, cut = self.wants, list[str]()
        phase = "reply" if message.is_reply else message.kind
        given = self._base(phase, message, flow, flow.targets, cut)
        if "tool" in wants:
            given["tool"] = self._tool(flow)
            if findings and any(found.kind == "pin" and found.rule == "approved" for found in findings):
                given["tool"] = given["tool"] | {"pinned": True}
        if "arguments" in wants:
            given["arguments"] = self._arguments(message, cut)
        if "params" in wants:
            given["params"] = {"strings": [] if message.is_reply else self._strings(message, "params", cut, read=True)}
        if "result" in wants:
            given["result"] = self._result(message, cut)
        if "findings" in wants:
            if len(findings) > self._bounds.strings:
                cut.append("/findings")
            given["findings"] = [
                {"kind": found.kind, "rule": found.rule, "pointer": found.pointer, "confidence": found.confidence}
                for found in findings[: self._bounds.strings]
            ]
        return given

    def of_item(self, message: Message, flow: Flow, kind: str, item: Mapping[str, Any], name: str) -> dict[str, Any]:
        """Return the input about one item of a list that a server gives, as if it were called without arguments."""
        given = self._base("list", message, flow, (), [])
        given["method"] = _CALLED_BY[kind]
        given["target"] = {"kind": kind, "name": name}
        given["tool"] = _described(item) if kind == "tool" else _no_tool()
        return given | {"arguments": {}, "params": {"strings": []}, "result": _no_result(), "findings": []}

    def _base(
        self, phase: str, message: Message, flow: Flow, targets: Sequence[Target], cut: list[str]
    ) -> dict[str, Any]:
        wants, server = self.wants, flow.server
        given: dict[str, Any] = {
            "v": VERSION,
            "phase": phase,
            "direction": _DIRECTION[message.sender],
            "method": message.method or "",
            "cut": cut,
        }
        if "server" in wants:
            given["server"] = {
                "name": server.name,
                "kind": server.kind,
                "trust": server.trust,
                "labels": list(server.labels),
            }
        if "target" in wants:
            first = targets[0] if targets else None
            given["target"] = {"kind": first.kind, "name": first.name} if first else {"kind": "", "name": ""}
        if "message" in wants:
            given["message"] = {"size": len(message.encoded), "digest": message.digest}
        if "principal" in wants:
            given["principal"] = {
                "name": flow.principal.name,
                "roles": list(flow.principal.roles),
                "claims": {},
                "auth": flow.principal.auth,
            }
        if "profile" in wants:
            given["profile"] = flow.profile
        if "client" in wants:
            given["client"] = {"name": flow.client.name[:256], "version": flow.client.version[:256]}
        if "session" in wants and flow.session is not None:
            given["session"] = self._session(flow.session, cut)
        if "time" in wants:
            given["time"] = self._time()
        return given

    def _tool(self, flow: Flow) -> dict[str, Any]:
        target = flow.targets[0] if flow.targets else None
        if target is None or target.kind != "tool":
            return _no_tool()
        if flow.tool is None:
            return _no_tool() | {"name": target.name}
        known = self._tools.get(id(flow.tool))
        if known is None or known[0] is not flow.tool:
            if len(self._tools) >= 4096:
                self._tools.clear()
            known = self._tools[id(flow.tool)] = (flow.tool, _described(flow.tool))
        return known[1]

    def _arguments(self, message: Message, cut: list[str]) -> Any:
        if message.method not in _WITH_ARGUMENTS or message.is_reply:
            return {}
        params = message.tree.get("params")
        found = params.get("arguments") if type(params) is dict else None
        if found is None:
            return {}
        if type(found) is not dict:  # the protocol has none; what rules make of them depends on the engine
            cut.append("/params/arguments")
            return {}
        if len(message.encoded) <= self._bounds.string:  # nothing in it can be too long
            return found
        budget = [self._bounds.strings, self._bounds.total]
        return _bounded(found, "/params/arguments", budget, self._bounds.string, cut)

    def _strings(self, message: Message, body: str, cut: list[str], *, read: bool) -> list[dict[str, Any]]:
        """Return the strings below a member of the message, as far as the bounds allow."""
        bounds, out, total = self._bounds, list[dict[str, Any]](), 0
        if read and len(message.encoded) <= min(bounds.string, bounds.total):  # nothing in it can be too long
            if _plainly(message.tree.get(body), f"/{body}", body, out) and len(out) <= bounds.strings:
                return out
            out = []
        for pointer, value, is_key in message.strings(body):
            if (is_key and (not read or _PLAIN_KEY.fullmatch(value))) or pointer.startswith(_PROTOCOLS):
                continue
            if len(out) >= bounds.strings or total >= bounds.total:
                cut.append(f"/{body}/strings")
                break
            shown = value
            if len(value) > bounds.string:
                shown = value[: bounds.string]
                cut.append(pointer)
            total += len(shown)
            item: dict[str, Any] = {"pointer": pointer, "value": shown}
            if read:
                item["key"] = _member(pointer)
                item["decoded"] = readings(shown)
                if is_key:
                    item["is_key"] = True
            out.append(item)
        return out

    def _result(self, message: Message, cut: list[str]) -> dict[str, Any]:
        if not message.is_reply:
            return _no_result()
        body = message.tree.get("result")
        failed = message.kind == "error" or (type(body) is dict and body.get("isError") is True)
        strings = self._strings(message, message.kind, cut, read=False)
        return {"is_error": failed, "size": len(message.encoded), "strings": strings}

    def _session(self, session: Session, cut: list[str]) -> dict[str, Any]:
        wants = self.wants
        given: dict[str, Any] = {"id": session.id, "age_s": round(session.age, 3), "labels": list(session.labels)}
        if "session.calls" in wants:
            now, calls = session.clock(), list(session.calls)
            if len(calls) > self._bounds.calls:
                calls = calls[-self._bounds.calls :]
                cut.append("/session/calls")
            given["calls"] = [
                {
                    "server": call.server,
                    "tool": call.target,
                    "seconds_ago": round(now - call.at, 3),
                    "labels": list(call.labels),
                }
                for call in calls
            ]
        if "session.counts" in wants:
            given["counts"] = dict(session.counts)
        if "session.recent" in wants:
            given["recent"] = session.recent()
        return given

    def _time(self) -> dict[str, Any]:
        now = self._now()
        minute = now // 60_000_000_000
        if self._hour[0] != minute:
            at = datetime.fromtimestamp(minute * 60, self._zone)
            self._hour = (minute, {"weekday": f"{at:%A}".lower(), "hour": at.hour, "minute": at.minute})
        return {"unix_ns": now, **self._hour[1]}


def _no_tool() -> dict[str, Any]:
    return {"name": "", "annotations": {}, "description_sha256": "", "pinned": False}


def _no_result() -> dict[str, Any]:
    return {"is_error": False, "size": 0, "strings": []}


def _described(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a policy sees of a tool's definition. Annotations are the server's word."""
    name, annotations, description = (tool.get(member) for member in ("name", "annotations", "description"))
    said = description.encode() if isinstance(description, str) else b""
    return {
        "name": name if isinstance(name, str) else "",
        "annotations": annotations if isinstance(annotations, dict) else {},
        "description_sha256": hashlib.sha256(said).hexdigest(),
        "pinned": False,
    }


def _bounded(value: Any, pointer: str, budget: list[int], longest: int, cut: list[str]) -> Any:
    """Return a copy of a JSON value with long strings cut, and without what is beyond the budget of items and text."""
    kind = type(value)
    if kind is str:
        shown = value[: max(0, min(longest, budget[1]))]
        budget[1] -= len(shown)
        if len(shown) < len(value):
            cut.append(pointer)
        return shown
    if kind is not dict and kind is not list:
        return value
    budget[0] -= len(value)
    if budget[0] < 0:
        cut.append(pointer)
        return {} if kind is dict else []
    if kind is list:
        return [_bounded(item, f"{pointer}/{index}", budget, longest, cut) for index, item in enumerate(value)]
    return {
        key: _bounded(item, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}", budget, longest, cut)
        for key, item in value.items()
    }


def _plainly(value: Any, pointer: str, member: str, out: list[dict[str, Any]]) -> bool:  # noqa: C901 - one walk
    """Add the strings of a JSON value, the quick way; whether none of them might hold JSON text of its own.

    What it adds is what :meth:`View._strings` does by ``Message.strings``, which opens such texts.
    """
    kind = type(value)
    if kind is str:
        if value[:1] in _MAY_HOLD:
            return False
        out.append({"pointer": pointer, "value": value, "key": member, "decoded": readings(value)})
    elif kind is dict:
        for key, item in value.items():
            where = f"{pointer}/{key}"
            if not _PLAIN_KEY.fullmatch(key):
                where = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
                if where.startswith(_PROTOCOLS):
                    continue
                odd = {"pointer": where, "value": key, "key": _member(where), "decoded": readings(key), "is_key": True}
                out.append(odd)
            elif where.startswith(_PROTOCOLS):
                continue
            if not _plainly(item, where, member if key.isdigit() else key, out):
                return False
    elif kind is list:
        for index, item in enumerate(value):
            if not _plainly(item, f"{pointer}/{index}", member, out):
                return False
    return True


def _member(pointer: str) -> str:
    """Return the name of the member that a string belongs to: the last token that is no index."""
    for token in reversed(pointer.split("/")):
        if not token.isdigit() and token != _NESTED:
            return token.replace("~1", "/").replace("~0", "~") if "~" in token else token
    return ""
