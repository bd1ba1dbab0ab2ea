"""Whose task is whose: tasks keep their ids at the gateway, so it is known by the results that begin them."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Any

MOST = 4096
"""Tasks whose server is remembered; the one that wasn't met for longest goes."""


class Tasks:
    """The tasks that servers have begun for one front's clients."""

    def __init__(self) -> None:
        self._servers: OrderedDict[str, str] = OrderedDict()
        self._counts: Counter[str] = Counter()

    def saw(self, server: str, result: dict[str, Any]) -> None:
        """Note the task that a server's result is about, if any; one that two servers claim is nobody's."""
        task = result.get("task") if "task" in result else result if "taskId" in result else None
        identity = task.get("taskId") if type(task) is dict else None
        if type(identity) is not str:
            return
        known = self._servers.pop(identity, None)
        if known is not None:
            self._counts[known] -= 1
        whose = server if known in (None, server) else ""
        self._servers[identity] = whose
        self._counts[whose] += 1
        if len(self._servers) > MOST:
            self._counts[self._servers.popitem(last=False)[1]] -= 1

    def whose(self, identity: object) -> str:
        """Return whose a task is; ``""`` where it is nobody's."""
        return self._servers.get(identity, "") if isinstance(identity, str) else ""

    def any_of(self, server: str) -> bool:
        """Whether a server has begun any."""
        return self._counts[server] > 0
