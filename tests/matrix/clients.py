"""Clients that speak exactly one version of MCP, and note whatever they get that it hasn't."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

from matrix import vocabulary
from matrix.names import LATEST, META, MODERN, RELATED_TASK, TASKS

PATIENCE = 60.0  # seconds any wait may take
Heard = Callable[[Any], bool]


class Client:
    """A client of one version; how it is connected is a subclass's.

    Attributes:
        capabilities: what it declares.
        foreign: what it got that its version hasn't.
        ids: the ids of events that it got, by the request whose stream it was.
        log: all that it got, in order.
    """

    transport = ""

    def __init__(self, version: str) -> None:
        self.version = version
        self.capabilities = declared(version)
        self.foreign: list[str] = []
        self.ids: dict[Any, list[str]] = {}
        self.log: list[Any] = []
        self.asked: list[str] = []
        self.jobs: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        self.slug = f"c{version.replace('-', '')}{self.transport}"
        self._numbers = itertools.count(1)
        self._replies: dict[Any, tuple[str, asyncio.Future[Any]]] = {}
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def name(self) -> str:
        return f"{self.version} {self.transport}"

    @property
    def modern(self) -> bool:
        return self.version == MODERN

    # -- sending ----------------------------------------------------------------------------------------

    async def post(self, tree: Any) -> None:
        """Send a message; what comes back is taken by :meth:`take`."""
        raise NotImplementedError

    def spawn(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def new_id(self) -> Any:
        """Ids of both kinds; every client begins at 1, as they do."""
        number = next(self._numbers)
        return number if self.transport != "stdio" else f"r{number}"

    def tree(self, method: str, params: dict[str, Any] | None = None, meta: dict[str, Any] | None = None) -> Any:
        """A request of this version."""
        said = dict(meta or {})
        if self.modern:
            info = {"name": self.slug, "version": "1"}
            version = {f"{META}protocolVersion": MODERN, f"{META}clientInfo": info}
            said = {**version, f"{META}clientCapabilities": self.capabilities, **said}
        given = {**(params or {}), **({"_meta": said} if said else {})}
        return {"jsonrpc": "2.0", "id": self.new_id(), "method": method, **({"params": given} if given else {})}

    def opened(self, tree: Any) -> asyncio.Future[Any]:
        """Note a request; return what its reply will be."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._replies[tree["id"]] = (tree["method"], future)
        return future

    async def send(self, tree: Any) -> Any:
        """Send a request; return its reply."""
        vocabulary.check(tree, "client", self.version)
        future = self.opened(tree)
        self.spawn(self.post(tree))
        async with asyncio.timeout(PATIENCE):
            return await future

    async def request(self, method: str, params: dict[str, Any] | None = None, **meta: Any) -> Any:
        """Send a request, answer what is asked first, and return the last reply."""
        tree = self.tree(method, params, meta)
        reply = await self.send(tree)
        while reply.get("result", {}).get("resultType") == "input_required":
            result = reply["result"]
            answers = {key: self.answer(each) for key, each in result.get("inputRequests", {}).items()}
            more = {"inputResponses": answers, "requestState": result["requestState"]}
            reply = await self.send(self.tree(method, {**(params or {}), **more}, meta))
        return reply

    async def result(self, method: str, params: dict[str, Any] | None = None, **meta: Any) -> Any:
        reply = await self.request(method, params, **meta)
        assert "result" in reply, reply
        return reply["result"]

    async def error(self, method: str, params: dict[str, Any] | None = None) -> Any:
        reply = await self.request(method, params)
        assert "error" in reply, reply
        return reply["error"]

    async def call(self, tool: str, token: str, meta: dict[str, Any] | None = None, **arguments: Any) -> Any:
        """Call a tool; return the result."""
        return await self.result("tools/call", called(tool, token, **arguments), **(meta or {}))

    async def notify(self, method: str, params: dict[str, Any] | None = None) -> None:
        """Send a notification."""
        tree = {"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})}
        vocabulary.check(tree, "client", self.version)
        await self.post(tree)

    # -- what comes -------------------------------------------------------------------------------------

    def take(self, tree: Any) -> None:
        """Take a message of Tidegate's."""
        if isinstance(tree, list):
            if self.version == "2025-03-26":
                for one in tree:
                    self.take(one)
            else:
                self.foreign.append("a batch")
            return
        method, future = self._replies.pop(tree.get("id"), ("", None)) if "method" not in tree else ("", None)
        if "method" not in tree and future is None:
            self.foreign.append(f"a reply to nothing: {tree.get('id')!r}")
            return
        try:
            vocabulary.check(tree, "server", self.version, method or None)
        except vocabulary.ForeignError as foreign:
            self.foreign.append(str(foreign))
        self.log.append(tree)
        self._news.set()
        if future is not None and not future.done():
            future.set_result(tree)
        elif "method" in tree and "id" in tree:
            self.spawn(self._answered(tree))

    async def _answered(self, tree: Any) -> None:
        about_tasks = self.version == LATEST and tree["method"] in ("tasks/get", "tasks/result")
        if tree["method"] not in (*_ASKED, "ping") and not about_tasks:
            error = {"code": -32601, "message": "There is no such method."}
            await self.post({"jsonrpc": "2.0", "id": tree["id"], "error": error})
            return
        result = {} if tree["method"] == "ping" else self.answer(tree)
        await self.post({"jsonrpc": "2.0", "id": tree["id"], "result": result})

    def answer(self, asked: Any) -> dict[str, Any]:
        """The answer to what a server asks; it says whose it is."""
        method, params = asked["method"], asked.get("params", {})
        self.asked.append(method)
        if method.startswith("tasks/"):
            task, result = self.jobs[params["taskId"]]
            related = {"_meta": {RELATED_TASK: {"taskId": task["taskId"]}}}
            return {**task, "status": "completed"} if method == "tasks/get" else {**result, **related}
        if method == "roots/list":
            return {"roots": [{"uri": f"file:///{self.slug}", "name": "home"}]}
        if params.get("mode") == "url":
            return {"action": "accept"}
        if method == "elicitation/create":
            return {"action": "accept", "content": {"name": f"{self.slug} {params['message']}"}}
        said = "".join(_words(message["content"]) for message in params["messages"])
        one: Any = {"type": "text", "text": f"{self.slug} {said}"}
        content = [one] if self.version >= "2025-11-25" else one
        result = {"role": "assistant", "model": "played", "content": content, "stopReason": "endTurn"}
        return self._begun(result) if "task" in params else result

    def _begun(self, result: dict[str, Any]) -> dict[str, Any]:
        """Begin a task of the client's own, whose result is there already."""
        now = "2025-11-25T00:00:00Z"
        identity = f"{self.slug}-{len(self.jobs)}"
        task = {"taskId": identity, "status": "working", "createdAt": now, "lastUpdatedAt": now, "ttl": 60_000}
        self.jobs[identity] = (task, result)
        return {"task": task}

    async def heard(self, wanted: Heard, since: int = 0) -> Any:
        """Return the first message for which something holds, now or later."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for tree in self.log[since:]:
                    if wanted(tree):
                        return tree
                self._news.clear()
                await self._news.wait()

    # -- what each era does in its own way ----------------------------------------------------------------

    async def start(self) -> None:
        """Connect, and say hello."""
        await self.connect()
        if self.modern:
            self.hello = await self.result("server/discover")
            return
        info = {"name": self.slug, "version": "1"}
        params = {"protocolVersion": self.version, "capabilities": self.capabilities, "clientInfo": info}
        self.hello = await self.result("initialize", params)
        assert self.hello["protocolVersion"] == self.version
        await self.notify("notifications/initialized")
        await self.listen()
        await self.result("logging/setLevel", {"level": "info"})

    async def connect(self) -> None:
        """Open what it needs to send anything."""

    async def listen(self) -> None:
        """Open the stream of what belongs to no request."""

    def logging(self) -> dict[str, Any]:
        """What a request's `_meta` says to be logged to; in versions with sessions, the session says it."""
        return {f"{META}logLevel": "info"} if self.modern else {}

    async def cancel(self, tree: Any) -> None:
        """Cancel a request that was sent."""
        await self.notify("notifications/cancelled", {"requestId": tree["id"], "reason": "enough"})

    async def cancel_stream(self, tree: Any, stream: asyncio.Task[Any]) -> None:
        """Cancel a request whose stream is read, by version 2026-07-28."""
        raise NotImplementedError

    async def follow(self, **wanted: Any) -> "Following":
        """Have it told of changes, which 2026-07-28 must be asked for."""
        if not self.modern:
            for uri in wanted.get("resourceSubscriptions", ()):
                await self.result("resources/subscribe", {"uri": uri})
            return Following(self, None, wanted)
        tree = self.tree("subscriptions/listen", {"notifications": wanted})
        vocabulary.check(tree, "client", self.version)
        since = len(self.log)
        self.opened(tree)
        stream = self.spawn(self.post(tree))

        def begun(said: Any) -> bool:
            tagged = said.get("params", {}).get("_meta", {}).get(f"{META}subscriptionId") == tree["id"]
            return bool(said.get("method") == "notifications/subscriptions/acknowledged" and tagged)

        first = await self.heard(begun, since)
        assert first["params"]["notifications"] == wanted
        return Following(self, (tree, stream), wanted)

    async def close(self) -> bool:
        """End what goes on; return whether all ended well."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return True


class Following:
    """What a client is told of changes."""

    def __init__(self, client: Client, opened: Any, wanted: dict[str, Any]) -> None:
        self._client = client
        self._opened = opened
        self._wanted = wanted

    def tagged(self, tree: Any) -> bool:
        """Whether a notification is this one's, as far as its version says."""
        if self._opened is None:
            return True
        return bool(tree["params"]["_meta"][f"{META}subscriptionId"] == self._opened[0]["id"])

    async def end(self) -> None:
        if self._opened is None:
            for uri in self._wanted.get("resourceSubscriptions", ()):
                await self._client.result("resources/unsubscribe", {"uri": uri})
        else:
            await self._client.cancel_stream(*self._opened)


_ASKED = ("sampling/createMessage", "elicitation/create", "roots/list")


def declared(version: str) -> dict[str, Any]:
    """What clients declare: all that their version has and the matrix uses."""
    able: dict[str, Any] = {"sampling": {}, "roots": {} if version == MODERN else {"listChanged": True}}
    if version >= "2025-06-18":
        able["elicitation"] = {"form": {}, "url": {}} if version >= LATEST else {}
    if version == LATEST:
        able["tasks"] = {"list": {}, "cancel": {}, "requests": {"sampling": {"createMessage": {}}}}
    if version == MODERN:
        able["extensions"] = {TASKS: {}}
    return able


def called(tool: str, token: str, **arguments: Any) -> dict[str, Any]:
    return {"name": tool, "arguments": {"token": token, **arguments}}


def _words(content: Any) -> str:
    return "".join(block["text"] for block in (content if isinstance(content, list) else [content]))
