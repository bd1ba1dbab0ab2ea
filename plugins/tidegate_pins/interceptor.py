"""The interceptor: hides from lists what isn't as it was approved, denies calls of it, and says so."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

import tidegate
from tidegate_pins import telling, watching
from tidegate_pins.judging import Judge
from tidegate_pins.settings import PinsConfig
from tidegate_pins.store import PinsError, Store
from tidegate_pins.told import Judged, Listed, Page, Said

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from tidegate_pins.definitions import Kind
    from tidegate_pins.told import Call

log = structlog.get_logger("tidegate.pins")

_HANDSHAKES = frozenset(("initialize", "server/discover"))
_PINNED = frozenset(("tool", "prompt", "resource"))
_KINDS: dict[str, Kind] = {
    "tools": "tool",
    "prompts": "prompt",
    "resources": "resource",
    "resourceTemplates": "template",
}
_OPEN = 4096  # lists between transform and observe
_TRIES = 3  # where others change the pins at the same time


class _Outcome(NamedTuple):
    """What is to be said of a list or handshake, after it was rewritten.

    Attributes:
        pointer: where its findings stand.
        classes: how it isn't as it was approved.
        deny: why it is denied.
    """

    pointer: str
    classes: tuple[str, ...] = ()
    deny: tidegate.Deny | None = None


class Pins:
    """Pins what servers say of themselves and of what they offer, and holds back what changes until it is approved."""

    Config = PinsConfig

    def __init__(self, config: PinsConfig) -> None:
        self._config = config
        self._judge: Judge | None = None
        self._watching: asyncio.Task[None] | None = None
        self._outcomes: OrderedDict[str, _Outcome] = OrderedDict()

    @tidegate.hook
    def startup(self, proxy: tidegate.Proxy) -> None:
        """Open the pins, and have clients told of what others change in them.

        Raises:
            PinsError: where they can't be used.
        """
        store = Store.acquire(proxy.folder / self._config.path)
        self._judge = Judge(store, self._config, proxy.secrets)
        self._watching = asyncio.create_task(watching.watch(store, proxy.lists_changed), name="pins watch")

    @tidegate.hook
    def shutdown(self) -> None:
        """Let go of the pins."""
        judge, self._judge = self._judge, None
        if judge is not None:
            judge.store.release()
        if self._watching is not None:
            self._watching.cancel()

    # -- what servers say -------------------------------------------------------------------------------

    @tidegate.hook(kinds=("result",))
    def transform(
        self, message: tidegate.Message, flow: tidegate.Flow
    ) -> tidegate.Message | Coroutine[Any, Any, tidegate.Message | None] | None:
        """Take out of a list what isn't as it was approved, and of a handshake the server's instructions."""
        if message.sender != "server":
            return None
        body = message.tree.get("result")
        found = tidegate.listing(message)
        if found is None:
            return self._greeting(message, flow, body) if message.method in _HANDSHAKES else None
        kind, member = _KINDS[found[1]], found[1]
        if self._twice(flow, body, member):
            return None
        message = self._private(message, body)
        items = body.get(member) if type(body) is dict else None
        if type(items) is not list:
            if items is None:
                return message
            return message.replace(f"/result/{member}", [], label="what is no list was removed")
        page = Page(_cursor(flow.request), _text(body, "nextCursor"), flow.principal.name)
        judge = self._running()
        given = Listed(flow.server.name, kind, items, page, judge.follow(flow.server.name, kind, items, page))
        try:
            judged = judge.listed(given)
        except PinsError as error:
            self._failed(flow, f"/result/{member}", str(error))
            return None
        if judged is None:
            return self._learnt_list(message, flow, member, given)
        return self._list(message, flow, member, judged)

    async def _learnt_list(
        self, message: tidegate.Message, flow: tidegate.Flow, member: str, given: Listed
    ) -> tidegate.Message | None:
        judge, news = self._running(), tuple[Said, ...]()
        why = f"the pins in {judge.store.path} are being changed by somebody else"
        try:
            for _ in range(_TRIES):
                news += await asyncio.to_thread(judge.learn, given)
                judged = judge.listed(given, learnt=True)
                if judged is not None:
                    judged = judged._replace(said=(*judged.said, *news))
                    return self._list(message, flow, member, judged)
        except PinsError as error:
            why = str(error)
        self._failed(flow, f"/result/{member}", why)
        return None

    def _list(
        self, message: tidegate.Message, flow: tidegate.Flow, member: str, judged: Judged
    ) -> tidegate.Message | None:
        """Carry out what was judged of a list."""
        pointer, said = f"/result/{member}", judged.said
        if not said and not judged.removed and judged.kept is None:
            return message
        classes = tuple(dict.fromkeys(name for one in said for name in one.classes))
        denied = tuple(dict.fromkeys(name for one in said if one.action == "deny" for name in one.classes))
        if judged.removed:
            classes = (*classes, "removed")
            denied += ("removed",) if self._config.removed == "deny" else ()
        kind = _KINDS[member]
        deny = None
        if denied:
            deny = tidegate.Deny(telling.list_denied(flow.server.name, kind, denied), rule=denied[0])
        self._note(flow, _Outcome(pointer, classes, deny))
        if judged.kept is None:
            return message
        items = message.tree["result"][member]
        held = len(items) - len(judged.kept)
        kept = [items[index] for index in judged.kept]
        return message.replace(pointer, kept, label=f"{held} of {len(items)} wait for approval")

    def _greeting(
        self, message: tidegate.Message, flow: tidegate.Flow, body: Any
    ) -> tidegate.Message | Coroutine[Any, Any, tidegate.Message | None] | None:
        if type(body) is not dict or self._twice(flow, body, "instructions"):
            return None
        said = body.get("instructions")
        given = {} if said is None else {"instructions": said}
        listed = Listed(flow.server.name, "server", [given], Page(None, None, flow.principal.name))
        try:
            found = self._running().greeted(listed)
        except PinsError as error:
            self._failed(flow, "/result", str(error))
            return None
        if found == "learn":
            return self._learnt_greeting(message, flow, listed)
        return self._greeted(message, flow, found)

    async def _learnt_greeting(
        self, message: tidegate.Message, flow: tidegate.Flow, given: Listed
    ) -> tidegate.Message | None:
        judge = self._running()
        why = f"the pins in {judge.store.path} are being changed by somebody else"
        try:
            for _ in range(_TRIES):
                await asyncio.to_thread(judge.learn, given)
                found = judge.greeted(given)
                if found != "learn":
                    return self._greeted(message, flow, found)
        except PinsError as error:
            why = str(error)
        self._failed(flow, "/result", why)
        return None

    def _greeted(self, message: tidegate.Message, flow: tidegate.Flow, found: Said | str) -> tidegate.Message | None:
        if not isinstance(found, Said):
            return None
        deny = None
        if found.action == "deny":
            deny = tidegate.Deny(telling.greeting_denied(flow.server.name), rule=found.classes[0])
        self._note(flow, _Outcome("/result", found.classes, deny))
        if found.action == "report" or "instructions" not in message.tree["result"]:
            return None
        kept = {key: value for key, value in message.tree["result"].items() if key != "instructions"}
        return message.replace("/result", kept, label="the server's instructions wait for approval")

    def _twice(self, flow: tidegate.Flow, body: Any, member: str) -> bool:
        """Whether a result has a member also in other capitals, which some clients take for it; then it is denied."""
        if type(body) is not dict or all(key == member or key.casefold() != member.casefold() for key in body):
            return False
        reason = f"The server {flow.server.name} gives {member!r} in other capitals, which clients read differently."
        self._note(flow, _Outcome("/result", (), tidegate.Deny(reason, "ambiguous", "capitals")))
        return True

    def _private(self, message: tidegate.Message, body: Any) -> tidegate.Message:
        """Keep a list that is one principal's out of caches that others share (MCP 2026-07-28, caching)."""
        scope = body.get("cacheScope") if type(body) is dict else None
        if self._config.by != "principal" or scope in (None, "private"):
            return message
        return message.replace("/result/cacheScope", "private", label="private, because pins differ per principal")

    def _failed(self, flow: tidegate.Flow, pointer: str, why: str) -> None:
        """Note that what a server says can't be compared, so that it is denied."""
        log.error("what a server offers can't be compared with its pins", server=flow.server.name, why=why)
        self._note(flow, _Outcome(pointer, (), _unusable()))

    def _note(self, flow: tidegate.Flow, outcome: _Outcome) -> None:
        self._outcomes[flow.id] = outcome
        if len(self._outcomes) > _OPEN:
            self._outcomes.popitem(last=False)

    def _running(self) -> Judge:
        if self._judge is None:
            raise RuntimeError("the pins are not open")
        return self._judge

    # -- facts and verdicts -----------------------------------------------------------------------------

    @tidegate.hook(kinds=("request", "result"))
    def inspect(self, message: tidegate.Message, flow: tidegate.Flow) -> list[tidegate.Finding] | None:
        """Report how what is listed or called isn't as it was approved; of a tool that is, that it is."""
        if message.kind == "result" and message.method != "tools/call":
            outcome = self._outcomes.get(flow.id)
            if outcome is None:
                return None
            return [tidegate.Finding("pin", name, outcome.pointer) for name in outcome.classes]
        found = []
        for target in flow.targets if message.kind == "result" else tidegate.targets(message):
            if target.kind in _PINNED and message.method:
                try:
                    call = self._call(flow, target, message.method)
                except PinsError:
                    continue  # decide denies it
                rules = call.classes or (("approved",) if call.why == "approved" and target.kind == "tool" else ())
                found += [tidegate.Finding("pin", rule) for rule in rules]
        return found

    @tidegate.hook(kinds=("request", "notification", "result"))
    def decide(self, message: tidegate.Message, flow: tidegate.Flow) -> tidegate.Deny | None:
        """Deny lists by what was found in them, and calls of what isn't as it was approved."""
        if message.kind == "result":
            outcome = self._outcomes.get(flow.id)
            return outcome.deny if outcome is not None and message.sender == "server" else None
        if message.sender != "client":
            return None  # of what a server says of its resources, who may read them is told
        for target in tidegate.targets(message):
            if target.kind not in _PINNED:
                continue
            try:
                call = self._call(flow, target, message.method or "")
            except PinsError as error:
                say = log.error  # without a trace: the sentence says it all
                say("a call can't be compared with the pins", server=flow.server.name, why=str(error))
                return _unusable()
            if call.action in ("hide", "deny"):
                reason = telling.why(target.kind, flow.server.name, target.name, call)
                return tidegate.Deny(reason, rule=call.classes[0] if call.classes else call.why)
        for kind in tidegate.unreadable(message):
            if kind in _PINNED:
                reason = f"The message names no {kind} that can be read."
                return tidegate.Deny(reason, "ambiguous", "unreadable")
        return None

    @tidegate.hook
    def observe(self, decision: tidegate.Decision, flow: tidegate.Flow) -> None:
        """Forget what was to be said of a list that has been decided about."""
        if decision.message is not None and decision.message.kind == "result":
            self._outcomes.pop(flow.id, None)

    def _call(self, flow: tidegate.Flow, target: tidegate.Target, method: str) -> Call:
        template = method == "completion/complete"  # which refers to a template by its text
        return self._running().called(
            flow.server.name, flow.principal.name, target.kind, target.name, template=template
        )


def _unusable() -> tidegate.Deny:
    reason = "The pins of what servers offer can't be read or written, so nothing can be compared with them."
    return tidegate.Deny(reason, rule="unusable")


def _cursor(request: tidegate.Message | None) -> str | None:
    return None if request is None else _text(request.tree.get("params"), "cursor")


def _text(tree: Any, member: str) -> str | None:
    found: Sequence[Any] | None = tree.get(member) if type(tree) is dict else None
    return found if isinstance(found, str) else None
