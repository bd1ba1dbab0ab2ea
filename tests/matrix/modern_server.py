"""A server of 2026-07-28."""

import asyncio
import json
from typing import Any

from matrix.names import META, MODERN, TASKS
from matrix.servers import LEVELS, Needs, Place, Probe, RpcError, Speaker, Stream


class ModernServer(Speaker):
    """A server of 2026-07-28: each request by itself."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._asks = 0

    def take(self, tree: Any, stream: Stream) -> asyncio.Task[None] | None:
        """Take a message; return the task that answers it, if it is a request."""
        if tree.get("method") == "initialize":
            return self.begin({**tree, "method": "initialize"}, Probe(stream))
        if "method" not in tree:
            self.place.foreign("a reply, where nothing is asked")
        elif not self.seen(tree):
            return self.begin({**tree, "method": "refused"}, Probe(stream)) if "id" in tree else None
        elif "id" not in tree:
            task = self.tasks.get(tree["params"]["requestId"])
            if task is not None:
                task.cancel()
        else:
            one = ModernServer(self.place)  # nothing is known from one request to the next
            one.capabilities = tree["params"]["_meta"][f"{META}clientCapabilities"]
            task = self.tasks[tree["id"]] = one.begin(tree, stream)
            task.add_done_callback(lambda _: self.tasks.pop(tree["id"], None))
            return task
        return None

    def status(self, body: dict[str, Any]) -> int:
        code = body.get("error", {}).get("code")
        return 404 if code == -32601 else 400 if code in (-32602, -32020, -32021, -32022) else 200

    def dressed(self, method: str, result: dict[str, Any]) -> dict[str, Any]:
        out = {"resultType": "complete", **result}
        if method.endswith("/list") or method in ("resources/read", "server/discover"):
            out |= {"ttlMs": 60_000, "cacheScope": "public"}
        meta = {f"{META}serverInfo": {"name": self.place.name, "version": "1"}}
        return {**out, "_meta": {**result.get("_meta", {}), **meta}}

    async def result(self, tree: Any, stream: Stream) -> dict[str, Any]:
        if tree["method"] == "initialize":
            raise RpcError(-32022, "There are no sessions.", {"supported": [MODERN], "requested": "2025-11-25"})
        if tree["method"] == "server/discover":
            noticed = {"listChanged": True}
            able = {
                "tools": noticed,
                "prompts": noticed,
                "resources": {**noticed, "subscribe": True},
                "completions": {},
                "logging": {},
                "extensions": {TASKS: {}},
            }
            said = f"I am {self.place.name}."
            return {"supportedVersions": [MODERN], "capabilities": able, "instructions": said}
        if tree["method"] == "subscriptions/listen":
            return await self._listened(tree, stream)
        return await super().result(tree, stream)

    async def _listened(self, tree: Any, stream: Stream) -> dict[str, Any]:
        wanted = tree["params"]["notifications"]
        tag = {"_meta": {f"{META}subscriptionId": tree["id"]}}

        async def told(method: str, params: dict[str, Any]) -> None:
            kind = method.split("/")[1]
            if wanted.get(f"{kind}ListChanged") or params.get("uri") in wanted.get("resourceSubscriptions", ()):
                await stream.say({"jsonrpc": "2.0", "method": method, "params": {**params, **tag}})

        first = {"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged"}
        await stream.say({**first, "params": {"notifications": wanted, **tag}})
        self.place.own[told] = told
        try:
            await asyncio.Event().wait()
        finally:
            del self.place.own[told]
            for uri in wanted.get("resourceSubscriptions", ()):
                self.place.record.note("unsubscribed", uri)
        return {}

    async def ask(self, requests: dict[str, tuple[str, dict[str, Any]]], params: Any, stream: Stream) -> dict[str, Any]:
        asked = {key: {"method": method, "params": said} for key, (method, said) in requests.items()}
        for each in asked.values():
            if not each["params"]:
                del each["params"]
        before: list[Any] = json.loads(params["requestState"])["\u2713"] if "requestState" in params else []
        answers = [*before, params["inputResponses"]] if "inputResponses" in params else before
        at, self._asks = self._asks, self._asks + 1
        if at >= len(answers):
            raise Needs(asked, json.dumps({"\u2713": answers}, ensure_ascii=False))
        for key, (method, _) in requests.items():
            self._answer_seen(answers[at][key], method)
        return dict(answers[at])

    def _answer_seen(self, answer: Any, method: str) -> None:
        foreign = set(answer) & {"resultType", "task"}
        if foreign:
            self.place.foreign(f"an answer to {method} with {sorted(foreign)}")

    async def log(self, level: str, data: Any, params: Any, stream: Stream) -> None:
        wanted = params["_meta"].get(f"{META}logLevel")
        if wanted is not None and LEVELS.index(level) >= LEVELS.index(wanted):
            told = {"level": level, "data": data}
            await stream.say({"jsonrpc": "2.0", "method": "notifications/message", "params": told})
