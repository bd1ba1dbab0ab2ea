"""A session of a server of 2024-11-05 to 2025-11-25."""

import asyncio
from typing import Any

from matrix import vocabulary
from matrix.names import LATEST
from matrix.servers import LEVELS, Place, Probe, RpcError, Say, Speaker, Stream


class LegacySession(Speaker):
    """A session of 2024-11-05 to 2025-11-25.

    Args:
        place: the server.
        own: tells the client what belongs to no request.
    """

    def __init__(self, place: Place, own: Say) -> None:
        super().__init__(place)
        self.begun = False
        self.level: str | None = None
        self._own = own
        self._uris: set[str] = set()
        self._pending: dict[Any, tuple[str, asyncio.Future[Any]]] = {}
        self._last = 0

    def take(self, tree: Any, stream: Stream) -> asyncio.Task[None] | None:
        """Take a message; return the task that answers it, if it is a request."""
        if "method" not in tree:
            self._replied(tree)
            return None
        if not self.begun and tree["method"] not in ("initialize", "ping"):
            return self.begin({**tree, "method": "refused"}, Probe(stream))
        if not self.seen(tree):
            return self.begin({**tree, "method": "refused"}, Probe(stream)) if "id" in tree else None
        if "id" not in tree:
            self._noticed(tree)
            return None
        if tree["id"] in self.tasks:
            self.place.foreign(f"the id {tree['id']!r} is in use")
        return self.begin(tree, stream)

    def _replied(self, tree: Any) -> None:
        method, future = self._pending.pop(tree.get("id"), ("", None))
        if future is None:
            self.place.foreign(f"a reply to nothing: {tree.get('id')!r}")
        elif self.seen(tree, method) and not future.done():
            future.set_result(tree)
        elif not future.done():
            future.set_exception(RpcError(-32603, "The answer has what the version hasn't."))

    def _noticed(self, tree: Any) -> None:
        params = tree.get("params") or {}
        if tree["method"] == "notifications/cancelled":
            task = self.tasks.get(params["requestId"])
            if task is not None:
                task.cancel()
        elif tree["method"] == "notifications/progress":
            self.place.record.note("progress", params["progressToken"])
        elif tree["method"] == "notifications/roots/list_changed":
            self.place.record.note("roots changed", self.place.name)
        elif tree["method"] == "notifications/initialized":
            self.place.own[self] = self._told

    async def _told(self, method: str, params: dict[str, Any]) -> None:
        if method != "notifications/resources/updated" or params["uri"] in self._uris:
            await self._own({"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})})

    async def result(self, tree: Any, stream: Stream) -> dict[str, Any]:
        method, params = tree["method"], tree.get("params") or {}
        if method == "initialize":
            self.begun, self.capabilities = True, params["capabilities"]
            return self._initialized()
        if method == "ping":
            return {}
        if method == "logging/setLevel":
            self.level = params["level"]
            return {}
        if method == "resources/subscribe":
            self._uris.add(params["uri"])
            return {}
        if method == "resources/unsubscribe":
            self._uris.discard(params["uri"])
            self.place.record.note("unsubscribed", params["uri"])
            return {}
        return await super().result(tree, stream)

    def _initialized(self) -> dict[str, Any]:
        able: dict[str, Any] = {
            "tools": {"listChanged": True},
            "prompts": {"listChanged": True},
            "resources": {"listChanged": True, "subscribe": True},
            "logging": {},
        }
        if self.place.version >= "2025-03-26":
            able["completions"] = {}
        if self.place.version == LATEST:
            able["tasks"] = {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}}
        return {
            "protocolVersion": self.place.version,
            "capabilities": able,
            "serverInfo": {"name": self.place.name, "version": "1"},
            "instructions": f"I am {self.place.name}.",
        }

    async def ask(self, requests: dict[str, tuple[str, dict[str, Any]]], params: Any, stream: Stream) -> dict[str, Any]:
        answers = {}
        for key, (method, asked) in requests.items():
            self._last += 1
            future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            self._pending[self._last] = (method, future)
            tree = {"jsonrpc": "2.0", "id": self._last, "method": method, **({"params": asked} if asked else {})}
            vocabulary.check(tree, "server", self.place.version)
            await stream.say(tree)
            try:
                answer = await future
            except asyncio.CancelledError:
                gone = {"requestId": self._last, "reason": "enough"}
                await stream.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": gone})
                raise
            if "error" in answer:
                raise RpcError(-32603, f"The client answers {answer['error']['code']}.")
            answers[key] = answer["result"]
        return answers

    async def log(self, level: str, data: Any, params: Any, stream: Stream) -> None:
        if self.level is not None and LEVELS.index(level) >= LEVELS.index(self.level):
            told = {"level": level, "data": data}
            await stream.say({"jsonrpc": "2.0", "method": "notifications/message", "params": told})
