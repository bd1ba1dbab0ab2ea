"""The interceptor ``poison``: takes out what is to go, reports what was found, denies what can't be helped."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import tidegate
from tidegate_poison.config import PoisonConfig
from tidegate_poison.memory import Memory
from tidegate_poison.scanner import KIND, Clean, Cleans, Result, Scan

if TYPE_CHECKING:
    from collections.abc import Sequence

_PENDING = 256
"""Messages between their transform and their inspect of which is remembered what was found."""

_MEMBERS = {"result": "result", "error": "error", "request": "params", "notification": "params"}
_TAKEN_FROM = {"tool": "tool", "prompt": "prompt", "resource": "resource"}


class Poison:
    """Finds hidden and deceptive text in what servers send."""

    Config = PoisonConfig

    def __init__(self, config: PoisonConfig) -> None:
        self.config = config
        self._memory = Memory()
        self._cleans = Cleans(Clean(), Clean(), Clean())
        self._pending: OrderedDict[int, tuple[Any, Result]] = OrderedDict()

    @tidegate.hook
    def transform(self, message: tidegate.Message, flow: tidegate.Flow) -> tidegate.Message | None:
        """Take out what is to be taken out."""
        if message.sender != "server":
            return None
        result = self._look(message, flow)
        member = _MEMBERS[message.kind]
        if result.body is message.tree.get(member):
            self._remember(message.tree, result)
            return None
        changed = message.replace(f"/{member}", result.body, label=_label(result))
        self._remember(changed.tree, result)
        return changed

    @tidegate.hook
    def inspect(self, message: tidegate.Message, flow: tidegate.Flow) -> list[tidegate.Finding] | None:
        """Report what was found, also where it was taken out."""
        if message.sender != "server":
            return None
        known = self._pending.pop(id(message.tree), None)
        # Where it isn't known, another transform came between.
        result = known[1] if known is not None and known[0] is message.tree else self._look(message, flow)
        return result.findings or None

    @tidegate.hook
    def decide(
        self, message: tidegate.Message, flow: tidegate.Flow, findings: Sequence[tidegate.Finding]
    ) -> tidegate.Deny | None:
        """Deny what can't be sent without it, and calls of what was taken out of lists."""
        if message.sender == "client":
            return self._called(message, flow)
        if not findings:
            return None
        target = flow.targets[0].name if flow.targets else ""
        for one in findings:
            if one.kind == KIND and not _in_definitions(message, one.pointer):
                action = self.config.action("content", one.rule, flow.server.name, target, one.confidence)
                if action == "deny":
                    return _deny(f"The message of the server holds text that deceives ({one.rule}).", one.rule)
        return None

    def _look(self, message: tidegate.Message, flow: tidegate.Flow) -> Result:
        return Scan(self.config, self._memory, self._cleans, flow).run(message)

    def _remember(self, tree: Any, result: Result) -> None:
        self._pending[id(tree)] = (tree, result)
        while len(self._pending) > _PENDING:
            self._pending.popitem(last=False)

    def _called(self, message: tidegate.Message, flow: tidegate.Flow) -> tidegate.Deny | None:
        if message.is_reply:
            return None
        for target in tidegate.targets(message):
            if target.kind in _TAKEN_FROM:
                rule = self._memory.of(flow.principal.name, flow.server.name).taken.get(target.name)
                if rule is not None:
                    return _deny(f"This {target.kind} was taken out of the list, because it deceives ({rule}).", rule)
        return None


def _deny(reason: str, rule: str) -> tidegate.Deny:
    return tidegate.Deny(reason, rule=rule)


def _label(result: Result) -> str:
    rules = ", ".join(sorted({one.rule for one in result.findings if one.span is None})) or "hidden text"
    return f"{rules}: {result.removed} removed" if result.removed else f"{rules}: taken out"


def _in_definitions(message: tidegate.Message, pointer: str) -> bool:
    """Whether a finding is in what was dealt with before: an item of a list, or a handshake's instructions."""
    listing = tidegate.listing(message)
    if listing is not None:
        where = f"/result/{listing[1]}"
        return pointer == where or pointer.startswith(f"{where}/")
    return message.method in ("initialize", "server/discover") and pointer == "/result/instructions"
