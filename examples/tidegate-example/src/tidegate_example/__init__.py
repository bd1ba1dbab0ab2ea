"""``quota``: at most so many calls of a tool in a while, for each conversation."""

from __future__ import annotations

import fnmatch

import tidegate
from pydantic import BaseModel, ConfigDict, Field


class QuotaConfig(BaseModel):
    """The settings of ``quota``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: int = Field(ge=1, le=200, description="How many calls of one tool may go on in a while.")
    seconds: float = Field(60.0, gt=0, le=3600, description="How long a while is.")
    tools: tuple[str, ...] = Field(("*",), description="Which tools are counted: globs over SERVER/TOOL.")


class Quota:
    """Denies a call when there were too many of the same tool in the last while.

    It keeps no count of its own. Tidegate remembers what went on in a conversation, so a call that was denied, by
    this or by another interceptor, uses nothing up.
    """

    Config = QuotaConfig

    def __init__(self, config: QuotaConfig) -> None:
        self.config = config

    @tidegate.hook
    def decide(self, message: tidegate.Message, flow: tidegate.Flow) -> tidegate.Deny | None:
        """Deny a call over the limit, and one that can't be counted."""
        if message.method != "tools/call" or message.is_reply:
            return None
        for _, name in flow.targets:
            if self._is_counted(f"{flow.server.name}/{name}"):
                return self._over(message, flow, name)
        return None

    def _is_counted(self, name: str) -> bool:
        return any(fnmatch.fnmatchcase(name, glob) for glob in self.config.tools)

    def _over(self, message: tidegate.Message, flow: tidegate.Flow, name: str) -> tidegate.Deny | None:
        if flow.session is None or message.kind != "request":  # only requests are remembered
            return tidegate.Deny("The calls of this tool can't be counted.", rule="quota-unknown")
        calls, since = flow.session.calls, flow.session.clock() - self.config.seconds
        if len(calls) == calls.maxlen and calls[0].at > since:  # older ones of this while are forgotten
            return tidegate.Deny("There are too many calls to count.", rule="quota-unknown")
        key = (flow.server.name, "tools/call", name)
        recent = sum(call.at > since and (call.server, call.method, call.target) == key for call in calls)
        if recent < self.config.limit:
            return None
        limit, seconds = self.config.limit, self.config.seconds
        return tidegate.Deny(f"This tool may be called {limit} times in {seconds:g} seconds.", rule="quota")
