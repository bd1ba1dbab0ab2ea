"""Servers that speak exactly one version of MCP, and note whatever they get that it hasn't.

A server is one :class:`Place` with any number of sessions; what it is asked to do, it notes under the token of the
call, so that a test knows what has happened on the other side.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from matrix import jobs, tools, vocabulary
from matrix.names import MODERN

LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
PAGE = 10  # items of one page of a list
Say = Callable[[Any], Awaitable[None]]


class RpcError(Exception):
    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message, **({} if data is None else {"data": data})}


class Needs(Exception):  # noqa: N818 - it says what a request does
    """A server of 2026-07-28 must know something first."""

    def __init__(self, requests: dict[str, Any], state: str) -> None:
        super().__init__()
        self.result = {"resultType": "input_required", "inputRequests": requests, "requestState": state}


class Record:
    """What has happened at the servers, and what they got that they shouldn't have."""

    def __init__(self) -> None:
        self.foreign: list[str] = []
        self._events: dict[tuple[str, str], asyncio.Event] = {}

    def note(self, what: str, token: str) -> None:
        self._event(what, token).set()

    async def wait(self, what: str, token: str) -> None:
        await self._event(what, token).wait()

    def _event(self, what: str, token: str) -> asyncio.Event:
        return self._events.setdefault((what, token), asyncio.Event())


class Stream(Protocol):
    """Where a request is answered."""

    async def say(self, tree: Any) -> None:
        """Send something before the answer."""
        ...

    async def answer(self, tree: Any, status: int = 200) -> None:
        """Send the answer."""
        ...


class Place:
    """A server: its name, its version, and what all its sessions share.

    Attributes:
        settings: the members of its table in settings, while it serves.
        own: by which each session, or open subscription, is told what belongs to no request.
    """

    def __init__(self, name: str, version: str, record: Record, transport: str) -> None:
        self.name = name
        self.version = version
        self.transport = transport
        self.settings: dict[str, Any] = {}
        self.record = record
        self.grown: list[str] = []
        self.jobs: dict[str, jobs.Job] = {}
        self.tools = tools.definitions(version)
        self.own: dict[object, Callable[[str, dict[str, Any]], Awaitable[None]]] = {}

    def foreign(self, why: str) -> None:
        self.record.foreign.append(f"{self.name}: {why}")

    async def tell(self, method: str, params: dict[str, Any]) -> None:
        """Tell all who listen."""
        for told in list(self.own.values()):
            with contextlib.suppress(ConnectionError):
                await told(method, params)

    def listed(self, method: str) -> tuple[str, list[dict[str, Any]]]:
        """The member of a list's result, and the whole list."""
        if method == "tools/list":
            grown = [{"name": name, "inputSchema": {"type": "object"}} for name in self.grown]
            return "tools", [*self.tools, *grown]
        if method == "prompts/list":
            arguments = [{"name": "who", "required": True}]
            return "prompts", [{"name": f"greet{number}", "arguments": arguments} for number in range(PAGE + 2)]
        if method == "resources/list":
            return "resources", [{"uri": f"res://{self.name}/{number}", "name": str(number)} for number in range(12)]
        return "resourceTemplates", [{"uriTemplate": f"res://{self.name}/items/{{id}}", "name": "items"}]


class Speaker:
    """One conversation with a server, of either era."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.capabilities: dict[str, Any] = {}
        self.tasks: dict[Any, asyncio.Task[None]] = {}

    def seen(self, tree: Any, method: str | None = None) -> bool:
        """Note what a message has that the version hasn't; return whether it is well."""
        try:
            vocabulary.check(tree, "client", self.place.version, method)
        except vocabulary.ForeignError as foreign:
            self.place.foreign(str(foreign))
            return False
        return True

    def begin(self, tree: Any, stream: Stream) -> asyncio.Task[None]:
        """Begin to answer a request."""
        task = self.tasks[tree["id"]] = asyncio.create_task(self._answered(tree, stream))
        task.add_done_callback(lambda _: self.tasks.pop(tree["id"], None))
        return task

    async def _answered(self, tree: Any, stream: Stream) -> None:
        arguments = (tree.get("params") or {}).get("arguments") or {}
        token = arguments.get("token", "") if isinstance(arguments, dict) else ""
        body: dict[str, Any]
        try:
            body = {"result": self.dressed(tree["method"], await self.result(tree, stream))}
        except RpcError as error:
            body = {"error": error.error}
        except Needs as needs:
            body = {"result": needs.result}
        except asyncio.CancelledError:
            self.place.record.note("cancelled", token)
            return
        said = {"jsonrpc": "2.0", "id": tree["id"], **body}
        vocabulary.check(said, "server", self.place.version, tree["method"])  # the servers of a test are well, too
        with contextlib.suppress(ConnectionError):
            await stream.answer(said, self.status(body))

    def status(self, _body: dict[str, Any]) -> int:
        return 200

    def dressed(self, _method: str, result: dict[str, Any]) -> dict[str, Any]:
        return result

    async def result(self, tree: Any, stream: Stream) -> dict[str, Any]:
        method, params = tree["method"], tree.get("params") or {}
        if method.startswith("tasks/"):
            return await jobs.answered(self, method, params, stream)
        if method.endswith("/list"):
            return self._page(method, params.get("cursor"))
        if method == "tools/call":
            return await tools.call(self, params, stream)
        if method == "prompts/get":
            said = f"{self.place.name} greets {params['arguments']['who']}"
            messages = [{"role": "user", "content": block} for block in tools.blocks(self.place.version)]
            return {"messages": [{"role": "user", "content": {"type": "text", "text": said}}, *messages]}
        if method == "resources/read":
            return self._read(params["uri"])
        if method == "completion/complete":
            named = params["ref"].get("name") or params["ref"]["uri"]
            value = f"{self.place.name} {named} {params['argument']['value']}"
            return {"completion": {"values": [value], "hasMore": False}}
        raise RpcError(-32601, "There is no such method.")

    def _page(self, method: str, cursor: str | None) -> dict[str, Any]:
        member, items = self.place.listed(method)
        start = 0
        if cursor is not None:
            mine, _, at = cursor.partition("\u2192")
            if mine != self.place.name:
                raise RpcError(-32602, "The cursor is of another server.")
            start = int(at)
        page: dict[str, Any] = {member: items[start : start + PAGE]}
        if start + PAGE < len(items):
            page["nextCursor"] = f"{self.place.name}\u2192{start + PAGE}"
        return page

    def _read(self, uri: str) -> dict[str, Any]:
        if not uri.startswith(f"res://{self.place.name}/"):
            self.place.foreign("asked for another server's resource")
        if uri.endswith("missing"):
            code = -32602 if self.place.version == MODERN else -32002
            raise RpcError(code, "Resource not found", {"uri": uri})
        return {"contents": [{"uri": uri, "mimeType": "text/plain", "text": f"{self.place.name} has {uri}"}]}

    def can(self, capability: str) -> bool:
        return isinstance(self.capabilities.get(capability), dict)

    async def ask(self, requests: dict[str, tuple[str, dict[str, Any]]], params: Any, stream: Stream) -> dict[str, Any]:
        """Ask the client; return its results by the keys of the questions."""
        raise NotImplementedError

    async def log(self, level: str, data: Any, params: Any, stream: Stream) -> None:
        raise NotImplementedError


class Probe:
    """Answers what isn't of the version: a client finds out so which version it is."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def say(self, tree: Any) -> None:
        await self._stream.say(tree)

    async def answer(self, tree: Any, status: int = 200) -> None:
        await self._stream.answer(tree, 400)
