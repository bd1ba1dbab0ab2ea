"""One MCP client of one server, of both eras: a session where the server has them, else requests by themselves.

It declares no capabilities, so no server has a reason to ask it for anything; one that asks is told so. Results are
returned as the server gave them, unknown members too.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any, Literal

from tidegate import methods, wire
from tidegate.client.answers import Broken, Hello, Listing, Refused, hello
from tidegate.upstream import Unavailable
from tidegate.version import __version__
from tidegate.wire import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tidegate.client.ways import Said, Way

    Heard = Callable[[dict[str, Any]], None]

Era = Literal["auto", "legacy", "modern"]

MAX_PAGES = 1000
_INFO = {"name": "tidegate", "version": __version__}
_CAPABILITIES_KEY, _LEVEL_KEY = methods.META + "clientCapabilities", methods.META + "logLevel"
_SESSIONS, _NO_SESSIONS = False, True  # what a way is made for
_GOODBYE = 2.0  # seconds that saying that a request is cancelled may take
_RESUMPTIONS = 100  # of one answer that the server keeps breaking off
_RETRY = 1.0  # seconds until an answer is resumed, where the server names no time
_UNREACHED = frozenset(("unavailable", "overdue"))


class Client:
    """A client of one server.

    Args:
        ways: makes the way to it; the argument says whether without sessions.
        era: which era to speak; ``auto`` begins a session, and does without where the server has none.
        heard: told each notification that the server sends, and each request of its, which is refused.
        log_level: what the server shall log at least, where it can be told; by default what it likes, or ``info``.

    Attributes:
        hello: what the server said of itself, once :meth:`begin` is over.
    """

    def __init__(
        self,
        ways: Callable[[bool], Way],
        *,
        era: Era = "auto",
        heard: Heard | None = None,
        log_level: str | None = None,
    ) -> None:
        self._ways = ways
        self._era = era
        self._heard = heard
        self._level = log_level
        self._way: Way | None = None
        self._last = 0
        self._own: asyncio.Task[None] | None = None
        self.hello = Hello(modern=False, version="")

    # -- its beginning and end --------------------------------------------------------------------------

    async def begin(self) -> Hello:
        """Begin: find the server's era, and ask who it is.

        Raises:
            Unavailable: where it can't be reached.
            Refused: where it answers with an error in both eras.
            Broken: where its answer is none.
        """
        if self._era != "modern":
            try:
                return await self._initialize()
            except Refused as refused:
                if self._era == "legacy" or refused.decision is not None:
                    raise
                await self.close()
                with contextlib.suppress(Refused):
                    return await self._discover()
                raise
        return await self._discover()

    async def _initialize(self) -> Hello:
        self._way = self._ways(_SESSIONS)
        params = {"protocolVersion": methods.V2025_11, "capabilities": {}, "clientInfo": _INFO}
        result = await self.request("initialize", params)
        version = result.get("protocolVersion")
        if version not in methods.VERSIONS or methods.is_modern(version):
            raise Broken("It answered initialize with a protocol version that isn't known.")
        self.hello = hello(result, version, modern=False)
        self._way.negotiated(version)
        await self._notify("notifications/initialized")
        if self._level is not None and "logging" in self.hello.capabilities:
            with contextlib.suppress(Refused):
                await self.request("logging/setLevel", {"level": self._level})
        return self.hello

    async def _discover(self) -> Hello:
        self._way = self._ways(_NO_SESSIONS)
        self.hello = Hello(modern=True, version=methods.MODERN)
        result = await self.request("server/discover", {})
        versions = result.get("supportedVersions")
        if not isinstance(versions, list) or methods.MODERN not in versions:
            raise Broken(f"It doesn't list protocol version {methods.MODERN} as one that it supports.")
        self.hello = hello(result, methods.MODERN, modern=True)
        return self.hello

    def listen(self) -> None:
        """Hear from here on also what the server says by itself, where it has a stream for that."""
        if self._own is None and not self.hello.modern:
            self._own = asyncio.create_task(self._hear_own(), name="server's own stream")

    async def close(self) -> None:
        """End the session. Idempotent."""
        own, self._own = self._own, None
        if own is not None:
            own.cancel()
            await asyncio.wait((own,))
        way, self._way = self._way, None
        if way is not None:
            await way.close()

    # -- asking -----------------------------------------------------------------------------------------

    async def request(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        tool: Mapping[str, Any] | None = None,
        progress: bool = False,
    ) -> dict[str, Any]:
        """Send a request and return its result.

        Whoever cancels this cancels the request too, as its version wants that to be said.

        Args:
            method: the method.
            params: its params.
            tool: the definition of the tool that it calls, where that is known.
            progress: whether to ask for notifications of progress.

        Raises:
            Unavailable: where the server can't be reached.
            Refused: where it answers with an error.
            Broken: where its answer can't be used.
        """
        self._last += 1
        identity = self._last
        said = dict(params)
        meta = dict(self._meta(method, identity if progress else None))
        if meta:
            said["_meta"] = {**said.get("_meta", {}), **meta}
        tree = {"jsonrpc": "2.0", "id": identity, "method": method, "params": said}
        exchange = asyncio.create_task(self._exchange(tree, identity, tool), name="request")
        try:
            reply = await asyncio.shield(exchange)
        except asyncio.CancelledError:
            if not self.hello.modern and method != "initialize":
                await self._say_cancelled(identity)
            exchange.cancel()
            await asyncio.wait((exchange,))
            exchange.cancelled() or exchange.exception()  # seen
            raise
        if isinstance(reply.get("error"), dict):
            error = reply["error"]
            data = error.get("data")
            if isinstance(data, dict) and data.get("code") in _UNREACHED:
                raise Unavailable(str(error.get("message")))
            raise Refused(error)
        result = reply["result"]
        if not isinstance(result, dict):
            raise Broken(f"It answered {method} with a result that is no object.")
        return result

    def _meta(self, method: str, token: int | None) -> dict[str, Any]:
        meta: dict[str, Any] = {} if token is None else {"progressToken": token}
        if self.hello.modern:
            meta |= {methods.VERSION_KEY: methods.MODERN, methods.CLIENT_KEY: _INFO, _CAPABILITIES_KEY: {}}
            if method == "tools/call":  # without it, the server logs nothing
                meta[_LEVEL_KEY] = self._level or "info"
        return meta

    async def listed(self, method: str, member: str) -> Listing:
        """Return all pages of a list, or those up to where its cursors lead nowhere.

        Args:
            method: the method, such as ``tools/list``.
            member: the member of its result that has the items.

        Raises:
            Unavailable: where the server can't be reached.
            Refused: where it answers with an error.
            Broken: where its answer is no list.
        """
        found: list[Any] = []
        seen: set[str] = set()
        params: dict[str, Any] = {}
        trouble = ""
        for _ in range(MAX_PAGES):
            result = await self.request(method, params)
            items = result.get(member)
            if not isinstance(items, list):
                raise Broken(f"It answered {method} without a list of {member}.")
            found += items
            cursor = result.get("nextCursor")
            if cursor is None or cursor == "":  # many a server says by that that there is no more
                break
            if not isinstance(cursor, str):
                trouble = "its list has a cursor that is no string, so there may be more than is shown"
                break
            if cursor in seen:
                trouble = "its list comes back to a cursor that it gave before, so there may be more than is shown"
                break
            seen.add(cursor)
            params = {"cursor": cursor}
        else:
            trouble = f"its list has more than {MAX_PAGES} pages, of which no more were asked for"
        kept = [item for item in found if isinstance(item, dict) and isinstance(item.get("name"), str)]
        if len(kept) < len(found):
            trouble = trouble or f"{len(found) - len(kept)} entries of its list are no definitions"
        return Listing(kept, trouble)

    # -- messages ---------------------------------------------------------------------------------------

    async def _exchange(self, tree: dict[str, Any], identity: int, tool: Mapping[str, Any] | None) -> dict[str, Any]:
        """Send a request and return its reply."""
        assert self._way is not None
        try:
            said = await self._way.send(wire.classify(tree, "client"), tool)
            if said.body is not None:
                return self._reply(said.body, said.status)
            if said.events is None:
                raise Broken(f"It answered with HTTP status {said.status} and no message.")
            return await self._from_stream(said, identity)
        except Rejected as refused:
            raise Broken(refused.reason) from None

    def _reply(self, data: bytes, status: int) -> dict[str, Any]:
        """Return the reply that a body is."""
        tree = _loaded(data)
        if "result" in tree or isinstance(tree.get("error"), dict):
            return tree
        raise Broken(f"It answered with HTTP status {status} and what is no reply.")

    async def _from_stream(self, said: Said, identity: int) -> dict[str, Any]:
        """Return the reply from a stream, which is resumed where it breaks off and can be (2025-11-25)."""
        last: str | None = None
        for _ in range(_RESUMPTIONS):
            assert self._way is not None
            if said.events is None:
                break
            retry = _RETRY
            async with contextlib.aclosing(said.events) as events:
                async for event in events:
                    last = event.id or last
                    retry = retry if event.retry is None else min(event.retry / 1000, 60.0)
                    if event.data is None:
                        continue
                    reply = await self._hear(_loaded(_bytes(event.data)), identity)
                    if reply is not None:
                        return reply
            if last is None:
                break
            await asyncio.sleep(retry)
            said = await self._way.listen(last)
        raise Unavailable("Its answer broke off before the reply came.")

    async def _hear_own(self) -> None:
        assert self._way is not None
        with contextlib.suppress(Unavailable, Rejected, Broken):  # what isn't heard isn't missed
            said = await self._way.listen(None)
            if said.events is not None:
                async with contextlib.aclosing(said.events) as events:
                    async for event in events:
                        if event.data is not None:
                            await self._hear(_loaded(_bytes(event.data)), None)

    async def _hear(self, tree: dict[str, Any], identity: int | None) -> dict[str, Any] | None:
        """Take a message from a stream; return it where it is the reply that is waited for."""
        if "method" not in tree:
            mine = tree.get("id") == identity or (tree.get("id") is None and "error" in tree)
            return tree if mine and ("result" in tree or isinstance(tree.get("error"), dict)) else None
        if self._heard is not None:
            self._heard(tree)
        if "id" in tree:
            await self._refuse(tree)
        return None

    async def _refuse(self, asked: dict[str, Any]) -> None:
        """Answer a request of the server's: this client offers nothing that it could be asked for."""
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": asked["id"]}
        if asked["method"] == "ping":
            reply["result"] = {}
        else:
            reply["error"] = {"code": -32601, "message": "This client declared no capability to be asked for that."}
        await self._tell(reply)

    async def _notify(self, method: str, params: Mapping[str, Any] | None = None) -> None:
        tree: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        await self._tell(tree if params is None else tree | {"params": dict(params)})

    async def _tell(self, tree: dict[str, Any]) -> None:
        """Send what has no reply."""
        assert self._way is not None
        with contextlib.suppress(Rejected):
            said = await self._way.send(wire.classify(tree, "client"), None)
            if said.events is not None:
                await said.events.aclose()

    async def _say_cancelled(self, identity: int) -> None:
        """Say that a request is cancelled (until 2025-11-25; later, closing the stream says it)."""
        params = {"requestId": identity, "reason": "The user cancelled it."}
        with contextlib.suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                await self._notify("notifications/cancelled", params)


def _bytes(data: object) -> bytes:
    if isinstance(data, Rejected):
        raise data
    assert isinstance(data, bytes)
    return data


def _loaded(data: bytes) -> dict[str, Any]:
    try:  # the pipeline has held it to the limits, and has encoded it
        tree = json.loads(data)
    except (ValueError, RecursionError):
        raise Broken("It sent what is no JSON.") from None
    if not isinstance(tree, dict):
        raise Broken("It sent what is no message.")
    return tree
